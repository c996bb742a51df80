"""Reads tables from CSV files of any common dialect and from Parquet files.

A table that cannot be read raises a `CommandError` that names the file and, if there is
one, the line.
"""

import codecs
import contextlib
import csv
import io
import sys
import warnings
from pathlib import Path

import pandas as pd

from skvae._cli.terminal import CommandError, require_package
from skvae._cli.text import to_integers

CSV_SUFFIXES = (".csv", ".tsv", ".txt")
PARQUET_SUFFIXES = (".parquet", ".pq")


def read_table(source):
    """Read a table of named columns.

    Parameters
    ----------
    source : str
        Path of a CSV file, separated by commas, semicolons, tabs or bars, or of a
        Parquet file; ``-`` for standard input.

    Returns
    -------
    pandas.DataFrame
        Column names are strings. If the first column of a CSV file has no name, it is
        the index. A column of a CSV file with only whole numbers is of integers, also
        if it has missing values.
    """
    name, content = source, source
    if source == "-":
        name, content = "standard input", sys.stdin.buffer.read()
        is_parquet = content.startswith(b"PAR1")
    else:
        suffix = Path(source).suffix.lower()
        is_parquet = suffix in PARQUET_SUFFIXES
        if not is_parquet and suffix not in CSV_SUFFIXES:
            known = " ".join(CSV_SUFFIXES + PARQUET_SUFFIXES)
            raise CommandError(
                f"{source}: unknown extension {suffix!r}; use one of {known}, or - "
                "for standard input"
            )
    try:
        table = _read_parquet(name, content) if is_parquet else _read_csv(name, content)
    except OSError as error:
        raise CommandError(f"{source}: {error.strerror or error}") from error
    return table.set_axis([str(column) for column in table.columns], axis=1)


def _open(content):
    return io.BytesIO(content) if isinstance(content, bytes) else open(content, "rb")


def _read_parquet(name, content):
    require_package("pyarrow", "parquet", f"{name}: reading Parquet")
    import pyarrow

    with _open(content) as file:
        try:
            return pd.read_parquet(file, engine="pyarrow")
        except pyarrow.ArrowException as error:
            reason = str(error).splitlines()[0]
            raise CommandError(f"{name} cannot be read as Parquet: {reason}") from error


def _read_csv(name, content):
    try:
        with _open(content) as file:
            delimiter, header = _sniff(name, file)
        has_index = header is not None and len(header) > 1 and not header[0]
        with _open(content) as file:
            table = pd.read_csv(
                file,
                sep=delimiter,
                header=None if header is None else 0,
                index_col=0 if has_index else None,
                skipinitialspace=True,
                encoding="utf-8-sig",
                low_memory=False,
            )
    except UnicodeDecodeError as error:
        raise CommandError(_undecodable_line_message(name, content)) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise CommandError(_parser_message(name, str(error))) from error
    if header is None:
        names = [f"x{j}" for j in range(table.shape[1])]
        table = table.set_axis(names, axis=1)
        warnings.warn(
            f"{name}: line 1 contains numbers, not column names; the columns are "
            "named x0, x1, ... from left to right",
            stacklevel=2,
        )
    elif has_index:
        table = table.rename_axis(index=None)
    if delimiter == ";":
        table = _read_decimal_commas(table)
    return table.apply(to_integers) if len(table.columns) else table


def _sniff(name, file, n_bytes=1 << 18):
    """Return the delimiter, and the column names, which are None if line 1 is data."""
    head = file.read(n_bytes)
    text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    if not text.strip():
        raise CommandError(f"{name} is empty")
    if len(head) == n_bytes:  # the last line may be incomplete
        text = text[: text.rfind("\n") + 1] or text
    try:
        headers = {d: next(filter(None, _rows(text, d))) for d in ",;\t|"}
        delimiter = max(headers, key=lambda d: len(headers[d]))
        header = [field.strip() for field in headers[delimiter]]
        # If a row has too many fields, pandas silently takes the first for an index.
        rows = _rows(text, delimiter)
        for row in rows:
            if len(row) > len(header):
                raise CommandError(
                    f"{name}, line {rows.line_num}: expected {len(header)} fields, "
                    f"saw {len(row)}"
                )
    except csv.Error as error:
        raise CommandError(f"{name}: {error}") from error
    return delimiter, None if _is_data(header) else header


def _rows(text, delimiter):
    return csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True
    )


def _is_data(header):
    """Whether line 1 is data, because it contains numbers that cannot be column names.

    Column names can be numbers that increase, as years do, or at least eight that
    decrease, as wavenumbers do.

    Examples
    --------
    >>> from skvae._cli.reading import _is_data
    >>> _is_data(["5.1", "3.5", "1.4", "setosa"])
    True
    >>> _is_data(["country", "1999", "2000"]), _is_data(["0", "1", "10", "2"])
    (False, False)
    """
    fields = [field for field in header if _is_number(field)]
    numbers = [float(field) for field in fields]
    increase = numbers == sorted(set(numbers))
    decrease = len(numbers) >= 8 and numbers[::-1] == sorted(set(numbers))
    increase_as_text = len(set(numbers)) == len(numbers) and fields == sorted(fields)
    return not (increase or decrease or increase_as_text)


def _is_number(text):
    with contextlib.suppress(ValueError):
        return bool(float(text) < float("inf"))  # "nan" and "inf" can be column names
    return False


def _read_decimal_commas(table):
    """Turn text such as ``3,14`` into numbers, in columns of such text only."""
    for column in table.columns:
        if not pd.api.types.is_numeric_dtype(table[column]):
            with contextlib.suppress(ValueError, TypeError, AttributeError):
                points = table[column].str.replace(",", ".", regex=False)
                table[column] = pd.to_numeric(points)
    return table


def _parser_message(name, message):
    """Turn a message of pandas' CSV parser into ``table.csv, line 3: ...``."""
    message = message.split("C error: ")[-1].strip().splitlines()[0]
    for words, offset in ((" in line ", 0), (" starting at row ", 1)):
        what, found, where = message.partition(words)
        number, _, rest = where.partition(",")
        if found and number.strip().isdigit():
            what = what[0].lower() + what[1:] if what[1:2].islower() else what
            rest = f",{rest}" if rest else ""
            return f"{name}, line {int(number) + offset}: {what}{rest}"
    return f"{name}: {message}"


def _undecodable_line_message(name, content):
    with _open(content) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return (
                    f"{name}, line {number}: byte {line[error.start]:#04x} is not "
                    "UTF-8; save the table as UTF-8"
                )
    return f"{name} is not UTF-8; save the table as UTF-8"
