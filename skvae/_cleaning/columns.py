"""What a column of a raw table holds: numbers, dates, booleans or text, and which."""

import datetime as dt
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from skvae._cleaning.dates import (
    DateFormat,
    find_date_format,
    find_digits,
    find_placeholders,
)
from skvae._cleaning.formats import (
    FORMATS,
    PLAIN_VALUES,
    BooleanFormat,
    PlainDates,
    PlainNumbers,
)
from skvae._cleaning.numbers import (
    INFINITY,
    MOST_DIGITS,
    NumberFormat,
    decimal_mark,
    find_number_format,
)
from skvae._files.delimited import MISSING
from skvae._table.columns import fit_column, is_missing, make_column
from skvae._table.entries import LARGEST_VALUE
from skvae._table.kinds import all_are
from skvae._table.times import read_times

# Among numbers, dates and booleans these mean that a value is missing.
MARKS = {*MISSING, *"? - -- --- . .. ... * _ missing \u2013 \u2014".split()}
# Text with more distinct values than this, and than this share of rows, is left out.
MOST_TEXTS, MOST_DISTINCT = 30, 0.5
EXACT = 10**MOST_DIGITS  # whole numbers up to here are told apart as floats
MAX_EXAMPLE_LENGTH = 40
MOST_SPELLINGS = 7  # of true and false: upper, lower and title are six
# What this module calls the kinds of columns that `fit_column` tells apart.
KINDS = {"numbers": "numeric", "times": "datetime", "levels": "categorical"}


@dataclass
class Reading:
    """What was read of a column.

    Attributes
    ----------
    values : pandas.Series
        Numbers, datetimes, booleans or text; missing where the column has none.

    empty : ndarray of bool
        Where the column has nothing, or a mark that means so.

    unread : pandas.Series
        What it has where `values` are missing and it is not empty.
    """

    values: pd.Series
    empty: np.ndarray
    unread: pd.Series


@dataclass
class ColumnReader:
    """Reads a column as it was found to be.

    Attributes
    ----------
    format : NumberFormat, DateFormat, BooleanFormat or None
        How text, or dates such as 20210325, are written; `None` if the values are what
        they are.

    note : str
        What is special about the column.

    placeholders : list of str
        Days that stand for no date, such as 9999-12-31.
    """

    format: Any = None
    note: str = ""
    placeholders: list[str] = field(default_factory=list)

    @property
    def in_doubt(self):
        """Whether the column may as well mean something else."""
        return isinstance(self.format, NumberFormat) and self.format.doubt

    def read(self, column, finite=True):
        """Return the `Reading` of a column of the same kind.

        Parameters
        ----------
        column : pandas.Series
            The column.

        finite : bool, default=True
            Whether infinite numbers, and days that stand for no date, are left unread.
        """
        values, empty = self._read(column)
        if finite:
            values = _infinity_as_missing(values)
            values = _days_as_missing(values, self.placeholders)
        unread = column[is_missing(values) & ~empty]
        return Reading(values.rename(column.name), empty, unread)

    def write(self, values):
        """Return values as the column writes them."""
        return values if self.format is None else self.format.write(values)

    def state(self):
        """Return the reader as plain data."""
        fields = {} if self.format is None else asdict(self.format)
        kind = "" if self.format is None else self.format.kind
        days = list(self.placeholders)
        return {
            "kind": kind,
            "fields": fields,
            "note": self.note,
            "placeholders": days,
        }

    @classmethod
    def from_state(cls, state):
        """Return the reader whose `state` this is."""
        kind = state["kind"]
        form = FORMATS[kind](**state["fields"]) if kind else None
        # Older states know of no placeholders.
        return cls(form, state["note"], state.get("placeholders", []))

    def _read(self, column):
        """Return the values of a column, and where it has none."""
        if is_text(column):
            return self._read_text(column)
        column = _without_marks(column)
        missing = is_missing(column)
        if getattr(self.format, "is_digits", False):
            present = pd.Series(
                column.to_numpy(object)[~missing], np.flatnonzero(~missing)
            )
            if present.infer_objects().dtype.kind in "iuf":
                return self._parse(present, column.index), missing
        if self.format is not None and missing.all():
            return self._parse(pd.Series(dtype=object), column.index), missing
        return column, missing

    def _read_text(self, column):
        texts = column.str.strip()
        marks = MARKS if self.format is not None else {""}
        empty = is_missing(texts) | texts.isin(marks).to_numpy(bool)
        if self.format is None:
            odd = empty & ~is_missing(column)
            return column.mask(odd) if odd.any() else column, empty
        present = pd.Series(texts.to_numpy(object)[~empty], np.flatnonzero(~empty))
        return self._parse(present, column.index), empty

    def _parse(self, texts, index):
        """Return the values of texts that are indexed by their positions."""
        values = self.format.parse(texts).reindex(range(len(index)))
        if isinstance(self.format, NumberFormat) and not self.format.whole:
            values = values.astype("float64")
        elif values.dtype.kind == "f":  # whole, but for what is missing
            values = values.astype(
                "Int64" if (values.dropna() % 1 == 0).all() else "float64"
            )
        elif values.dtype == object:
            values = values.astype("boolean")
        return values.set_axis(index)


