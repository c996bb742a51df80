"""Tables to the network's scale and back: what `scaling` chooses from."""

import numpy as np
from sklearn.preprocessing import StandardScaler

from skvae._layout import fit_blocks
from skvae._numerics.missing import have_missing
from skvae._table.marginals import Marginal, fit_marginal

SCALINGS = "standard", "quantile", None
CHUNK_ROWS = 4096
SCALER_ROWS = 2**16
MARGINAL_ROWS = 100_000  # of a longer table, so many random rows give the quantiles


class Affine:
    """``(X - mean) / scale``.

    Parameters
    ----------
    mean, scale : ndarray of shape (d,)
    """

    def __init__(self, mean, scale):
        self.mean, self.scale, self.n_columns = mean, scale, len(mean)

    def forward(self, X):  # (n, d) -> (n, d)
        return (X - self.mean) / self.scale

    def backward(self, x):  # (n, d) -> (n, d)
        return x * self.scale + self.mean

    def log_slope(self, X):  # (n, d) -> (n,)
        """Return what a log-density gains on its way to the units of X."""
        slope = np.full(len(X), -np.log(self.scale).sum())
        missing = np.isnan(X)
        return slope + missing @ np.log(self.scale) if missing.any() else slope

    def intervals(self, X):
        """No entry is an interval."""
        return None


class Quantile:
    """Each column's map to normal scores, see `_marginals.py`.

    Parameters
    ----------
    marginals : sequence of dict
        Each the arguments of a `Marginal`.
    """

    def __init__(self, marginals):
        self.marginals = [Marginal(**arguments) for arguments in marginals]
        self.n_columns = len(marginals)

    def forward(self, X):  # (n, d) -> (n, d)
        return self._by_column(Marginal.forward, X)

    def backward(self, x):  # (n, d) -> (n, d)
        return self._by_column(Marginal.backward, x)

    def log_slope(self, X):  # (n, d) -> (n,)
        """Return what a log-density gains on its way to the units of X."""
        slopes = self._by_column(Marginal.log_slope, X)
        return np.where(np.isnan(X), 0.0, slopes).sum(axis=1)

    def intervals(self, X):  # (n, d) -> (n, 2, d)
        """Least and largest score of each entry, None if there is no point mass."""
        if not any(m.has_points for m in self.marginals):
            return None
        return self._by_column(Marginal.interval, X).transpose(1, 0, 2)

    def _by_column(self, method, X):
        if not self.marginals:
            return X
        columns = zip(self.marginals, X.T, strict=True)
        return np.stack([method(m, column) for m, column in columns], axis=-1)


class ByBlock:
    """Numbers scaled, levels as scaled indicators; see `_blocks.py`.

    Parameters
    ----------
    numbers : Affine or Quantile
    blocks : Blocks
    """

    def __init__(self, numbers, blocks):
        self._numbers, self.blocks = numbers, blocks
        self.n_columns = sum(blocks.widths)
        self._of_numbers, self._of_levels = np.split(blocks.order, [blocks.n_numbers])

    def forward(self, X):  # (n, d) -> (n, n_columns)
        numbers = self._numbers.forward(X[:, self._of_numbers])
        return np.hstack([numbers, self.blocks.scaled(X[:, self._of_levels])])

    def backward(self, x):  # (n, n_columns) -> (n, d)
        """Of indicators the largest counts."""
        numbers, indicators = np.split(x, [self.blocks.n_numbers], axis=1)
        X = np.empty((len(x), len(self._of_numbers) + len(self._of_levels)))
        X[:, self._of_numbers] = self._numbers.backward(numbers)
        X[:, self._of_levels] = self.blocks.codes(indicators)
        return X

    def log_slope(self, X):  # (n, d) -> (n,)
        """Return what a log-density gains on its way to the units of X."""
        return self._numbers.log_slope(X[:, self._of_numbers])

    def intervals(self, X):  # (n, d) -> (n, 2, n_columns)
        """Least and largest score of each entry, None if there is no point mass."""
        intervals = self._numbers.intervals(X[:, self._of_numbers])
        if intervals is None:
            return None
        indicators = self.blocks.scaled(X[:, self._of_levels])
        return np.concatenate([intervals, np.stack(2 * [indicators], axis=1)], axis=2)


