"""Numeric columns: their values as floats, and floats as their values."""

from decimal import Decimal

import numpy as np

from skvae._rules import integer, one_of, record
from skvae._table.entries import too_large
from skvae._table.kinds import BOOLEANS, INTEGERS, NUMBERS, all_are, kind_of, misfit
from skvae._table.values import is_missing, objects, uncategorized

MOST = np.finfo(np.float64).max.item()
MOST_DECIMALS = 1_074  # that a float64 has


class NumericColumn:
    """A numeric column, whose codes are its values.

    Parameters
    ----------
    entry : {"int", "float", "Decimal"}
        The class of the entries, if the column comes back with dtype object.
    decimals : int
        How many decimal places the entries have, if they are Decimals.
    """

    kinds = ("numeric",)
    likelihood, n_categories, is_aware = "gaussian", 0, None
    rule = record(
        {
            "entry": one_of("int", "float", "Decimal"),
            "decimals": integer(0, 10_000),
        }
    )

    def __init__(self, entry, decimals):
        self.entry, self.decimals = entry, decimals

    @staticmethod
    def fit(observed, name):
        """Return the arguments of the class for a column with these values."""
        is_object = observed.dtype.kind == "O"
        if observed.dtype.kind in "iu" or (is_object and all_are(observed, INTEGERS)):
            return {"entry": "int", "decimals": 0}
        if not is_object or not all_are(observed, Decimal):
            return {"entry": "float", "decimals": 0}
        exponents = [v.as_tuple().exponent for v in observed if v.is_finite()]
        decimals = min(max(0, -min(exponents, default=0)), MOST_DECIMALS)
        return {"entry": "Decimal", "decimals": decimals}

    def to_codes(self, series, name):  # (n,) -> (n,), []
        """Return the values as floats, NaN where missing, and no unseen values."""
        series, missing = uncategorized(series), is_missing(series)
        if missing.all():
            return np.full(len(series), np.nan), []
        observed = series[~missing]
        is_number = kind_of(observed, name) in ("numeric", "boolean")
        if not is_number and not all_are(observed, (*NUMBERS, *BOOLEANS)):
            raise misfit(observed, name, "numbers", NUMBERS)
        return _floats(series, missing, name), []

    def from_codes(self, codes):  # (n,) -> (n,), None
        """Return one value for each row, as floats."""
        return codes, None

    def to_objects(self, values):
        """Return the values as an array of Python objects."""
        if self.entry == "int":
            values = [round(value) for value in values.tolist()]
        if self.entry == "Decimal":
            values = [Decimal(f"{v:.{self.decimals}f}") for v in values.tolist()]
        return values.astype(object) if self.entry == "float" else objects(values)


def _floats(series, missing, name):
    """Return a numeric Series as an array of float64; float32 stays float32.

    Other dtypes, and objects, may hold finite numbers that no float64 can.
    """
    dtype = series.dtype
    if dtype == np.float32:
        return series.to_numpy()
    is_single = dtype.kind == "f" and getattr(dtype, "numpy_dtype", None) == np.float32
    if dtype.kind in "iufb" and dtype.itemsize <= 8:
        to = np.float32 if is_single else np.float64
        return series.to_numpy(dtype=to, na_value=np.nan)
    values = series[~missing].to_numpy(dtype=object)
    for value in values:
        if not -MOST <= value <= MOST and value not in (np.inf, -np.inf):
            exact = value if isinstance(value, Decimal) else int(value)
            raise too_large(f"{Decimal(exact):.3g}", name)
    floats = np.full(len(series), np.nan)
    floats[~missing] = values.astype(np.float64)
    return floats
