"""Arrays and lists of lists as Series of pandas, and values as arrays."""

import numpy as np
import pandas as pd

from skvae._rules import one_of
from skvae._table.values import cast


class Numpy:
    """Arrays and lists of lists; see `containers.py` for the methods."""

    kind = "Numpy"
    may_choose = "list it in categorical_features"

    @classmethod
    def to_series(cls, X):
        """Return the columns as Series of pandas."""
        X = _as_array(X)
        if X.dtype.kind in "US":
            X = X.astype(object)
        dtype = object if X.dtype == object else None
        return [pd.Series(column, dtype=dtype) for column in X.T]

    @staticmethod
    def dtypes(X):
        """Return the dtype that each column comes back with."""
        X = _as_array(X)
        return [X.dtype] * X.shape[1]

    @staticmethod
    def dump_labels(X):
        """Return None, as the columns of an array have no labels."""
        return

    labels_rule = staticmethod(one_of(None))

    @staticmethod
    def new_column(column, dtype, values, indices):
        """Return a column with the values, or with ``values[indices]``."""
        array = column.to_objects(values) if dtype.kind == "O" else cast(values, dtype)
        return array if indices is None else array[indices]

    @staticmethod
    def new_table(columns, labels, index, n):
        """Return the table with these columns."""
        return np.stack(columns, axis=1) if columns else np.empty((n, 0))

    @classmethod
    def fill_column(cls, X, j, missing, column, fitted_dtype, values, indices):
        """Return column j of X with the values where it is missing."""
        filled = _as_array(X)[:, j].copy()
        filled[missing] = cls.new_column(column, filled.dtype, values, indices)
        return filled

    @staticmethod
    def replace_columns(X, columns):
        """Return a copy of X with some columns replaced."""
        X = np.array(_as_array(X))
        for j, column in columns.items():
            X[:, j] = column
        return X


def _as_array(X):
    """Return an array as it is, and lists as one of numbers or of objects."""
    if not isinstance(X, np.ndarray):
        array = np.array(X)
        X = array if array.dtype.kind in "iuf" else np.array(X, dtype=object)
    if X.dtype.kind in "mM" and np.datetime_data(X.dtype)[0] in ("ps", "fs", "as"):
        return X.astype(f"{X.dtype.kind}8[ns]")  # the finest unit of pandas
    return X
