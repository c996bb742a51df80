"""The gradient by hand is autograd's on the network, and needs no memory."""

from itertools import product

import numpy as np
import pytest
import sympy  # noqa: F401  torch imports it late, and it adds a warning filter
import torch
from torch.profiler import ProfilerActivity, profile

from skvae._likelihoods.gaussian import Gaussian
from skvae._likelihoods.mixed import make_likelihood
from skvae._likelihoods.noise import Tracked
from skvae._model.bounds import elbo, kl_divergence
from skvae._model.network import ACTIVATIONS, MAX_LOG_VAR, MLP_RANGE, VAE, Architecture
from skvae._table.indicators import fit_layout
from skvae._table.scaling import make_numeric, make_scaling
from skvae._training.gradient import Gradient

N, D, K = 20, 4, 3
DEPTHS = [(), (7,), (7, 5), (7, 5, 6), (7, 5, 6, 4)]
NOISES = {
    "spherical": torch.full((D,), 0.7).double(),
    "diag": torch.tensor([0.5, 1, 2, 0.7]).double(),
}
BETAS = [0.0, 0.5, 1.0]


class ByAutograd:
    """The oracle: what `Gradient` does, by autograd on the network."""

    def __init__(self, vae, n_rows, have_missing=False):
        self.vae, self.flat = vae, torch.zeros_like(vae.flat)
        self.x = vae.flat.new_zeros(n_rows, vae.architecture.n_features)
        self.target = torch.zeros_like(self.x) if have_missing else self.x
        self.draws = vae.flat.new_zeros(n_rows, K)

    def __call__(self, likelihood, beta):
        flat = self.vae.flat.clone().requires_grad_()
        vae = self.vae.with_flat(flat)
        mean, log_var = vae.encode(self.x)
        decoded = vae.decode(mean + (0.5 * log_var).exp() * self.draws)
        fit = likelihood.log_prob(self.target, decoded).sum() / len(self.x)
        kl = kl_divergence(mean, log_var).sum(dim=1).mean()
        self.flat.copy_(torch.autograd.grad(beta * kl - fit, flat)[0])
        errors = likelihood.errors(self.target, decoded.detach())
        return errors.nansum(dim=0) / len(errors), kl.detach()


WAYS = [Gradient, ByAutograd]


def network(hidden=(7, 5), activation="silu", dtype=torch.float64, n_features=D):
    """All parameters non-zero; some posteriors as wide as may be."""
    architecture = Architecture(n_features, K, hidden, activation)
    generator = torch.Generator().manual_seed(0)
    flat = torch.randn(architecture.n_parameters, generator=generator).to(dtype) / 2
    architecture.views(flat)["encoder_linear_bias"][K:] += 1
    return VAE(architecture, flat)


def fill(gradient, seed=1):
    """Write a batch that goes beyond what the MLPs see as it is."""
    generator = torch.Generator().manual_seed(seed)
    gradient.x.copy_(MLP_RANGE * torch.randn(N, D, generator=generator))
    gradient.draws.copy_(torch.randn(N, K, generator=generator))
    return gradient


def assert_close(found, expected, rtol=1e-10):
    assert expected.isfinite().all()
    scale = float(expected.abs().max())
    np.testing.assert_allclose(found / scale, expected / scale, rtol=rtol, atol=rtol)


def assert_close_by_part(vae, found, expected):
    views = vae.architecture.views
    for grad, of_oracle in zip(
        views(found).values(), views(expected).values(), strict=True
    ):
        assert_close(grad, of_oracle)


