"""Tables become floats and come back: values, dtypes, categories, order, index."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal as assert_polars_equal
from strategies import tables

from skvae._table.containers import column_labels, is_polars, is_table
from skvae._table.schema import Schema, fit_schema


def assert_same(back, X):
    """Container, dtypes, labels, index and every entry, its type included."""
    assert type(back) is type(X)
    if is_polars(X):
        assert back.schema == X.schema
        assert_polars_equal(back, X, check_exact=True)
    elif isinstance(X, pd.DataFrame):
        pd.testing.assert_frame_equal(back, X, check_exact=True, check_freq=False)
        assert_same_objects(back, X)
    else:
        assert back.dtype == X.dtype
        np.testing.assert_array_equal(back, X)
        assert_same_objects(pd.DataFrame(back), pd.DataFrame(X))


def assert_same_objects(back, X):
    for j, dtype in enumerate(X.dtypes):
        if dtype.kind == "O" and isinstance(dtype, np.dtype):
            types = X.iloc[:, j].map(type), back.iloc[:, j].map(type)
            assert types[0].tolist() == types[1].tolist()


@settings(max_examples=200, deadline=None)
@given(tables())
def test_tables_come_back(X):
    schema = fit_schema(X)
    codes = schema.encode(X)
    dtype = X.dtype if isinstance(X, np.ndarray) and X.dtype.kind == "f" else None
    index = getattr(X, "index", None)
    assert_same(schema.decode(codes, index, dtype), X)


def missing_of(X):
    """None, NaN, NA, NaT and null."""
    if is_polars(X):
        return np.stack(
            [
                (s.is_null() | (s.is_nan() if s.dtype.is_float() else False)).to_numpy()
                for s in X.get_columns()
            ],
            axis=1,
        )
    return pd.isna(X).to_numpy() if isinstance(X, pd.DataFrame) else pd.isna(X)


def as_objects(X):
    """Entries as Python or pandas has them; floats as bits, to tell -0.0 from 0."""
    columns = [s.to_list() for s in X.get_columns()] if is_polars(X) else None
    if isinstance(X, pd.DataFrame):
        columns = [X.iloc[:, j].tolist() for j in range(X.shape[1])]
    columns = X.T.tolist() if columns is None else columns
    return [[repr(value) for value in column] for column in columns]


@settings(max_examples=200, deadline=None)
@given(tables(holes=True), st.randoms(use_true_random=False))
def test_only_holes_are_filled(X, random):
    before = X.clone() if is_polars(X) else X.copy()
    schema = fit_schema(X)
    codes = schema.encode(X)
    missing = missing_of(X)
    np.testing.assert_array_equal(np.isnan(codes), missing)
    most = np.nanmax(codes, axis=0)
    assert (most < schema.n_levels)[schema.n_levels > 0].all()
    complete = np.where(missing, np.floor(most * random.random()), codes)
    filled = schema.fill(X, complete)
    assert not missing_of(filled).any()
    assert type(filled) is type(X)
    old, new = as_objects(X), as_objects(filled)
    for j, hole in enumerate(missing.T):
        kept = [(a, b) for a, b, h in zip(old[j], new[j], hole, strict=True) if not h]
        assert all(a == b for a, b in kept)
    again = schema.encode(filled)
    for j in np.flatnonzero(schema.n_levels):
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


def through_skops(schema):
    return Schema(*skops.io.loads(skops.io.dumps(schema.arguments()), trusted=[]))


def through_pickle(schema):
    return Schema(*pickle.loads(pickle.dumps(schema.arguments())))


@pytest.mark.parametrize("way", [through_pickle, through_skops])
@settings(max_examples=40, deadline=None)
@given(X=tables())
def test_a_schema_survives_its_file(way, X):
    schema = fit_schema(X)
    copied = way(schema)
    codes = copied.encode(X)
    np.testing.assert_array_equal(codes, schema.encode(X))
    assert copied.names == schema.names
    np.testing.assert_array_equal(copied.n_levels, schema.n_levels)
    index = getattr(X, "index", None)
    dtype = X.dtype if isinstance(X, np.ndarray) and X.dtype.kind == "f" else None
    assert_same(copied.decode(codes, index, dtype), X)


FRAME = pd.DataFrame(
    {
        "age": np.array([31, 45, 23], dtype="int16"),
        "colour": ["red", "blue", "red"],
        "member": [True, False, True],
        "since": pd.to_datetime(["2020-01-01", "2021-01-01", "2020-06-01"]),
    }
)
CODES = [[31, 1, 1, 0], [45, 0, 0, 366], [23, 1, 1, 152]]


@pytest.mark.parametrize(
    "X",
    [
        FRAME,
        FRAME.astype({"age": "float32", "colour": "category", "member": "boolean"}),
        FRAME.astype({"age": "Int64", "member": int, "since": "datetime64[s]"}),
        FRAME.set_axis(list("dddd"), axis=1),
        FRAME.astype(object),
        FRAME.to_numpy(),
        FRAME.to_numpy().tolist(),
        pl.DataFrame(FRAME.to_dict("list")),
        pl.DataFrame(
            FRAME.to_dict("list"),
            schema={
                "age": pl.UInt8,
                "colour": pl.Categorical,
                "member": pl.Boolean,
                "since": pl.Date,
            },
            strict=False,
        ),
    ],
)
def test_equal_tables_have_equal_codes_in_any_container(X):
    for fitted in FRAME, X:
        np.testing.assert_array_equal(fit_schema(fitted).encode(X), CODES)
    np.testing.assert_array_equal(fit_schema(X).encode(FRAME), CODES)
    assert_same(fit_schema(FRAME).decode(fit_schema(X).encode(X)), FRAME)


def test_a_hole_does_not_change_the_dtype_of_fit():
    schema = fit_schema(FRAME)
    later = FRAME.astype(object)
    later.iloc[1] = None
    for X in later, later.astype({"age": float, "since": "datetime64[us]"}):
        codes = schema.encode(X)
        assert np.isnan(codes[1]).all()
        back = schema.decode(np.nan_to_num(codes))
        assert back.dtypes.tolist() == FRAME.dtypes.tolist()
        filled = schema.fill(X, np.where(np.isnan(codes), [44.6, 0, 0, 366], codes))
        assert filled.dtypes.tolist() == X.dtypes.tolist()
        assert filled["colour"].tolist() == ["red", "blue", "red"]
        assert filled["since"].tolist() == FRAME["since"].tolist()
        assert filled["member"].tolist() == [True, False, True]
        assert filled["age"][1] == (44.6 if X["age"].dtype == float else 45)


def test_names_and_numbers_of_categories_are_listed():
    schema = fit_schema(FRAME)
    assert schema.names == [f"column {name!r}" for name in FRAME]
    assert schema.n_levels.tolist() == [0, 2, 2, 0]
    assert fit_schema(FRAME.to_numpy()).names == [f"column {j}" for j in range(4)]
    assert column_labels(FRAME) == list(FRAME)
    assert column_labels(pl.DataFrame({"a": [1]})) == ["a"]
    assert column_labels(FRAME.to_numpy()) is None


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


def test_tables_of_single_precision_stay_so():
    X = pd.DataFrame({"a": np.float32([0.1]), "b": pd.array([0.1], "Float32")})
    assert fit_schema(X).encode(X).dtype == np.float32
    assert fit_schema(X).encode(pl.DataFrame(X.to_dict("list"))).dtype == np.float64
    assert fit_schema(X).encode(X.assign(b=1)).dtype == np.float64


def test_unseen_values_are_warned_of_once():
    schema = fit_schema(FRAME)
    later = pd.concat([FRAME] * 2, ignore_index=True)
    later["colour"] = ["mauve", "teal", "red", "a", "b", "c"]
    later["member"] = later["member"].astype(object).where(later.index > 0, "no")
    with pytest.warns(UserWarning, match="fit did not see") as caught:
        codes = schema.encode(later)
    (warning,) = caught
    assert str(warning.message) == (
        "Input X has values that fit did not see, in column 'colour': 'mauve', 'teal', "
        "'a' and 2 more; in column 'member': 'no'. They are treated as missing."
    )
    assert warning.filename == __file__
    assert np.isnan(codes[:, 1]).tolist() == [True, True, False, True, True, True]
    filled = schema.fill(later, np.nan_to_num(codes))
    pd.testing.assert_frame_equal(filled, later)


@pytest.mark.parametrize("chosen", [["age"], [0]])
def test_chosen_columns_are_categorical(chosen):
    schema = fit_schema(FRAME, chosen)
    assert schema.n_levels.tolist() == [3, 2, 2, 0]
    codes = schema.encode(FRAME)
    assert codes[:, 0].tolist() == [1, 2, 0]
    assert_same(schema.decode(codes), FRAME)


@pytest.mark.parametrize("chosen", ["from_dtype", None])
def test_by_default_the_dtype_decides(chosen):
    assert fit_schema(FRAME, chosen).n_levels.tolist() == [0, 2, 2, 0]


@settings(max_examples=50, deadline=None)
@given(X=tables(holes=True), random=st.randoms(use_true_random=False))
def test_any_column_may_be_chosen(X, random):
    mask = [random.random() < 0.5 for _ in range(X.shape[1])]
    schema = fit_schema(X, mask)
    assert (schema.n_levels[mask] > 0).all()
    codes = schema.encode(X)
    np.testing.assert_array_equal(np.isnan(codes), missing_of(X))
    filled = schema.fill(X, np.nan_to_num(codes))
    again = through_skops(schema)
    np.testing.assert_array_equal(again.encode(filled), np.nan_to_num(codes))
    decoded = again.decode(np.nan_to_num(codes))
    np.testing.assert_array_equal(again.encode(decoded), np.nan_to_num(codes))


@pytest.mark.parametrize(
    ("X", "remedy"),
    [
        (
            pd.DataFrame,
            "list it in categorical_features or convert it to the category dtype to",
        ),
        (pl.DataFrame, "list it in categorical_features or cast it to Categorical to"),
        (lambda X: np.array([*X.values()]).T, "list it in categorical_features to"),
    ],
)
def test_free_text_names_the_remedy_that_the_container_has(X, remedy):
    X = X({"name": [f"name {i}" for i in range(40)]})
    with pytest.raises(ValueError, match=remedy):
        fit_schema(X)
    assert fit_schema(X, [0]).n_levels.tolist() == [40]


@pytest.mark.parametrize(
    "X",
    [
        pl.DataFrame({"a": [[1], [2]]}),
        pl.DataFrame({"a": [{"b": 1}, None]}),
        pl.DataFrame({"a": pl.Series([[1, 2]], dtype=pl.Array(pl.Int8, 2))}),
        pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)}),
        pd.DataFrame({"a": pd.Series([[1]], dtype=pd.ArrowDtype(pa.list_(pa.int8())))}),
        pd.DataFrame({"a": [{"b": 1}]}),
    ],
)
def test_nested_columns_are_refused(X):
    with pytest.raises(TypeError, match=r"'a': the X argument must be .*string.*num"):
        fit_schema(X)


@pytest.mark.parametrize(
    "X", [pd.DataFrame({"a": [None]}), pl.DataFrame({"a": [None]})]
)
def test_columns_without_an_entry_are_refused(X):
    with pytest.raises(ValueError, match="nothing but missing values in column 'a'"):
        fit_schema(X)


def test_columns_are_counted():
    with pytest.raises(ValueError, match="X has 3 columns, and fit saw 4; it must"):
        fit_schema(FRAME).encode(FRAME.iloc[:, 1:])


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
    codes = schema.encode(X[:0])
    assert codes.shape == (0, X.shape[1])
    assert_same(schema.fill(X[:0], codes), X[:0])
    if not is_polars(X) and isinstance(X, pd.DataFrame):
        assert_same(schema.decode(codes, X.index[:0]), X[:0])
    else:
        assert_same(schema.decode(codes), X[:0])


def test_tables_may_be_read_only():
    X = np.array([[1.5, np.nan], [2, 3]])
    frame = pd.DataFrame({"a": X[:, 0], "b": ["x", None]})
    objects = frame.to_numpy()
    X.flags.writeable = objects.flags.writeable = False
    frame._mgr.blocks[0].values.flags.writeable = False
    for one in X, frame, objects:
        schema = fit_schema(one)
        filled = schema.fill(one, np.zeros((2, 2)))
        assert not pd.isna(filled).to_numpy().any() if one is frame else True
        one_hole = pd.isna(pd.DataFrame(one)).sum().sum()
        assert one_hole == 1
        assert not np.shares_memory(np.asarray(filled), np.asarray(one))


def test_zones_are_the_same_instants_in_any_container():
    stamps = pd.date_range("2020-03-28", periods=3, tz="Europe/Berlin", unit="us")
    X = pd.DataFrame({"a": stamps})
    dtype = pl.Datetime("ms", "Asia/Tokyo")
    other = pl.DataFrame({"a": pl.Series(stamps.to_pydatetime().tolist()).cast(dtype)})
    assert other.schema["a"] == dtype
    schema = fit_schema(X)
    np.testing.assert_array_equal(schema.encode(other), schema.encode(X))
    assert_same(schema.decode(schema.encode(other)), X)
    assert_same(fit_schema(other).decode(fit_schema(other).encode(X)), other)
    holes = X.astype(object).where(X.index.to_numpy()[:, None] > 0, None)
    for fitted in X, other, X.astype(pd.ArrowDtype(pa.timestamp("us", "UTC"))):
        schema = fit_schema(fitted)
        pd.testing.assert_frame_equal(
            schema.fill(holes, schema.encode(X)), X.astype(object)
        )
    naive = pl.DataFrame({"a": pl.Series([0]).cast(pl.Datetime("us"))})
    message = "held datetimes with a time zone in fit, and now holds datetimes without"
    with pytest.raises(ValueError, match=message):
        schema.encode(naive)


def test_polars_and_pyarrow_are_imported_by_the_user_only():
    code = (
        "import sys; from skvae._table.schema import fit_schema; import pandas as pd;"
        "sys.modules['pyarrow'] = None;"
        "X = pd.DataFrame({'a': pd.Series(['x', 'y'], dtype=object), 'b': [1, 2]});"
        "schema = fit_schema(X); schema.fill(X, schema.encode(X));"
        "print('polars' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("False\n", "")
