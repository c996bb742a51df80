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
