"""Dtypes and values of tables as plain data, through files that hold nothing else."""

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import skops.io

from skvae._table.plain import (
    dump_dtype,
    load_dtype,
    localize,
    objects,
    pack,
    unpack,
    zone_name,
)


def through_a_file(plain):
    """Write and read what skops takes for plain without being told to trust it."""
    return skops.io.loads(skops.io.dumps(plain), trusted=[])


def text_dtype(storage, na_value):
    try:
        return pd.StringDtype(storage, na_value=na_value)
    except TypeError:  # pandas 2.2 has no choice of na_value
        return pd.StringDtype(storage)


DTYPES = [
    np.dtype("float32"),
    np.dtype(">i2"),
    np.dtype("bool"),
    np.dtype("O"),
    np.dtype("M8[s]"),
    np.dtype("m8[ns]"),
    pd.Int16Dtype(),
    pd.Float32Dtype(),
    pd.BooleanDtype(),
    text_dtype("python", pd.NA),
    text_dtype("pyarrow", pd.NA),
    text_dtype("python", np.nan),
    text_dtype("pyarrow", np.nan),
    pd.DatetimeTZDtype("ms", "America/St_Johns"),
    pd.DatetimeTZDtype("ns", dt.timezone(dt.timedelta(hours=-3, minutes=-30))),
    pd.CategoricalDtype(["b", "a\0", "unused"]),
    pd.CategoricalDtype(["high", "low"], ordered=True),
    pd.CategoricalDtype([3, 1]),
    pd.CategoricalDtype(pd.interval_range(0, 3)),
    pd.CategoricalDtype(pd.date_range("2020", periods=2, tz="Asia/Tokyo")),
    pd.CategoricalDtype([1, "a", dt.date(2020, 1, 1)]),
    pd.ArrowDtype(pa.timestamp("us", "Europe/Berlin")),
    pd.ArrowDtype(pa.decimal128(6, 2)),
    pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string())),
    pl.Int8(),
    pl.Float32(),
    pl.String(),
    pl.Boolean(),
    pl.Date(),
    pl.Time(),
    pl.Categorical(),
    pl.Enum(["b", "a\0", "unused"]),
    pl.Datetime("ms"),
    pl.Datetime("ns", "Europe/Berlin"),
    pl.Duration("us"),
    pl.Decimal(10, 2),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=repr)
def test_dtypes_survive_a_file(dtype):
    back = load_dtype(through_a_file(dump_dtype(dtype)))
    assert type(back) is type(dtype)
    assert back == dtype
    assert repr(back) == repr(dtype)  # a category's equality ignores the order
    if isinstance(dtype, pd.StringDtype):  # whose equality may ignore what is missing
        assert back.storage == dtype.storage
        assert (back.na_value is pd.NA) == (dtype.na_value is pd.NA)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1.5, np.nan], "float64"),
        ([True, False], "bool"),
        (["a", "ä€"], object),
        (["a\0", ""], object),
        (["a", None, 2, 2.5, b"x", True], object),
        ([("a", 1), dt.date(2020, 1, 1)], object),
        ([], object),
    ],
)
def test_values_survive_a_file(values, dtype):
    given = objects(values) if dtype is object else np.array(values, dtype)
    back = unpack(through_a_file(pack(given)))
    assert back.dtype == given.dtype
    assert [type(value) for value in back] == [type(value) for value in given]
    np.testing.assert_array_equal(back, given)


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
        dt.datetime(2020, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")),
        dt.datetime(2020, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
        dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-3.5))),
        dt.time(1, 2, 3),
        dt.time(1, 2, 3, tzinfo=ZoneInfo("Europe/Berlin")),
        dt.time(1, 2, 3, tzinfo=dt.timezone(dt.timedelta(hours=2))),
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
    if isinstance(value, dt.datetime | dt.time):
        assert back[0].tzinfo == value.tzinfo or isinstance(value, pd.Timestamp)
        assert back[0].utcoffset() == value.utcoffset()
    if isinstance(value, pd.Timestamp):
        assert (str(back[0].tz), back[0].unit) == (str(value.tz), value.unit)


def test_times_of_files_without_a_zone_have_their_offset():
    found = unpack([["datetime", "2020-01-01T12:00:00+01:00"], ["time", "01:00:00"]])
    offset = dt.timezone(dt.timedelta(hours=1))
    assert found.tolist() == [dt.datetime(2020, 1, 1, 12, tzinfo=offset), dt.time(1)]


def test_packing_refuses_what_no_file_holds():
    with pytest.raises(TypeError, match=r"X has a label <object .* Rename it"):
        pack(np.array([object()]))


ZONES = [
    ZoneInfo("Europe/Berlin"),
    ZoneInfo("America/St_Johns"),
    dt.UTC,
    dt.timezone(dt.timedelta(hours=5, minutes=30)),
    dt.timezone(-dt.timedelta(hours=3, minutes=30)),
    dt.timezone(dt.timedelta(hours=2), "without a name"),
]


@pytest.mark.parametrize("zone", ZONES, ids=repr)
@pytest.mark.parametrize("day", ["2020-01-01", "2020-07-01"])
def test_pandas_knows_a_zones_name_and_has_its_offsets(zone, day):
    noon = pd.Timestamp(day, tz=zone)
    named = noon.tz_convert(zone_name(zone))
    assert named.utcoffset() == noon.utcoffset()


@pytest.mark.parametrize("zone", [None, "Europe/Berlin", "UTC", "UTC-03:30"])
def test_localised_times_are_the_instants_in_utc(zone):
    instants = np.array(["2020-03-29T00:59:59", "2020-03-29T01:00:00"], "M8[s]")
    found = localize(instants, zone)
    expected = [
        pd.Timestamp(t) if zone is None else pd.Timestamp(t, tz="UTC").tz_convert(zone)
        for t in instants
    ]
    assert list(found) == expected
    assert [t.isoformat() for t in found] == [t.isoformat() for t in expected]
    lengths = localize(instants - instants[0], zone)
    assert list(lengths) == [pd.Timedelta(0), pd.Timedelta(1, "s")]


@pytest.mark.parametrize("values", [[[1, 2], [3, 4]], [(1,), (2,)], ["a", 1], []])
def test_objects_are_never_taken_for_rows(values):
    array = objects(values)
    assert array.shape == (len(values),)
    assert array.dtype == object
    assert list(array) == values
