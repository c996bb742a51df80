"""No tensor depends on the caller's default dtype or device.

The sources are only read. A factory such as ``torch.zeros`` makes a tensor of the
default dtype on the default device unless it is first_rows both.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "skvae"
FACTORIES = """
    arange empty eye full linspace logspace ones
    rand randint randn randperm tensor zeros
""".split()
OF_INTEGERS = {"arange", "randint", "randperm"}  # whatever the default dtype


def find_incomplete_calls(source):
    """Line and name of each factory call that does not name its dtype and device."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="torch"), attr=name),
                keywords=keywords,
            ) if name in FACTORIES:
                named = {keyword.arg for keyword in keywords}
                needed = {"device"} if name in OF_INTEGERS else {"dtype", "device"}
                if None not in named and needed - named:  # None: **options
                    yield node.lineno, name


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_factories_name_dtype_and_device(path):
    found = list(find_incomplete_calls(path.read_text(encoding="utf-8")))
    assert not found, f"{path.name}: name dtype and device in {found}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("torch.zeros(3)", [(1, "zeros")]),
        ("torch.rand(3, dtype=torch.float32)", [(1, "rand")]),
        ("torch.arange(3)", [(1, "arange")]),
        ("torch.arange(3, device='cpu')", []),
        ("torch.eye(3, dtype=d, device=e)", []),
        ("torch.randn(3, **like)", []),
        ("x.new_zeros(3)", []),
    ],
)
def test_incomplete_calls_are_found(source, expected):
    assert list(find_incomplete_calls(source)) == expected
