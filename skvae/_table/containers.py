"""The containers of tables: their columns as Series of pandas, and the same back."""

import sys
from decimal import Decimal

import numpy as np
import pandas as pd

from skvae._table.columns import cast
from skvae._table.plain import (
    class_name,
    dump_dtype,
    is_category,
    load_dtype,
    localize,
    objects,
    pack,
    unpack,
)


def is_table(X):
    """Whether X is a table of columns, and no array of mere numbers."""
    if isinstance(X, pd.DataFrame) or is_polars(X):
        return True
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(X, polars.LazyFrame):
        raise TypeError("X is a LazyFrame of polars, without rows yet: X.collect() it.")
    if isinstance(X, list | tuple):
        try:
            X = np.asarray(X)
        except ValueError:  # rows of different lengths
            return False
    return isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "bOUSmM"


def column_labels(X):
    """Return the names of X's columns, or None."""
    if isinstance(X, pd.DataFrame) or is_polars(X):
        return list(X.columns)
    return None


def is_polars(X):
    """Whether X is a polars DataFrame; nobody has one without importing polars."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(X, polars.DataFrame)


def container_of(X):
    """Return what knows the container of X."""
    if isinstance(X, pd.DataFrame):
        return Pandas
    return Polars if is_polars(X) else Numpy


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
        of = dtype.categories.dtype if is_category(dtype) else dtype
        array = _pandas_array(column, of, values)
        if is_category(dtype):
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
            if is_category(series.dtype):
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


class Polars:
    """DataFrames of polars."""

    category = "list it in categorical_features or make it a Categorical"

    @staticmethod
    def take_apart(X):
        """Return the columns, each a Series of pandas'."""
        return [_from_polars(series) for series in X.get_columns()]

    @staticmethod
    def dtypes(X):
        """Return the dtype of each column."""
        return X.dtypes

    @staticmethod
    def dump_labels(X):
        """Return the labels of the columns as plain data."""
        return list(X.columns)

    @staticmethod
    def make(column, dtype, values, places):
        """Return a column of the values, or of those at some places."""
        pl, kind = sys.modules["polars"], values.dtype.kind
        if dtype == pl.Null:
            raise TypeError(f"{dtype} holds no value")
        if kind in "mM" and dtype.is_temporal():
            units = {"Date": "D", "Time": "ns"}
            unit = units.get(class_name(dtype)) or dtype.time_unit
            instants = values.astype(f"{kind}8[{unit}]").view(np.int64)
            if dtype == pl.Time:
                instants = np.clip(
                    instants, 0, np.timedelta64(1, "D") // np.timedelta64(1, "ns") - 1
                )
            series = pl.Series(instants).cast(dtype)
        elif kind in "iuf" and (dtype.is_integer() or dtype.is_float()):
            has_numpy = not class_name(dtype).endswith("128")
            of = np.dtype(class_name(dtype).lower() if has_numpy else np.int64)
            series = pl.Series(cast(values, of)).cast(dtype)
        elif kind in "iuf" and dtype.is_decimal():
            decimals = _decimals(values, dtype.precision, dtype.scale)
            series = pl.Series(decimals, dtype=dtype)
        else:
            series = pl.Series(column.entries(values).tolist(), dtype=dtype)
        return series if places is None else series.gather(places)

    @staticmethod
    def put_together(columns, labels, index, n):
        """Return the table of some columns."""
        named = zip(labels, columns, strict=True)
        return sys.modules["polars"].DataFrame([s.alias(label) for label, s in named])

    @classmethod
    def fill(cls, X, j, hole, column, fitted, values, places):
        """Return a column of X that has the values in its holes."""
        series = X.to_series(j)
        try:
            made = cls.make(column, series.dtype, values, places)
        except (TypeError, ValueError, sys.modules["polars"].exceptions.PolarsError):
            # The dtype holds no such value, for example that of nothing but null.
            if hole.all() and fitted is not None:
                return cls.make(column, fitted, values, places)
            series = series.cast(sys.modules["polars"].String)
            made = cls.make(column, series.dtype, values, places)
        rows = np.zeros(len(hole), dtype=np.int64)
        rows[hole] = np.arange(hole.sum())
        return series.zip_with(sys.modules["polars"].Series(~hole), made.gather(rows))

    @staticmethod
    def replace(X, columns):
        """Return a copy of X with some columns replaced."""
        return X.with_columns([s.alias(X.columns[j]) for j, s in columns.items()])


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


CONTAINERS = {container.__name__: container for container in (Pandas, Polars, Numpy)}


def _load_labels(values, names, dtype):
    values, names = unpack(values), list(unpack(names))
    if dtype is None:
        return pd.MultiIndex.from_tuples(values, names=names)
    return pd.Index(values, dtype=load_dtype(dtype), name=names[0])


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
        return pd.array(_decimals(values, arrow.precision, arrow.scale), dtype=dtype)
    return pd.array(column.entries(values), dtype=dtype)


def _from_polars(series):
    """Return a Series of pandas', without the help of pyarrow."""
    pl, dtype = sys.modules["polars"], series.dtype
    missing = series.is_null().to_numpy()
    if dtype.is_decimal() or class_name(dtype).endswith("128"):
        series = series.cast(pl.Float64)
    elif dtype.is_integer() and missing.any():
        return pd.Series(
            pd.arrays.IntegerArray(series.fill_null(0).to_numpy(), missing)
        )
    elif dtype == pl.Boolean:
        values = series.fill_null(False).to_numpy()
        return pd.Series(pd.arrays.BooleanArray(values, missing))
    elif dtype == pl.Time:
        instants = series.to_physical().fill_null(0).to_numpy().view("m8[ns]")
        return pd.Series(np.where(missing, np.timedelta64("NaT"), instants))
    elif dtype == pl.Enum:
        codes = series.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
        return pd.Series(pd.Categorical.from_codes(codes, dtype.categories.to_list()))
    elif dtype == pl.Categorical:
        return pd.Series(pd.Categorical(series.cast(pl.String).to_list()))
    elif not (dtype.is_numeric() or dtype.is_temporal()):
        return pd.Series(series.to_list(), dtype=object)
    zone = getattr(dtype, "time_zone", None)
    values = pd.Series(series.to_numpy())
    return values if zone is None else values.dt.tz_localize("UTC")


def _as_array(X):
    """Return an array; of lists, one of objects unless all are numbers."""
    if not isinstance(X, np.ndarray):
        array = np.array(X)
        X = array if array.dtype.kind in "iuf" else np.array(X, dtype=object)
    if X.dtype.kind in "mM" and np.datetime_data(X.dtype)[0] in ("ps", "fs", "as"):
        return X.astype(f"{X.dtype.kind}8[ns]")  # the finest of pandas'
    return X


def _dense(series):
    is_sparse = isinstance(series.dtype, pd.SparseDtype)
    return series.sparse.to_dense() if is_sparse else series


def _decimals(values, precision, scale):
    """Return numbers as decimals of so many digits, and so many after the point."""
    most = Decimal(10**precision - 1).scaleb(-scale)
    exact = (Decimal(f"{value:.{scale}f}") for value in values.tolist())
    return [min(max(value, -most), most) for value in exact]
