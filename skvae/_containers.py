"""Tables of any container: their columns as numbers, and the same table back."""

import sys
import warnings
from decimal import Decimal
from numbers import Integral

import numpy as np
import pandas as pd

from skvae._columns import (
    Numbers,
    cast,
    fit_column,
    is_missing,
    localize,
    make_column,
    objects,
    pack,
    unpack,
    zone_name,
)

MOST_NAMED = 3  # unseen values of a column, in a warning
OF_ROWS = "tick", "origin", "low", "high", "decimals"  # and of no other rows


class Schema:
    """What the columns of a fitted table are.

    Parameters
    ----------
    container : dict
        What holds the columns, and their labels.
    columns : list of dict
        What each is, see `fit_column`, its dtype, and how errors call it.
    """

    def __init__(self, container, columns):
        self._container, self._states = container, columns
        self._columns = [make_column(**state["column"]) for state in columns]
        self._dtypes = [load_dtype(state["dtype"]) for state in columns]
        self.names = [state["name"] for state in columns]
        self.n_levels = np.array([c.n_levels for c in self._columns], dtype=np.int64)
        self.is_boolean = np.array([c.is_boolean for c in self._columns], dtype=bool)
        self.are_numbers = all(isinstance(c, Numbers) for c in self._columns)
        is_array = container["kind"] == Numpy.__name__ and self.are_numbers
        self.is_of_floats = is_array and all(d.kind == "f" for d in self._dtypes)

    def arguments(self):
        """Return what makes the same schema, in plain numbers, strings and arrays."""
        return self._container, self._states

    def identity(self):
        """Return what two schemas share whose codes mean the same, but for the origins.

        Of arrays of floats not the precision.
        """
        if self.is_of_floats:
            return self.names
        columns = []
        for state in self._states:
            own = {k: v for k, v in state["column"].items() if k not in OF_ROWS}
            columns.append(state | {"column": own})
        return self._container, columns

    def encode(self, X):  # -> (n, d)
        """Return numbers, ticks of times and codes of levels, NaN where missing.

        Parameters
        ----------
        X : DataFrame, ndarray or list of lists
            Columns by position, in any container.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            float64, or float32 if all of X's columns are.
        """
        series = container_of(X).take_apart(X)
        if len(series) != len(self._columns):
            raise ValueError(
                f"X has {len(series)} columns, and fit saw {len(self._columns)}; it "
                "must have the same ones."
            )
        encoded = [
            column.encode(one, name)
            for column, one, name in zip(self._columns, series, self.names, strict=True)
        ]
        unseen = zip(self.names, (values for _, values in encoded), strict=True)
        _warn_of([(name, values) for name, values in unseen if values])
        are_single = encoded and all(x.dtype == np.float32 for x, _ in encoded)
        dtype = np.float32 if are_single else np.float64
        codes = np.empty((len(X), len(encoded)), dtype)
        for j, (x, _) in enumerate(encoded):
            codes[:, j] = x
        return codes

    def decode(self, codes, index=None, dtype=None):  # (n, d) -> table
        """Return the table of these codes, in the container and the dtypes of fit.

        Parameters
        ----------
        codes : ndarray of shape (n_samples, n_features)
            None missing; those of levels are rounded.
        index : Index, optional
            Of a pandas DataFrame.
        dtype : dtype, default=np.float64
            Of an array of floats.
        """
        if self.is_of_floats:
            return codes.astype(dtype or np.float64, copy=False)
        container, dtypes = CONTAINERS[self._container["kind"]], self._dtypes
        if container is Numpy and dtypes and dtypes[0].kind == "f":
            dtypes = [np.dtype(dtype or np.float64)] * len(dtypes)
        columns = [
            container.make(column, of, *column.decode(x))
            for column, of, x in zip(self._columns, dtypes, codes.T, strict=True)
        ]
        labels = self._container["labels"]
        return container.put_together(columns, labels, index, len(codes))

    def fill(self, X, codes):
        """Return a copy of X that has what `codes` say where X has nothing.

        Parameters
        ----------
        X : DataFrame, ndarray or list of lists
            As for `encode`.
        codes : ndarray of shape (n_samples, n_features)

        Returns
        -------
        DataFrame or ndarray
            In X's container and dtypes; observed entries are X's, bit by bit.
        """
        container = container_of(X)
        is_same = container is CONTAINERS[self._container["kind"]]
        filled = {}
        for j, series in enumerate(container.take_apart(X)):
            hole = is_missing(series)
            if hole.any():
                column = self._columns[j]
                fitted = self._dtypes[j] if is_same else None
                values, places = column.decode(codes[hole, j])
                if places is not None:  # X's dtype need not hold the other levels
                    used, places = np.unique(places, return_inverse=True)
                    values = values[used]
                filled[j] = container.fill(X, j, hole, column, fitted, values, places)
        return container.replace(X, filled)