def find_readers(table, usual=None):
    """Return the reader of each column.

    Parameters
    ----------
    table : pandas.DataFrame
        Of columns as they were read: text, or values of any dtype.

    usual : {".", ","}, default=None
        The decimal mark, where no column of text tells; a point if `None`.

    Returns
    -------
    list of ColumnReader
    """
    counts = [_count(table.iloc[:, j]) for j in range(table.shape[1])]
    marks = [decimal_mark(of) for of in counts if of]
    known = {mark: marks.count(mark) for mark in ".,"}
    tell = known["."] != known[","]
    decimal = max(known, key=known.__getitem__) if tell else None
    readers = [
        _find_reader(table.iloc[:, j], counts[j], decimal, usual or ".")
        for j in range(table.shape[1])
    ]
    return [
        _with_placeholders(reader, table.iloc[:, j]) for j, reader in enumerate(readers)
    ]


def find_kind(values, min_values=1):
    """Return the kind of a column, and why it should be left out.

    Parameters
    ----------
    values : pandas.Series
        What was read of the column.

    min_values : int, default=1
        How many values a column must have.

    Returns
    -------
    kind : {"numeric", "datetime", "timedelta", "categorical"} or None
        `None` if it is of no kind.

    why : {"", "constant", "identifier", "unusable"}
        Empty if it should not be left out.

    reason : str
        The same in the words of a report.
    """
    missing = is_missing(values)
    n_values = int((~missing).sum())
    if n_values < max(min_values, 1):
        few = f"only {n_values:,} value{'' if n_values == 1 else 's'}"
        return None, "unusable", few if n_values else "no values"
    if is_text(values):
        n_distinct = values.nunique()
        if n_distinct > max(MOST_TEXTS, MOST_DISTINCT * n_values):
            return "categorical", "identifier", _describe_unusable(values[~missing])
    if values.dtype.kind in "iu" and values[~missing].abs().max() > EXACT:
        return (
            "numeric",
            "identifier",
            f"whole numbers of more than {MOST_DIGITS} digits",
        )
    try:
        found = fit_column(values, "it")
    except (TypeError, ValueError):
        return None, "unusable", _describe_unusable(values[~missing])
    kind = KINDS[found["kind"]]
    if kind == "datetime" and _is_timedelta(values):
        kind = "timedelta"
    column = make_column(**found)
    if kind == "categorical" and column.grouping.tells_nothing:
        return kind, "identifier", _describe_unusable(values[~missing].astype(object))
    encoded, _ = column.to_codes(values, "it")
    low, high = np.nanmin(encoded), np.nanmax(encoded)
    if low == high:
        return kind, "constant", "constant"
    if kind == "numeric" and max(-float(low), float(high)) > LARGEST_VALUE:
        return None, "unusable", f"values beyond {LARGEST_VALUE:g}"
    if kind == "numeric" and _are_row_numbers(encoded):
        return kind, "identifier", "row numbers"
    return kind, "", ""


def is_text(values):
    """Whether all values that are not missing are strings, and there is one."""
    return (
        not isinstance(values.dtype, pd.CategoricalDtype)
        and pd.api.types.infer_dtype(values, skipna=True) == "string"
    )


def _count(column):
    """Return how often a column has which text that is not a mark; of text only."""
    if not is_text(column):
        return {}
    counts = column.dropna().str.strip().value_counts()
    return {text: n for text, n in counts.to_dict().items() if text not in MARKS}


