"""Whether entries are missing, against NumPy's mask."""

import tracemalloc

import numpy as np
import pytest
import torch

from skvae._numerics.missing import have_missing, observed_range


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (1,), (7,), (5, 3), (2, 4, 3)])
def test_an_entry_is_missing_if_it_is_nan_wherever_it_is(shape, dtype):
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    for i in range(-1, x.size):
        one = x.copy()
        if i >= 0:
            one.flat[i] = np.nan
        assert have_missing(one) is (i >= 0)
        assert have_missing(torch.from_numpy(one)) is (i >= 0)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_an_infinite_entry_is_not_missing(value):
    x = np.array([[1.0, value], [-value, 0]])
    for rows in (x, torch.from_numpy(x)):
        assert not have_missing(rows)
    x[0, 0] = np.nan
    for rows in (x, torch.from_numpy(x)):
        assert have_missing(rows)


def test_no_mask_as_large_as_the_rows_is_made():
    x = np.ones((1000, 1000))
    tracemalloc.start()
    try:
        have_missing(x)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < x.size / 10  # a mask takes a byte an entry


def test_the_range_is_of_what_is_observed():
    x = torch.tensor([[1.0, torch.nan, torch.nan], [3.0, 2.0, torch.nan]])
    low, high = observed_range(x)
    assert low.tolist() == [1.0, 2.0, -torch.inf]
    assert high.tolist() == [3.0, 2.0, torch.inf]
    complete = observed_range(x[:, :1])
    assert [edge.tolist() for edge in complete] == [[1.0], [3.0]]
