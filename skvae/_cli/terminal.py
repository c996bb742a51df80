"""What the command shows in a terminal: progress, one-line warnings, text tables.

Whatever is printed goes through `print_output` or `print_error`, which let nothing pass
that a terminal would obey, or that its encoding lacks. Names and values of a table are
shortened where they are put into a text, by `format_name` and `quote`.
"""

import contextlib
import difflib
import importlib.util
import os
import shutil
import sys
import threading
import time
import warnings

from skvae._printable import printable, width, wrap

CLEAR_LINE = "\r\033[K"
MOST_PLACES = 1_000  # of a line that is printed
LEAST_WIDTH = 8  # of a column that is wrapped, or of a line
PATH_WIDTH = 300
LEAST_LIKENESS = 0.6  # of a mistyped word to the one that may have been meant
MOST_COMPARED = 5_000  # words, so that a mistake is told at once
MOST_MEANT = 3  # words that begin with the given one


class CommandError(Exception):
    """A mistake of the user: it is shown as one line, and the exit status is 2."""


def is_installed(module):
    """Whether a module can be imported; it is not imported for that."""
    return importlib.util.find_spec(module) is not None


def require_package(module, extra, purpose):
    """Raise an error that says how to install a module, unless it is installed.

    Parameters
    ----------
    module : str
        Name of the module.

    extra : str
        The extra of skvae that installs it.

    purpose : str
        What needs the module, for the message.
    """
    if not is_installed(module):
        raise CommandError(f'{purpose} needs {module}: pip install "skvae[{extra}]"')


