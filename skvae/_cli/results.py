"""What a fitted estimator makes of a table: embedding, imputed table, sampled rows."""

import numpy as np
import pandas as pd

from skvae._cleaning.reading import read_values

MAX_DECIMALS = 10  # of an imputed number


def embed(selection, estimator):
    """Return the embedding of a table: its components, one row per row of the table.

    Parameters
    ----------
    selection : Selection
        The table's columns that were fitted.

    estimator : VAETransformer
        Fitted on `selection.X`.

    Returns
    -------
    pandas.DataFrame
        With the table's index.
    """
    names = list(estimator.get_feature_names_out())
    embedding = np.asarray(estimator.transform(selection.X))
    return pd.DataFrame(embedding, index=selection.X.index, columns=names)


def impute(selection, estimator):
    """Return what to write to the empty entries of the fitted columns.

    Imputed numbers and dates are within the range of their column, numbers have its
    decimals.

    Parameters
    ----------
    selection : Selection
        The table's columns that were fitted.

    estimator : VAETransformer
        Fitted on `selection.X`.

    Returns
    -------
    dict of str to pandas.Series
        By column the imputed values, indexed by the position of the row.
    """
    entries = {}
    for column, values in estimator.impute(selection.X).items():
        rows = np.flatnonzero(selection.empty[column])
        if len(rows):
            observed = selection.X[column].dropna()
            imputed = _within_range(observed, values.iloc[rows].set_axis(rows))
            entries[column] = _round_like(observed, imputed)
    return entries


def fill(file, selection, entries):
    """Return the table of a file with imputed values, to be written in another format.

    Parameters
    ----------
    file : DelimitedFile, ArrowFile or ExcelFile
        The table as it was read.

    selection : Selection
        The table's columns that were fitted.

    entries : dict of str to pandas.Series
        What `impute` returned.

    Returns
    -------
    pandas.DataFrame
        Of numbers, dates and text, if the file is of text; else of the file's dtypes.
    """
    table, as_values = file.frame, file.kind == "delimited"
    if as_values:
        table = read_values(table, selection.readers.values())
    filled = table.copy()
    for column, values in entries.items():
        new = values if as_values else selection.readers[column].write(values)
        array = table[column].array.copy()
        array[new.index.to_numpy()] = new.array
        filled[column] = array
    return filled


def sample(n_rows, table, selection, estimator, random_state, as_values=False):
    """Return sampled rows with the table's columns and formats.

    Their numbers and dates are within the range of their column, as imputed ones are.

    Parameters
    ----------
    n_rows : int
        How many rows to sample.

    table : pandas.DataFrame
        The table as it was read.

    selection : Selection
        The table's columns that were fitted.

    estimator : VAETransformer
        Fitted on `selection.X`.

    random_state : int
        Seed of the rows.

    as_values : bool, default=False
        Whether numbers and dates stay such where the table has them as text.

    Returns
    -------
    pandas.DataFrame
        Without the columns that were not fitted, except for the constant ones.
    """
    sampled = estimator.sample(n_rows, random_state=random_state)
    columns = {}
    for column, values in table.items():
        reader = selection.readers[column]
        if column in sampled:
            observed = selection.X[column].dropna()
            new = _within_range(observed, sampled[column])
            columns[column] = new if as_values else reader.write(new)
        elif column in selection.constants:
            constant = pd.Series(
                [selection.constants[column]] * n_rows, dtype=values.dtype
            )
            columns[column] = reader.read(constant).values if as_values else constant
    return pd.DataFrame(columns)


def _within_range(observed, values):
    """Return numbers and times clipped to the range of a column; others as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> from skvae._cli.results import _within_range
    >>> _within_range(pd.Series([0.5, 2.25]), pd.Series([-0.1, 1.23456])).tolist()
    [0.5, 1.23456]
    """
    if values.dtype.kind not in "fiuMm":
        return values
    return values.clip(observed.min(), observed.max())


def _round_like(observed, values):
    """Return numbers rounded to the decimals of a column; others as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> from skvae._cli.results import _round_like
    >>> _round_like(pd.Series([0.5, 2.25]), pd.Series([0.5, 1.23456])).tolist()
    [0.5, 1.23]
    """
    if values.dtype.kind not in "fiu":
        return values
    exact = (d for d in range(MAX_DECIMALS) if (observed.round(d) == observed).all())
    decimals = next(exact, None)
    return values if decimals is None else values.round(decimals)
