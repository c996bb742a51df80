"""The best linear VAE of a covariance: probabilistic PCA and factor analysis.

A covariance is (d, d), or where rows are fewer than columns a root of it, (n, d).
"""

import numpy as np
import torch
from scipy.optimize import minimize

from skvae._linear.vae import with_encoder
from skvae._numerics.linalg import eigh, orthogonal_rows

MOST_COLUMNS_TWICE = 200  # that factor analysis is optimised from two starts for
MOST_STEPS = 200  # of that optimisation
MOST_UNITS = 1e3  # ratio of units beyond which a covariance loses the small columns


def best_linear_vae(
    noise, center, scatter, rank, n_components, least, start=None, units=1.0
):
    """Return the most likely linear VAE of a covariance.

    Parameters
    ----------
    noise : {"spherical", "diag"}
    center : Tensor of shape (d,)
    scatter : Tensor of shape (d, d), or (n, d) with n < d
        The covariance, or a root of it.
    rank : int
        The most that it can have.
    n_components : int
    least : Tensor of shape (d,)
        The least noise variance.
    start : Tensor of shape (d,), optional
        A noise variance that factor analysis starts from.
    units : Tensor of shape (d,) or float, default=1.0
        That columns are multiplied by where "spherical" noise is equal, as PCA's is.

    Returns
    -------
    LinearVAE
    """
    if noise == "spherical":
        units = units * torch.ones_like(center)
        given = scatter, rank, n_components, least, units
        loadings, noise_variance = _ppca(*given)
    else:
        loadings, noise_variance = _factor_analysis(scatter, n_components, least, start)
    return with_encoder(loadings, center, noise_variance, n_components)


def principal_axes(scatter):
    """Return variances, largest first, and unit directions as rows."""
    n, n_features = scatter.shape
    if n == n_features:
        variances, directions = eigh(scatter)
    else:
        variances, left = eigh(scatter @ scatter.T)
        directions = left @ scatter
        norms = torch.linalg.vector_norm(directions, dim=1, keepdim=True)
        directions = directions / norms.where(norms > 0, 1.0)
    return variances.clamp(min=0), directions


def _axes_in_units(scatter, units):
    """Return the principal axes of columns that are multiplied by their units.

    The covariance is precise for each column, whatever its unit, and so are the axes.
    """
    is_root = len(scatter) < len(units)
    if units.max() <= MOST_UNITS * units.min():
        scatter = scatter * units
        return principal_axes(scatter if is_root else scatter * units[:, None])
    root = scatter
    if not is_root:
        values, vectors = eigh(scatter)
        root = values.clamp(min=0).sqrt()[:, None] * vectors
    order = units.argsort(descending=True, stable=True)
    rows = torch.linalg.qr(root[:, order] * units[order]).R
    rows = orthogonal_rows(rows)[:, order.argsort()]
    lengths = torch.linalg.vector_norm(rows, dim=1)
    return lengths.square(), rows / lengths.where(lengths > 0, 1.0)[:, None]


def _ppca(scatter, rank, n_components, least, units):
    """Tipping & Bishop (1999), equations 14 and 15, with PCA's divisors.

    n - 1 for the variances; and the noise is the mean of those discarded variances that
    the rows can have. Where rows are fewer than columns that is more than the most
    likely noise, and nearer to what other rows show.
    """
    n_features = scatter.shape[1]
    variances, directions = _axes_in_units(scatter, units)
    n_discarded = rank - n_components
    if n_discarded > 0:
        noise = variances[n_components:].sum() / n_discarded
    elif len(variances) >= n_features:
        # Any noise up to the least variance gives the same full-rank Gaussian.
        noise = variances[rank - 1] / 2
    else:
        noise = variances.new_zeros(())
    noise = noise.maximum((least * units.square()).max())
    kept = slice(0, min(n_components, len(variances)))
    signal = (variances[kept] - noise).clamp(min=0).sqrt()
    return signal[:, None] * directions[kept] / units, noise / units.square()


def _factor_analysis(scatter, n_components, least, start):
    """Joreskog (1967): profile the loadings out, optimise the log noise variances.

    The likelihood has several maxima, so the better of two is taken.
    """
    n, n_features = scatter.shape
    is_root = n < n_features
    diagonal = (scatter**2).sum(dim=0) if is_root else scatter.diagonal().clone()
    variance = diagonal.where(diagonal > 0, 1.0).maximum(2 * least)
    k = min(n_components, n_features)

    def loadings(psi):  # (k, d)
        root = psi.sqrt()
        whitened = scatter / root if is_root else scatter / torch.outer(root, root)
        eigenvalues, directions = (part[:k] for part in principal_axes(whitened))
        signal = (eigenvalues - 1).clamp(min=0).sqrt()
        return signal[:, None] * directions * root, eigenvalues.clamp(min=1)

    def objective(log_psi):  # twice the mean negative log-likelihood, up to a constant
        log_psi = torch.from_numpy(log_psi)
        psi = log_psi.exp()
        w, kept = loadings(psi)
        value = log_psi.sum() + kept.log().sum() - (kept - 1).sum()
        value += (diagonal / psi).sum()
        slope = ((w**2).sum(dim=0) + psi - diagonal) / psi
        return float(value), slope.numpy()

    unexplained = 1 / _pseudo_inverse_diagonal(scatter).clamp(min=1e-12)
    starts = [(1 - 0.5 * k / n_features) * unexplained, variance]  # two may end apart
    if start is not None:
        starts = [start]
    bounds = torch.stack([least, variance], dim=1).log().numpy()
    found = [
        minimize(
            objective,
            start.maximum(2 * least).minimum(variance).log().numpy(),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": MOST_STEPS},
        )
        for start in starts[: 2 if n_features <= MOST_COLUMNS_TWICE else 1]
    ]
    best = min(found, key=lambda result: result.fun).x
    psi = torch.from_numpy(np.asarray(best)).exp()
    return loadings(psi)[0], psi


def _pseudo_inverse_diagonal(scatter):
    variances, directions = principal_axes(scatter)
    least = variances[0] * len(variances) * torch.finfo(variances.dtype).eps
    kept = variances > least
    return (directions[kept] ** 2 / variances[kept, None]).sum(dim=0)
