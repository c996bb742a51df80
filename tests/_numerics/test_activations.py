"""Activations and their gradients: against torch's own, and autograd."""

import numpy as np
import pytest
import torch

from skvae._numerics.activations import ACTIVATIONS


def before():
    x = torch.linspace(-6, 6, 97, dtype=torch.float64, device="cpu")
    return torch.cat([x, x.new_tensor([-800.0, 800.0])]).reshape(9, 11)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_is_torchs_of_the_name(name):
    activate, _ = ACTIVATIONS[name]
    out = torch.empty_like(before())
    assert activate(before(), out=out) is out
    oracle = getattr(torch.nn.functional, name, None) or getattr(torch, name)
    assert torch.equal(out, oracle(before()))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients_are_those_of_autograd_and_take_the_place_of_what_comes_in(name):
    activate, gradient = ACTIVATIONS[name]
    x = before().requires_grad_()
    oracle = getattr(torch.nn.functional, name, None) or getattr(torch, name)
    incoming = torch.linspace(-2, 3, x.numel(), dtype=torch.float64, device="cpu")
    incoming = incoming.reshape(x.shape)
    oracle(x).backward(incoming)
    with torch.no_grad():
        after = activate(before(), out=torch.empty_like(x))
        given = incoming.clone()
        found = gradient(given, before(), after)
    assert found.data_ptr() == given.data_ptr()
    np.testing.assert_allclose(found, x.grad, rtol=1e-12, atol=1e-15)
