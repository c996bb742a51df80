import re
import warnings

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skvae._files.delimited import MISSING, DelimitedFile

words = st.text("ab 1.é", min_size=1, max_size=5).filter(
    lambda text: text == text.strip()
)

quickly = settings(max_examples=60, deadline=None)
inner = st.text("ab,;\t|\"'\n ", max_size=6)


def read(text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a header of numbers
        return DelimitedFile(
            "t.csv", text if isinstance(text, bytes) else text.encode()
        )


@st.composite
def files(draw):
    """A text, the same with its empty cells filled, and what fills them by place."""
    delimiter = draw(st.sampled_from(",;\t|"))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    pad = draw(st.sampled_from(["", " "]))
    quote_all = draw(st.booleans())
    n_columns, n_rows = draw(st.integers(2, 4)), draw(st.integers(1, 6))
    header = [f"c{j}" for j in range(n_columns)]
    given_text, full_text = ([delimiter.join(header)] for _ in range(2))
    fills = {}

    def cell():
        if draw(st.integers(0, 4)) == 0:
            return '"' + draw(inner).replace('"', '""') + 'x"'
        return f'"{draw(words)}"' if quote_all else draw(words)

    for row in range(n_rows):
        one, other = [], []
        for j in range(n_columns):
            text = cell()
            old = text
            if j and draw(st.integers(0, 3)) == 0:
                text = draw(words)
                marks = [""] if quote_all else ["", "NA", "null", "NaN"]
                old = draw(st.sampled_from(marks))
                fills.setdefault(f"c{j}", {})[row] = text
                old = f'"{old}"' if quote_all else old
                text = f'"{text}"' if quote_all else text
            one.append(pad + old if j else old)
            other.append(pad + text if j else text)
        given_text.append(delimiter.join(one))
        full_text.append(delimiter.join(other))
    last = draw(st.sampled_from(["", end]))
    return end.join(given_text) + last, end.join(full_text) + last, fills


@quickly
@given(files())
def test_nothing_filled_gives_the_bytes(case):
    text, full, _ = case
    assert read(text).filled({}) == text.encode()
    assert read(full).filled({}) == full.encode()


@quickly
@given(files(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]))
def test_empty_cells_are_filled_and_nothing_else(case, encoding):
    text, full, fills = case
    file = read(text.encode(encoding))
    frame = read(full).frame
    for column, values in fills.items():
        assert file.frame[column].iloc[list(values)].isna().all()
    entries = {column: pd.Series(values) for column, values in fills.items()}
    found = file.filled(entries)
    again = read(found).frame
    assert again.fillna("").equals(frame.fillna(""))
    assert again.where(file.frame.notna(), "").equals(file.frame.fillna(""))


@pytest.mark.parametrize(
    ("text", "fills", "full"),
    [
        ("a,b\n1,\n2,x\n", {"b": {0: "y"}}, "a,b\n1,y\n2,x\n"),
        ("a,b\n1,NA\n2,x\n", {"b": {0: "y"}}, "a,b\n1,y\n2,x\n"),
        ("a,b\r\n1,\r\n2,x", {"b": {0: "y"}}, "a,b\r\n1,y\r\n2,x"),
        ("a,b\r1,\r2,x\r", {"b": {0: "y"}}, "a,b\r1,y\r2,x\r"),
        ('a,b\n1,\n2,"x"\n', {"b": {0: "y"}}, 'a,b\n1,"y"\n2,"x"\n'),
        ('a,b\n1,""\n2,x\n', {"b": {0: "y"}}, "a,b\n1,y\n2,x\n"),
        ('a,b\n1,\n2,"x, z"\n', {"b": {0: "x, z"}}, 'a,b\n1,"x, z"\n2,"x, z"\n'),
        ('a,b\n1,\n2,x\n3,"NA"\n', {"b": {0: "NA"}}, 'a,b\n1,"NA"\n2,x\n3,"NA"\n'),
        ("a, b\n1, \n2, x\n", {"b": {0: "y"}}, "a, b\n1, y\n2, x\n"),
        ("a,  b\n1,   \n2, 10\n", {"b": {0: "7"}}, "a,  b\n1,  7\n2, 10\n"),
        ("a,b,c\n1\n2,x,3\n", {"c": {0: "4"}}, "a,b,c\n1,,4\n2,x,3\n"),
        ("a,b,c\n1\n2,x,3\n", {"b": {0: "y"}, "c": {0: "4"}}, "a,b,c\n1,y,4\n2,x,3\n"),
        ("a,a\n1,\n2,x\n", {"a.1": {0: "y"}}, "a,a\n1,y\n2,x\n"),
        ("a,\n1,\n2,x\n", {"Unnamed: 1": {0: "y"}}, "a,\n1,y\n2,x\n"),
        (",b\n0,\n1,x\n", {"b": {0: "y"}}, ",b\n0,y\n1,x\n"),  # an index
        ("a,b,\n1,,\n2,x,\n", {"b": {0: "y"}}, "a,b,\n1,y,\n2,x,\n"),
        ("a,b\n1,,\n2,x,\n", {"b": {0: "y"}}, "a,b\n1,y,\n2,x,\n"),
        ("a\n1\n\n2\n", {"a": {1: "3"}}, "a\n1\n3\n2\n"),
        ("a,b\n\n1,\n\n2,x\n\n", {"b": {0: "y"}}, "a,b\n\n1,y\n\n2,x\n\n"),
        (
            "# by me\na,b\n1,\n# so, it, is\n2,x\n",
            {"b": {0: "y"}},
            "# by me\na,b\n1,y\n# so, it, is\n2,x\n",
        ),
        ("#a\tb\n1\t\n2\tx\n", {"b": {0: "y"}}, "#a\tb\n1\ty\n2\tx\n"),
        (
            "sep=;\r\na;b\r\n1;\r\n2;x\r\n",
            {"b": {0: "y"}},
            "sep=;\r\na;b\r\n1;y\r\n2;x\r\n",
        ),
        ("a;b\n1,5;\n2,5;3,5\n", {"b": {0: "4,5"}}, "a;b\n1,5;4,5\n2,5;3,5\n"),
        (
            "a|b\n'x|y'|\n'x'|1\n'z'|2\n",
            {"b": {0: "3"}},
            "a|b\n'x|y'|3\n'x'|1\n'z'|2\n",
        ),
        ('a,b\n5" pipe,\n6" pipe,x\n', {"b": {0: "y"}}, 'a,b\n5" pipe,y\n6" pipe,x\n'),
        ("b,c\nr1,1,\nr2,2,x\n", {"c": {0: "y"}}, "b,c\nr1,1,y\nr2,2,x\n"),  # as R does
        (
            "1,a,2\n3,,4\n5,a,\n",
            {"x1": {1: "a"}, "x2": {2: "6"}},
            "1,a,2\n3,a,4\n5,a,6\n",
        ),
        ("5.5,1.5\n5.1,\n", {"x1": {1: "2.5"}}, "5.5,1.5\n5.1,2.5\n"),  # no header
    ],
)
def test_every_dialect_is_filled_in_place(text, fills, full):
    file = read(text)
    assert file.filled({}) == text.encode()
    entries = {column: pd.Series(values) for column, values in fills.items()}
    for column, values in entries.items():
        assert file.frame[column].iloc[values.index].isna().all()
    assert file.filled(entries) == full.encode()


