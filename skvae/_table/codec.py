"""A user's table as scaled rows of floats, and back.

Between the two stand codes, floats with a column for each of the table's: numbers,
ticks of times, and indices of categories; NaN where an entry is missing.
"""

import joblib
import numpy as np

from skvae._table.entries import check_entries
from skvae._table.indicators import fit_layout
from skvae._table.scaling import fit_scaling, make_numeric, make_scaling
from skvae._table.schema import Schema

CHUNK_ROWS = 4096


class Codec:
    """The columns of a fitted table, and how they are scaled.

    Parameters
    ----------
    schema : Schema
    mean, scale : ndarray of shape (n_features,)
        NaN for categorical columns.
    marginals : list of dict or None
        Of the numeric columns, if they are mapped by quantiles.
    layout : Layout
        Of the scaled columns.
    """

    def __init__(self, schema, mean, scale, marginals, layout):
        self.schema, self.layout = schema, layout
        self.mean, self.scale, self.marginals = mean, scale, marginals
        self.is_numeric = schema.n_categories == 0
        self._scaling = make_scaling(mean, scale, marginals, layout)
        self._numeric = make_numeric(mean, scale, marginals, layout)
        self._range = np.full((2, len(mean)), [[-np.inf], [np.inf]])
        self._range[:, self.is_numeric] = self._numeric.range

    def check(self, codes):
        """Raise an error that names the entry that cannot be scaled."""
        names, known = self.schema.names, {"mean": self.mean, "scale": self.scale}
        check_numeric(codes, names, self.is_numeric, **known)

    def scaled(self, codes, dtype=np.float64, order=None):
        """Return scaled rows, computed in double precision some at a time.

        Parameters
        ----------
        codes : ndarray of shape (n_samples, n_features)
        dtype : dtype, default=np.float64
        order : ndarray of shape (n_samples,), optional
            Indices of the rows in the order to return them.

        Returns
        -------
        ndarray of shape (n_samples, n_columns)
        """
        x = np.empty((len(codes), self.layout.n_columns), dtype=dtype)
        for start in range(0, len(codes), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            x[rows] = self._scaling.forward(
                codes[rows if order is None else order[rows]]
            )
        return x

    def observed(self, codes, x):
        """Return what a likelihood is told of scaled rows.

        Parameters
        ----------
        codes : ndarray of shape (n_samples, n_features)
        x : ndarray of shape (n_samples, n_columns)
            The rows, scaled.

        Returns
        -------
        ndarray of shape (n_samples, n_columns) or (n_samples, 2, n_columns)
            `x`, or the least and the largest scaled value that each entry stands for.
        """
        return self._scaling.observed(codes, x)

    def log_slope(self, codes):  # (n, d) -> (n,)
        """Return what a log-density gains on its way to the units of the table."""
        return self._scaling.log_slope(codes)

    def unscaled(self, x):  # (n, n_columns) -> (n, d)
        """Return the codes that scaled rows stand for."""
        return self._scaling.backward(x)

    def drawn(self, x):  # (n, n_columns) -> (n, d)
        """Return the codes of rows that a model draws.

        A column whose quantiles are known keeps to the range that it had.
        """
        return self.unscaled(x).clip(*self._range)

    def numbers(self, x):  # (n, n_numeric) -> (n, n_numeric)
        """Return drawn numeric columns as numbers."""
        return self._numeric.backward(x).clip(*self._numeric.range)

    def averaged(self, x):  # (n, n_columns) -> (n, d)
        """Return the codes of means of `numbers`, and of scaled categories."""
        codes = self.unscaled(x)
        codes[:, self.is_numeric] = x[:, : self.layout.n_numeric]
        return codes.clip(*self._range)

    def describes(self, schema):
        """Whether another schema is of a table with the same columns."""
        own, other = self.schema.identity(), schema.identity()
        return joblib.hash(own) == joblib.hash(other)

    def state(self):
        """Return the codec as plain data, but for its layout."""
        return {
            "schema": self.schema.arguments(),
            "mean": self.mean,
            "scale": self.scale,
            "marginals": self.marginals,
        }


def fit_codec(codes, schema, scaling):
    """Return the codec of a table.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_features)
    schema : Schema
    scaling : {"standard", "quantile", None}

    Returns
    -------
    Codec
    """
    layout = fit_layout(codes, schema.kinds, schema.n_categories)
    mean, scale, marginals = fit_scaling(codes, scaling, layout)
    return Codec(schema, mean, scale, marginals, layout)


def load_codec(state, layout):
    """Return the codec that `Codec.state` was asked of."""
    schema = Schema(*state["schema"])
    return Codec(schema, state["mean"], state["scale"], state["marginals"], layout)


def check_numeric(codes, names, is_numeric, **known):
    """Raise an error that names the entry of a numeric column that cannot be used.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_features)
    names : sequence of str
        What errors call the columns.
    is_numeric : ndarray of shape (n_features,)
    **known : dict of ndarray of shape (n_features,)
        The mean and the scale of a fitted table.
    """
    if not is_numeric.all():
        codes = codes[:, is_numeric]
        names = [name for name, keep in zip(names, is_numeric, strict=True) if keep]
        known = {key: of_each[is_numeric] for key, of_each in known.items()}
    check_entries(codes, names, **known, may_miss=True)
