"""Logits for a linear VAE: where the network's decoder starts, in columns of levels.

The linear VAE takes indicators for numbers. Given its posteriors, each column's logits
are a logistic regression on z, which Bohning's bound of its curvature (1992) makes a
repeated least squares, of all columns at once.
"""

from dataclasses import replace

import numpy as np

from skvae._layout import MOST_LOGIT
from skvae._numerics.linalg import product, solve

MOST_ROWS = 5_000  # that the regressions are fitted to
STEPS = 30
RIDGE = 1.0  # rows that show no slope


def with_link(linear, x, blocks):
    """Return a linear VAE with the bias and the weights of what p(x|z) starts from.

    Parameters
    ----------
    linear : LinearVAE
    x : ndarray of shape (n, d)
        The rows that it was fitted to, in random order.
    blocks : Blocks

    Returns
    -------
    LinearVAE
    """
    x = x[:MOST_ROWS].astype(np.float64)
    z = linear.encode(x)
    noise = np.random.RandomState(0).normal(size=z.shape)
    z = np.column_stack([np.ones(len(z)), z + np.exp(0.5 * linear.log_var) * noise])
    indicators = x[:, blocks.n_numbers :] * blocks.spread + blocks.shares
    weights = np.zeros((z.shape[1], indicators.shape[1]))
    weights[0] = _logit(blocks)
    penalty = np.full(len(weights), RIDGE)
    penalty[0] = 1e-6
    gram, start = product(z.T, z), weights.copy()
    binary, levels = np.split(np.arange(len(blocks.shares)), [blocks.n_binary])
    for _ in range(STEPS):
        residual = indicators - _probability(product(z, weights), blocks)
        gradient = product(z.T, np.nan_to_num(residual))
        gradient -= penalty[:, None] * (weights - start)
        for curvature, of in ((0.25, binary), (0.5, levels)):  # at most
            step = solve(curvature * gram + np.diag(penalty), gradient[:, of])
            weights[:, of] += step
    numbers = np.vstack([linear.decoder_bias, linear.decoder])[:, : blocks.n_numbers]
    link = np.hstack([numbers, weights])
    return replace(linear, link=link, log_var=_log_var(linear, link, blocks))


def _log_var(linear, link, blocks):
    """No posterior is surer than logits let it be, each as at its level's share."""
    told = blocks.shares * (1 - blocks.shares)
    told = np.concatenate([1 / linear.noise_variance[: blocks.n_numbers], told])
    told = np.square(link[1:]) @ told
    return np.maximum(linear.log_var, -np.log1p(told))


def _logit(blocks):
    """Logits of the levels' shares."""
    share = np.clip(blocks.shares, 1e-9, 1 - 1e-9)
    odds = np.where(np.arange(len(share)) < blocks.n_binary, share / (1 - share), share)
    return np.log(odds)


def _probability(logits, blocks):
    """As Bernoulli and Categorical have it."""
    odds = np.exp(np.clip(logits, -MOST_LOGIT, MOST_LOGIT))
    binary, levels = np.split(odds, [blocks.n_binary], axis=1)
    if blocks.sizes:
        first = np.cumsum((0, *blocks.sizes[:-1]))
        totals = np.add.reduceat(levels, first, axis=1)
        levels = levels / np.repeat(totals, blocks.sizes, axis=1)
    return np.hstack([binary / (1 + binary), levels])
