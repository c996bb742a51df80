"""The columns of a user's table that can be fitted, and what they are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skvae._cli.terminal import CommandError, count, listed
from skvae._cli.text import read_text
from skvae._table.columns import fit_column, is_missing, make_column
from skvae._table.entries import LARGEST_VALUE

MIN_ROWS = 10
# Of fewer values all may be held out.
MIN_VALUES = 10
LONGEST_EXAMPLE = 40


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
