"""The dialect of delimited text: what separates and quotes, and if line 1 is data."""

import re
from dataclasses import dataclass

import numpy as np

from skvae._files.cells import UnclosedQuote, split

DELIMITERS = (b",", b";", b"\t", b"|")
OTHERS = " :^~/"  # which numbers, times and names may have, too
HEAD, HEAD_LINES = 1 << 18, 200  # bytes and lines that decide on the dialect
DECLARATION = re.compile(rb'"?sep=(.)"?[ ]*(?:\r\n|\n|\r|$)')  # as Excel reads it
NUMBER = re.compile(r"[-+]?(\d+[.,]?\d*|[.,]\d+)([eE][-+]?\d{1,2})?", re.ASCII)
PLAIN = re.compile(rb"[^,;\t|]*|\s*[-+]?[\d.,]+\s*")


@dataclass
class Dialect:
    """How a text is split into cells.

    Attributes
    ----------
    delimiter, quote : bytes
        One byte each.

    start : int
        Where the table begins: after a first line such as ``sep=;``.
    """

    delimiter: bytes
    quote: bytes
    start: int


def find_dialect(text):
    """Return the dialect of a text.

    The delimiter is the one by which most lines have as many cells as the first.
    """
    head = text[:HEAD]
    if len(text) > HEAD:  # the last line may be incomplete
        head = head[: head.rfind(b"\n") + 1] or head
    quote = _find_quote(head)
    if declared := DECLARATION.match(text):
        return Dialect(declared[1], quote, declared.end())
    head = b"\n".join(_without_comments(head)) or head
    fits = [_fit(head, delimiter, quote) for delimiter in DELIMITERS]
    return Dialect(DELIMITERS[fits.index(max(fits))], quote, 0)


def find_other_delimiter(text):
    r"""Return what separates cells in each line, where that is none of `DELIMITERS`.

    Returns
    -------
    str
        Empty unless all lines, the header included, have as many cells of which most
        are numbers. Several blanks between cells are one blank.

    Examples
    --------
    >>> from skvae._files.dialect import find_other_delimiter
    >>> find_other_delimiter(b"a^b\n1^2\n3^4\n")
    '^'
    >>> find_other_delimiter(b"time\n10:30\n11:00\n")
    ''
    """
    lines = text[:HEAD].decode(errors="replace").split("\n")[:HEAD_LINES]
    lines = [line.strip() for line in lines if line.strip()]
    for delimiter in OTHERS:
        of_blanks = delimiter if delimiter.strip() else None
        rows = [line.split(of_blanks) for line in lines]
        numbers = [is_number(cell) for row in rows[1:] for cell in row]
        is_one = len({*map(len, rows)}) == 1 and len(rows[0]) > 1
        if is_one and 2 * sum(numbers) > len(numbers):
            return delimiter
    return ""


def are_data(header):
    """Whether line 1 is data, because it contains numbers that cannot be column names.

    Column names can be numbers that increase, as years do, or at least eight that
    decrease, as wavenumbers do.

    Examples
    --------
    >>> from skvae._files.dialect import are_data
    >>> are_data(["5.1", "3.5", "1.4", "setosa"])
    True
    >>> are_data(["country", "1999", "2000"]), are_data(["0", "1", "10", "2"])
    (False, False)
    """
    fields = [field for field in header if is_number(field)]
    numbers = [float(field.replace(",", ".")) for field in fields]
    increase = numbers == sorted(set(numbers))
    decrease = len(numbers) >= 8 and numbers[::-1] == sorted(set(numbers))
    increase_as_text = len(set(numbers)) == len(numbers) and fields == sorted(fields)
    return not (increase or decrease or increase_as_text)


def is_number(text):
    """Whether text is a finite number, with a decimal point or comma.

    Others that Python takes can be column names, such as nan, inf and 2019_20.
    """
    return bool(NUMBER.fullmatch(text.strip()))


def _find_quote(head):
    """Return the double quote, unless several cells stand in single quotes instead."""
    edge = rb"(?:^|[,;\t|\r\n]) *"
    single = re.findall(edge + rb"'[^'\r\n]*'(?= *(?:[,;\t|\r\n]|$))", head)
    return b"'" if len(single) > 2 and b'"' not in head else b'"'


def _without_comments(head):
    lines = re.split(rb"\r\n|\n|\r", head)
    return [line for line in lines if line.strip() and not line.startswith(b"#")]


def _fit(head, delimiter, quote):
    """Return how well a delimiter fits, a tuple: the largest is best."""
    try:
        cells = split(head, delimiter, quote)
    except UnclosedQuote:  # an error that comes when the whole text is split
        head = head.replace(quote, b"")
        cells = split(head, delimiter, quote)
    widths = cells.widths[:HEAD_LINES]
    if not len(widths):  # an error, too
        return False, 0.0, 0
    in_cells = slice(0, int(cells.first[: HEAD_LINES + 1][-1]))
    edges = zip(cells.starts[in_cells], cells.ends[in_cells], strict=True)
    texts = [head[start:end] for start, end in edges]
    plain = np.mean(
        [
            text.lstrip().startswith(quote) or bool(PLAIN.fullmatch(text))
            for text in texts
        ]
    )
    width = int(widths[0])
    agree = np.mean(np.abs(widths - width) <= (width > 2)) >= 0.5
    return bool(width > 1 and agree), round(float(plain), 1), width
