"""A linear correction of what a decoder makes of posterior means.

A posterior mean is shrunk towards the prior, so that decoding it falls short of the
row; with the linear VAE this map turns the reconstruction into PCA's
(Tipping & Bishop 1999, section 3.3).
"""

import torch

from skvae._linear.moments import observed_mean
from skvae._numerics.chunks import slices
from skvae._numerics.missing import have_missing

RIDGE = 1e-6
RIDGE_ROWS = 10.0  # that a column would be worth of which all entries were missing
CHUNK_ENTRIES = 2_000_000  # of products of the components, and of their sums


def fit_readout(z, residual):
    """Return the least-squares map from z to what the decoder leaves of the rows.

    Parameters
    ----------
    z : Tensor of shape (n, k)
        Posterior means.
    residual : Tensor of shape (n, d)
        NaN where an entry is missing. A column's map is that of the rows that have it,
        and the smaller, the fewer they are.

    Returns
    -------
    Tensor of shape (k + 1, d)
        The intercept, then the weights.
    """
    z, residual = z.double(), residual.double()
    if have_missing(residual):
        return _fit_observed(z, residual)
    z_mean, residual_mean = z.mean(dim=0), observed_mean(residual)
    centred, deviation = z - z_mean, residual - residual_mean
    ridge = RIDGE * torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    gram = centred.T @ centred / len(z) + ridge
    weights = torch.linalg.solve(gram, centred.T @ deviation / len(z))
    return torch.cat([(residual_mean - z_mean @ weights)[None], weights])


def _fit_observed(z, residual):
    """Return each column's ridge regression over the rows that have it."""
    n_maps = z.shape[1] + 1
    size = max(CHUNK_ENTRIES // n_maps**2, 1)
    z = torch.cat([torch.ones_like(z[:, :1]), z], dim=1)
    weights = z.new_empty(n_maps, residual.shape[1])
    for columns in slices(residual.shape[1], size):
        weights[:, columns] = _fit_some(z, residual[:, columns], size)
    return weights


def _fit_some(z, residual, size):
    observed = (~residual.isnan()).double()
    residual = residual.nan_to_num(0.0)
    gram = z.new_zeros(residual.shape[1], z.shape[1] ** 2)
    for rows in slices(len(z), size):
        products = z[rows, :, None] * z[rows, None, :]
        gram += observed[rows].T @ products.flatten(1)
    share_missing = 1 - observed.mean(dim=0)
    ridge = (RIDGE * len(z) + RIDGE_ROWS * share_missing)[:, None].repeat(1, z.shape[1])
    ridge[:, 0] = RIDGE  # of the intercept, where no row has the column
    gram = gram.unflatten(1, (z.shape[1], z.shape[1])) + torch.diag_embed(ridge)
    return torch.linalg.solve(gram, (residual.T @ z)[:, :, None]).squeeze(2).T
