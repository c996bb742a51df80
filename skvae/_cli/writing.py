"""Tables, models and pictures into files, each written whole or not at all."""

import os
import pickle
from pathlib import Path

import pandas as pd

from skvae._cli.terminal import CommandError, require

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
MODEL_SUFFIXES = (".skops", ".joblib", ".pkl")
PICTURE_SUFFIXES = (".png", ".pdf", ".svg", ".jpg")


class OutputFile:
    """A file to write at the end of the work, checked before it starts.

    Parameters
    ----------
    path : str
        Where to write.
    option : str
        The command-line option that asked for it, for messages.
    suffixes : tuple of str
        The extensions it may have.
    force : bool
        Whether a file that is there may be replaced.
    table : str, default=None
        The table that is read, which is never replaced.
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
                f"one of {' '.join(suffixes)}"
            )
        if table not in (None, "-") and self.path == Path(os.path.realpath(table)):
            raise CommandError(f"{option} {path}: is the table itself")
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
            raise CommandError(f"{self.option} {self.name}: not a regular file")
        if self.path.exists() and not self.force:
            raise CommandError(
                f"{self.name} exists; --force replaces it, "
                f"another name after {self.option} keeps it"
            )

    def write(self, write):
        """Call ``write`` on a binary file, which takes its name once it is whole."""
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
    """Return `path`, or where that exists and may not be replaced a numbered name."""
    path, number = Path(path), 1
    candidate = path
    while candidate.exists() and not force:
        number += 1
        candidate = path.with_stem(f"{path.stem}-{number}")
    return str(candidate)


def require_writer(output):
    """Raise before the work starts if the package that writes ``output`` is missing."""
    purpose = f"{output.option} {output.name}"
    if output.suffix == ".skops":
        require("skops", "skops", purpose)
    elif output.suffix == ".parquet":
        require("pyarrow", "parquet", purpose)
    elif output.suffix in PICTURE_SUFFIXES:
        require("matplotlib", "plot", purpose)


def write_table(output, table):
    """Write a data frame by the output's extension, with its index if it has one."""
    index = table.index
    counts = isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1
    if output.suffix == ".parquet":
        output.write(lambda file: table.to_parquet(file, engine="pyarrow"))
    else:
        sep = "\t" if output.suffix == ".tsv" else ","
        output.write(lambda file: table.to_csv(file, sep=sep, index=not counts))


def write_model(output, estimator):
    """Write an estimator by the output's extension; return the call that loads it."""
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
    """Write a matplotlib figure by the output's extension."""
    kind = output.suffix[1:]
    output.write(lambda file: figure.savefig(file, format=kind, dpi=200))
