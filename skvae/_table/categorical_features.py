"""The parameter `categorical_features`: which columns the user calls categorical."""

from numbers import Integral

import numpy as np

from skvae._printable import quote
from skvae._table.values import shorten

RULE = (
    "must be 'from_dtype', None, or a list of columns' names, of their indices, or "
    "of a bool for each"
)


def find_categorical(categorical_features, labels, n_features):
    """Return whether the user calls each column categorical, a mask.

    Parameters
    ----------
    categorical_features : "from_dtype", None or array-like
        Names, indices or a mask of columns; the others are what their dtypes say.
    labels : list or None
        The names of the columns.
    n_features : int

    Returns
    -------
    ndarray of bool of shape (n_features,)
    """
    if categorical_features is None:
        return np.zeros(n_features, dtype=bool)
    if isinstance(categorical_features, str):
        if categorical_features == "from_dtype":
            return np.zeros(n_features, dtype=bool)
        raise ValueError(
            f"categorical_features={quote(categorical_features)} {RULE}. "
            "Put it in a list."
        )
    if not np.iterable(categorical_features) or isinstance(categorical_features, dict):
        raise TypeError(f"categorical_features={quote(categorical_features)} {RULE}.")
    given = list(categorical_features)
    if not given:
        return np.zeros(n_features, dtype=bool)
    if all(isinstance(one, bool | np.bool_) for one in given):
        return _from_mask(given, n_features)
    if all(isinstance(one, str) for one in given):
        return _from_names(given, labels)
    if all(isinstance(one, Integral) and not isinstance(one, bool) for one in given):
        return _from_indices(given, n_features)
    raise TypeError(f"categorical_features={quote(given)} {RULE}.")


def _from_mask(given, n_features):
    if len(given) != n_features:
        raise ValueError(
            f"categorical_features is a mask of {len(given)} columns, and X has "
            f"{n_features}. Give a bool for each, or names or indices."
        )
    return np.array(given, dtype=bool)


def _from_names(given, labels):
    if labels is None:
        raise ValueError(
            f"categorical_features={quote(given)} has names, and X, an array, has "
            "none. Give indices, or make X a DataFrame."
        )
    for name in given:
        if name not in labels:
            raise ValueError(
                f"categorical_features has {quote(name)}, which must be a column of X; "
                f"X has {shorten(labels, 10)}."
            )
    return np.array([label in given for label in labels], dtype=bool)


def _from_indices(given, n_features):
    for one in given:
        if not 0 <= one < n_features:
            raise ValueError(
                f"categorical_features has the index {one}, and X has {n_features} "
                f"columns: an index must be at least 0 and less than {n_features}."
            )
    chosen = np.zeros(n_features, dtype=bool)
    chosen[given] = True
    return chosen
