"""How the noise varies with z: each column's variance where a row is, over its mean.

Where a table's values are large its errors mostly are too. A variance that is trained
along with the means hurts them (Seitzer et al. 2022), so this one is fitted to squared
errors afterwards: a gamma regression with a logarithmic link (Smyth 1989).
"""

import torch

REACH = 3.0  # standard deviations of z, beyond which the variance hardly changes
BOUND = 3.0  # of the logarithm of the factor
RIDGES = 300.0, 30.0, 3.0  # worth so many rows that show the mean variance
STEPS = 6


class Dispersion:
    """The factor of each column's noise variance at z.

    Parameters
    ----------
    coefficients : Tensor of shape (2 * k + 1, d)
        Of 1, z and its squares; see `features`.
    ridge : float
        With which they were fitted, in rows.
    """

    def __init__(self, coefficients, ridge):
        self.coefficients, self.ridge = coefficients, ridge

    def arguments(self):
        """Return what makes the same dispersion, as plain values."""
        return self.coefficients.numpy(), self.ridge

    def factor(self, z):  # (..., k) -> (..., d)
        return _bounded(features(z) @ self.coefficients).exp()


def features(z):  # (..., k) -> (..., 2 * k + 1)
    """Return what the logarithm of the variance is linear in: 1, z and its squares.

    Of a z that grows no more far out.
    """
    z = z * (1 + (z / REACH).square()).rsqrt()
    return torch.cat([torch.ones_like(z[..., :1]), z, z.square()], dim=-1)


def fit_dispersion(z, error, ridge, start=None):
    """Fit to squared errors by Fisher's scoring, each column for itself.

    A step is shortened while it makes the penalised likelihood worse.

    Parameters
    ----------
    z : Tensor of shape (n_draws, n, k)
        Draws from the posteriors of n rows.
    error : Tensor of shape (n_draws, n, d)
        Squared errors of what they decode to; only the shape over rows matters.
    ridge : float
        In rows.
    start : Dispersion, optional
        To start from, instead of a constant variance.

    Returns
    -------
    Dispersion
    """
    x, ratio = features(z).flatten(0, 1), error.flatten(0, 1)
    ratio = ratio / ratio.mean(dim=0).clamp(min=torch.finfo(ratio.dtype).tiny)
    penalty = torch.full_like(x[0], ridge * len(z))[:, None]
    penalty[0] = 0
    factor = torch.linalg.cholesky(x.T @ x + torch.diag(penalty[:, 0]))
    best = x.new_zeros(x.shape[1], ratio.shape[1])
    if start is not None:
        best = start.coefficients

    def evaluate(coefficients):
        log_factor = _bounded(x @ coefficients)
        scaled = ratio * (-log_factor).exp()
        loss = (scaled + log_factor).sum(dim=0)
        loss += (penalty * coefficients.square()).sum(dim=0)
        return log_factor, scaled, loss

    log_factor, scaled, loss = evaluate(best)
    length = torch.ones_like(loss)
    for _ in range(STEPS):
        slope = 1 - (log_factor / BOUND).square()
        gradient = x.T @ ((scaled - 1) * slope) - penalty * best
        tried = best + length * torch.cholesky_solve(gradient, factor)
        found = evaluate(tried)
        better = found[2] < loss
        best = torch.where(better, tried, best)
        log_factor, scaled, loss = (
            torch.where(better, new, old)
            for new, old in zip(found, (log_factor, scaled, loss), strict=True)
        )
        length = torch.where(better, length, length / 4)
    return Dispersion(best, ridge)


def _bounded(log_factor):
    return BOUND * torch.tanh(log_factor / BOUND)
