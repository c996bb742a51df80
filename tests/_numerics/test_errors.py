"""Whether numpy raises or warns is up to the caller, and nothing to us."""

import numpy as np
import pytest

from skvae._numerics.errors import whatever_numpy_raises


def test_the_caller_s_handling_of_errors_is_set_aside_and_kept():
    def underflow(x):
        """Squares."""
        return np.float64(x) ** 2

    with np.errstate(all="raise"):
        with pytest.raises(FloatingPointError):
            underflow(1e-200)
        assert whatever_numpy_raises(underflow)(x=1e-200) == 0
        assert np.geterr()["under"] == "raise"
    assert whatever_numpy_raises(underflow).__doc__ == "Squares."