class Progress:
    """A line on stderr that names the current task and counts its seconds.

    On a terminal the line is rewritten in place and is cleared at the end. Elsewhere,
    as in a log, every task is a line of its own.
    """

    def __init__(self):
        self._task = None
        self._tick = threading.Event()
        self._lock = threading.Lock()
        self._rewrites = sys.stderr is not None and sys.stderr.isatty()

    def __enter__(self):
        if self._rewrites:
            threading.Thread(target=self._keep_counting, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.clear()
        self._tick.set()

    def __call__(self, task, log=True):
        """Show the task that starts now; with ``log=False`` only on a terminal."""
        if not self._rewrites:
            if log:
                print_error(f"skvae: {task} ...")
            return
        self.clear()
        with self._lock:
            self._task, self._started = task, time.monotonic()
        self._draw()

    def clear(self):
        """Clear the line, so that something else can be written."""
        with self._lock:
            if self._task is not None:
                self._task = None
                _write_error(CLEAR_LINE)

    def print(self, text=""):
        """Print on stdout, after clearing the line."""
        self.clear()
        print_output(text)

    def _keep_counting(self):
        while not self._tick.wait(0.5):
            self._draw()

    def _draw(self):
        with self._lock:
            if self._task is not None:
                seconds = f" ... {time.monotonic() - self._started:.0f} s"
                places = shutil.get_terminal_size().columns - 1 - len(seconds)
                task = printable(f"skvae: {self._task}", max(places, 0))
                _write_error(f"{CLEAR_LINE}{task}{seconds}")


def print_output(text=""):
    """Print lines on stdout.

    If its reader has left, as ``| head`` does, or it was closed from the start, nothing
    happens; any other failure is an error.
    """
    places = _output_places()
    safe = (printable(line, MOST_PLACES) for line in text.split("\n"))
    lines = [part for line in safe for part in wrap(line, places)]
    try:
        _write(sys.stdout, "\n".join(lines) + "\n")
    except BrokenPipeError:
        pass
    except OSError as error:
        raise CommandError(f"standard output: {error.strerror}") from error


def print_error(text):
    """Print one line on stderr."""
    _write_error(f"{printable(text, MOST_PLACES)}\n")


def _write_error(text):
    with contextlib.suppress(OSError):  # which there is no other place to tell
        _write(sys.stderr, text)


def _write(stream, text):
    """Write text to a stream of the process, as far as its encoding goes."""
    if stream is None:  # as Python has it where a process starts without
        return
    try:
        stream.write(_as_encoded(text, stream))
        stream.flush()
    except OSError:
        # Python flushes its streams once more at exit, which must not fail then.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise


def _as_encoded(text, stream):
    """Return text in which what a stream's encoding lacks is escaped."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextlib.contextmanager
def one_line_warnings(progress):
    """Show each warning as one line, without the source code that raised it."""

    def show(message, category, *_):
        progress.clear()
        print_error(f"skvae: {category.__name__}: {' '.join(str(message).split())}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def format_table(rows, align):
    """Return rows of cells as text, in aligned columns.

    Parameters
    ----------
    rows : list of list of str
        The cells of each row.

    align : str
        For each column ``<`` if it is aligned to the left, ``>`` if to the right.

    Returns
    -------
    str
        Where a terminal is narrower, the widest column of those to the left is wrapped.

    Examples
    --------
    >>> from skvae._cli.terminal import format_table
    >>> print(format_table([["", "R2"], ["PCA", "0.280"]], "<>"))
            R2
    PCA  0.280
    """
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    texts = [j for j, side in enumerate(align) if side == "<"]
    widest = max(texts, key=widths.__getitem__)
    excess = sum(widths) + 2 * (len(widths) - 1) - _output_places()
    if excess > 0:
        widths[widest] = max(widths[widest] - excess, LEAST_WIDTH)
    lines = []
    for row in rows:
        first, *others = wrap(row[widest], widths[widest])
        lines.append([*row[:widest], first, *row[widest + 1 :]])
        lines += [
            ["" if j != widest else part for j in range(len(row))] for part in others
        ]
    return "\n".join("  ".join(map(_pad, row, align, widths)).rstrip() for row in lines)


def _output_places():
    """Return how many places a line has on stdout, very many if it is no terminal."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    if is_terminal or os.environ.get("COLUMNS"):
        return max(shutil.get_terminal_size().columns, LEAST_WIDTH)
    return MOST_PLACES


def _pad(cell, side, places):
    space = " " * (places - width(cell))
    return cell + space if side == "<" else space + cell


def format_number(value, digits=3):
    """Return a number as text for a table, or ``-`` if it is None or NaN.

    Examples
    --------
    >>> from skvae._cli.terminal import format_number
    >>> format_number(0.28), format_number(-1234.5, 1), format_number(None)
    ('0.280', '-1,234.5', '-')
    """
    if value is None or value != value:
        return "-"
    if abs(value) >= 1e6:
        return f"{value:.3g}"
    return f"{value:,.{digits}f}"


def format_name(name):
    """Return a name or a value as text that is safe to show, and not too long.

    It takes as many places as it will on stdout, so that tables stay aligned.
    """
    return printable(_as_encoded(str(name), sys.stdout))


def format_path(path):
    """Return a path as text that is safe to show, whole unless it is very long."""
    return printable(path, PATH_WIDTH)


def format_names(names, most=8):
    """Return the first few names as text, and how many more there are.

    Examples
    --------
    >>> from skvae._cli.terminal import format_names
    >>> format_names("abcd", most=2)
    'a, b and 2 more'
    """
    names = [*names]
    rest = len(names) - most
    shown = ", ".join(map(format_name, names[:most]))
    return shown + (f" and {rest:,} more" if rest > 0 else "")


def format_count(n, noun):
    """Return a number of things as text, such as 1 row or 1,000 rows."""
    return f"{n:,} {noun if n == 1 else f'{noun}s'}"


def suggest(word, known, key=lambda text: text):
    """Return what to add to an error about a word that is not among the known ones.

    Parameters
    ----------
    word : str
        A word that may be mistyped.

    known : sequence of str
        The words that could have been meant.

    key : callable
        What of a word is compared.

    Returns
    -------
    str
        A question that begins with a semicolon; empty if none of them is alike.

    Examples
    --------
    >>> from skvae._cli.terminal import suggest
    >>> suggest("--n_component", ["--noise", "--n-components"])
    '; did you mean --n-components?'
    >>> suggest("--colour", ["--noise", "--n-components"])
    ''
    """
    plain, known = _plain(key(word)), list(known[:MOST_COMPARED])
    if not plain:
        return ""
    keys = [_plain(key(one)) for one in known]
    meant = [one for one, its in zip(known, keys, strict=True) if its.startswith(plain)]
    if not 0 < len(meant) <= MOST_MEANT:
        alike = difflib.get_close_matches(plain, keys, 1, LEAST_LIKENESS)
        meant = [known[keys.index(one)] for one in alike]
    return f"; did you mean {' or '.join(map(format_name, meant))}?" if meant else ""


def _plain(word):
    return word.lstrip("-").replace("_", "-").casefold()
