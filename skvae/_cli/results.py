"""What a fitted estimator makes of a table: its embedding, it filled in, drawn rows."""

import numpy as np
import pandas as pd

from skvae._cli.text import as_read
from skvae._table.columns import is_missing

MOST_DECIMALS = 10  # that a column's entries are given


def embed(selection, estimator):
    """Return one row of components per row of the table."""
    names = list(estimator.get_feature_names_out())
    embedding = np.asarray(estimator.transform(selection.X))
    return pd.DataFrame(embedding, index=selection.X.index, columns=names)


def impute(table, selection, estimator):
    """Return the table with what is missing filled in, where a column was fitted."""
    filled = table.copy()
    for column, values in estimator.impute(selection.X).items():
        hole = is_missing(selection.X[column])
        if hole.any():
            if selection.kinds[column] == "numbers":
                values = _like(selection.X[column][~hole], values)
            array = table[column].array.copy()
            array[hole] = as_read(values, table[column]).array[hole]
            filled[column] = array
    return filled


def sample(n_rows, table, selection, estimator, random_state):
    """Return drawn rows with the table's columns, but those that cannot be drawn."""
    drawn = estimator.sample(n_rows, random_state=random_state)
    columns = {}
    for column, read in table.items():
        if column in drawn:
            columns[column] = as_read(drawn[column], read)
        elif column in selection.constant:
            value = selection.constant[column]
            columns[column] = pd.Series([value] * n_rows, dtype=read.dtype)
    return pd.DataFrame(columns)


def _like(observed, values):
    """Return numbers within the range of what was observed, and with its decimals.

    Examples
    --------
    >>> import pandas as pd
    >>> from skvae._cli.results import _like
    >>> _like(pd.Series([0.5, 2.25]), pd.Series([-0.1, 1.23456])).tolist()
    [0.5, 1.23]
    """
    if values.dtype.kind not in "fiu":
        return values
    values = values.clip(observed.min(), observed.max())
    exact = (d for d in range(MOST_DECIMALS) if (observed.round(d) == observed).all())
    decimals = next(exact, None)
    return values if decimals is None else values.round(decimals)
