"""The README's Python runs, and shows the shapes that it says."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_example_runs_and_gives_the_shapes_that_it_says():
    (block,) = re.findall("```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    names = {}
    exec(block, names)
    said = re.findall(r"^(\w+) = .*# \((\d+), (\d+)\)", block, re.MULTILINE)
    assert [name for name, *_ in said] == ["Z", "X_back", "X_new"]
    for name, n_rows, n_columns in said:
        assert names[name].shape == (int(n_rows), int(n_columns))
