"""Numeric columns: codes are the values, which come back in their classes."""

import datetime as dt
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from skvae._table.numeric import NumericColumn

NAME = "column 'a'"


def fit(values, dtype=object):
    series = pd.Series(values, dtype=dtype)
    return NumericColumn(**NumericColumn.fit(series[series.notna()], NAME))


def encode(column, values, dtype=object):
    codes, unseen = column.to_codes(pd.Series(values, dtype=dtype), NAME)
    return codes.tolist(), unseen


def test_the_codes_are_the_values():
    column = fit([1, 2], "int8")
    given = [1.5, None, np.inf, True, Decimal("0.1")]
    codes, _ = column.to_codes(pd.Series(given), NAME)
    np.testing.assert_array_equal(codes, [1.5, np.nan, np.inf, 1, 0.1])
    assert column.n_categories == 0
    single, _ = column.to_codes(pd.Series([0.1], dtype="float32"), NAME)
    assert single.dtype == np.float32
    assert encode(column, [1, 3], "category")[0] == [1, 3]


def test_objects_come_back_in_the_class_of_all_of_them():
    ints, floats = fit([1, 2]), fit([1, 2.5])
    assert [type(v) for v in ints.to_objects(np.array([1.4, 2.6]))] == [int, int]
    assert [type(v) for v in floats.to_objects(np.array([1.0]))] == [float]
    cents = fit([Decimal("1"), Decimal("2.50")])
    assert [str(v) for v in cents.to_objects(np.array([1.005, 3]))] == ["1.00", "3.00"]


BEYOND = np.longdouble(1e300) ** 3  # is infinite where a long double is a double


TOO_LARGE = {
    "1.00e+400": 10**400,
    "-1.00e+100000": -(10**100_000),
    "3.33e+399": Fraction(10**400, 3),
    "1e+400": Decimal("1e400"),
    "-1e+99999999": Decimal("-1e99999999"),
    **({"1.00e+900": BEYOND} if np.isfinite(BEYOND) else {}),
}


@pytest.mark.parametrize("shown", TOO_LARGE)
def test_a_finite_number_that_no_float_holds_is_named(shown):
    large = TOO_LARGE[shown]
    message = f"contains {shown} in column 'a', a value too large: entries there must"
    with pytest.raises(ValueError, match=re.escape(message)):
        encode(fit([1.5]), [1.5, None, large])


def test_what_is_infinite_stays_so():
    infinite = [np.inf, -np.inf, Decimal("-Infinity"), np.longdouble("inf")]
    assert encode(fit([1.5]), infinite)[0] == [np.inf, -np.inf, -np.inf, np.inf]


def test_long_doubles_are_numbers_of_a_dtype():
    column = fit([1.5, -2.5], np.longdouble)
    codes, _ = column.to_codes(pd.Series([1.5, np.nan], dtype=np.longdouble), NAME)
    np.testing.assert_array_equal(codes, [1.5, np.nan])
    assert codes.dtype == np.float64


def test_decimals_have_no_more_digits_than_a_float():
    fitted = NumericColumn.fit(pd.Series([Decimal("1e-20000"), Decimal(1)]), NAME)
    assert fitted["decimals"] == 1074
    NumericColumn.rule(fitted, "column")


@pytest.mark.parametrize(
    ("later", "message"),
    [
        (["a"], "contains 'a' in column 'a', which held numbers in fit and must hold"),
        ([2, "3.5"], "contains '3.5' in column 'a', which held numbers"),
        ([dt.date(2020, 1, 1)], "which held numbers in fit"),
    ],
)
def test_a_numeric_column_stays_numeric(later, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        encode(fit([1.5]), later)
