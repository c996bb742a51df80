"""The gradient by hand is autograd's on the network, and needs no memory."""

from itertools import product

import numpy as np
import pytest
import sympy  # noqa: F401  torch imports it late, and it adds a warning filter
import torch
from torch.profiler import ProfilerActivity, profile

from skvae._layout import fit_blocks
from skvae._likelihoods.gaussian import Gaussian, make_likelihood
from skvae._model.bounds import elbo, kl_divergence
from skvae._model.network import ACTIVATIONS, MAX_LOG_VAR, MLP_RANGE, VAE, Architecture
from skvae._training import gradient as gradient_module
from skvae._training.gradient import ByAutograd, ByHand, gradient_of

N, D, K = 20, 4, 3
DEPTHS = [(), (7,), (7, 5), (7, 5, 6), (7, 5, 6, 4)]
BLOCKS = {
    "spherical": Gaussian(torch.full((D,), 0.7).double(), floor=0.0, shared=True),
    "diag": Gaussian(torch.tensor([0.5, 1, 2, 0.7]).double(), floor=0.0, shared=False),
}
BETAS = [0.0, 0.5, 1.0]


def network(hidden=(7, 5), activation="silu", dtype=torch.float64, n_features=D):
    """All parameters non-zero; some posteriors as wide as may be."""
    architecture = Architecture(n_features, K, hidden, activation)
    generator = torch.Generator().manual_seed(0)
    flat = torch.randn(architecture.n_parameters, generator=generator).to(dtype) / 2
    architecture.views(flat)["encoder_linear_bias"][K:] += 1
    return VAE(architecture, flat)


def fill(gradient, seed=1):
    """Write a batch that goes beyond what the MLPs see whole."""
    generator = torch.Generator().manual_seed(seed)
    gradient.x.copy_(MLP_RANGE * torch.randn(N, D, generator=generator))
    gradient.noise.copy_(torch.randn(N, K, generator=generator))
    return gradient


def assert_close(found, expected, rtol=1e-10):
    assert expected.isfinite().all()
    scale = float(expected.abs().max())
    np.testing.assert_allclose(found / scale, expected / scale, rtol=rtol, atol=rtol)


# --------------------------------------------------------------------- the oracle