def test_quoted_marks_are_text_and_the_others_are_counted():
    file = read('a,b\n1,NA\n2,"NA"\n3,null\n4,NA\n5,\n')
    assert file.frame["b"].tolist() == [None, "NA", None, None, None]
    assert file.marks == {"a": {}, "b": {"NA": 2, "null": 1}}
    assert "?" not in MISSING


def test_another_delimiter_quotes_what_contains_it():
    file = read('a;b\n1,5;"x;y"\n2;z\n')
    assert file.filled({}, ",") == b'a,b\n"1,5","x;y"\n2,z\n'


@pytest.mark.parametrize(
    ("text", "index"),
    [(",b\n3,x\n7,y\n", [3, 7]), (",b\n03,x\n7,y\n", ["03", "7"])],
)
def test_first_column_without_a_name_is_the_index(text, index):
    assert read(text).frame.index.tolist() == index


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a,b\n1,2\n1,2,3\n", 3),
        ('a,b\n"1\n2",2\n1,2,3\n', 4),
        ("sep=,\na,b\n1,2,3\n1,2\n", 3),
        ("a,b\r1,2\r1,2,3\r", 3),
    ],
)
def test_row_with_too_many_cells_is_named(text, line):
    with pytest.raises(
        ValueError,
        match=f"t.csv, line {line}: expected 2 fields, as line [12] has, saw 3",
    ):
        read(text)


@quickly
@given(st.text("ab1 ,;\t'\"\n\r#=spe", max_size=20))
def test_any_text_comes_back_or_is_refused(text):
    try:
        file = read(text)
    except ValueError:
        return
    assert file.filled({}) == text.encode()
    assert len(file.frame.columns) == len(set(file.frame.columns)) > 0


def test_declaration_alone_is_empty():
    with pytest.raises(ValueError, match=r"t\.csv is empty"):
        read("sep=;\n")


def test_one_stray_value_behind_trailing_delimiters_shifts_no_name():
    lines = "a,b\n" + "1,2,\n" * 9 + "3,4,5\n"
    with pytest.raises(ValueError, match="line 11: expected 2 fields"):
        DelimitedFile("t.csv", lines.encode())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:b\n1:2.5\n3:4\n", "separated by ':'; write sep=: above it"),
        ("a^b^c\n1^x^2\n3^y^4\n", "separated by '\\^'; write sep="),
        ("a   b\n1   2\n10  20\n", "separated by ' '; save it as CSV"),
        ("time\n10:30\n11:30\n", None),
        ("two words\nred one\nblue one\n", None),
        ("n\n1 234\n2 345\n", None),
        ("a,b\n1 2,3 4\n5 6,7 8\n", None),
        ("a\n\n", None),
    ],
)
def test_lines_of_another_delimiter_are_said(text, said):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        DelimitedFile("t.csv", text.encode())
    assert len(caught) == (said is not None)
    if said:
        assert re.search(
            f"t.csv is read as one column, .* {said}", str(caught[0].message)
        )
        declared = f"sep={said[14]}\n{text}"
        if said[14] == ":":
            frame = DelimitedFile("t.csv", declared.encode()).frame
            assert frame.columns.tolist() == ["a", "b"]
