"""The files that the command writes: each is checked at the start, and placed at once.

A file is written under another name in its folder, and gets its own only when it is
whole and on the disk. Until then the writer holds a lock on it. So if a writer is
killed, the next start of the command knows what it left, and removes it.
"""

import contextlib
import os
import re
import stat
import unicodedata
from pathlib import Path

from skvae._cli.arguments import PICTURE_SUFFIXES, TABLE_KINDS
from skvae._cli.terminal import CommandError, require_package, suggest
from skvae._files.content import require_zstd
from skvae._files.formats import EXTRAS, suffix_of

try:
    import fcntl
except ImportError:  # on Windows, where no file is removed or renamed that is open
    fcntl = None  # type: ignore[assignment]

PART_NAME = re.compile(r"\.skvae-[0-9a-f]{16}\.part")


class OutputFile:
    """A file to write at the end of the work; the path is checked at the start.

    Parameters
    ----------
    path : str
        Path of the file. If it is a link, what it points at is written.

    option : str
        The command-line option that asked for it, for messages.

    suffixes : tuple of str
        The extensions that it may have.

    force : bool
        Whether an existing file may be replaced.
    """

    def __init__(self, path, option, suffixes, force):
        self.name = path
        self.path = Path(os.path.realpath(path))
        self.suffix, self.compression = suffix_of(path)
        self.option = option
        self.force = force
        self._refuse_to_replace()
        is_text = TABLE_KINDS.get(self.suffix) == "delimited"
        if self.suffix not in suffixes or (self.compression and not is_text):
            unknown = self.suffix + self.compression
            raise CommandError(
                f"{option} {path}: unknown extension {unknown!r}; "
                f"use one of {' '.join(suffixes)}{suggest(self.suffix, suffixes)}"
            )
        try:
            with _part_file(self.path.parent):
                pass
        except OSError as error:
            raise CommandError(
                f"{option} {path}: the folder {self.path.parent} cannot be written to: "
                f"{error.strerror}"
            ) from error

    def write(self, write):
        """Write the file; it gets its name, or replaces another, only once it is whole.

        Parameters
        ----------
        write : callable
            Called with an open binary file to write to.
        """
        replaced = self._refuse_to_replace()
        try:
            with _part_file(self.path.parent) as file:
                if replaced:
                    _take_over(file, replaced)
                write(file)
                file.flush()
                os.fsync(file.fileno())
                if fcntl is None:
                    file.close()
                os.replace(file.name, self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            reason = error.strerror or error
            raise CommandError(f"{self.option} {self.name}: {reason}") from error

    def is_same_as(self, path):
        """Whether another path leads to this file, if both existed.

        Names that differ in their capitals are the same: on some disks they are.
        """
        path = Path(os.path.realpath(path))
        with contextlib.suppress(OSError):
            return self.path.samefile(path)
        with contextlib.suppress(OSError):
            if self.path.parent.samefile(path.parent):
                return _fold(self.path.name) == _fold(path.name)
        return False

    def _refuse_to_replace(self):
        """Return what is known of the file to replace, None if there is none."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:  # such as links in a circle
            raise CommandError(
                f"{self.option} {self.name}: {error.strerror}"
            ) from error
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise CommandError(f"{self.option} {self.name} is {what}")
        if not self.force:
            raise CommandError(
                f"{self.name} exists; --force replaces it, "
                f"another name for {self.option} keeps it"
            )
        return status


def check_apart(outputs, table=None):
    """Raise an error if two files to write are one, or one of them is the table.

    Parameters
    ----------
    outputs : list of OutputFile
        The files to write.

    table : str, default=None
        Path of the table that is read, which is never replaced.
    """
    for i, output in enumerate(outputs):
        if table is not None and output.is_same_as(table):
            raise CommandError(f"{output.option} {output.name} would replace the table")
        for other in outputs[:i]:
            if output.is_same_as(other.path):
                raise CommandError(
                    f"{other.option} {other.name} and {output.option} {output.name} "
                    "are the same file"
                )


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


def remove_leftovers(folder):
    """Remove the unfinished files of writers that were killed."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if PART_NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _remove_unless_locked(entry.path)


def _remove_unless_locked(path):
    if fcntl is None:
        os.unlink(path)
        return
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)


@contextlib.contextmanager
def _part_file(folder):
    """Yield a new file that is locked; unless it is renamed, it is removed again."""
    file = _create_part(folder)
    while not os.path.exists(file.name):
        # Before it was locked, another start of the command took it for a leftover.
        file.close()
        file = _create_part(folder)
    with file:
        try:
            yield file
        finally:
            if fcntl is None:
                file.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(file.name)


def _create_part(folder):
    file = open(os.path.join(folder, f".skvae-{os.urandom(8).hex()}.part"), "xb")
    if fcntl is not None:
        with contextlib.suppress(OSError):  # such as a disk without locks
            fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _take_over(file, replaced):
    """Give a file the permissions and the owner of the one that it replaces."""
    with contextlib.suppress(OSError, AttributeError):  # as far as the system lets us
        os.fchown(file.fileno(), replaced.st_uid, replaced.st_gid)
    os.chmod(file.name, stat.S_IMODE(replaced.st_mode))


def _sync_folder(folder):
    """Have the disk remember the new name, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _fold(name):
    return unicodedata.normalize("NFC", name).casefold()
