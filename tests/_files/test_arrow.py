"""Arrow files come back with their schema and values, and with entries filled."""

import datetime as dt
import io
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from skvae._files.arrow import ArrowFile

pa = pytest.importorskip("pyarrow")
feather = pytest.importorskip("pyarrow.feather")
parquet = pytest.importorskip("pyarrow.parquet")

DAY, NOW = dt.date(2021, 3, 25), dt.datetime(2021, 3, 25, 12, 30)
COLUMNS = {  # what it holds, what is written to its gap, and what is there then
    "int64": (pa.int64(), 1234567890123456789, 7.4, 7),
    "int8": (pa.int8(), -3, 500.0, 127),
    "uint16": (pa.uint16(), 3, 2.0, 2),
    "float": (pa.float32(), 0.5, 0.25, 0.25),
    "double": (pa.float64(), 0.1, 0.3, 0.3),
    "decimal": (
        pa.decimal128(12, 2),
        Decimal("1234567890.10"),
        2.345678,
        Decimal("2.35"),
    ),
    "narrow": (pa.decimal128(5, 0), Decimal("7"), 2.6, Decimal("3")),
    "bool": (pa.bool_(), True, True, True),
    "string": (pa.string(), "a", "b", "b"),
    "large": (pa.large_string(), "a", "b", "b"),
    "date": (pa.date32(), DAY, pd.Timestamp(NOW), DAY),
    "seconds": (pa.timestamp("s"), NOW, pd.Timestamp(NOW), NOW),
    "zoned": (
        pa.timestamp("us", "Europe/Berlin"),
        pd.Timestamp(NOW, tz="Europe/Berlin").to_pydatetime(),
        pd.Timestamp(NOW, tz="Europe/Berlin"),
        pd.Timestamp(NOW, tz="Europe/Berlin"),
    ),
    "clock": (pa.time64("us"), dt.time(12), pd.Timedelta(hours=3), dt.time(3)),
    "span": (pa.duration("ms"), dt.timedelta(1), pd.Timedelta(days=2), dt.timedelta(2)),
    "category": (pa.dictionary(pa.int8(), pa.string()), "a", "b", "b"),
    "ordered": (pa.dictionary(pa.int32(), pa.string(), ordered=True), "a", "b", "b"),
}


def example():
    arrays, fields = [], []
    for name, (type_, value, _, filled) in COLUMNS.items():
        values = [value, None, value, filled]
        if pa.types.is_dictionary(type_):
            indices = pa.array([0, None, 0, 1], type_.index_type)
            array = pa.DictionaryArray.from_arrays(
                indices, ["a", "b"], ordered=type_.ordered
            )
        else:
            array = pa.array(values, type_)
        arrays.append(array)
        fields.append(pa.field(name, type_, metadata={"unit": "m"}))
    return pa.table(arrays, schema=pa.schema(fields, metadata={"by": "me"}))


def write(table, kind, **options):
    file = io.BytesIO()
    if kind == "parquet":
        parquet.write_table(table, file, **options)
    else:
        feather.write_feather(table, file)
    return file.getvalue()


def read(content, kind):
    if kind == "parquet":
        return parquet.read_table(io.BytesIO(content))
    return feather.read_table(io.BytesIO(content))


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_gaps_are_filled_and_nothing_else(kind):
    content = write(example(), kind)
    file = ArrowFile("t", content, kind)
    entries = {name: pd.Series({1: new}) for name, (_, _, new, _) in COLUMNS.items()}
    before, found = read(content, kind), read(file.filled(entries), kind)
    assert found.schema.equals(before.schema, check_metadata=True)
    for name, (_, _, _, filled) in COLUMNS.items():
        old, new = before[name].to_pylist(), found[name].to_pylist()
        assert new == [old[0], filled, *old[2:]], name


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_nothing_filled_changes_nothing(kind):
    content = write(example(), kind)
    assert read(ArrowFile("t", content, kind).filled({}), kind).equals(
        read(content, kind)
    )


def test_frame_has_no_integer_as_a_float():
    frame = ArrowFile("t", write(example(), "parquet"), "parquet").frame
    assert frame["int64"].dtype == "Int64"
    assert frame["int64"][0] == 1234567890123456789
    assert frame["bool"].dtype == "boolean"
    assert frame.isna().sum().tolist() == [1] * len(COLUMNS)


