"""Tables become floats and come back: values, dtypes, categories, order, index."""

import subprocess
import sys
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from helpers import FRAME, as_objects, assert_same, missing_of
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal as assert_polars_equal
from strategies import tables

from skvae._table.containers import as_table, is_polars, is_table
from skvae._table.schema import fit_schema


@settings(max_examples=200, deadline=None)
@given(tables())
def test_tables_come_back(X):
    schema = fit_schema(X)
    codes = schema.to_codes(X)
    dtype = X.dtype if isinstance(X, np.ndarray) and X.dtype.kind == "f" else None
    index = getattr(X, "index", None)
    assert_same(schema.to_table(codes, index, dtype), X)


@settings(max_examples=200, deadline=None)
@given(tables(with_missing=True), st.randoms(use_true_random=False))
def test_only_missing_entries_are_filled(X, random):
    before = X.clone() if is_polars(X) else X.copy()
    schema = fit_schema(X)
    codes = schema.to_codes(X)
    missing = missing_of(X)
    np.testing.assert_array_equal(np.isnan(codes), missing)
    most = np.nanmax(codes, axis=0)
    assert (most < schema.n_categories)[schema.n_categories > 0].all()
    complete = np.where(missing, np.floor(most * random.random()), codes)
    filled = schema.fill(X, complete)
    assert not missing_of(filled).any()
    assert type(filled) is type(X)
    old, new = as_objects(X), as_objects(filled)
    for j, is_missing in enumerate(missing.T):
        kept = [
            (a, b) for a, b, m in zip(old[j], new[j], is_missing, strict=True) if not m
        ]
        assert all(a == b for a, b in kept)
    again = schema.to_codes(filled)
    for j in np.flatnonzero(schema.n_categories):
        np.testing.assert_array_equal(again[:, j], complete[:, j])
    if isinstance(X, pd.DataFrame):
        pd.testing.assert_index_equal(filled.index, X.index)
        assert filled.dtypes.tolist() == X.dtypes.tolist()
    elif is_polars(X):
        assert filled.schema == X.schema
    else:
        assert filled.dtype == X.dtype
    assert_same_or_both_missing(X, before)


def assert_same_or_both_missing(X, before):
    if is_polars(X):
        assert_polars_equal(X, before)
    elif isinstance(X, pd.DataFrame):
        pd.testing.assert_frame_equal(X, before)
    else:
        pd.testing.assert_frame_equal(pd.DataFrame(X), pd.DataFrame(before))


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (FRAME, True),
        (FRAME[["age"]], True),
        (pl.DataFrame({"a": [1]}), True),
        (FRAME.to_numpy(), True),
        (FRAME.to_numpy().tolist(), True),
        (np.array([["a"]]), True),
        (np.array([[True]]), True),
        (np.array([["2020"]], dtype="M8[Y]"), True),
        ([[1.0, None]], True),
        (np.ones((2, 2)), False),
        (np.ones((2, 2), dtype=int), False),
        (np.ones((2, 2), dtype="f2"), False),
        (np.ones((2, 2), dtype=np.longdouble), np.longdouble(0).itemsize > 8),
        ([[1, 2.5], [True, 3]], False),
        ([[1], [1, 2]], False),
        (np.array(["a"]), False),
        (np.ones((2, 2), dtype=complex), False),
        (FRAME["age"], False),
        (None, False),
    ],
)
def test_tables_are_told_from_arrays_of_numbers(X, expected):
    assert is_table(X) is expected


@pytest.mark.parametrize(
    "X",
    [
        FRAME,
        pl.DataFrame(FRAME.to_dict("list")),
        FRAME.to_numpy(),
        np.ones((3, 2)),
        np.array([["a", "b"]]),
    ],
)
def test_no_rows_are_a_table_too(X):
    schema = fit_schema(X)
    codes = schema.to_codes(X[:0])
    assert codes.shape == (0, X.shape[1])
    assert_same(schema.fill(X[:0], codes), X[:0])
    if not is_polars(X) and isinstance(X, pd.DataFrame):
        assert_same(schema.to_table(codes, X.index[:0]), X[:0])
    else:
        assert_same(schema.to_table(codes), X[:0])


