import gc
import re
import warnings

import numpy as np
import pandas as pd
import pytest

from skvae._cleaning.reading import read_table


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
        ("country,2019_20,2018_19", True),
        ("\u0663,\u0662,\u0661", True),  # no digits that are read as numbers
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
    is_data = any("line 1 contains numbers" in text for text in messages)
    assert is_header != is_data
    assert len(table) == (2 if is_header else 3)
    assert list(table.columns) == (names if is_header else ["x0", "x1", "x2"])


@pytest.mark.parametrize("line", [2, 3, 60_000])
def test_too_many_fields_are_found_on_any_line(read, line):
    lines = ["a,b"] + ["1,2"] * 60_000
    lines[line - 1] = "1,2,3"
    with pytest.raises(
        ValueError, match=f"line {line}: expected 2 fields, as line [12] has, saw 3"
    ):
        read("\n".join(lines))


def test_missing_fields_and_empty_fields_are_missing_values(read):
    table = read("a\tb\tc\n1\t\t3\n4\n")
    assert table.isna().to_numpy().tolist() == [[False, True, False], [False, 1, 1]]


def test_undecodable_line_is_named_and_read_as_latin(read):
    text = "a,b\n1,x\n2,é\n"
    with pytest.warns(UserWarning, match="line 3: byte 0xe9 is not UTF-8; .*Windows"):
        assert read(text, encoding="latin-1")["b"].tolist() == ["x", "é"]
    with pytest.warns(UserWarning, match="is read as Latin-1"):
        read(text + "3,\x81\n", encoding="latin-1")


@pytest.mark.parametrize("text", ["a,b\n1,\xe9\n2,x\n", "2,1\n1,3\n1,4\n"])
def test_warnings_point_at_the_users_line(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode("latin-1"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_table(path)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_encodings_of_unicode(read, encoding):
    assert read("a,b\n1,x\n2,é€\n", encoding=encoding)["b"].tolist() == ["x", "é€"]


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
    found = read_table(str(tmp_path / "t.parquet"))
    pd.testing.assert_frame_equal(found, pd.DataFrame({"a": [1, 2], "a.1": [3, 4]}))


def test_files_are_closed(read):
    # Recorded, as an error in a file's destructor reaches nobody.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        read("a,b\n1,2\n")
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("a;b\nx;4.871\ny;12.350\n", [4871, 12350], r"'\.' between thousands \(or"),
        ("a;b\nx;4,871\ny;12,350\n", [4.871, 12.35], r"decimal commas \(or"),
        ('a,b\nx,"4,871"\ny,"12,350"\n', [4871, 12350], "',' between thousands"),
        ("a\tb\nx\t$4,871\ny\t$5\n", [4871, 5], "',' between thousands"),
        ("a;b\nx;4.871\ny;-1.234.567\n", [4871, -1234567], None),
        ("a;b\nx;4.871\ny;12.35\n", [4.871, 12.35], None),
        ("a;b\n1,5;4.871\n2,5;12.350\n", [4871, 12350], None),
        ("a;b\n1.5;4.871\n2.5;12.350\n", [4.871, 12.35], None),
        ("a,b\nx,4.871\ny,12.350\n", [4.871, 12.35], None),
        ("a;b\nx;4 871\ny;12 350\n", [4871, 12350], None),
        ("a;b\nx;4871\ny;12\n", [4871, 12], None),
    ],
)
def test_a_mark_that_may_be_either_is_told_by_others_or_said(read, text, values, said):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert read(text)["b"].tolist() == values
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == (said is not None)
    if said:
        assert re.search(f"t.csv: .*'b': numbers with {said}.*thousandfold", *messages)
