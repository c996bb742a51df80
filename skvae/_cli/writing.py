"""Writes tables, models and pictures in the format of a file's extension."""

import pickle

import pandas as pd

from skvae._cli.arguments import TABLE_KINDS
from skvae._files.content import compress
from skvae._files.formats import suffix_of


def write_table(output, table, like=None):
    """Write a data frame in the format of the file's extension.

    Its index is written unless it only counts the rows.

    Parameters
    ----------
    output : OutputFile
        The file to write.

    table : pandas.DataFrame
        The table.

    like : DelimitedFile, default=None
        Text whose delimiter and encoding a file of the same kind has.
    """
    index = table.index
    is_range = isinstance(index, pd.RangeIndex)
    counts_rows = is_range and index.start == 0 and index.step == 1
    kind = TABLE_KINDS[output.suffix]
    if kind == "parquet":
        output.write(lambda file: table.to_parquet(file, engine="pyarrow"))
    elif kind == "feather":
        plain = table if counts_rows else table.reset_index()
        output.write(plain.to_feather)
    elif kind == "excel":
        output.write(
            lambda file: table.to_excel(file, index=not counts_rows, engine="openpyxl")
        )
    else:
        new = _new_delimiter(output, like)
        sep = new or (like.delimiter if like else ",")
        text = table.to_csv(sep=sep, index=not counts_rows)
        content = like.encode(text) if like else text.encode()
        _write_text(output, content)


def write_filled(output, file, entries):
    """Write a file again, with some of its empty cells filled.

    Parameters
    ----------
    output : OutputFile
        The file to write, of the same kind.

    file : DelimitedFile, ArrowFile or ExcelFile
        The file that was read.

    entries : dict of str to pandas.Series
        By column what to write, indexed by the position of the row.
    """
    if file.kind == "delimited":
        content = file.filled(entries, _new_delimiter(output, file))
        _write_text(output, content)
    else:
        content = file.filled(entries)
        output.write(lambda out: out.write(content))


def _new_delimiter(output, like):
    """Return the delimiter that the extension asks for, None to keep the old one."""
    if output.suffix == ".tsv":
        return "\t"
    if like is None:
        return ","
    was_tsv = suffix_of(like.name)[0] == ".tsv"
    return "," if was_tsv and output.suffix == ".csv" else None


def _write_text(output, content):
    content = compress(output.name, content, output.compression)
    output.write(lambda file: file.write(content))


def write_model(output, estimator):
    """Write an estimator in the format of the file's extension.

    Returns
    -------
    str
        The Python call that loads it.
    """
    if output.suffix == ".skops":
        import skops.io

        content = skops.io.dumps(estimator)
        output.write(lambda file: file.write(content))
        trusted = skops.io.get_untrusted_types(data=content)
        return f"skops.io.load({output.name!r}, trusted={trusted})"
    if output.suffix == ".joblib":
        import joblib

        output.write(lambda file: joblib.dump(estimator, file))
        return f"joblib.load({output.name!r})"
    output.write(lambda file: pickle.dump(estimator, file))
    return f"pickle.load(open({output.name!r}, 'rb'))"


def write_picture(output, figure):
    """Write a matplotlib figure in the format of the file's extension."""
    kind = output.suffix[1:]
    output.write(lambda file: figure.savefig(file, format=kind, dpi=200))