def test_tables_may_be_read_only():
    X = np.array([[1.5, np.nan], [2, 3]])
    frame = pd.DataFrame({"a": X[:, 0], "b": ["x", None]})
    objects = frame.to_numpy()
    X.flags.writeable = objects.flags.writeable = False
    frame._mgr.blocks[0].values.flags.writeable = False
    for one in X, frame, objects:
        schema = fit_schema(one)
        filled = schema.fill(one, np.zeros((2, 2)))
        assert not missing_of(filled).any()
        n_missing = pd.isna(pd.DataFrame(one)).sum().sum()
        assert n_missing == 1
        assert not np.shares_memory(np.asarray(filled), np.asarray(one))


def test_zones_are_the_same_instants_in_any_container():
    stamps = pd.date_range("2020-03-28", periods=3, tz="Europe/Berlin", unit="us")
    X = pd.DataFrame({"a": stamps})
    dtype = pl.Datetime("ms", "Asia/Tokyo")
    other = pl.DataFrame({"a": pl.Series(stamps.to_pydatetime().tolist()).cast(dtype)})
    assert other.schema["a"] == dtype
    schema = fit_schema(X)
    np.testing.assert_array_equal(schema.to_codes(other), schema.to_codes(X))
    assert_same(schema.to_table(schema.to_codes(other)), X)
    assert_same(fit_schema(other).to_table(fit_schema(other).to_codes(X)), other)
    incomplete = X.astype(object).where(X.index.to_numpy()[:, None] > 0, None)
    for fitted in X, other, X.astype(pd.ArrowDtype(pa.timestamp("us", "UTC"))):
        schema = fit_schema(fitted)
        pd.testing.assert_frame_equal(
            schema.fill(incomplete, schema.to_codes(X)), X.astype(object)
        )
    naive = pl.DataFrame({"a": pl.Series([0]).cast(pl.Datetime("us"))})
    message = "held datetimes with a time zone in fit, and now holds datetimes without"
    with pytest.raises(ValueError, match=message):
        schema.to_codes(naive)


def test_polars_and_pyarrow_are_imported_by_the_user_only():
    code = (
        "import sys; from skvae._table.schema import fit_schema; import pandas as pd;"
        "sys.modules['pyarrow'] = None;"
        "X = pd.DataFrame({'a': pd.Series(['x', 'y'], dtype=object), 'b': [1, 2]});"
        "schema = fit_schema(X); schema.fill(X, schema.to_codes(X));"
        "print('polars' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("False\n", "")


# ------------------------------------------------- the containers of other libraries


class Like:
    """An object of another library, known by its attributes alone."""

    def __init__(self, *names, **attributes):
        for name in names:
            setattr(self, name, lambda *args, **kwargs: FRAME)
        self.__dict__ |= attributes


class ArrayLike(Like):
    def __array__(self, dtype=None, copy=None):
        return FRAME.to_numpy()


ARROW = pa.Table.from_pandas(FRAME)
OTHERS = {
    "a table of pyarrow": (ARROW, "pyarrow.lib.Table", "X.to_pandas()"),
    "a batch": (ARROW.to_batches()[0], "pyarrow.lib.RecordBatch", "X.to_pandas()"),
    "lazy": (pl.LazyFrame({"a": [1]}), "LazyFrame", "X.collect()"),
    "as dask": (ArrayLike("compute", columns=["a"]), "ArrayLike", "X.compute()"),
    "as pyspark": (Like("toPandas", "collect"), "Like", "X.toPandas()"),
    "as duckdb": (Like("df", "__arrow_c_stream__"), "Like", "X.df()"),
    "as xarray": (Like("to_dataframe", "__getitem__", columns=[]), "Like", "to_datafr"),
    "a stream": (Like("__arrow_c_stream__"), "Like", "pyarrow.table(X).to_pandas()"),
    "exchanged": (Like("__dataframe__"), "Like", "interchange.from_dataframe(X)"),
    "dicts": (FRAME.to_dict("records"), "list of dicts", "pandas.DataFrame(X)"),
    "lists": (FRAME.to_dict("list"), "dict", "pandas.DataFrame(X)"),
    "records": (FRAME.to_records(), "with named fields", "pandas.DataFrame(X)"),
    "generator": ((row for row in [[1]]), "generator", "list(X)"),
    "set": ({1}, "set", "list(X)"),
    "name": ("table.csv", "str", "pandas.read_csv"),
    "groups": (FRAME.groupby("age"), "DataFrameGroupBy", "X.obj."),
    "groups of polars": (pl.DataFrame({"a": [1]}).group_by("a"), "GroupBy", "X.df."),
    "windows": (FRAME.rolling(2), "Rolling", "X.obj."),
    "class": (pd.DataFrame, "type", "an instance of it"),
    "nothing": (None, "NoneType", "an array of numpy"),
    "bfloat16": (torch.ones((2, 2), dtype=torch.bfloat16), "torch.Tensor", "BFloat16"),
}


@pytest.mark.parametrize(("X", "what", "remedy"), OTHERS.values(), ids=OTHERS)
def test_tables_that_are_not_known_are_named_with_the_remedy(X, what, remedy):
    with pytest.raises(TypeError, match="must be a DataFrame of pandas or") as raised:
        as_table(X)
    message = str(raised.value)
    assert what in message.split(", and must")[0]
    assert remedy in message.split("rows. Use ")[1]


@pytest.mark.parametrize(
    "X",
    [
        torch.ones((3, 2), dtype=torch.float64),
        torch.ones((3, 2), dtype=torch.float64, requires_grad=True),
        ArrayLike("compute"),  # as an array of dask
    ],
)
def test_arrays_of_other_libraries_are_taken(X):
    found = as_table(X)
    assert type(found) is np.ndarray
    expected = FRAME.to_numpy() if isinstance(X, Like) else np.ones((3, 2))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", ["M8", "m8"])
def test_times_without_a_unit_are_refused(kind):
    X = np.array([["NaT"], ["NaT"]], dtype=kind)
    with pytest.raises(
        ValueError, match=rf"have no unit. .* X.astype\('{kind}\[s\]'\)"
    ):
        as_table(X)


def test_subclasses_of_arrays_are_taken_as_arrays():
    text = np.char.array([["1"], ["2"], ["1"]])
    assert type(as_table(text)) is np.ndarray
    schema = fit_schema(as_table(text))
    codes = schema.to_codes(as_table(text))
    assert schema.to_table(codes).tolist() == text.tolist()
    masked = np.ma.masked_array(np.ones((2, 2)))
    assert as_table(masked) is masked


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="in numpy 2")
def test_text_of_any_length_is_text():
    X = np.array([["a" * 99], ["b"], ["b"]], dtype=np.dtypes.StringDType())
    schema = fit_schema(as_table(X))
    codes = schema.to_codes(as_table(X))
    assert schema.to_table(codes).tolist() == X.tolist()


