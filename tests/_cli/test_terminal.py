import io
import re
import sys
import time
import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning

from skvae._cli import terminal as terminal_module
from skvae._cli.terminal import Progress, format_number, format_table, one_line_warnings


class FakeTerminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def open_terminal(monkeypatch):
    def open_terminal():  # in the test: pytest sets stderr after the fixtures
        stream = FakeTerminal()
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return open_terminal


def on_screen(text):
    """What the last line of a terminal shows after ``text``."""
    return text.split("\n")[-1].split("\r\033[K")[-1]


def test_progress_is_one_line_that_counts_and_goes(open_terminal):
    terminal = open_terminal()
    with Progress() as progress:
        progress("fitting PCA")
        assert on_screen(terminal.getvalue()) == "skvae: fitting PCA ... 0 s"
        progress._started -= 60
        deadline = time.monotonic() + 5
        while " 6" not in terminal.getvalue() and time.monotonic() < deadline:
            time.sleep(0.05)
        shown = on_screen(terminal.getvalue())
        assert re.fullmatch(r"skvae: fitting PCA \.\.\. 6\d s", shown)
        progress("fitting skvae")
        assert on_screen(terminal.getvalue()) == "skvae: fitting skvae ... 0 s"
    assert on_screen(terminal.getvalue()) == ""
    assert "\n" not in terminal.getvalue()


def test_progress_line_fits_the_terminal(open_terminal, monkeypatch):
    terminal = open_terminal()
    monkeypatch.setenv("COLUMNS", "20")
    with Progress() as progress:
        progress("a task with a name that is long")
        assert len(on_screen(terminal.getvalue())) == 19


def test_progress_makes_way_for_output(open_terminal, capsys):
    terminal = open_terminal()
    with Progress() as progress:
        progress("fitting")
        progress.print("result")
        assert on_screen(terminal.getvalue()) == ""
    assert capsys.readouterr().out == "result\n"


def test_progress_in_a_log_is_a_line_per_task(capsys):
    with Progress() as progress:
        progress("reading", log=False)
        progress("fitting")
        progress("drawing")
    assert capsys.readouterr().err == "skvae: fitting ...\nskvae: drawing ...\n"


def test_warning_is_one_line_and_the_filters_come_back(capsys):
    before = warnings.showwarning
    with Progress() as progress, one_line_warnings(progress):
        warnings.warn("max_iter reached:\n  raise it", ConvergenceWarning, stacklevel=1)
    assert capsys.readouterr().err == (
        "skvae: ConvergenceWarning: max_iter reached: raise it\n"
    )
    assert warnings.showwarning is before


def test_require_names_the_command_that_installs():
    terminal_module.require_package("json", "plot", "a picture")
    with pytest.raises(
        terminal_module.CommandError,
        match=r'^a picture needs no_such_module: pip install "skvae\[plot\]"$',
    ):
        terminal_module.require_package("no_such_module", "plot", "a picture")


def test_format_table_aligns():
    rows = [["", "R2", "name"], ["PCA", "0.25", "x"], ["skvae", "-0.125", ""]]
    assert format_table(rows, "<><") == (
        "           R2  name\nPCA      0.25  x\nskvae  -0.125"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (-4321.9876, "-4,321.988"), (float("nan"), "-"), (None, "-")],
)
def test_format_number(value, text):
    assert format_number(value) == text


def test_format_table_aligns_wide_characters_and_accents():
    rows = [["\u6c34\u6c34", "1"], ["e\u0301", "2"], ["abcd", "3"]]
    assert format_table(rows, "<>") == "\u6c34\u6c34  1\ne\u0301     2\nabcd  3"


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", r"\u6c34\x1b"), ("utf-8", "\u6c34\\x1b")]
)
def test_names_take_the_places_that_they_have_in_the_terminal(
    monkeypatch, encoding, shown
):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stdout)
    assert terminal_module.format_name("\u6c34\x1b") == shown
    name = terminal_module.format_name("\u6c34" * 99)
    terminal_module.print_output(format_table([[name, "1"], ["", "22"]], "<>"))
    first, second = stdout.buffer.getvalue().decode(encoding).splitlines()
    assert terminal_module.width(first) == len(second) <= 44


