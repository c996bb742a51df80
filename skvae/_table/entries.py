"""Checks of the entries of a matrix, with errors that name the column and the row."""

import numpy as np

# The squares of larger entries, and their sums, overflow.
LARGEST_VALUE = 1e100
LARGEST_STANDARDISED = 1e15


def check_entries(X, names, mean=None, scale=None, may_miss=False):
    """Raise a ValueError if an entry is not finite, or too large.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    names : sequence of str
        What errors call the columns.
    mean, scale : ndarray of shape (n_features,), optional
        Of the table in fit: entries must be within 1e15 scales of the mean.
    may_miss : bool
        Whether entries may be NaN, which is missing; in fit not all of a column.
    """
    if X.size == 0:
        return
    limit = np.full(X.shape[1], LARGEST_VALUE)
    if mean is not None:
        limit = np.minimum(limit, np.abs(mean) + LARGEST_STANDARDISED * scale)
    low, high = X.min(axis=0), X.max(axis=0)  # NaN where a column has one
    if may_miss and np.isnan(low).any():
        if mean is None:
            _check_some_observed(X, names)
        low, high = _observed_range(X)
    if np.all((low >= -limit) & (high <= limit)):
        return
    if not np.all(np.isfinite(low) & np.isfinite(high)):
        raise _not_finite(X, names, may_miss)
    largest = np.where(-low > high, low, high).astype(np.float64)
    column = int(np.argmax(np.abs(largest) / limit))
    raise too_large(f"{largest[column]:.3g}", names[column], limit[column])


def too_large(value, name, limit=LARGEST_VALUE):
    """Return the error for a value, as text, of a column that is beyond a limit."""
    return ValueError(
        f"Input X contains {value} in {name}, a value too large: entries there must be "
        f"within {limit:.3g}. Rescale the column or take its logarithm."
    )


def _check_some_observed(X, names):
    """Raise a ValueError if a column has nothing but missing values."""
    is_empty = np.isnan(X).all(axis=0)
    if is_empty.any():
        raise ValueError(
            "Input X contains nothing but missing values in "
            f"{names[int(np.argmax(is_empty))]}: there is nothing to learn. Drop the "
            "column."
        )


def _observed_range(X):
    """Return the least and greatest entry of each column, 0 where all are missing."""
    missing = np.isnan(X)
    low = np.where(missing, np.inf, X).min(axis=0)
    high = np.where(missing, -np.inf, X).max(axis=0)
    is_empty = missing.all(axis=0)
    low[is_empty] = high[is_empty] = 0.0
    return low, high


def _not_finite(X, names, may_miss):
    """Return the error for the first entry that is infinite, or NaN if none may be."""
    unusable = np.isinf(X) if may_miss else ~np.isfinite(X)
    column, row = np.argwhere(unusable.T)[0]
    what = "NaN" if np.isnan(X[row, column]) else "infinity"
    rule = "a finite number"
    if may_miss:
        rule += ", or NaN where it is missing"
    return ValueError(
        f"Input X contains {what} in {names[column]} (row {row}); every entry must "
        f"be {rule}. Replace it or drop the row."
    )
