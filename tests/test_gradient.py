"""The gradient by hand is autograd's on the network, and needs no memory."""

from itertools import product

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from skvae import _gradient
from skvae._bounds import elbo, kl_divergence
from skvae._gradient import ByAutograd, ByHand, gradient_of
from skvae._likelihoods import Gaussian
from skvae._network import ACTIVATIONS, MAX_LOG_VAR, MLP_RANGE, VAE, Architecture

N, D, K = 20, 4, 3
DEPTHS = [(), (7,), (7, 5), (7, 5, 6), (7, 5, 6, 4)]
BLOCKS = {
    "spherical": Gaussian(torch.full((D,), 0.7).double(), floor=0.0, shared=True),
    "diag": Gaussian(torch.tensor([0.5, 1, 2, 0.7]).double(), floor=0.0, shared=False),
}
BETAS = [0.0, 0.5, 1.0]


def network(hidden=(7, 5), activation="silu", dtype=torch.float64):
    """All parameters non-zero; some posteriors as wide as may be."""
    architecture = Architecture(D, K, hidden, activation)
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
        monkeypatch.setattr(_gradient, name, lambda *_, name=name: made.append(name))

    class Elsewhere:
        flat = type("Flat", (), {"device": torch.device(device)})

    gradient_of(Elsewhere, N)
    assert made == [chosen.__name__]
