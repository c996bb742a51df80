"""The best linear VAE of some rows: probabilistic PCA and factor analysis.

A linear VAE's global optimum is probabilistic PCA (Lucas et al. 2019), and with one
noise variance per column it is factor analysis. Either solution is returned in the
rotation whose posterior is diagonal, so that a diagonal Gaussian encoder represents it
exactly and its ELBO equals its log-likelihood. Where entries are missing, NaN, it is
found by expectation-maximisation over them.
"""

import numpy as np
from scipy.optimize import minimize

from skvae._linear.vae import with_encoder
from skvae._numerics.linalg import eigh, leading_right_singular, product, solve
from skvae._numerics.missing import have_missing

CHUNK_ROWS = 4096
MOST_STEPS, LEAST_GAIN = 100, 1e-3  # of expectation-maximisation; in nats a row
HIDDEN_ROWS = 5_000  # that the covariance of what is missing is added up over, or folds
LEAST_HIDDEN_ROWS, HIDDEN_PRODUCTS = 200, 2_000_000_000  # for which wide tables do
LEAST_GAIN_COLUMNS = 10  # in a wider table each column may gain as much
MOST_EXACT = 1_000  # columns, indicators among them
MOST_COLUMNS_TWICE = 200  # that factor analysis is optimised from two starts for


def fit_linear_vae(x, n_components, noise, floor, n_dependent=0):
    """Return the maximum-likelihood linear VAE of the rows of ``x``.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Standardised rows.
    n_components : int
        May exceed the number of columns or the rank: the rest stay empty, that is, at
        the prior.
    noise : {"spherical", "diag"}
        Probabilistic PCA or factor analysis.
    floor : float
        The least noise variance, as a share of a column's variance.
    n_dependent : int
        Number of columns that the others determine, such as the last level of each run
        of indicators.

    Returns
    -------
    LinearVAE
    """
    least, most = least_noise(x, noise, floor), x.shape[1] - n_dependent
    if have_missing(x):
        return _fit_incomplete(x, n_components, noise, least, most)
    center = x.mean(axis=0, dtype=np.float64)
    scatter = _scatter(x, center, _divisor(noise, len(x)))
    rank = min(len(x), most)
    return _best(noise, center, scatter, rank, n_components, least)


def fit_wide_linear_vae(x, n_components, floor, n_dependent=0):
    """As `fit_linear_vae` with spherical noise, in time linear in the columns.

    Of a table of so many levels that the start may be less than the best: what is
    missing counts as the mean, and the last components may be mixed with the next.
    """
    least = least_noise(x, "spherical", floor)
    center = observed_mean(x)
    root = np.nan_to_num(x - center) / np.sqrt(_divisor("spherical", len(x)))
    root /= np.sqrt(_n_observed(x) / len(x))
    rank = min(len(x), x.shape[1] - n_dependent)
    k = min(n_components, rank - 1)
    values, directions = leading_right_singular(root, k)
    variances = values**2
    noise = (np.square(root).sum() - variances.sum()) / (rank - k)
    noise = np.maximum(noise, least)
    signal = np.sqrt(np.maximum(variances - noise[0], 0))
    return with_encoder(signal[:, None] * directions, center, noise, n_components)


def _divisor(noise, n):
    """Return what PCA or factor analysis divide sums of squares over n rows by."""
    return max(n - 1, 1) if noise == "spherical" else n


def _best(noise, center, scatter, rank, n_components, least, start=None):
    """Return the best linear VAE of a covariance.

    Parameters
    ----------
    noise : {"spherical", "diag"}
    center : ndarray of shape (d,)
    scatter : ndarray of shape (d, d), or (n, d) with n < d
        The covariance, or a root of it.
    rank : int
        The most that it can have.
    n_components : int
    least : ndarray of shape (d,)
        The least noise variance.
    start : ndarray of shape (d,), optional
        A noise variance that factor analysis starts from.
    """
    if noise == "spherical":
        loadings, noise_variance = _ppca(scatter, rank, n_components, least)
    else:
        loadings, noise_variance = _factor_analysis(scatter, n_components, least, start)
    return with_encoder(loadings, center, noise_variance, n_components)


