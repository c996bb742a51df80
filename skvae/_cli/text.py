"""What a column's text stands for: numbers or times, and text of their format again."""

import re
import warnings

import numpy as np
import pandas as pd
from pandas.tseries.api import guess_datetime_format

# Text is numbers, or times, of which fewer than this share is something else.
MAX_ODD = 0.1
N_GUESSED = 100  # texts whose format is guessed


def read_text(column):
    """Return the numbers or times that a column's text stands for.

    Parameters
    ----------
    column : pandas.Series

    Returns
    -------
    values : pandas.Series
        Missing where the text is odd, which less than a tenth of it may be. A column
        that is no such text is returned as it is.

    odd : pandas.Series
        The odd text.

    Examples
    --------
    >>> import pandas as pd
    >>> from skvae._cli.text import read_text
    >>> values, odd = read_text(pd.Series(["13/2/2020", "1/3/2020"]))
    >>> values.dt.month.tolist()
    [2, 3]
    """
    text = column.dropna()
    if _is_text(text):
        for values in _read_numbers(text), _read_times(text)[0]:
            odd = text[values.isna()]
            if len(odd) < MAX_ODD * len(text):
                return as_integers(values.reindex(column.index)), odd
    return column, text[:0]


def as_read(values, column):
    """Return values as text of the column's format, if the column is text."""
    text = column.dropna()
    if not _is_text(text) or _is_text(values.dropna()):
        return values
    if values.dtype.kind == "M":
        return values.dt.strftime(_read_times(text)[1])
    return values.astype("string").astype(object)


def as_integers(column):
    """Return floats that are all whole as integers; any other column as it is."""
    if column.dtype.kind != "f" or column.isna().all():
        return column
    whole = column.isna() | (column % 1 == 0) & (column.abs() < 2**53)
    if not whole.all():
        return column
    return column.astype("Int64" if column.isna().any() else "int64")


def _is_text(values):
    return pd.api.types.infer_dtype(values, skipna=True) == "string"


def _read_numbers(text):
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers))


def _read_times(text):
    """Return times, NaT where text is odd, and their format.

    All NaT where no format fits best: then days could be months.
    """
    distinct = text.drop_duplicates()
    formats = _guess_formats(distinct[:N_GUESSED])
    iso = [form for form in formats if form.startswith("%Y-%m-%d")]
    if iso:  # with or without a time, which midnight may not have
        formats = [max(iso, key=len)]
    found = []
    for form in formats:
        how = {"format": "ISO8601" if iso else form, "utc": "%z" in form}
        times = pd.to_datetime(distinct, errors="coerce", **how)
        found.append((times.notna().sum(), form, times))
    found.sort(key=lambda one: -one[0])
    if not found or [count for count, *_ in found].count(found[0][0]) > 1:
        return pd.Series(pd.NaT, index=text.index), None
    _, form, times = found[0]
    if distinct.str.endswith("Z").any():
        form = form.replace("%z", "Z")
    return text.map(dict(zip(distinct, times, strict=True))), form


def _guess_formats(texts):
    """Return the formats of dates, day and month in both orders, that texts may have.

    Examples
    --------
    >>> from skvae._cli.text import _guess_formats
    >>> _guess_formats(["1/2/2020"]), _guess_formats(["2020-01-02"])
    (['%d/%m/%Y', '%m/%d/%Y'], ['%Y-%m-%d'])
    >>> _guess_formats(["2020", "2019-10", "seven"])
    []
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of days that can be no months
        guesses = {
            guess_datetime_format(text, dayfirst=dayfirst)
            for text in texts
            for dayfirst in (False, True)
        }
    day_of_year = re.compile(r"%Y.%m.%d|(%d.%m|%m.%d|%d.%b|%b.%d).*%Y")
    return sorted(form for form in guesses if form and day_of_year.match(form))
