"""Delimited text, such as CSV, in any common dialect: read, and filled in place.

What is not filled comes back byte by byte: the text is kept, and a cell is known by the
bytes that it spans.
"""

import numpy as np
import pandas as pd

from skvae._files.cells import UnclosedQuote, split
from skvae._files.content import CODE_PAGES, decode, first_undecodable
from skvae._files.dialect import (
    HEAD_LINES,
    are_data,
    find_dialect,
    find_other_delimiter,
    is_number,
)
from skvae._files.names import unique_names
from skvae._warnings import warn

# Cells that mean that a value is missing, wherever they stand without quotes.
MISSING = {
    *("", "NA", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "<NA>", "NaN", "-NaN"),
    *("nan", "-nan", "NULL", "null", "None"),
}


class DelimitedFile:
    """A table read from delimited text.

    Parameters
    ----------
    name : str
        The file's name, for messages.

    content : bytes
        What the file holds, not compressed.

    Attributes
    ----------
    frame : pandas.DataFrame of str and None
        The text of every cell, without quotes and outer blanks; None where it is
        missing. If the first column of the header has no name, it is the index.

    marks : dict of str to dict of str to int
        Of each column, how often it has which text for a missing value.

    delimiter : str
        What separates the cells.

    decimal : str or None
        The decimal mark that goes with it, where no number tells: a semicolon leaves
        the comma to numbers.
    """

    kind = "delimited"

    def __init__(self, name, content):
        self.name = name
        text, self._mark, self._encoding = decode(name, content)
        if self._encoding in CODE_PAGES:
            line, byte = first_undecodable(content)
            warn(
                f"{name}, line {line}: byte {byte:#04x} is not UTF-8; the table is "
                f"read as {CODE_PAGES[self._encoding]}"
            )
        dialect = find_dialect(text)
        self._head, self._text = text[: dialect.start], text[dialect.start :]
        if not self._text.strip():
            raise ValueError(f"{name} is empty")
        self._delimiter, self._quote = dialect.delimiter, dialect.quote
        self.delimiter = self._delimiter.decode()
        self.decimal = "," if self.delimiter == ";" else None
        try:
            self._cells = split(self._text, self._delimiter, self._quote)
        except UnclosedQuote as error:
            line = self._line_number(error.args[0])
            raise ValueError(
                f"{name}, line {line}: EOF inside string; the quote that opens here "
                "never closes"
            ) from error
        if (self._cells.widths == 1).all():
            self._warn_of_other_delimiter()
        header, self._rows, self._shift = self._find_rows()
        self._read(header)

    def filled(self, entries, delimiter=None):
        """Return the file's content with some cells filled.

        Parameters
        ----------
        entries : dict of str to pandas.Series of str
            By column what to write, indexed by the position of the row.

        delimiter : str, default=None
            What separates the cells; as in the file if `None`.

        Returns
        -------
        bytes
            As in the file but for these cells, which are quoted where others of their
            column are.
        """
        edits = []
        short: dict[int, dict[int, bytes]] = {}  # rows that end before the column
        for column, texts in entries.items():
            j = self._places[column]
            quoted, width = self._style(j)
            for row, text in texts.items():
                if j < self._widths[row]:
                    cell = self._first[row] + j
                    edits.append(self._edit(cell, text, quoted, width))
                else:
                    short.setdefault(row, {})[j] = self._write(text, quoted)
        for row, cells in short.items():
            width = self._widths[row]
            added = [cells.get(j, b"") for j in range(width, max(cells) + 1)]
            end = int(self._cells.ends[self._first[row] + width - 1])
            edits.append((end, end, self._delimiter + self._delimiter.join(added)))
        text = self._head + _splice(self._text, edits)
        if delimiter not in (None, self.delimiter):
            text = _rejoin(text, self._delimiter, delimiter.encode(), self._quote)
        if self._encoding != "utf-8":
            text = text.decode().encode(self._encoding)
        return self._mark + text

    def encode(self, text):
        """Return text with the file's byte order mark and encoding."""
        return self._mark + text.encode(self._encoding)

    def _warn_of_other_delimiter(self):
        other = find_other_delimiter(self._text)
        if other:
            remedy = (
                f"write sep={other} above it" if other.strip() else "save it as CSV"
            )
            warn(
                f"{self.name} is read as one column, but its lines look like cells "
                f"separated by {other!r}; {remedy}"
            )

    def _line_number(self, place):
        before = self._head + self._text[:place]
        return before.count(b"\n") + before.replace(b"\r\n", b"").count(b"\r") + 1

    def _line_texts(self, line):
        """Return the texts of a line's cells, without quotes and outer blanks."""
        texts, quote = [], self._quote.decode()
        for cell in range(*self._cells.first[line : line + 2]):
            span = slice(self._cells.starts[cell], self._cells.ends[cell])
            text = self._text[span].decode().strip()
            texts.append(_unquote(text, quote) if text.startswith(quote) else text)
        return texts

    # --- which lines are what --------------------------------------------------------

    def _find_rows(self):
        """Return the header, None if there is none, the lines of the rows, and a shift.

        The shift is 1 if the header does not name the first column, as R writes it.
        """
        cells, widths = self._cells, self._cells.widths
        starts = cells.starts[cells.first[:-1]]
        spans = np.maximum(cells.ends[cells.first[1:] - 1] - starts, 0)
        is_blank = widths == 1
        is_blank[is_blank] = [
            not self._text[i : i + n].strip()
            for i, n in zip(starts[is_blank], spans[is_blank], strict=True)
        ]
        data = np.frombuffer(self._text + b"\n", np.uint8)
        hashed = data[starts] == ord("#")
        top = self._find_header(is_blank, hashed)
        header = [text.strip() for text in self._line_texts(top)]
        lines = np.arange(top + 1, len(widths))
        n = len(header)
        if n > 1:
            lines = lines[~is_blank[lines] & ~(hashed[lines] & (widths[lines] != n))]
        if are_data(header) or self._recurs(header, lines):
            lines = np.append(top, lines)
            warn(
                f"{self.name}: line {self._line_number(starts[top])} contains numbers, "
                "not column names; the columns are named x0, x1, ... from left to "
                "right"
            )
            return None, lines, self._check_widths(top, n, lines)
        return header, lines, self._check_widths(top, n, lines)

    def _recurs(self, header, lines):
        """Whether line 1 has numbers, and a text that its column has again below it."""
        texts = {j: text for j, text in enumerate(header) if text not in MISSING}
        names = {j: text for j, text in texts.items() if not is_number(text)}
        if len(names) == len(texts):
            return False
        rows = [self._line_texts(line) for line in lines[:HEAD_LINES]]
        return any(
            row[j : j + 1] == [name] for row in rows for j, name in names.items()
        )

    def _find_header(self, is_blank, hashed):
        """Return the first line that is neither blank nor a comment.

        A line that begins with # is the header if it names as many columns as the rows
        have, and these begin right after it.
        """
        candidates = np.flatnonzero(~is_blank)
        plain = candidates[~hashed[candidates]]
        if not len(plain):
            return int(candidates[0])
        top = int(plain[0])
        above = candidates[candidates < top]
        widths = self._cells.widths
        if len(above) and 1 < widths[top] == widths[above[-1]]:
            if any(map(is_number, self._line_texts(top))):
                return int(above[-1])
        return top

    def _check_widths(self, top, n, lines):
        """Return the shift; an error if a row has more cells than the header names."""
        widths = self._cells.widths[lines]
        wide = [
            (line, width)
            for line, width in zip(lines[widths > n], widths[widths > n], strict=True)
            if any(text.strip() for text in self._line_texts(line)[n:])
        ]
        if not wide:
            return 0
        if 2 * len(wide) >= len(lines) and (widths == n + 1).all():
            return 1
        line, width = wide[0]
        number = self._line_number(self._cells.starts[self._cells.first[line]])
        at = self._line_number(self._cells.starts[self._cells.first[top]])
        title = ""
        if n == 1 or (widths > n).mean() > 0.5:
            title = "; if the table begins further down, remove what stands above it"
        expected = "1 field" if n == 1 else f"{n} fields"
        raise ValueError(
            f"{self.name}, line {number}: expected {expected}, as line {at} has, saw "
            f"{width}{title}"
        )

    # --- what is read ----------------------------------------------------------------

    def _read(self, header):
        self._first = self._cells.first[self._rows]
        self._widths = self._cells.widths[self._rows]
        if header is None:
            names = [f"x{j}" for j in range(int(self._cells.widths[self._rows[0]]))]
        else:
            names = [""] * self._shift + header
        columns = [self._read_column(j) for j in range(len(names))]
        while len(names) > 1 and not names[-1] and not any(columns[-1][0]):
            names.pop()  # all lines end with a delimiter
            columns.pop()
        has_index = len(names) > 1 and not names[0]
        unique = unique_names(names[has_index:])
        self._places = {name: j + has_index for j, name in enumerate(unique)}
        self.marks = {name: columns[j][1] for name, j in self._places.items()}
        index = pd.RangeIndex(len(self._rows))
        if has_index:
            index = _read_index(columns[0][0])
        self.frame = pd.DataFrame(
            {
                name: pd.Series(columns[j][0], index, object)
                for name, j in self._places.items()
            },
            index=index,
        )

    def _read_column(self, j):
        """Return the texts of a column, None where missing, and its marks, counted."""
        texts: list[str | None] = [None] * len(self._rows)
        marks: dict[str, int] = {}
        has = np.flatnonzero(self._widths > j)
        cells = self._first[has] + j
        edges = zip(
            has.tolist(),
            self._cells.starts[cells].tolist(),
            self._cells.ends[cells].tolist(),
            strict=True,
        )
        quote, body = self._quote.decode(), self._text
        plain = quote.encode() not in body
        for row, start, end in edges:
            text, is_quoted = body[start:end].decode().strip(), False
            if not plain and text.startswith(quote):
                text, is_quoted = _unquote(text, quote), True
            if text and (is_quoted or text not in MISSING):
                texts[row] = text
            elif text:
                marks[text] = marks.get(text, 0) + 1
        return texts, marks

    # --- what is written -------------------------------------------------------------

    def _style(self, j):
        """Return how most cells of a column look that are not empty.

        Returns
        -------
        quoted : bool

        width : int
            That of all these cells if blanks align them, else 1 if they begin with a
            blank, else 0.
        """
        cells = self._first[self._widths > j] + j
        edges = zip(self._cells.starts[cells], self._cells.ends[cells], strict=True)
        texts = [self._text[start:end] for start, end in edges]
        full = [text for text in texts if text.strip(self._quote + b" ")]
        quoted = sum(text.lstrip(b" ").startswith(self._quote) for text in full)
        blank = sum(text.startswith(b" ") for text in full)
        width = len(full[0]) if full else 0
        aligned = {len(text) for text in texts} == {width} and blank
        if 2 * blank <= len(full) and not aligned:
            width = 0
        elif not aligned:
            width = 1
        return 2 * quoted > len(full), width

    def _edit(self, cell, text, quoted, width):
        """Return the bytes to replace, and by what."""
        start, end = int(self._cells.starts[cell]), int(self._cells.ends[cell])
        new = self._write(text, quoted)
        return start, end, b" " + new if width == 1 else new.rjust(width)

    def _write(self, text, quoted):
        new, quote = text.encode(), self._quote
        special = {self._delimiter[0], quote[0], *b"\r\n"}
        odd = text in MISSING or text != text.strip() or special & {*new}
        return quote + new.replace(quote, 2 * quote) + quote if quoted or odd else new