def _fit_incomplete(x, n_components, noise, least, most):
    """Fit to rows with holes, their expected covariance, of a rank at most, at a time.

    (As Dempster et al. 1977 a normal distribution with holes.) The likeliest is kept:
    with few rows a later step may overrun.
    """
    n, d = x.shape
    divisor, center = _divisor(noise, n), observed_mean(x)
    filled = np.where(np.isnan(x), center, x)
    scatter, rank = _scatter(filled, center, divisor), min(n, most)
    best, best_score, start = None, -np.inf, None
    for _ in range(MOST_STEPS):
        arguments = center, scatter, rank, n_components, least, start
        linear = _best(noise, *arguments)
        center, scatter, score = _expected(linear, x)
        gain = score - best_score
        if gain > 0:
            best, best_score = linear, score
        if gain < LEAST_GAIN * max(d / LEAST_GAIN_COLUMNS, 1):
            break
        # What is missing has noise in all directions.
        scatter, rank, start = scatter * n / divisor, most, linear.noise_variance
    return best


def _expected(linear, x):
    """Return the expected mean and covariance of rows, and the mean log-density."""
    n, missing = len(x), np.isnan(x)
    has_holes = missing.any(axis=1)
    filled = x[~has_holes] - linear.decoder_bias
    total, squares = filled.sum(axis=0), product(filled.T, filled)
    score = linear.log_density(x[~has_holes]).sum()
    holed = np.flatnonzero(missing.any(axis=0))
    spread, n_spread = np.zeros((len(holed), len(holed))), 0
    enough = HIDDEN_PRODUCTS // (len(linear.decoder) * max(len(holed), 1) ** 2)
    enough = min(max(enough, LEAST_HIDDEN_ROWS), HIDDEN_ROWS)
    for part in linear.given(x[has_holes]):
        hidden = np.isnan(part.x)
        filled = np.where(hidden, linear.decode(part.mean), part.x)
        filled -= linear.decoder_bias
        total += filled.sum(axis=0)
        squares += product(filled.T, filled)
        score += part.log_density.sum()
        if n_spread < enough:  # in random order, as all rows are
            some = slice(enough - n_spread)
            hidden = hidden[some, None, holed]
            root = part.root_spread(some)[:, :, holed] * hidden
            root = root.reshape(-1, len(holed))
            n_spread += len(hidden)
            spread += product(root.T, root)
    mean = total / n
    scatter = squares / n - np.outer(mean, mean)
    scatter[np.ix_(holed, holed)] += spread / n_spread * has_holes.mean()
    scatter += np.diag(missing.mean(axis=0) * linear.noise_variance)
    return mean + linear.decoder_bias, scatter, score / n


def observed_mean(x):  # (n, d) -> (d,)
    """Mean of each column's entries that are not missing; 0 without any."""
    return np.nansum(x, axis=0, dtype=np.float64) / _n_observed(x)


def _n_observed(x):  # (n, d) -> (d,)
    """Count each column's entries that are not missing, at least 1."""
    return np.maximum(len(x) - np.isnan(x).sum(axis=0), 1)


def principal_axes(x):
    """Return PCA's center and its directions as rows, largest variance first."""
    center = x.mean(axis=0, dtype=np.float64)
    return center, _principal_axes(_scatter(x, center, len(x)))[1]


def least_noise(x, noise, floor):
    """Return the least noise variance of each column, a share of its own variance.

    If `noise` is "spherical", of the columns' mean variance. A variance of 0 counts
    as 1.
    """
    variance = _variance(x)
    if noise == "spherical":
        variance[:] = variance.mean() if variance.size else 1.0
    least = floor * np.where(variance > 0, variance, 1.0)
    return np.maximum(least, np.finfo(np.float32).tiny)


