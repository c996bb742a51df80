"""Standard normal draws: their moments, and that they are the same each time."""

import numpy as np
import pytest
import torch

from skvae._numerics.draws import normal_draws, spread_normal


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("default", [torch.float32, torch.float64])
def test_draws_are_those_of_the_seed_in_single_precision(default):
    before, state = torch.get_default_dtype(), torch.get_rng_state()
    torch.set_default_dtype(default)
    try:
        draws, same, other = (normal_draws(50, 3, seed) for seed in (1, 1, 2))
    finally:
        torch.set_default_dtype(before)
    assert (draws.shape, draws.dtype) == ((50, 3), torch.float32)
    assert torch.equal(draws, same)
    assert not torch.equal(draws, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_draws_have_the_moments_of_a_normal_distribution():
    draws = normal_draws(20_000, 3, 0)
    np.testing.assert_allclose(draws.mean(dim=0), 0, atol=0.04)
    np.testing.assert_allclose(draws.T @ draws / 20_000, np.eye(3), atol=0.06)


@pytest.mark.parametrize("k", [1, 2, 8])
def test_spread_draws_have_the_moments_of_a_normal_distribution(k):
    draws = spread_normal(1024, k)
    assert draws.shape == (1024, k)
    np.testing.assert_allclose(draws.mean(dim=0), 0, atol=0.01)
    np.testing.assert_allclose(draws.T @ draws / 1024, np.eye(k), atol=0.05)
    assert torch.equal(draws, spread_normal(1024, k))


def test_spread_draws_integrate_better_than_random_ones():
    def error(draws):  # of the mean of exp(z0 + z1), which is e
        return abs(draws.sum(dim=1).exp().mean() - np.e)

    random = np.mean([error(normal(128, 2, seed=seed)) for seed in range(20)])
    assert error(spread_normal(128, 2)) < random / 2


def test_spread_draws_are_finite_and_in_double_precision_whatever_the_default():
    before, expected = torch.get_default_dtype(), spread_normal(64, 3)
    torch.set_default_dtype(torch.float16)
    try:
        draws = spread_normal(64, 3)
    finally:
        torch.set_default_dtype(before)
    assert torch.equal(draws, expected)
    assert draws.dtype == torch.float64
    assert draws.isfinite().all()
