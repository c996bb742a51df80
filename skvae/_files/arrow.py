"""Parquet and Feather files: read, and filled without a change to schema or values."""

import datetime as dt
import decimal
import io

import numpy as np
import pandas as pd

from skvae._files.names import unique_names

# Types of which pyarrow takes no rows, such as the text of polars, and their like.
WITHOUT_VIEWS = {"string_view": "large_string", "binary_view": "large_binary"}
# Codecs of Parquet that its writer calls otherwise.
CODECS = {"UNCOMPRESSED": "NONE"}


class ArrowFile:
    """A table read from a Parquet or a Feather file.

    Parameters
    ----------
    name : str
        The file's name, for messages.

    content : bytes
        What the file holds.

    kind : {"parquet", "feather"}
        The format.

    Attributes
    ----------
    frame : pandas.DataFrame
        The values, as pandas has them; integers and booleans with missing values are of
        its nullable dtypes. An index that pandas had written is the index again.

    decimal : None
        No decimal mark goes with the format.

    marks : dict
        Empty: a missing value is null, and nothing else.
    """

    def __init__(self, name, content, kind):
        import pyarrow

        self.name, self.kind, self.decimal = name, kind, None
        try:
            self._table, self._layout = _read(content, kind)
        except (pyarrow.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            what = kind.capitalize()
            raise ValueError(f"{name} cannot be read as {what}: {reason}") from error
        self.frame, self.marks = self._to_pandas(), {}

    def filled(self, entries):
        """Return the file's content with some entries filled.

        Parameters
        ----------
        entries : dict of str to pandas.Series
            By column the values to write, indexed by the position of the row.

        Returns
        -------
        bytes
            Of the same schema, and with the same values elsewhere; of Parquet also with
            the same groups of rows, and each column compressed as it was.
        """
        table = self._table
        for name, values in entries.items():
            j = self._places[name]
            column = _fill(table.column(j), values)
            table = table.set_column(j, table.schema.field(j), column)
        return self._write(table)

    def _write(self, table):
        from pyarrow import feather

        file = io.BytesIO()
        if self.kind == "parquet":
            _write_parquet(table, self._layout, file)
        else:
            feather.write_feather(table, file)
        return file.getvalue()

    def _to_pandas(self):
        """Return a data frame, in which two columns of one name are told apart."""
        import pyarrow as pa

        names = self._table.schema.names
        unique = unique_names(names)
        table = self._table
        if names != unique:  # pandas' notes on columns go by name
            table = table.rename_columns(unique).replace_schema_metadata(None)
        frame = table.to_pandas()
        frame.columns = unique_names(frame.columns)
        places = {name: j for j, name in enumerate(unique)}
        self._places = {name: places[name] for name in frame.columns}
        nullable = {
            getattr(pa, f"{kind.lower()}")(): getattr(pd, f"{kind}Dtype")()
            for kind in "Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64".split()
        } | {pa.bool_(): pd.BooleanDtype()}
        for name, j in self._places.items():
            column = table.column(j)
            if column.null_count and column.type in nullable:
                values = pa.table({"x": column}).to_pandas(types_mapper=nullable.get)[
                    "x"
                ]
                frame[name] = values.set_axis(frame.index)
        return frame


def _read(content, kind):
    """Return a table, and the metadata of a Parquet file."""
    import pyarrow as pa
    from pyarrow import feather, parquet

    source = pa.BufferReader(content)
    if kind == "parquet":
        file = parquet.ParquetFile(source)
        return file.read(), file.metadata
    return feather.read_table(source), None


def _write_parquet(table, like, file):
    """Write a table in the groups of rows, and with the codecs, of another file."""
    from pyarrow import parquet

    groups = [like.row_group(i) for i in range(like.num_row_groups)]
    columns = [groups[0].column(j) for j in range(like.num_columns)] if groups else []
    codecs = {column.path_in_schema: column.compression for column in columns}
    options = {
        "compression": {path: CODECS.get(of, of) for path, of in codecs.items()},
        "use_dictionary": [
            column.path_in_schema for column in columns if column.has_dictionary_page
        ],
    }
    with parquet.ParquetWriter(file, table.schema, **options) as writer:
        start = 0
        for group in groups:
            n_rows = group.num_rows
            writer.write_table(
                table.slice(start, n_rows), row_group_size=n_rows or None
            )
            start += n_rows


def _fill(column, values):
    """Return a chunked array with values at some positions, of the same type."""
    import pyarrow as pa

    type_ = column.type
    if pa.types.is_dictionary(type_):
        return _fill_dictionary(column, values)
    if not len(values):
        return column
    rows = values.index.to_numpy()
    new = pa.array([_to_entry(value, type_) for value in values], type_)
    place = np.arange(len(column))
    place[rows] = len(column) + np.arange(len(rows))
    both = pa.chunked_array([*column.chunks, new], type_)
    plain = WITHOUT_VIEWS.get(str(type_))
    if plain is None:
        return both.take(pa.array(place))
    return both.cast(plain).take(pa.array(place)).cast(type_)


def _fill_dictionary(column, values):
    """Do the same for categories, by their places in the dictionary."""
    import pyarrow as pa

    column = column.unify_dictionaries().combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # of an old pyarrow
        column = pa.concat_arrays(column.chunks)
    of = {value: i for i, value in enumerate(column.dictionary.to_pylist())}
    indices = column.indices.to_pylist()
    for row, value in values.items():
        indices[row] = of[value]
    indices = pa.array(indices, column.type.index_type)
    return pa.chunked_array(
        [
            pa.DictionaryArray.from_arrays(
                indices, column.dictionary, ordered=column.type.ordered
            )
        ]
    )


def _to_entry(value, type_):
    """Return a value as Python's class for an Arrow type; numbers are rounded to it."""
    import pyarrow as pa

    types = pa.types
    if types.is_decimal(type_):
        exact = decimal.Decimal(f"{float(value):.{max(type_.scale, 0)}f}")
        return exact.quantize(decimal.Decimal(1).scaleb(-type_.scale))
    if types.is_integer(type_):
        info = np.iinfo(type_.to_pandas_dtype())
        return min(max(round(value), int(info.min)), int(info.max))
    if types.is_floating(type_):
        return np.dtype(type_.to_pandas_dtype()).type(value)
    if types.is_date(type_):
        return pd.Timestamp(value).date()
    if types.is_timestamp(type_):
        return pd.Timestamp(value).floor(type_.unit)
    if types.is_time(type_):
        if isinstance(value, dt.time):
            return value
        return (dt.datetime.min + pd.Timedelta(value).to_pytimedelta()).time()
    if types.is_duration(type_):
        return pd.Timedelta(value).floor(type_.unit)
    return value.item() if isinstance(value, np.generic) else value
