"""The numbers and dates that a column's text stands for, and such text made of them."""

import re
import warnings

import numpy as np
import pandas as pd
from pandas.tseries.api import guess_datetime_format

# A column of text is numeric, or of dates, if less than this share is something else.
MAX_UNPARSED_SHARE = 0.1
N_TEXTS_FOR_FORMATS = 100  # distinct texts of a column whose date format is guessed


def parse_text(column):
    """Return the numbers or dates that a column's text stands for.

    Parameters
    ----------
    column : pandas.Series
        A column of any dtype.

    Returns
    -------
    values : pandas.Series
        Numbers or datetimes; missing where the text cannot be parsed, if that is less
        than a tenth of it. Any other column is returned as it is.

    unparsed : pandas.Series
        The text that cannot be parsed.

    Examples
    --------
    >>> import pandas as pd
    >>> from skvae._cli.text import parse_text
    >>> values, unparsed = parse_text(pd.Series(["13/2/2020", "1/3/2020"]))
    >>> values.dt.month.tolist()
    [2, 3]
    """
    text = column.dropna()
    if _is_text(text):
        for values in _parse_numbers(text), _parse_dates(text)[0]:
            unparsed = text[values.isna()]
            if len(unparsed) < MAX_UNPARSED_SHARE * len(text):
                return to_integers(values.reindex(column.index)), unparsed
    return column, text[:0]


def format_like(values, column):
    """Return values as text in the format of a column's text.

    Parameters
    ----------
    values : pandas.Series
        Values of the kind that `parse_text` finds in `column`.

    column : pandas.Series
        A column of any dtype.

    Returns
    -------
    pandas.Series
        `values` as they are, if the column is not of text.
    """
    text = column.dropna()
    if not _is_text(text) or _is_text(values.dropna()):
        return values
    if values.dtype.kind == "M":
        return values.dt.strftime(_parse_dates(text)[1])
    return values.astype("string").astype(object)


def to_integers(column):
    """Return a column of floats as integers if all are whole, else as it is."""
    if column.dtype.kind != "f" or column.isna().all():
        return column
    whole = column.isna() | (column % 1 == 0) & (column.abs() < 2**53)
    if not whole.all():
        return column
    return column.astype("Int64" if column.isna().any() else "int64")


def _is_text(values):
    return pd.api.types.infer_dtype(values, skipna=True) == "string"


def _parse_numbers(text):
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers))


def _parse_dates(text):
    """Return the dates that text stands for, and their format.

    The format is the one in which most of the text is a date; other text becomes NaT.
    If two formats fit equally well, days cannot be told from months: then all are NaT
    and the format is None.
    """
    distinct = text.drop_duplicates()
    formats = _guess_formats(distinct[:N_TEXTS_FOR_FORMATS])
    iso = [form for form in formats if form.startswith("%Y-%m-%d")]
    if iso:  # pandas reads these with or without a time of day, which may be mixed
        formats = [max(iso, key=len)]
    parsed = []
    for form in formats:
        how = {"format": "ISO8601" if iso else form, "utc": "%z" in form}
        dates = pd.to_datetime(distinct, errors="coerce", **how)
        parsed.append((dates.notna().sum(), form, dates))
    parsed.sort(key=lambda one: -one[0])
    if not parsed or [count for count, *_ in parsed].count(parsed[0][0]) > 1:
        return pd.Series(pd.NaT, index=text.index), None
    _, form, dates = parsed[0]
    if distinct.str.endswith("Z").any():
        form = form.replace("%z", "Z")
    return text.map(dict(zip(distinct, dates, strict=True))), form


def _guess_formats(texts):
    """Return the date formats that texts may have, with day and month in either order.

    Examples
    --------
    >>> from skvae._cli.text import _guess_formats
    >>> _guess_formats(["1/2/2020"]), _guess_formats(["2020-01-02"])
    (['%d/%m/%Y', '%m/%d/%Y'], ['%Y-%m-%d'])
    >>> _guess_formats(["2020", "2019-10", "seven"])
    []
    """
    with warnings.catch_warnings():
        # pandas warns where a day is beyond 12 and so cannot be a month.
        warnings.simplefilter("ignore")
        guesses = {
            guess_datetime_format(text, dayfirst=dayfirst)
            for text in texts
            for dayfirst in (False, True)
        }
    day_of_year = re.compile(r"%Y.%m.%d|(%d.%m|%m.%d|%d.%b|%b.%d).*%Y")
    return sorted(form for form in guesses if form and day_of_year.match(form))
