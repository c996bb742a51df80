"""One column to floats and back: exact ticks, sorted levels, errors that name it."""

import datetime as dt
import re
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from skvae._table.columns import fit_column, make_column
from skvae._table.plain import pack, unpack
from skvae._table.values import cast

NAME = "column 'a'"


def series(values, dtype=object):
    return pd.Series(values, dtype=dtype)


def fit(values, dtype=object, **kwargs):
    return make_column(**fit_column(series(values, dtype), NAME, **kwargs))


def encode(column, values, dtype=object):
    codes, unseen = column.encode(series(values, dtype), NAME)
    return codes.tolist(), unseen


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        ([1.5, 2], "float16", "numbers"),
        ([1, 2], "uint8", "numbers"),
        ([1, 2], "Int8", "numbers"),
        ([1, None, 2.5], object, "numbers"),
        ([1, np.float32(2), Decimal(3)], object, "numbers"),
        ([True, False], "bool", "levels"),
        ([True, None], "boolean", "levels"),
        ([True, None, np.True_], object, "levels"),
        (["3.5", "4"], object, "levels"),
        (["a", "b"], "string", "levels"),
        ([1, 2], "category", "levels"),
        ([b"a"], object, "levels"),
        (["a", 1, 2.5, True], object, "levels"),
        ([True, 2], object, "levels"),
        ([dt.date(2020, 1, 1), "a"], object, "levels"),
        ([dt.date(2020, 1, 1)], object, "times"),
        ([dt.datetime(2020, 1, 1)], object, "times"),
        ([dt.timedelta(1)], object, "times"),
        ([dt.time(1)], object, "times"),
        (["2020-01-01"], "datetime64[s]", "times"),
        (["2020-01-01"], "datetime64[ns, Asia/Tokyo]", "times"),
        ([1], "timedelta64[ms]", "times"),
    ],
)
def test_a_dtype_says_the_kind(values, dtype, kind):
    assert fit_column(series(values, dtype), NAME)["kind"] == kind
    assert fit_column(series(values, dtype), NAME, is_chosen=True)["kind"] == "levels"


def test_numbers_are_as_they_are():
    column = fit([1, 2], "int8")
    given = [1.5, None, np.inf, True, Decimal("0.1")]
    codes, _ = column.encode(series(given), NAME)
    np.testing.assert_array_equal(codes, [1.5, np.nan, np.inf, 1, 0.1])
    assert column.n_levels == 0
    single, _ = column.encode(series([0.1], "float32"), NAME)
    assert single.dtype == np.float32
    assert encode(column, [1, 3], "category")[0] == [1, 3]


@pytest.mark.parametrize(
    ("values", "dtype", "back"),
    [
        ([-1.0, 1.4, 1.6, 999], "uint8", [0, 1, 2, 255]),
        ([-1e30, 1e30], "int64", [-(2**63), 2**63 - 1]),
        ([1e30], "uint64", [2**64 - 1]),
        ([1e300], "float32", [float(np.finfo("f4").max)]),
        ([1e9, -1e9], "float16", [65504, -65504]),
    ],
)
def test_numbers_are_rounded_and_clipped_to_the_dtype(values, dtype, back):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cast(np.array(values), np.dtype(dtype)).tolist() == back


def test_objects_come_back_as_what_all_of_them_were():
    ints, floats = fit([1, 2]), fit([1, 2.5])
    assert [type(v) for v in ints.entries(np.array([1.4, 2.6]))] == [int, int]
    assert [type(v) for v in floats.entries(np.array([1.0]))] == [float]
    cents = fit([Decimal("1"), Decimal("2.50")])
    assert [str(v) for v in cents.entries(np.array([1.005, 3]))] == ["1.00", "3.00"]


