"""DataFrames of pandas: their columns as Series, and the same back."""

import numpy as np
import pandas as pd

from skvae._table.plain import dump_dtype, load_dtype, pack, unpack
from skvae._table.values import cast, localize, objects, to_decimals


class Pandas:
    """DataFrames of pandas."""

    category = "list it in categorical_features or make it a category"

    @staticmethod
    def take_apart(X):
        """Return the columns, each a Series."""
        return [_dense(X.iloc[:, j]) for j in range(X.shape[1])]

    @staticmethod
    def dtypes(X):
        """Return the dtype of each column; sparse ones come back dense."""
        return [getattr(dtype, "subtype", dtype) for dtype in X.dtypes]

    @staticmethod
    def dump_labels(X):
        """Return the labels of the columns as plain data."""
        labels = X.columns
        is_multi = isinstance(labels, pd.MultiIndex)
        return {
            "values": pack(labels.to_numpy(dtype=object)),
            "names": pack(objects(labels.names)),
            "dtype": None if is_multi else dump_dtype(labels.dtype),
        }

    @staticmethod
    def make(column, dtype, values, places):
        """Return a column of the values, or of those at some places."""
        of = dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else dtype
        array = _pandas_array(column, of, values)
        if isinstance(dtype, pd.CategoricalDtype):
            array = pd.Categorical(array, dtype=dtype)
        array = array if places is None else array.take(places)
        return pd.Series(array, dtype=dtype)

    @staticmethod
    def put_together(columns, labels, index, n):
        """Return the table of some columns."""
        X = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(n))
        X.columns = _load_labels(**labels)
        return X if index is None else X.set_axis(index, axis=0)

    @classmethod
    def fill(cls, X, j, hole, column, fitted, values, places):
        """Return a column of X that has the values in its holes."""
        sparse = X.dtypes.iloc[j]
        series = _dense(X.iloc[:, j])
        try:
            if isinstance(series.dtype, pd.CategoricalDtype):
                of = series.cat.categories
                levels = pd.Index(_pandas_array(column, of.dtype, values))
                series = series.cat.add_categories(levels[~levels.isin(of)])
            made = cls.make(column, series.dtype, values, places)
        except (TypeError, ValueError):
            # The dtype holds no such value, for example that of nothing but NaN.
            if hole.all() and fitted is not None:
                return cls.make(column, fitted, values, places).set_axis(X.index)
            series = series.astype(object)
            made = cls.make(column, series.dtype, values, places)
        array = series.array.copy()
        array[hole] = made.array
        filled = pd.Series(array, X.index, series.dtype)
        return filled.astype(sparse) if isinstance(sparse, pd.SparseDtype) else filled

    @staticmethod
    def replace(X, columns):
        """Return a copy of X with some columns replaced."""
        X = X.copy()
        for j, column in columns.items():
            X.isetitem(j, column)
        return X


def _dense(series):
    is_sparse = isinstance(series.dtype, pd.SparseDtype)
    return series.sparse.to_dense() if is_sparse else series


def _pandas_array(column, dtype, values):
    """Return an array of a dtype; TypeError or ValueError if that cannot hold it."""
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return column.entries(values)
    arrow = getattr(dtype, "pyarrow_dtype", None)
    if values.dtype.kind in "mM" and dtype.kind == values.dtype.kind:
        zone = getattr(arrow or dtype, "tz", None)
        return pd.array(localize(values, zone), dtype=dtype)
    if values.dtype.kind in "iuf" and dtype.kind in "iuf":
        of = getattr(dtype, "numpy_dtype", dtype)
        return pd.array(cast(values, of), dtype=dtype)
    is_text = isinstance(dtype, pd.StringDtype) and values.dtype != object
    if is_text or (values.dtype.kind in "mMO" and dtype.kind in "iufmM"):
        raise TypeError(f"{dtype} holds no {values.dtype}")
    if values.dtype.kind in "iuf" and arrow is not None and hasattr(arrow, "scale"):
        return pd.array(to_decimals(values, arrow.precision, arrow.scale), dtype=dtype)
    return pd.array(column.entries(values), dtype=dtype)


def _load_labels(values, names, dtype):
    values, names = unpack(values), list(unpack(names))
    if dtype is None:
        return pd.MultiIndex.from_tuples(values, names=names)
    return pd.Index(values, dtype=load_dtype(dtype), name=names[0])
