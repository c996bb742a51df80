"""Random tables of any container, with columns of every kind that fit accepts."""

import datetime as dt
import string
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from helpers import kinds_of
from hypothesis import strategies as st

EXACT = 2**53  # whole numbers up to here are floats
SPAN = 10**15  # nanoseconds, some days: differences are exact too
words = st.text(string.ascii_letters + "äß€ \0,'", max_size=4)
decimals = st.integers(-9999, 9999).map(lambda cents: Decimal(cents).scaleb(-2))
dates = st.dates()
datetimes = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))
spans = st.timedeltas(dt.timedelta(-100), dt.timedelta(100))
clocks = st.times()
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "UTC+02:00"])


def floats(width):
    return st.floats(allow_nan=False, allow_infinity=False, width=width)


def integers(name):
    info = np.iinfo(name.lower())
    return st.integers(max(info.min, -EXACT), min(info.max, EXACT))


def instants(unit):
    """Of one unit, close enough for differences to be exact."""
    reach = {"s": 10**10, "ms": 10**13, "us": SPAN, "ns": SPAN}[unit]
    return st.integers(-reach, reach).map(lambda t: np.datetime64(t, unit))


def durations(unit):
    reach = {"s": 10**10, "ms": 10**12, "us": SPAN, "ns": SPAN}[unit]
    return st.integers(-reach, reach).map(lambda t: np.timedelta64(t, unit))


def pandas_dtype(dtype):
    return lambda values: pd.Series(pd.array(values, dtype=dtype), dtype=dtype)


def arrow(dtype):
    return lambda values: pd.Series(pa.array(values, dtype), dtype=pd.ArrowDtype(dtype))


def times(dtype):
    def make(values):
        values = [np.datetime64("NaT") if v is None else v for v in values]
        index = pd.DatetimeIndex(np.array(values))
        zone = getattr(dtype, "tz", None)
        if zone is not None:
            index = index.tz_localize("UTC").tz_convert(zone)
        return pd.Series(index.astype(dtype))

    return make


def spans_of(unit):
    def make(values):
        values = [np.timedelta64("NaT") if v is None else v for v in values]
        return pd.Series(np.array(values, dtype=f"m8[{unit}]"))

    return make


@st.composite
def categories(draw):
    """Values, and a dtype that may have more of them."""
    of = draw(st.sampled_from([words, st.integers(-9, 9), floats(64)]))
    all_of_them = draw(st.lists(of, min_size=1, max_size=6, unique=True))
    ordered = draw(st.booleans())
    return st.sampled_from(all_of_them), pandas_dtype(
        pd.CategoricalDtype(all_of_them, ordered)
    )


NUMPY_INTS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
NULLABLE_INTS = [name.replace("i", "I", 1).replace("u", "U") for name in NUMPY_INTS]
UNITS = ["s", "ms", "us", "ns"]
as_objects = pandas_dtype(object)

# Of an object column: values, whatever container it is in
OBJECTS = [
    words,
    st.booleans(),
    floats(64),
    st.integers(-EXACT, EXACT),
    decimals,
    dates,
    datetimes,
    datetimes.map(lambda t: t.replace(tzinfo=dt.UTC)),
    spans,
    clocks,
    st.one_of(words, st.integers(2, 9), dates),
]


@st.composite
def pandas_columns(draw):
    """Values, a function that makes a Series of them, and whether some may be None."""
    kind = draw(st.integers(0, 15))
    unit = draw(st.sampled_from(UNITS))
    name = draw(st.sampled_from(NUMPY_INTS))
    nullable = draw(st.sampled_from(NULLABLE_INTS))
    if kind == 0:
        width = draw(st.sampled_from([16, 32, 64]))
        return floats(width), pandas_dtype(f"float{width}"), True
    if kind == 1:
        return integers(name), pandas_dtype(name), False
    if kind == 2:
        return integers(nullable), pandas_dtype(nullable), True
    if kind == 3:
        width = draw(st.sampled_from([32, 64]))
        return floats(width), pandas_dtype(f"Float{width}"), True
    if kind == 4:
        return st.booleans(), pandas_dtype("bool"), False
    if kind == 5:
        return st.booleans(), pandas_dtype("boolean"), True
    if kind == 6:
        names = ["string[python]", "string[pyarrow]", *["str"] * PANDAS_3]
        return words, pandas_dtype(draw(st.sampled_from(names))), True
    if kind == 7:
        return *draw(categories()), True
    if kind == 8:
        return instants(unit), times(np.dtype(f"M8[{unit}]")), True
    if kind == 9:
        dtype = pd.DatetimeTZDtype(unit, draw(zones))
        return instants(unit), times(dtype), True
    if kind == 10:
        return durations(unit), spans_of(unit), True
    if kind == 11:
        known = [
            (floats(64), pa.float64()),
            (floats(32), pa.float32()),
            (integers("int16"), pa.int16()),
            (st.booleans(), pa.bool_()),
            (words, pa.string()),
            (words, pa.dictionary(pa.int8(), pa.string())),
            (decimals, pa.decimal128(6, 2)),
            (dates, pa.date32()),
            (clocks, pa.time64("us")),
            (datetimes, pa.timestamp("us")),
            (datetimes, pa.timestamp("us", "Europe/Berlin")),
            (spans, pa.duration("us")),
        ]
        values, dtype = draw(st.sampled_from(known))
        return values, arrow(dtype), True
    return draw(st.sampled_from(OBJECTS)), as_objects, True


