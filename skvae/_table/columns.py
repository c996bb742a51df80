"""The columns of a table, each of a class: numeric, of times, or categorical.

A new kind of column is one more class, and one more row in `COLUMNS`. A class has:

- `kinds`, which of the kinds of `kind_of` it takes;
- `fit`, which returns the arguments of the class for a column: a dict of numbers,
  strings, lists and arrays, so that any file can hold it;
- `rule`, what a file must hold for these arguments, see `_rules.py`;
- `likelihood`, the kind of its likelihood, "gaussian" unless it is categorical;
- `n_categories`, which is 0 unless the column is categorical; then `grouping` is the
  `Grouping` of its categories;
- `is_aware`, whether its values are times of a time zone; None where they are no times;
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


def fit_column(series, name, is_chosen=False):
    """Return what a column is, as the arguments of `make_column`.

    Parameters
    ----------
    series : Series
        The values of the column.
    name : str
        What errors call the column.
    is_chosen : bool
        Whether the column is categorical by the user's choice, whatever its dtype.

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
    return {"kind": of} | COLUMNS[of].fit(observed, name)


def make_column(kind, **state):
    """Return the column whose arguments `fit_column` returned."""
    return COLUMNS[kind](**state)


def column_rule(value, path):
    """Check that a value is what `fit_column` returns."""
    require(type(value) is dict, path, "a dict", value)
    one_of(*COLUMNS)(value.get("kind"), f"{path}.kind")
    own = {key: one for key, one in value.items() if key != "kind"}
    COLUMNS[value["kind"]].rule(own, path)
