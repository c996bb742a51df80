"""Categorical columns: their values as codes of categories, and codes as values."""

import datetime as dt

import numpy as np
import pandas as pd

from skvae._rules import Optional, array, both, flag, maybe, record, require
from skvae._table.groupings import Grouping, find_groups
from skvae._table.kinds import NUMBERS, kind_of
from skvae._table.plain import ZONE, labels, pack, unpack
from skvae._table.times import AWARE, read_times
from skvae._table.values import is_missing, localize, objects, shorten, zone_of


def _groups_fit(value, path):
    """Check that each category has a group and a count, and each group a category."""
    groups, counts = (value.get(key, np.zeros(0, int)) for key in ("groups", "counts"))
    require(len(groups) == len(counts), f"{path}.counts", f"of {len(groups)}", counts)
    if "groups" not in value:
        return
    rule = f"the group of each of {len(value['levels'])} categories, numbered from 0"
    fits = len(groups) == len(value["levels"]) and groups.max(initial=0) < len(groups)
    fits = fits and bool(np.bincount(groups).all())
    if value.get("ordered"):
        fits = fits and bool((np.diff(groups) >= 0).all())
    require(fits, f"{path}.groups", rule, groups)


class CategoricalColumn:
    """A categorical column, whose codes are the indices of the categories.

    The categories are the distinct values in fit: those of a categorical dtype in its
    order, others sorted. Where there are many they are grouped, see `groupings.py`.

    Parameters
    ----------
    levels : ndarray of shape (n_categories,), or list
        The categories as `pack` returns them. Artefacts have them by this name.
    ordered : bool, default=False
        Whether their order means something.
    groups, counts : ndarray of shape (n_categories,), default=()
        Of a `Grouping`; without them each category is a group of its own, as in older
        artefacts.
    is_aware : bool or None, default=None
        Whether categories that are datetime64 are in UTC, of times of a time zone. None
        if they are no times, and in artefacts that do not know it.
    zone : str, default="UTC"
        The time zone of these.
    """

    kinds = "boolean", "text", "category"
    rule = both(
        record(
            {
                "levels": labels,
                "ordered": Optional(flag),
                "is_aware": Optional(maybe(flag)),
                "zone": Optional(ZONE),
                "groups": Optional(array("int32 int64", (None,), low=0)),
                "counts": Optional(array("int32 int64", (None,), low=1)),
            }
        ),
        _groups_fit,
    )

    def __init__(
        self,
        levels,
        ordered=False,
        groups=(),
        counts=(),
        is_aware=None,
        zone="UTC",
    ):
        self.categories, self._ordered = unpack(levels), ordered
        self.is_aware, self.zone = is_aware, zone if is_aware else None
        self.n_categories = len(self.categories)
        if len(groups):
            self.grouping = Grouping(groups, counts, takes_unseen=not ordered)
        else:
            self.grouping = Grouping.alone(self.n_categories)
        # As objects True equals 1 and 1.0, which it does not in an Index of a dtype.
        self._index = _object_index(self.categories, self.zone)
        if not self._index.is_unique:
            raise ValueError(f"equal categories: {shorten(list(self._index), 10)}")

    @property
    def likelihood(self):
        """The kind of likelihood, a key of `KINDS` in `_likelihoods/mixed.py`."""
        if self.grouping.n_groups == 2:
            return "bernoulli"
        is_ordinal = self._ordered and self.grouping.n_groups > 2
        return "ordinal" if is_ordinal else "categorical"

    @staticmethod
    def fit(observed, name):
        """Return the arguments of the class for a column with these values."""
        indices, categories, is_aware = _factorize(observed)
        counts = np.bincount(indices, minlength=len(categories))
        is_category = isinstance(observed.dtype, pd.CategoricalDtype)
        if not is_category:
            order = _sorting(categories)
            categories, counts = categories[order], counts[order]
        is_ordered = is_category and observed.dtype.ordered
        state = {"levels": pack(categories)} | ({"ordered": True} if is_ordered else {})
        if is_aware is not None:
            state["is_aware"] = is_aware
        if is_aware:
            of = observed.dtype.categories if is_category else observed
            state["zone"] = zone_of(of.dtype)
        groups = find_groups(counts, is_ordered)
        if np.array_equal(groups, np.arange(len(groups))):
            return state
        return state | {"groups": groups, "counts": counts}

    def to_codes(self, series, name):  # (n,) -> (n,), list
        """Return codes, NaN where missing, and the values that fit did not see.

        These have the code `n_categories` if a group takes them, and NaN else.
        """
        observed = ~is_missing(series)
        codes = np.full(len(series), np.nan)
        if not observed.any():
            return codes, []
        kind_of(series[observed], name)  # raises if it is no column at all
        indices, distinct, is_aware = _factorize(series[observed])
        knows_zones = is_aware and self.is_aware is not None
        distinct = _object_index(distinct, "UTC" if knows_zones else None)
        code_of = self._index.get_indexer(distinct)
        of_unseen = self.n_categories if self.grouping.takes_unseen else np.nan
        codes[observed] = np.where(code_of < 0, of_unseen, code_of)[indices]
        return codes, list(distinct[code_of < 0])

    def from_codes(self, codes):  # (n,) -> (n_categories,), (n,)
        """Return the categories, and the index of each row's."""
        return self.categories, np.round(codes).astype(np.intp)

    def to_objects(self, values):
        """Return the values as an array of Python objects."""
        return objects(_object_index(values, self.zone))


def _factorize(observed):
    """Return the index of each row's value among the distinct ones, and these.

    Those of a categorical dtype are in its order. The third is whether they are
    datetime64 of times of a time zone, None if they are not datetime64.
    """
    if isinstance(observed.dtype, pd.CategoricalDtype):
        seen, codes = np.unique(observed.cat.codes, return_inverse=True)
        of = observed.cat.categories  # of whose objects pandas might infer datetimes
        return codes, *_to_numpy(pd.Series(of[seen], dtype=of.dtype))
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


def _sorting(categories):
    """Return the indices that sort categories."""
    if categories.dtype != object:
        return np.argsort(categories)
    keys = [_sort_key(value) for value in categories]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)


def _sort_key(value):
    """Return a key that also compares values of different classes, by class name."""
    if isinstance(value, NUMBERS):
        return "number", value
    if isinstance(value, dt.datetime):
        return f"datetime {value.tzinfo is not None}", value
    return type(value).__name__, value


def _object_index(values, zone):
    """Return an Index of Python objects; datetime64 become Timestamps of the zone."""
    if values.dtype.kind == "M" and zone:
        return localize(values, zone).astype(object)
    if values.dtype != object:  # of objects pandas 2 might infer datetimes
        values = pd.Series(values).astype(object)
    return pd.Index(values, dtype=object)
