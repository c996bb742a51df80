"""Arrays and lists of lists as Series of pandas, and values as arrays.

The masked entries of a masked array are missing.
"""

import numpy as np
import pandas as pd

from skvae._rules import one_of
from skvae._table.values import cast


class Numpy:
    """Arrays and lists of lists; see `containers.py` for the methods."""

    kind = "Numpy"

    @classmethod
    def to_series(cls, X):
        """Return the columns as Series of pandas."""
        X = _as_array(X)
        data, mask = np.ma.getdata(X), np.ma.getmask(X)
        if data.dtype.kind in "US":
            data = data.astype(object)
        if mask is np.ma.nomask:
            return [cls.as_series(column) for column in data.T]
        if data.dtype.kind in "iub":  # with an NA of their own
            return [
                pd.Series(pd.array(column)).mask(is_masked)
                for column, is_masked in zip(data.T, mask.T, strict=True)
            ]
        return [
            cls.as_series(column).mask(is_masked)
            for column, is_masked in zip(data.T, mask.T, strict=True)
        ]

    @staticmethod
    def as_series(column):
        """Return a column that `new_column` made as a Series of pandas."""
        return pd.Series(column, dtype=object if column.dtype == object else None)

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
    def load_labels(labels):
        """Return the labels that `dump_labels` was given."""
        return labels

    @staticmethod
    def new_column(column, dtype, values, indices):
        """Return a column with the values, or with ``values[indices]``."""
        if dtype is None or dtype.kind == "O":
            array = column.to_objects(values)
        elif dtype.kind == "U":
            array = values.astype(str)
            array = array.astype(np.result_type(dtype, array))  # never cut
        else:
            array = cast(values, dtype)
        if dtype is None and array.dtype == object:
            array = pd.Series(array, dtype=object).infer_objects().to_numpy()
        return array if indices is None else array[indices]

    @staticmethod
    def new_table(columns, labels, index, n):
        """Return the table with these columns."""
        return np.stack(columns, axis=1) if columns else np.empty((n, 0))

    @classmethod
    def fill_column(cls, X, j, missing, column, values, indices):
        """Return column j of X with the values where it is missing."""
        filled = np.ma.getdata(_as_array(X))[:, j]
        try:
            made = cls.new_column(column, filled.dtype, values, indices)
        except (TypeError, ValueError):  # the dtype cannot hold the values
            made = cls.new_column(column, np.dtype(object), values, indices)
        filled = filled.astype(np.result_type(filled, made))  # longer strings may come
        filled[missing] = made
        return filled

    @staticmethod
    def replace_columns(X, columns):
        """Return a copy of X with some columns replaced."""
        X = np.array(np.ma.getdata(_as_array(X)))
        for j, column in columns.items():
            kinds = {X.dtype.kind, column.dtype.kind}
            if X.dtype != object and len(kinds) > 1 and not kinds <= set("iuf"):
                raise ValueError(
                    f"X is an array of {X.dtype}, which cannot hold the values that "
                    f"column {j} had in fit, such as {column[-1]!r}. Make it an array "
                    "of objects, or a DataFrame."
                )
            X = X.astype(np.result_type(X, column), copy=False)
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