# ------------------------------------------------------------------- masked arrays


@pytest.mark.parametrize(
    "dtype", ["f8", "f4", "i8", "u1", "O", "U5", "bool", "M8[D]", "m8[h]"]
)
def test_masked_entries_are_missing(dtype):
    data = np.array([[0, 1], [1, 0], [1, 1], [0, 1]])
    data = data.astype("i8" if dtype[0] in "Mm" else dtype).astype(dtype)
    mask = np.array([[True, False], [False, False], [False, True], [False, False]])
    X = np.ma.array(data, mask=mask)
    schema = fit_schema(X)
    codes, of_all = schema.to_codes(X), schema.to_codes(data)
    np.testing.assert_array_equal(np.isnan(codes), mask)
    np.testing.assert_array_equal(codes[~mask], of_all[~mask])
    filled = schema.fill(X, of_all)
    assert type(filled) is np.ndarray
    assert_same(filled, data)
    assert X[0, 0] is np.ma.masked
    assert_same(schema.to_table(of_all, dtype=data.dtype), data)


def test_what_is_behind_a_mask_does_not_matter():
    X = np.ma.array([[1, 2.0], [3, 4], [1e300, np.inf]], mask=[[0, 0]] * 2 + [[1, 1]])
    codes = fit_schema(X).to_codes(X)
    np.testing.assert_array_equal(codes, [[1, 2], [3, 4], [np.nan, np.nan]])


def test_text_behind_a_mask_may_be_replaced_by_longer_text():
    schema = fit_schema(np.array([["a", "x"], ["longer", "y"]]))
    X = np.ma.array([["a", "x"], ["a", "y"]], mask=[[0, 0], [1, 0]])
    filled = schema.fill(X, np.array([[0.0, 0], [1, 1]]))
    assert filled.tolist() == [["a", "x"], ["longer", "y"]]


def test_an_array_that_cannot_hold_the_values_is_named():
    schema = fit_schema(FRAME[["colour", "age"]])
    for X in np.array([[np.nan, 1], [np.nan, 2]]), np.array([[np.nan, 1.0]]):
        with pytest.raises(
            ValueError, match=r"array of float64, which cannot hold .*0"
        ):
            schema.fill(X, np.zeros(X.shape))
    aware = fit_schema(FRAME[["since"]].apply(lambda s: s.dt.tz_localize("Asia/Tokyo")))
    X = np.array([["NaT"], ["NaT"]], dtype="M8[s]")
    with pytest.raises(
        ValueError, match=r"array of datetime64\[s\], which cannot hold"
    ):
        aware.fill(X, np.zeros((2, 1)))