def fit_mixed(X, scaling, n_levels):
    """As `fit_scaling`, of a table with columns of levels, and their layout.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Numbers, and levels 0, 1, ...; NaN where an entry is missing.
    scaling : {"standard", "quantile", None}
    n_levels : ndarray of shape (n_features,)
        0 for a number.

    Returns
    -------
    mean, scale : ndarray of shape (n_features,)
        NaN for columns of levels.
    marginals : list of dict or None
    blocks : Blocks
    """
    is_number = n_levels == 0
    mean, scale = np.full((2, X.shape[1]), np.nan)
    marginals: list[dict] | None = [] if scaling == "quantile" else None
    if is_number.any():
        found = fit_scaling(X[:, is_number], scaling)
        mean[is_number], scale[is_number], marginals = found
    return mean, scale, marginals, fit_blocks(X, n_levels)


def fit_scaling(X, scaling):
    """Return the mean and the scale of every column, and its quantiles if asked for.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Finite floats, or NaN where an entry is missing.
    scaling : {"standard", "quantile", None}

    Returns
    -------
    mean, scale : ndarray of shape (n_features,)
        A column's own standard deviation, 1 where that is 0. If `scaling` is None, the
        root of the columns' mean variance: relative scales survive. 1 where that is
        less than the rounding of a mean.
    marginals : list of dict or None
        Arguments of `Quantile`.
    """
    has_holes = have_missing(X)
    if has_holes:
        columns = [column[~np.isnan(column)] for column in X.T]
        scalers = [_fit_scaler(column[:, None]) for column in columns]
        parts = [(s.mean_, s.scale_, s.var_) for s in scalers]
        mean, scale, variance = np.concatenate(parts, axis=1)
    else:
        scaler = _fit_scaler(X)
        mean, scale = scaler.mean_.astype(np.float64), scaler.scale_.astype(np.float64)
        variance = scaler.var_
    if scaling is None:
        shared, rounding = np.sqrt(np.mean(variance)), np.spacing(abs(mean).max())
        scale = np.full(X.shape[1], shared if shared > rounding else 1.0)
    if scaling != "quantile":
        return mean, scale, None
    if has_holes:
        return mean, scale, [fit_marginal(_some(column)) for column in columns]
    return mean, scale, [fit_marginal(column) for column in _some(X).T]


def _fit_scaler(X):
    scaler = StandardScaler()
    for start in range(0, len(X), SCALER_ROWS):  # as a whole it takes X's memory twice
        scaler.partial_fit(X[start : start + SCALER_ROWS])
    return scaler


def _some(X):
    """Return at most `MARGINAL_ROWS` random rows."""
    if len(X) <= MARGINAL_ROWS:
        return X
    few = np.random.RandomState(0).choice(len(X), MARGINAL_ROWS, replace=False)
    return X[few]


def make_scaling(mean, scale, marginals, blocks=None):
    """Return the map that `fit_scaling` or, with `blocks`, `fit_mixed` found."""
    if blocks is not None:
        is_number = blocks.n_levels == 0
        numbers = make_scaling(mean[is_number], scale[is_number], marginals)
        return ByBlock(numbers, blocks)
    return Affine(mean, scale) if marginals is None else Quantile(marginals)


def scale_rows(X, scaling, dtype, order=None):
    """Return the rows of ``scaling.forward(X)`` in `dtype`, computed in float64.

    In the order of the indices `order`, if given.
    """
    x = np.empty((len(X), scaling.n_columns), dtype=dtype)
    for start in range(0, len(X), CHUNK_ROWS):
        part = slice(start, start + CHUNK_ROWS)
        x[part] = scaling.forward(X[part] if order is None else X[order[part]])
    return x
