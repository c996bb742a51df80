import pytest

from skvae._cli.start import main


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--n-components 0", "--n-components: '0' is not an integer of"),
        ("--n-components two", "'two' is not an integer of at least 1"),
        ("--n-components 1.5", "at least 1, or a number between 0 and 1"),
        ("--n-components -0.5", "at least 1, or a number between 0 and 1"),
        ("--n-components nan", "at least 1, or a number between 0 and 1"),
        ("--neighbors 0", "--neighbors: '0' is not an integer of at least 1, or none"),
        ("--neighbors 1.5", "'1.5' is not an integer of at least 1, or none"),
        ("--n-neighbors 15", "did you mean --neighbors?"),
        ("--neighbours 15", "did you mean --neighbors?"),
        (
            "--neighbors 15 --n-components .9",
            "--neighbors 15 needs a number of components, such as --n-components 2; "
            "0.9 is a share of the variance",
        ),
        ("--random-state -1", "'-1' is not an integer of at least 0"),
        ("--sample 0 --output z.csv", "--sample: '0' is not an integer"),
        ("--sample 5", "--sample needs --output, the file for the sampled rows"),
        ("--colour red", "unrecognized arguments: --colour red"),
    ],
)
def test_mistake_is_one_line(capsys, options, message):
    assert main(["t.csv", *options.split()]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("skvae: ")
    assert message in line
    assert captured.out == ""


@pytest.mark.parametrize(
    "option",
    [
        "--n-components=3",
        "--neighbors=15",
        "--label-column=y",
        "--noise=diag",
        "--scaling=none",
        "--impute=z.csv",
    ],
)
def test_table_options_need_a_table(capsys, option):
    assert main([option]) == 2
    said = capsys.readouterr().err
    assert f"{option.split('=')[0]} needs a TABLE" in said.splitlines()[-1]


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for option in (
        "TABLE --n-components --neighbors --label-column --output --sample --impute "
        "--model --plot --random-state --force --version"
    ).split():
        assert option in text
