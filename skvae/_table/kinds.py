"""The kind of a column: numeric, of times, boolean, text or categorical.

The dtype of a column says its kind, or the classes of its entries if these are objects.
"""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd

from skvae._printable import quote

INTEGERS = int, np.integer
NUMBERS = *INTEGERS, float, np.floating, Decimal, Fraction
TIMES = dt.date, np.datetime64, dt.timedelta, np.timedelta64, dt.time
BOOLEANS = bool, np.bool_
SCALARS = str, bytes, *BOOLEANS, *NUMBERS, *TIMES


def kind_of(observed, name):
    """Return "numeric", "time", "boolean", "text" or "category".

    Parameters
    ----------
    observed : Series
        A column of a table, without its missing values. Times are datetimes, dates,
        timedeltas and times of day.
    name : str
        What errors call the column.

    Raises
    ------
    ValueError, TypeError
        If the column is of none of these kinds.
    """
    dtype = observed.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if isinstance(dtype, pd.PeriodDtype | pd.IntervalDtype):
        raise ValueError(
            f"Input X contains {quote(observed.iloc[0])} in {name}, of dtype {dtype}; "
            "a column must be of numbers, datetimes, timedeltas, booleans or text. "
            "Take its start, make the column categorical, or drop it."
        )
    if dtype.kind == "c":
        raise _complex(observed.iloc[0], name)
    if dtype.kind in "iufbmM":
        return {"b": "boolean", "m": "time", "M": "time"}.get(dtype.kind, "numeric")
    if str(dtype).startswith("dictionary<"):  # as pyarrow calls categories
        return "category"
    if isinstance(dtype, pd.StringDtype):
        return "text"
    return _kind_of_objects(observed, name)


def all_are(observed, classes):
    """Return whether every entry is an instance of one of these classes."""
    return all(issubclass(c, classes) for c in classes_of(observed))


def classes_of(observed):
    """Return the set of the classes of the entries."""
    return set(map(type, observed.to_numpy(dtype=object)))


def misfit(observed, name, what, classes):
    """Return the error for a column whose kind is another than in fit."""
    wrong = (value for value in observed if not isinstance(value, classes))
    value = next(wrong, observed.iloc[0])
    return ValueError(
        f"Input X contains {quote(value)} in {name}, which held {what} in fit and must "
        "hold them again. Convert the column, or fit again."
    )


def _kind_of_objects(observed, name):
    """Return the kind of a column of dtype object."""
    if all_are(observed, BOOLEANS):
        return "boolean"
    for kind, known in (("numeric", NUMBERS), ("time", TIMES)):
        if all_are(observed, known) and bool not in classes_of(observed):
            return kind
    if all_are(observed, SCALARS):
        return "text"
    value = next(value for value in observed if not isinstance(value, SCALARS))
    if isinstance(value, complex | np.complexfloating):
        raise _complex(value, name)
    raise TypeError(
        f"Input X contains {quote(value)} in {name}: the X argument must be a table "
        "whose entries are each a string, a number, a boolean, a datetime or a "
        "timedelta. Drop the column, or make columns of what it contains."
    )


def _complex(value, name):
    """Return the error for a complex number."""
    return ValueError(
        f"Complex data not supported: input X contains {quote(value)} in {name}. Take "
        "its real and imaginary part as two columns, or drop it."
    )
