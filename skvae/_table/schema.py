"""The schema of a table: what its columns are, as a matrix of floats and back."""

import sys
import warnings

import numpy as np
import pandas as pd

from skvae._rules import anything, both, each, made, one_of, record, row, text
from skvae._table.categorical_features import find_categorical
from skvae._table.columns import column_rule, fit_column, make_column
from skvae._table.containers import CONTAINERS, Numpy, column_labels, container_of
from skvae._table.numeric import NumericColumn
from skvae._table.plain import dtype_rule, dump_dtype, load_dtype
from skvae._table.values import is_missing, shorten

MOST_NAMED = 3  # so many unseen values of a column are named in a warning
# What depends on the rows in fit, so that other rows of the same table may differ.
OF_ROWS = "tick", "origin", "low", "high", "decimals"


class Schema:
    """What the columns of a table are: their names, kinds, dtypes and container.

    Parameters
    ----------
    container : dict
        "kind", a key of `CONTAINERS`, and "labels", those of the columns as plain data.
    columns : list of dict
        Of each column "column", what `fit_column` returns, "dtype", as plain data, and
        "name", what errors call it.

    Attributes
    ----------
    names : list of str
        What errors call the columns.
    n_categories : ndarray of shape (n_features,)
        Numbers of categories, 0 for columns that are not categorical.
    kinds : ndarray of shape (n_features,)
        Of str: the kinds of the columns' likelihoods.
    are_numbers : bool
        Whether all columns are numeric.
    is_of_floats : bool
        Whether the table is an array of floats.
    """

    def __init__(self, container, columns):
        self._container, self._states = container, columns
        self._columns = [make_column(**state["column"]) for state in columns]
        self._dtypes = [load_dtype(state["dtype"]) for state in columns]
        self.names = [state["name"] for state in columns]
        self.n_categories = np.array(
            [c.n_categories for c in self._columns], dtype=np.int64
        )
        self.kinds = np.array([c.likelihood for c in self._columns], dtype=str)
        self.are_numbers = all(isinstance(c, NumericColumn) for c in self._columns)
        is_array = container["kind"] == Numpy.kind and self.are_numbers
        self.is_of_floats = is_array and all(d.kind == "f" for d in self._dtypes)

    def arguments(self):
        """Return the arguments of the class, as plain data."""
        return self._container, self._states

    def identity(self):
        """Return what must be equal for two schemas to describe the same table.

        Rows of the same table may differ in what `OF_ROWS` lists, such as the earliest
        datetime, and arrays of floats may differ in their precision.
        """
        if self.is_of_floats:
            return self.names
        columns = []
        for state in self._states:
            own = {k: v for k, v in state["column"].items() if k not in OF_ROWS}
            columns.append(state | {"column": own})
        return self._container, columns

    def to_codes(self, X):  # -> (n, d)
        """Return the codes of the columns' values, NaN where missing.

        The code of a number is itself, that of a time is ticks since the first in fit,
        and that of a category is its index.

        Parameters
        ----------
        X : DataFrame, ndarray or list of lists
            Its columns are taken by their positions. The container may be another than
            in fit.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            float64, or float32 if all of X's columns are.
        """
        series = container_of(X).to_series(X)
        if len(series) != len(self._columns):
            raise ValueError(
                f"X has {len(series)} columns, and fit saw {len(self._columns)}; it "
                "must have the same ones."
            )
        encoded = [
            column.to_codes(one, name)
            for column, one, name in zip(self._columns, series, self.names, strict=True)
        ]
        unseen = zip(self.names, (values for _, values in encoded), strict=True)
        _warn_of([(name, values) for name, values in unseen if values])
        are_single = encoded and all(
            np.float32 in (x.dtype, one.dtype)
            for (x, _), one in zip(encoded, series, strict=True)
        )
        dtype = np.float32 if are_single else np.float64
        codes = np.empty((len(X), len(encoded)), dtype)
        for j, (x, _) in enumerate(encoded):
            codes[:, j] = x
        return codes

    def to_table(self, codes, index=None, dtype=None):  # (n, d) -> table
        """Return the table with these codes, in the container and dtypes of fit.

        Parameters
        ----------
        codes : ndarray of shape (n_samples, n_features)
            Not NaN. Codes of categories are rounded.
        index : Index, optional
            The index of the table, if it is a pandas DataFrame.
        dtype : dtype, default=np.float64
            The dtype of the table, if it is an array of floats.
        """
        if self.is_of_floats:
            return codes.astype(dtype or np.float64, copy=False)
        columns = [self._new_column(j, x, dtype) for j, x in enumerate(codes.T)]
        container, labels = self._container["kind"], self._container["labels"]
        return CONTAINERS[container].new_table(columns, labels, index, len(codes))

    def _new_column(self, j, codes, dtype=None):
        """Return one column of a table."""
        container, of = CONTAINERS[self._container["kind"]], self._dtypes[j]
        if container is Numpy and self._dtypes[0].kind == "f":
            of = np.dtype(dtype or np.float64)
        column = self._columns[j]
        return container.new_column(column, of, *column.from_codes(codes))

    def rehearse(self, path):
        """Make a table once, to find what a file has made impossible.

        Of all categories, and of numbers so large that a dtype or a limit cuts them.
        """
        if self.is_of_floats:
            return
        codes = np.outer([-1, 1], np.where(self.n_categories > 0, 0, 1e300))
        columns = [
            made(f"{path}[1][{j}]", self._new_column, j, x)
            for j, x in enumerate(codes.T)
        ]
        container, labels = self._container["kind"], self._container["labels"]
        new_table = CONTAINERS[container].new_table
        made(f"{path}[0].labels", new_table, columns, labels, None, len(codes))

    def fill(self, X, codes):
        """Return a copy of X whose missing values are replaced by those of `codes`.

        Parameters
        ----------
        X : DataFrame, ndarray or list of lists
            As for `to_codes`.
        codes : ndarray of shape (n_samples, n_features)

        Returns
        -------
        DataFrame or ndarray
            In the container and dtypes of X, whose other values it keeps.
        """
        container = container_of(X)
        is_same = container is CONTAINERS[self._container["kind"]]
        filled = {}
        for j, series in enumerate(container.to_series(X)):
            missing = is_missing(series)
            if missing.any():
                column = self._columns[j]
                dtype = self._dtypes[j] if is_same else None
                values, indices = column.from_codes(codes[missing, j])
                if indices is not None:  # X's dtype need not hold the other categories
                    used, indices = np.unique(indices, return_inverse=True)
                    values = values[used]
                filled[j] = container.fill_column(
                    X, j, missing, column, dtype, values, indices
                )
        return container.replace_columns(X, filled)


