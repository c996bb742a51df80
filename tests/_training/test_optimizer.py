"""AdamW: torch's, but for a rate that rises and an epsilon under the root."""

import numpy as np
import pytest
import sympy  # noqa: F401  torch imports it late, and it adds a warning filter
import torch
from models import normal

from skvae._training import optimizer as optimizer_module
from skvae._training.optimizer import EPS, WARMUP_STEPS, AdamW

N, N_DECAYED, RATE, DECAY = 12, 7, 0.1, 0.3


def gradients(n_steps, dtype=torch.float64):
    return normal(n_steps, N, seed=1, dtype=dtype) * torch.logspace(-3, 3, N).to(dtype)


def follow(optimizer, steps):
    for gradient in steps:
        optimizer.step(gradient)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)]
)
@pytest.mark.parametrize("n_decayed", [0, N_DECAYED, N])
def test_it_is_torchs_but_for_its_rate(n_decayed, dtype, tolerance, monkeypatch):
    monkeypatch.setattr(optimizer_module, "EPS", 1e-36)  # torch adds its to the root
    start = normal(N, dtype=dtype)
    flat = start.clone()
    ours = AdamW(flat, n_decayed, RATE, DECAY)
    parts = start[:n_decayed].clone(), start[n_decayed:].clone()
    groups = [
        {"params": [part], "weight_decay": decay}
        for part, decay in zip(parts, (DECAY, 0.0), strict=True)
    ]
    oracle = torch.optim.AdamW(groups, betas=optimizer_module.BETAS, eps=1e-18)
    for step, gradient in enumerate(gradients(150, dtype), start=1):
        ours.step(gradient)
        for group in oracle.param_groups:
            group["lr"] = RATE * min(1.0, step / WARMUP_STEPS)
        parts[0].grad, parts[1].grad = gradient.split([n_decayed, N - n_decayed])
        oracle.step()
        np.testing.assert_allclose(flat, torch.cat(parts), rtol=0, atol=20 * tolerance)
    assert (flat - start).abs().median() > 0.1
    assert ours.n_steps == 150 > WARMUP_STEPS


def test_without_a_gradient_only_the_decayed_move():
    start = normal(N)
    flat = start.clone()
    AdamW(flat, N_DECAYED, RATE, DECAY).step(torch.zeros(N).double())
    shrunk = 1 - RATE / WARMUP_STEPS * DECAY
    np.testing.assert_allclose(flat[:N_DECAYED], shrunk * start[:N_DECAYED], rtol=1e-12)
    assert torch.equal(flat[N_DECAYED:], start[N_DECAYED:])


def test_a_gradient_far_below_epsilon_moves_little():
    flat = torch.zeros(2).double()
    AdamW(flat, 0, RATE, 0.0).step(torch.tensor([1.0, 1e-3 * EPS**0.5]).double())
    np.testing.assert_allclose(flat, [-RATE / WARMUP_STEPS, 0], atol=2e-6)


def test_what_it_returns_as_its_state_goes_on_alike():
    steps = gradients(60)
    flat = normal(N)
    whole = AdamW(flat, N_DECAYED, RATE, DECAY)
    follow(whole, steps[:25])
    state, moved = whole.state(), flat.clone()
    follow(whole, steps[25:])  # the state is a copy
    other = torch.empty_like(moved).copy_(moved)
    again = AdamW(other, N_DECAYED, 5 * RATE, DECAY)
    follow(again, steps[:3])
    other.copy_(moved)
    again.load(state)
    follow(again, steps[25:])
    assert torch.equal(other, flat)
    assert again.n_steps == whole.n_steps == 60
    assert again.learning_rate == RATE


def test_a_restart_is_a_new_one_at_a_lower_rate():
    steps = gradients(60)
    flat = normal(N)
    restarted = AdamW(flat, N_DECAYED, RATE, DECAY)
    follow(restarted, steps[:25])
    other = flat.clone()
    restarted.restart(0.1)
    follow(restarted, steps[25:])
    follow(AdamW(other, N_DECAYED, 0.1 * RATE, DECAY), steps[25:])
    assert torch.equal(flat, other)