def fit_schema(X, categorical_features="from_dtype"):
    """Return what the columns of a table are.

    Parameters
    ----------
    X : DataFrame, ndarray or list of lists
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Names, indices or a mask of columns whose values are levels whatever the dtype.
        Categories, truth values and text are levels in any case, as no number stands
        for them; so None means the same as "from_dtype".

    Returns
    -------
    Schema
    """
    container, labels = container_of(X), column_labels(X)
    dtypes = container.dtypes(X)
    chosen = choose(categorical_features, labels, len(dtypes))
    calls = range(len(dtypes)) if labels is None else map(repr, labels)
    names = [f"column {call}" for call in calls]
    if isinstance(X, np.ndarray) and X.dtype.kind in "fiu" and not chosen.any():
        return _schema_of_numbers(X.dtype, names)
    series = container.take_apart(X)
    columns = [
        {
            "name": name,
            "column": fit_column(one, name, bool(is_chosen), container.category),
            "dtype": dump_dtype(dtype),
        }
        for name, one, is_chosen, dtype in zip(
            names, series, chosen, dtypes, strict=True
        )
    ]
    if not isinstance(X, pd.DataFrame | np.ndarray) and container is Numpy:
        # Of lists of numbers and None, sklearn too makes an array of floats.
        if all(column["column"]["kind"] == "numbers" for column in columns):
            columns = [column | {"dtype": {"numpy": "<f8"}} for column in columns]
    return Schema(
        {"kind": container.__name__, "labels": container.dump_labels(X)}, columns
    )


def _schema_of_numbers(dtype, names):
    """Return the schema of an array of numbers, which may be long, from its dtype."""
    entry = {"kind": "numbers", "entry": "float", "decimals": 0}
    if dtype.kind != "f":
        entry["entry"] = "int"
    of_each = {"column": entry, "dtype": dump_dtype(dtype)}
    columns = [{"name": name} | of_each for name in names]
    return Schema({"kind": Numpy.__name__, "labels": None}, columns)


def is_table(X):
    """Whether X is a table of columns, and no array of mere numbers."""
    if isinstance(X, pd.DataFrame) or is_polars(X):
        return True
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(X, polars.LazyFrame):
        raise TypeError("X is a LazyFrame of polars, without rows yet: X.collect() it.")
    if isinstance(X, list | tuple):
        try:
            X = np.asarray(X)
        except ValueError:  # rows of different lengths
            return False
    return isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "bOUSmM"


def column_labels(X):
    """Return the names of X's columns, or None."""
    if isinstance(X, pd.DataFrame) or is_polars(X):
        return list(X.columns)
    return None