def _unquote(text, quote):
    """Return the text of a cell that begins with a quote, without its quotes."""
    if len(text) > 1 and text.endswith(quote):
        inner = text[1:-1]
        doubled = quote + quote
        if quote not in inner.replace(doubled, ""):
            return inner.replace(doubled, quote)
    head, _, tail = text[1:].replace(quote + quote, "\0").partition(quote)
    return (head + tail).replace("\0", quote)


def _splice(text, edits):
    """Return text in which some bytes are replaced."""
    parts, place = [], 0
    for start, end, new in sorted(edits):
        parts += [text[place:start], new]
        place = end
    return b"".join([*parts, text[place:]])


def _rejoin(text, old, new, quote):
    """Return text with another delimiter; cells that contain it become quoted."""
    cells = split(text, old, quote)
    edits = []
    for line in range(len(cells.first) - 1):
        first, last = int(cells.first[line]), int(cells.first[line + 1])
        for cell in range(first, last):
            start, end = int(cells.starts[cell]), int(cells.ends[cell])
            body = text[start:end]
            if new in body and not body.strip(b" ").startswith(quote):
                edits.append((start, end, quote + body + quote))
            if cell + 1 < last:
                edits.append((end, end + 1, new))
    return _splice(text, edits)


def _read_index(texts):
    """Return an index of whole numbers, if all texts are such, or of text."""
    if all(text is not None and _is_whole(text) for text in texts):
        return pd.Index([int(text) for text in texts])
    return pd.Index(texts, dtype=object)


def _is_whole(text):
    digits = text.removeprefix("-")
    return (
        digits.isascii()
        and digits.isdigit()
        and len(digits) <= 15
        and str(int(digits)) == digits
    )
