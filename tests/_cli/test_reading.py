import io
import sys

import pandas as pd
import pytest

from skvae._cli.reading import read_table
from skvae._cli.terminal import CommandError

EXPECTED = pd.DataFrame({"a": [1, 3], "b c": [0.5, -2.5], "d": ["x, y", "z"]})


@pytest.fixture
def pipe(monkeypatch):
    def pipe(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return read_table("-")

    return pipe


def test_text_on_standard_input_keeps_its_bytes(pipe):
    content = b'a;b\n1;"x"\n'
    file = pipe(content)
    assert file.name == "standard input"
    assert file.filled({}) == content


def test_parquet_on_standard_input(pipe):
    pytest.importorskip("pyarrow")
    content = io.BytesIO()
    EXPECTED.to_parquet(content)
    pd.testing.assert_frame_equal(pipe(content.getvalue()).frame, EXPECTED)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", None, "t.csv: No such file or directory"),
        ("t.csv", b"", "t.csv is empty"),
        ("t.dat", b"a,b\n1,2\n", "t.dat: unknown extension '.dat'"),
        ("t.csv", b"\x1f\x8bnot gzip", "t.csv is a broken gzip file"),
        ("t.csv", b"a,b\n\0\0\0,2\n", "t.csv is not text"),
        ("t.parquet", b"a,b\n1,2\n", "t.parquet cannot be read as Parquet"),
        ("t.csv", b"\xd0\xcf\x11\xe0\0", "looks like an old Excel workbook; save it"),
        ("t.csv", b'\n [{"a": 1}]', "t.csv is not a table but looks like JSON"),
        (
            "t.csv",
            b"Title\n\na,b\n1,2\n",
            "line 3: expected 1 field, as line 1 has, saw 2",
        ),
        ("t.xlsx", b"PK\x03\x04nothing", "t.xlsx is a zip archive and cannot be read"),
    ],
)
def test_mistake_names_the_file(tmp_path, monkeypatch, name, content, message):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CommandError, match=message):
        read_table(name)


@pytest.mark.parametrize(
    ("name", "content", "package"),
    [
        ("t.parquet", b"PAR1", "pyarrow"),
        ("t.xlsx", b"PK\x03\x04", "openpyxl"),
        ("t.csv.zst", b"\x28\xb5\x2f\xfd", "zstandard"),
    ],
)
def test_missing_package_is_named(tmp_path, monkeypatch, name, content, package):
    (tmp_path / name).write_bytes(content)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    with pytest.raises(CommandError, match=f"needs {package}: pip install"):
        read_table(str(tmp_path / name))
