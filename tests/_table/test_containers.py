"""Tables become floats and come back: values, dtypes, categories, order, index."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers import FRAME, as_objects, assert_same, missing_of
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal as assert_polars_equal
from strategies import tables

from skvae._table.containers import is_polars, is_table
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
