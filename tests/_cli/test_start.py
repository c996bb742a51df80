"""The start of the command: what is told before the work, and how the work ends."""

import errno
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from skvae._cli import main as main_module
from skvae._cli import reading as reading_module
from skvae._cli import start as start_module
from skvae._cli.start import main

ROOT = str(Path(start_module.__file__).parents[2])
TABLE = "size,colour\n" + "".join(f"{i * i % 7},{'ab'[i % 2]}\n" for i in range(20))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "other.parquet").touch()
    (tmp_path / "here").symlink_to(".")
    os.mkfifo(tmp_path / "pipe.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def only_line(capsys):
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


# --- mistakes -------------------------------------------------------------------------

WITHOUT_LIBRARIES = [
    ("table.csv --impte", "--impte; did you mean --impute? (see"),
    ("table.csv --n_components=3", "--n_components=3; did you mean --n-components?"),
    ("table.csv --Force", "--Force; did you mean --force?"),
    ("table.csv --out z.csv", "--out z.csv; did you mean --output?"),
    ("table.csv -o z.csv", "-o z.csv; did you mean --output?"),
    ("table.csv --n 2", "did you mean --n-components or --neighbors or --noise?"),
    ("table.csv --colour 2", "unrecognized arguments: --colour 2 (see"),
    ("table.csv more.csv", "unrecognized arguments: more.csv (see"),
    (
        "table.csv --noise diagonal",
        "argument --noise: 'diagonal' is not one of auto, spherical, diag; did you "
        "mean diag?",
    ),
    ("table.csv --scaling Standart", "one of standard, quantile, none; did you mean"),
    ("tabel.csv", "tabel.csv: No such file or directory; did you mean table.csv?"),
    ("table", "table: No such file or directory; did you mean table.csv?"),
    ("folder/othr.csv", "did you mean folder/other.parquet?"),
    ("flder/other.csv", "flder/other.csv: No such file or directory; did you mean fol"),
    ("unlike.csv", "unlike.csv: No such file or directory"),
    ("folder", "folder: Is a directory"),
    ("table.csv/x.csv", "table.csv/x.csv: Not a directory"),
    ("pipe.csv", "pipe.csv is not a regular file; with - as TABLE standard input is"),
    (
        "table.csv --output z.cvs",
        "use one of .csv .tsv .txt .parquet .feather .xlsx; did you mean .csv?",
    ),
    ("table.csv --output no/z.csv", "/no cannot be written to: No such file"),
    ("table.csv --output z.csv --impute ./z.csv", "are the same file"),
    ("table.csv --output here/table.csv --force", "would replace the table"),
]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([""], "argument TABLE: '' is not a path"),
        (["table.csv", "--output", ""], "argument --output: '' is not a path"),
    ],
)
def test_empty_path(folder, capsys, argv, message):
    assert main(argv) == 2
    assert message in only_line(capsys)


@pytest.mark.parametrize(("argv", "message"), WITHOUT_LIBRARIES)
def test_mistake_is_told_before_the_table_is_read(
    folder, monkeypatch, capsys, argv, message
):
    monkeypatch.setattr(reading_module, "read_table", pytest.fail)
    assert main(argv.split()) == 2
    line = only_line(capsys)
    assert line.startswith("skvae: ")
    assert message in line


def test_no_library_is_imported_for_that(folder):
    """In one process: pandas is imported for the table's columns, and never torch."""
    code = (
        f"import sys\nsys.path.insert(0, {ROOT!r})\n"
        "from skvae._cli.start import main\n"
        "libraries = {'numpy', 'pandas', 'sklearn', 'torch'}\n"
        f"for argv in {[argv for argv, _ in WITHOUT_LIBRARIES]}:\n"
        "    assert main(argv.split()) == 2, argv\n"
        "assert not libraries & set(sys.modules), libraries & set(sys.modules)\n"
        "assert main(['table.csv', '--label-column', 'color']) == 2\n"
        "assert 'pandas' in sys.modules and 'torch' not in sys.modules\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("color", "'color'; did you mean colour?"),
        ("Size", "'Size'; did you mean size?"),
        ("wt", "'wt'; its columns are size, colour"),
        ("\x1b[2J", r"'\x1b[2J'; its columns are size, colour"),
    ],
)
def test_unknown_column(folder, monkeypatch, capsys, name, said):
    monkeypatch.setattr(main_module, "report_on_table", pytest.fail)
    assert main(["table.csv", "--label-column", name]) == 2
    assert only_line(capsys) == f"skvae: table.csv has no column {said}"


