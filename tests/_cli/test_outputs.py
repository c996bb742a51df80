import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from skvae._cli import outputs as outputs_module
from skvae._cli.outputs import OutputFile, check_apart, remove_leftovers
from skvae._cli.terminal import CommandError

ROOT = str(Path(outputs_module.__file__).parents[2])


def output_file(path, force=False, option="--output"):
    return OutputFile(str(path), option, (".csv",), force)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def part_name(i):
    return f".skvae-{i:016x}.part"


def test_nothing_is_there_before_the_whole(tmp_path):
    path = tmp_path / "z.csv"

    def write(file):
        file.write(b"half")
        file.flush()
        assert not path.exists()
        file.write(b" whole")

    output_file(path).write(write)
    assert path.read_bytes() == b"half whole"
    assert list(tmp_path.iterdir()) == [path]


def test_any_exception_removes_the_unfinished_file(tmp_path):
    def write(file):
        file.write(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        output_file(tmp_path / "z.csv").write(write)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_step_that_fails_leaves_what_was_there(tmp_path, monkeypatch, step):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "z.csv"
    path.write_text("precious")
    output = output_file(path, force=True)
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(CommandError, match=r"z\.csv: Input/output error$"):
        output.write(lambda file: file.write(b"new"))
    assert path.read_text() == "precious"
    assert names_in(tmp_path) == ["z.csv"]


# --- where a file may be written ------------------------------------------------------


def test_extension_in_capitals(tmp_path):
    assert output_file(tmp_path / "Z.CSV").suffix == ".csv"
    with pytest.raises(CommandError, match=r"unknown extension ''; use one of \.csv"):
        output_file(tmp_path / "z")


def test_extension_that_may_have_been_meant(tmp_path):
    with pytest.raises(CommandError, match=r"'\.cvs'; .* did you mean \.csv\?"):
        output_file(tmp_path / "z.cvs")


def test_link_keeps_pointing_at_the_replaced_file(tmp_path):
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    output_file(link, force=True).write(lambda file: file.write(b"new"))
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_link_to_a_file_that_is_not_there_yet_makes_it(tmp_path):
    link = tmp_path / "link.csv"
    link.symlink_to("target.csv")
    output_file(link).write(lambda file: file.write(b"new"))
    assert link.is_symlink()
    assert (tmp_path / "target.csv").read_text() == "new"


def make_loop(path):
    path.symlink_to(path.name)


def make_pipe(path):
    os.mkfifo(path)


def make_link_to_null(path):
    path.symlink_to("/dev/null")


def make_link_to_nowhere(path):
    path.symlink_to("nowhere/z.csv")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_loop, "Too many levels of symbolic links"),
        (make_pipe, "is not a regular file"),
        (make_link_to_null, "is not a regular file"),
        (make_link_to_nowhere, "nowhere cannot be written to: No such file"),
        (Path.mkdir, "is a folder"),
    ],
)
def test_what_is_no_file_is_not_replaced(tmp_path, make, message):
    path = tmp_path / "z.csv"
    make(path)
    before = path.lstat()
    with pytest.raises(CommandError, match=message):
        output_file(path, force=True)
    assert path.lstat().st_ino == before.st_ino
    assert names_in(tmp_path) == ["z.csv"]


@pytest.mark.parametrize("path", ["/dev/full", "/dev/null"])
def test_devices_are_not_replaced(path):
    with pytest.raises(CommandError, match=f"{path} is not a regular file"):
        output_file(path, force=True)


def test_name_may_be_as_long_as_the_disk_allows(tmp_path):
    output_file(tmp_path / f"{'a' * 251}.csv").write(lambda file: file.write(b"new"))
    assert names_in(tmp_path) == [f"{'a' * 251}.csv"]
    with pytest.raises(CommandError, match="File name too long"):
        output_file(tmp_path / f"{'a' * 252}.csv")
    (tmp_path / "b").write_text("")
    with pytest.raises(CommandError, match="Not a directory"):
        output_file(tmp_path / "b" / "z.csv")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_permissions_of_the_replaced_file_are_kept_from_the_first_byte_on(
    tmp_path, mode
):
    path = tmp_path / "z.csv"
    path.write_text("old")
    path.chmod(mode)

    def write(file):
        assert stat.S_IMODE(os.stat(file.name).st_mode) == mode
        file.write(b"new")

    output_file(path, force=True).write(write)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_text() == "new"


def test_new_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "other.csv").touch()
    output_file(tmp_path / "z.csv").write(lambda file: file.write(b"new"))
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


