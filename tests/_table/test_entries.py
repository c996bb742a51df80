"""Errors that name the row and the column of an entry."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skvae._table.entries import (
    LARGEST_STANDARDISED,
    LARGEST_VALUE,
    check_entries,
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
    incomplete = X.copy()
    incomplete[2, 3] = incomplete[9, 1] = np.nan
    check_entries(incomplete, NAMES, may_miss=True)
    incomplete[5, 2] = -np.inf
    with pytest.raises(
        ValueError, match=r"infinity in .*'c' .*or NaN where it is miss"
    ):
        check_entries(incomplete, NAMES, may_miss=True)
    incomplete[5, 2] = 1e101
    with pytest.raises(ValueError, match=r"1e\+101 in column 'c'.*too large"):
        check_entries(incomplete, NAMES, may_miss=True)
    incomplete[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"nothing but missing values in column 'b'"):
        check_entries(incomplete, NAMES, may_miss=True)
    incomplete[5, 2] = 0
    check_entries(incomplete, NAMES, np.zeros(4), np.ones(4), may_miss=True)


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