# ------------------------------------------------------------ columns without a value

ZONE = "Asia/Tokyo"
STAMPS = pd.Series(pd.to_datetime(["2020-01-01 09:00", "2020-03-01 23:30"]))
FITTED = {
    "aware": STAMPS.dt.tz_localize(ZONE),
    "naive": STAMPS,
    "aware categories": pd.Series(pd.Categorical(STAMPS.dt.tz_localize(ZONE))),
    "dates": STAMPS.dt.date,
    "durations": STAMPS - STAMPS[0],
    "fractions": pd.Series([0.25, 1.5]),
    "integers": pd.Series([3, 4]),
    "text": pd.Series(["red", "green"]),
    "booleans": pd.Series([True, False]),
    "categories": pd.Series(pd.Categorical(["lo", "hi"], ordered=True)),
    "arrow": STAMPS.dt.tz_localize(ZONE).astype(
        pd.ArrowDtype(pa.timestamp("us", ZONE))
    ),
}
NAT = pd.Series(pd.to_datetime([None, None]))
EMPTY = {
    "None": pd.Series([None, None], dtype=object),
    "NaN": pd.Series([np.nan, np.nan]),
    "NaT": NAT,
    "NaT of a zone": NAT.dt.tz_localize("America/Lima"),
    "no durations": NAT - NAT,
    "no categories": pd.Series(pd.Categorical([None, None])),
    "categories of NaT": pd.Series(pd.Categorical(NAT)),
    "no integers": pd.Series([None, None], dtype="Int8"),
    "no booleans": pd.Series([None, None], dtype="boolean"),
    "no text": pd.Series([None, None], dtype="string"),
    "arrow's null": pd.Series([None, None], dtype=pd.ArrowDtype(pa.null())),
    "arrow's NaT": pd.Series([None, None], dtype=pd.ArrowDtype(pa.timestamp("us"))),
}


@pytest.mark.parametrize("empty", EMPTY.values(), ids=EMPTY)
@pytest.mark.parametrize("fitted", FITTED.values(), ids=FITTED)
def test_an_empty_column_is_filled_with_the_values_of_fit(fitted, empty):
    schema = fit_schema(pd.DataFrame({"a": fitted}))
    codes = schema.to_codes(pd.DataFrame({"a": fitted}))
    X = pd.DataFrame({"a": empty}).set_axis([7, 3])
    filled = schema.fill(X, codes)["a"]
    assert filled.index.tolist() == [7, 3]
    assert filled.dtype in (fitted.dtype, empty.dtype)
    for found, expected in zip(filled, fitted, strict=True):
        if isinstance(expected, pd.Timestamp):
            # A time of a zone is no time without one, even if both read the same.
            assert found.tzinfo is not None or expected.tzinfo is None
        elif type(expected).__name__ == "date":
            found, expected = pd.Timestamp(found), pd.Timestamp(expected)
        assert found == expected
        assert isinstance(found, bool | np.bool_) == isinstance(expected, bool)


