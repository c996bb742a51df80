"""What the command shows in a terminal: progress, one-line warnings, text tables."""

import contextlib
import importlib.util
import os
import shutil
import sys
import threading
import time
import warnings


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
        self._rewrites = sys.stderr.isatty()

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
                print_error("\r\033[K", end="")

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
                seconds = time.monotonic() - self._started
                line = f"skvae: {self._task} ... {seconds:.0f} s"
                width = shutil.get_terminal_size().columns
                print_error(f"\r\033[K{line[: width - 1]}", end="")


def print_output(text=""):
    """Print on stdout; if its reader has left, as ``| head`` does, nothing happens."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python flushes stdout once more at exit, which must not fail then.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_error(text, end="\n"):
    """Print on stderr; if its reader has left, nothing happens."""
    with contextlib.suppress(BrokenPipeError):
        print(text, end=end, file=sys.stderr, flush=True)


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

    Examples
    --------
    >>> from skvae._cli.terminal import format_table
    >>> print(format_table([["", "R2"], ["PCA", "0.280"]], "<>"))
            R2
    PCA  0.280
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            f"{cell:{side}{width}}"
            for cell, side, width in zip(row, align, widths, strict=True)
        ).rstrip()
        for row in rows
    )


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


def format_names(names, most=8):
    """Return the first few names as text, and how many more there are.

    Examples
    --------
    >>> from skvae._cli.terminal import format_names
    >>> format_names("abcd", most=2)
    'a, b and 2 more'
    """
    names = [str(name) for name in names]
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def format_count(n, noun):
    """Return a number of things as text, such as 1 row or 1,000 rows."""
    return f"{n:,} {noun if n == 1 else f'{noun}s'}"
