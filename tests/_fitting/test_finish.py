"""The last steps of a fit: the order of components, the read-out, all rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fits import (
    NOISES,
    RUINOUS,
    curved_table,
    decode_mean,
    encode,
    first_of,
    fit,
    make_split,
    start_and_train,
    without_some,
)
from models import normal

from skvae._fitting.candidate import column_range, make_candidate
from skvae._fitting.finish import finish
from skvae._likelihoods.dispersion import Dispersion
from skvae._model.bounds import kl_divergence
from skvae._model.prior import NormalMixture


def make(x, **options):
    """Return a split and a candidate of it, before its last steps."""
    split = make_split(x, **{"max_epochs": 10, "k": 3, "noise": "auto"} | options)
    start, network = start_and_train(split)
    variance = start.likelihood.variance.double()
    return split, make_candidate(network, start, variance, split, start.linear)


# ---------------------------------------------------------------- canonical order


@pytest.mark.parametrize("hidden", [(), (16,)])
@pytest.mark.parametrize("noise", NOISES)
def test_components_carry_their_nats_largest_first(hidden, noise):
    x = curved_table()
    solution = fit(x, hidden=hidden, k=4, noise=noise, max_epochs=10)
    carried = kl_divergence(*encode(solution, x)).mean(dim=0)
    np.testing.assert_allclose(solution.component_kl, carried, rtol=1e-4, atol=1e-5)
    assert (np.diff(solution.component_kl) <= 0).all()


@pytest.mark.parametrize("hidden", [(), (16,)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_components_grow_with_the_column_they_covary_with_most(hidden, seed):
    x = curved_table(seed=seed)
    solution = fit(x, hidden=hidden, k=3, max_epochs=10)
    mean, _ = encode(solution, x)
    covariance = np.cov(mean.T, x.T)[:3, 3:]
    strongest = abs(covariance).argmax(axis=1)
    assert (covariance[np.arange(3), strongest] > 0).all()


def test_order_and_signs_do_not_depend_on_those_of_the_start():
    x = curved_table()
    density = fit(x, max_epochs=10, learning_rate=0.01, k=3).density
    found = density.parts[0].coder
    order, signs = torch.tensor([2, 0, 1]), torch.tensor([-1.0, 1.0, -1.0]).double()
    network = found.network.permuted(order, signs)
    coder = replace(found, network=network, linear=found.linear.permuted(order, signs))
    start = density.with_first(coder=coder)
    again = fit(x, k=3, start=start, learning_rate=RUINOUS).density
    coder = again.parts[0].coder
    np.testing.assert_allclose(coder.network.flat, found.network.flat, atol=1e-6)
    np.testing.assert_allclose(coder.linear.encoder, found.linear.encoder, atol=1e-6)
    np.testing.assert_allclose(again.readout, density.readout, atol=1e-4)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_the_linear_vae_beyond_is_put_in_the_networks_order(missing):
    x = without_some(curved_table(), missing)
    split, candidate = make(x)
    order, signs = torch.tensor([2, 0, 1]), torch.tensor([-1.0, 1.0, -1.0]).double()
    network = candidate.network.permuted(order, signs)
    linear = candidate.start.linear.permuted(order, signs)
    filler = candidate.start.filler
    if filler is candidate.start.linear:
        filler = linear
    start = replace(candidate.start, linear=linear, filler=filler)
    permuted = make_candidate(
        network, start, candidate.first.likelihood.variance, split, linear
    )
    found, carried = finish(permuted, split)
    _, candidate = make(x)
    expected, expected_carried = finish(candidate, split)
    np.testing.assert_allclose(carried, expected_carried, rtol=1e-4, atol=1e-5)
    far = 100 * normal(9, 5, seed=8)
    for a, b in zip(found.encode(far), expected.encode(far), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
    z = 100 * normal(9, 3, seed=9)
    np.testing.assert_allclose(found.mean(z), expected.mean(z), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("noise", "is_one"), [("spherical", True), ("auto", False)])
def test_what_fills_for_the_encoder_is_kept_once_or_as_it_was(noise, is_one):
    split, candidate = make(without_some(curved_table()), noise=noise)
    filler = candidate.start.filler
    coder = finish(candidate, split)[0].parts[0].coder
    assert (coder.filler is coder.linear) == is_one
    assert (coder.filler is filler) != is_one


# ---------------------------------------------------------------------- read-out


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_readout_is_least_squares_on_what_the_decoder_leaves(hidden):
    x = curved_table()
    solution = fit(x, hidden=hidden, max_epochs=10)
    mean, _ = encode(solution, x)
    residual = x - decode_mean(solution, x)
    design = np.c_[np.ones(len(x)), mean]
    oracle = np.linalg.lstsq(design, residual.numpy())[0]
    np.testing.assert_allclose(solution.density.readout, oracle, atol=1e-4)


# ----------------------------------------------------------------------- of all rows


def test_the_range_is_that_of_all_rows():
    x = curved_table()
    x[3, 0] = 9.0  # a validation row
    split, candidate = make(x)
    density, _ = finish(candidate, split)
    coder = density.parts[0].coder
    assert torch.equal(coder.x_range, column_range(x))
    mean, log_var = coder.network.encode(x.double())
    reach = 3 * (0.5 * log_var).exp()
    expected = column_range(torch.cat([mean - reach, mean + reach]))
    np.testing.assert_allclose(coder.z_range, expected, rtol=1e-4)


def test_a_posterior_scale_counts_in_the_nats_and_is_kept():
    split, candidate = make(curved_table())
    coder = replace(candidate.first.coder, posterior_scale=4.0)
    wider, carried = finish(candidate.with_first(coder=coder), split)
    split, candidate = make(curved_table())
    _, as_it_is = finish(candidate, split)
    assert wider.parts[0].coder.posterior_scale == 4.0
    assert carried.sum() < 0.9 * as_it_is.sum()
    expected = kl_divergence(*wider.encode(split.x.double())).mean(dim=0)
    np.testing.assert_allclose(carried, expected, rtol=1e-4, atol=1e-5)


def test_what_rows_tell_on_average_goes_with_the_components():
    x = without_some(curved_table())
    split, candidate = make(x)
    nothing = torch.ones(3).double()
    coder = replace(candidate.first.coder, typical_share=nothing)
    density, _ = finish(candidate.with_first(coder=coder), split)
    coder = density.parts[0].coder
    expected = coder.linear.informed_share(x.double()).mean(dim=0)
    np.testing.assert_allclose(coder.typical_share, expected, rtol=1e-9)


def test_what_was_chosen_is_fitted_to_all_rows_and_nothing_else():
    split, candidate = make(curved_table())
    plain, _ = finish(candidate, split)
    assert not plain.parts[0].prior.is_fitted
    assert not plain.parts[0].likelihood.dispersion.is_fitted
    split, candidate = make(curved_table())
    eye = torch.eye(3).double().expand(5, 3, 3)
    weights = torch.full((5,), 0.2).double()
    prior = NormalMixture(weights, normal(5, 3), eye)
    likelihood = candidate.first.likelihood
    dispersion = Dispersion(torch.zeros(7, 5).double(), 30.0)
    likelihood = likelihood.with_noise(likelihood.variance, dispersion)
    chosen = candidate.with_first(prior=prior, likelihood=likelihood)
    first = finish(chosen, split)[0].parts[0]
    assert first.prior.weights.shape == (5,)  # as many components
    assert not torch.equal(first.prior.means, prior.means)
    assert first.likelihood.dispersion.ridge == 30.0
    assert first.likelihood.dispersion.coefficients.any()
    assert torch.equal(first.likelihood.variance, likelihood.variance)


def test_the_first_part_alone_is_finished():
    solution = fit(curved_table(), max_epochs=10, noise="auto")
    assert first_of(solution).coder.network.dtype == torch.float64
    split, candidate = make(curved_table())
    density, _ = finish(candidate, split)
    assert density.parts[1] is candidate.density.parts[1]
    assert density.weights == candidate.density.weights
