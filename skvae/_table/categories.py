"""Categorical columns: their values as codes of categories, and codes as values."""

import datetime as dt

import numpy as np
import pandas as pd

from skvae._table.kinds import NUMBERS, kind_of
from skvae._table.plain import pack, unpack
from skvae._table.times import AWARE, read_times
from skvae._table.values import is_missing, localize, objects


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
    is_aware : bool or None, default=None
        Whether categories that are datetime64 are in UTC, of times of a time zone. None
        if they are no times, and in artefacts that do not know it.
    """

    kinds = "boolean", "text", "category"

    def __init__(self, levels, ordered=False, is_aware=None):
        self.categories, self._ordered = unpack(levels), ordered
        self.is_aware = is_aware
        self.n_categories = len(self.categories)

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
        _, categories, is_aware = _factorize(observed)
        zone = {} if is_aware is None else {"is_aware": is_aware}
        if not isinstance(observed.dtype, pd.CategoricalDtype):
            return {"levels": pack(_sort(categories))} | zone
        ordered = {"ordered": True} if observed.dtype.ordered else {}
        return {"levels": pack(categories)} | ordered | zone

    def to_codes(self, series, name):  # (n,) -> (n,), list
        """Return codes, NaN where missing or not seen in fit, and the unseen values."""
        observed = ~is_missing(series)
        codes = np.full(len(series), np.nan)
        if not observed.any():
            return codes, []
        kind_of(series[observed], name)  # raises if it is no column at all
        indices, distinct, is_aware = _factorize(series[observed])
        if self.is_aware is None:
            is_aware = None
        # As objects True equals 1 and 1.0, which it does not in an Index of a dtype.
        distinct = _object_index(distinct, is_aware)
        categories = _object_index(self.categories, self.is_aware)
        code_of = categories.get_indexer(distinct)
        codes[observed] = np.where(code_of < 0, np.nan, code_of)[indices]
        return codes, list(distinct[code_of < 0])

    def from_codes(self, codes):  # (n,) -> (n_categories,), (n,)
        """Return the categories, and the index of each row's."""
        return self.categories, np.round(codes).astype(np.intp)

    def to_objects(self, values):
        """Return the values as an array of Python objects."""
        return objects(_object_index(values, self.is_aware))


def _factorize(observed):
    """Return the index of each row's value among the distinct ones, and these.

    Those of a categorical dtype are in its order. The third is whether they are
    datetime64 of times of a time zone, None if they are not datetime64.
    """
    if isinstance(observed.dtype, pd.CategoricalDtype):
        seen, codes = np.unique(observed.cat.codes, return_inverse=True)
        return codes, *_to_numpy(observed.cat.categories[seen].to_series())
    if (
        observed.dtype == object
    ):  # pandas 2 would take "\\0" for "", and infer datetimes
        index_of: dict = {}
        indices = [index_of.setdefault(v, len(index_of)) for v in observed.to_numpy()]
        return np.array(indices, dtype=np.intp), objects(list(index_of)), None
    is_numpy = isinstance(observed.dtype, np.dtype)
    codes, values = pd.factorize(observed.to_numpy() if is_numpy else observed.array)
    return codes, *_to_numpy(pd.Series(values, dtype=values.dtype))


def _to_numpy(distinct):
    """Return a Series as an array of a dtype of numpy, and whether it is aware."""
    dtype = distinct.dtype
    if dtype.kind in "mM":
        times, what = read_times(distinct, "")
        return times, what == AWARE if dtype.kind == "M" else None
    if dtype.kind in "iufb":
        return distinct.to_numpy(dtype=getattr(dtype, "numpy_dtype", dtype)), None
    return distinct.to_numpy(dtype=object), None


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


def _object_index(values, is_aware):
    """Return an Index of Python objects; datetime64 become Timestamps."""
    if values.dtype.kind == "M" and is_aware:
        return localize(values, "UTC").astype(object)
    dtype = (
        object if values.dtype == object else None
    )  # else pandas 2 may infer datetimes
    return pd.Index(pd.Series(values, dtype=dtype).astype(object), dtype=object)
