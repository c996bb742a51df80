"""Categorical columns: their values as codes of categories, and codes as values."""

import datetime as dt

import numpy as np
import pandas as pd

from skvae._rules import Optional, flag, record
from skvae._table.kinds import NUMBERS, kind_of
from skvae._table.plain import labels, pack, unpack
from skvae._table.times import read_times
from skvae._table.values import is_missing, objects, shorten


class CategoricalColumn:
    """A categorical column, whose codes are the indices of the categories.

    The categories are the distinct values in fit: those of a categorical dtype in its
    order, others sorted.

    Parameters
    ----------
    levels : ndarray of shape (n_categories,), or list
        The categories as `pack` returns them. Artefacts have them by this name.
    ordered : bool, default=False
        Whether their order means something.
    """

    kinds = "boolean", "text", "category"
    rule = record({"levels": labels, "ordered": Optional(flag)})

    def __init__(self, levels, ordered=False):
        self.categories, self._ordered = unpack(levels), ordered
        self.n_categories = len(self.categories)
        # As objects True equals 1 and 1.0, which it does not in an Index of a dtype.
        self._index = _object_index(self.categories)
        if not self._index.is_unique:
            raise ValueError(f"equal categories: {shorten(list(self._index), 10)}")

    @property
    def likelihood(self):
        """The kind of likelihood, a key of `KINDS` in `_likelihoods/mixed.py`."""
        if self.n_categories == 2:
            return "bernoulli"
        is_ordinal = self._ordered and self.n_categories > 2
        return "ordinal" if is_ordinal else "categorical"

    @staticmethod
    def fit(observed, name):
        """Return the arguments of the class for a column with these values."""
        _, categories = _factorize(observed)
        if not isinstance(observed.dtype, pd.CategoricalDtype):
            return {"levels": pack(_sort(categories))}
        ordered = {"ordered": True} if observed.dtype.ordered else {}
        return {"levels": pack(categories)} | ordered

    def to_codes(self, series, name):  # (n,) -> (n,), list
        """Return codes, NaN where missing or not seen in fit, and the unseen values."""
        observed = ~is_missing(series)
        codes = np.full(len(series), np.nan)
        if not observed.any():
            return codes, []
        kind_of(series[observed], name)  # raises if it is no column at all
        indices, distinct = _factorize(series[observed])
        distinct = _object_index(distinct)
        code_of = self._index.get_indexer(distinct)
        codes[observed] = np.where(code_of < 0, np.nan, code_of)[indices]
        return codes, list(distinct[code_of < 0])

    def from_codes(self, codes):  # (n,) -> (n_categories,), (n,)
        """Return the categories, and the index of each row's."""
        return self.categories, np.round(codes).astype(np.intp)

    def to_objects(self, values):
        """Return the values as an array of Python objects."""
        return objects(_object_index(values))


def _factorize(observed):
    """Return the index of each row's value among the distinct ones, and these.

    Those of a categorical dtype are in its order.
    """
    if isinstance(observed.dtype, pd.CategoricalDtype):
        seen, codes = np.unique(observed.cat.codes, return_inverse=True)
        return codes, _to_numpy(observed.cat.categories[seen].to_series())
    # From a Series of objects, pandas 2 would make datetime64 of the values if it can.
    is_numpy = isinstance(observed.dtype, np.dtype)
    codes, values = pd.factorize(observed.to_numpy() if is_numpy else observed.array)
    return codes, _to_numpy(pd.Series(values, dtype=values.dtype))


def _to_numpy(distinct):
    """Return a Series without missing values as an array of a dtype of numpy."""
    dtype = distinct.dtype
    if dtype.kind in "mM":
        return read_times(distinct, "")[0]
    if dtype.kind in "iufb":
        return distinct.to_numpy(dtype=getattr(dtype, "numpy_dtype", dtype))
    return distinct.to_numpy(dtype=object)


def _sort(categories):
    if categories.dtype != object:
        return np.sort(categories)
    return objects(sorted(categories, key=_sort_key))


def _sort_key(value):
    """Return a key that also compares values of different classes, by class name."""
    if isinstance(value, NUMBERS):
        return "number", value
    if isinstance(value, dt.datetime):
        return f"datetime {value.tzinfo is not None}", value
    return type(value).__name__, value


def _object_index(values):
    """Return an Index of Python objects; datetime64 become Timestamps."""
    if values.dtype != object:  # of objects pandas 2 might infer datetimes
        values = pd.Series(values).astype(object)
    return pd.Index(values, dtype=object)
