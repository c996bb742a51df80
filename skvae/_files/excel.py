"""Excel workbooks: the first sheet is read, and its empty cells are filled."""

import io

import numpy as np
import pandas as pd

from skvae._files.delimited import MISSING
from skvae._files.names import unique_names


class ExcelFile:
    """A table read from the first sheet of a workbook.

    Parameters
    ----------
    name : str
        The file's name, for messages.

    content : bytes
        What the file holds.

    Attributes
    ----------
    frame : pandas.DataFrame
        The values of the cells, of formulas the results that the file has.

    decimal : None
        No decimal mark goes with the format.

    marks : dict of str to dict of str to int
        Of each column, how often it has which text for a missing value.
    """

    kind = "excel"

    def __init__(self, name, content):
        import openpyxl

        self.name, self._content, self.decimal = name, content, None
        try:
            book = openpyxl.load_workbook(io.BytesIO(content), data_only=True)
        except Exception as error:  # of any class, as the file may be any archive
            raise ValueError(
                f"{name} is a zip archive and cannot be read as Excel: {error}"
            ) from error
        rows = [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]
        full = [
            i for i, row in enumerate(rows) if any(value is not None for value in row)
        ]
        if not full:
            raise ValueError(f"{name} is empty")
        self._top = full[0]
        header, body = rows[full[0]], rows[full[0] + 1 : full[-1] + 1]
        used = [
            j
            for j in range(len(header))
            if any(row[j] is not None for row in [header, *body])
        ]
        names = ["" if header[j] is None else str(header[j]).strip() for j in used]
        if 2 * names[1:].count("") >= len(used):  # the first is that of an index
            raise ValueError(
                f"{name}, row {self._top + 1}: {len(used)} columns have "
                f"{len(used) - names.count('')} name(s); if the table begins further "
                "down, remove what stands above it"
            )
        self._places = dict(zip(unique_names(names), used, strict=True))
        columns, self.marks = {}, {}
        for column, j in self._places.items():
            values = [row[j] for row in body]
            odd = [v for v in values if isinstance(v, str) and v.strip() in MISSING]
            self.marks[column] = {v: odd.count(v) for v in set(odd)}
            columns[column] = _to_series(values)
        self.frame = pd.DataFrame(columns)

    def filled(self, entries):
        """Return the workbook with some cells filled.

        Parameters
        ----------
        entries : dict of str to pandas.Series
            By column the values to write, indexed by the position of the row.

        Returns
        -------
        bytes
            Filled cells look as the others of their column do; formulas stay.
        """
        import openpyxl

        book = openpyxl.load_workbook(io.BytesIO(self._content))
        sheet = book.worksheets[0]
        first = self._top + 2
        for column, values in entries.items():
            j = self._places[column] + 1
            present = self.frame[column].notna().to_numpy()
            like = sheet.cell(first + int(np.argmax(present)), j)
            for row, value in values.items():
                cell = sheet.cell(first + row, j)
                if cell.data_type == "f":  # whose result the file does not have
                    continue
                plain = cell.number_format == "General"
                cell.value = _to_entry(value)
                if plain:
                    cell.number_format = like.number_format
        file = io.BytesIO()
        book.save(file)
        return file.getvalue()


def _to_series(values):
    """Return the values of cells as a column of the dtype that fits them."""
    is_mark = (isinstance(v, str) and v.strip() in MISSING for v in values)
    values = [None if mark else v for v, mark in zip(values, is_mark, strict=True)]
    classes = {type(value) for value in values if value is not None}
    for of, dtype in ((bool, "boolean"), (int, "Int64")):
        if classes == {of}:
            return pd.Series(values, dtype=dtype if None in values else None)
    if classes and classes <= {int, float}:
        return pd.Series(values, dtype="float64")
    return pd.Series(values, dtype=object).infer_objects()


def _to_entry(value):
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    if isinstance(value, pd.Timedelta):
        return value.to_pytimedelta()
    return value.item() if isinstance(value, np.generic) else value
