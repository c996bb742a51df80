"""A linear correction of what a decoder makes of posterior means.

A posterior mean is shrunk towards the prior, so that decoding it falls short of the
row; with the linear VAE this map turns the reconstruction into PCA's
(Tipping & Bishop 1999, section 3.3).
"""

import torch

from skvae._linear.moments import n_observed, observed_mean
from skvae._numerics.missing import have_missing

RIDGE = 1e-6


def fit_readout(z, residual):
    """Return the least-squares map from z to what the decoder leaves of the rows.

    Parameters
    ----------
    z : Tensor of shape (n, k)
        Posterior means.
    residual : Tensor of shape (n, d)
        NaN where an entry is missing, which counts as being like the others.

    Returns
    -------
    Tensor of shape (k + 1, d)
        The intercept, then the weights.
    """
    z, residual = z.double(), residual.double()
    z_mean, residual_mean = z.mean(dim=0), observed_mean(residual)
    centred, deviation = z - z_mean, residual - residual_mean
    ridge = RIDGE * torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    gram = centred.T @ centred / len(z) + ridge
    if have_missing(residual):
        deviation = deviation.nan_to_num(0.0) * (len(z) / n_observed(residual))
    weights = torch.linalg.solve(gram, centred.T @ deviation / len(z))
    return torch.cat([(residual_mean - z_mean @ weights)[None], weights])