def test_many_row_groups_and_nan_that_is_not_null():
    values = np.where(np.arange(20) % 3, np.arange(20.0), np.nan)
    table = pa.table({"x": pa.array(values)})  # NaN, not null
    file = ArrowFile("t", write(table, "parquet", row_group_size=4), "parquet")
    rows = np.flatnonzero(np.isnan(values))
    found = read(file.filled({"x": pd.Series(-1.0, rows)}), "parquet")["x"].to_pylist()
    assert found == [-1.0 if i % 3 == 0 else float(i) for i in range(20)]


def test_index_of_pandas_stays():
    frame = pd.DataFrame({"x": [1.0, None]}, pd.Index(["a", "b"], name="key"))
    file = io.BytesIO()
    frame.to_parquet(file)
    found = ArrowFile("t", file.getvalue(), "parquet")
    pd.testing.assert_frame_equal(found.frame, frame)
    back = pd.read_parquet(io.BytesIO(found.filled({"x": pd.Series({1: 2.0})})))
    pd.testing.assert_frame_equal(back, frame.fillna(2.0))


def test_two_columns_of_one_name():
    table = pa.table([[1.0, None], [3.0, 4.0]], names=["a", "a"])
    file = ArrowFile("t", write(table, "parquet"), "parquet")
    assert list(file.frame.columns) == ["a", "a.1"]
    found = ArrowFile("t", file.filled({"a": pd.Series({1: 2.0})}), "parquet")
    assert found.frame["a"].tolist() == [1.0, 2.0]


def test_text_as_polars_writes_it_is_filled():
    polars = pytest.importorskip("polars")
    out = io.BytesIO()
    table = polars.DataFrame({"s": ["a", None, "c"], "x": [1.0, 2.0, None]})
    table.write_ipc(out)
    file = ArrowFile("t.feather", out.getvalue(), "feather")
    schema = feather.read_table(io.BytesIO(out.getvalue())).schema
    filled = file.filled({"s": pd.Series(["b"], [1]), "x": pd.Series([3.0], [2])})
    found = feather.read_table(io.BytesIO(filled))
    assert found.schema == schema
    assert found.to_pydict() == {"s": ["a", "b", "c"], "x": [1.0, 2.0, 3.0]}


def layout_of(content):
    """Return of each group its rows, and of each column its codec and dictionary."""
    file = parquet.ParquetFile(io.BytesIO(content))
    groups = map(file.metadata.row_group, range(file.num_row_groups))
    columns = range(file.metadata.num_columns)
    return [
        [group.num_rows]
        + [
            (column.path_in_schema, column.compression, column.has_dictionary_page)
            for column in map(group.column, columns)
        ]
        for group in groups
    ]


@pytest.mark.parametrize("n_rows", [(30, 45, 25), (100,), (0,), ()])
def test_parquet_keeps_its_groups_of_rows_and_codecs(n_rows):
    n = sum(n_rows)
    table = pa.table(
        {
            "x": pa.array([1.0, None] * (n // 2), pa.float64()),
            "text": pa.array(["x", "y"] * (n // 2), pa.string()),
            "list": pa.array([[1, 2]] * n, pa.list_(pa.int64())),
            "nested": pa.array([{"u": 1, "v": 2}] * n, pa.struct({"u": "int8"})),
        }
    )
    codecs = {
        "x": "gzip",
        "text": "none",
        "nested.u": "lz4",
        "list.list.element": "zstd",
    }
    out, start = io.BytesIO(), 0
    with parquet.ParquetWriter(
        out, table.schema, compression=codecs, use_dictionary=["text"]
    ) as writer:
        for rows in n_rows:
            writer.write_table(table.slice(start, rows))
            start += rows
    content = out.getvalue()
    entries = {"x": pd.Series(2.0, range(1, n, 2))}
    found = ArrowFile("t", content, "parquet").filled(entries)
    assert layout_of(found) == layout_of(content)
    assert read(found, "parquet")["x"].to_pylist() == [1.0, 2.0] * (n // 2)
