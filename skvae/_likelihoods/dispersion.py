"""How the noise varies with z: each column's variance where a row is, over its mean.

Where a table's values are large its errors mostly are too. A variance that is trained
along with the means hurts them (Seitzer et al. 2022), so this one is fitted to squared
errors afterwards: a gamma regression with a logarithmic link (Smyth 1989).
"""

from math import pi, sqrt

import torch

from skvae._numerics.draws import spread_normal

WAVES, FREQUENCY = 40, 3.0  # on a map, whose regions differ; per unit of z
REACH = 3.0  # standard deviations, which z is bent to stay within
BOUND = 3.0  # of the logarithm of the factor
RIDGES = 300.0, 30.0, 3.0  # worth so many rows that show the mean variance
STEPS = 5  # of which the first is the start
LOG_CHI2 = -1.27  # mean of the logarithm of a squared standard normal
LEAST_RATIO = 1e-3  # of a squared error to its mean, whose logarithm is looked at


class Constant:
    """No dispersion: the noise variance is the same for every z."""

    is_fitted = False

    def arguments(self):
        """Return nothing: it is known without."""
        return ()

    def scale(self, variance, z):
        """Return the noise variance at z."""
        return variance


CONSTANT = Constant()


class Dispersion:
    """A factor of each column's noise variance that depends on z.

    Parameters
    ----------
    coefficients : Tensor of shape (2 * k + 1 + n_waves, d)
        Of 1, z, its squares and waves; see `features`.
    ridge : float
        With which they were fitted, in rows.
    """

    is_fitted = True

    def __init__(self, coefficients, ridge):
        self.coefficients, self.ridge = coefficients, ridge

    def arguments(self):
        """Return what makes the same dispersion, as plain values."""
        return self.coefficients.numpy(), self.ridge

    def scale(self, variance, z):  # (d,), (..., k) -> (..., d)
        """Return the noise variance at z."""
        return variance * self.factor(z)

    def factor(self, z):  # (..., k) -> (..., d)
        n_waves = len(self.coefficients) - 2 * z.shape[-1] - 1
        return _bounded(features(z, n_waves) @ self.coefficients).exp()


def features(z, n_waves=0):  # (..., k) -> (..., 2 * k + 1 + n_waves)
    """Return what the logarithm of the variance is linear in.

    1, z, its squares, and waves of fixed directions and phases. z is bent first, so
    that it stays within `REACH` however far out it lies.
    """
    z = z * (1 + (z / REACH).square()).rsqrt()
    parts = [torch.ones_like(z[..., :1]), z, z.square()]
    if n_waves:
        k = z.shape[-1]
        fixed = spread_normal(n_waves, k + 1).to(z)
        direction = fixed[:, :k].T * (FREQUENCY / sqrt(k))
        phase = 2 * pi * torch.special.ndtr(fixed[:, k])
        parts.append(torch.cos(z @ direction + phase))
    return torch.cat(parts, dim=-1)


def fit_dispersion(z, error, ridge, start=None, n_waves=0):
    """Fit to squared errors by Fisher's scoring, each column for itself.

    Parameters
    ----------
    z : Tensor of shape (n_draws, n, k)
        Draws from the posteriors of n rows.
    error : Tensor of shape (n_draws, n, d)
        Squared errors of what they decode to, above 0, or NaN. Their mean does not
        count.
    ridge : float
        In rows.
    start : Dispersion, optional
        To start from, instead of a regression of the errors' logarithms.
    n_waves : int

    Returns
    -------
    Dispersion
    """
    # In single precision: of what varies by a tenth or ten times it is enough.
    x, ratio = features(z, n_waves).flatten(0, 1).float(), error.flatten(0, 1)
    ratio = (ratio / ratio.nanmean(dim=0)).float()
    missing = ratio.isnan()
    penalty = torch.full_like(x[0], ridge * len(z))[:, None]
    penalty[0] = 0
    information = torch.linalg.cholesky(x.T @ x + torch.diag(penalty[:, 0]))

    def evaluate(coefficients):
        log_factor = _bounded(x @ coefficients)
        excess = (ratio * (-log_factor).exp()).sub_(1).masked_fill_(missing, 0)
        loss = (excess + log_factor.masked_fill_(missing, 0)).sum(dim=0)
        return excess, loss + 0.5 * (penalty * coefficients.square()).sum(dim=0)

    if start is None:
        log_ratio = ratio.clamp(min=LEAST_RATIO).log() - LOG_CHI2
        log_ratio.masked_fill_(missing, 0)
        first = torch.cholesky_solve(x.T @ log_ratio, information)
    else:
        first = start.coefficients.float()
    best = torch.zeros_like(first)
    excess, loss = evaluate(best)
    tried = first
    length = torch.full_like(loss, 4.0)  # 1 even where 0 is the better start
    for _ in range(STEPS):
        new_excess, new_loss = evaluate(tried)
        better = new_loss < loss
        best = torch.where(better, tried, best)
        excess = torch.where(better, new_excess, excess)
        loss = torch.where(better, new_loss, loss)
        length = torch.where(better, length, length / 4).clamp(max=1)
        # As if unbounded: where the bound is reached the exact gradient is 0.
        gradient = x.T @ excess - penalty * best
        tried = best + length * torch.cholesky_solve(gradient, information)
    return Dispersion(best.double(), ridge)


def _bounded(log_factor):
    return BOUND * torch.tanh(log_factor / BOUND)
