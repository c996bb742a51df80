"""Logits for a linear VAE: where the network's decoder starts, in columns of levels.

The linear VAE takes indicators for numbers. Given its posteriors, each column's logits
are a logistic regression on z, which Bohning's bound of its curvature (1992) makes a
repeated least squares, of all columns at once.
"""

from dataclasses import replace

import numpy as np
import torch

from skvae._likelihoods.gaussian import Categorical

MOST_ROWS = 5_000  # that the regressions are fitted to
STEPS = 30
RIDGE = 1.0  # rows that show no slope


def with_link(linear, x, blocks):
    """Return a linear VAE with the bias and the weights of what p(x|z) starts from.

    Parameters
    ----------
    linear : LinearVAE
    x : Tensor of shape (n, d)
        The rows that it was fitted to, in random order.
    blocks : Blocks

    Returns
    -------
    LinearVAE
    """
    x = x[:MOST_ROWS].double()
    spread, shares = (torch.from_numpy(a) for a in (blocks.spread, blocks.shares))
    z = linear.encode(x)
    draws = torch.from_numpy(np.random.RandomState(0).normal(size=z.shape))
    z = z + (0.5 * linear.log_var).exp() * draws
    z = torch.cat([torch.ones_like(z[:, :1]), z], dim=1)
    indicators = x[:, blocks.n_numbers :] * spread + shares
    weights = z.new_zeros(z.shape[1], indicators.shape[1])
    weights[0] = _logit(shares, blocks)
    penalty = z.new_full((len(weights),), RIDGE)
    penalty[0] = 1e-6
    gram, start = z.T @ z, weights.clone()
    binary, levels = slice(blocks.n_binary), slice(blocks.n_binary, None)
    for _ in range(STEPS):
        residual = indicators - _probability(z @ weights, blocks)
        gradient = z.T @ residual.nan_to_num(0.0)
        gradient -= penalty[:, None] * (weights - start)
        for curvature, of in ((0.25, binary), (0.5, levels)):  # at most
            bound = curvature * gram + torch.diag(penalty)
            weights[:, of] += torch.linalg.solve(bound, gradient[:, of])
    of_numbers = linear.output_map[:, : blocks.n_numbers]
    output_map = torch.cat([of_numbers, weights], dim=1)
    log_var = _log_var(linear, output_map, shares)
    return replace(linear, output_map=output_map, log_var=log_var)


def _log_var(linear, output_map, shares):
    """No posterior is surer than logits let it be, each as at its level's share."""
    n_numbers = output_map.shape[1] - len(shares)
    told = torch.cat([1 / linear.noise_variance[:n_numbers], shares * (1 - shares)])
    return linear.log_var.maximum(-torch.log1p(output_map[1:].square() @ told))


def _logit(shares, blocks):
    """Logits of the levels' shares."""
    share = shares.clamp(1e-9, 1 - 1e-9)
    odds = share.clone()
    odds[: blocks.n_binary] /= 1 - share[: blocks.n_binary]
    return odds.log()


def _probability(logits, blocks):
    """As Bernoulli and Categorical have it."""
    binary, levels = logits.split([blocks.n_binary, sum(blocks.sizes)], dim=1)
    categorical = Categorical(levels[0], levels[0], blocks.sizes)
    return torch.cat([binary.sigmoid(), categorical.probability(levels)], dim=1)