def test_table_that_may_not_be_read(folder, monkeypatch, capsys):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(start_module, "open", refuse, raising=False)
    assert main(["table.csv"]) == 2
    assert only_line(capsys) == "skvae: table.csv: Permission denied"


def test_standard_input_may_be_the_file_to_replace(folder):
    argv = [sys.executable, "-m", "skvae", "-", "--output", "table.csv", "--force"]
    with open("table.csv") as table:
        process = subprocess.run(
            argv, stdin=table, capture_output=True, text=True, env={"PYTHONPATH": ROOT}
        )
    said = "skvae: --output table.csv would replace the table\n"
    assert (process.returncode, process.stderr) == (2, said)


# --- the end --------------------------------------------------------------------------


def raising(error):
    def work(*_):
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "status", "lines"),
    [
        (KeyboardInterrupt(), 130, ["skvae: interrupted"]),
        (
            OSError(errno.EIO, "Input/output error", "x"),
            2,
            ["skvae: [Errno 5] Input/output error: 'x'"],
        ),
    ],
)
def test_end_of_the_work(folder, monkeypatch, capsys, error, status, lines):
    monkeypatch.setattr(main_module, "report_on_table", raising(error))
    assert main(["table.csv"]) == status
    assert capsys.readouterr().err.splitlines() == lines