@pytest.mark.parametrize("noise", BLOCKS)
@pytest.mark.parametrize("hidden", DEPTHS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_by_hand_is_autograd_of_the_elbo(activation, hidden, noise):
    vae, likelihood = network(hidden, activation), BLOCKS[noise]
    by_hand = fill(ByHand(vae, N))
    for beta, again in product(BETAS, (False, True)):
        if again:
            fill(by_hand, seed=2)  # nothing of the call before is left
        error, kl = (t.clone() for t in by_hand(likelihood, beta))
        vae.zero_grad()
        bound, decoded = elbo(vae, likelihood, by_hand.x, by_hand.noise, beta)
        (-bound.mean()).backward()
        for name, grad in vae.architecture.views(by_hand.flat).items():
            assert_close(grad, vae.parts[name].grad)
        assert_close(error, (by_hand.x - decoded).detach().square().mean(dim=0))
        loss = beta * kl - likelihood.expected_log_prob(error)
        assert_close(loss, -bound.mean().detach())


@pytest.mark.parametrize("noise", BLOCKS)
@pytest.mark.parametrize("way", [ByHand, ByAutograd])
def test_with_holes_it_is_autograd_of_what_is_observed(way, noise):
    vae, complete = network(), BLOCKS[noise]
    gradient = fill(way(vae, N, have_holes=True))
    generator = torch.Generator().manual_seed(3)
    missing = torch.rand(N, D, generator=generator) < 0.3
    gradient.target.copy_(gradient.x.masked_fill(missing, torch.nan))
    share = 1 - missing.double().mean(dim=0)
    likelihood = Gaussian(complete.variance, shared=complete.shared, share=share)
    error, kl = (t.clone() for t in gradient(likelihood, 0.5))
    found = gradient.flat.clone()
    vae.zero_grad()
    mean, log_var = vae.encode(gradient.x)
    decoded = vae.decode(mean + (0.5 * log_var).exp() * gradient.noise)
    variance, squares = complete.variance, (gradient.x - decoded).square()
    fit = 0.5 * (squares / variance + (2 * np.pi * variance).log())[~missing].sum() / N
    carried = kl_divergence(mean, log_var).sum(dim=1).mean()
    (fit + 0.5 * carried).backward()
    for name, grad in vae.architecture.views(found).items():
        assert_close(grad, vae.parts[name].grad)
    assert_close(kl, carried.detach())
    observed = squares.detach().masked_fill(missing, 0).sum(dim=0) / N / share
    assert_close(error, observed)
    assert_close(-likelihood.expected_log_prob(error), fit.detach())


def test_the_comparison_meets_the_bound_of_the_log_variance():
    vae = network()
    log_var = vae.encode(fill(ByHand(vae, N)).x)[1]
    assert 0 < (log_var == MAX_LOG_VAR).sum() < log_var.numel()


@pytest.mark.parametrize("hidden", DEPTHS[:3])
@pytest.mark.parametrize("beta", BETAS)
def test_both_find_the_same(hidden, beta):
    vae, likelihood = network(hidden), BLOCKS["diag"]
    by_hand, by_autograd = fill(ByHand(vae, N)), fill(ByAutograd(vae, N))
    for found, expected in zip(
        by_hand(likelihood, beta), by_autograd(likelihood, beta), strict=True
    ):
        assert_close(found, expected)
    assert_close(by_hand.flat, by_autograd.flat)


def test_the_network_is_read_where_it_stands():
    vae, likelihood = network(), BLOCKS["diag"]
    by_hand = fill(ByHand(vae, N))
    by_hand(likelihood, 1.0)
    before = by_hand.flat.clone()
    vae.flat.mul_(1.1)
    by_hand(likelihood, 1.0)
    moved = by_hand.flat.clone()
    fresh = fill(ByHand(vae, N))
    fresh(likelihood, 1.0)
    assert torch.equal(moved, fresh.flat)
    assert not torch.equal(moved, before)


# ----------------------------------------------------------------- columns of levels


def mixed(holes, hidden=(7, 5), activation="silu"):
    """Return a network, a likelihood, rows, and the same with their holes filled."""
    rng, n_levels = np.random.default_rng(0), np.array([0, 3, 2, 0, 1, 2, 4])
    X = rng.integers(np.maximum(n_levels, 3 * (n_levels == 0)), size=(N, 7)).astype(
        float
    )
    X[rng.random(X.shape) < holes] = np.nan
    blocks = fit_blocks(X, n_levels)
    numbers, levels = np.split(X[:, blocks.order], [2], axis=1)
    target = torch.from_numpy(np.hstack([numbers - 1, blocks.scaled(levels)]))
    share = 1 - target.isnan().double().mean(dim=0) if holes else None
    variance = torch.tensor([0.5, 2.0]).double()
    of_numbers = Gaussian(variance, share=None if share is None else share[:2])
    likelihood = make_likelihood(of_numbers, blocks, share)
    vae = network(hidden, activation, n_features=target.shape[1])
    filled = torch.from_numpy(rng.normal(size=target.shape))
    return vae, likelihood, target, torch.where(target.isnan(), filled, target)


def find(way, vae, likelihood, target, filled, beta):
    """Return the gradient, the errors and the KL divergence."""
    gradient = way(vae, N, have_holes=bool(target.isnan().any()))
    generator = torch.Generator().manual_seed(1)
    gradient.x.copy_(filled)
    gradient.target.copy_(target)
    gradient.noise.copy_(torch.randn(N, K, generator=generator))
    error, kl = gradient(likelihood, beta)
    return gradient.flat, error, kl, gradient.noise


@pytest.mark.parametrize("holes", [0.0, 0.3])
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("hidden", DEPTHS[:3])
def test_of_a_mixed_table_both_find_the_same(hidden, beta, holes):
    case = mixed(holes, hidden)
    found, expected = (find(way, *case, beta)[:3] for way in (ByHand, ByAutograd))
    for of_hand, of_autograd in zip(found, expected, strict=True):
        assert_close(of_hand, of_autograd)


@pytest.mark.parametrize("holes", [0.0, 0.3])
@pytest.mark.parametrize("way", [ByHand, ByAutograd])
def test_of_a_mixed_table_it_is_autograd_of_what_is_observed(way, holes):
    vae, likelihood, target, filled = mixed(holes)
    found, error, kl, noise = find(way, vae, likelihood, target, filled, 0.5)
    found, error = found.clone(), error.clone()
    vae.zero_grad()
    mean, log_var = vae.encode(filled)
    decoded = vae.decode(mean + (0.5 * log_var).exp() * noise)
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
        of_levels = torch.distributions.Categorical(logits=decoded[rows, part])
        shares = likelihood.indicators[1].center[first - 4 : first - 4 + size]
        level = (target[rows, part] + shares).argmax(dim=1)
        fit += of_levels.log_prob(level).sum()
    carried = kl_divergence(mean, log_var).sum(dim=1).mean()
    (0.5 * carried - fit / N).backward()
    for name, grad in vae.architecture.views(found).items():
        assert_close(grad, vae.parts[name].grad)
    assert_close(kl, carried.detach())
    assert_close(likelihood.expected_log_prob(error), fit.detach() / N)


# ------------------------------------------------------------------------ its cost


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_step_needs_no_memory(activation):
    """Beyond a few bytes for the numbers that steps differ in."""
    vae = network((32, 16), activation, torch.float32)
    likelihood = Gaussian(torch.ones(D), floor=torch.full((D,), 1e-6), shared=True)
    by_hand = fill(ByHand(vae, N))

    def step():
        error, _ = by_hand(likelihood, 1.0)
        likelihood.track(error, 0.05)

    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    taken = [e.cpu_memory_usage for e in profiled.events() if e.cpu_memory_usage > 0]
    assert not taken


# ------------------------------------------------------------------------ the choice


@pytest.mark.parametrize(
    ("device", "chosen"), [("cpu", ByHand), ("cuda", ByHand), ("mps", ByAutograd)]
)
def test_one_place_chooses_by_device(device, chosen, monkeypatch):
    made = []
    for name in ("ByHand", "ByAutograd"):
        monkeypatch.setattr(
            gradient_module, name, lambda *_, name=name: made.append(name)
        )

    class Elsewhere:
        flat = type("Flat", (), {"device": torch.device(device)})

    gradient_of(Elsewhere, N)
    assert made == [chosen.__name__]
