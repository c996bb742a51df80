"""Where the decoder starts in columns of indicators: logits for a linear VAE.

The linear VAE takes indicators for numbers. Given its posteriors, each column's logits
are a logistic regression on z, which Bohning's bound of its curvature (1992) makes a
repeated least squares, of all columns at once.
"""

from dataclasses import replace

import numpy as np
import torch

from skvae._likelihoods.mixed import indicator_blocks

MOST_ROWS = 5_000  # that the regressions are fitted to
MOST_ENTRIES, LEAST_ROWS = 5_000_000, 1_000  # of wide tables
STEPS = 16
RIDGE = 1.0  # worth so many rows without a slope


def with_logits(linear, x, layout):
    """Return a linear VAE with the bias and the weights of what p(x|z) starts from.

    Parameters
    ----------
    linear : LinearVAE
    x : Tensor of shape (n, d)
        The rows that it was fitted to, in random order.
    layout : Layout

    Returns
    -------
    LinearVAE
    """
    n_numeric = layout.n_numeric
    n_rows = max(MOST_ENTRIES // x.shape[1], LEAST_ROWS)
    x = x[: min(n_rows, MOST_ROWS)].double()
    z = linear.posterior_mean(x)
    draws = torch.from_numpy(np.random.RandomState(0).normal(size=z.shape))
    z = z + (0.5 * linear.log_var).exp() * draws
    z = torch.cat([torch.ones_like(z[:, :1]), z], dim=1)
    blocks = indicator_blocks(layout, z)
    weights = regress_logits(z, x[:, n_numeric:], blocks, bias=0)
    output_map = torch.cat([linear.output_map[:, :n_numeric], weights], dim=1)
    shares = torch.cat([block.center for block in blocks])
    log_var = _log_var(linear, output_map, shares)
    return replace(linear, output_map=output_map, log_var=log_var)


def regress_logits(z, x, blocks, bias):
    """Return weights of the logits of each block's indicators; one is the bias's.

    Each step goes on a little in the direction of the last (Nesterov 1983), but not
    where the gradient points back (O'Donoghue & Candes 2015).
    """
    widths = [len(block.center) for block in blocks]
    penalty = z.new_full((z.shape[1],), RIDGE)
    penalty[bias] = 1e-6
    gram, ridge = z.T @ z, torch.diag(penalty)
    weights = z.new_zeros(z.shape[1], sum(widths))
    weights[bias] = torch.cat([block.start() for block in blocks])
    start, ahead, pace = weights, weights, 1.0
    spread = torch.cat([block.spread for block in blocks])
    indicators = x * spread + torch.cat([block.center for block in blocks])
    indicators = indicators.split(widths, dim=1)
    for _ in range(STEPS):
        parts = zip(blocks, indicators, (z @ ahead).split(widths, dim=1), strict=True)
        pull = torch.cat([block.pull(x, decoded) for block, x, decoded in parts], dim=1)
        slope = z.T @ pull.nan_to_num_(0.0) - penalty[:, None] * (ahead - start)
        slopes = zip(blocks, slope.split(widths, dim=1), strict=True)
        step = [
            torch.linalg.solve(block.curvature * gram + ridge, of_block)
            for block, of_block in slopes
        ]
        before, weights = weights, ahead + torch.cat(step, dim=1)
        move = weights - before
        last, pace = pace, (1 + (1 + 4 * pace**2) ** 0.5) / 2
        if (slope * move).sum() < 0:
            last, pace = 1.0, 1.0
        ahead = weights + (last - 1) / pace * move
    return weights


def _log_var(linear, output_map, shares):
    """Return log-variances of posteriors that are no surer than the logits make them.

    The information of an indicator is taken at its category's share of the rows.
    """
    n_numeric = output_map.shape[1] - len(shares)
    of_numeric = 1 / linear.noise_variance[:n_numeric]
    information = torch.cat([of_numeric, shares * (1 - shares)])
    information = output_map[1:].square() @ information
    return linear.log_var.maximum(-torch.log1p(information))
