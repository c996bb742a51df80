"""A user's table as the estimator takes it, and what the estimator makes of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skvae._cli.reading import as_read, read_text
from skvae._cli.terminal import CommandError, format_table
from skvae._table.columns import fit_column, is_missing, make_column
from skvae._table.entries import LARGEST_VALUE

MIN_ROWS = 10
# Of fewer values all may be held out.
MIN_VALUES = 10
LONGEST_EXAMPLE = 40
MOST_DECIMALS = 10  # that a column's entries are given


@dataclass
class Selection:
    """The columns of a table that can be fitted, and what is left out of it."""

    X: pd.DataFrame  # the used columns, text as the numbers or times that it stands for
    y: pd.Series | None  # the rows' labels
    kinds: dict[str, str]  # used column -> "numbers", "times" or "levels"
    odd: dict[str, str]  # column -> what in it is taken for missing
    constant: dict[str, object]  # column -> its only value
    left_out: dict[str, list[str]]  # reason -> columns, the constant ones too

    @property
    def is_level(self):
        """Which columns of X are levels."""
        return np.array([kind == "levels" for kind in self.kinds.values()])

    @property
    def n_missing(self):
        """How many entries of X are missing."""
        return int(sum(is_missing(column).sum() for _, column in self.X.items()))


def select(name, table, label_column=None):
    """Choose the columns of a table that can be fitted.

    Parameters
    ----------
    name : str
        The table's name, for messages.

    table : pandas.DataFrame
        The table.

    label_column : str, default=None
        A column that is not fitted, but compared with the embedding.

    Returns
    -------
    Selection
    """
    if label_column is not None and label_column not in table.columns:
        raise CommandError(
            f"{name}: no column {label_column!r}; the columns are "
            f"{listed(table.columns)}"
        )
    if len(table) < MIN_ROWS:
        raise CommandError(
            f"{name}: {len(table)} rows; the least that can be split into a part to "
            f"fit and a part to hold out is {MIN_ROWS}"
        )
    selection = Selection(
        X=pd.DataFrame(index=table.index),
        y=None if label_column is None else table[label_column],
        kinds={},
        odd={},
        constant={},
        left_out={} if label_column is None else {"label": [label_column]},
    )
    columns = {}
    for column in table.columns.drop(label_column, errors="ignore"):
        values, odd = read_text(_finite(table[column]))
        kind, reason = _kind(values)
        if kind:
            columns[column], selection.kinds[column] = values, kind
        else:
            selection.left_out.setdefault(reason, []).append(column)
        if reason == "constant":
            first = np.flatnonzero(~is_missing(values))[0]
            selection.constant[column] = table[column].iloc[first]
        if kind and len(odd):
            rows = count(len(odd), "row")
            selection.odd[column] = f"text in {rows}, first {odd.iloc[0]!r}"
    if not columns:
        reasons = (f"{listed(c)}: {reason}" for reason, c in selection.left_out.items())
        raise CommandError(f"{name}: no column to fit ({'; '.join(reasons)})")
    selection.X = pd.DataFrame(columns)
    return selection


def _finite(column):
    """Return a column whose infinite numbers are missing."""
    if column.dtype.kind != "f":
        return column
    return column.mask(np.isinf(column.to_numpy(np.float64, na_value=np.nan)))


def _kind(values):
    """Return what a column is, or None, and why it is left out."""
    n_values = int((~is_missing(values)).sum())
    if n_values < MIN_VALUES:
        return None, count(n_values, "value") if n_values else "no value"
    try:
        found = fit_column(values, "it")
    except (TypeError, ValueError):
        return None, _why_not(values.dropna())
    codes, _ = make_column(**found).encode(values, "it")
    low, high = np.nanmin(codes), np.nanmax(codes)
    counts = np.arange(len(codes))
    reason = ""
    if low == high:
        reason = "constant"
    elif found["kind"] == "numbers" and max(-float(low), float(high)) > LARGEST_VALUE:
        reason = f"values beyond {LARGEST_VALUE:g}"
    elif found["kind"] == "numbers" and np.ptp(codes - counts) == 0 and low in (0, 1):
        reason = "row numbers"
    return (None if reason else found["kind"]), reason


def _why_not(observed):
    """Say why the estimator does not take a column; the first of its values shows it.

    Examples
    --------
    >>> import pandas as pd
    >>> from skvae._cli.selection import _why_not
    >>> _why_not(pd.Series(["Anna", "Otto"])), _why_not(pd.Series([[1, 2], [3]]))
    ("2 different texts, such as 'Anna'", 'no numbers, dates or levels, such as [1, 2]')
    """
    example = repr(next(iter(observed)))
    if len(example) > LONGEST_EXAMPLE:
        example = f"{example[: LONGEST_EXAMPLE - 3]}..."
    if pd.api.types.infer_dtype(observed) != "string":
        return f"no numbers, dates or levels, such as {example}"
    return f"{observed.nunique():,} different texts, such as {example}"


def describe_selection(name, table, selection):
    """Return what is used and what is left out, and why, as text."""
    lines = []
    for kind, title in ("numbers", "numbers"), ("times", "dates"), ("levels", "levels"):
        columns = [c for c, of in selection.kinds.items() if of == kind]
        if columns:
            lines.append([title, f"{count(len(columns), 'column')}: {listed(columns)}"])
    if selection.n_missing:
        share = selection.n_missing / selection.X.size
        entries = f"{selection.n_missing:,} entries, {share:.1%} of these columns"
        lines.append(["missing", entries])
    for column, what in selection.odd.items():
        lines.append(["", f"{column}: {what}, taken for missing"])
    for reason, columns in selection.left_out.items():
        lines.append(["left out", f"{listed(columns)}: {reason}"])
    title = f"{name}: {count(len(table), 'row')}, {count(table.shape[1], 'column')}"
    return f"{title}\n\n{format_table(lines, '<<')}"


def embed(selection, estimator):
    """Return one row of components per row of the table."""
    names = list(estimator.get_feature_names_out())
    embedding = np.asarray(estimator.transform(selection.X))
    return pd.DataFrame(embedding, index=selection.X.index, columns=names)


def impute(table, selection, estimator):
    """Return the table with what is missing filled in, where a column was fitted."""
    filled = table.copy()
    for column, values in estimator.impute(selection.X).items():
        hole = is_missing(selection.X[column])
        if hole.any():
            if selection.kinds[column] == "numbers":
                values = _like(selection.X[column][~hole], values)
            array = table[column].array.copy()
            array[hole] = as_read(values, table[column]).array[hole]
            filled[column] = array
    return filled


def _like(observed, values):
    """Return numbers within the range of what was observed, and with its decimals.

    Examples
    --------
    >>> import pandas as pd
    >>> from skvae._cli.selection import _like
    >>> _like(pd.Series([0.5, 2.25]), pd.Series([-0.1, 1.23456])).tolist()
    [0.5, 1.23]
    """
    if values.dtype.kind not in "fiu":
        return values
    values = values.clip(observed.min(), observed.max())
    exact = (d for d in range(MOST_DECIMALS) if (observed.round(d) == observed).all())
    decimals = next(exact, None)
    return values if decimals is None else values.round(decimals)


def sample(n_rows, table, selection, estimator, random_state):
    """Return drawn rows with the table's columns, but those that cannot be drawn."""
    drawn = estimator.sample(n_rows, random_state=random_state)
    columns = {}
    for column, read in table.items():
        if column in drawn:
            columns[column] = as_read(drawn[column], read)
        elif column in selection.constant:
            value = selection.constant[column]
            columns[column] = pd.Series([value] * n_rows, dtype=read.dtype)
    return pd.DataFrame(columns)


def listed(names, most=8):
    """Name the first few."""
    names = [str(name) for name in names]
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def count(n, what):
    many = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{n:,} {what if n == 1 else many}"
