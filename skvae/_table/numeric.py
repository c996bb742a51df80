"""Columns of numbers."""

from decimal import Decimal

import numpy as np

from skvae._table.kinds import BOOLEANS, INTEGERS, NUMBERS, are, kind_of, misfit
from skvae._table.values import is_missing, objects, without_category


class NumericColumn:
    """Numbers as they are.

    Parameters
    ----------
    entry : {"int", "float", "Decimal"}
        What the entries of an object column are.
    decimals : int
        How many a Decimal has.
    """

    kinds, n_levels = ("number",), 0

    def __init__(self, entry, decimals):
        self.entry, self.decimals = entry, decimals

    @staticmethod
    def fit(observed, name):
        """Return the arguments of the column of these values."""
        is_object = observed.dtype.kind == "O"
        if observed.dtype.kind in "iu" or (is_object and are(observed, INTEGERS)):
            return {"entry": "int", "decimals": 0}
        if not is_object or not are(observed, Decimal):
            return {"entry": "float", "decimals": 0}
        exponents = [v.as_tuple().exponent for v in observed if v.is_finite()]
        return {"entry": "Decimal", "decimals": max(0, -min(exponents, default=0))}

    def encode(self, series, name):  # (n,) -> (n,), and no unseen values
        """Return floats; NaN where missing."""
        series, missing = without_category(series), is_missing(series)
        if missing.all():
            return np.full(len(series), np.nan), []
        observed = series[~missing]
        is_number = kind_of(observed, name) in ("number", "boolean")
        if not is_number and not are(observed, (*NUMBERS, *BOOLEANS)):
            raise misfit(observed, name, "numbers", NUMBERS)
        return _floats(series, missing), []

    def decode(self, codes):  # (n,) -> (n,), and no places
        """Return numbers, which the dtype may still round."""
        return codes, None

    def entries(self, values):
        """Return the values as Python has them."""
        if self.entry == "int":
            values = [round(value) for value in values.tolist()]
        if self.entry == "Decimal":
            values = [Decimal(f"{v:.{self.decimals}f}") for v in values.tolist()]
        return values.astype(object) if self.entry == "float" else objects(values)


def _floats(series, missing):
    """Return numbers as floats, float32 if they are."""
    dtype = series.dtype
    if dtype == np.float32:
        return series.to_numpy()
    is_single = dtype.kind == "f" and getattr(dtype, "numpy_dtype", None) == np.float32
    if dtype.kind in "iufb":
        to = np.float32 if is_single else np.float64
        return series.to_numpy(dtype=to, na_value=np.nan)
    floats = np.full(len(series), np.nan)
    floats[~missing] = series[~missing].to_numpy(dtype=object).astype(np.float64)
    return floats
