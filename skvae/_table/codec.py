"""A user's table as scaled rows of floats, and back.

Between the two stand codes, floats with a column for each of the table's: numbers,
ticks of times, and indices of categories; NaN where an entry is missing.
"""

import joblib
import numpy as np

from skvae._rules import (
    LARGEST,
    LEAST,
    array,
    both,
    each,
    made,
    maybe,
    of_numeric,
    record,
    require,
)
from skvae._table.entries import LARGEST_VALUE, check_entries
from skvae._table.indicators import INDICATORS, fit_layout
from skvae._table.quantiles import MARGINAL
from skvae._table.scaling import fit_scaling, make_numeric, make_scaling
from skvae._table.schema import SCHEMA, Schema

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
        self._numeric = make_numeric(mean, scale, marginals, layout)
        self._scaling = make_scaling(self._numeric, layout, schema.groupings)
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

    def features(self, codes):
        """Return rows as trees see them: scaled numbers, and groups of categories.

        Parameters
        ----------
        codes : ndarray of shape (n_samples, n_features)
            Not NaN.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In single precision.
        """
        x = np.empty(codes.shape, np.float32)
        if self.layout.n_numeric:
            numeric = self.layout.blocks[0].columns
            x[:, numeric] = self._numeric.forward(codes[:, numeric])
        for j in np.flatnonzero(~self.is_numeric):
            x[:, j] = self.schema.groupings[j].of(codes[:, j])
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
    layout = fit_layout(schema.to_groups(codes), schema.kinds, schema.n_groups)
    mean, scale, marginals = fit_scaling(codes, scaling, layout)
    return Codec(schema, mean, scale, marginals, layout)


def codec_rule(layout):
    """Return the rule for what `Codec.state` returns, if its layout is known."""
    is_numeric = layout.is_numeric_feature

    def fits(value, path):
        columns = value["schema"][1]
        rule = f"of {len(is_numeric)} columns"
        require(len(columns) == len(is_numeric), f"{path}.schema[1]", rule, columns)
        with np.errstate(over="ignore"):
            is_near = abs(value["mean"]) / value["scale"] <= LARGEST
        rule = f"at least 1/{LARGEST:g} of the mean"
        require((is_near | ~is_numeric).all(), f"{path}.scale", rule, value["scale"])

    fields = {
        "schema": SCHEMA,
        "mean": of_numeric(is_numeric, -LARGEST_VALUE, LARGEST_VALUE),
        "scale": of_numeric(is_numeric, LEAST, LARGEST_VALUE),
        "marginals": maybe(each(MARGINAL, layout.n_numeric, layout.n_numeric)),
    }
    return both(record(fields), fits)


def codes_rule(codec):
    """Return the rule for the codes of complete rows that `fit` may have seen."""
    is_numeric, n_categories = codec.is_numeric, codec.schema.n_categories
    limit = np.where(is_numeric, LARGEST_VALUE, n_categories - 1)

    def are_codes(value, path):
        least = np.where(is_numeric, -limit, 0)
        fits = ((least <= value) & (value <= limit)).all()
        of_categories = value[:, ~is_numeric]
        fits = fits and (of_categories == of_categories.round()).all()
        rule = "of codes of the columns' values"
        require(fits, path, rule, value)
        rule = "of numbers that can be scaled"
        with np.errstate(over="ignore", invalid="ignore"):
            require(np.isfinite(codec.features(value)).all(), path, rule, value)

    return both(array("float64", (None, len(is_numeric))), are_codes)


def load_codec(state, layout):
    """Return the codec that `Codec.state` was asked of, if the state keeps its rule.

    That the schema fits the layout, and can make a table, shows here.
    """
    path = "codec.schema"
    schema = made(path, Schema, *state["schema"])
    for block in layout.blocks:
        for column, size in zip(block.columns, block.sizes, strict=True):
            kind, n = schema.kinds[column], schema.n_groups[column]
            fits = kind == block.kind
            if fits and kind in INDICATORS:
                fits = size == len(INDICATORS[kind].scale(np.full(n, 1 / n))[0])
            rule = f"a column of kind {block.kind}, of {size} of the network's"
            require(
                fits,
                f"{path}[1][{column}]",
                rule,
                f"{kind} of {n} groups of categories",
            )
    codec = Codec(schema, state["mean"], state["scale"], state["marginals"], layout)
    schema.rehearse(path)
    return codec


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
