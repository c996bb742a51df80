"""The containers of tables: DataFrames of pandas and polars, and arrays of numpy.

A new container is one more class, listed in `CONTAINERS`. A class has:

- `kind`, the name that artefacts have for it;
- `may_choose`, what errors tell the user to do to make a column categorical;
- `to_series`, from a table to its columns as Series of pandas, and `dtypes`, from a
  table to the dtypes that they come back with;
- `dump_labels`, from a table to the labels of its columns as plain data, and
  `labels_rule`, what a file must hold for them;
- `new_column`, from what a column decodes codes to, to a column with a dtype, and
  `new_table`, from such columns to a table;
- `fill_column`, from a table and values to one of its columns without missing values,
  and `replace_columns`, from such columns to a copy of the table.
"""

import sys
from typing import Any

import numpy as np
import pandas as pd

from skvae._table.numpy_arrays import Numpy
from skvae._table.pandas_frames import Pandas
from skvae._table.polars_frames import Polars

CONTAINERS: dict[str, Any] = {one.kind: one for one in (Pandas, Polars, Numpy)}


def container_of(X):
    """Return the class for X's container."""
    if isinstance(X, pd.DataFrame):
        return Pandas
    return Polars if is_polars(X) else Numpy


def is_table(X):
    """Return whether X is a table whose columns have kinds, and no array of numbers."""
    if isinstance(X, pd.DataFrame) or is_polars(X):
        return True
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(X, polars.LazyFrame):
        raise TypeError("X is a polars LazyFrame, without rows yet. Use X.collect().")
    if isinstance(X, list | tuple):
        try:
            X = np.asarray(X)
        except ValueError:  # rows of different lengths
            return False
    return isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "bOUSmM"


def column_labels(X):
    """Return the names of X's columns, or None if X is an array."""
    if isinstance(X, pd.DataFrame) or is_polars(X):
        return list(X.columns)
    return None


def is_polars(X):
    """Return whether X is a polars DataFrame, which needs no import of polars."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(X, polars.DataFrame)
