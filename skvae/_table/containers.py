"""The containers of tables: DataFrames of pandas and polars, and arrays of numpy."""

import sys
from typing import Any

import numpy as np
import pandas as pd

from skvae._table.numpy_arrays import Numpy
from skvae._table.pandas_frames import Pandas
from skvae._table.polars_frames import Polars

CONTAINERS: dict[str, Any] = {  # by the name that artefacts have for it
    "Pandas": Pandas,
    "Polars": Polars,
    "Numpy": Numpy,
}


def container_of(X):
    """Return what knows the container of X."""
    if isinstance(X, pd.DataFrame):
        return Pandas
    return Polars if is_polars(X) else Numpy


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