def _labels_fit(value, path):
    """Check that the labels of the columns are those of a container."""
    container = CONTAINERS[value["kind"]]
    container.labels_rule(value["labels"], f"{path}.labels")


SCHEMA = row(
    both(record({"kind": one_of(*CONTAINERS), "labels": anything}), _labels_fit),
    each(record({"name": text(), "column": column_rule, "dtype": dtype_rule}), least=1),
)


def fit_schema(X, categorical_features="from_dtype"):
    """Return the schema of a table.

    Parameters
    ----------
    X : DataFrame, ndarray or list of lists
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Names, indices or a mask of columns that are categorical whatever their dtypes.
        Categorical dtypes, booleans and text are categorical in any case, as no number
        stands for them; so None means the same as "from_dtype".

    Returns
    -------
    Schema
    """
    container, labels = container_of(X), column_labels(X)
    dtypes = container.dtypes(X)
    chosen = find_categorical(categorical_features, labels, len(dtypes))
    calls = range(len(dtypes)) if labels is None else map(repr, labels)
    names = [f"column {call}" for call in calls]
    if isinstance(X, np.ndarray) and X.dtype.kind in "fiu" and not chosen.any():
        return _numeric_schema(X.dtype, names)
    series = container.to_series(X)
    columns = [
        {
            "name": name,
            "column": fit_column(one, name, bool(is_chosen), container.may_choose),
            "dtype": dump_dtype(dtype),
        }
        for name, one, is_chosen, dtype in zip(
            names, series, chosen, dtypes, strict=True
        )
    ]
    if not isinstance(X, pd.DataFrame | np.ndarray) and container is Numpy:
        # scikit-learn too converts lists of numbers and None to an array of floats.
        if all(column["column"]["kind"] == "numbers" for column in columns):
            columns = [column | {"dtype": {"numpy": "<f8"}} for column in columns]
    return Schema({"kind": container.kind, "labels": container.dump_labels(X)}, columns)


def _numeric_schema(dtype, names):
    """Return the schema of an array of numbers from its dtype, whatever its length."""
    entry = {"kind": "numbers", "entry": "float", "decimals": 0}
    if dtype.kind != "f":
        entry["entry"] = "int"
    of_each = {"column": entry, "dtype": dump_dtype(dtype)}
    columns = [{"name": name} | of_each for name in names]
    return Schema({"kind": Numpy.kind, "labels": None}, columns)


def _warn_of(unseen):
    """Warn of values that fit did not see.

    The warning points at the line that called skvae, outside of it and scikit-learn.
    """
    if not unseen:
        return
    level, frame = 1, sys._getframe()
    ours = "skvae", "sklearn"  # whose set_output wraps our methods
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(ours):
        level, frame = level + 1, frame.f_back
    found = (f"in {name}: {shorten(values, MOST_NAMED)}" for name, values in unseen)
    warnings.warn(
        f"Input X has values that fit did not see, {'; '.join(found)}. They are "
        "treated as missing.",
        UserWarning,
        stacklevel=level,
    )
