"""Writes tables, models and pictures to files, each whole or not at all."""

import os
import pickle
from pathlib import Path

import pandas as pd

from skvae._cli.terminal import CommandError, require_package

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
MODEL_SUFFIXES = (".skops", ".joblib", ".pkl")
PICTURE_SUFFIXES = (".png", ".pdf", ".svg", ".jpg")


class OutputFile:
    """A file to write at the end of the work; the path is checked at the start.

    Parameters
    ----------
    path : str
        Path of the file.

    option : str
        The command-line option that asked for it, for messages.

    suffixes : tuple of str
        The extensions that it may have.

    force : bool
        Whether an existing file may be replaced.

    table : str, default=None
        Path of the table that is read, which is never replaced.
    """

    def __init__(self, path, option, suffixes, force, table=None):
        self.name = path
        self.path = Path(os.path.realpath(path))
        self.suffix = Path(path).suffix.lower()
        self.option = option
        self.force = force
        if self.suffix not in suffixes:
            raise CommandError(
                f"{option} {path}: unknown extension {self.suffix!r}; "
                f"use one of {' '.join(suffixes)}"
            )
        if table not in (None, "-") and self.path == Path(os.path.realpath(table)):
            raise CommandError(f"{option} {path} would replace the table")
        self.unfinished = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._refuse_to_replace()
        try:
            with open(self.unfinished, "xb"):
                pass
            self.unfinished.unlink()
        except OSError as error:
            raise CommandError(
                f"{option} {path}: the folder {self.path.parent} cannot be written to: "
                f"{error.strerror}"
            ) from error

    def _refuse_to_replace(self):
        if self.path.exists() and not self.path.is_file():
            raise CommandError(f"{self.option} {self.name} is not a regular file")
        if self.path.exists() and not self.force:
            raise CommandError(
                f"{self.name} exists; --force replaces it, "
                f"another name for {self.option} keeps it"
            )

    def write(self, write):
        """Write the file; it gets its name, or replaces another, only once it is whole.

        Parameters
        ----------
        write : callable
            Called with an open binary file to write to.
        """
        self._refuse_to_replace()
        try:
            with open(self.unfinished, "xb") as file:
                write(file)
            os.replace(self.unfinished, self.path)
        except OSError as error:
            reason = error.strerror or error
            raise CommandError(f"{self.option} {self.name}: {reason}") from error
        finally:
            self.unfinished.unlink(missing_ok=True)


def free_name(path, force=False):
    """Return `path`, or a numbered name if it exists and may not be replaced."""
    path, number = Path(path), 1
    candidate = path
    while candidate.exists() and not force:
        number += 1
        candidate = path.with_stem(f"{path.stem}-{number}")
    return str(candidate)


def require_writer(output):
    """Raise an error if the package that writes this kind of file is not installed."""
    purpose = f"{output.option} {output.name}"
    if output.suffix == ".skops":
        require_package("skops", "skops", purpose)
    elif output.suffix == ".parquet":
        require_package("pyarrow", "parquet", purpose)
    elif output.suffix in PICTURE_SUFFIXES:
        require_package("matplotlib", "plot", purpose)


def write_table(output, table):
    """Write a data frame in the format of the file's extension.

    Its index is written unless it only counts the rows.
    """
    index = table.index
    is_range = isinstance(index, pd.RangeIndex)
    counts_rows = is_range and index.start == 0 and index.step == 1
    if output.suffix == ".parquet":
        output.write(lambda file: table.to_parquet(file, engine="pyarrow"))
    else:
        sep = "\t" if output.suffix == ".tsv" else ","
        output.write(lambda file: table.to_csv(file, sep=sep, index=not counts_rows))


def write_model(output, estimator):
    """Write an estimator in the format of the file's extension.

    Returns
    -------
    str
        The Python call that loads it.
    """
    if output.suffix == ".skops":
        import skops.io

        content = skops.io.dumps(estimator)
        output.write(lambda file: file.write(content))
        trusted = skops.io.get_untrusted_types(data=content)
        return f"skops.io.load({output.name!r}, trusted={trusted})"
    if output.suffix == ".joblib":
        import joblib

        output.write(lambda file: joblib.dump(estimator, file))
        return f"joblib.load({output.name!r})"
    output.write(lambda file: pickle.dump(estimator, file))
    return f"pickle.load(open({output.name!r}, 'rb'))"


def write_picture(output, figure):
    """Write a matplotlib figure in the format of the file's extension."""
    kind = output.suffix[1:]
    output.write(lambda file: figure.savefig(file, format=kind, dpi=200))