@pytest.mark.parametrize("is_reversed", [False, True])
def test_levels_are_sorted_whatever_the_order_of_rows(is_reversed):
    mixed = ["b", 2.5, True, "a", dt.date(2020, 1, 1), None, 0, b"x"]
    expected = [b"x", dt.date(2020, 1, 1), 0, True, 2.5, "a", "b"]
    column = fit(mixed[::-1] if is_reversed else mixed)
    assert column.levels.tolist() == expected
    assert encode(column, expected)[0] == [0, 1, 2, 3, 4, 5, 6]


def test_categories_keep_their_order_and_count_if_seen():
    dtype = pd.CategoricalDtype(["high", "unused", "low"], ordered=True)
    column = fit(["low", "high", None, "low"], dtype)
    assert (column.levels.tolist(), column.n_levels) == (["high", "low"], 2)
    codes, unseen = encode(column, ["unused", "low"], dtype)
    np.testing.assert_array_equal(codes, [np.nan, 1])
    assert unseen == ["unused"]


def test_equal_values_are_one_level():
    column = fit([0, 1, 2], "int8", is_chosen=True)
    for given in ([True, 2.0, 0], [1.0, 2, False]):
        assert encode(column, given)[0] == [1, 2, 0]
    assert encode(column, [1, 2, 0], "Int64")[0] == [1, 2, 0]
    truth = fit([True, False], "bool")
    assert encode(truth, [0, 1.0, np.True_])[0] == [0, 1, 1]
    large = fit([2**62, 2**62 + 1], "int64", is_chosen=True)
    assert large.decode(np.array([1.0]))[0].tolist() == [2**62, 2**62 + 1]


def test_unseen_values_are_missing_and_returned():
    codes, unseen = encode(fit(["a", "b"]), ["c", "b", None, 1, "c"])
    np.testing.assert_array_equal(codes, [np.nan, 1, np.nan, np.nan, np.nan])
    assert unseen == ["c", 1]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_ticks_are_exact_and_as_long_as_can_be(unit):
    stamps = pd.DatetimeIndex(["2000-01-01", "2020-02-29 12:34:56"]).as_unit(unit)
    column = fit(stamps, None)
    assert (column.tick, column.what) == ("s", "times without a time zone")
    assert encode(column, stamps, None)[0] == [0, (stamps[1] - stamps[0]) / ONE]
    days = fit(stamps.normalize(), None)
    assert (days.tick, encode(days, stamps.normalize(), None)[0][1]) == ("D", 7364)
    assert encode(days, stamps, None)[0][1] == pytest.approx(7364.524259)
    close = pd.DatetimeIndex(np.array([0, 1, 2**53 - 1]).view("M8[ns]")) + DECADES
    assert encode(fit(close, None), close, None)[0] == [0, 1, 2**53 - 1]


ONE, DECADES = pd.Timedelta(1, "s"), pd.Timedelta(10_000, "D")


def test_times_outside_of_the_dtype_are_clipped():
    dates = fit([dt.date(2020, 1, 1)])
    days = dates.entries(dates.decode(np.array([-1e30, 0.4, 1.6, 1e30]))[0])
    first, last = days[0].year, days[-1].year
    assert days[1:3].tolist() == [dt.date(2020, 1, 1), dt.date(2020, 1, 3)]
    assert (first, last) == (1, 9999)
    stamps = fit(pd.DatetimeIndex(["2020-01-01 00:00:00.000000001"]), None)
    back = pd.DatetimeIndex(stamps.decode(np.array([-1e30, 1e30]))[0])
    assert back.year.tolist() == [1678, 2261]
    clocks = fit([dt.time(1), dt.time(2, 0, 0, 5)])
    back = clocks.entries(clocks.decode(np.array([-1e30, 1e30]))[0])
    assert back.tolist() == [dt.time(), dt.time.max]


