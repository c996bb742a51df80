"""Reads files of tables into data frames of numbers, dates, booleans and text."""

import pandas as pd

from skvae._cleaning.columns import find_readers
from skvae._files.open import open_table
from skvae._printable import quote
from skvae._warnings import warn


def read_table(path):
    r"""Read a table as ``python -m skvae`` does.

    Parameters
    ----------
    path : str or path-like
        Path of a file of delimited text (.csv, .tsv or .txt), which may be compressed
        (.gz, .bz2, .xz, .zst), or of a Parquet, Feather or Excel file. Delimiters,
        quotes, encoding, comments and a first line such as ``sep=;`` are found out.

    Returns
    -------
    pandas.DataFrame
        Its columns are of numbers, datetimes, booleans or text. Text is read as numbers
        also with decimal commas, marks between thousands, a currency or a percent sign;
        as dates if day and month can be told apart. Codes such as 02109 and numbers of
        more than 15 digits stay text. Empty cells are missing, as are NA, null and the
        like without quotes, and among numbers and dates also ``?``, ``-`` and ``.``;
        infinite numbers stay, and so do days such as 9999-12-31 that pandas can hold.
        If the first column of delimited text has no name, it is the index.

    Raises
    ------
    ValueError
        If the file is no such table; the message names the line.

    ImportError
        If a package is missing that reads this kind of file.

    Warns
    -----
    UserWarning
        If nothing in the table tells whether a lone comma or point, as in ``1.234``,
        is a decimal mark or stands between thousands, and what it is taken for.

    See Also
    --------
    TableCleaner : Does the same with the columns of any data frame, and says which of
        them cannot be fitted.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import skvae
    >>> path = pathlib.Path(tempfile.mkdtemp(), "t.csv")
    >>> _ = path.write_text("zip;day;price\n02109;25/03/21;1,50\n;01/04/21;?\n")
    >>> table = skvae.read_table(path)
    >>> table["price"].tolist()
    [1.5, nan]
    >>> table["day"].dt.month.tolist()
    [3, 4]
    >>> table["zip"][0]
    '02109'
    """
    file = open_table(path)
    readers = find_readers(file.frame, file.decimal)
    doubtful = {
        name: reader.note
        for name, reader in zip(file.frame.columns, readers, strict=True)
        if reader.in_doubt
    }
    if doubtful:
        said = "; ".join(f"{quote(name)}: {note}" for name, note in doubtful.items())
        warn(
            f"{file.name}: columns are read as one of two things that they may mean "
            f"({said}). If they mean the other, their values are a thousandfold off."
        )
    return read_values(file.frame, readers)


def read_values(table, readers):
    """Return a data frame of what readers read of its columns."""
    columns = [
        reader.read(table.iloc[:, j], finite=False).values
        for j, reader in enumerate(readers)
    ]
    columns = [
        values.astype(float)
        if values.isna().all() and values.dtype == object
        else values
        for values in columns
    ]
    values = pd.concat([values.infer_objects() for values in columns], axis=1)
    return values.set_axis(table.columns, axis=1)
