import pytest

from skvae._cli.outputs import OutputFile
from skvae._cli.terminal import CommandError


def output_file(path, force=False):
    return OutputFile(str(path), "--output", (".csv",), force)


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


def test_link_keeps_pointing_at_the_replaced_file(tmp_path):
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    output_file(link, force=True).write(lambda file: file.write(b"new"))
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_any_exception_removes_the_unfinished_file(tmp_path):
    def write(file):
        file.write(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        output_file(tmp_path / "z.csv").write(write)
    assert list(tmp_path.iterdir()) == []


def test_extension_in_capitals(tmp_path):
    assert output_file(tmp_path / "Z.CSV").suffix == ".csv"
    with pytest.raises(CommandError, match=r"unknown extension ''; use one of \.csv"):
        output_file(tmp_path / "z")
