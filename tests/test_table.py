"""Errors that name the row and the column of an entry."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skvae._table import (
    LARGEST_STANDARDISED,
    LARGEST_VALUE,
    check_entries,
    column_names,
    explain_text,
)

# Long columns of unlike centres and spreads, the last constant.
X = np.random.RandomState(0).normal(size=(300, 4)) * [1, 50, 1e-3, 0] + [0, 3, 1e3, 7]

quickly = settings(max_examples=50, deadline=None)


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
        "every entry must be a finite number. Replace it or drop the row."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        check_entries(bad, NAMES)


def test_entries_may_be_missing_where_that_is_allowed():
    holed = X.copy()
    holed[2, 3] = holed[9, 1] = np.nan
    check_entries(holed, NAMES, may_miss=True)
    holed[5, 2] = -np.inf
    with pytest.raises(
        ValueError, match=r"infinity in .*'c' .*or NaN where it is miss"
    ):
        check_entries(holed, NAMES, may_miss=True)
    holed[5, 2] = 1e101
    with pytest.raises(ValueError, match=r"1e\+101 in column 'c'.*too large"):
        check_entries(holed, NAMES, may_miss=True)
    holed[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"nothing but missing values in column 'b'"):
        check_entries(holed, NAMES, may_miss=True)
    holed[5, 2] = 0
    check_entries(holed, NAMES, np.zeros(4), np.ones(4), may_miss=True)


def test_of_several_the_first_column_is_named():
    bad = X.copy()
    bad[2, 3] = bad[9, 1] = bad[5, 1] = np.nan
    with pytest.raises(ValueError, match=r"column 'b' \(row 5\)"):
        check_entries(bad, NAMES)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("fitted", [False, True])
def test_entries_may_be_as_large_as_the_limit_and_no_larger(fitted, sign):
    mean, scale = X.mean(axis=0), X.std(axis=0)
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
