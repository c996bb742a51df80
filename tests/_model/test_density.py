"""The fitted model: the network in the training rows' range, the linear VAE beyond."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from skvae._likelihoods.gaussian import Gaussian
from skvae._linear.anchor import fit_linear_vae
from skvae._model.bounds import importance_weighted_bound, spread_normal
from skvae._model.density import FittedVAE, Parameters, stacking_weight, widen
from skvae._model.network import VAE, Architecture, initial_parameters

D, K = 5, 2
RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(50, D)) @ RANDOM.normal(size=(D, D))
NOISE_VARIANCE = np.linspace(0.5, 1.5, D)


def parameters(weight=0.7, hidden=(6,), spoilt=0.3):
    """Of a network that has left its linear VAE."""
    linear = fit_linear_vae(X, K, "spherical", 1e-6)
    architecture = Architecture(D, K, hidden, "silu")
    generator = torch.Generator().manual_seed(0)
    flat = initial_parameters(architecture, linear, generator)
    flat += spoilt * torch.randn(len(flat), generator=generator)
    return Parameters(
        architecture,
        flat.numpy(),
        NOISE_VARIANCE,
        linear,
        fallback=fit_linear_vae(X[:30], K, "spherical", 1e-6),
        network_weight=weight,
        x_range=np.stack([X.min(axis=0), X.max(axis=0)]),
        z_range=np.array([[-2.0, -3.0], [2.0, 1.0]]),
        readout=RANDOM.normal(size=(K + 1, D)),
    )


def network(p):
    return VAE(p.architecture, torch.from_numpy(p.flat).double())


def same(found, expected, **tolerance):
    np.testing.assert_allclose(found.detach(), np.asarray(expected), **tolerance)


def tensor(array):
    return torch.from_numpy(np.asarray(array, dtype=np.float64))


def test_inside_the_range_it_is_the_network():
    p = parameters()
    model, z = FittedVAE(p), tensor(RANDOM.uniform(-1.9, 0.9, (20, K)))
    for found, expected in zip(
        model.encode(tensor(X)), network(p).encode(tensor(X)), strict=True
    ):
        same(found, expected.detach())
    same(model.decode(z), network(p).decode(z).detach())


def test_widening_divides_the_precision_that_a_row_adds():
    p = parameters()
    mean, log_var = FittedVAE(p).encode(tensor(X))
    p.widening = 2.5
    same_mean, wider = FittedVAE(p).encode(tensor(X))
    same(same_mean, mean.detach())
    precision = 1 + ((-log_var).exp() - 1) / 2.5
    same((-wider).exp(), precision.detach(), rtol=1e-9)


def test_widening_is_right_where_the_noise_was_taken_too_small():
    """Of a linear VAE the posterior is known, whatever the noise."""
    p = parameters(hidden=(), spoilt=0.0)
    linear = p.linear
    p.x_range, p.z_range = (
        np.array([[-np.inf], [np.inf]]),
        np.array([[-np.inf], [np.inf]]),
    )
    p.widening = 3.0
    _, found = FittedVAE(p).encode(tensor(X[:1]))
    wider = linear.with_noise(3.0 * linear.noise_variance)
    same(found[0], wider.log_var, rtol=1e-6)


@pytest.mark.parametrize("distance", [1e-9, 1.0, 1e9])
def test_beyond_the_range_it_goes_on_along_the_linear_vae(distance):
    p = parameters()
    model = FittedVAE(p)
    edge = tensor(p.x_range[1])[None]
    step = distance * tensor(RANDOM.uniform(size=(1, D)))
    mean, log_var = model.encode(edge)
    far_mean, far_log_var = model.encode(edge + step)
    expected = (step @ tensor(p.linear.encoder)).numpy()
    same(far_mean - mean, expected, rtol=1e-6, atol=1e-12)
    same(far_log_var, log_var.detach())
    corner = tensor(p.z_range[0])[None]
    step = -distance * tensor(RANDOM.uniform(size=(1, K)))
    moved = model.decode(corner + step) - model.decode(corner)
    same(moved, (step @ tensor(p.linear.decoder)).numpy(), rtol=1e-6, atol=1e-12)


def test_reconstruct_adds_the_readout_to_the_decoded_mean():
    p = parameters()
    model, z = FittedVAE(p), tensor(RANDOM.normal(size=(9, K)))
    readout = p.readout[0] + z.numpy() @ p.readout[1:]
    same(model.reconstruct(z) - model.decode(z), readout, rtol=1e-9)


def linear_density(linear):
    covariance = linear.decoder.T @ linear.decoder + np.diag(linear.noise_variance)
    return multivariate_normal(linear.decoder_bias, covariance)


@pytest.mark.parametrize("weight", [1e-9, 0.3, 0.999, 1.0])
def test_density_is_the_mixture_of_the_two(weight):
    p = parameters(weight)
    noise = spread_normal(16, K)
    found = FittedVAE(p).log_density(tensor(X), noise)
    likelihood = Gaussian(tensor(NOISE_VARIANCE), floor=0.0, shared=False)
    bound = importance_weighted_bound(FittedVAE(p), likelihood, tensor(X), noise)
    both = [bound.detach(), linear_density(p.fallback).logpdf(X)]
    expected = logsumexp(both, axis=0, b=[[weight], [1 - weight]])
    same(found, expected, rtol=1e-9)


def test_no_row_costs_more_than_the_linear_share():
    p = parameters(weight=0.99)
    far = np.r_[X, X * 1e3, X * 1e6]
    found = FittedVAE(p).log_density(tensor(far), spread_normal(16, K)).detach().numpy()
    least = linear_density(p.fallback).logpdf(far) + np.log(0.01)
    assert (found >= least - 1e-9 * abs(least)).all()


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_samples_come_from_both(weight):
    p = parameters(weight)
    model, n = FittedVAE(p), 40_000
    with torch.no_grad():
        drawn = model.sample(n, torch.Generator().manual_seed(0)).numpy()
        decoded = model.decode(spread_normal(2**16, K)).numpy()
    center = p.fallback.decoder_bias
    mean = weight * decoded.mean(axis=0) + (1 - weight) * center
    of_network = decoded.T @ decoded / len(decoded) + np.diag(NOISE_VARIANCE)
    of_linear = linear_density(p.fallback).cov + np.outer(center, center)
    squares = weight * of_network + (1 - weight) * of_linear
    error = drawn.std(axis=0) / n**0.5
    np.testing.assert_array_less(abs(drawn.mean(axis=0) - mean), 5 * error)
    products = drawn[:, :, None] * drawn[:, None, :]
    error = products.std(axis=0) / n**0.5
    np.testing.assert_array_less(abs(products.mean(axis=0) - squares), 5 * error)


def test_parameters_survive_a_dictionary_of_plain_values():
    p = parameters()
    again = Parameters.from_dict(p.to_dict())
    assert again.architecture == p.architecture
    noise = spread_normal(4, K)
    first, second = (FittedVAE(q).log_density(tensor(X), noise) for q in (p, again))
    assert torch.equal(first, second)


# -------------------------------------------------------------------------- stacking


@pytest.mark.parametrize("n", [1, 10, 1000])
@pytest.mark.parametrize("gain", [-3.0, 0.0, 0.5, 40.0])
def test_stacking_weight_is_the_posterior_mode(n, gain):
    rng = np.random.default_rng(n)
    ours, other = rng.normal(gain, 2, n), rng.normal(0, 2, n)

    def objective(w):
        mixed = logsumexp([ours, other], axis=0, b=[[w], [1 - w]])
        return -(mixed.sum() + np.log(w) + np.log(1 - w))

    best = minimize_scalar(objective, bounds=(1e-9, 1 - 1e-9), method="bounded")
    assert objective(stacking_weight(ours, other)) <= best.fun + 1e-3


def test_stacking_weight_of_densities_worlds_apart_is_finite():
    far = np.array([-1e300, 1e300, 0.0])
    with np.errstate(all="raise"):
        assert 0.3 < stacking_weight(far, np.zeros(3)) < 0.7
    assert stacking_weight(np.full(8, 1e300), np.zeros(8)) == pytest.approx(0.9)


def test_posteriors_narrow_only_where_a_row_tells_something():
    log_var = torch.tensor([[-1.0, 0.5, 2.0]]).double()
    found = widen(log_var, torch.full((1, 3), 0.3).double())
    assert float(found[0, 0]) < -1
    np.testing.assert_array_equal(found[0, 1:], log_var[0, 1:])
    np.testing.assert_array_equal(widen(log_var, 1.0), log_var)
