"""The start of the command: mistakes are told before anything slow is imported.

The options and the paths of files need no library, the table needs pandas, and the work
needs torch, which takes seconds: each is imported when it is its turn.
"""

import contextlib
import os
import signal
import stat
import sys
import threading
import traceback
from pathlib import Path

from skvae._cli.arguments import DIGITS_PICTURE, OUTPUT_SUFFIXES, parse_arguments
from skvae._cli.outputs import (
    OutputFile,
    check_apart,
    free_name,
    remove_leftovers,
    require_writer,
)
from skvae._cli.terminal import (
    CommandError,
    Progress,
    format_names,
    format_path,
    is_installed,
    one_line_warnings,
    print_error,
    suggest,
)
from skvae._printable import quote

# Those that end a process; Windows has no SIGHUP.
SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)
]


class Stopped(BaseException):
    """A signal wants the process to end; no code that handles errors catches this."""


def main(argv=None):
    """Run the command.

    Parameters
    ----------
    argv : list of str, default=None
        The arguments; those of the process if `None`.

    Returns
    -------
    int
        The exit status: 0, or 2 after a mistake of the user, or 128 and the signal's
        number if one ended the work, which is 130 after Ctrl-C, or 1 after a fault of
        the command.
    """
    _fill_standard_streams()
    try:
        with _signals_raise():
            _run(parse_arguments(argv))
    except CommandError as error:
        print_error(f"skvae: {error}")
        return 2
    except (Stopped, KeyboardInterrupt) as stop:
        print_error("skvae: interrupted")
        return 128 + (stop.args[0] if stop.args else signal.SIGINT)
    except OSError as error:  # such as a table that is gone meanwhile
        print_error(f"skvae: {error}")
        return 2
    except Exception:
        for line in traceback.format_exc().splitlines():
            print_error(line)
        return 1
    return 0


def _run(args):
    if args.table is not None:
        _check_path(args.table)
    outputs = _check_outputs(args)
    with Progress() as progress, one_line_warnings(progress):
        if args.table is None:
            _compare_on_digits(args, outputs["plot"], progress)
        else:
            _report_on_table(args, outputs, progress)


def _compare_on_digits(args, picture, progress):
    from skvae._cli.main import compare_on_digits

    compare_on_digits(args, picture, progress)


def _report_on_table(args, outputs, progress):
    from skvae._cli.reading import read_table

    name = "standard input" if args.table == "-" else format_path(args.table)
    progress(f"reading {name}", log=False)  # in a log, a mistake in it stays one line
    file = read_table(args.table)
    _check_label(name, file.frame.columns, args.label_column)

    progress("importing torch", log=False)
    from skvae._cli.main import report_on_table

    report_on_table(args, name, file, outputs, progress)


def _check_path(path):
    """Raise an error if there is no such table, without reading it."""
    if path == "-":
        if sys.stdin is None:
            raise CommandError("standard input is closed")
        return
    try:
        mode = os.stat(path).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # it may open only once
            raise CommandError(
                f"{path} is not a regular file; with - as TABLE standard input is read"
            )
        with open(path, "rb"):
            pass
    except FileNotFoundError as error:
        raise CommandError(f"{path}: {error.strerror}{_suggest_path(path)}") from error
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error


def _suggest_path(path):
    """Return what to add to an error about a path where there is nothing."""
    path = Path(path)
    missing = next((p for p in reversed(path.parents) if not p.exists()), path)
    with contextlib.suppress(OSError):
        names = sorted(set(os.listdir(missing.parent)) - {missing.name})
        beside = [str(missing.parent / name) for name in names if name[0] != "."]
        return suggest(str(missing), beside, key=lambda one: Path(one).stem)
    return ""


def _check_outputs(args):
    """Return the files to write by their options, None where there is no file."""
    paths = {option: getattr(args, option) for option in OUTPUT_SUFFIXES}
    if args.table is None and args.plot is None and is_installed("matplotlib"):
        paths["plot"] = free_name(DIGITS_PICTURE, args.force)
    for path in {args.table, *paths.values()} - {None, "-"}:
        remove_leftovers(os.path.dirname(os.path.realpath(path)))
    outputs = {
        option: None
        if path is None
        else OutputFile(path, f"--{option}", OUTPUT_SUFFIXES[option], args.force)
        for option, path in paths.items()
    }
    asked_for = [output for output in outputs.values() if output]
    check_apart(asked_for, "/dev/stdin" if args.table == "-" else args.table)
    for output in asked_for:
        require_writer(output)
    return outputs


def _check_label(name, columns, label_column):
    if label_column is not None and label_column not in columns:
        meant = suggest(label_column, columns)
        raise CommandError(
            f"{name} has no column {quote(label_column)}"
            f"{meant or f'; its columns are {format_names(columns)}'}"
        )


@contextlib.contextmanager
def _signals_raise():
    """Let the signals that end a process raise `Stopped`, so that nothing is left."""

    def stop(number, _):
        raise Stopped(number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _fill_standard_streams():
    """Open the standard streams that the process was started without.

    The next file to be opened would be taken for one of them.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
