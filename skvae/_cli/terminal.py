"""What the main job says: progress, warnings in one line, errors, text tables."""

import contextlib
import importlib.util
import os
import shutil
import sys
import threading
import time
import warnings


class CommandError(Exception):
    """A mistake of the user's: shown as one line, exit status 2."""


def is_installed(module):
    """Whether ``module`` can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def require(module, extra, purpose):
    """Raise the command that installs ``module`` unless it can be imported."""
    if not is_installed(module):
        raise CommandError(f'{purpose} needs {module}: pip install "skvae[{extra}]"')


class Progress:
    """One line on stderr that says what is being done, and for how many seconds.

    On a terminal the line is rewritten in place and gone at the end; in a log each task
    is a line of its own.
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
        """Name the task that starts now; ``log=False`` names it on a terminal only."""
        if not self._rewrites:
            if log:
                say_aside(f"skvae: {task} ...")
            return
        self.clear()
        with self._lock:
            self._task, self._started = task, time.monotonic()
        self._draw()

    def clear(self):
        """Take the line off the terminal, before something else is written."""
        with self._lock:
            if self._task is not None:
                self._task = None
                say_aside("\r\033[K", end="")

    def say(self, text=""):
        """Print on stdout, the progress line out of the way."""
        self.clear()
        say(text)

    def _keep_counting(self):
        while not self._tick.wait(0.5):
            self._draw()

    def _draw(self):
        with self._lock:
            if self._task is not None:
                seconds = time.monotonic() - self._started
                line = f"skvae: {self._task} ... {seconds:.0f} s"
                width = shutil.get_terminal_size().columns
                say_aside(f"\r\033[K{line[: width - 1]}", end="")


def say(text=""):
    """Print on stdout; a reader who has gone (``| head``) does not stop the work."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python flushes stdout once more at exit: give it somewhere to go.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_aside(text, end="\n"):
    """Print on stderr."""
    with contextlib.suppress(BrokenPipeError):
        print(text, end=end, file=sys.stderr, flush=True)


@contextlib.contextmanager
def one_line_warnings(progress):
    """Show a warning as one line, once, without the source line it came from."""

    def show(message, category, *_):
        progress.clear()
        say_aside(f"skvae: {category.__name__}: {' '.join(str(message).split())}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def format_table(rows, align):
    """Lay rows of text out in columns; ``align`` has one of ``<>`` per column.

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


def number(value, digits=3):
    """Write a number for a table; ``-`` where there is none.

    Examples
    --------
    >>> from skvae._cli.terminal import number
    >>> number(0.28), number(-1234.5, 1), number(None)
    ('0.280', '-1,234.5', '-')
    """
    if value is None or value != value:
        return "-"
    if abs(value) >= 1e6:
        return f"{value:.3g}"
    return f"{value:,.{digits}f}"


def listed(names, most=8):
    """Name the first few."""
    names = [str(name) for name in names]
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def count(n, what):
    many = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{n:,} {what if n == 1 else many}"