def _ppca(scatter, rank, n_components, least):
    """Tipping & Bishop (1999), equations 14 and 15, with PCA's divisors.

    n - 1 for the variances; and the noise is the mean of those discarded variances that
    the rows can have. Where rows are fewer than columns that is more than the most
    likely noise, and nearer to what other rows show.
    """
    n_features = scatter.shape[1]
    variances, directions = _principal_axes(scatter)
    n_discarded = rank - n_components
    if n_discarded > 0:
        noise = variances[n_components:].sum() / n_discarded
    else:  # any noise up to the least variance gives the same full-rank Gaussian
        noise = variances[rank - 1] / 2 if len(variances) >= n_features else 0.0
    noise = np.maximum(noise, least)
    kept = slice(0, min(n_components, len(variances)))
    signal = np.sqrt(np.maximum(variances[kept] - noise[0], 0))
    return signal[:, None] * directions[kept], noise


def _factor_analysis(scatter, n_components, least, start=None, max_iter=200):
    """Joreskog (1967): profile the loadings out, optimise the log noise variances.

    The likelihood has several maxima, so the better of two is taken.
    """
    n, n_features = scatter.shape
    is_root = n < n_features
    diagonal = (scatter**2).sum(axis=0) if is_root else np.diag(scatter).copy()
    variance = np.maximum(np.where(diagonal > 0, diagonal, 1.0), 2 * least)
    k = min(n_components, n_features)

    def loadings(psi):  # (k, d)
        root = np.sqrt(psi)
        whitened = scatter / root if is_root else scatter / np.outer(root, root)
        eigenvalues, directions = (part[:k] for part in _principal_axes(whitened))
        signal = np.sqrt(np.maximum(eigenvalues - 1, 0))
        return signal[:, None] * directions * root, np.maximum(eigenvalues, 1)

    def objective(log_psi):  # twice the mean negative log-likelihood, up to a constant
        psi = np.exp(log_psi)
        w, kept = loadings(psi)
        value = log_psi.sum() + np.log(kept).sum() - (kept - 1).sum()
        value += (diagonal / psi).sum()
        return value, ((w**2).sum(axis=0) + psi - diagonal) / psi

    unexplained = 1 / np.maximum(_pseudo_inverse_diagonal(scatter), 1e-12)
    starts = [(1 - 0.5 * k / n_features) * unexplained, variance]  # two may end apart
    if start is not None:
        starts = [start]
    found = [
        minimize(
            objective,
            np.log(np.clip(start, 2 * least, variance)),
            jac=True,
            method="L-BFGS-B",
            bounds=np.log(np.column_stack([least, variance])),
            options={"maxiter": max_iter},
        )
        for start in starts[: 2 if n_features <= MOST_COLUMNS_TWICE else 1]
    ]
    psi = np.exp(min(found, key=lambda result: result.fun).x)
    return loadings(psi)[0], psi


def _scatter(x, center, divisor):
    """Return the covariance (d, d), or a root (n, d) of it if rows are the fewer."""
    n, n_features = x.shape
    if n < n_features:
        return (x.astype(np.float64) - center) / np.sqrt(divisor)
    total = np.zeros((n_features, n_features))
    for rows in _centred_chunks(x, center):
        total += product(rows.T, rows)
    return total / divisor


def _variance(x):
    if have_missing(x):
        return observed_mean((x - observed_mean(x)) ** 2)
    squares = np.zeros(x.shape[1])
    for rows in _centred_chunks(x, x.mean(axis=0, dtype=np.float64)):
        squares += (rows**2).sum(axis=0)
    return squares / len(x)


def _centred_chunks(x, center):
    """Yield some rows at a time in float64: all would take twice a float32 table."""
    for start in range(0, len(x), CHUNK_ROWS):
        yield x[start : start + CHUNK_ROWS] - center


