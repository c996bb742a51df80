"""DataFrames of polars as Series of pandas, and values as DataFrames of polars."""

import sys

import numpy as np
import pandas as pd

from skvae._rules import each, text
from skvae._table.plain import class_name
from skvae._table.values import cast, to_decimals


class Polars:
    """DataFrames of polars; see `containers.py` for the methods."""

    kind = "Polars"

    @staticmethod
    def to_series(X):
        """Return the columns as Series of pandas."""
        return [_from_polars(series) for series in X.get_columns()]

    @staticmethod
    def as_series(column):
        """Return a column that `new_column` made as a Series of pandas."""
        return _from_polars(column)

    @staticmethod
    def dtypes(X):
        """Return the dtype that each column comes back with."""
        return X.dtypes

    @staticmethod
    def dump_labels(X):
        """Return the labels of the columns as plain data."""
        return list(X.columns)

    labels_rule = staticmethod(each(text()))

    @staticmethod
    def load_labels(labels):
        """Return the labels that `dump_labels` was given."""
        return labels

    @staticmethod
    def new_column(column, dtype, values, indices):
        """Return a column with the values, or with ``values[indices]``."""
        pl = sys.modules["polars"]
        try:
            series = _new_series(column, dtype, values)
        except pl.exceptions.PolarsError as error:
            raise TypeError(f"{dtype} cannot hold these values") from error
        return series if indices is None else series.gather(indices)

    @staticmethod
    def new_table(columns, labels, index, n):
        """Return the table with these columns."""
        named = zip(labels, columns, strict=True)
        return sys.modules["polars"].DataFrame([s.alias(label) for label, s in named])

    @classmethod
    def fill_column(cls, X, j, missing, column, values, indices):
        """Return column j of X with the values where it is missing."""
        series = X.to_series(j)
        try:
            made = cls.new_column(column, series.dtype, values, indices)
        except (TypeError, ValueError):  # the dtype cannot hold the values
            series = series.cast(sys.modules["polars"].String)
            made = cls.new_column(column, series.dtype, values, indices)
        rows = np.zeros(len(missing), dtype=np.int64)
        rows[missing] = np.arange(missing.sum())
        return series.zip_with(
            sys.modules["polars"].Series(~missing), made.gather(rows)
        )

    @staticmethod
    def replace_columns(X, columns):
        """Return a copy of X with some columns replaced."""
        return X.with_columns([s.alias(X.columns[j]) for j, s in columns.items()])


def _new_series(column, dtype, values):
    """Return values as a Series of a dtype, which they decide if it is None."""
    pl, kind = sys.modules["polars"], values.dtype.kind
    if dtype is None and column.is_aware:  # whose zone older versions would drop
        dtype = pl.Datetime("us", _zone_known(column.zone))
    if dtype is None:
        return pl.Series(column.to_objects(values).tolist())
    if dtype == pl.Null:
        raise TypeError(f"{dtype} cannot hold any value")
    if kind in "mM" and dtype.is_temporal():
        zone = getattr(dtype, "time_zone", None)
        if kind == "M" and column.is_aware not in (None, zone is not None):
            raise TypeError(f"{dtype} cannot hold these times")
        units = {"Date": "D", "Time": "ns"}
        unit = units.get(class_name(dtype)) or dtype.time_unit
        instants = values.astype(f"{kind}8[{unit}]").view(np.int64)
        if dtype == pl.Time:
            instants = np.clip(
                instants, 0, np.timedelta64(1, "D") // np.timedelta64(1, "ns") - 1
            )
        return pl.Series(instants).cast(dtype)
    if kind in "iuf" and (dtype.is_integer() or dtype.is_float()):
        if class_name(dtype).endswith("128"):  # which numpy has not
            return pl.Series(_to_integers(values, dtype), dtype=dtype)
        return pl.Series(cast(values, np.dtype(class_name(dtype).lower()))).cast(dtype)
    if kind in "iuf" and dtype.is_decimal():
        decimals = to_decimals(values, dtype.precision, dtype.scale)
        return pl.Series(decimals, dtype=dtype)
    return pl.Series(column.to_objects(values).tolist(), dtype=dtype)


def _zone_known(name):
    """Return the name of a time zone, UTC where polars knows none of the name."""
    pl = sys.modules["polars"]
    try:
        pl.Series([0]).cast(pl.Datetime("us", name)).to_list()
    except (pl.exceptions.PolarsError, KeyError, ValueError):  # as an offset has none
        return "UTC"
    return name


def _to_integers(values, dtype):
    """Return floats as integers within the limits of a dtype of 128 bits."""
    is_signed = class_name(dtype).startswith("Int")
    low, high = (-(2**127), 2**127 - 1) if is_signed else (0, 2**128 - 1)
    return [min(max(round(value), low), high) for value in values.tolist()]


def _from_polars(series):
    """Return a Series of polars as one of pandas; pyarrow need not be installed."""
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
        return pd.Series(np.where(missing, np.timedelta64("NaT", "ns"), instants))
    elif dtype == pl.Enum:
        codes = series.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
        categories = pd.CategoricalDtype(dtype.categories.to_list(), ordered=True)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=categories))
    elif dtype == pl.Categorical:
        return pd.Series(_categorical(series.cast(pl.String).to_list()))
    elif not (dtype.is_numeric() or dtype.is_temporal()):
        return pd.Series(series.to_list(), dtype=object)
    zone = getattr(dtype, "time_zone", None)
    values = pd.Series(series.to_numpy())
    if zone is None:
        return values
    return values.dt.tz_localize("UTC").dt.tz_convert(zone)


def _categorical(texts):
    r"""Return texts as categories in their order; pandas 2 would take "\0" for ""."""
    categories = sorted({text for text in texts if text is not None})
    code_of = {text: code for code, text in enumerate(categories)}
    codes = [code_of.get(text, -1) for text in texts]
    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(categories))
