"""Which columns of a user's table can be fitted, and of which kind they are."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from skvae._cleaning.columns import ColumnReader, find_kind, find_readers, is_text
from skvae._cli.terminal import CommandError, format_count, format_names
from skvae._table.columns import fit_column, is_missing, make_column

MIN_ROWS = 10
MIN_VALUES = 10  # in a column; if there were fewer, all of them could be held out


@dataclass
class Selection:
    """The columns of a table that can be fitted, and why the others cannot.

    Attributes
    ----------
    X : pandas.DataFrame
        The columns to fit. Text that stands for numbers or dates is replaced by these.

    y : pandas.Series or None
        The label of each row, which is not fitted.

    kinds : dict of str to str
        Of each column of `X`: "numeric", "datetime", "timedelta" or "categorical".

    unparsed : dict of str to str
        Columns of `X` in which some entries are neither read nor empty. The value
        describes them; they are treated as missing.

    constants : dict of str to object
        The only value of each constant column, none of which is in `X`.

    left_out : dict of str to list of str
        Columns that are not in `X`, by the reason; the constant ones are among them.

    readers : dict of str to ColumnReader
        How each column of the table is read and written.

    empty : dict of str to ndarray of bool
        Where each column of `X` has nothing, or a mark that means so.

    marks : dict of str to list of str
        Of each column of `X` the marks that mean that a value is missing.

    pooled : dict of str to str
        Columns of `X` whose rare categories are pooled, with how many these are.
    """

    X: pd.DataFrame
    y: pd.Series | None
    kinds: dict[str, str]
    unparsed: dict[str, str]
    constants: dict[str, object]
    left_out: dict[str, list[str]]
    readers: dict[str, ColumnReader] = field(default_factory=dict)
    empty: dict[str, np.ndarray] = field(default_factory=dict)
    marks: dict[str, list[str]] = field(default_factory=dict)
    pooled: dict[str, str] = field(default_factory=dict)

    @property
    def is_categorical(self):
        """Boolean mask of the columns of X that are categorical."""
        return np.array([kind == "categorical" for kind in self.kinds.values()])

    @property
    def missing(self):
        """Number of missing values of each column of X that has some."""
        counts = {column: int(is_missing(v).sum()) for column, v in self.X.items()}
        return {column: n for column, n in counts.items() if n}

    @property
    def n_missing(self):
        """Number of missing values in X."""
        return sum(self.missing.values())

    @property
    def notes(self):
        """What is special about columns of the table, as text for those that are."""
        return {name: one.note for name, one in self.readers.items() if one.note}


def select(name, table, label_column=None, decimal=None, marks=None):
    """Select the columns of a table that can be fitted.

    Parameters
    ----------
    name : str
        The table's name, for messages.

    table : pandas.DataFrame
        The table.

    label_column : str, default=None
        A column that is not fitted, but compared with the embedding.

    decimal : {".", ","}, default=None
        The decimal mark where no column tells.

    marks : dict of str to iterable of str, default=None
        The marks for missing values that were found when the table was read.

    Returns
    -------
    Selection
    """
    _check_table(name, table)
    readers = dict(zip(table.columns, find_readers(table, decimal), strict=True))
    found = Selection(pd.DataFrame(), None, {}, {}, {}, {}, readers)
    columns = {}
    if label_column is not None:
        found.left_out["label"] = [label_column]
        found.y = readers[label_column].read(table[label_column]).values
    for column in table.columns.drop(label_column, errors="ignore"):
        reading = readers[column].read(table[column])
        kind, why, reason = find_kind(reading.values, MIN_VALUES)
        if why == "constant":
            first = np.flatnonzero(~is_missing(reading.values))[0]
            found.constants[column] = table[column].iloc[first]
        if why:
            found.left_out.setdefault(reason, []).append(column)
            continue
        columns[column], found.kinds[column] = reading.values, kind
        found.empty[column] = reading.empty
        found.marks[column] = _marks(table[column], reading, (marks or {}).get(column))
        if len(reading.unread):
            found.unparsed[column] = _describe_unread(reading.unread)
        pool = _describe_pool(reading.values) if kind == "categorical" else ""
        if pool:
            found.pooled[column] = pool
    if not columns:
        reasons = (
            f"{format_names(c)}: {reason}" for reason, c in found.left_out.items()
        )
        raise CommandError(
            f"{name} has no column that can be fitted ({'; '.join(reasons)})"
        )
    found.X = pd.DataFrame(columns)
    return found


def _check_table(name, table):
    if len(table) < MIN_ROWS:
        raise CommandError(
            f"{name} has {format_count(len(table), 'row')}; at least {MIN_ROWS} are "
            "needed, as a fifth of them is held out"
        )


def _describe_pool(values):
    """Return how many categories of a column are pooled, "" where none is.

    Examples
    --------
    >>> import pandas as pd
    >>> from skvae._cli.selection import _describe_pool
    >>> _describe_pool(pd.Series(["a"] * 9 + [f"b{i}" for i in range(40)]))
    '41 categories, of which the 40 rarest are pooled'
    """
    column = make_column(**fit_column(values, "it"))
    grouping, n = column.grouping, f"{column.n_categories:,} categories"
    if not grouping.n_grouped:
        return ""
    if not grouping.takes_unseen:  # they have an order
        return f"{n}, of which neighbours are joined to {grouping.n_groups:,} groups"
    return f"{n}, of which the {grouping.n_grouped:,} rarest are pooled"


def _marks(column, reading, known):
    """Return the texts of a column that mean that a value is missing."""
    marks = set(known or ())
    if is_text(column):
        marks |= set(column[reading.empty].dropna())
    return sorted(mark for mark in marks if mark.strip())


def _describe_unread(unread):
    rows = format_count(len(unread), "row")
    if is_text(unread):
        return f"text in {rows}, such as {unread.iloc[0]!r}"
    return f"{unread.iloc[0]} in {rows}"