# --------------------------------------------------------------------- the oracle


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("hidden", DEPTHS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_is_autograd_of_the_elbo(activation, hidden, noise):
    vae, likelihood = network(hidden, activation), Gaussian(NOISES[noise])
    gradient = fill(Gradient(vae, N))
    for beta, again in product(BETAS, (False, True)):
        if again:
            fill(gradient, seed=2)  # nothing of the call before is left
        error, kl = (t.clone() for t in gradient(likelihood, beta))
        flat = vae.flat.clone().requires_grad_()
        given = likelihood, gradient.x, gradient.draws, beta
        bound, decoded = elbo(vae.with_flat(flat), *given)
        expected = torch.autograd.grad(-bound.mean(), flat)[0]
        assert_close_by_part(vae, gradient.flat, expected)
        assert_close(error, (gradient.x - decoded).detach().square().mean(dim=0))
        loss = beta * kl - likelihood.expected_log_prob(error, torch.ones_like(error))
        assert_close(loss, -bound.mean().detach())


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("way", WAYS)
def test_with_missing_values_it_is_autograd_of_what_is_observed(way, noise):
    vae, variance = network(), NOISES[noise]
    gradient = fill(way(vae, N, have_missing=True))
    generator = torch.Generator().manual_seed(3)
    missing = torch.rand(N, D, generator=generator) < 0.3
    gradient.target.copy_(gradient.x.masked_fill(missing, torch.nan))
    share = 1 - missing.double().mean(dim=0)
    likelihood = Gaussian(variance, incomplete=True)
    error, kl = (t.clone() for t in gradient(likelihood, 0.5))
    flat = vae.flat.clone().requires_grad_()
    mean, log_var = vae.with_flat(flat).encode(gradient.x)
    z = mean + (0.5 * log_var).exp() * gradient.draws
    squares = (gradient.x - vae.with_flat(flat).decode(z)).square()
    fit = 0.5 * (squares / variance + (2 * np.pi * variance).log())[~missing].sum() / N
    carried = kl_divergence(mean, log_var).sum(dim=1).mean()
    expected = torch.autograd.grad(fit + 0.5 * carried, flat)[0]
    assert_close_by_part(vae, gradient.flat, expected)
    assert_close(kl, carried.detach())
    observed = squares.detach().masked_fill(missing, 0).sum(dim=0) / N
    assert_close(error, observed)
    found = -likelihood.expected_log_prob(error / share, share)
    assert_close(found, fit.detach())


def test_the_comparison_meets_the_bound_of_the_log_variance():
    vae = network()
    log_var = vae.encode(fill(Gradient(vae, N)).x)[1]
    assert 0 < (log_var == MAX_LOG_VAR).sum() < log_var.numel()


@pytest.mark.parametrize("hidden", DEPTHS[:3])
@pytest.mark.parametrize("beta", BETAS)
def test_both_ways_find_the_same(hidden, beta):
    vae, likelihood = network(hidden), Gaussian(NOISES["diag"])
    by_hand, by_autograd = (fill(way(vae, N)) for way in WAYS)
    for found, expected in zip(
        by_hand(likelihood, beta), by_autograd(likelihood, beta), strict=True
    ):
        assert_close(found, expected)
    assert_close(by_hand.flat, by_autograd.flat)


def test_the_network_is_read_where_it_stands():
    vae, likelihood = network(), Gaussian(NOISES["diag"])
    gradient = fill(Gradient(vae, N))
    gradient(likelihood, 1.0)
    before = gradient.flat.clone()
    vae.flat.mul_(1.1)
    gradient(likelihood, 1.0)
    moved = gradient.flat.clone()
    fresh = fill(Gradient(vae, N))
    fresh(likelihood, 1.0)
    assert torch.equal(moved, fresh.flat)
    assert not torch.equal(moved, before)


def test_without_draws_the_posterior_mean_is_decoded():
    vae = network()
    gradient = Gradient(vae, N)
    gradient.x.copy_(fill(Gradient(vae, N)).x)
    error, _ = gradient(Gaussian(NOISES["diag"]), 0.0)
    residual = gradient.x - vae.decode(vae.encode(gradient.x)[0])
    assert_close(error, residual.square().mean(dim=0))


# ------------------------------------------------------------- columns of categories


def mixed(missing, hidden=(7, 5), activation="silu"):
    """Return a network, a likelihood, rows, and the same with what is missing filled.

    The network's columns are 2 numeric ones, 2 of two categories, and the indicators
    of 3, 1 and 4 categories.
    """
    rng, n_categories = np.random.default_rng(0), np.array([0, 3, 2, 0, 1, 2, 4])
    most = np.maximum(n_categories, 3 * (n_categories == 0))
    X = rng.integers(most, size=(N, 7)).astype(float)
    X[rng.random(X.shape) < missing] = np.nan
    kinds = np.where(n_categories == 2, "bernoulli", "categorical")
    kinds = np.where(n_categories == 0, "gaussian", kinds)
    layout = fit_layout(X, kinds, n_categories)
    scaling = make_scaling(make_numeric(np.ones(7), np.ones(7), None, layout), layout)
    target = torch.from_numpy(scaling.forward(X))
    variance = torch.tensor([0.5, 2.0]).double()
    likelihood = make_likelihood(layout, variance, missing > 0)
    vae = network(hidden, activation, n_features=target.shape[1])
    filled = torch.from_numpy(rng.normal(size=target.shape))
    return vae, likelihood, target, torch.where(target.isnan(), filled, target)


def find(way, vae, likelihood, target, filled, beta):
    """Return the gradient, the errors and the KL divergence."""
    gradient = way(vae, N, have_missing=bool(target.isnan().any()))
    generator = torch.Generator().manual_seed(1)
    gradient.x.copy_(filled)
    gradient.target.copy_(target)
    gradient.draws.copy_(torch.randn(N, K, generator=generator))
    error, kl = gradient(likelihood, beta)
    return gradient.flat, error, kl, gradient.draws


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("hidden", DEPTHS[:3])
def test_of_a_mixed_table_both_ways_find_the_same(hidden, beta, missing):
    case = mixed(missing, hidden)
    found, expected = (find(way, *case, beta)[:3] for way in WAYS)
    for of_hand, of_autograd in zip(found, expected, strict=True):
        assert_close(of_hand, of_autograd)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("way", WAYS)
def test_of_a_mixed_table_it_is_autograd_of_what_is_observed(way, missing):
    vae, likelihood, target, filled = mixed(missing)
    found, error, kl, draws = find(way, vae, likelihood, target, filled, 0.5)
    found, error = found.clone(), error.clone()
    flat = vae.flat.clone().requires_grad_()
    mean, log_var = vae.with_flat(flat).encode(filled)
    decoded = vae.with_flat(flat).decode(mean + (0.5 * log_var).exp() * draws)
    fit = 0
    variance, observed = likelihood.variance, ~target.isnan()
    for j in range(2):
        rows = observed[:, j]
        normal = torch.distributions.Normal(decoded[rows, j], variance[j].sqrt())
        fit += normal.log_prob(target[rows, j]).sum()
        rows = observed[:, 2 + j]
        binary = torch.distributions.Bernoulli(logits=decoded[rows, 2 + j])
        fit += binary.log_prob((target[rows, 2 + j] > 0).double()).sum()
    for first, size in (4, 3), (7, 1), (8, 4):
        rows, part = observed[:, first], slice(first, first + size)
        of_categories = torch.distributions.Categorical(logits=decoded[rows, part])
        shares = likelihood.blocks[2].center[first - 4 : first - 4 + size]
        category = (target[rows, part] + shares).argmax(dim=1)
        fit += of_categories.log_prob(category).sum()
    carried = kl_divergence(mean, log_var).sum(dim=1).mean()
    expected = torch.autograd.grad(0.5 * carried - fit / N, flat)[0]
    assert_close_by_part(vae, found, expected)
    assert_close(kl, carried.detach())
    share = observed.double().mean(dim=0)
    found = likelihood.expected_log_prob(error / share, share)
    assert_close(found, fit.detach() / N)


# ------------------------------------------------------------------------ its cost


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_step_needs_no_memory(activation):
    """Beyond a few bytes for the numbers that steps differ in."""
    vae = network((32, 16), activation, torch.float32)
    floor, within = torch.full((D,), 1e-6), torch.zeros(D)
    options = {"floor": floor, "shared": True, "within": within}
    likelihood = Tracked(Gaussian(torch.ones(D)), share=torch.ones(D), **options)
    gradient = fill(Gradient(vae, N))

    def step():
        error, _ = gradient(likelihood, 1.0)
        likelihood.track(error, 0.05)

    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    taken = [e.cpu_memory_usage for e in profiled.events() if e.cpu_memory_usage > 0]
    assert not taken
