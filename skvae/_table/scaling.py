"""Tables to the network's scale and back: what `scaling` chooses from."""

import numpy as np
from sklearn.preprocessing import StandardScaler

from skvae._numerics.chunks import slices
from skvae._numerics.missing import have_missing
from skvae._table.indicators import INDICATORS, OneHot
from skvae._table.quantiles import Marginal, fit_marginal

SCALER_ROWS = 2**16
ROUNDINGS = 8.0  # of a column's mean, that its scale is at least
LEAST_UNIT = 1e-13  # of a column beside others of 1, whose noise it may share
MARGINAL_ROWS = 100_000  # of a longer table, so many random rows give the quantiles


class Affine:
    """``(X - mean) / scale``.

    Parameters
    ----------
    mean, scale : ndarray of shape (d,)
    """

    range = np.array([[-np.inf], [np.inf]])  # that drawn entries keep to

    def __init__(self, mean, scale):
        self.mean, self.scale = mean, scale

    def forward(self, X):  # (n, d) -> (n, d)
        return (X - self.mean) / self.scale

    def backward(self, x):  # (n, d) -> (n, d)
        return x * self.scale + self.mean

    def log_slope(self, X):  # (n, d) -> (n,)
        """Return what a log-density gains on its way to the units of X."""
        slope = np.full(len(X), -np.log(self.scale).sum())
        missing = np.isnan(X)
        return slope + missing @ np.log(self.scale) if missing.any() else slope

    def observed(self, X, x):
        """Return the scaled entries: they are known exactly."""
        return x


class Quantile:
    """Each column's map to normal scores, see `quantiles.py`.

    Parameters
    ----------
    marginals : sequence of dict
        Each the arguments of a `Marginal`.
    """

    def __init__(self, marginals):
        self.marginals = [Marginal(**arguments) for arguments in marginals]
        ends = [m.ends for m in self.marginals]
        self.range = np.array(ends).reshape(-1, 2).T  # that drawn entries keep to

    def forward(self, X):  # (n, d) -> (n, d)
        return self._by_column(Marginal.forward, X)

    def backward(self, x):  # (n, d) -> (n, d)
        return self._by_column(Marginal.backward, x)

    def log_slope(self, X):  # (n, d) -> (n,)
        """Return what a log-density gains on its way to the units of X."""
        slopes = self._by_column(Marginal.log_slope, X)
        return np.where(np.isnan(X), 0.0, slopes).sum(axis=1)

    def observed(self, X, x):  # (n, d) -> (n, d) or (n, 2, d)
        """Return each entry's least and largest score, if there are point masses."""
        if not any(m.has_points for m in self.marginals):
            return x
        return self._by_column(Marginal.interval, X).transpose(1, 0, 2)

    def _by_column(self, method, X):
        if not self.marginals:
            return X
        columns = zip(self.marginals, X.T, strict=True)
        return np.stack([method(m, column) for m, column in columns], axis=-1)


class ByBlock:
    """Each block of the layout scaled by its kind.

    Parameters
    ----------
    scalers : sequence of Affine, Quantile or OneHot
        One for each block.
    layout : Layout
    """

    def __init__(self, scalers, layout):
        self._cuts = np.cumsum(layout.widths)[:-1]
        columns = (block.columns for block in layout.blocks)
        self._blocks = list(zip(scalers, columns, strict=True))

    def forward(self, X):  # (n, d) -> (n, n_columns)
        return np.hstack([scaler.forward(X[:, of]) for scaler, of in self._blocks])

    def backward(self, x):  # (n, n_columns) -> (n, d)
        parts = np.split(x, self._cuts, axis=1)
        X = np.empty((len(x), sum(len(columns) for _, columns in self._blocks)))
        for (scaler, columns), part in zip(self._blocks, parts, strict=True):
            X[:, columns] = scaler.backward(part)
        return X

    def log_slope(self, X):  # (n, d) -> (n,)
        """Return what a log-density gains on its way to the units of X."""
        slopes = (scaler.log_slope(X[:, of]) for scaler, of in self._blocks)
        return np.zeros(len(X)) + sum(slopes)

    def observed(self, X, x):  # (n, d), (n, n_columns) -> (n, [2,] n_columns)
        """Return what is known of each entry: itself, or an interval."""
        parts = [
            scaler.observed(X[:, columns], part)
            for (scaler, columns), part in zip(
                self._blocks, np.split(x, self._cuts, axis=1), strict=True
            )
        ]
        if all(part.ndim == 2 for part in parts):
            return x
        return np.concatenate([_as_intervals(part) for part in parts], axis=-1)


def _as_intervals(x):  # (n, d) or (n, 2, d) -> (n, 2, d)
    return x if x.ndim == 3 else np.stack([x, x], axis=1)


