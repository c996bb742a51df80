"""Writes tables, models and pictures to files, each whole or not at all."""

import os
import pickle
from pathlib import Path

import pandas as pd

from skvae._cli.terminal import CommandError, require_package
from skvae._files.content import compress, require_zstd
from skvae._files.open import EXTRAS, suffix_of

TABLE_KINDS = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".txt": "delimited",
    ".parquet": "parquet",
    ".feather": "feather",
    ".xlsx": "excel",
}
TABLE_SUFFIXES = tuple(TABLE_KINDS)
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
        self.suffix, self.compression = suffix_of(path)
        self.option = option
        self.force = force
        is_text = TABLE_KINDS.get(self.suffix) == "delimited"
        if self.suffix not in suffixes or (self.compression and not is_text):
            unknown = self.suffix + self.compression
            raise CommandError(
                f"{option} {path}: unknown extension {unknown!r}; "
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
    elif TABLE_KINDS.get(output.suffix) in EXTRAS:
        module, extra, _ = EXTRAS[TABLE_KINDS[output.suffix]]
        require_package(module, extra, purpose)
    elif output.compression == ".zst":
        try:
            require_zstd(output.name)
        except ImportError as error:
            raise CommandError(f"{output.option} {error}") from error
    elif output.suffix in PICTURE_SUFFIXES:
        require_package("matplotlib", "plot", purpose)


def write_table(output, table, like=None):
    """Write a data frame in the format of the file's extension.

    Its index is written unless it only counts the rows.

    Parameters
    ----------
    output : OutputFile
        The file to write.

    table : pandas.DataFrame
        The table.

    like : DelimitedFile, default=None
        Text whose delimiter and encoding a file of the same kind has.
    """
    index = table.index
    is_range = isinstance(index, pd.RangeIndex)
    counts_rows = is_range and index.start == 0 and index.step == 1
    kind = TABLE_KINDS[output.suffix]
    if kind == "parquet":
        output.write(lambda file: table.to_parquet(file, engine="pyarrow"))
    elif kind == "feather":
        plain = table if counts_rows else table.reset_index()
        output.write(plain.to_feather)
    elif kind == "excel":
        output.write(
            lambda file: table.to_excel(file, index=not counts_rows, engine="openpyxl")
        )
    else:
        new = _new_delimiter(output, like)
        sep = new or (like.delimiter if like else ",")
        text = table.to_csv(sep=sep, index=not counts_rows)
        content = like.encode(text) if like else text.encode()
        _write_text(output, content)


def write_filled(output, file, entries):
    """Write a file again, with some of its empty cells filled.

    Parameters
    ----------
    output : OutputFile
        The file to write, of the same kind.

    file : DelimitedFile, ArrowFile or ExcelFile
        The file that was read.

    entries : dict of str to pandas.Series
        By column what to write, indexed by the position of the row.
    """
    if file.kind == "delimited":
        content = file.filled(entries, _new_delimiter(output, file))
        _write_text(output, content)
    else:
        content = file.filled(entries)
        output.write(lambda out: out.write(content))


def _new_delimiter(output, like):
    """Return the delimiter that the extension asks for, None to keep the old one."""
    if output.suffix == ".tsv":
        return "\t"
    if like is None:
        return ","
    was_tsv = suffix_of(like.name)[0] == ".tsv"
    return "," if was_tsv and output.suffix == ".csv" else None


def _write_text(output, content):
    content = compress(output.name, content, output.compression)
    output.write(lambda file: file.write(content))


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
