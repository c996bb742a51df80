import gc
import io
import sys
import warnings

import numpy as np
import pandas as pd
import pytest

from skvae._cli.reading import as_read, read_table, read_text
from skvae._cli.terminal import CommandError


@pytest.fixture
def read(tmp_path):
    def read(text, name="t.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return read_table(str(path))

    return read


EXPECTED = pd.DataFrame({"a": [1, 3], "b c": [0.5, -2.5], "d": ["x, y", "z"]})


@pytest.mark.parametrize(
    "text",
    [
        'a,b c,d\n1,0.5,"x, y"\n3,-2.5,z\n',
        'a, b c, d\n1, 0.5, "x, y"\n3, -2.5, z\n',
        "a;b c;d\n1;0.5;x, y\n3;-2.5;z\n",
        "a;b c;d\n1;0,5;x, y\n3;-2,5;z\n",  # decimal commas
        "a\tb c\td\n1\t0.5\tx, y\n3\t-2.5\tz\n",
        "a|b c|d\n1|0.5|x, y\n3|-2.5|z\n",
        'a,b c,d\r\n1,0.5,"x, y"\r\n3,-2.5,z\r\n',
        'a,b c,d\r1,0.5,"x, y"\r3,-2.5,z',
        '\ufeffa,b c,d\n1,0.5,"x, y"\n3,-2.5,z\n',
        '\n\na,b c,d\n\n1,0.5,"x, y"\n3,-2.5,z\n',
    ],
)
def test_csv_dialects_give_the_same_table(read, text):
    pd.testing.assert_frame_equal(read(text), EXPECTED)


def test_line_break_in_quotes(read):
    table = read('"a\nb",c\n1,"x\ny"\n')
    assert list(table.columns) == ["a\nb", "c"]
    assert table["c"][0] == "x\ny"


@pytest.mark.parametrize(
    ("header", "is_header"),
    [
        ("a,b,c", True),
        ("0,1,2", True),  # pandas' columns without names
        ("0,1,10", True),
        ("country,1999,2000", True),
        ("400.5,402.5,404.5", True),  # wavelengths
        ("9,8,7,6,5,4,3,2", True),  # wavenumbers
        ("5.1,3.5,1.4", False),
        ("5.1,3.5,setosa", False),
        ("1,1,2", False),
        ("-1,2,0", False),
    ],
)
def test_line_1_of_numbers_is_a_header_only_if_it_can_be(read, header, is_header):
    names = header.split(",")
    zeros = ",".join("0" for _ in names)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        table = read(f"{header}\n{zeros}\n{zeros}\n")
    messages = [str(warning.message) for warning in caught]
    assert is_header == (not any("line 1 holds numbers" in text for text in messages))
    assert len(table) == (2 if is_header else 3)
    assert list(table.columns) == (names if is_header else ["x0", "x1", "x2"])


@pytest.mark.parametrize("line", [2, 3, 60_000])
def test_too_many_fields_are_found_on_any_line(read, line):
    lines = ["a,b"] + ["1,2"] * 60_000
    lines[line - 1] = "1,2,3"
    with pytest.raises(CommandError, match=f"line {line}: expected 2 fields, saw 3"):
        read("\n".join(lines))


def test_missing_fields_and_empty_fields_are_missing_values(read):
    table = read("a\tb\tc\n1\t\t3\n4\n")
    assert table.isna().to_numpy().tolist() == [[False, True, False], [False, 1, 1]]


def test_undecodable_line_is_named(read):
    with pytest.raises(CommandError, match="line 3: byte 0xe9 is not UTF-8"):
        read("a,b\n1,x\n2,é\n", encoding="latin-1")
    with pytest.raises(CommandError, match="line 1: byte 0xff is not UTF-8"):
        read("a,b\n1,x\n", encoding="utf-16")


def test_repeated_names_are_told_apart(read):
    assert list(read("a,a,b\n1,2,3\n").columns) == ["a", "a.1", "b"]


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("1.0 2.0 3.0", "int64"),
        ("1 - 3", "Int64"),
        ("1.5 - 3", "float64"),
        ("1 2 9e15", "int64"),
        ("1 2 1e16", "float64"),  # not every integer as large is a float
        ("1 inf 3", "float64"),
        ("- - -", "float64"),
    ],
)
def test_whole_numbers_are_integers(read, text, dtype):
    cells = text.replace("-", "").split(" ")
    table = read("a,b\n" + "".join(f"{cell},x\n" for cell in cells))
    assert table["a"].dtype == dtype
    expected = [float(cell or "nan") for cell in cells]
    np.testing.assert_array_equal(table["a"].to_numpy(float, na_value=np.nan), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (["2020-01-02", "2020-03-04"], ["2020-01-02", "2020-03-04"]),
        (["2020-01-02", "2020-01-02 10:30:00"], ["2020-01-02", "2020-01-02 10:30"]),
        (["2020-01-02T10:30:00Z", None], ["2020-01-02 10:30Z", None]),
        (["1/2/2020", "13/2/2020"], ["2020-02-01", "2020-02-13"]),
        (["1/2/2020", "2/13/2020"], ["2020-01-02", "2020-02-13"]),
        (["1.2.2020", "31.12.2020"], ["2020-02-01", "2020-12-31"]),
        (["2020/01/02"], ["2020-01-02"]),
        (["2-Jan-2020", "3-Feb-2020"], ["2020-01-02", "2020-02-03"]),
        (["Jan 2, 2020"], ["2020-01-02"]),
    ],
)
def test_dates_are_read_and_written_as_they_were(text, expected):
    column = pd.Series(text, name="day")
    values, odd = read_text(column)
    assert list(odd) == []
    expected = pd.Series(pd.to_datetime(expected, format="ISO8601"), name="day")
    pd.testing.assert_series_equal(values, expected, check_dtype=False)
    written = as_read(values, column)
    again, _ = read_text(written)
    pd.testing.assert_series_equal(again, values)
    if all(len(one) == len(text[0]) for one in text if one):
        widths = written.dropna().str.len()  # days and months have two digits
        assert (widths >= column.dropna().str.len()).all()


