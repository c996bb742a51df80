"""One column to floats and back: numbers, times since the first, codes of levels.

A column is a pandas Series of any dtype, whatever table it comes from. The way back
ends with `values`, a numpy array of floats, of datetime64 in UTC, of timedelta64 or of
levels; the containers give them the dtype that the table had. What is learnt of a
column is a dict of numbers, strings, lists and arrays, which any file can hold.
"""

from typing import Any

from skvae._table.categories import CategoricalColumn
from skvae._table.kinds import kind_of
from skvae._table.numeric import NumericColumn
from skvae._table.times import TimeColumn
from skvae._table.values import is_missing

COLUMNS: dict[str, Any] = {  # by the name that artefacts have for it
    "numbers": NumericColumn,
    "times": TimeColumn,
    "levels": CategoricalColumn,
}
MOST_TEXTS, MOST_DISTINCT = 30, 0.5  # distinct: so many, or this share of the rows


def fit_column(series, name, is_chosen=False, may_choose="list it"):
    """Return what a column is.

    Parameters
    ----------
    series : Series
    name : str
        How errors call the column.
    is_chosen : bool
        Whether its values are levels, whatever the dtype.
    may_choose : str
        How the user has a column's values taken for levels.

    Returns
    -------
    dict
        The name of the column's class in `COLUMNS`, and its arguments.
    """
    observed = series[~is_missing(series)]
    if not len(observed):
        raise ValueError(
            f"Input X contains nothing but missing values in {name}: there is nothing "
            "to learn. Drop the column."
        )
    kind = kind_of(observed, name)
    if is_chosen:
        kind = "category"
    of = next(known for known, column in COLUMNS.items() if kind in column.kinds)
    state = {"kind": of} | COLUMNS[of].fit(observed, name)
    if kind == "text":
        _check_texts(make_column(**state).levels, len(observed), name, may_choose)
    return state


def make_column(kind, **state):
    """Return the column that `fit_column` found."""
    return COLUMNS[kind](**state)


def _check_texts(texts, n, name, may_choose):
    """Raise a ValueError if there are too many texts for categories."""
    most = max(MOST_TEXTS, MOST_DISTINCT * n)
    if len(texts) > most:
        raise ValueError(
            f"{name[0].upper()}{name[1:]} of X has {len(texts)} different texts in {n} "
            f"rows, such as {texts[0]!r}; text of more than {most:.0f} is no category "
            f"but a name or a remark. Drop the column, or {may_choose} to have it all "
            "the same."
        )
