"""Scaling there and back, and errors that name the row and the column."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from skvae import _table
from skvae._table import (
    LARGEST_STANDARDISED,
    LARGEST_VALUE,
    SCALINGS,
    check_entries,
    column_names,
    explain_text,
    fit_scaling,
    standardise,
)

# Long columns of unlike centres and spreads, the last constant.
X = np.random.RandomState(0).normal(size=(300, 4)) * [1, 50, 1e-3, 0] + [0, 3, 1e3, 7]

tables = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6),
    elements=st.floats(-1e9, 1e9, width=32),
)
each_scaling = pytest.mark.parametrize("scaling", SCALINGS)
quickly = settings(max_examples=50, deadline=None)


def both_ways(X, scaling):
    mean, scale = fit_scaling(X, scaling)
    x = standardise(X, mean, scale, np.float64)
    return x, x * scale + mean


# ---------------------------------------------------------------------------- scaling


def test_standard_is_the_scaler_of_scikit_learn():
    scaler = StandardScaler().fit(X)
    mean, scale = fit_scaling(X, "standard")
    np.testing.assert_allclose(mean, scaler.mean_)
    np.testing.assert_allclose(scale, scaler.scale_)
    x = standardise(X, mean, scale, np.float64)
    np.testing.assert_allclose(x, scaler.transform(X), atol=1e-12)


def test_none_divides_all_columns_by_the_root_of_their_mean_variance():
    mean, scale = fit_scaling(X, None)
    np.testing.assert_allclose(mean, X.mean(axis=0))
    np.testing.assert_allclose(scale, np.sqrt(X.var(axis=0).mean()))
    x = standardise(X, mean, scale, np.float64)
    assert x.var(axis=0).sum() == pytest.approx(4)
    np.testing.assert_allclose(np.cov(x.T) * scale[0] ** 2, np.cov(X.T), atol=1e-9)


@given(tables, st.sampled_from(list(SCALINGS)))
@quickly
def test_scaling_goes_there_and_back(X, scaling):
    x, back = both_ways(X, scaling)
    size = np.abs(X).max(axis=0)
    np.testing.assert_allclose(back, X, rtol=0, atol=1e-12 * size.max())
    assert np.isfinite(x).all()


@given(tables, st.sampled_from(list(SCALINGS)), st.integers(-20, 20))
@quickly
def test_the_unit_of_the_table_does_not_show(X, scaling, power):
    # By powers of two no digit changes.
    x, _ = both_ways(X, scaling)
    in_other_unit, _ = both_ways(X * 2.0**power, scaling)
    np.testing.assert_allclose(in_other_unit, x, rtol=1e-9, atol=1e-9)


@each_scaling
@pytest.mark.parametrize("value", [0.0, 0.1, -7e5, 1e90])
def test_constant_columns_become_zeros(scaling, value):
    constant = np.full((50, 3), value)
    x, back = both_ways(constant, scaling)
    np.testing.assert_allclose(x, 0, atol=1e-12 * abs(value))
    np.testing.assert_array_equal(back, constant)


@each_scaling
def test_float32_rows_are_scaled_in_float64(scaling):
    far = (X + 1e4).astype(np.float32)
    wide = far.astype(np.float64)
    mean, scale = fit_scaling(far, scaling)
    assert mean.dtype == scale.dtype == np.float64
    for found, expected in zip((mean, scale), fit_scaling(wide, scaling), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(
        standardise(far, mean, scale, np.float32),
        ((wide - mean) / scale).astype(np.float32),
    )


def test_rows_are_standardised_in_chunks_without_writing_to_them(monkeypatch):
    monkeypatch.setattr(_table, "CHUNK_ROWS", 7)
    rows = X.copy()
    rows.flags.writeable = False
    mean, scale = fit_scaling(rows, "standard")
    for given_rows in (rows, rows[:14], rows[:1], rows[::-1], np.asfortranarray(rows)):
        x = standardise(given_rows, mean, scale, np.float64)
        np.testing.assert_array_equal(x, (given_rows - mean) / scale)
        assert x.flags.writeable
        assert x.flags.c_contiguous
    assert standardise(rows, mean, scale, np.float32).dtype == np.float32
    order = np.random.default_rng(0).permutation(len(rows))
    x = standardise(rows, mean, scale, np.float64, order)
    np.testing.assert_array_equal(x, (rows[order] - mean) / scale)


def test_scaling_does_not_depend_on_how_many_rows_are_read_at_a_time(monkeypatch):
    whole = [fit_scaling(X, scaling) for scaling in SCALINGS]
    monkeypatch.setattr(_table, "SCALER_ROWS", 7)
    parts = [fit_scaling(X, scaling) for scaling in SCALINGS]
    np.testing.assert_allclose(parts, whole, rtol=1e-9)


# --------------------------------------------------------------------------- entries

NAMES = ["column 'a'", "column 'b'", "column 'c'", "column 'd'"]


@given(
    row=st.integers(0, 299),
    column=st.integers(0, 3),
    value=st.sampled_from([np.nan, np.inf, -np.inf]),
    dtype=st.sampled_from([np.float64, np.float32]),
)
@quickly
def test_an_entry_that_is_not_finite_is_named(row, column, value, dtype):
    bad = X.astype(dtype)
    bad[row, column] = value
    what = "NaN" if np.isnan(value) else "infinity"
    message = (
        f"Input X contains {what} in {NAMES[column]} (row {row}); "
        "every entry must be a finite number. Impute or drop it first"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        check_entries(bad, NAMES)


def test_of_several_the_first_column_is_named():
    bad = X.copy()
    bad[2, 3] = bad[9, 1] = bad[5, 1] = np.nan
    with pytest.raises(ValueError, match=r"column 'b' \(row 5\)"):
        check_entries(bad, NAMES)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("fitted", [False, True])
def test_entries_may_be_as_large_as_the_limit_and_no_larger(fitted, sign):
    mean, scale = fit_scaling(X, "standard")
    limit = abs(mean[1]) + LARGEST_STANDARDISED * scale[1] if fitted else LARGEST_VALUE
    known = {"mean": mean, "scale": scale} if fitted else {}
    rows = X.copy()
    rows[5, 1] = sign * limit
    check_entries(rows, NAMES, **known)
    rows[5, 1] *= 1.01
    message = f"in column 'b', a value too large: .* within {limit:.3g}. Rescale"
    with pytest.raises(ValueError, match=re.escape(message).replace(r"\.\*", ".*")):
        check_entries(rows, NAMES, **known)


def test_the_offending_value_is_the_one_told():
    rows = X.copy()
    rows[5, 1] = -1e300
    with pytest.raises(ValueError, match=r"contains -1e\+300 in column 'b'"):
        check_entries(rows, NAMES)


def test_the_largest_entries_stay_finite_through_the_scaling():
    rows = X.copy()
    rows[:2, 1] = LARGEST_VALUE, -LARGEST_VALUE
    check_entries(rows, NAMES)
    x, _ = both_ways(rows, "standard")
    assert np.isfinite(x.astype(np.float32)).all()


@pytest.mark.parametrize("shape", [(0, 4), (1, 4), (9, 4)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_good_entries_pass(shape, dtype):
    check_entries(np.ones(shape, dtype), NAMES)


def test_column_names_are_names_or_positions():
    assert column_names(None, 2) == ["column 0", "column 1"]
    assert column_names(np.array(["a", "b c"], object), 2) == [
        "column 'a'",
        "column 'b c'",
    ]


# ------------------------------------------------------------------------------- text


MIXED = {"a": [1.0, 2.0], "b": ["1", "x"]}
TEXT = {
    "pandas": (pd.DataFrame(MIXED), "'x' in column 'b'"),
    "polars": (pl.DataFrame(MIXED), "'x' in column 'b'"),
    "objects": (np.array([[1, "x"], [2, "y"]], object), "'x' in column 1"),
    "lists": ([["1", "x"], ["2", "y"]], "'x' in column 1"),
    "no numbers from the start": ([["", "x"]], "'' in column 0"),
    "a dict": (np.array([[1, {}]], object), "{} in column 1"),
    "columns that are numbers": (pd.DataFrame([[1, "x"]]), "'x' in column 1"),
}


@pytest.mark.parametrize(("X", "where"), TEXT.values(), ids=TEXT)
def test_text_is_named_with_its_column(X, where):
    error = explain_text(X)
    assert type(error) is ValueError
    assert f"Input X contains {where}: " in str(error)
    assert "numeric columns only for now" in str(error)
    assert "OneHotEncoder" in str(error)


@pytest.mark.parametrize("missing", [None, pd.NA, pd.NaT])
def test_a_missing_object_is_to_be_imputed_and_not_encoded(missing):
    error = explain_text(pd.DataFrame({"a": [1, 2], "b": [missing, 2]}, dtype=object))
    assert f"Input X contains {missing!r} in column 'b': " in str(error)
    assert "Impute or drop" in str(error)
    assert "OneHotEncoder" not in str(error)


FREE_OF_TEXT = {
    "numbers": X,
    "complex numbers": X.astype(complex),
    "objects that are numbers": X[:3].astype(object),
    "numerals": [["1", "2"], ["3", "4e5"]],
    "one dimension": ["x", "y"],
    "a sparse matrix": sparse.csr_matrix((9, 4)),
}


@pytest.mark.parametrize("X", FREE_OF_TEXT.values(), ids=FREE_OF_TEXT)
def test_tables_without_text_are_wrong_for_another_reason(X):
    assert explain_text(X) is None
