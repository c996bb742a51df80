"""The cells of delimited text, as RFC 4180 has them, each with the bytes it spans."""

import re
from dataclasses import dataclass

import numpy as np

NEWLINE, RETURN, SPACE = b"\n\r "


@dataclass
class Cells:
    """Where the cells of a text begin and end.

    Attributes
    ----------
    starts, ends : ndarray of shape (n_cells,)
        Of each cell the first byte, and the byte after the last: quotes and blanks are
        within, the delimiter and the end of the line are not.

    first : ndarray of shape (n_lines + 1,)
        Of each line the index of its first cell, and in the end `n_cells`. A line break
        within quotes ends no line.
    """

    starts: np.ndarray
    ends: np.ndarray
    first: np.ndarray

    @property
    def widths(self):
        """Number of cells of each line."""
        return np.diff(self.first)


def split(text, delimiter, quote=b'"'):
    r"""Find the cells of a text.

    Parameters
    ----------
    text : bytes
        In UTF-8, or in any encoding in which delimiters and quotes are single bytes.

    delimiter, quote : bytes
        One byte each. A quote within quotes is doubled; a quote elsewhere than at the
        beginning of a cell means nothing, as Python's `csv` has it.

    Returns
    -------
    Cells

    Raises
    ------
    UnclosedQuote
        If a quote opens at the beginning of a cell and never closes.

    Examples
    --------
    >>> from skvae._files.cells import split
    >>> text = b'a,b\n1,"x\n,y"\n'
    >>> cells = split(text, b",")
    >>> [text[i:j] for i, j in zip(cells.starts, cells.ends)]
    [b'a', b'b', b'1', b'"x\n,y"']
    >>> cells.first.tolist()
    [0, 2, 4]
    """
    data = np.frombuffer(text, np.uint8)
    is_quote = data == quote[0]
    is_delimiter, breaks = data == delimiter[0], data == RETURN
    breaks[1:] |= (data[1:] == NEWLINE) & ~breaks[:-1]
    breaks[:1] |= data[:1] == NEWLINE
    separates = is_delimiter | breaks
    if is_quote.any():
        inside = np.logical_xor.accumulate(is_quote)
        separates &= ~inside
        if not _all_quote_whole_cells(data, is_quote, inside, separates):
            return _split_one_by_one(text, delimiter, quote)
    ends = np.flatnonzero(separates)
    is_break = breaks[ends]
    after = ends + 1
    of_two = is_break & (data[ends] == RETURN)
    of_two[of_two] = data[np.minimum(after[of_two], len(data) - 1)] == NEWLINE
    return _to_cells(ends, after + of_two, is_break, len(text))


class UnclosedQuote(ValueError):
    """A quote opens and never closes; the argument is where, in bytes."""


def _to_cells(ends, after, is_break, length):
    """Return cells, given the separators: where they begin and end, and their kind."""
    starts = np.concatenate([[0], after]).astype(np.int64)
    ends = np.concatenate([ends, [length]]).astype(np.int64)
    first = np.concatenate([[0], np.flatnonzero(is_break) + 1, [len(starts)]])
    if first[-2] == len(starts) - 1 and starts[-1] == length:  # after the last line
        starts, ends, first = starts[:-1], ends[:-1], first[:-1]
    return Cells(starts, ends, first)


def _all_quote_whole_cells(data, is_quote, inside, separates):
    """Whether quotes stand at the edges of cells alone, and doubled within.

    Only then does every second quote close what the one before it has opened.
    """
    if inside[-1]:
        return False
    opens, closes = (
        np.flatnonzero(is_quote & inside),
        np.flatnonzero(is_quote & ~inside),
    )
    doubled = opens[1:] == closes[:-1] + 1
    before, after = (
        opens[np.append(True, ~doubled)] - 1,
        closes[np.append(~doubled, True)] + 1,
    )
    return _reach_an_edge(before, -1, data, separates) and _reach_an_edge(
        after, 1, data, separates
    )


def _reach_an_edge(places, step, data, separates):
    """Whether there are only spaces from each place to the edge of a cell."""
    while True:
        places = places[(places >= 0) & (places < len(data))]
        is_end = separates[places]
        if step < 0:  # the second byte of a line's end
            is_end = is_end | (data[places] == NEWLINE)
        places = places[~is_end]
        if not len(places):
            return True
        if (data[places] != SPACE).any():
            return False
        places = places + step


def _split_one_by_one(text, delimiter, quote):
    """Do the same for text whose quotes are not where they should be."""
    d, q = re.escape(delimiter), re.escape(quote)
    quoted = re.compile(rb" *%b[^%b]*(?:%b%b[^%b]*)*%b(?!%b)" % (q, q, q, q, q, q, q))
    plain, blank = re.compile(rb"[^%b\r\n]*" % d), re.compile(b" *")
    ends, after, is_break = [], [], []
    place, length = 0, len(text)
    while True:
        match = quoted.match(text, place) or blank.match(text, place)
        start = match.end() if match else place
        if text[start : start + 1] == quote and (not match or quote not in match[0]):
            raise UnclosedQuote(start)
        rest = plain.match(text, start)
        end = rest.end() if rest else start
        if end == length:
            break
        place = end + 2 if text[end : end + 2] == b"\r\n" else end + 1
        ends.append(end)
        after.append(place)
        is_break.append(text[end : end + 1] != delimiter)
    return _to_cells(
        np.array(ends, np.int64),
        np.array(after, np.int64),
        np.array(is_break, bool),
        length,
    )
