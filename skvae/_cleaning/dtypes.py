"""The dtypes of cleaned columns: later rows have those that fit had."""

import pandas as pd

from skvae._printable import quote
from skvae._table.kinds import BOOLEANS, NUMBERS, TIMES, kind_of, misfit
from skvae._table.plain import dump_dtype, load_dtype
from skvae._table.times import IN_ERRORS, read_times
from skvae._table.values import is_missing, uncategorized

WHAT = {  # the kinds of columns, as errors call their values, and their classes
    "numeric": ("numbers", NUMBERS),
    "boolean": ("booleans", BOOLEANS),
    "text": ("text", str),
    **{what: (said, TIMES) for what, said in IN_ERRORS.items()},
}
TAKES_MISSING = {"b": "boolean", "i": "Int64", "u": "UInt64"}


def describe(values, name):
    """Return what `conform` needs to know of a column in fit, as plain data."""
    kind = _kind(values[~is_missing(values)], name)
    return {"kind": kind, "dtype": dump_dtype(values.dtype)}


def conform(values, fitted, name):
    """Return a column with the dtype that it had in fit, as far as that can hold it.

    Parameters
    ----------
    values : pandas.Series
        What was read of the column.

    fitted : dict
        What `describe` returned in fit.

    name : str
        What errors call the column.

    Raises
    ------
    ValueError
        If its values are of another kind than in fit.
    """
    dtype, kind = load_dtype(fitted["dtype"]), fitted["kind"]
    missing = is_missing(values)
    if values.dtype == dtype and (dtype.kind != "O" or missing.all()):
        return values
    if missing.all():
        return _cast(pd.Series(None, values.index, object), dtype)
    if kind == "category":
        return _to_categories(values, values[~missing], dtype, name)
    values = uncategorized(values)
    observed = values[~missing].infer_objects()
    if _kind(observed, name) != kind:
        raise misfit(observed, name, *WHAT[kind])
    if kind == "text":
        return values.astype(dtype)
    return _cast(values, dtype)


def _kind(observed, name):
    """Return the kind of values; that of times tells if they have a time zone."""
    kind = kind_of(observed, name)
    return read_times(observed, name)[1] if kind == "time" else kind


def _to_categories(values, observed, dtype, name):
    """Return the categories of fit, and others after them, if they are alike."""
    known, found = dtype.categories, pd.Index(uncategorized(observed).unique())
    kinds = [kind_of(pd.Series(of).infer_objects(), name) for of in (known, found)]
    if kinds[0] != kinds[1]:
        what = f"categories such as {quote(known[0])}"
        raise misfit(observed, name, what, type(known[0]))
    new = found.difference(known, sort=False)
    return uncategorized(values).astype(
        pd.CategoricalDtype([*known, *new], dtype.ordered)
    )


def _cast(values, dtype):
    """Return values with a dtype, or with one that takes missing ones, or as they are.

    They stay as they are where they would change.
    """
    if dtype.kind == "O":
        return values
    for one in (dtype, TAKES_MISSING.get(dtype.kind, dtype)):
        try:
            found = values.astype(one)
        except (ValueError, TypeError, OverflowError):
            continue
        missing = is_missing(values)
        same = (found == values)[~missing]
        if (is_missing(found) == missing).all() and same.all():
            return found
    return values
