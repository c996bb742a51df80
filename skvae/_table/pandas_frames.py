"""DataFrames of pandas as Series, and Series of the dtypes of fit as DataFrames."""

import sys

import numpy as np
import pandas as pd

from skvae._rules import maybe, record
from skvae._table.plain import (
    dtype_rule,
    dump_dtype,
    labels,
    load_dtype,
    pack,
    unpack,
)
from skvae._table.values import cast, localize, objects, to_decimals


class Pandas:
    """DataFrames of pandas; see `containers.py` for the methods."""

    kind = "Pandas"

    @staticmethod
    def to_series(X):
        """Return the columns as Series of pandas."""
        return [_dense(X.iloc[:, j]) for j in range(X.shape[1])]

    @staticmethod
    def as_series(column):
        """Return a column that `new_column` made as a Series of pandas."""
        return column

    @staticmethod
    def dtypes(X):
        """Return the dtype that each column comes back with; sparse ones as dense."""
        return [getattr(dtype, "subtype", dtype) for dtype in X.dtypes]

    @staticmethod
    def dump_labels(X):
        """Return the labels of the columns as plain data."""
        columns = X.columns
        is_multi = isinstance(columns, pd.MultiIndex)
        return {
            "values": pack(columns.to_numpy(dtype=object)),
            "names": pack(objects(columns.names)),
            "dtype": None if is_multi else dump_dtype(columns.dtype),
        }

    labels_rule = staticmethod(
        record({"values": labels, "names": labels, "dtype": maybe(dtype_rule)})
    )

    @staticmethod
    def load_labels(labels):
        """Return the labels that `dump_labels` was given, as an Index."""
        values, names = unpack(labels["values"]), list(unpack(labels["names"]))
        if labels["dtype"] is None:
            return pd.MultiIndex.from_tuples(values, names=names)
        return pd.Index(values, dtype=load_dtype(labels["dtype"]), name=names[0])

    @staticmethod
    def new_column(column, dtype, values, indices):
        """Return a column with the values, or with ``values[indices]``."""
        if dtype is None:
            series = pd.Series(column.to_objects(values), dtype=object).infer_objects()
            return series if indices is None else series.take(indices)
        of = dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else dtype
        array = _to_array(column, of, values)
        if isinstance(dtype, pd.CategoricalDtype):
            if not pd.Index(array).isin(dtype.categories).all():
                raise TypeError(f"{dtype} cannot hold these values")
            array = pd.Categorical(array, dtype=dtype)
        array = array if indices is None else array.take(indices)
        return pd.Series(array, dtype=dtype)

    @staticmethod
    def new_table(columns, labels, index, n):
        """Return the table with these columns."""
        X = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(n))
        X = X.set_axis(labels, axis=1)
        return X if index is None else X.set_axis(index, axis=0)

    @classmethod
    def fill_column(cls, X, j, missing, column, values, indices):
        """Return column j of X with the values where it is missing."""
        series = _dense(X.iloc[:, j])
        try:
            if isinstance(series.dtype, pd.CategoricalDtype):
                old = series.cat.categories
                new = pd.Index(_to_array(column, old.dtype, values))
                series = series.cat.add_categories(new[~new.isin(old)])
            made = cls.new_column(column, series.dtype, values, indices)
        except (TypeError, ValueError):  # the dtype cannot hold the values
            series = series.astype(object)
            made = cls.new_column(column, series.dtype, values, indices)
        return pd.Series(_filled(series, missing, made), dtype=series.dtype)

    @staticmethod
    def replace_columns(X, columns):
        """Return a copy of X with some columns replaced."""
        X = X.copy()
        for j, column in columns.items():
            old = X.dtypes.iloc[j]
            is_sparse = isinstance(old, pd.SparseDtype) and column.dtype == old.subtype
            column = column.astype(old) if is_sparse else column
            X.isetitem(j, column.set_axis(X.index))  # bare arrays change their dtype
        return X


def _dense(series):
    """Return a sparse Series as a dense one, and any other as it is."""
    is_sparse = isinstance(series.dtype, pd.SparseDtype)
    return series.sparse.to_dense() if is_sparse else series


def _filled(series, missing, made):
    """Return the array of a Series with another's values where it is missing."""
    if _is_dictionary(series.dtype):  # into which pandas can put text alone
        values = series.to_numpy(dtype=object)
        values[missing] = made.to_numpy(dtype=object)
        return _to_dictionary(values, series.dtype.pyarrow_dtype)
    array = series.array.copy()
    array[missing] = made.array
    return array


def _is_dictionary(dtype):
    """Return whether a dtype is of pyarrow's categories."""
    return str(dtype).startswith("dictionary<")


def _to_array(column, dtype, values):
    """Return an array of a dtype; TypeError or ValueError if it cannot hold them."""
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return column.to_objects(values)
    arrow = getattr(dtype, "pyarrow_dtype", None)
    if _is_dictionary(dtype):
        return _to_dictionary(column.to_objects(values), arrow)
    if values.dtype.kind in "mM" and dtype.kind == values.dtype.kind:
        zone = getattr(arrow or dtype, "tz", None)
        if column.is_aware not in (None, zone is not None):
            raise TypeError(f"{dtype} cannot hold these times")
        return pd.array(localize(values, zone), dtype=dtype)
    if values.dtype.kind in "iuf" and dtype.kind in "iuf":
        of = getattr(dtype, "numpy_dtype", dtype)
        return pd.array(cast(values, of), dtype=dtype)
    is_text = isinstance(dtype, pd.StringDtype) and values.dtype != object
    if is_text or (values.dtype.kind in "mMO" and dtype.kind in "iufmM"):
        raise TypeError(f"{dtype} cannot hold {values.dtype}")
    if values.dtype.kind in "iuf" and arrow is not None and hasattr(arrow, "scale"):
        return pd.array(to_decimals(values, arrow.precision, arrow.scale), dtype=dtype)
    return pd.array(column.to_objects(values), dtype=dtype)


def _to_dictionary(values, of):
    """Return objects as an array of categories of pyarrow."""
    pa = sys.modules["pyarrow"]
    encoded = pa.array(values.tolist(), of.value_type).dictionary_encode()
    array = pa.DictionaryArray.from_arrays(
        encoded.indices.cast(of.index_type), encoded.dictionary, ordered=of.ordered
    )
    return pd.arrays.ArrowExtensionArray(pa.chunked_array([array]))