def fit_scaling(X, scaling, layout):
    """Return what scales each numeric column of a table.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Numbers, and codes 0, 1, ... of categories; NaN where an entry is missing.
    scaling : {"standard", "quantile", None}
    layout : Layout

    Returns
    -------
    mean, scale : ndarray of shape (n_features,)
        NaN for categorical columns.
    marginals : list of dict or None
        Arguments of `Quantile`, if `scaling` is "quantile".
    """
    if layout.is_numeric:
        return fit_numeric(X, scaling)
    mean, scale = np.full((2, X.shape[1]), np.nan)
    marginals: list[dict] | None = [] if scaling == "quantile" else None
    if layout.n_numeric:
        numeric = layout.blocks[0].columns
        found = fit_numeric(X[:, numeric], scaling)
        mean[numeric], scale[numeric], marginals = found
    return mean, scale, marginals


def fit_numeric(X, scaling):
    """Return the mean and the scale of every column, and its quantiles if asked for.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Finite floats, or NaN where an entry is missing.
    scaling : {"standard", "quantile", None}

    Returns
    -------
    mean, scale : ndarray of shape (n_features,)
        A column's own standard deviation, 1 where that is 0; and never less than some
        roundings of the mean, by which entries of a constant may be off it. If
        `scaling` is None a constant has the scale of the other columns, see
        `fit_units`.
    marginals : list of dict or None
        Arguments of `Quantile`.
    """
    has_missing = have_missing(X)
    if has_missing:
        columns = [column[~np.isnan(column)] for column in X.T]
        scalers = [_fit_scaler(column[:, None]) for column in columns]
        parts = [(s.mean_, s.scale_, s.var_) for s in scalers]
        mean, scale, variance = np.concatenate(parts, axis=1)
    else:
        scaler = _fit_scaler(X)
        mean, scale = scaler.mean_.astype(np.float64), scaler.scale_.astype(np.float64)
        variance = scaler.var_
    rounding = np.spacing(abs(mean))  # to which entries and their mean are known
    scale = np.maximum(scale, np.maximum(np.sqrt(variance), ROUNDINGS * rounding))
    if scaling is None:
        varies = np.sqrt(variance) > rounding
        shared = root_mean_square(scale[varies]) if varies.any() else 1.0
        scale = np.where(varies, scale, np.maximum(shared, ROUNDINGS * rounding))
    if scaling != "quantile":
        return mean, scale, None
    if has_missing:
        return mean, scale, [fit_marginal(_some(column)) for column in columns]
    return mean, scale, [fit_marginal(column) for column in _some(X).T]


def root_mean_square(x):
    """Return the root of the mean square, whose squares may overflow."""
    largest = np.max(x)
    return largest * np.sqrt(np.mean((x / largest) ** 2))


def fit_units(scale, scaling, layout):
    """Return what the network's columns are multiplied by where they share one noise.

    That is 1 but for `scaling=None`, by which relative scales survive, as in PCA. The
    network sees every column divided by its own scale, and so as precisely as others:
    what a scale is for is how much an error of the column counts.

    Parameters
    ----------
    scale : ndarray of shape (n_features,)
    scaling : {"standard", "quantile", None}
    layout : Layout

    Returns
    -------
    ndarray of shape (n_columns,)
        1 for indicators of categories; the mean square of the others is 1.
    """
    out = np.ones(layout.n_columns)
    if scaling is None and layout.n_numeric:
        of_numeric = scale[layout.blocks[0].columns]
        of_numeric = of_numeric / root_mean_square(of_numeric)
        out[: layout.n_numeric] = of_numeric.clip(LEAST_UNIT)
    return out


def _fit_scaler(X):
    scaler = StandardScaler()
    for rows in slices(len(X), SCALER_ROWS):  # as a whole it takes X's memory twice
        scaler.partial_fit(X[rows])
    return scaler


def _some(X):
    """Return at most `MARGINAL_ROWS` random rows."""
    if len(X) <= MARGINAL_ROWS:
        return X
    few = np.random.RandomState(0).choice(len(X), MARGINAL_ROWS, replace=False)
    return X[few]


def make_scaling(numeric, layout, groupings=()):
    """Return the map of all columns.

    Parameters
    ----------
    numeric : Affine or Quantile
        That of the numeric columns.
    layout : Layout
    groupings : sequence of Grouping, default=()
        Of all columns, if any has groups.
    """
    if layout.is_numeric:
        return numeric
    scalers: list[Affine | Quantile | OneHot] = []
    for block in layout.blocks:
        if block.kind in INDICATORS:
            of_block = [groupings[j] for j in block.columns] if groupings else ()
            scalers.append(INDICATORS[block.kind](block, of_block))
        else:
            scalers.append(numeric)
    return ByBlock(scalers, layout)


def make_numeric(mean, scale, marginals, layout):
    """Return the map of the numeric columns that `fit_scaling` found."""
    if marginals is not None:
        return Quantile(marginals)
    columns = layout.blocks[0].columns if layout.n_numeric else slice(0)
    return Affine(mean[columns], scale[columns])
