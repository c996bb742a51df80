"""The entries of a table: checks of them, and errors that name them."""

from numbers import Number

import numpy as np
import pandas as pd

# Squares and sums of squares of larger entries overflow.
LARGEST_VALUE = 1e100
LARGEST_STANDARDISED = 1e15


def check_entries(X, names, mean=None, scale=None, may_miss=False):
    """Raise a ValueError that names the first column with an unusable entry.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    names : sequence of str
        How to call the columns.
    mean, scale : ndarray of shape (n_features,), optional
        Of a fitted table: entries must be within 1e15 scales of the mean.
    may_miss : bool
        Whether entries may be missing, NaN; not all of a column to be fitted.
    """
    if X.size == 0:
        return
    limit = np.full(X.shape[1], LARGEST_VALUE)
    if mean is not None:
        limit = np.minimum(limit, np.abs(mean) + LARGEST_STANDARDISED * scale)
    low, high = X.min(axis=0), X.max(axis=0)  # NaN where a column has one
    if may_miss and np.isnan(low).any():
        missing = np.isnan(X)
        if mean is None and missing.all(axis=0).any():
            column = int(np.argmax(missing.all(axis=0)))
            raise ValueError(
                f"Input X contains nothing but missing values in {names[column]}: "
                "there is nothing to learn. Drop the column."
            )
        low = np.where(missing, np.inf, X).min(axis=0)
        high = np.where(missing, -np.inf, X).max(axis=0)
        empty = missing.all(axis=0)
        low[empty] = high[empty] = 0.0
    if np.all((low >= -limit) & (high <= limit)):
        return
    if not np.all(np.isfinite(low) & np.isfinite(high)):
        unusable = np.isinf(X) if may_miss else ~np.isfinite(X)
        column, row = np.argwhere(unusable.T)[0]
        what = "NaN" if np.isnan(X[row, column]) else "infinity"
        rule = "a finite number"
        if may_miss:
            rule += ", or NaN where it is missing"
        raise ValueError(
            f"Input X contains {what} in {names[column]} (row {row}); every entry must "
            f"be {rule}. Replace it or drop the row."
        )
    largest = np.where(-low > high, low, high).astype(np.float64)
    column = int(np.argmax(np.abs(largest) / limit))
    raise ValueError(
        f"Input X contains {largest[column]:.3g} in {names[column]}, a value too "
        f"large: entries there must be within {limit[column]:.3g}. Rescale the "
        "column or take its logarithm."
    )


def column_names(feature_names, n_features):
    """Return how errors call the columns: by name, or by position."""
    if feature_names is not None:
        return [f"column {name!r}" for name in feature_names]
    return [f"column {i}" for i in range(n_features)]


def explain_text(X, kind=ValueError):
    """Return an error that names X's first entry that is no number, or None.

    Parameters
    ----------
    X : array-like
        What the user passed, and did not convert to floats.
    kind : type
        The class of the error.
    """
    found = _first_without_number(X)
    if found is None:
        return None
    where, value = found
    if value is None or value is pd.NA or value is pd.NaT:
        rule = "every entry must be a finite number. Impute or drop it first, for "
        remedy = "example with sklearn.impute.SimpleImputer."
    else:
        rule = (
            "the X argument must be of numeric columns only for now, without strings "
            "or other objects that are no number. Encode it, for example "
        )
        remedy = "with sklearn.preprocessing.OneHotEncoder, or drop it."
    return kind(f"Input X contains {value!r} in {where}: {rule}{remedy}")


def _first_without_number(X):
    """Return where the first entry stands that no float can hold, and the entry."""
    entries = np.asarray(X, dtype=object)
    if entries.ndim != 2:
        return None
    names = column_names(getattr(X, "columns", None), entries.shape[1])
    for name, column in zip(names, entries.T, strict=True):
        for value in column:
            if not isinstance(value, Number) and not _is_numeral(value):
                return name, value
    return None


def _is_numeral(value):
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