def choose(categorical_features, labels, n_features):
    """Return whether each column's values are levels by the user's choice."""
    chosen = np.zeros(n_features, dtype=bool)
    if categorical_features is None:
        return chosen
    rule = (
        "must be 'from_dtype', None, or a list of columns' names, of their indices, or "
        "of a bool for each"
    )
    if isinstance(categorical_features, str):
        if categorical_features == "from_dtype":
            return chosen
        raise ValueError(
            f"categorical_features={categorical_features!r} {rule}. Put it in a list."
        )
    if not np.iterable(categorical_features) or isinstance(categorical_features, dict):
        raise TypeError(f"categorical_features={categorical_features!r} {rule}.")
    given = list(categorical_features)
    if given and all(isinstance(one, bool | np.bool_) for one in given):
        if len(given) != n_features:
            raise ValueError(
                f"categorical_features is a mask of {len(given)} columns, and X has "
                f"{n_features}. Give a bool for each, or names or indices."
            )
        return np.array(given, dtype=bool)
    if all(isinstance(one, str) for one in given):
        return _choose_names(given, labels, chosen)
    if not all(
        isinstance(one, Integral) and not isinstance(one, bool) for one in given
    ):
        raise TypeError(f"categorical_features={given!r} {rule}.")
    for one in given:
        if not 0 <= one < n_features:
            raise ValueError(
                f"categorical_features has the index {one}, and X has {n_features} "
                f"columns: an index must be at least 0 and less than {n_features}."
            )
    chosen[given] = True
    return chosen


def _choose_names(given, labels, chosen):
    if not given:
        return chosen
    if labels is None:
        raise ValueError(
            f"categorical_features={given!r} has names, and X, an array, has none. "
            "Give indices, or make X a DataFrame."
        )
    for name in given:
        if name not in labels:
            raise ValueError(
                f"categorical_features has {name!r}, which must be a column of X; X "
                f"has {_shorten(labels, 10)}."
            )
    return np.array([label in given for label in labels], dtype=bool)


def _warn_of(unseen):
    """Warn of values that fit did not see, at the line that called skvae."""
    if not unseen:
        return
    level, frame = 1, sys._getframe()
    ours = "skvae", "sklearn"  # whose set_output calls through
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(ours):
        level, frame = level + 1, frame.f_back
    found = (f"in {name}: {_shorten(values, MOST_NAMED)}" for name, values in unseen)
    warnings.warn(
        f"Input X has values that fit did not see, {'; '.join(found)}. They are "
        "treated as missing.",
        UserWarning,
        stacklevel=level,
    )


def _shorten(values, most):
    """Return the first of the values as text, and how many more there are."""
    text = ", ".join(map(repr, values[:most]))
    return text if len(values) <= most else f"{text} and {len(values) - most} more"


