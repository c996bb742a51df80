"""DataFrames of pandas: labels, categories, and dtypes that hold not every value."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io

from skvae._table.schema import Schema, fit_schema


def through_skops(schema):
    return Schema(*skops.io.loads(skops.io.dumps(schema.arguments()), trusted=[]))


def test_labels_come_back():
    X = pd.DataFrame({"age": np.array([31, 45], dtype="int16"), "colour": ["a", "b"]})
    for labels in (
        pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["upper", None]),
        pd.Index(["a", "a"], name="name"),
        pd.RangeIndex(2),
        pd.DatetimeIndex(["2020-01-01", "2020-01-02"]),
        pd.Index([("a", 1), "b"], tupleize_cols=False),
        pd.CategoricalIndex(["b", "a"], ["b", "a"]),
    ):
        table = X.set_axis(labels, axis=1)
        schema = through_skops(fit_schema(table))
        back = schema.to_table(schema.to_codes(table))
        pd.testing.assert_index_equal(back.columns, labels, exact="equiv")
        pd.testing.assert_frame_equal(back, table)


def test_categories_come_back_in_their_order_with_the_unused_ones():
    kinds = pd.CategoricalDtype(["high", "unused", "low"])
    X = pd.DataFrame({"a": pd.Categorical(["low", "high", "low"], dtype=kinds)})
    X["b"] = pd.cut([0.5, 1.5, 1.6], [0, 1, 2, 3])
    X["c"] = pd.Categorical(pd.to_datetime(["2020-01-01"] * 3, utc=True))
    schema = through_skops(fit_schema(X))
    assert schema.to_codes(X).tolist() == [[1, 0, 0], [0, 1, 0], [1, 1, 0]]
    pd.testing.assert_frame_equal(schema.to_table(schema.to_codes(X)), X)


@pytest.mark.parametrize("ordered", [False, True])
def test_categories_are_as_ordered_as_they_were(ordered):
    dtype = pd.CategoricalDtype(["low", "unused", "high"], ordered)
    X = pd.DataFrame({"a": pd.Categorical(["high", "low", None], dtype=dtype)})
    schema = through_skops(fit_schema(X))
    codes = schema.to_codes(X)
    np.testing.assert_array_equal(codes, [[1], [0], [np.nan]])
    for back in schema.to_table(np.nan_to_num(codes)), schema.fill(X, np.zeros((3, 1))):
        assert back["a"].dtype == dtype
        assert back["a"].cat.ordered is ordered
        assert back["a"].tolist() == ["high", "low", "low"]


@pytest.mark.parametrize("ordered", [False, True])
def test_dictionaries_of_pyarrow_are_as_ordered_as_they_were(ordered):
    if ordered and pd.__version__ < "3":
        pytest.skip("pandas 2 drops the order of dictionaries of pyarrow")
    dtype = pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string(), ordered))
    X = pd.DataFrame({"a": pd.Series(["low", "high", None], dtype=dtype)})
    schema = through_skops(fit_schema(X))
    codes = schema.to_codes(X)
    for back in schema.to_table(np.nan_to_num(codes)), schema.fill(X, np.zeros((3, 1))):
        assert back["a"].dtype.pyarrow_dtype.ordered is ordered
        assert back["a"].tolist() == ["low", "high", "high"]


def test_a_filled_category_that_X_lacks_is_added():
    schema = fit_schema(pd.DataFrame({"a": pd.Categorical(["x", "y", "z"])}))
    X = pd.DataFrame({"a": pd.Categorical(["x", None])})
    filled = schema.fill(X, np.array([[0.0], [1.0]]))
    assert filled["a"].tolist() == ["x", "y"]
    assert filled["a"].cat.categories.tolist() == ["x", "y"]


@pytest.mark.parametrize("dtype", [object, "float64", "Int8", "category", "str"])
def test_an_empty_column_is_filled_by_what_fit_saw(dtype):
    X = pd.DataFrame({"a": pd.Series([None, None], dtype=dtype)})
    for fitted in ["x", "y"], pd.to_datetime(["2020-01-01", "2020-01-02"]), [1, 2]:
        schema = fit_schema(pd.DataFrame({"a": fitted}))
        codes = schema.to_codes(pd.DataFrame({"a": fitted}))
        assert schema.fill(X, codes)["a"].tolist() == list(fitted)


def test_values_are_rounded_and_clipped_to_what_the_dtype_holds():
    decimal = pd.ArrowDtype(pa.decimal128(4, 2))
    X = pd.DataFrame({"a": pd.array([Decimal("0.29"), 1], decimal)})
    back = fit_schema(X).to_table(np.array([[0.294], [1e9]]))
    assert back["a"].tolist() == [Decimal("0.29"), Decimal("99.99")]
    X = pd.DataFrame({"a": [1], "b": pd.array([1], "Int8")}, dtype="uint8")
    back = fit_schema(X.astype({"b": "Int8"})).to_table(
        np.array([[-3, 99.6], [9e9, 1e9]])
    )
    assert back.to_numpy().tolist() == [[0, 100], [255, 127]]


def test_sparse_columns_come_back_dense():
    X = pd.DataFrame({"a": pd.arrays.SparseArray([0, 1.5, np.nan])})
    schema = fit_schema(X)
    codes = schema.to_codes(X)
    back = schema.to_table(np.nan_to_num(codes))
    assert back["a"].dtype == np.float64
    filled = schema.fill(X, np.full((3, 1), 9.0))
    assert filled["a"].dtype == X["a"].dtype
    assert filled["a"].tolist() == [0, 1.5, 9]


DAYS = pa.array([0, 1, 0, 2], pa.int32()).cast(pa.date32())
INSTANTS = pa.array([0, 86_400, 0, 3 * 86_400])
OF_ARROW = {
    "numbers": pa.array([1, 2, 1, 4], pa.int8()),
    "decimals": pa.array([Decimal("1.50"), Decimal("2.00")] * 2, pa.decimal128(38, 2)),
    "long decimals": pa.array([Decimal("1.50")] * 4, pa.decimal256(76, 2)),
    "booleans": pa.array([True, False] * 2),
    "texts": pa.array(["a", "b"] * 2, pa.large_string()),
    "bytes": pa.array([b"a", b"b"] * 2),
    "days": DAYS,
    "long days": DAYS.cast(pa.date64()),
    "instants": INSTANTS.cast(pa.timestamp("s")),
    "instants of a zone": INSTANTS.cast(pa.timestamp("ns", "Asia/Tokyo")),
    "durations": INSTANTS.cast(pa.duration("ms")),
    "times of day": pa.array([0, 60, 0, 120], pa.int32()).cast(pa.time32("s")),
}
if int(pa.__version__.partition(".")[0]) >= 16:  # before, pandas can set no such entry
    OF_ARROW["half"] = pa.array(np.array([1, 2.5, 1, 4], dtype="f2"))
CATEGORIES = "numbers", "decimals", "texts", "days", "instants", "instants of a zone"
OF_ARROW |= {f"categories: {of}": OF_ARROW[of].dictionary_encode() for of in CATEGORIES}


@pytest.mark.parametrize("array", OF_ARROW.values(), ids=OF_ARROW)
def test_every_type_of_pyarrow_comes_back_and_is_filled(array):
    def frame(array):
        chunked = pa.chunked_array([array])
        return pd.DataFrame({"a": pd.arrays.ArrowExtensionArray(chunked)})

    X = frame(array)
    schema = through_skops(fit_schema(X))
    codes = schema.to_codes(X)
    back = schema.to_table(codes)
    assert back.dtypes.tolist() == X.dtypes.tolist()
    assert back["a"].tolist() == X["a"].tolist()
    holes = array.take(pa.array([None, 1, 2, None]))
    full = schema.fill(frame(holes), codes)
    assert full.dtypes.tolist() == X.dtypes.tolist()
    assert full["a"].tolist() == X["a"].tolist()
    schema.rehearse("codec.schema")  # at the limits of each dtype


@pytest.mark.skipif(
    not hasattr(pa, "string_view"), reason="pyarrow has no such types, or cannot filter"
)
def test_types_of_pyarrow_that_pandas_cannot_take_rows_of_are_named():
    ends = pa.array([2], pa.int32())
    arrays = [
        pa.RunEndEncodedArray.from_arrays(ends, pa.array([1.5])),
        pa.array(["a", "b"], pa.string_view()),
    ]
    for array in arrays:
        chunked = pa.chunked_array([array])
        X = pd.DataFrame({"a": pd.arrays.ArrowExtensionArray(chunked)})
        with pytest.raises(TypeError, match=r"X has the dtype (run|string_view).*Conv"):
            fit_schema(X)
