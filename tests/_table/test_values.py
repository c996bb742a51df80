"""Values cast to a dtype, and where they are missing."""

import datetime as dt
import warnings
import zoneinfo
from decimal import localcontext

import numpy as np
import pandas as pd
import pytest

from skvae._table.values import cast, float_within, is_missing, to_decimals, zone_name


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1.5, None], float),
        ([1.5, None], "Float64"),
        ([1, None], "Int8"),
        ([1, None], "int64[pyarrow]"),
        (["a", None], "str"),
        (["a", None], "category"),
        ([True, None], "boolean"),
        ([True, pd.NA], object),
        (["a", np.nan], object),
        (["2020", pd.NaT], "datetime64[s]"),
    ],
)
def test_missing_values_are_found_in_any_dtype(values, dtype):
    assert is_missing(pd.Series(values, dtype=dtype)).tolist() == [False, True]


def test_NaN_is_missing_in_a_nullable_dtype():
    zero = pd.Series([0.0, 1.0, None], dtype="Float64")
    assert is_missing(zero / zero).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("values", "dtype", "back"),
    [
        ([-1.0, 1.4, 1.6, 999], "uint8", [0, 1, 2, 255]),
        ([-1e30, 1e30], "int64", [-(2**63), 2**63 - 1]),
        ([1e30], "uint64", [2**64 - 1]),
        ([1e300], "float32", [float(np.finfo("f4").max)]),
        ([1e9, -1e9], "float16", [65504, -65504]),
        ([1e300, -1e300, 0.1], np.longdouble, [1e300, -1e300, 0.1]),
    ],
)
def test_numbers_are_rounded_and_clipped_to_the_dtype(values, dtype, back):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cast(np.array(values), np.dtype(dtype)).tolist() == back


@pytest.mark.parametrize("limit", [2**63 - 1, -(2**63) + 1, 2**64 - 1, 10, -10, 0])
def test_a_float_within_a_limit_is_the_nearest(limit):
    within = float_within(limit)
    assert abs(int(within)) <= abs(limit)
    further = np.nextafter(within, np.inf * (limit or 1))
    assert abs(int(further)) > abs(limit) or int(further) == limit


@pytest.mark.parametrize("precision", [28, 29, 38, 76])
def test_decimals_are_within_the_dtype_whatever_its_precision(precision):
    """And whatever the precision of the caller's arithmetic."""
    with localcontext(prec=3):
        low, high = to_decimals(np.array([-1e300, 1e300]), precision, 2)
    nines = "9" * (precision - 2) + ".99"
    assert (str(low), str(high)) == (f"-{nines}", nines)


def test_decimals_have_the_digits_of_the_dtype():
    values = to_decimals(np.array([0.294, 1e9, -1e9]), precision=4, scale=2)
    assert list(map(str, values)) == ["0.29", "99.99", "-99.99"]


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        (None, None),
        (dt.UTC, "UTC"),
        (zoneinfo.ZoneInfo("Europe/Berlin"), "Europe/Berlin"),
        (dt.timezone(dt.timedelta(hours=2), "summer"), "UTC+02:00"),
    ],
)
def test_zones_have_names_that_pandas_knows(zone, name):
    assert zone_name(zone) == name