def test_fault_of_the_command_has_a_traceback_that_is_safe_to_show(
    folder, monkeypatch, capsys
):
    error = ZeroDivisionError("\x1b[2J" + "a" * 10**5)
    monkeypatch.setattr(main_module, "report_on_table", raising(error))
    assert main(["table.csv"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith(r"ZeroDivisionError: \x1b[2Jaaaa")
    assert max(map(len, lines)) <= 1000


@pytest.mark.parametrize("fitted", ["evaluate", "fit"])
def test_what_the_estimator_says_against_a_table_is_one_line(
    folder, monkeypatch, capsys, fitted
):
    error = ValueError("Input X contains \x07 in\n'x'")
    if fitted == "evaluate":
        monkeypatch.setattr(main_module, "evaluate", raising(error))
    else:
        monkeypatch.setattr(main_module, "evaluate", lambda *_: None)
        monkeypatch.setattr(main_module.report, "describe_evaluation", lambda *_: "")
        monkeypatch.setattr(main_module.VAETransformer, "fit", raising(error))
    assert main(["table.csv", "--output", "z.csv"]) == 2
    said = "skvae: table.csv: Input X contains \\x07 in\\n'x'"
    assert capsys.readouterr().err.splitlines()[-1] == said
    assert not Path("z.csv").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_the_work_though_errors_are_handled(
    folder, monkeypatch, capsys, number
):
    """An estimator may keep what it has when it is interrupted; a command stops."""

    def work(*_):
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        except (Exception, KeyboardInterrupt):
            pytest.fail("handled")

    monkeypatch.setattr(main_module, "report_on_table", work)
    before = signal.getsignal(number)
    assert main(["table.csv"]) == 128 + number
    assert capsys.readouterr().err == "skvae: interrupted\n"
    assert signal.getsignal(number) is before


def test_ignored_signal_stays_ignored(folder, monkeypatch, capsys):
    """As under nohup."""
    monkeypatch.setattr(
        main_module, "report_on_table", lambda *_: os.kill(os.getpid(), signal.SIGHUP)
    )
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(["table.csv"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_interrupt_while_a_file_is_written_leaves_the_old_one(folder, capsys):
    def write(file):
        file.write(b"half")
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()

    def work(args, name, table, outputs, progress):
        outputs["output"].write(write)

    Path("z.csv").write_text("old")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main_module, "report_on_table", work)
        assert main(["table.csv", "--output", "z.csv", "--force"]) == 143
    assert Path("z.csv").read_text() == "old"
    assert not list(folder.glob(".skvae*"))


@pytest.mark.parametrize(
    "argv", [["table.csv"], ["--plot", "folder/x.png"], ["table.csv", "--noise", "x"]]
)
def test_every_start_removes_leftovers_where_it_reads_or_writes(
    folder, monkeypatch, argv
):
    left = Path("folder" if "--plot" in argv else ".") / f".skvae-{'0' * 16}.part"
    left.touch()
    for job in "report_on_table", "compare_on_digits":
        monkeypatch.setattr(main_module, job, lambda *_: None)
    main(argv)
    assert left.exists() == ("--noise" in argv)  # unless it ends at once


# --- the terminal ---------------------------------------------------------------------


def test_nothing_that_a_terminal_obeys_is_printed(folder, monkeypatch, capsys):
    """Neither from the options, nor from warnings."""
    monkeypatch.setattr(
        main_module,
        "report_on_table",
        lambda *_: warnings.warn("\x1b]0;x\x07" + "a" * 10**5, stacklevel=1),
    )
    hostile = "\x1b[2J\u202e\udcff\n"  # \udcff is a byte that is not UTF-8
    Path(f"{hostile}.csv").write_text(TABLE)
    assert main([f"{hostile}.csv"]) == 0
    for argv in (
        [hostile],
        [f"--{hostile}"],
        ["table.csv", "--noise", hostile],
        ["table.csv", "--n-components", hostile],
        ["table.csv", "--output", f"{hostile}.x"],
        ["table.csv", "--output", f"{hostile}/z.csv"],
        ["table.csv", "--random-state", "a" * 10**5],
    ):
        assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 8
    assert all(line.isprintable() and len(line) <= 1000 for line in lines)


def run_in_shell(command):
    """Run with the interpreter as $python."""
    return subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        env={"python": sys.executable, "PYTHONPATH": ROOT},
    )


@pytest.mark.parametrize(
    ("command", "status", "out", "error"),
    [
        ("$python -m skvae --help | head -1; exit ${PIPESTATUS[0]}", 0, "usage", ""),
        (
            "$python -m skvae --version > /dev/full",
            2,
            "",
            "skvae: standard output: No space left on device\n",
        ),
        ("$python -m skvae --version >&-", 0, "", ""),
        ("$python -m skvae no.csv 2> /dev/full", 2, "", ""),
        ("$python -m skvae no.csv 2>&-", 2, "", ""),
        ("$python -m skvae - <&-", 2, "", "skvae: standard input is closed\n"),
        ("$python -m skvae no.csv <&- >&- 2>&-", 2, "", ""),
    ],
)
def test_streams_that_are_full_or_closed(folder, command, status, out, error):
    process = run_in_shell(command)
    assert process.stdout.startswith(out)
    assert (process.returncode, process.stderr) == (status, error)


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"PYTHONIOENCODING": "ascii"}, r"\xfc\udcff.csv"),
        ({"PYTHONIOENCODING": "latin-1"}, "\xfc\\udcff.csv"),
        ({"PYTHONUTF8": "1"}, "\xfc\\udcff.csv"),
    ],
)
def test_names_that_the_encoding_lacks(folder, environment, shown):
    process = subprocess.run(
        [sys.executable, "-m", "skvae", b"\xc3\xbc\xff.csv"],
        capture_output=True,
        env=os.environ | {"PYTHONPATH": ROOT, "PYTHONUTF8": "1"} | environment,
    )
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    said = f"skvae: {shown}: No such file or directory\n"
    assert process.stderr.decode(encoding) == said
    assert process.returncode == 2


def test_no_file_is_opened_as_a_standard_stream(folder):
    """Libraries would write to it what they tell."""
    code = (
        "from skvae._cli import start; start._fill_standard_streams(); "
        "open('out.csv', 'w').write(str(open('table.csv').fileno()))"
    )
    process = run_in_shell(f'$python -c "{code}" <&- >&- 2>&-')
    assert process.returncode == 0
    assert int(Path("out.csv").read_text()) > 2
