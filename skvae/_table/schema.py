"""What the columns of a table are: the table as a matrix of floats, and back."""

import sys
import warnings

import numpy as np
import pandas as pd

from skvae._table.categorical_features import find_categorical
from skvae._table.columns import fit_column, make_column
from skvae._table.containers import CONTAINERS, Numpy, column_labels, container_of
from skvae._table.numeric import NumericColumn
from skvae._table.plain import dump_dtype, load_dtype
from skvae._table.values import is_missing, shorten

MOST_NAMED = 3  # unseen values of a column, in a warning
OF_ROWS = "tick", "origin", "low", "high", "decimals"  # and of no other rows


class Schema:
    """What the columns of a fitted table are.

    Parameters
    ----------
    container : dict
        What holds the columns, and their labels.
    columns : list of dict
        What each is, see `fit_column`, its dtype, and how errors call it.
    """

    def __init__(self, container, columns):
        self._container, self._states = container, columns
        self._columns = [make_column(**state["column"]) for state in columns]
        self._dtypes = [load_dtype(state["dtype"]) for state in columns]
        self.names = [state["name"] for state in columns]
        self.n_levels = np.array([c.n_levels for c in self._columns], dtype=np.int64)
        self.are_numbers = all(isinstance(c, NumericColumn) for c in self._columns)
        is_array = container["kind"] == Numpy.__name__ and self.are_numbers
        self.is_of_floats = is_array and all(d.kind == "f" for d in self._dtypes)

    def arguments(self):
        """Return what makes the same schema, in plain numbers, strings and arrays."""
        return self._container, self._states

    def identity(self):
        """Return what two schemas share whose codes mean the same, but for the origins.

        Of arrays of floats not the precision.
        """
        if self.is_of_floats:
            return self.names
        columns = []
        for state in self._states:
            own = {k: v for k, v in state["column"].items() if k not in OF_ROWS}
            columns.append(state | {"column": own})
        return self._container, columns

    def encode(self, X):  # -> (n, d)
        """Return numbers, ticks of times and codes of levels, NaN where missing.

        Parameters
        ----------
        X : DataFrame, ndarray or list of lists
            Columns by position, in any container.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            float64, or float32 if all of X's columns are.
        """
        series = container_of(X).take_apart(X)
        if len(series) != len(self._columns):
            raise ValueError(
                f"X has {len(series)} columns, and fit saw {len(self._columns)}; it "
                "must have the same ones."
            )
        encoded = [
            column.encode(one, name)
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

    def decode(self, codes, index=None, dtype=None):  # (n, d) -> table
        """Return the table of these codes, in the container and the dtypes of fit.

        Parameters
        ----------
        codes : ndarray of shape (n_samples, n_features)
            None missing; those of levels are rounded.
        index : Index, optional
            Of a pandas DataFrame.
        dtype : dtype, default=np.float64
            Of an array of floats.
        """
        if self.is_of_floats:
            return codes.astype(dtype or np.float64, copy=False)
        container, dtypes = CONTAINERS[self._container["kind"]], self._dtypes
        if container is Numpy and dtypes and dtypes[0].kind == "f":
            dtypes = [np.dtype(dtype or np.float64)] * len(dtypes)
        columns = [
            container.make(column, of, *column.decode(x))
            for column, of, x in zip(self._columns, dtypes, codes.T, strict=True)
        ]
        labels = self._container["labels"]
        return container.put_together(columns, labels, index, len(codes))

    def fill(self, X, codes):
        """Return a copy of X that has what `codes` say where X has nothing.

        Parameters
        ----------
        X : DataFrame, ndarray or list of lists
            As for `encode`.
        codes : ndarray of shape (n_samples, n_features)

        Returns
        -------
        DataFrame or ndarray
            In X's container and dtypes; observed entries are X's, bit by bit.
        """
        container = container_of(X)
        is_same = container is CONTAINERS[self._container["kind"]]
        filled = {}
        for j, series in enumerate(container.take_apart(X)):
            hole = is_missing(series)
            if hole.any():
                column = self._columns[j]
                fitted = self._dtypes[j] if is_same else None
                values, places = column.decode(codes[hole, j])
                if places is not None:  # X's dtype need not hold the other levels
                    used, places = np.unique(places, return_inverse=True)
                    values = values[used]
                filled[j] = container.fill(X, j, hole, column, fitted, values, places)
        return container.replace(X, filled)


def fit_schema(X, categorical_features="from_dtype"):
    """Return what the columns of a table are.

    Parameters
    ----------
    X : DataFrame, ndarray or list of lists
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Names, indices or a mask of columns whose values are levels whatever the dtype.
        Categories, truth values and text are levels in any case, as no number stands
        for them; so None means the same as "from_dtype".

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
        return _schema_of_numbers(X.dtype, names)
    series = container.take_apart(X)
    columns = [
        {
            "name": name,
            "column": fit_column(one, name, bool(is_chosen), container.category),
            "dtype": dump_dtype(dtype),
        }
        for name, one, is_chosen, dtype in zip(
            names, series, chosen, dtypes, strict=True
        )
    ]
    if not isinstance(X, pd.DataFrame | np.ndarray) and container is Numpy:
        # Of lists of numbers and None, sklearn too makes an array of floats.
        if all(column["column"]["kind"] == "numbers" for column in columns):
            columns = [column | {"dtype": {"numpy": "<f8"}} for column in columns]
    return Schema(
        {"kind": container.__name__, "labels": container.dump_labels(X)}, columns
    )


def _schema_of_numbers(dtype, names):
    """Return the schema of an array of numbers, which may be long, from its dtype."""
    entry = {"kind": "numbers", "entry": "float", "decimals": 0}
    if dtype.kind != "f":
        entry["entry"] = "int"
    of_each = {"column": entry, "dtype": dump_dtype(dtype)}
    columns = [{"name": name} | of_each for name in names]
    return Schema({"kind": Numpy.__name__, "labels": None}, columns)


def _warn_of(unseen):
    """Warn of values that fit did not see, at the line that called skvae."""
    if not unseen:
        return
    level, frame = 1, sys._getframe()
    ours = "skvae", "sklearn"  # whose set_output calls through
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(ours):
        level, frame = level + 1, frame.f_back
    found = (f"in {name}: {shorten(values, MOST_NAMED)}" for name, values in unseen)
    warnings.warn(
        f"Input X has values that fit did not see, {'; '.join(found)}. They are "
        "treated as missing.",
        UserWarning,
        stacklevel=level,
    )
