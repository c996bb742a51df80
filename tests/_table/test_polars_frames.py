"""DataFrames of polars: categories, and dtypes that hold not every value."""

import datetime as dt
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
import skops.io
from polars.testing import assert_frame_equal

from skvae._table.schema import Schema, fit_schema


def test_categories_of_an_enum_come_back_in_their_order_with_the_unused_ones():
    X = pl.DataFrame({"a": pl.Series(["l", "h"], dtype=pl.Enum(["h", "unused", "l"]))})
    arguments = fit_schema(X).arguments()
    schema = Schema(*skops.io.loads(skops.io.dumps(arguments), trusted=[]))
    codes = schema.to_codes(X)
    assert codes.tolist() == [[1], [0]]
    back = schema.to_table(codes)
    assert back.schema == X.schema
    assert_frame_equal(back, X)
    missing = pl.DataFrame({"a": pl.Series(["l", None], dtype=X.schema["a"])})
    filled = schema.fill(missing, codes)
    assert filled.schema == X.schema
    assert_frame_equal(filled, X)


def test_a_filled_category_that_X_lacks_makes_it_text():
    schema = fit_schema(pl.DataFrame({"a": ["x", "y", "z"]}))
    X = pl.DataFrame({"a": pl.Series(["x", None], dtype=pl.Enum(["x"]))})
    filled = schema.fill(X, np.array([[0.0], [1.0]]))
    assert filled.schema["a"] == pl.String
    assert filled["a"].to_list() == ["x", "y"]


def test_an_empty_column_is_filled_by_what_fit_saw():
    nothing = pl.DataFrame({"a": [None, None]})
    for fitted in ["x", "y"], [True, False], [1.5, 2]:
        schema = fit_schema(pl.DataFrame({"a": fitted}))
        codes = schema.to_codes(pl.DataFrame({"a": fitted}))
        assert schema.fill(nothing, codes)["a"].to_list() == list(fitted)


def test_values_are_rounded_and_clipped_to_what_the_dtype_holds():
    X = pl.DataFrame({"a": pl.Series([Decimal("0.29")], dtype=pl.Decimal(4, 2))})
    back = fit_schema(X).to_table(np.array([[0.294], [-1e9]]))
    assert back["a"].to_list() == [Decimal("0.29"), Decimal("-99.99")]
    X = pl.DataFrame({"a": pl.Series([dt.time(1), dt.time(2)])})
    back = fit_schema(X).to_table(np.array([[-100.0], [100.0]]))
    assert back["a"].to_list() == [dt.time(), dt.time.max]


LONG = [getattr(pl, name) for name in ("Int128", "UInt128") if hasattr(pl, name)]


@pytest.mark.parametrize("dtype", LONG)
def test_integers_of_128_bits_are_within_their_own_limits(dtype):
    """A float has 53 bits of them."""
    whole = [2**100, 3 * 2**99, 7]
    X = pl.DataFrame({"a": pl.Series(whole, dtype=dtype)})
    schema = fit_schema(X)
    back = schema.to_table(schema.to_codes(X))
    assert back.schema == X.schema
    assert back["a"].to_list() == whole
    least, most = schema.to_table(np.array([[-1e300], [1e300]]))["a"].to_list()
    assert (least, most) in ((-(2**127), 2**127 - 1), (0, 2**128 - 1))


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.String, pl.Enum(["", "\0", "a"])])
def test_texts_that_differ_by_a_zero_character_differ(dtype):
    X = pl.DataFrame({"c": pl.Series(["\0", "", None, "\0", "a"], dtype=dtype)})
    schema = fit_schema(X)
    codes = schema.to_codes(X)
    np.testing.assert_array_equal(codes[:, 0], [1, 0, np.nan, 1, 2])
    back = schema.to_table(np.nan_to_num(codes))["c"].to_list()
    assert back == ["\0", "", "", "\0", "a"]
