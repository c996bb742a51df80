"""Arrays, and lists of lists: their columns as Series of pandas, and the same back."""

import numpy as np
import pandas as pd

from skvae._table.values import cast


class Numpy:
    """Arrays, and lists of lists."""

    category = "list it in categorical_features"

    @classmethod
    def take_apart(cls, X):
        """Return the columns, each a Series of pandas'."""
        X = _as_array(X)
        if X.dtype.kind in "US":
            X = X.astype(object)
        dtype = object if X.dtype == object else None
        return [pd.Series(column, dtype=dtype) for column in X.T]

    @staticmethod
    def dtypes(X):
        """Return the dtype of each column."""
        X = _as_array(X)
        return [X.dtype] * X.shape[1]

    @staticmethod
    def dump_labels(X):
        """Columns have none."""
        return

    @staticmethod
    def make(column, dtype, values, places):
        """Return a column of the values, or of those at some places."""
        array = column.entries(values) if dtype.kind == "O" else cast(values, dtype)
        return array if places is None else array[places]

    @staticmethod
    def put_together(columns, labels, index, n):
        """Return the table of some columns."""
        return np.stack(columns, axis=1) if columns else np.empty((n, 0))

    @classmethod
    def fill(cls, X, j, hole, column, fitted, values, places):
        """Return a column of X that has the values in its holes."""
        filled = _as_array(X)[:, j].copy()
        filled[hole] = cls.make(column, filled.dtype, values, places)
        return filled

    @staticmethod
    def replace(X, columns):
        """Return a copy of X with some columns replaced."""
        X = np.array(_as_array(X))
        for j, column in columns.items():
            X[:, j] = column
        return X


def _as_array(X):
    """Return an array; of lists, one of objects unless all are numbers."""
    if not isinstance(X, np.ndarray):
        array = np.array(X)
        X = array if array.dtype.kind in "iuf" else np.array(X, dtype=object)
    if X.dtype.kind in "mM" and np.datetime_data(X.dtype)[0] in ("ps", "fs", "as"):
        return X.astype(f"{X.dtype.kind}8[ns]")  # the finest of pandas'
    return X
