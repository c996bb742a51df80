"""Writes tables, models and pictures in the format of a file's extension."""

import pickle

import pandas as pd


def write_table(output, table):
    """Write a data frame in the format of the file's extension.

    Its index is written unless it only counts the rows.
    """
    index = table.index
    is_range = isinstance(index, pd.RangeIndex)
    counts_rows = is_range and index.start == 0 and index.step == 1
    if output.suffix == ".parquet":
        output.write(lambda file: table.to_parquet(file, engine="pyarrow"))
    else:
        sep = "\t" if output.suffix == ".tsv" else ","
        output.write(lambda file: table.to_csv(file, sep=sep, index=not counts_rows))


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
