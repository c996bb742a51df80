"""Missing entries, NaN, of arrays and tensors."""

from math import inf

import numpy as np


def have_missing(x):
    """Whether an entry is missing, without a mask as large as the rows.

    Parameters
    ----------
    x : ndarray or Tensor

    Returns
    -------
    bool
    """
    if isinstance(x, np.ndarray):
        return bool(np.isnan(x.min(initial=np.inf)))
    return bool(x.numel()) and bool(x.amin().isnan())


def observed_range(x):  # (n, d) -> (d,), (d,)
    """Return the least and largest observed entry of each column of a tensor.

    Infinite, without bounds, where a column has none.
    """
    low, high = x.amin(dim=0), x.amax(dim=0)  # NaN where an entry is missing
    if low.isnan().any():
        missing = x.isnan()
        low = x.masked_fill(missing, inf).amin(dim=0)
        high = x.masked_fill(missing, -inf).amax(dim=0)
        unknown = missing.all(dim=0)
        low[unknown], high[unknown] = -inf, inf
    return low, high