@pytest.mark.parametrize(
    "text",
    [
        ["1/2/2020", "3/4/2020"],  # which is the month?
        ["2009-10", "2010-11"],  # seasons, for example
        ["2020-01-02", "soon"],
        ["red", "blue"],
        ["May", "June"],
        ["10:30", "11:30"],
        ["1", "one"],
        [True, None],
        [1.5, "x"],
        [[1, 2], [3]],
    ],
)
def test_text_that_is_not_surely_more_is_left_as_it_is(text):
    column = pd.Series(text)
    values, odd = read_text(column)
    assert values is column
    assert as_read(values, column) is column
    assert list(odd) == []


@pytest.mark.parametrize(
    ("good", "bad", "dtype"),
    [
        ("7", "?", "Int64"),
        ("7.5", "unknown", "float64"),
        ("7", "inf", "Int64"),
        ("2020-01-02", "0000-00-00", "datetime64"),
    ],
)
def test_less_than_a_tenth_may_be_odd(good, bad, dtype):
    column = pd.Series([good] * 10 + [bad, None])
    values, odd = read_text(column)
    assert str(values.dtype).startswith(dtype)
    assert list(odd.items()) == [(10, bad)]
    assert list(np.flatnonzero(values.isna())) == [10, 11]
    assert list(as_read(values, column)[:10]) == [good] * 10
    few = pd.Series([good] * 9 + [bad])
    assert read_text(few)[0] is few


def test_parquet_with_numbered_columns(tmp_path):
    pytest.importorskip("pyarrow")
    table = pd.DataFrame(np.eye(3), columns=["0", "1", "2"])
    table.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(str(tmp_path / "t.parquet")), table)


def test_parquet_with_two_columns_of_one_name(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table([[1, 2], [3, 4]], names=["a", "a"])
    parquet.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(CommandError, match=r"t\.parquet: cannot be read .*Name\(a\)"):
        read_table(str(tmp_path / "t.parquet"))


def test_parquet_on_standard_input(monkeypatch):
    pytest.importorskip("pyarrow")
    content = io.BytesIO()
    EXPECTED.to_parquet(content)
    pipe = io.TextIOWrapper(io.BytesIO(content.getvalue()))
    monkeypatch.setattr(sys, "stdin", pipe)
    pd.testing.assert_frame_equal(read_table("-"), EXPECTED)


def test_files_are_closed(read):
    # Recorded, as an error in a file's destructor reaches nobody.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        read("a,b\n1,2\n")
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
