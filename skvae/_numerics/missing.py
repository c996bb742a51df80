"""Missing entries, NaN, of arrays and tensors."""

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
