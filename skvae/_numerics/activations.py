"""Activations of hidden layers, and their gradients, into memory that is there."""

from collections.abc import Callable

import torch

aten = torch.ops.aten

# Name: the activation, and its gradient in place: (grad, before, after) -> grad.
ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "elu": (
        aten.elu.out,
        lambda grad, _, after: aten.elu_backward.grad_input(
            grad, 1.0, 1.0, 1.0, True, after, grad_input=grad
        ),
    ),
    "gelu": (
        aten.gelu.out,
        lambda grad, before, _: aten.gelu_backward.grad_input(
            grad, before, grad_input=grad
        ),
    ),
    "relu": (
        lambda before, out: torch.clamp_min(before, 0, out=out),
        lambda grad, before, _: aten.threshold_backward.grad_input(
            grad, before, 0.0, grad_input=grad
        ),
    ),
    "silu": (
        aten.silu.out,
        lambda grad, before, _: aten.silu_backward.grad_input(
            grad, before, grad_input=grad
        ),
    ),
    "tanh": (
        aten.tanh.out,
        lambda grad, _, after: aten.tanh_backward.grad_input(
            grad, after, grad_input=grad
        ),
    ),
}


def pass_layers(hidden, slopes, layers, activation):
    """Pass rows through hidden layers, and their slopes in some directions.

    Parameters
    ----------
    hidden : Tensor of shape (n, n_in)
    slopes : list of Tensor of shape (n, n_in)
    layers : iterable of pairs of Tensor
        Weights, (n_in, n_out), and biases, (n_out,).
    activation : str

    Returns
    -------
    hidden : Tensor of shape (n, n_out)
    slopes : list of Tensor of shape (n, n_out)
    """
    activate, gradient = ACTIVATIONS[activation]
    for weight, bias in layers:
        before = torch.addmm(bias, hidden, weight)
        hidden = activate(before, out=torch.empty_like(before))
        slopes = [gradient(slope @ weight, before, hidden) for slope in slopes]
    return hidden, slopes
