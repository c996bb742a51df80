"""Columns of levels: codes of the distinct values, in their order."""

import datetime as dt

import numpy as np
import pandas as pd

from skvae._table.kinds import NUMBERS, kind_of
from skvae._table.plain import pack, unpack
from skvae._table.times import read_times
from skvae._table.values import is_missing, objects


class CategoricalColumn:
    """Codes of the distinct values that fit saw, in their order.

    Parameters
    ----------
    levels : ndarray of shape (n_levels,), or list
        As `pack` returns them.
    """

    kinds = "boolean", "text", "category"

    def __init__(self, levels):
        self.levels = unpack(levels)
        self.n_levels = len(self.levels)

    @staticmethod
    def fit(observed, name):
        """Return the arguments of the column of these values."""
        levels = _factorize(observed)[1]
        if not isinstance(observed.dtype, pd.CategoricalDtype):
            levels = _sort(levels)
        return {"levels": pack(levels)}

    def encode(self, series, name):  # (n,) -> (n,), and the unseen values
        """Return codes; NaN where missing or unseen."""
        observed = ~is_missing(series)
        codes = np.full(len(series), np.nan)
        if not observed.any():
            return codes, []
        kind_of(series[observed], name)
        places, distinct = _factorize(series[observed])
        # As objects True is 1 and 1.0, which it is not to an Index of a dtype.
        distinct, levels = _hashable(distinct), _hashable(self.levels)
        code_of = levels.get_indexer(distinct)
        codes[observed] = np.where(code_of < 0, np.nan, code_of)[places]
        return codes, list(distinct[code_of < 0])

    def decode(self, codes):  # (n,) -> (n_levels,), (n,)
        """Return the levels, and where each row's stands."""
        return self.levels, np.round(codes).astype(np.intp)

    def entries(self, values):
        """Return the values as Python has them."""
        return objects(_hashable(values))


def _factorize(observed):
    """Return the index of each row's level, and the levels, categories in order."""
    if isinstance(observed.dtype, pd.CategoricalDtype):
        seen, codes = np.unique(observed.cat.codes, return_inverse=True)
        return codes, _plain(observed.cat.categories[seen].to_series())
    # Of a Series of objects, pandas 2 would make the levels datetime64 where it can.
    is_numpy = isinstance(observed.dtype, np.dtype)
    codes, levels = pd.factorize(observed.to_numpy() if is_numpy else observed.array)
    return codes, _plain(pd.Series(levels, dtype=levels.dtype))


def _plain(distinct):
    """Return values without missing ones as an array of numpy's."""
    dtype = distinct.dtype
    if dtype.kind in "mM":
        return read_times(distinct, "")[0]
    if dtype.kind in "iufb":
        return distinct.to_numpy(dtype=getattr(dtype, "numpy_dtype", dtype))
    return distinct.to_numpy(dtype=object)


def _sort(levels):
    if levels.dtype != object:
        return np.sort(levels)
    return objects(sorted(levels, key=_sort_key))


def _sort_key(value):
    """Compare what Python does not, by the names of the classes."""
    if isinstance(value, NUMBERS):
        return "number", value
    if isinstance(value, dt.datetime):
        return f"datetime {value.tzinfo is not None}", value
    return type(value).__name__, value


def _hashable(values):
    """Return an index of objects, of Timestamps for datetime64."""
    dtype = object if values.dtype == object else None  # else pandas 2 may find dates
    return pd.Index(pd.Series(values, dtype=dtype).astype(object), dtype=object)
