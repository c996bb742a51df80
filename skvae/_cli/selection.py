"""Which columns of a user's table can be fitted, and of which kind they are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skvae._cli.terminal import CommandError, format_count, format_names
from skvae._cli.text import parse_text
from skvae._table.columns import fit_column, is_missing, make_column
from skvae._table.entries import LARGEST_VALUE

MIN_ROWS = 10
MIN_VALUES = 10  # in a column; if there were fewer, all of them could be held out
MAX_EXAMPLE_LENGTH = 40
# What this module calls the kinds of columns that `fit_column` tells apart.
KINDS = {"numbers": "numeric", "times": "datetime", "levels": "categorical"}


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
        Columns of `X` in which some text stands for no number or date. The value
        describes that text, which is treated as missing.

    constants : dict of str to object
        The only value of each constant column, none of which is in `X`.

    left_out : dict of str to list of str
        Columns that are not in `X`, by the reason; the constant ones are among them.
    """

    X: pd.DataFrame
    y: pd.Series | None
    kinds: dict[str, str]
    unparsed: dict[str, str]
    constants: dict[str, object]
    left_out: dict[str, list[str]]

    @property
    def is_categorical(self):
        """Boolean mask of the columns of X that are categorical."""
        return np.array([kind == "categorical" for kind in self.kinds.values()])

    @property
    def n_missing(self):
        """Number of missing values in X."""
        return int(sum(is_missing(column).sum() for _, column in self.X.items()))


def select(name, table, label_column=None):
    """Select the columns of a table that can be fitted.

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
    _check_table(name, table)
    columns, kinds, unparsed, constants = {}, {}, {}, {}
    left_out = {} if label_column is None else {"label": [label_column]}
    for column in table.columns.drop(label_column, errors="ignore"):
        values, odd = parse_text(_infinity_as_missing(table[column]))
        kind, reason = _find_kind(values)
        if kind:
            columns[column], kinds[column] = values, kind
        else:
            left_out.setdefault(reason, []).append(column)
        if reason == "constant":
            first = np.flatnonzero(~is_missing(values))[0]
            constants[column] = table[column].iloc[first]
        if kind and len(odd):
            rows = format_count(len(odd), "row")
            unparsed[column] = f"text in {rows}, such as {odd.iloc[0]!r}"
    if not columns:
        reasons = (f"{format_names(c)}: {reason}" for reason, c in left_out.items())
        raise CommandError(
            f"{name} has no column that can be fitted ({'; '.join(reasons)})"
        )
    y = None if label_column is None else table[label_column]
    return Selection(pd.DataFrame(columns), y, kinds, unparsed, constants, left_out)


def _check_table(name, table):
    if len(table) < MIN_ROWS:
        raise CommandError(
            f"{name} has {format_count(len(table), 'row')}; at least {MIN_ROWS} are "
            "needed, as a fifth of them is held out"
        )


def _infinity_as_missing(column):
    """Return a column in which infinite numbers are missing values."""
    if column.dtype.kind != "f":
        return column
    return column.mask(np.isinf(column.to_numpy(np.float64, na_value=np.nan)))


def _find_kind(values):
    """Return the kind of a column, or None and the reason why it cannot be fitted."""
    n_values = int((~is_missing(values)).sum())
    if n_values < MIN_VALUES:
        few = f"only {format_count(n_values, 'value')}"
        return None, few if n_values else "no values"
    try:
        found = fit_column(values, "it")
    except (TypeError, ValueError):
        return None, _describe_unusable(values.dropna())
    kind = KINDS[found["kind"]]
    column = make_column(**found)
    if kind == "categorical" and column.grouping.tells_nothing:
        return None, _describe_unusable(values.dropna().astype(object))
    encoded, _ = column.to_codes(values, "it")
    low, high = np.nanmin(encoded), np.nanmax(encoded)
    if low == high:
        return None, "constant"
    if kind == "numeric" and max(-float(low), float(high)) > LARGEST_VALUE:
        return None, f"values beyond {LARGEST_VALUE:g}"
    if kind == "numeric" and _are_row_numbers(encoded):
        return None, "row numbers"
    return "timedelta" if kind == "datetime" and _is_timedelta(values) else kind, ""


def _describe_unusable(observed):
    """Describe a column that the estimator does not take, with one of its values.

    Examples
    --------
    >>> import pandas as pd
    >>> from skvae._cli.selection import _describe_unusable
    >>> _describe_unusable(pd.Series(["Anna", "Otto"]))
    "text with 2 distinct values, such as 'Anna'"
    >>> _describe_unusable(pd.Series([[1, 2], [3]]))
    'not numeric, datetime, timedelta or categorical, such as [1, 2]'
    """
    example = repr(next(iter(observed)))
    if len(example) > MAX_EXAMPLE_LENGTH:
        example = f"{example[: MAX_EXAMPLE_LENGTH - 3]}..."
    if pd.api.types.infer_dtype(observed) != "string":
        return f"not numeric, datetime, timedelta or categorical, such as {example}"
    return f"text with {observed.nunique():,} distinct values, such as {example}"


def _are_row_numbers(numbers):
    """Whether numbers count the rows, from 0 or 1."""
    return numbers[0] in (0, 1) and np.ptp(numbers - np.arange(len(numbers))) == 0


def _is_timedelta(values):
    return pd.api.types.infer_dtype(values, skipna=True).startswith("timedelta")