@pytest.mark.parametrize(
    "dtype",
    [pl.Null, pl.Datetime("us"), pl.Datetime("us", "UTC"), pl.Float64, pl.String],
)
@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_an_empty_column_of_polars_is_filled_with_the_times_of_fit(container, dtype):
    stamps = FITTED["aware"]
    X = pd.DataFrame({"a": stamps})
    if container == "polars":
        of_zone = pl.Datetime("us", ZONE)
        instants = [stamp.value // 1000 for stamp in stamps]
        times = pl.Series(instants).cast(of_zone)
        X = pl.DataFrame({"a": times})
    schema = fit_schema(X)
    empty = pl.DataFrame({"a": pl.Series([None, None], dtype=dtype)})
    filled = schema.fill(empty, schema.to_codes(X))["a"]
    if dtype == pl.Datetime("us", "UTC"):
        assert filled.dtype == dtype
    elif container == "polars":
        assert filled.dtype == of_zone
    assert [pd.Timestamp(v) for v in filled.to_list()] == stamps.tolist()


def test_categories_of_a_zone_are_its_instants():
    stamps = pd.Series(pd.to_datetime(["2020-01-01", "2020-01-02"], utc=True))
    schema = fit_schema(pd.DataFrame({"a": stamps}), ["a"])
    for same in stamps, stamps.dt.tz_convert(ZONE), stamps.astype(object):
        for one in same, pd.Series(pd.Categorical(same)):
            np.testing.assert_array_equal(
                schema.to_codes(pd.DataFrame({"a": one})), [[0], [1]]
            )
    naive = pd.DataFrame({"a": stamps.dt.tz_localize(None)})
    with pytest.warns(UserWarning, match="fit did not see"):
        assert np.isnan(schema.to_codes(naive)).all()
    without = fit_schema(naive, ["a"])
    with pytest.warns(UserWarning, match="fit did not see"):
        assert np.isnan(without.to_codes(pd.DataFrame({"a": stamps}))).all()


def zoned(zone):
    """Times of a zone in every container that has them."""
    stamps = STAMPS.dt.tz_localize(ZONE).dt.tz_convert(zone)
    times = [v.to_pydatetime().astimezone(zone) for v in stamps]
    of_python = pd.Series(times, dtype=object)
    return {
        "a dtype": stamps,
        "arrow's dtype": stamps.astype(pd.ArrowDtype(pa.timestamp("us", str(zone)))),
        "Timestamps": stamps.astype(object),
        "datetimes": of_python,
        "categories of a dtype": stamps.astype("category"),
        "categories of datetimes": of_python.astype("category"),
        "categories of mixed objects": pd.Series(
            pd.Categorical(
                np.array(times, dtype=object),
                categories=pd.Index([*times, "x"], dtype=object),
            )
        ),
        "polars": pl.Series(times).cast(pl.Datetime("us", str(zone))),
    }


TOKYO = zoned(ZoneInfo(ZONE))
LIMA = zoned(ZoneInfo("America/Lima"))


def frame_of(column):
    library = pl if isinstance(column, pl.Series) else pd
    return library.DataFrame({"a": column})


def zones_in(column):
    """The zone of each value as Python has it."""
    values = column.to_list() if isinstance(column, pl.Series) else column.tolist()
    return {str(pd.Timestamp(value).tz) for value in values}


@pytest.mark.parametrize("chosen", ["from_dtype", ["a"]])
@pytest.mark.parametrize("given", [*TOKYO, "nothing", "nothing of polars"])
@pytest.mark.parametrize("fitted", TOKYO)
def test_a_filled_time_has_the_zone_of_its_column(fitted, given, chosen):
    """That of the table it stands in, or that of fit where that table has none."""
    fitted, instants = TOKYO[fitted], STAMPS.dt.tz_localize(ZONE).tolist()
    schema = fit_schema(frame_of(fitted), chosen)
    codes = schema.to_codes(frame_of(fitted))
    empty = {"nothing": [None, None], "nothing of polars": pl.Series([None, None])}
    column = LIMA.get(given, empty.get(given))
    filled = schema.fill(frame_of(nulled(column, [True, True])), codes)["a"]
    assert zones_in(filled) <= {ZONE, "America/Lima"}
    assert [pd.Timestamp(value) for value in filled.to_list()] == instants
    if given in TOKYO:  # beside a value of the same zone
        half = frame_of(nulled(TOKYO[given], [False, True]))
        filled = schema.fill(half, codes)["a"]
        if filled.dtype != pl.String:  # categories, in an older polars
            assert zones_in(filled) == {ZONE}
            assert [pd.Timestamp(value) for value in filled.to_list()] == instants


def nulled(column, mask):
    """Return a column with some entries missing."""
    if isinstance(column, pl.Series):
        return column.zip_with(pl.Series(~np.array(mask)), pl.Series([None, None]))
    if isinstance(column, list):
        return pd.Series(column, dtype=object)
    return column.mask(np.array(mask))


@pytest.mark.parametrize("dtype", [">f8", ">f4", ">i2", ">M8[s]", ">U3"])
@pytest.mark.parametrize("chosen", ["from_dtype", [0]])
def test_another_order_of_bytes_is_taken(dtype, chosen):
    X = (np.arange(20).reshape(10, 2) % 3).astype(dtype)
    table = as_table(X)
    assert table.dtype.isnative
    np.testing.assert_array_equal(table, X)
    schema = fit_schema(table, chosen)
    np.testing.assert_array_equal(schema.to_table(schema.to_codes(table)), X)
