"""Means, variances and covariances of rows, added up over chunks of them.

Rows are tensors of either precision; sums are in double precision, some rows at a time,
since all of them would take twice the memory of a table in single precision.
"""

import torch

from skvae._numerics.chunks import slices
from skvae._numerics.missing import have_missing

CHUNK_ROWS = 4096


def observed_mean(x):  # (n, d) -> (d,)
    """Return the mean of each column's observed entries; 0 without any."""
    total = x.new_zeros(x.shape[1], dtype=torch.float64)
    if have_missing(x):
        for rows in slices(len(x), CHUNK_ROWS):
            total += x[rows].double().nansum(dim=0)
        return total / n_observed(x)
    for rows in slices(len(x), CHUNK_ROWS):
        total += x[rows].double().sum(dim=0)
    return total / max(len(x), 1)


def n_observed(x):  # (n, d) -> (d,)
    """Count each column's observed entries, at least 1."""
    return (len(x) - x.isnan().sum(dim=0)).clamp(min=1).double()


def variance(x):  # (n, d) -> (d,)
    """Return the variance of each column's observed entries."""
    center, have_gaps = observed_mean(x), have_missing(x)
    total = torch.zeros_like(center)
    for rows in slices(len(x), CHUNK_ROWS):
        squares = (x[rows] - center) ** 2
        total += squares.nansum(dim=0) if have_gaps else squares.sum(dim=0)
    return total / (n_observed(x) if have_gaps else len(x))


def scatter(x, center, divisor):
    """Return the covariance, (d, d), or where rows are fewer a root of it, (n, d)."""
    n, n_features = x.shape
    if n < n_features:
        return (x - center) / divisor**0.5
    total = center.new_zeros(n_features, n_features)
    for rows in slices(n, CHUNK_ROWS):
        centred = x[rows] - center
        total += centred.T @ centred
    return total / divisor


def shared_noise(variance, units=1.0):  # (d,) -> (d,)
    """Return the noise that all columns share: in their units it is their mean."""
    squares = units**2
    return ((variance * squares).mean() / squares).expand_as(variance)


def least_noise(x, noise, floor, units=1.0):
    """Return the least noise variance of each column, a share of its own variance.

    Parameters
    ----------
    x : Tensor of shape (n, d)
    noise : {"spherical", "diag"}
        If "spherical" it is a share of the columns' mean variance.
    floor : float
        The share. A variance of 0 counts as 1.
    units : Tensor of shape (d,) or float, default=1.0
        In which "spherical" noise is equal: it is then the share of the column with the
        smallest unit, which is known as precisely as the others.

    Returns
    -------
    Tensor of shape (d,)
    """
    of_columns = variance(x)
    if noise == "spherical" and len(of_columns):
        of_columns = of_columns.mean().expand_as(of_columns)
        units = torch.as_tensor(units, dtype=torch.float64, device=x.device)
        of_columns = of_columns * (units.min() / units).square()
    least = floor * of_columns.where(of_columns > 0, 1.0)
    return least.clamp(min=torch.finfo(torch.float32).tiny)
