"""What the values of a column are, whatever its dtype, and errors where they differ."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd

INTEGERS = int, np.integer
NUMBERS = *INTEGERS, float, np.floating, Decimal, Fraction
TIMES = dt.date, np.datetime64, dt.timedelta, np.timedelta64, dt.time
BOOLEANS = bool, np.bool_
LEVELS = str, bytes, *BOOLEANS, *NUMBERS, *TIMES


def kind_of(observed, name):
    """Return "number", "time", "boolean", "text" or "category", or raise."""
    dtype = observed.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if isinstance(dtype, pd.PeriodDtype | pd.IntervalDtype):
        raise ValueError(
            f"Input X contains {observed.iloc[0]!r} in {name}, of dtype {dtype}; "
            "a column must be of numbers, times, truth values or text. Take its start, "
            "or make it a category, or drop the column."
        )
    if dtype.kind == "c":
        raise _complex(observed.iloc[0], name)
    if dtype.kind in "iufbmM":
        return {"b": "boolean", "m": "time", "M": "time"}.get(dtype.kind, "number")
    if str(dtype).startswith("dictionary<"):  # as pyarrow calls categories
        return "category"
    if isinstance(dtype, pd.StringDtype):
        return "text"
    return _kind_of_objects(observed, name)


def are(observed, classes):
    """Whether all entries are of these classes."""
    return all(issubclass(c, classes) for c in classes_of(observed))


def classes_of(observed):
    """Return the classes of the entries."""
    return set(map(type, observed.to_numpy(dtype=object)))


def misfit(observed, name, what, classes):
    """Return the error for a column that is no longer what fit saw."""
    wrong = (value for value in observed if not isinstance(value, classes))
    value = next(wrong, observed.iloc[0])
    return ValueError(
        f"Input X contains {value!r} in {name}, which held {what} in fit and must "
        "again. Convert the column, or fit anew."
    )


def _kind_of_objects(observed, name):
    """Return the kind of a column of objects."""
    if are(observed, BOOLEANS):
        return "boolean"
    for kind, known in (("number", NUMBERS), ("time", TIMES)):
        if are(observed, known) and bool not in classes_of(observed):
            return kind
    if are(observed, LEVELS):
        return "text"
    value = next(value for value in observed if not isinstance(value, LEVELS))
    if isinstance(value, complex | np.complexfloating):
        raise _complex(value, name)
    raise TypeError(
        f"Input X contains {value!r} in {name}: the X argument must be a table whose "
        "entries are each a string, a time, a truth value or a number. Drop the "
        "column, or make columns of what it contains."
    )


def _complex(value, name):
    return ValueError(
        f"Complex data not supported: input X contains {value!r} in {name}. Take its "
        "real and imaginary part as two columns, or drop it."
    )
