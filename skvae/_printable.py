"""Text of any origin, made safe to show: nothing invisible, and not too long.

A column's name can hold what a terminal obeys instead of showing (escape sequences,
text that runs backwards), what no encoding takes (half a surrogate pair), or a whole
book.
"""

import unicodedata

NAME_WIDTH = 40  # in a list or a table
QUOTE_WIDTH = 80  # in an error, whose reader looks for the column or the value
GAP = "..."


def printable(text, most=NAME_WIDTH):
    r"""Return text in which only what can be seen is left.

    Parameters
    ----------
    text : str
        Any text.

    most : int, default=40
        The most places that it may take. Of a longer one the middle is left out.

    Returns
    -------
    str
        Every other character is escaped, as in a string's `repr`.

    Examples
    --------
    >>> from skvae._printable import printable
    >>> printable("red\x1b[2Jder"), printable("a" * 99, 12)
    ('red\\x1b[2Jder', 'aaaaaa...aaa')
    """
    if len(text) > 2 * most:  # escapes only lengthen
        text = text[:most] + text[-most:]
    if not text.isprintable():
        text = "".join(map(_escape, text))
    if sum(map(_places, text)) <= most:
        return text
    tail = (most - len(GAP)) // 3
    head = _start(text, most - len(GAP) - tail)
    return f"{head}{GAP}{_start(text[::-1], tail)[::-1]}"


def quote(value, most=QUOTE_WIDTH):
    """Return the `repr` of a value or a name, made safe to show.

    Examples
    --------
    >>> from skvae._printable import quote
    >>> quote("1e3"), quote(2.5), quote("a" * 99, 12)
    ("'1e3'", '2.5', "'aaaaa...aa'")
    """
    if isinstance(value, str):
        if len(value) > 2 * most:  # so that repr need not read a whole book
            value = value[:most] + value[-most:]
        return printable(repr(value), most)
    try:
        return printable(" ".join(repr(value).split()), most)
    except ValueError:  # an integer with more digits than Python is willing to write
        return f"<{type(value).__name__} too long to show>"


def width(text):
    r"""Return how many places text takes in a terminal.

    Examples
    --------
    >>> from skvae._printable import width
    >>> width("abc"), width("\u6c34"), width("e\u0301")
    (3, 2, 1)
    """
    if text.isascii():
        return len(text)
    return sum(_places(c) for c in text if not unicodedata.combining(c))


def wrap(text, most):
    """Return text as lines that take so many places at most, broken at blanks.

    A word that is longer than a line is broken, too. Lines begin as far in as text.

    Examples
    --------
    >>> from skvae._printable import wrap
    >>> wrap("2 columns: length, width", 12)
    ['2 columns:', 'length,', 'width']
    """
    if width(text) <= most:
        return [text]
    indent = text[: len(text) - len(text.lstrip(" "))]
    most = max(most - len(indent), 2)
    lines = [""]
    for word in text.split():
        if lines[-1] and width(f"{lines[-1]} {word}") <= most:
            lines[-1] += f" {word}"
            continue
        lines.append(word)
        while width(lines[-1]) > most:
            start = _start(lines[-1], most)
            lines[-1:] = [start, lines[-1][len(start) :]]
    return [indent + line for line in lines[1:]]


def _escape(character):
    return character if character.isprintable() else repr(character)[1:-1]


def _places(character):
    """Return how many places a character takes; an accent counts as one of its own."""
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _start(text, most):
    """Return the longest start of text that takes so many places at most."""
    places = 0
    for i, character in enumerate(text):
        places += _places(character)
        if places > most:
            return text[:i]
    return text