@pytest.mark.parametrize("zone", ["-12:00", "+14:00"])
def test_clipped_times_are_years_that_python_has(zone):
    stamps = pd.Series(["2020-01-01 12:00"]).astype("M8[s]").dt.tz_localize(zone)
    column = make_column(**fit_column(stamps, NAME))
    times, _ = column.decode(np.array([-1e30, 1e30]))
    first, last = column.entries(times)
    assert first.year == 1
    assert last.year in (9998, 9999)
    assert repr(first) != repr(last)  # the year 0 has none


def test_what_fit_saw_is_never_clipped():
    far = np.array(["-5000-01-01", "20000-06-01"], dtype="M8[s]")
    column = fit(far, None)
    back, _ = column.decode(column.encode(series(far, None), NAME)[0])
    np.testing.assert_array_equal(back, far)
    ends = np.array([-(2**63) + 1, 2**63 - 1])
    column = fit(ends.view("m8[ns]"), None)
    back, _ = column.decode(column.encode(series(ends.view("m8[ns]"), None), NAME)[0])
    np.testing.assert_allclose(back.astype(np.float64), ends, rtol=1e-15)


def test_an_instant_is_the_same_in_any_unit_zone_and_type():
    stamp = pd.Timestamp("2020-07-01 12:00", tz="Europe/Berlin")
    column = fit(pd.DatetimeIndex([stamp, stamp + ONE]), None)
    for given in (
        series([stamp + ONE], "datetime64[s, Asia/Tokyo]"),
        series([(stamp + ONE).to_pydatetime()]),
        series([(stamp + ONE).tz_convert("UTC"), None]),
        series([(stamp + ONE).to_pydatetime().astimezone(dt.UTC)]),
    ):
        assert column.encode(given, NAME)[0][0] == 1
    finer = fit(pd.DatetimeIndex(np.array([7, 8]).view("M8[ns]")), None)
    for given in series([1], "M8[s]"), series([pd.Timestamp(1, unit="s")], "category"):
        assert finer.encode(given, NAME)[0] == [10**9 - 7]
    naive = fit([dt.datetime(2020, 1, 1), pd.Timestamp("2020-01-02")])
    for given in ([dt.date(2020, 1, 3)], [np.datetime64("2020-01-03", "h")]):
        assert encode(naive, given)[0] == [2]