def is_polars(X):
    """Whether X is a polars DataFrame; nobody has one without importing polars."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(X, polars.DataFrame)


def container_of(X):
    """Return what knows the container of X."""
    if isinstance(X, pd.DataFrame):
        return Pandas
    return Polars if is_polars(X) else Numpy


class Pandas:
    """DataFrames of pandas."""

    category = "list it in categorical_features or make it a category"

    @staticmethod
    def take_apart(X):
        """Return the columns, each a Series."""
        return [_dense(X.iloc[:, j]) for j in range(X.shape[1])]

    @staticmethod
    def dtypes(X):
        """Return the dtype of each column; sparse ones come back dense."""
        return [getattr(dtype, "subtype", dtype) for dtype in X.dtypes]

    @staticmethod
    def dump_labels(X):
        """Return the labels of the columns as plain data."""
        labels = X.columns
        is_multi = isinstance(labels, pd.MultiIndex)
        return {
            "values": pack(labels.to_numpy(dtype=object)),
            "names": pack(objects(labels.names)),
            "dtype": None if is_multi else dump_dtype(labels.dtype),
        }

    @staticmethod
    def make(column, dtype, values, places):
        """Return a column of the values, or of those at some places."""
        of = dtype.categories.dtype if _is_category(dtype) else dtype
        array = _pandas_array(column, of, values)
        if _is_category(dtype):
            array = pd.Categorical(array, dtype=dtype)
        array = array if places is None else array.take(places)
        return pd.Series(array, dtype=dtype)

    @staticmethod
    def put_together(columns, labels, index, n):
        """Return the table of some columns."""
        X = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(n))
        X.columns = _load_labels(**labels)
        return X if index is None else X.set_axis(index, axis=0)

    @classmethod
    def fill(cls, X, j, hole, column, fitted, values, places):
        """Return a column of X that has the values in its holes."""
        sparse = X.dtypes.iloc[j]
        series = _dense(X.iloc[:, j])
        try:
            if _is_category(series.dtype):
                of = series.cat.categories
                levels = pd.Index(_pandas_array(column, of.dtype, values))
                series = series.cat.add_categories(levels[~levels.isin(of)])
            made = cls.make(column, series.dtype, values, places)
        except (TypeError, ValueError):
            # The dtype holds no such value, for example that of nothing but NaN.
            if hole.all() and fitted is not None:
                return cls.make(column, fitted, values, places).set_axis(X.index)
            series = series.astype(object)
            made = cls.make(column, series.dtype, values, places)
        array = series.array.copy()
        array[hole] = made.array
        filled = pd.Series(array, X.index, series.dtype)
        return filled.astype(sparse) if isinstance(sparse, pd.SparseDtype) else filled

    @staticmethod
    def replace(X, columns):
        """Return a copy of X with some columns replaced."""
        X = X.copy()
        for j, column in columns.items():
            X.isetitem(j, column)
        return X


class Polars:
    """DataFrames of polars."""

    category = "list it in categorical_features or make it a Categorical"

    @staticmethod
    def take_apart(X):
        """Return the columns, each a Series of pandas'."""
        return [_from_polars(series) for series in X.get_columns()]

    @staticmethod
    def dtypes(X):
        """Return the dtype of each column."""
        return X.dtypes

    @staticmethod
    def dump_labels(X):
        """Return the labels of the columns as plain data."""
        return list(X.columns)

    @staticmethod
    def make(column, dtype, values, places):
        """Return a column of the values, or of those at some places."""
        pl, kind = sys.modules["polars"], values.dtype.kind
        if dtype == pl.Null:
            raise TypeError(f"{dtype} holds no value")
        if kind in "mM" and dtype.is_temporal():
            units = {"Date": "D", "Time": "ns"}
            unit = units.get(_name(dtype)) or dtype.time_unit
            instants = values.astype(f"{kind}8[{unit}]").view(np.int64)
            if dtype == pl.Time:
                instants = np.clip(
                    instants, 0, np.timedelta64(1, "D") // np.timedelta64(1, "ns") - 1
                )
            series = pl.Series(instants).cast(dtype)
        elif kind in "iuf" and (dtype.is_integer() or dtype.is_float()):
            has_numpy = not _name(dtype).endswith("128")
            of = np.dtype(_name(dtype).lower() if has_numpy else np.int64)
            series = pl.Series(cast(values, of)).cast(dtype)
        elif kind in "iuf" and dtype.is_decimal():
            decimals = _decimals(values, dtype.precision, dtype.scale)
            series = pl.Series(decimals, dtype=dtype)
        else:
            series = pl.Series(column.entries(values).tolist(), dtype=dtype)
        return series if places is None else series.gather(places)

    @staticmethod
    def put_together(columns, labels, index, n):
        """Return the table of some columns."""
        named = zip(labels, columns, strict=True)
        return sys.modules["polars"].DataFrame([s.alias(label) for label, s in named])

    @classmethod
    def fill(cls, X, j, hole, column, fitted, values, places):
        """Return a column of X that has the values in its holes."""
        series = X.to_series(j)
        try:
            made = cls.make(column, series.dtype, values, places)
        except (TypeError, ValueError, sys.modules["polars"].exceptions.PolarsError):
            # The dtype holds no such value, for example that of nothing but null.
            if hole.all() and fitted is not None:
                return cls.make(column, fitted, values, places)
            series = series.cast(sys.modules["polars"].String)
            made = cls.make(column, series.dtype, values, places)
        rows = np.zeros(len(hole), dtype=np.int64)
        rows[hole] = np.arange(hole.sum())
        return series.zip_with(sys.modules["polars"].Series(~hole), made.gather(rows))

    @staticmethod
    def replace(X, columns):
        """Return a copy of X with some columns replaced."""
        return X.with_columns([s.alias(X.columns[j]) for j, s in columns.items()])


