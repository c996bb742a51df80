import numpy as np
import pandas as pd
import pytest

from skvae._cli.text import format_like, parse_text


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
def test_dates_are_parsed_and_written_in_their_format(text, expected):
    column = pd.Series(text, name="day")
    values, unparsed = parse_text(column)
    assert list(unparsed) == []
    expected = pd.Series(pd.to_datetime(expected, format="ISO8601"), name="day")
    pd.testing.assert_series_equal(values, expected, check_dtype=False)
    written = format_like(values, column)
    again, _ = parse_text(written)
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
def test_other_text_is_left_as_it_is(text):
    column = pd.Series(text)
    values, unparsed = parse_text(column)
    assert values is column
    assert format_like(values, column) is column
    assert list(unparsed) == []


@pytest.mark.parametrize(
    ("good", "bad", "dtype"),
    [
        ("7", "?", "Int64"),
        ("7.5", "unknown", "float64"),
        ("7", "inf", "Int64"),
        ("2020-01-02", "0000-00-00", "datetime64"),
    ],
)
def test_less_than_a_tenth_may_be_unparsed(good, bad, dtype):
    column = pd.Series([good] * 10 + [bad, None])
    values, unparsed = parse_text(column)
    assert str(values.dtype).startswith(dtype)
    assert list(unparsed.items()) == [(10, bad)]
    assert list(np.flatnonzero(values.isna())) == [10, 11]
    assert list(format_like(values, column)[:10]) == [good] * 10
    few = pd.Series([good] * 9 + [bad])
    assert parse_text(few)[0] is few