def _principal_axes(scatter):
    """Return variances, largest first, and unit directions as rows."""
    n, n_features = scatter.shape
    if n == n_features:
        variances, directions = eigh(scatter)
    else:
        variances, left = eigh(product(scatter, scatter.T))
        directions = product(left, scatter)
        norms = np.linalg.norm(directions, axis=1, keepdims=True)
        directions /= np.where(norms > 0, norms, 1)
    return np.maximum(variances, 0), directions


def _pseudo_inverse_diagonal(scatter):
    variances, directions = _principal_axes(scatter)
    kept = variances > variances[0] * len(variances) * np.finfo(np.float64).eps
    return (directions[kept] ** 2 / variances[kept, None]).sum(axis=0)


class CrossFit:
    """What a linear VAE shows on rows it did not see, over random folds.

    Parameters
    ----------
    x : ndarray of shape (n, d)
    linear : LinearVAE
        Fitted to `x`, with `noise` and `floor`.
    max_rows : int
        Of a longer table, so many random rows are looked at; of one with holes at most
        `HIDDEN_ROWS`, as each fold then takes as long as the table.

    Attributes
    ----------
    noise_variance : ndarray of shape (d,)
        That of `linear`, raised by the factor that maximises the likelihood of the
        left-out rows' expected squared errors, but not above the errors themselves:
        the noise of the folds may be nearer to zero than that of all rows, or in other
        columns. Equal for all columns if `noise` is "spherical".
    error : ndarray of shape (d,)
        Those expected squared errors.
    """

    def __init__(self, x, linear, noise, floor, n_folds=5, max_rows=20_000):
        order = np.random.RandomState(0).permutation(len(x))  # rows may have a period
        x = x[order[: min(max_rows, HIDDEN_ROWS) if have_missing(x) else max_rows]]
        fold = np.arange(len(x)) % n_folds
        self.folds = []  # the rows of each, and the linear VAE of the others
        for i in range(min(n_folds, len(x))):
            other = fit_linear_vae(x[fold != i], len(linear.decoder), noise, floor)
            self.folds.append((x[fold == i].astype(np.float64), other))
        self.error, factor = np.zeros((2, x.shape[1]))
        n_observed = _n_observed(x)
        for rows, other in self.folds:
            squares = np.nansum(other.expected_squares(rows), axis=0)
            self.error += squares / n_observed
            factor += squares / other.noise_variance / n_observed
        error = self.error
        if noise == "spherical":
            error, factor = (np.full_like(a, a.mean()) for a in (error, factor))
        psi = linear.noise_variance
        self.noise_variance = np.maximum(psi, np.minimum(factor * psi, error))

    def log_densities(self, noise_variance):
        """Of the left-out rows: with some noise, and with the folds' own."""
        own = [other.log_density(rows) for rows, other in self.folds]
        honest = [
            other.with_noise(noise_variance).log_density(rows)
            for rows, other in self.folds
        ]
        return np.concatenate(honest), np.concatenate(own)


def fit_readout(z, residual, ridge=1e-6):
    """Least-squares map from latent means to what the decoder leaves of the rows.

    A posterior mean is shrunk towards the prior, so that decoding it falls short of the
    row; with the linear VAE this map turns the reconstruction into PCA's
    (Tipping & Bishop 1999, section 3.3).

    Parameters
    ----------
    z : ndarray of shape (n, k)
    residual : ndarray of shape (n, d)
        NaN where an entry is missing, which counts as being like the others.

    Returns
    -------
    ndarray of shape (k + 1, d)
        The intercept, then the weights.
    """
    z_mean, has_holes = z.mean(axis=0), have_missing(residual)
    residual_mean = observed_mean(residual) if has_holes else residual.mean(axis=0)
    centred, deviation = z - z_mean, residual - residual_mean
    gram = product(centred.T, centred) / len(z) + ridge * np.eye(z.shape[1])
    if has_holes:
        deviation = np.nan_to_num(deviation) * (len(z) / _n_observed(residual))
    weights = solve(gram, product(centred.T, deviation) / len(z))
    return np.vstack([residual_mean - product(z_mean, weights), weights])
