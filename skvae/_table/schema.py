"""The schema of a table: what its columns are, as a matrix of floats and back."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from pandas.api.types import is_list_like

from skvae._printable import quote
from skvae._rules import Optional, anything, both, each, made, one_of, record, row, text
from skvae._table.categorical_features import find_categorical
from skvae._table.columns import column_rule, fit_column, make_column
from skvae._table.containers import CONTAINERS, Numpy, column_labels, container_of
from skvae._table.groupings import LEAST_ROWS, NO_GROUPS
from skvae._table.kinds import kind_of
from skvae._table.numeric import NumericColumn
from skvae._table.plain import dtype_rule, dump_dtype, load_dtype
from skvae._table.values import is_missing, shorten, uncategorized
from skvae._warnings import warn

MOST_NAMED = 3  # so many unseen values of a column are named in a warning
MOST_LISTED = 50  # so many columns that cannot be modelled are listed in an error
# What becomes of values that fit did not see, by whether rare ones are pooled.
UNSEEN = {False: "are treated as missing", True: "count among its rare values"}
# What depends on the rows in fit, so that other rows of the same table may differ.
OF_ROWS = "tick", "origin", "low", "high", "decimals", "groups", "counts"


class Schema:
    """What the columns of a table are: their names, kinds, dtypes and container.

    Parameters
    ----------
    container : dict
        "kind", a key of `CONTAINERS`, and "labels", those of the columns as plain data.
    columns : list of dict
        Of each column "column", what `fit_column` returns, and "dtype", as plain data.
        In older artefacts also "name", what errors call it, which the labels say too.

    Attributes
    ----------
    names : list of str
        What errors call the columns.
    n_categories : ndarray of shape (n_features,)
        Numbers of categories, 0 for columns that are not categorical.
    groupings : list of Grouping
        Of the categories; of no groups for columns that are not categorical.
    n_groups : ndarray of shape (n_features,)
        Numbers of groups of categories.
    kinds : ndarray of shape (n_features,)
        Of str: the kinds of the columns' likelihoods.
    labels : Index, list or None
        Of the columns in fit.
    are_numbers : bool
        Whether all columns are numeric.
    is_of_array : bool
        Whether the table is an array.
    is_of_floats : bool
        Whether it is an array of floats.
    """

    def __init__(self, container, columns):
        self._container = container
        self._states = [
            {key: one[key] for key in ("column", "dtype")} for one in columns
        ]
        self._columns = [make_column(**state["column"]) for state in columns]
        self._dtypes = [load_dtype(state["dtype"]) for state in columns]
        self.labels = CONTAINERS[container["kind"]].load_labels(container["labels"])
        self.names = _names(self.labels, len(columns))
        self.n_categories = np.array(
            [c.n_categories for c in self._columns], dtype=np.int64
        )
        self.groupings = [
            c.grouping if c.n_categories else NO_GROUPS for c in self._columns
        ]
        self.n_groups = np.array([g.n_groups for g in self.groupings], dtype=np.int64)
        self.kinds = np.array([c.likelihood for c in self._columns], dtype=str)
        self.are_numbers = all(isinstance(c, NumericColumn) for c in self._columns)
        self.is_of_array = container["kind"] == Numpy.kind
        are_numbers = self.is_of_array and self.are_numbers
        self.is_of_floats = are_numbers and all(d.kind == "f" for d in self._dtypes)

    def arguments(self):
        """Return the arguments of the class, as plain data."""
        return self._container, self._states

    def identity(self):
        """Return what must be equal for two schemas to describe the same table.

        Rows of the same table may differ in what `OF_ROWS` lists, such as the earliest
        datetime, and arrays of floats may differ in their precision.
        """
        if self.is_of_floats:
            return self.names
        columns = []
        for state in self._states:
            own = {k: v for k, v in state["column"].items() if k not in OF_ROWS}
            columns.append(state | {"column": own})
        return self._container, columns

    def to_codes(self, X):  # -> (n, d)
        """Return the codes of the columns' values, NaN where missing.

        The code of a number is itself, that of a time is ticks since the first in fit,
        and that of a category is its index.

        Parameters
        ----------
        X : DataFrame, ndarray or list of lists
            Its columns are taken by their positions. The container may be another than
            in fit.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            float64, or float32 if all of X's columns are.
        """
        series = container_of(X).to_series(X)
        if len(series) != len(self._columns):
            raise ValueError(
                f"X has {len(series)} columns, and fit saw {len(self._columns)}; it "
                "must have the same ones."
            )
        to_codes = [column.to_codes for column in self._columns]
        encoded = _of_each_column(to_codes, series, self.names)
        unseen = (values for _, values in encoded)
        _warn_of_unseen(zip(self.names, unseen, self.groupings, strict=True))
        are_single = encoded and all(
            np.float32 in (x.dtype, one.dtype)
            for (x, _), one in zip(encoded, series, strict=True)
        )
        dtype = np.float32 if are_single else np.float64
        codes = np.empty((len(X), len(encoded)), dtype)
        for j, (x, _) in enumerate(encoded):
            codes[:, j] = x
        return codes

    def to_known_codes(self, given):  # -> (n, d)
        """Return the codes of rows of which some columns are known, NaN in the others.

        Parameters
        ----------
        given : DataFrame or mapping
            Of some of the columns, by their labels in fit, or by their numbers where it
            saw an array. A mapping to single values is one row.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        if isinstance(given, Mapping):
            are_lists = any(map(is_list_like, given.values()))
            given = pd.DataFrame(given if are_lists else [given])
        found = column_labels(given)
        if found is None:
            raise TypeError(
                "given must be a DataFrame, or a dict, of the columns that are known. "
                f"Got {quote(given)}."
            )
        labels = range(len(self._columns)) if self.labels is None else self.labels
        places = {label: j for j, label in enumerate(labels)}
        strange = [label for label in found if label not in places]
        if strange or len({*found}) < len(found):
            what = f"other columns than fit saw, {', '.join(map(quote, strange))}"
            raise ValueError(
                f"given has {what if strange else 'a column twice'}. Its columns are "
                "some of those of fit, by their labels."
            )
        at = [places[label] for label in found]
        names, columns = ([of[j] for j in at] for of in (self.names, self._columns))
        series = container_of(given).to_series(given)
        to_codes = [column.to_codes for column in columns]
        codes = np.full((len(given), len(self._columns)), np.nan)
        encoded = _of_each_column(to_codes, series, names)
        for j, name, (of_column, unseen) in zip(at, names, encoded, strict=True):
            if unseen:
                raise ValueError(
                    f"given has values that fit did not see, in {name}: "
                    f"{shorten(unseen, MOST_NAMED)}. Nothing is known of such rows; "
                    "leave the column out to have it drawn."
                )
            codes[:, j] = of_column
        return codes

    def to_groups(self, codes):  # (n, d) -> (n, d)
        """Return codes, but of categories the groups that they belong to."""
        if not len(self.shared):
            return codes
        groups = codes.copy()
        for j in self.shared:
            groups[:, j] = self.groupings[j].of(codes[:, j])
        return groups

    @property
    def shared(self):
        """Indices of the columns in which categories share groups."""
        return np.flatnonzero(self.n_groups < self.n_categories)

    def draw_from_groups(self, codes, uniform):
        """Draw a category of the group of each, in columns that share groups.

        Parameters
        ----------
        codes : ndarray of shape (n_samples, n_features)
            Not NaN in the columns that are `shared`. Written to.
        uniform : ndarray of shape (n_samples, n_shared)
            Uniform draws from [0, 1).

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        for j, of_column in zip(self.shared, uniform.T, strict=True):
            codes[:, j] = self.groupings[j].draw(codes[:, j], of_column)
        return codes

    def to_table(self, codes, index=None, dtype=None):  # (n, d) -> table
        """Return the table with these codes, in the container and dtypes of fit.

        Parameters
        ----------
        codes : ndarray of shape (n_samples, n_features)
            Not NaN. Codes of categories are rounded.
        index : Index, optional
            The index of the table, if it is a pandas DataFrame.
        dtype : dtype, default=np.float64
            The dtype of the table, if it is an array of floats.
        """
        if self.is_of_floats:
            return codes.astype(dtype or np.float64, copy=False)
        columns = [self._new_column(j, x, dtype) for j, x in enumerate(codes.T)]
        container = CONTAINERS[self._container["kind"]]
        return container.new_table(columns, self.labels, index, len(codes))

    def _new_column(self, j, codes, dtype=None):
        """Return one column of a table."""
        container, of = CONTAINERS[self._container["kind"]], self._dtypes[j]
        if container is Numpy and self._dtypes[0].kind == "f":
            of = np.dtype(dtype or np.float64)
        column = self._columns[j]
        return container.new_column(column, of, *column.from_codes(codes))

    def rehearse(self, path):
        """Make a table once, to find what a file has made impossible.

        Of all categories, and of numbers so large that a dtype or a limit cuts them.
        """
        if self.is_of_floats:
            return
        codes = np.outer([-1, 1], np.where(self.n_categories > 0, 0, 1e300))
        columns = [
            made(f"{path}[1][{j}]", self._new_column, j, x)
            for j, x in enumerate(codes.T)
        ]
        for j, column in enumerate(self._columns):  # as a table of objects has them
            values, _ = column.from_codes(codes[:, j])
            made(f"{path}[1][{j}]", column.to_objects, values)
        new_table = CONTAINERS[self._container["kind"]].new_table
        made(f"{path}[0].labels", new_table, columns, self.labels, None, len(codes))

    def fill(self, X, codes):
        """Return a copy of X whose missing values are replaced by those of `codes`.

        Parameters
        ----------
        X : DataFrame, ndarray or list of lists
            As for `to_codes`.
        codes : ndarray of shape (n_samples, n_features)

        Returns
        -------
        DataFrame or ndarray
            In the container and dtypes of X, whose other values it keeps. A column
            of X without any value has the dtype of fit if its own cannot hold what
            is filled in.
        """
        container, filled = container_of(X), {}
        for j, series in enumerate(container.to_series(X)):
            missing = is_missing(series)
            if missing.any():
                column = self._columns[j]
                values, indices = column.from_codes(codes[missing, j])
                if indices is not None:  # X's dtype need not hold the other categories
                    used, indices = np.unique(indices, return_inverse=True)
                    values = values[used]
                if missing.all():
                    filled[j] = self._fill_empty(X, j, codes[:, j], values, indices)
                else:
                    filled[j] = container.fill_column(
                        X, j, missing, column, values, indices
                    )
        return container.replace_columns(X, filled)

    def _fill_empty(self, X, j, codes, values, indices):
        """Return a column with these values for one of X without any."""
        container, column = container_of(X), self._columns[j]
        try:
            made = container.new_column(column, container.dtypes(X)[j], values, indices)
            if _holds(column, container.as_series(made), codes, values, indices):
                return made
        except (TypeError, ValueError, NotImplementedError):  # the last is pyarrow's
            pass
        is_same = container is CONTAINERS[self._container["kind"]]
        dtype = self._dtypes[j] if is_same else None  # None: as the values say
        return container.new_column(column, dtype, values, indices)


def _labels_fit(value, path):
    """Check that the labels of the columns are those of a container."""
    container = CONTAINERS[value["kind"]]
    container.labels_rule(value["labels"], f"{path}.labels")


COLUMN = record({"name": Optional(text()), "column": column_rule, "dtype": dtype_rule})
SCHEMA = row(
    both(record({"kind": one_of(*CONTAINERS), "labels": anything}), _labels_fit),
    each(COLUMN, least=1),
)


def fit_schema(X, categorical_features="from_dtype"):
    """Return the schema of a table.

    Parameters
    ----------
    X : DataFrame, ndarray or list of lists
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Names, indices or a mask of columns that are categorical whatever their dtypes.
        Categorical dtypes, booleans and text are categorical in any case, as no number
        stands for them; so None means the same as "from_dtype".

    Returns
    -------
    Schema
    """
    container, labels = container_of(X), column_labels(X)
    dtypes = container.dtypes(X)
    chosen = find_categorical(categorical_features, labels, len(dtypes))
    names = _names(labels, len(dtypes))
    is_plain = isinstance(X, np.ndarray) and X.dtype.kind in "fiu"
    if is_plain and not chosen.any():
        return _numeric_schema(X.dtype, len(names))
    series = container.to_series(X)
    fits = [partial(fit_column, is_chosen=bool(is_chosen)) for is_chosen in chosen]
    columns = [
        {"column": column, "dtype": dump_dtype(dtype)}
        for column, dtype in zip(
            _of_each_column(fits, series, names), dtypes, strict=True
        )
    ]
    if not isinstance(X, pd.DataFrame | np.ndarray) and container is Numpy:
        # scikit-learn too converts lists of numbers and None to an array of floats.
        if all(column["column"]["kind"] == "numbers" for column in columns):
            columns = [column | {"dtype": {"numpy": "<f8"}} for column in columns]
    container = {"kind": container.kind, "labels": container.dump_labels(X)}
    schema = Schema(container, columns)
    _warn_of_unique(schema)
    return schema


def _names(labels, n_columns):
    """Return what errors call columns with these labels, or without any."""
    calls = range(n_columns) if labels is None else map(quote, labels)
    return [f"column {call}" for call in calls]


def _numeric_schema(dtype, n_columns):
    """Return the schema of an array of numbers from its dtype, whatever its length."""
    entry = {"kind": "numbers", "entry": "float", "decimals": 0}
    if dtype.kind != "f":
        entry["entry"] = "int"
    of_each = {"column": entry, "dtype": dump_dtype(dtype)}
    return Schema({"kind": Numpy.kind, "labels": None}, [of_each] * n_columns)


def _of_each_column(functions, series, names):
    """Return what a function of each column makes of it, by its name.

    If some raise errors, one says what all of them say.
    """
    found, errors = [], []
    for function, one, name in zip(functions, series, names, strict=True):
        try:
            found.append(function(one, name))
        except (TypeError, ValueError) as error:
            errors.append(error)
    if not errors:
        return found
    if len(errors) == 1:
        raise errors[0]
    kind = TypeError if all(isinstance(e, TypeError) for e in errors) else ValueError
    listed = "".join(f"\n- {error}" for error in errors[:MOST_LISTED])
    more = len(errors) - MOST_LISTED
    listed += f"\n- {more} more" if more > 0 else ""
    raise kind(f"{len(errors)} columns of X cannot be used as they are:{listed}")


def _warn_of_unseen(unseen):
    """Warn of values that fit did not see."""
    found: dict[bool, list] = {False: [], True: []}
    for name, values, grouping in unseen:
        if values:
            named = f"in {name}: {shorten(values, MOST_NAMED)}"
            found[grouping.takes_unseen].append(named)
    said = [
        f"Input X has values that fit did not see, {'; '.join(found[takes_unseen])}. "
        f"They {count_as}."
        for takes_unseen, count_as in UNSEEN.items()
        if found[takes_unseen]
    ]
    if said:
        warn(" ".join(said))


def _warn_of_unique(schema):
    """Warn of columns of names and remarks, whose values are all rare."""
    found = [
        f"{name} ({schema.n_categories[j]} different values)"
        for j, name in enumerate(schema.names)
        if schema.groupings[j].tells_nothing
    ]
    if not found:
        return
    warn(
        f"X has values that are all rare, in {'; '.join(found)}: fewer than "
        f"{LEAST_ROWS} rows have each, so that it tells nothing of other columns, and "
        "`sample` draws one as often as X has it. Drop what is a name or a remark."
    )


def _holds(column, series, codes, values, indices):
    """Return whether a Series made of codes stands for them as well as its values."""
    made = pd.Series(column.to_objects(values), dtype=object)
    made = made if indices is None else made.take(indices)
    kinds = {kind_of(uncategorized(of), "") for of in (made, series)}
    if kinds == {"boolean", "numeric"}:  # 0.0 equals False, and is none
        return False
    back, best = column.to_codes(series, "")[0], column.to_codes(made, "")[0]
    precision = 1e-6 if isinstance(column, NumericColumn) else 0.0  # of float32
    return np.allclose(back, codes, precision, np.abs(best - codes))
