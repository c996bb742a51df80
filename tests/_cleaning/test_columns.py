import numpy as np
import pandas as pd
import pytest

from skvae._cleaning.columns import ColumnReader, find_kind, find_readers


def read(values, decimal=None):
    column = pd.Series(values, name="x")
    (reader,) = find_readers(column.to_frame(), decimal)
    return reader, reader.read(column)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("mark", ["?", "-", ".", "NA", "", " "])
@pytest.mark.parametrize("value", ["7", "7.5", "2020-01-02", "TRUE"])
def test_marks_are_missing_at_any_share(share, mark, value):
    n = int(100 * share)
    reader, reading = read([mark] * n + [value] * (100 - n))
    assert reader.format is not None
    np.testing.assert_array_equal(reading.empty, np.arange(100) < n)
    np.testing.assert_array_equal(reading.values.isna(), np.arange(100) < n)
    assert list(reading.unread) == []
    assert reader.write(reading.values[n:]).iloc[0] == value


@pytest.mark.parametrize("mark", ["?", "-", ".", "NA"])
def test_marks_among_text_are_text(mark):
    _, reading = read(["red", mark, "blue", ""])
    assert reading.empty.tolist() == [False, False, False, True]
    assert reading.values[1] == mark


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("7", "none taken"),
        ("7.5", "inf"),
        ("7", "-Infinity"),
        ("2020-01-02", "0000-00-00"),
    ],
)
def test_other_text_is_unread_and_not_empty(good, bad):
    reader, reading = read([good] * 20 + [bad, None])
    assert list(reading.unread.items()) == [(20, bad)]
    assert np.flatnonzero(reading.empty).tolist() == [21]
    assert np.flatnonzero(reading.values.isna()).tolist() == [20, 21]
    assert reader.write(reading.values[:1]).tolist() == [good]


def test_infinite_numbers_are_unread_or_kept():
    column = pd.Series([1.5, np.inf, np.nan])
    reader = ColumnReader()
    assert reader.read(column).unread.tolist() == [np.inf]
    assert reader.read(column).values.isna().tolist() == [False, True, True]
    assert reader.read(column).empty.tolist() == [False, False, True]
    assert reader.read(column, finite=False).values[1] == np.inf


@pytest.mark.parametrize(
    ("texts", "spellings"),
    [
        (["TRUE", "FALSE"], ["TRUE", "FALSE"]),
        (["true", "true"], ["true", "false"]),
        (["False"], ["True", "False"]),
    ],
)
def test_booleans_have_one_spelling(texts, spellings):
    reader, reading = read(texts)
    assert reading.values.dtype == "bool"
    assert reader.write(pd.Series([True, False])).tolist() == spellings


def test_a_column_tells_another_the_decimal_mark():
    table = pd.DataFrame({"a": ["1,234", "2,345"], "b": ["0,5", "1,25"]})
    a, _ = find_readers(table)
    assert a.read(table["a"]).values.tolist() == [1.234, 2.345]
    assert read(["1,234", "2,345"])[1].values.tolist() == [1234, 2345]
    assert read(["1,234", "2,345"], ",")[1].values.tolist() == [1.234, 2.345]


@pytest.mark.parametrize(
    "values",
    [
        [True, False, None],
        [1.5, "x"],
        [[1, 2], [3]],
        pd.Categorical(["1", "2"]),
        pd.date_range("2020", periods=3),
        pd.date_range("2020", periods=3, tz="Asia/Tokyo"),
        pd.to_timedelta([1, 2], unit="h"),
        [1 + 2j],
        [None, None],
    ],
)
def test_other_columns_stay_as_they_are(values):
    column = pd.Series(values, name="x")
    reader, reading = read(column)
    assert reader.note == ""
    pd.testing.assert_series_equal(reading.values, column)
    assert reader.write(column) is column


@pytest.mark.parametrize(
    "dtype", ["int64", "Int64", "float64", "int32", "int64[pyarrow]"]
)
def test_numbers_that_are_dates(dtype):
    pytest.importorskip("pyarrow")
    numbers = pd.Series([20210325, 20210401, 20201231] * 3, dtype=dtype)
    if dtype not in ("int64", "int32"):
        numbers[4] = None
    (reader,) = find_readers(numbers.to_frame())
    reading = reader.read(numbers)
    assert reading.values.dtype.kind == "M"
    assert reading.empty.tolist() == numbers.isna().tolist()
    observed = ~reading.empty
    written = reader.write(reading.values[observed])
    assert written.tolist() == [int(number) for number in numbers[observed]]


@pytest.mark.parametrize(
    "values",
    [["$1,5"], ["1/13/2020"], ["TRUE"], ["a"], [1], [20210325, 20210326, 20210327]],
)
def test_state_is_plain_and_reads_alike(values):
    reader, reading = read(values)
    again = ColumnReader.from_state(reader.state())
    assert again == reader
    pd.testing.assert_series_equal(
        again.read(pd.Series(values, name="x")).values, reading.values
    )