def test_names_are_shortened_and_counted():
    names = ["\x07", "a" * 99, "b", "c"]
    shown = terminal_module.format_names(names, most=2)
    assert shown == rf"\x07, {'a' * 25}...{'a' * 12} and 2 more"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_printing_passes_on_lines_only(monkeypatch, name):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, name, stream)
    print_it = {"stdout": "print_output", "stderr": "print_error"}[name]
    getattr(terminal_module, print_it)("a\x1b[2J\r\u2028\ud800\nb")
    said = stream.buffer.getvalue().decode()
    end = "\nb\n" if name == "stdout" else "\\nb\n"
    assert said == f"a\\x1b[2J\\r\\u2028\\ud800{end}"


class FullDisk(io.StringIO):
    def flush(self):
        raise OSError(28, "No space left on device")


def test_full_disk_is_told_where_it_can_be(monkeypatch):
    monkeypatch.setattr(sys, "stdout", FullDisk())
    with pytest.raises(
        terminal_module.CommandError,
        match=r"^standard output: No space left on device$",
    ):
        terminal_module.print_output("x")
    monkeypatch.setattr(sys, "stderr", FullDisk())
    monkeypatch.setattr(FullDisk, "isatty", lambda _: True)
    terminal_module.print_error("x")
    with Progress() as progress:
        progress("fitting")


def test_process_without_streams_prints_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with Progress() as progress, one_line_warnings(progress):
        progress("fitting")
        progress.print("result")
        warnings.warn("odd", stacklevel=1)
    assert terminal_module.format_name("\x1b") == r"\x1b"


def test_progress_of_a_hostile_task_is_one_line(open_terminal, monkeypatch):
    terminal = open_terminal()
    monkeypatch.setenv("COLUMNS", "40")
    with Progress() as progress:
        progress("reading \x1b[2J\n" + "\u6c34" * 99)
        shown = on_screen(terminal.getvalue())
        assert shown.isprintable()
        assert terminal_module.width(shown) <= 39
        assert shown.endswith(" ... 0 s")


OPTIONS = ["--noise", "--n-components", "--output", "--plot", "--impute", "--model"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--impte", "--impute"),
        ("--IMPUTE", "--impute"),
        ("-impute", "--impute"),
        ("n_components", "--n-components"),
        ("--out", "--output"),
        ("--plots", "--plot"),
        ("--n", "--noise or --n-components"),
    ],
)
def test_the_nearest_words_are_suggested(word, meant):
    assert terminal_module.suggest(word, OPTIONS) == f"; did you mean {meant}?"


@pytest.mark.parametrize("word", ["", "--", "--colour", "x", "?"])
def test_nothing_is_suggested_for_what_is_unlike_all(word):
    assert terminal_module.suggest(word, OPTIONS) == ""
    assert terminal_module.suggest(word, []) == ""


TABLE = [["", "skvae"], ["a title of five words", "0.5"], ["short", "-1.25"]]


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        ("200", ["a title of five words    0.5", "short                  -1.25"]),
        ("28", ["a title of five words    0.5", "short                  -1.25"]),
        ("27", ["a title of five    0.5", "words", "short            -1.25"]),
        ("20", ["a title of       0.5", "five words", "short          -1.25"]),
        ("5", ["a title    0.5", "of five", "words", "short    -1.25"]),
    ],
)
def test_tables_are_wrapped_where_the_terminal_is_narrow(monkeypatch, columns, lines):
    monkeypatch.setenv("COLUMNS", columns)
    found = format_table(TABLE, "<>").splitlines()[1:]
    assert [" ".join(line.split()) for line in found] == [
        " ".join(line.split()) for line in lines
    ]
    assert max(map(len, found)) <= max(int(columns), 15)


def test_lines_are_wrapped_in_a_narrow_terminal_alone(monkeypatch, capsys):
    line = "  two held-out rows, and \u6c34\u6c34 beside them: " + "x" * 30
    terminal_module.print_output(line)
    assert capsys.readouterr().out == f"{line}\n"
    monkeypatch.setenv("COLUMNS", "20")
    terminal_module.print_output(line)
    said = capsys.readouterr().out
    assert max(map(terminal_module.width, said.splitlines())) <= 20
    assert said.replace(" ", "").replace("\n", "") == line.replace(" ", "")
    assert all(part.startswith("  ") for part in said.splitlines())
