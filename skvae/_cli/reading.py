"""Reads the table that the command is given: a file, or standard input."""

import sys

from skvae._cli.terminal import CommandError
from skvae._files.open import open_table, parse_table


def read_table(source):
    """Read a table of named columns.

    Parameters
    ----------
    source : str
        Path of a file; ``-`` for standard input.

    Returns
    -------
    DelimitedFile, ArrowFile or ExcelFile
        Its `frame` is the table as it stands there: text is not yet read as anything.

    Raises
    ------
    CommandError
        If the table cannot be read. It names the file and, if there is one, the line.
    """
    try:
        if source == "-":
            content = sys.stdin.buffer.read()
            return parse_table("standard input", content, suffix=None)
        return open_table(source)
    except OSError as error:
        raise CommandError(f"{source}: {error.strerror or error}") from error
    except (ValueError, ImportError) as error:
        raise CommandError(str(error)) from error
