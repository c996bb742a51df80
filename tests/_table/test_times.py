"""Columns of times: exact ticks, clipped to what a column can hold."""

import datetime as dt
import re
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from skvae._table.times import TimeColumn

NAME = "column 'a'"


def fit(values, dtype=object):
    series = pd.Series(values, dtype=dtype)
    return TimeColumn(**TimeColumn.fit(series[series.notna()], NAME))


def encode(column, values, dtype=object):
    codes, unseen = column.to_codes(pd.Series(values, dtype=dtype), NAME)
    return codes.tolist(), unseen


ONE, DECADES = pd.Timedelta(1, "s"), pd.Timedelta(10_000, "D")


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


def test_times_outside_of_the_dtype_are_clipped():
    dates = fit([dt.date(2020, 1, 1)])
    days = dates.to_objects(dates.from_codes(np.array([-1e30, 0.4, 1.6, 1e30]))[0])
    first, last = days[0].year, days[-1].year
    assert days[1:3].tolist() == [dt.date(2020, 1, 1), dt.date(2020, 1, 3)]
    assert (first, last) == (1, 9999)
    stamps = fit(pd.DatetimeIndex(["2020-01-01 00:00:00.000000001"]), None)
    back = pd.DatetimeIndex(stamps.from_codes(np.array([-1e30, 1e30]))[0])
    assert back.year.tolist() == [1678, 2261]
    clocks = fit([dt.time(1), dt.time(2, 0, 0, 5)])
    back = clocks.to_objects(clocks.from_codes(np.array([-1e30, 1e30]))[0])
    assert back.tolist() == [dt.time(), dt.time.max]


@pytest.mark.parametrize("zone", ["-12:00", "+14:00"])
def test_clipped_times_are_years_that_python_has(zone):
    stamps = pd.Series(["2020-01-01 12:00"]).astype("M8[s]").dt.tz_localize(zone)
    column = fit(stamps, None)
    times, _ = column.from_codes(np.array([-1e30, 1e30]))
    first, last = column.to_objects(times)
    assert first.year == 1
    assert last.year in (9998, 9999)
    assert repr(first) != repr(last)  # the year 0 has none


def test_what_fit_saw_is_never_clipped():
    far = np.array(["-5000-01-01", "20000-06-01"], dtype="M8[s]")
    column = fit(far, None)
    back, _ = column.from_codes(column.to_codes(pd.Series(far), NAME)[0])
    np.testing.assert_array_equal(back, far)
    ends = np.array([-(2**63) + 1, 2**63 - 1])
    column = fit(ends.view("m8[ns]"), None)
    back, _ = column.from_codes(
        column.to_codes(pd.Series(ends.view("m8[ns]")), NAME)[0]
    )
    np.testing.assert_allclose(back.astype(np.float64), ends, rtol=1e-15)


def test_an_instant_is_the_same_in_any_unit_zone_and_type():
    stamp = pd.Timestamp("2020-07-01 12:00", tz="Europe/Berlin")
    column = fit(pd.DatetimeIndex([stamp, stamp + ONE]), None)
    for given in (
        pd.Series([stamp + ONE], dtype="datetime64[s, Asia/Tokyo]"),
        pd.Series([(stamp + ONE).to_pydatetime()], dtype=object),
        pd.Series([(stamp + ONE).tz_convert("UTC"), None], dtype=object),
        pd.Series([(stamp + ONE).to_pydatetime().astimezone(dt.UTC)], dtype=object),
    ):
        assert column.to_codes(given, NAME)[0][0] == 1
    finer = fit(pd.DatetimeIndex(np.array([7, 8]).view("M8[ns]")), None)
    for given in (
        pd.Series([1], dtype="M8[s]"),
        pd.Series([pd.Timestamp(1, unit="s")], dtype="category"),
    ):
        assert finer.to_codes(given, NAME)[0] == [10**9 - 7]
    naive = fit([dt.datetime(2020, 1, 1), pd.Timestamp("2020-01-02")])
    for given in ([dt.date(2020, 1, 3)], [np.datetime64("2020-01-03", "h")]):
        assert encode(naive, given)[0] == [2]


@pytest.mark.parametrize(
    ("fitted", "later", "message"),
    [
        ([dt.date(2020, 1, 1)], ["2020-01-01"], "contains '2020-01-01' in column 'a'"),
        ([dt.date(2020, 1, 1)], [1], "which held datetimes without a time zone in fit"),
        ([dt.date(2020, 1, 1)], [dt.timedelta(1)], "and now holds timedeltas"),
        (
            [dt.datetime(2020, 1, 1)],
            [dt.datetime(2020, 1, 1, tzinfo=dt.UTC)],
            "held datetimes without a time zone in fit, and now holds datetimes with a "
            "time zone",
        ),
    ],
)
def test_a_column_of_times_stays_what_it_was(fitted, later, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        encode(fit(fitted), later)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [dt.time(1), dt.timedelta(1)],
            "mixes times of day, datetimes and timedeltas in",
        ),
        (
            [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, tzinfo=dt.UTC)],
            "mixes datetimes with and without a time zone in column 'a'",
        ),
        (
            [dt.time(9, tzinfo=ZoneInfo("Asia/Tokyo")), dt.time(9, tzinfo=dt.UTC)],
            "mixes times of day of different time zones in column 'a'",
        ),
        (
            [dt.time(9, tzinfo=ZoneInfo("Asia/Tokyo")), dt.time(9)],
            "mixes times of day of different time zones in column 'a'",
        ),
    ],
)
def test_mixed_times_are_refused(values, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        fit(values)


@pytest.mark.parametrize("zone", [None, dt.UTC, ZoneInfo("Asia/Tokyo")])
def test_times_of_day_keep_their_zone(zone):
    times = [dt.time(9, tzinfo=zone), dt.time(17, 30, tzinfo=zone)]
    column = fit(times)
    codes, _ = column.to_codes(pd.Series(times, dtype=object), "column 'a'")
    back = column.to_objects(column.from_codes(codes)[0]).tolist()
    assert back == times
    assert [str(time.tzinfo) for time in back] == [str(zone)] * 2