def polars_dtype(dtype):
    return lambda values: pl.Series(values, dtype=dtype)


def polars_time(dtype):
    def make(values):
        ticks = [None if v is None else int(v.astype(np.int64)) for v in values]
        return pl.Series(ticks, dtype=pl.Int64).cast(dtype)

    return make


@st.composite
def polars_columns(draw):
    """Values, a function that makes a Series of them, and whether some may be None."""
    kind = draw(st.integers(0, 9))
    unit = draw(st.sampled_from(["ms", "us", "ns"]))
    if kind == 0:
        width = draw(st.sampled_from([32, 64]))
        return floats(width), polars_dtype(getattr(pl, f"Float{width}")), True
    if kind == 1:
        name = draw(st.sampled_from(NULLABLE_INTS))
        return integers(name), polars_dtype(getattr(pl, name)), True
    if kind == 2:
        zone = draw(st.sampled_from([None, "UTC", "Europe/Berlin"]))
        return instants(unit), polars_time(pl.Datetime(unit, zone)), True
    if kind == 3:
        return durations(unit), polars_time(pl.Duration(unit)), True
    if kind == 4:
        names = draw(st.lists(words, min_size=1, max_size=6, unique=True))
        return st.sampled_from(names), polars_dtype(pl.Enum(names)), True
    known = [
        (words, pl.String),
        (words, pl.Categorical),
        (st.binary(max_size=3), pl.Binary),
        (st.booleans(), pl.Boolean),
        (dates, pl.Date),
        (clocks, pl.Time),
        (decimals, pl.Decimal(10, 2)),
    ]
    values, dtype = draw(st.sampled_from(known))
    return values, polars_dtype(dtype), True


@st.composite
def arrays(draw, n, d, with_missing):
    """Arrays of one dtype."""
    known = [
        (floats(64), "f8", True),
        (floats(32), "f4", True),
        (integers("int64"), "i8", False),
        (integers("uint8"), "u1", False),
        (st.booleans(), "?", False),
        (words.map(lambda word: word.strip("\0")), "U5", False),
        (st.binary(max_size=3).map(lambda word: word.strip(b"\0")), "S3", False),
        (instants("ns"), "M8[ns]", True),
        (dates, "M8[D]", True),
        (durations("ms"), "m8[ms]", True),
    ]
    values, dtype, may_miss = draw(st.sampled_from(known))
    nothing = "NaT" if dtype[0] in "mM" else np.nan
    columns = [draw(entries(values, n, with_missing and may_miss)) for _ in range(d)]
    columns = [[nothing if v is None else v for v in column] for column in columns]
    return np.array(columns, dtype=dtype).T


@st.composite
def entries(draw, values, n, with_missing):
    """A list of n values; some None, but not all."""
    pool = draw(st.lists(values, min_size=1, max_size=8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    column = [pool[i] for i in rng.integers(len(pool), size=n)]
    missing = rng.random(n) < (draw(st.floats(0, 0.9)) if with_missing else 0)
    missing[rng.integers(n)] = False
    return [None if gone else v for v, gone in zip(column, missing, strict=True)]


@st.composite
def tables(draw, with_missing=False, kinds=("pandas", "polars", "numpy", "array")):
    """Tables of 1 to 50 rows and 1 to 5 columns.

    Parameters
    ----------
    with_missing : bool
        Whether entries may be missing, where the dtype can say so; never all of a
        column.
    kinds : sequence of {"pandas", "polars", "numpy", "array"}
        The containers: "numpy" is of objects, an "array" of one dtype.
    """
    kind = draw(st.sampled_from(kinds))
    n, d = draw(st.integers(1, 50)), draw(st.integers(1, 5))
    if kind == "array":
        return draw(arrays(n, d, with_missing))
    if kind == "numpy":
        columns = [
            draw(entries(draw(st.sampled_from(OBJECTS)), n, with_missing))
            for _ in range(d)
        ]
        X = np.empty((n, d), dtype=object)
        for j, column in enumerate(columns):
            X[:, j] = column
        return X
    source = pandas_columns if kind == "pandas" else polars_columns
    columns = []
    for _ in range(d):
        values, make, may_miss = draw(source())
        columns.append(make(draw(entries(values, n, with_missing and may_miss))))
    if kind == "polars":
        return pl.DataFrame([s.alias(f"c{j}") for j, s in enumerate(columns)])
    X = pd.DataFrame(dict(enumerate(columns)))
    labels = draw(st.sampled_from(["abcde", "aabbc", range(5), [1, "b", 2.5, "", "1"]]))
    X.columns = list(labels)[:d]
    if draw(st.booleans()):
        X.index = [f"row {i // 2}" for i in range(n)]
    return X


PANDAS_3 = int(pd.__version__.split(".")[0]) >= 3


@st.composite
def coded_tables(draw, least=1):
    """Numbers and codes, NaN where missing; kinds and numbers of categories."""
    n, d = draw(st.integers(1, 30)), draw(st.integers(1, 6))
    n_categories = draw(st.lists(st.integers(0, 7), min_size=d, max_size=d))
    n_categories = np.maximum(n_categories, least)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    X = rng.integers(np.where(n_categories > 0, n_categories, 9), size=(n, d))
    X = X.astype(float)
    X[rng.random(X.shape) < draw(st.floats(0, 0.9))] = np.nan
    signs = draw(st.lists(st.sampled_from([1, -1]), min_size=d, max_size=d))
    return X, *kinds_of(n_categories * signs)
