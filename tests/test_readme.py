"""The README's Python runs, and shows the shapes that it says."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
SHOWN = "Z X_back X_new full back more Z_train Z X_back".split()


def test_the_examples_run_and_give_the_shapes_that_they_say():
    text, names, shown = README.read_text("utf-8"), {}, []
    for block in re.findall("```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
        said = re.findall(r"^(\w+) = .*# \((\d+), (\d+)\)", block, re.MULTILINE)
        for name, n_rows, n_columns in said:
            assert names[name].shape == (int(n_rows), int(n_columns))
            shown.append(name)
    assert shown == SHOWN
