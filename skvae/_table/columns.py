"""The columns of a table, each of a class: numeric, of times, or categorical.

A new kind of column is one more class, and one more row in `COLUMNS`. A class has:

- `kinds`, which of the kinds of `kind_of` it takes;
- `fit`, which returns the arguments of the class for a column: a dict of numbers,
  strings, lists and arrays, so that any file can hold it;
- `rule`, what a file must hold for these arguments, see `_rules.py`;
- `likelihood`, the kind of its likelihood, "gaussian" unless it is categorical;
- `n_categories`, which is 0 unless the column is categorical;
- `to_codes`, from a pandas Series of any dtype to codes, which are floats and NaN where
  a value is missing, and a list of the values that fit did not see;
- `from_codes`, from codes to values: an array of floats, of datetime64 in UTC, of
  timedelta64 or of categories, and the index of each row's value in this array, or None
  if it has one for each row;
- `to_objects`, from these values to an array of Python objects, for tables whose dtype
  is object.
"""

from typing import Any

from skvae._rules import one_of, require
from skvae._table.categories import CategoricalColumn
from skvae._table.kinds import kind_of
from skvae._table.numeric import NumericColumn
from skvae._table.times import TimeColumn
from skvae._table.values import is_missing

COLUMNS: dict[str, Any] = {  # by the names that artefacts have for the kinds of columns
    "numbers": NumericColumn,
    "times": TimeColumn,
    "levels": CategoricalColumn,
}
# Text with more distinct values than this, and than this share of the rows, is refused.
MOST_TEXTS, MOST_DISTINCT = 30, 0.5


def fit_column(series, name, is_chosen=False, may_choose="list it"):
    """Return what a column is, as the arguments of `make_column`.

    Parameters
    ----------
    series : Series
        The values of the column.
    name : str
        What errors call the column.
    is_chosen : bool
        Whether the column is categorical by the user's choice, whatever its dtype.
    may_choose : str
        What errors tell the user to do to make the column categorical.

    Returns
    -------
    dict
        "kind", which is a key of `COLUMNS`, and the arguments of that class.
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
        _check_texts(make_column(**state).categories, len(observed), name, may_choose)
    return state


def make_column(kind, **state):
    """Return the column whose arguments `fit_column` returned."""
    return COLUMNS[kind](**state)


def column_rule(value, path):
    """Check that a value is what `fit_column` returns."""
    require(type(value) is dict, path, "a dict", value)
    one_of(*COLUMNS)(value.get("kind"), f"{path}.kind")
    own = {key: one for key, one in value.items() if key != "kind"}
    COLUMNS[value["kind"]].rule(own, path)


def _check_texts(texts, n, name, may_choose):
    """Raise a ValueError if there are too many distinct texts to be categories."""
    most = max(MOST_TEXTS, MOST_DISTINCT * n)
    if len(texts) > most:
        raise ValueError(
            f"{name[0].upper()}{name[1:]} of X has {len(texts)} different texts in {n} "
            f"rows, such as {texts[0]!r}; more than {most:.0f} are taken for names or "
            f"remarks, not for categories. Drop the column, or {may_choose} to have it "
            "all the same."
        )
