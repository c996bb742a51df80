"""The best linear VAE of some rows, where training starts.

A linear VAE's global optimum is probabilistic PCA (Lucas et al. 2019), and with one
noise variance per column it is factor analysis. Either solution is returned in the
rotation whose posterior is diagonal, so that a diagonal Gaussian encoder represents it
exactly and its ELBO equals its log-likelihood. Where entries are missing, NaN, it is
found by expectation-maximisation over them.
"""

from math import inf

import torch

from skvae._linear.closed_form import best_linear_vae
from skvae._linear.moments import least_noise, n_observed, observed_mean, scatter
from skvae._linear.vae import with_encoder
from skvae._numerics.linalg import leading_right_singular
from skvae._numerics.missing import have_missing

MOST_STEPS, LEAST_GAIN = 100, 1e-3  # of expectation-maximisation; in nats a row
HIDDEN_ROWS = 5_000  # that the covariance of what is missing is added up over, or folds
LEAST_HIDDEN_ROWS, HIDDEN_PRODUCTS = 200, 2_000_000_000  # for which wide tables do
LEAST_GAIN_COLUMNS = 10  # in a wider table each column may gain as much
MOST_EXACT = 1_000  # columns, indicators among them
WIDE_ENTRIES, LEAST_WIDE_ROWS = 20_000_000, 1_000  # that wider tables are fitted to


def fit_linear_vae(x, n_components, noise, floor, n_dependent=0, units=1.0):
    """Return the maximum-likelihood linear VAE of the rows of ``x``.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Standardised rows.
    n_components : int
        May exceed the number of columns or the rank: the rest stay empty, that is, at
        the prior.
    noise : {"spherical", "diag"}
        Probabilistic PCA or factor analysis.
    floor : float
        The least noise variance, as a share of a column's variance.
    n_dependent : int
        Number of columns that the others determine, such as the last indicator of each
        categorical column.
    units : Tensor of shape (d,) or float, default=1.0
        That columns are multiplied by where "spherical" noise is equal, as PCA's is.

    Returns
    -------
    LinearVAE
    """
    least, most = least_noise(x, noise, floor, units), x.shape[1] - n_dependent
    if have_missing(x):
        return _fit_incomplete(x, n_components, noise, least, most, units)
    center = observed_mean(x)
    covariance = scatter(x, center, _divisor(noise, len(x)))
    rank = min(len(x), most)
    return best_linear_vae(
        noise, center, covariance, rank, n_components, least, units=units
    )


def fit_wide_linear_vae(x, n_components, floor, n_dependent=0, units=1.0):
    """As `fit_linear_vae` with spherical noise, in time linear in the columns.

    It is for a table of so many categories that the start may be less than the best:
    missing entries count as the mean, the last components may be mixed with the next,
    and of many rows, which are in random order, the first are enough.
    """
    least = least_noise(x, "spherical", floor, units)
    units = units * torch.ones_like(least)
    center = observed_mean(x)
    some = x[: max(WIDE_ENTRIES // x.shape[1], LEAST_WIDE_ROWS)]
    root = (some - center).nan_to_num_(0.0)
    root /= _divisor("spherical", len(some)) ** 0.5
    root /= (n_observed(x) / len(x)).sqrt()
    root *= units
    rank = min(len(x), x.shape[1] - n_dependent)
    k = min(n_components, rank - 1, len(some) - 1)
    values, directions = leading_right_singular(root, k)
    variances = values**2
    noise = (root.square().sum() - variances.sum()) / (rank - k)
    noise = noise.maximum((least * units.square()).max())
    signal = (variances - noise).clamp(min=0).sqrt()
    loadings, noise_variance = signal[:, None] * directions / units, noise / units**2
    return with_encoder(loadings, center, noise_variance, n_components)


def _divisor(noise, n):
    """Return what PCA or factor analysis divide sums of squares over n rows by."""
    return max(n - 1, 1) if noise == "spherical" else n


def _fit_incomplete(x, n_components, noise, least, most, units):
    """Fit to rows with missing entries: each step is the fit to a covariance.

    That is the one that is expected under the last step (as Dempster et al. 1977 have
    it for a normal distribution), of a rank at most. The likeliest is kept: with few
    rows a later step may overrun.
    """
    n, d = x.shape
    divisor, center = _divisor(noise, n), observed_mean(x)
    filled = torch.where(x.isnan(), center, x)
    covariance, rank = scatter(filled, center, divisor), min(n, most)
    best, best_score, start = None, -inf, None
    for _ in range(MOST_STEPS):
        linear = best_linear_vae(
            noise, center, covariance, rank, n_components, least, start, units
        )
        center, covariance, score = _expected(linear, x)
        gain = score - best_score
        if gain > 0:
            best, best_score = linear, score
        if gain < LEAST_GAIN * max(d / LEAST_GAIN_COLUMNS, 1):
            break
        # What is missing has noise in all directions.
        covariance, rank = covariance * n / divisor, most
        start = linear.noise_variance
    return best


def _expected(linear, x):
    """Return the expected mean and covariance of rows, and the mean log-density."""
    missing = x.isnan()
    has_missing, gappy = missing.any(dim=1), missing.any(dim=0).nonzero().squeeze(1)
    complete = x[~has_missing]
    centred = complete - linear.decoder_bias
    total, squares = centred.sum(dim=0), centred.T @ centred
    score = linear.log_density(complete).sum()
    spread, n_spread = squares.new_zeros(len(gappy), len(gappy)), 0
    enough = HIDDEN_PRODUCTS // (len(linear.decoder) * max(len(gappy), 1) ** 2)
    enough = min(max(enough, LEAST_HIDDEN_ROWS), HIDDEN_ROWS)
    for part in linear.given(x[has_missing].double()):
        centred = part.filled() - linear.decoder_bias
        total += centred.sum(dim=0)
        squares += centred.T @ centred
        score += part.log_density.sum()
        if n_spread < enough:  # in random order, as all rows are
            some = slice(enough - n_spread)
            hidden = part.x[some].isnan()[:, None, gappy]
            root = (part.root_spread(some)[:, :, gappy] * hidden).flatten(0, 1)
            n_spread += len(hidden)
            spread += root.T @ root
    mean = total / len(x)
    covariance = squares / len(x) - torch.outer(mean, mean)
    share = has_missing.double().mean()
    covariance[gappy[:, None], gappy] += spread / n_spread * share
    share = missing.double().mean(dim=0)
    covariance += torch.diag(share * linear.noise_variance)
    return mean + linear.decoder_bias, covariance, float(score) / len(x)
