"""The containers of tables: DataFrames of pandas and polars, and arrays of numpy.

A new container is one more class, listed in `CONTAINERS`. A class has:

- `kind`, the name that artefacts have for it;
- `to_series`, from a table to its columns as Series of pandas, and `dtypes`, from a
  table to the dtypes that they come back with;
- `dump_labels`, from a table to the labels of its columns as plain data, and
  `load_labels`, back; `labels_rule`, what a file must hold for them;
- `new_column`, from what a column decodes codes to, to a column with a dtype (or, where
  that is None, with one that the values have of themselves), `as_series`, from such a
  column to a Series of pandas, and `new_table`, from such columns to a table;
- `fill_column`, from a table and values to one of its columns without missing values,
  and `replace_columns`, from such columns to a copy of the table.
"""

import sys
from collections.abc import Iterator, Mapping, Set
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from skvae._table.numpy_arrays import Numpy
from skvae._table.pandas_frames import Pandas
from skvae._table.polars_frames import Polars

CONTAINERS: dict[str, Any] = {one.kind: one for one in (Pandas, Polars, Numpy)}


def container_of(X):
    """Return the class for X's container."""
    if isinstance(X, pd.DataFrame):
        return Pandas
    return Polars if is_polars(X) else Numpy


# What makes a DataFrame of another library's table, which has a method of the name.
REMEDIES = {
    "toPandas": "X.toPandas()",  # pyspark
    "to_pandas": "X.to_pandas()",  # pyarrow, cudf, ibis
    "compute": "X.compute()",  # dask
    "collect": "X.collect()",  # polars, lazily
    "df": "X.df()",  # duckdb, and groups of polars
    "obj": "X.obj()",  # groups of pandas
    "to_dataframe": "X.to_dataframe()",  # xarray
    "__arrow_c_stream__": "pyarrow.table(X).to_pandas()",
    "__dataframe__": "pandas.api.interchange.from_dataframe(X)",
}


def as_table(X):
    """Return X if its container is known, and arrays of other libraries as numpy's.

    Numbers in another machine's order of bytes are put into this one's.

    What is neither is left to the checks of scikit-learn, if they say what to do.

    Raises
    ------
    TypeError
        If X is a table of another library, or no table at all; the error says what to
        do.
    """
    if isinstance(X, np.ndarray):
        if X.dtype.names is not None:
            raise _unknown(X, "pandas.DataFrame(X)")
        if X.dtype.kind in "mM" and np.datetime_data(X.dtype)[0] == "generic":
            raise ValueError(
                f"X is an array of {X.dtype}, whose values have no unit. Give it one, "
                f"for example with X.astype('{X.dtype.str[1:]}[s]')."
            )
        if not isinstance(X, np.ma.MaskedArray | np.matrix):
            X = np.asarray(X)  # without what a subclass makes of its methods
        if X.dtype.kind == "T":  # text of any length, which pandas does not know
            return X.astype(object)
        is_native = X.dtype.isnative  # which pandas needs, and torch
        return X if is_native else X.astype(X.dtype.newbyteorder("="))
    if isinstance(X, list | tuple):
        if len(X) and isinstance(X[0], Mapping):
            raise _unknown(X, "pandas.DataFrame(X)")
        return X
    if isinstance(X, pd.DataFrame | pd.Series) or is_polars(X) or issparse(X):
        return X
    of_frames = "collect", "columns", "__dataframe__", "obj"
    is_frame = any(hasattr(X, verb) for verb in of_frames)
    if hasattr(X, "__array__") and not (is_frame or isinstance(X, type)):
        return _as_numpy(X)
    is_other = isinstance(X, Mapping | str | bytes | PathLike | Iterator | Set | type)
    if hasattr(X, "__getitem__") and not (is_frame or is_other):
        return X
    raise _unknown(X, _remedy(X))


def _as_numpy(X):
    """Return an array of another library, such as a tensor of torch, as numpy's."""
    try:
        return np.asarray(X.detach() if hasattr(X, "detach") else X)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise _unknown(X, f"{_remedy(X)} (numpy says: {reason})") from error


def _remedy(X):
    """Return what makes a table of X."""
    if isinstance(X, Mapping):
        return "pandas.DataFrame(X)"
    if isinstance(X, str | bytes | PathLike):
        return "a reader of files, such as pandas.read_csv"
    if isinstance(X, Iterator | Set):
        return "list(X)"
    if isinstance(X, type):
        return "an instance of it"
    for name, how in REMEDIES.items():
        if hasattr(X, name):
            return how if callable(getattr(X, name)) else f"X.{name}"
    return "an array of numpy"


def _unknown(X, remedy):
    """Return the error for a container that is not known."""
    what = f"{type(X).__module__}.{type(X).__qualname__}".removeprefix("builtins.")
    if isinstance(X, list | tuple):
        what += " of dicts"
    if isinstance(X, np.ndarray):
        what += " with named fields"
    return TypeError(
        f"X is a {what}, and must be a DataFrame of pandas or polars, an array or a "
        f"list of rows. Use {remedy}."
    )


def is_table(X):
    """Return whether X is a table whose columns have kinds, and no array of numbers."""
    if isinstance(X, pd.DataFrame) or is_polars(X):
        return True
    if isinstance(X, list | tuple):
        try:
            X = np.asarray(X)
        except ValueError:  # rows of different lengths
            return False
    if not isinstance(X, np.ndarray) or X.ndim != 2:
        return False
    has_mask = isinstance(X, np.ma.MaskedArray)
    is_wide = X.dtype.kind == "f" and X.dtype.itemsize > 8
    return X.dtype.kind in "bOUSmM" or is_wide or (has_mask and X.dtype.kind in "fiu")


def column_labels(X):
    """Return the names of X's columns, or None if X is an array."""
    if isinstance(X, pd.DataFrame) or is_polars(X):
        return list(X.columns)
    return None


def is_polars(X):
    """Return whether X is a polars DataFrame, which needs no import of polars."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(X, polars.DataFrame)