@pytest.mark.parametrize("dtype", ["int64", "Int64", "uint64"])
def test_long_whole_numbers_are_identifiers(dtype):
    ids = pd.Series(np.arange(20) + 1234567890123456000, dtype=dtype)
    found = find_kind(ids)
    assert found == ("numeric", "identifier", "whole numbers of more than 15 digits")
    assert find_kind(ids % 1000 + 3)[1] == ""


@pytest.mark.parametrize("mark", ["?", "-", "NA"])
@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.5, 1.25, 7.0], "f"),
        ([3, 5, 8], "f"),
        ([pd.Timestamp("2020-01-02"), pd.Timestamp("2021-01-02")], "M"),
    ],
)
def test_marks_among_values_that_are_no_text_are_missing(values, kind, mark):
    column = pd.Series([*values, mark] * 9, dtype=object)
    _, reading = read(column)
    assert reading.values.dtype.kind == kind
    np.testing.assert_array_equal(reading.empty, column == mark)
    assert reading.values.dropna().tolist() == values * 9


def test_numbers_that_come_as_text_later_are_numbers():
    reader, _ = read([1.5, 2.5, 4.0])
    reader = ColumnReader.from_state(reader.state())
    later = reader.read(pd.Series(["1.5", "?", "x"]))
    assert later.values.iloc[0] == 1.5
    assert later.values.isna().tolist() == [False, True, True]
    assert later.unread.tolist() == ["x"]
    assert reader.write(later.values).equals(later.values)


FEW_DAYS = ["2021-03-25", "2021-04-01", "2021-04-13", "2021-05-05"]
SENTINELS = ["9999-12-31", "2999-12-31", "2099-12-31", "1900-01-01", "1753-01-01"]


def as_written(day, form):
    year, month, of_month = day.split("-")
    for directive, part in ("%Y", year), ("%m", month), ("%d", of_month):
        form = form.replace(directive, part)
    return form


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%Y%m%d", "number", "M8[s]"])
@pytest.mark.parametrize("sentinel", [*SENTINELS, "0001-01-01", "1970-01-01"])
@pytest.mark.parametrize("n", [1, 30])
def test_days_that_stand_for_none_are_unread(form, sentinel, n):
    days = [*FEW_DAYS, *[sentinel] * n, *FEW_DAYS]
    if form == "M8[s]":
        column = pd.Series(np.array(days, form))
    else:
        texts = [as_written(day, form.replace("number", "%Y%m%d")) for day in days]
        column = pd.Series([*map(int, texts)] if form == "number" else texts)
    if form == "number" and sentinel == "0001-01-01":
        return  # as a number it is 10101
    (reader,) = find_readers(column.to_frame("x"))
    reading = ColumnReader.from_state(reader.state()).read(column)
    assert reading.values.dtype.kind == "M"
    is_sentinel = np.array(days) == sentinel
    np.testing.assert_array_equal(reading.values.isna(), is_sentinel)
    assert reading.values[~is_sentinel].dt.strftime("%Y-%m-%d").tolist() == FEW_DAYS * 2
    assert reading.unread.index.tolist() == np.flatnonzero(is_sentinel).tolist()
    assert not reading.empty.any()
    if "9999" not in sentinel or form == "M8[s]":  # which older pandas cannot hold
        kept = reader.read(column, finite=False).values
        assert kept.notna().all() or kept.isna().sum() == n


@pytest.mark.parametrize(
    "days",
    [
        pd.date_range("1899-12-31", "1990-01-01", freq="99D"),  # births
        np.arange("1650", "1950", dtype="M8[Y]").astype("M8[s]"),
        pd.to_datetime(["1970-01-01", "1990-05-05", "2000-05-05", "2020-05-05"]),
        pd.to_datetime(["2000-01-01", "2021-05-05", "2021-05-06", "2021-05-07"]),
        np.array(["9999-12-31", "2021-05-05"], "M8[s]"),
    ],
)
def test_days_that_may_be_meant_stay(days):
    column = pd.Series(days)
    reader, reading = read(column)
    assert reader.placeholders == []
    assert reading.values.equals(column)


def test_dates_of_a_zone_and_objects_have_placeholders_too():
    days = pd.to_datetime([*FEW_DAYS, "1900-01-01"])
    for column in pd.Series(days.tz_localize("Asia/Tokyo")), pd.Series(days.date):
        reader, reading = read(column)
        assert reader.note in (
            "1899-12-31 taken for missing",  # in UTC
            "1900-01-01 taken for missing",
        )
        assert reading.values.isna().tolist() == [False] * 4 + [True]


def test_eight_digits_are_seldom_dates():
    ids = np.random.default_rng(0).integers(10_000_000, 100_000_000, 500)
    for column in pd.Series(ids), pd.Series(range(20210001, 20210400)):
        assert read(column)[0].note == ""
        assert read(column.astype(str))[0].note == ""