class Numpy:
    """Arrays, and lists of lists."""

    category = "list it in categorical_features"

    @classmethod
    def take_apart(cls, X):
        """Return the columns, each a Series of pandas'."""
        X = _as_array(X)
        if X.dtype.kind in "US":
            X = X.astype(object)
        dtype = object if X.dtype == object else None
        return [pd.Series(column, dtype=dtype) for column in X.T]

    @staticmethod
    def dtypes(X):
        """Return the dtype of each column."""
        X = _as_array(X)
        return [X.dtype] * X.shape[1]

    @staticmethod
    def dump_labels(X):
        """Columns have none."""
        return

    @staticmethod
    def make(column, dtype, values, places):
        """Return a column of the values, or of those at some places."""
        array = column.entries(values) if dtype.kind == "O" else cast(values, dtype)
        return array if places is None else array[places]

    @staticmethod
    def put_together(columns, labels, index, n):
        """Return the table of some columns."""
        return np.stack(columns, axis=1) if columns else np.empty((n, 0))

    @classmethod
    def fill(cls, X, j, hole, column, fitted, values, places):
        """Return a column of X that has the values in its holes."""
        filled = _as_array(X)[:, j].copy()
        filled[hole] = cls.make(column, filled.dtype, values, places)
        return filled

    @staticmethod
    def replace(X, columns):
        """Return a copy of X with some columns replaced."""
        X = np.array(_as_array(X))
        for j, column in columns.items():
            X[:, j] = column
        return X


CONTAINERS = {container.__name__: container for container in (Pandas, Polars, Numpy)}


def dump_dtype(dtype):
    """Return a dtype as plain data."""
    if _is_category(dtype):
        of = dtype.categories
        return {
            "categories": pack(of.to_numpy(dtype=object)),
            "of": dump_dtype(of.dtype),
            "ordered": bool(dtype.ordered),
        }
    if isinstance(dtype, pd.StringDtype):
        return {"string": dtype.storage, "is_nan": dtype.na_value is not pd.NA}
    if isinstance(dtype, pd.ArrowDtype):
        schema = sys.modules["pyarrow"].schema([("", dtype.pyarrow_dtype)])
        return {"arrow": schema.serialize().to_pybytes()}
    if isinstance(dtype, pd.DatetimeTZDtype):
        return {"pandas": f"datetime64[{dtype.unit}, {zone_name(dtype.tz)}]"}
    if isinstance(dtype, np.dtype):
        return {"numpy": dtype.str}
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        return {"pandas": str(dtype)}
    state = {"polars": _name(dtype)}
    for argument in "time_unit", "time_zone", "precision", "scale":
        if hasattr(dtype, argument):
            state[argument] = getattr(dtype, argument)
    if _name(dtype) == "Enum":
        state["categories"] = pack(objects(dtype.categories))
    return state


def load_dtype(state):
    """Return the dtype that `dump_dtype` was given."""
    match state:
        case {"categories": categories, "of": of, "ordered": ordered}:
            index = pd.Index(unpack(categories), dtype=load_dtype(of))
            return pd.CategoricalDtype(index, ordered)
        case {"string": storage, "is_nan": is_nan}:
            if is_nan and storage in ("python", "pyarrow"):
                return pd.StringDtype(storage, na_value=np.nan)
            return pd.StringDtype(storage)
        case {"arrow": schema}:
            import pyarrow as pa

            return pd.ArrowDtype(pa.ipc.read_schema(pa.py_buffer(schema)).field(0).type)
        case {"numpy": name}:
            return np.dtype(name)
        case {"pandas": name}:
            return pd.api.types.pandas_dtype(name)
    import polars as pl

    arguments = {key: state[key] for key in state if key != "polars"}
    if "categories" in arguments:
        arguments["categories"] = unpack(arguments["categories"]).tolist()
    return getattr(pl, state["polars"])(**arguments)