def _find_reader(column, counts, decimal, usual):
    if not counts:
        return _find_reader_of_values(column)
    infinite = [t for t in counts if t[-1] in "fyFY" and INFINITY.fullmatch(t)]
    finite = {text: n for text, n in counts.items() if text not in infinite}
    if not finite:
        return ColumnReader()
    spelling = {text.lower(): text for text in reversed([*counts][:MOST_SPELLINGS])}
    if len(counts) < MOST_SPELLINGS and spelling.keys() <= {"true", "false"}:
        false = spelling.get("false") or _like(spelling["true"], "false")
        true = spelling.get("true") or _like(spelling["false"], "true")
        return ColumnReader(BooleanFormat(true, false))
    dates, date_note = find_date_format(finite)
    if dates is not None:
        return ColumnReader(dates, dates.describe())
    numbers, number_note = find_number_format(finite, decimal, usual)
    if numbers is not None:
        return ColumnReader(numbers, numbers.describe())
    return ColumnReader(None, date_note or number_note)


def _find_reader_of_values(column):
    """Return the reader of a column that is not text: whole numbers may be dates."""
    column = _without_marks(column)
    observed = column.dropna().infer_objects()
    if isinstance(observed.dtype, pd.CategoricalDtype) or not len(observed):
        return ColumnReader()
    plain = PLAIN_VALUES.get(observed.dtype.kind)
    if observed.dtype == object and all_are(observed, dt.date):
        plain = PlainDates
    if plain is not None:
        zone = getattr(observed.dtype, "tz", None)
        return ColumnReader(plain() if zone is None else PlainDates(zone="UTC"))
    if observed.dtype.kind not in "iuf":
        return ColumnReader()
    distinct = observed.drop_duplicates()
    whole = observed.dtype.kind in "iu" or (distinct % 1 == 0).all()
    found = find_digits(distinct) if whole and len(distinct) else None
    if found:
        return ColumnReader(found, found.describe())
    return ColumnReader(PlainNumbers())


def _without_marks(column):
    """Return a column of values and text, in which marks for missing values are NaN."""
    if column.dtype != object or is_text(column):
        return column
    is_mark = [isinstance(v, str) and v.strip() in MARKS for v in column]
    return column.mask(is_mark).infer_objects() if any(is_mark) else column


def _like(text, other):
    """Return a word in the case of a text: upper, lower or as a title."""
    case = next(
        c for c in ("upper", "lower", "title", "lower") if getattr(text, f"is{c}")()
    )
    return getattr(other, case)()


def _with_placeholders(reader, column):
    """Return a reader that knows which days of its column stand for none."""
    if not isinstance(reader.format, DateFormat):
        return reader
    values = reader.read(column, finite=False).values
    times, _ = read_times(values[~is_missing(values)], "it")
    days = find_placeholders(times).astype(str).tolist()
    if not days:
        return reader
    said = f"{' and '.join(days)} taken for missing"
    note = f"{reader.note}; {said}" if reader.note else said
    return replace(reader, note=note, placeholders=days)


def _days_as_missing(column, days):
    """Return a column of times in which some days are missing values."""
    missing = is_missing(column)
    if not days or missing.all():
        return column
    times, _ = read_times(column[~missing], "it")
    odd = np.zeros(len(column), bool)
    odd[~missing] = np.isin(times.astype("M8[D]"), np.array(days, "M8[D]"))
    return column.mask(odd)


def _infinity_as_missing(column):
    """Return a column in which infinite numbers are missing values."""
    if column.dtype.kind != "f":
        return column
    infinite = np.isinf(column.to_numpy(np.float64, na_value=np.nan))
    return column.mask(infinite) if infinite.any() else column


def _describe_unusable(observed):
    """Describe a column that the estimator does not take, with one of its values.

    Examples
    --------
    >>> import pandas as pd
    >>> from skvae._cleaning.columns import _describe_unusable
    >>> _describe_unusable(pd.Series(["Anna", "Otto"]))
    "text with 2 distinct values, such as 'Anna'"
    >>> _describe_unusable(pd.Series([[1, 2], [3]]))
    'not numeric, datetime, timedelta or categorical, such as [1, 2]'
    """
    example = repr(next(iter(observed)))
    if len(example) > MAX_EXAMPLE_LENGTH:
        example = f"{example[: MAX_EXAMPLE_LENGTH - 3]}..."
    if not is_text(observed):
        return f"not numeric, datetime, timedelta or categorical, such as {example}"
    return f"text with {observed.nunique():,} distinct values, such as {example}"


def _are_row_numbers(numbers):
    """Whether numbers count the rows, from 0 or 1."""
    return numbers[0] in (0, 1) and np.ptp(numbers - np.arange(len(numbers))) == 0


def _is_timedelta(values):
    return pd.api.types.infer_dtype(values, skipna=True).startswith("timedelta")
