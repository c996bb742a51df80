"""A network that may become the fitted model, and what is known of its rows."""

import numpy as np
import pytest
import torch
from fits import NOISES, curved_table, make_split, start_and_train, without_some
from models import mixed_rows

from skvae._fitting.candidate import (
    PRIOR_DRAWS,
    Z_REACH,
    as_noise,
    column_range,
    draw_posteriors,
    encode_some,
    fallback_vae,
    make_candidate,
    make_coder,
)
from skvae._fitting.comparison import SUMMARY_ROWS
from skvae._fitting.start import start_from_linear

X = curved_table()


@pytest.fixture(scope="module")
def trained():
    """A split, where it starts and the network that it ends at."""
    split = make_split(X, max_epochs=10)
    return split, *start_and_train(split)


def test_a_candidate_is_a_mixture_of_its_network_and_of_what_it_falls_back_on(trained):
    split, start, network = trained
    variance = torch.linspace(0.1, 0.5, 5).double()
    candidate = make_candidate(network, start, variance, split, start.linear)
    first, second = candidate.density.parts
    assert candidate.first is first
    assert candidate.density.weights == (0.5, 0.5)
    assert torch.equal(first.likelihood.variance, variance)
    assert not first.prior.is_fitted
    assert second.coder.linear is start.linear
    assert not candidate.density.readout.any()
    assert candidate.density.readout.shape == (3, 5)
    x = X[:9].double()
    for found, expected in zip(
        first.coder.encode(x), network.encode(X[:9]), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_changes_make_another_candidate(trained):
    split, start, network = trained
    variance = torch.ones(5).double()
    candidate = make_candidate(network, start, variance, split, start.linear)
    likelihood = candidate.first.likelihood.with_noise(2 * variance)
    changed = candidate.with_first(likelihood=likelihood)
    assert changed.first.likelihood is likelihood
    assert torch.equal(candidate.first.likelihood.variance, variance)
    assert changed.network is candidate.network


# ------------------------------------------------------------------------------- coders


def test_a_coder_keeps_to_the_range_of_rows_and_of_their_posteriors(trained):
    _, start, network = trained
    coder = make_coder(network, start, X)
    assert torch.equal(coder.x_range, column_range(X))
    mean, log_var = network.encode(X)
    reach = Z_REACH * (0.5 * log_var).exp()
    low, high = (mean - reach).amin(dim=0), (mean + reach).amax(dim=0)
    np.testing.assert_allclose(coder.z_range, torch.stack([low, high]), rtol=1e-5)
    assert coder.posterior_scale == 1.0
    assert (coder.typical_share == 1).all()
    known = make_coder(network, start, X, (torch.zeros(1, 2), torch.zeros(1, 2)))
    np.testing.assert_allclose(known.z_range, [[-Z_REACH] * 2, [Z_REACH] * 2])


def test_a_coder_has_a_network_of_its_own(trained):
    _, start, network = trained
    coder = make_coder(network, start, X)
    assert coder.network.dtype == torch.float64
    assert network.dtype == torch.float32
    before = coder.network.flat.clone()
    copied = network.copy()
    network.flat.mul_(2)
    assert torch.equal(coder.network.flat, before)
    network.flat.copy_(copied.flat)


def test_a_linear_network_is_at_home_everywhere():
    split = make_split(X, hidden=())
    start = start_from_linear(X, split)
    coder = make_coder(start.network, start, X)
    for bounds in coder.x_range, coder.z_range:
        assert (bounds[0] == -torch.inf).all()
        assert (bounds[1] == torch.inf).all()


def test_the_range_is_of_what_is_observed():
    x = without_some(X)
    found = column_range(x)
    assert found.dtype == torch.float64
    np.testing.assert_array_equal(found[0], np.nanmin(x.numpy(), axis=0))
    np.testing.assert_array_equal(found[1], np.nanmax(x.numpy(), axis=0))
    of_all = column_range(X)
    np.testing.assert_array_equal(of_all, torch.stack([X.amin(dim=0), X.amax(dim=0)]))


# --------------------------------------------------------------------------- posteriors


def test_no_more_rows_are_encoded_than_tell_enough(trained):
    _, start, network = trained
    x = X.repeat(60, 1)
    rows, mean, log_var = encode_some(network, start, x)
    assert len(rows) == len(mean) == len(log_var) == SUMMARY_ROWS < len(x)
    np.testing.assert_allclose(mean[:400], network.encode(X)[0], atol=1e-6)


def test_rows_are_filled_before_they_are_encoded():
    x = without_some(X)
    split = make_split(x, noise="auto")
    start = start_from_linear(x, split)
    rows, mean, _ = encode_some(start.network, start, x)
    np.testing.assert_array_equal(rows.observed, x)
    expected = start.network.encode(start.filler.fill(x).float())[0]
    np.testing.assert_allclose(mean, expected, atol=1e-5)


@pytest.mark.parametrize(("n", "n_times"), [(400, 8), (100, 30), (4000, 1)])
def test_few_rows_are_drawn_more_than_once(n, n_times, trained):
    _, start, network = trained
    x = X.repeat(10, 1)[:n]
    generator = torch.Generator().manual_seed(0)
    z = draw_posteriors(network, start, x, generator)
    n_rows = min(n, PRIOR_DRAWS)
    assert z.shape == (n_times, n_rows, 2)
    mean, log_var = network.encode(x[:n_rows])
    distance = (z - mean) / (0.5 * log_var).exp()
    n_draws = distance.numel()
    assert abs(float(distance.mean())) < 5 / n_draws**0.5
    assert float(distance.square().mean()) == pytest.approx(1, abs=8 / n_draws**0.5)


# -------------------------------------------------------------------------------- noise


@pytest.mark.parametrize("noise", NOISES)
def test_errors_make_the_noise_of_each_column_or_of_all(noise):
    split = make_split(X, noise=noise)
    error = torch.tensor([0.5, 0.1, 0.3, 0.2, 0.0]).double()
    found = as_noise(error, split)
    if noise == "spherical":
        np.testing.assert_allclose(found, np.full(5, 0.22))
    else:
        np.testing.assert_array_equal(found[:4], error[:4])
        assert float(found[4]) == float(split.least_noise[4]) > 0


def test_a_table_without_numeric_columns_has_no_noise():
    layout, x = mixed_rows(50)
    split = make_split(x.float(), layout=layout)
    assert as_noise(torch.zeros(2).double(), split).shape == (2,)


def test_of_numeric_columns_the_fallback_is_the_linear_vae():
    split = make_split(X)
    linear = start_from_linear(X, split).linear
    assert fallback_vae(linear, X, split) is linear


@pytest.mark.parametrize("noise", ["auto", "spherical"])
def test_beside_indicators_numeric_columns_get_a_noise_of_their_own(noise):
    layout, x = mixed_rows(300)
    x = x.float()
    split = make_split(x, layout=layout, noise=noise)
    linear = start_from_linear(x, split).linear
    before = linear.noise_variance.clone()
    found = fallback_vae(linear, x, split)
    squares = linear.expected_squares(x)[:, :2].mean(dim=0)
    expected = squares if noise == "auto" else squares.mean().expand(2)
    np.testing.assert_allclose(found.noise_variance[:2], expected, rtol=1e-9)
    assert torch.equal(found.noise_variance[2:], before[2:])
    assert torch.equal(linear.noise_variance, before)
    assert (found.noise_variance[:2] - before[:2]).abs().max() > 0.01