def _load_labels(values, names, dtype):
    values, names = unpack(values), list(unpack(names))
    if dtype is None:
        return pd.MultiIndex.from_tuples(values, names=names)
    return pd.Index(values, dtype=load_dtype(dtype), name=names[0])


def _pandas_array(column, dtype, values):
    """Return an array of a dtype; TypeError or ValueError if that cannot hold it."""
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return column.entries(values)
    arrow = getattr(dtype, "pyarrow_dtype", None)
    if values.dtype.kind in "mM" and dtype.kind == values.dtype.kind:
        zone = getattr(arrow or dtype, "tz", None)
        return pd.array(localize(values, zone), dtype=dtype)
    if values.dtype.kind in "iuf" and dtype.kind in "iuf":
        of = getattr(dtype, "numpy_dtype", dtype)
        return pd.array(cast(values, of), dtype=dtype)
    is_text = isinstance(dtype, pd.StringDtype) and values.dtype != object
    if is_text or (values.dtype.kind in "mMO" and dtype.kind in "iufmM"):
        raise TypeError(f"{dtype} holds no {values.dtype}")
    if values.dtype.kind in "iuf" and arrow is not None and hasattr(arrow, "scale"):
        return pd.array(_decimals(values, arrow.precision, arrow.scale), dtype=dtype)
    return pd.array(column.entries(values), dtype=dtype)


def _from_polars(series):
    """Return a Series of pandas', without the help of pyarrow."""
    pl, dtype = sys.modules["polars"], series.dtype
    missing = series.is_null().to_numpy()
    if dtype.is_decimal() or _name(dtype).endswith("128"):
        series = series.cast(pl.Float64)
    elif dtype.is_integer() and missing.any():
        return pd.Series(
            pd.arrays.IntegerArray(series.fill_null(0).to_numpy(), missing)
        )
    elif dtype == pl.Boolean:
        values = series.fill_null(False).to_numpy()
        return pd.Series(pd.arrays.BooleanArray(values, missing))
    elif dtype == pl.Time:
        instants = series.to_physical().fill_null(0).to_numpy().view("m8[ns]")
        return pd.Series(np.where(missing, np.timedelta64("NaT"), instants))
    elif dtype == pl.Enum:
        codes = series.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
        return pd.Series(pd.Categorical.from_codes(codes, dtype.categories.to_list()))
    elif dtype == pl.Categorical:
        return pd.Series(pd.Categorical(series.cast(pl.String).to_list()))
    elif not (dtype.is_numeric() or dtype.is_temporal()):
        return pd.Series(series.to_list(), dtype=object)
    zone = getattr(dtype, "time_zone", None)
    values = pd.Series(series.to_numpy())
    return values if zone is None else values.dt.tz_localize("UTC")


def _as_array(X):
    """Return an array; of lists, one of objects unless all are numbers."""
    if not isinstance(X, np.ndarray):
        array = np.array(X)
        X = array if array.dtype.kind in "iuf" else np.array(X, dtype=object)
    if X.dtype.kind in "mM" and np.datetime_data(X.dtype)[0] in ("ps", "fs", "as"):
        return X.astype(f"{X.dtype.kind}8[ns]")  # the finest of pandas'
    return X


def _dense(series):
    is_sparse = isinstance(series.dtype, pd.SparseDtype)
    return series.sparse.to_dense() if is_sparse else series


def _is_category(dtype):
    return isinstance(dtype, pd.CategoricalDtype)


def _name(dtype):
    """Return the name of a polars dtype's class."""
    return dtype.base_type().__name__


def _decimals(values, precision, scale):
    """Return numbers as decimals of so many digits, and so many after the point."""
    most = Decimal(10**precision - 1).scaleb(-scale)
    exact = (Decimal(f"{value:.{scale}f}") for value in values.tolist())
    return [min(max(value, -most), most) for value in exact]
