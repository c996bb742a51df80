"""What a fitted estimator makes of a table: embedding, imputed table, sampled rows."""

import numpy as np
import pandas as pd

from skvae._cli.text import format_like
from skvae._table.columns import is_missing

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


def impute(table, selection, estimator):
    """Return the table with the missing values of its fitted columns imputed.

    Imputed numbers and dates are within the range of their column. Numbers have its
    decimals, dates have the format of its text.

    Parameters
    ----------
    table : pandas.DataFrame
        The table as it was read.

    selection : Selection
        The table's columns that were fitted.

    estimator : VAETransformer
        Fitted on `selection.X`.

    Returns
    -------
    pandas.DataFrame
        A copy, with the same columns and dtypes.
    """
    imputed = table.copy()
    for column, values in estimator.impute(selection.X).items():
        missing = is_missing(selection.X[column])
        if missing.any():
            observed = selection.X[column][~missing]
            values = _round_like(observed, _within_range(observed, values))
            array = table[column].array.copy()
            array[missing] = format_like(values, table[column]).array[missing]
            imputed[column] = array
    return imputed


def sample(n_rows, table, selection, estimator, random_state):
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

    Returns
    -------
    pandas.DataFrame
        Without the columns that were not fitted, except for the constant ones.
    """
    sampled = estimator.sample(n_rows, random_state=random_state)
    columns = {}
    for column, values in table.items():
        if column in sampled:
            observed = selection.X[column].dropna()
            within = _within_range(observed, sampled[column])
            columns[column] = format_like(within, values)
        elif column in selection.constants:
            constant = [selection.constants[column]] * n_rows
            columns[column] = pd.Series(constant, dtype=values.dtype)
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