@pytest.mark.parametrize(
    ("fitted", "later", "message"),
    [
        ([1.5], ["a"], "contains 'a' in column 'a', which held numbers in fit and"),
        ([1.5], [2, "3.5"], "contains '3.5' in column 'a', which held numbers"),
        ([1.5], [dt.date(2020, 1, 1)], "which held numbers in fit"),
        ([dt.date(2020, 1, 1)], ["2020-01-01"], "contains '2020-01-01' in column 'a'"),
        ([dt.date(2020, 1, 1)], [1], "which held times without a time zone in fit"),
        ([dt.date(2020, 1, 1)], [dt.timedelta(1)], "and now holds durations"),
        (
            [dt.datetime(2020, 1, 1)],
            [dt.datetime(2020, 1, 1, tzinfo=dt.UTC)],
            "held times without a time zone in fit, and now holds times of a time zone",
        ),
    ],
)
def test_a_column_stays_what_it_was(fitted, later, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        encode(fit(fitted), later)


@pytest.mark.parametrize("fitted", [[1.5], ["a"], [True], [dt.date(2020, 1, 1)]])
@pytest.mark.parametrize("dtype", [object, "float64", "Int64", "str", "datetime64[ns]"])
def test_missing_is_missing_in_any_dtype(fitted, dtype):
    codes, unseen = encode(fit(fitted), [None, None], dtype)
    assert np.isnan(codes).all()
    assert unseen == []
    assert encode(fit(fitted), [], dtype) == ([], [])


NESTED = "argument must be .* string.* number"


@pytest.mark.parametrize(
    "value", [{"foo": "bar"}, [1], (1,), {1}, np.ones(2), object(), pd.Interval(0, 1)]
)
def test_nested_entries_are_named(value):
    for is_chosen in False, True:
        with pytest.raises(TypeError, match=NESTED) as caught:
            fit_column(mixed_with(value), NAME, is_chosen)
        assert f"Input X contains {value!r} in column 'a'" in str(caught.value)
    for fitted in [1.5], ["a"], [dt.date(2020, 1, 1)]:
        with pytest.raises(TypeError, match=NESTED):
            fit(fitted).encode(mixed_with(value), NAME)


def mixed_with(value):
    values = np.empty(3, dtype=object)
    values[0], values[2] = "a", value
    return pd.Series(values, dtype=object)


@pytest.mark.parametrize(
    ("values", "dtype", "message"),
    [
        ([1j], "complex", "Complex data not supported: input X contains"),
        ([1j, 1], object, "Complex data not supported: input X contains"),
        (["2020"], "period[D]", "contains Period('2020-01-01', 'D') in column 'a', of"),
        ([pd.Interval(0, 1)], "interval", "must be of numbers, times, truth values or"),
        ([None, np.nan], object, "contains nothing but missing values in column 'a'"),
        ([pd.NaT, None], "datetime64[ns]", "there is nothing to learn. Drop the colum"),
        ([], "float", "contains nothing but missing values in column 'a'"),
        ([dt.time(1), dt.timedelta(1)], object, "mixes times of a day, dates and dura"),
        (
            [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, tzinfo=dt.UTC)],
            object,
            "mixes times with and without a time zone in column 'a'",
        ),
    ],
)
def test_other_columns_cannot_be_modelled(values, dtype, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        fit(values, dtype)


def test_free_text_is_refused():
    texts = [f"remark {i}" for i in range(480)]
    rows = [*texts, *texts[:20]]
    message = (
        "Column 'a' of X has 480 different texts in 500 rows, such as 'remark 0'; text "
        "of more than 250 is no category but a name or a remark. Drop the column, or "
        "list it to have it all the same."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        fit(rows)
    assert fit(rows, is_chosen=True).n_levels == 480
    assert fit(rows, "category").n_levels == 480
    assert fit(texts[:30]).n_levels == 30
    with pytest.raises(ValueError, match=r"31 different texts in 31 rows"):
        fit([*texts[:31], None])
    assert fit(texts[:250] * 2).n_levels == 250
    assert fit(np.arange(480), "int64").n_levels == 0


@pytest.mark.parametrize("is_chosen", [False, True])
@pytest.mark.parametrize("value", [1.5, True, "a", dt.date(2020, 1, 1), dt.time(1)])
def test_a_constant_is_fine(value, is_chosen):
    column = fit([value, None, value], is_chosen=is_chosen)
    codes, _ = encode(column, [value])
    values, places = column.decode(np.array(codes))
    entry = column.entries(values if places is None else values[places])
    assert (type(entry[0]), entry[0]) == (type(value), value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        2**70,
        0.1,
        "a\0",
        b"a",
        Decimal("1.50"),
        (1, "a", (dt.date(2020, 1, 1),)),
        dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC),
        dt.time(1, 2, 3),
        dt.timedelta(1, 2, 3),
        pd.Timestamp("2020-01-01 12:00", tz="Europe/Berlin").as_unit("s"),
        pd.Timedelta(1, "ns"),
        pd.Interval(0, 1, closed="left"),
        pd.Interval(pd.Timestamp("2020"), pd.Timestamp("2021")),
        pd.Period("2020-01", "M"),
    ],
)
def test_values_survive_packing(value):
    values = np.empty(2, dtype=object)
    values[0], values[1] = value, "text"
    back = unpack(pack(values))
    assert (type(back[0]), back[0]) == (type(value), value)
    if isinstance(value, pd.Timestamp):
        assert (str(back[0].tz), back[0].unit) == (str(value.tz), value.unit)


def test_packing_refuses_what_no_file_holds():
    with pytest.raises(TypeError, match=r"X has a label <object .* Rename it"):
        pack(np.array([object()]))
