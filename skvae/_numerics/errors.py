"""Floating point errors: what the caller has numpy do about them is not for us."""

from functools import wraps

import numpy as np


def whatever_numpy_raises(function):
    """Return a function during which numpy goes on after an underflow or an overflow.

    The caller may have it raise or warn (`numpy.seterr`). What comes of extreme entries
    is looked at where it matters.
    """

    @wraps(function)
    def call(*args, **kwargs):
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return call