# --- one file under two names ---------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder with a file, and other names for it and for the folder."""
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("old")
    os.link("a.csv", "hard.csv")
    Path("soft.csv").symlink_to("a.csv")
    Path("new-link.csv").symlink_to("new.csv")
    Path("here").symlink_to(".")
    Path("sub").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.csv", "a.csv"),
        ("a.csv", "./a.csv"),
        ("a.csv", "sub/../a.csv"),
        ("a.csv", "here/a.csv"),
        ("a.csv", "soft.csv"),
        ("a.csv", "hard.csv"),
        ("new.csv", "./new.csv"),
        ("new.csv", "here/new.csv"),
        ("new.csv", "new-link.csv"),
        ("new.csv", "NEW.csv"),
        ("caf\u00e9.csv", "cafe\u0301.csv"),
    ],
)
def test_two_names_of_one_file_are_a_mistake(folder, one, other):
    files = output_file(one, True), output_file(other, True, "--impute")
    expected = f"^--output {one} and --impute {other} are the same file$"
    with pytest.raises(CommandError, match=expected):
        check_apart(files)
    for output, table in zip(files, (other, one), strict=True):
        with pytest.raises(CommandError, match=r"would replace the table$"):
            check_apart([output], table)


@pytest.mark.parametrize("other", ["b.csv", "sub/a.csv", "sub/new.csv", "new.csv"])
def test_other_names_are_other_files(folder, other):
    check_apart([output_file("a.csv", True), output_file(other)], "sub/t.csv")


def test_files_that_differ_in_capitals_may_exist(folder):
    Path("A.csv").write_text("another")
    if Path("a.csv").read_text() == "old":  # it is another file on this disk
        check_apart([output_file("a.csv", True), output_file("A.csv", True)])


# --- writers that were killed ---------------------------------------------------------

KILLED = """
import os, signal, sys
from skvae._cli.outputs import OutputFile

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def write(file):
    file.write(b"new")
    if step == "write":
        file.flush()
        die()

path, step = sys.argv[1:]
output = OutputFile(path, "--output", (".csv",), force=True)
if step == "after replace":
    os.unlink = die
elif step != "write":
    setattr(os, step, die)
output.write(write)
"""


@pytest.mark.parametrize(
    ("step", "content"),
    [
        ("write", "old"),
        ("fsync", "old"),
        ("replace", "old"),
        ("after replace", "new"),
    ],
)
def test_killed_writer_leaves_the_old_or_the_new(tmp_path, step, content):
    path = tmp_path / "z.csv"
    path.write_text("old")
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), step], env={"PYTHONPATH": ROOT}
    )
    assert process.returncode == -signal.SIGKILL
    assert path.read_text() == content
    assert len(names_in(tmp_path)) == (2 if content == "old" else 1)
    remove_leftovers(tmp_path)
    assert names_in(tmp_path) == ["z.csv"]
    assert path.read_text() == content


def test_file_of_a_writer_at_work_is_no_leftover(tmp_path):
    def write(file):
        file.write(b"half")
        remove_leftovers(tmp_path)
        file.write(b" whole")

    output_file(tmp_path / "z.csv").write(write)
    assert (tmp_path / "z.csv").read_text() == "half whole"


def test_file_that_is_taken_for_a_leftover_too_soon_is_made_again(
    tmp_path, monkeypatch
):
    """Another start may come between the making of the file and its lock."""
    output = output_file(tmp_path / "z.csv")
    lock = outputs_module.fcntl.flock
    starts = []

    def lock_late(file, operation):
        if not starts:
            starts.append(file.name)
            os.unlink(file.name)
        lock(file, operation)

    monkeypatch.setattr(outputs_module.fcntl, "flock", lock_late)
    output.write(lambda file: file.write(b"new"))
    assert len(starts) == 1
    assert (tmp_path / "z.csv").read_text() == "new"
    assert names_in(tmp_path) == ["z.csv"]


def test_only_own_leftovers_are_removed(tmp_path):
    others = [".z.csv.12.part", ".skvae-12.part", f"x{part_name(1)}", "a.part"]
    for name in [*others, part_name(1), part_name(2)]:
        (tmp_path / name).touch()
    (tmp_path / part_name(3)).mkdir()
    (tmp_path / part_name(4)).symlink_to("a.part")
    remove_leftovers(tmp_path)
    assert names_in(tmp_path) == sorted([*others, part_name(3), part_name(4)])
    remove_leftovers(tmp_path / "no such folder")


def test_disk_without_locks_keeps_what_may_be_at_work(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(outputs_module.fcntl, "flock", refuse)
    (tmp_path / part_name(1)).touch()
    remove_leftovers(tmp_path)
    output_file(tmp_path / "z.csv").write(lambda file: file.write(b"new"))
    assert names_in(tmp_path) == [part_name(1), "z.csv"]


def test_windows_removes_and_renames_only_files_that_are_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(outputs_module, "fcntl", None)
    monkeypatch.delattr(os, "fchown")
    replace = os.replace
    files = []

    def replace_closed(source, target):
        assert all(file.closed for file in files)
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_closed)
    (tmp_path / part_name(1)).touch()
    remove_leftovers(tmp_path)
    for content in b"old", b"new":
        output = output_file(tmp_path / "z.csv", force=True)
        output.write(lambda file: (files.append(file), file.write(content)))  # noqa: B023
        assert (tmp_path / "z.csv").read_bytes() == content
    assert names_in(tmp_path) == ["z.csv"]
