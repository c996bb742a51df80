import functools
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_wine

from skvae import VAETransformer
from skvae._cli import demo as demo_module
from skvae._cli import main as main_module
from skvae._cli import outputs as outputs_module
from skvae._cli import reading as reading_module
from skvae._cli import start

# Two epochs are quick, and not meant to converge.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


main = start.main
# A process in another folder finds the same skvae, installed or not; its stdout is
# buffered, as it is by default: what is left in the buffer is flushed at exit.
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(Path(main_module.__file__).parents[2]),
    "PYTHONUNBUFFERED": "",
}


@pytest.fixture(autouse=True)
def quick_estimator(monkeypatch):
    """The jobs with a small network and few epochs."""
    quick = functools.partial(VAETransformer, hidden_layer_sizes=(4,), max_iter=2)
    for module in (main_module, demo_module):
        monkeypatch.setattr(module, "VAETransformer", quick)
    return quick


@pytest.fixture(scope="module")
def wine():
    return load_wine(as_frame=True).frame


@pytest.fixture
def folder(tmp_path, monkeypatch, wine):
    """A current folder with wine.csv in it."""
    wine.to_csv(tmp_path / "wine.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def last_line(capsys):
    return capsys.readouterr().err.splitlines()[-1]


# --- a table -------------------------------------------------------------------------


def test_report_without_outputs_writes_nothing(folder, capsys):
    assert main(["wine.csv", "--label-column", "target"]) == 0
    out = capsys.readouterr().out
    assert "wine.csv: 178 rows, 14 columns" in out
    assert "numeric   13 columns: alcohol, malic_acid" in out
    assert "left out  target: label" in out
    assert "142 training rows, 36 held-out rows" in out
    assert names_in(folder) == ["wine.csv"]


def test_outputs_are_those_of_the_estimator_fitted_on_all_rows(
    folder, wine, quick_estimator, capsys
):
    skops_io = pytest.importorskip("skops.io")
    pytest.importorskip("matplotlib")
    argv = ["wine.csv", "--label-column", "target", "--n-components", "3"]
    argv += ["--random-state", "5", "--output", "z.csv", "--model", "m.skops"]
    assert main([*argv, "--plot", "p.png"]) == 0

    X = wine.drop(columns="target")
    expected = quick_estimator(3, random_state=5).fit(X)
    embedding = pd.read_csv("z.csv")
    assert list(embedding.columns) == list(expected.get_feature_names_out())
    assert_allclose(embedding, expected.transform(X))

    types = skops_io.get_untrusted_types(file="m.skops")
    assert f"skops.io.load('m.skops', trusted={types}) loads it" in (
        capsys.readouterr().out
    )
    loaded = skops_io.load("m.skops", trusted=types)
    assert_allclose(loaded.transform(X), expected.transform(X))
    assert (folder / "p.png").read_bytes().startswith(b"\x89PNG")
    assert names_in(folder) == ["m.skops", "p.png", "wine.csv", "z.csv"]


@pytest.mark.parametrize(
    ("word", "scaling"), [("quantile", "quantile"), ("none", None)]
)
def test_scaling_is_passed_on(folder, wine, quick_estimator, capsys, word, scaling):
    assert main(["wine.csv", "--scaling", word, "--output", "z.csv"]) == 0
    expected = quick_estimator(2, scaling=scaling, random_state=0).fit(wine)
    assert_allclose(pd.read_csv("z.csv"), expected.transform(wine))
    assert "sampled rows, distance to held-out rows" in capsys.readouterr().out


def test_embedding_is_the_map_of_so_many_neighbors(
    folder, wine, quick_estimator, capsys
):
    assert main(["wine.csv", "--neighbors", "12", "--output", "z.csv"]) == 0
    expected = quick_estimator(2, n_neighbors=12, random_state=0).fit(wine)
    assert_allclose(pd.read_csv("z.csv"), expected.transform(wine))
    out = capsys.readouterr().out
    assert "skvae is a map of 12 neighbours: " in out
    assert "skvae is PCA" not in out


@pytest.mark.parametrize(
    ("options", "is_map"),
    [
        ("--plot p.png", False),
        ("--plot p.png --neighbors 15", True),
        ("--plot p.png --label-column target", True),
        ("--plot p.png --label-column target --n-components 2", True),
        ("--plot p.png --label-column target --n-components 3", False),
        ("--plot p.png --label-column target --neighbors none", False),
        ("--plot p.png --label-column target --output z.csv", False),
        ("--label-column target", False),
    ],
)
def test_picture_of_a_labelled_table_is_a_map(
    folder, monkeypatch, capsys, options, is_map
):
    pytest.importorskip("matplotlib")
    drawn = []
    draw = main_module.report.draw
    monkeypatch.setattr(
        main_module.report, "draw", lambda *given: drawn.append(given) or draw(*given)
    )
    assert main(["wine.csv", *options.split()]) == 0
    said = "skvae is a map of 15 neighbours" in capsys.readouterr().out
    assert said == is_map
    assert [given[-1] for given in drawn] == [is_map] * ("--plot" in options)


@pytest.mark.parametrize("name", ["m.joblib", "m.pkl"])
def test_model_in_pickle_formats(folder, wine, quick_estimator, name):
    assert main(["wine.csv", "--model", name]) == 0
    expected = quick_estimator(2, random_state=0).fit(wine)
    assert_allclose(joblib.load(name).transform(wine), expected.transform(wine))


def test_parquet_keeps_the_index(folder, wine):
    pytest.importorskip("pyarrow")
    index = pd.Index([f"bottle {i}" for i in range(len(wine))], name="bottle")
    wine.set_index(index).to_parquet("wine.parquet")
    assert main(["wine.parquet", "--output", "z.parquet"]) == 0
    pd.testing.assert_index_equal(pd.read_parquet("z.parquet").index, index)


def test_unnamed_first_column_is_the_index(folder, wine):
    wine.set_index(wine.index * 2 + 7).to_csv("indexed.csv")
    assert main(["indexed.csv", "--output", "z.csv"]) == 0
    assert_array_equal(pd.read_csv("z.csv", index_col=0).index, wine.index * 2 + 7)


def survey(n_rows=60):
    """A table of all kinds, with missing values in most columns."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=n_rows)
    days = pd.to_timedelta(rng.integers(0, 90, n_rows), unit="D")
    table = pd.DataFrame(
        {
            "id": np.arange(1, n_rows + 1),
            "size": size.round(2),
            "count": pd.array(rng.poisson(9, n_rows), dtype="Int64"),
            "day": (pd.Timestamp("2020-01-01") + days).strftime("%d.%m.%Y"),
            "colour": np.where(size > 0, "red", "blue"),
            "is_new": pd.array(size > rng.normal(size=n_rows), dtype="boolean"),
            "name": [f"person {i}" for i in range(n_rows)],
            "unit": "cm",
        }
    )
    for j, column in enumerate(["size", "count", "day", "colour", "is_new", "name"]):
        table.loc[[j, j + 10, 50], column] = None
    table.loc[7, "unit"] = None
    return table


@pytest.fixture
def survey_csv(folder):
    survey().to_csv("survey.csv", index=False)
    return "survey.csv"


def test_imputed_table_is_the_inputs_where_that_has_entries(survey_csv, capsys):
    assert main([survey_csv, "--impute", "full.csv"]) == 0
    out = capsys.readouterr().out
    assert "numeric      2 columns: size, count" in out
    assert "datetime     1 column: day" in out
    assert "categorical  2 columns: colour, is_new" in out
    assert "left out     name: text with 57 distinct values, such as 'person 0'" in out
    said = (
        "imputed table: full.csv, 15 values imputed\n"
        "  still with missing values, as they were not fitted: name, unit"
    )
    assert said in out

    given = pd.read_csv(survey_csv, dtype=str)
    full = pd.read_csv("full.csv", dtype=str)
    assert list(full.columns) == list(given.columns)
    given["count"] = given["count"].str.removesuffix(".0")
    pd.testing.assert_frame_equal(full.where(given.notna()), given)
    assert list(full.columns[full.isna().any()]) == ["name", "unit"]
    assert full["count"].str.fullmatch(r"-?\d+").all()
    assert full["day"].str.fullmatch(r"\d\d\.\d\d\.2020").all()
    assert set(full["is_new"]) == {"True", "False"}


def test_sampled_table_has_the_columns_that_can_be_sampled(survey_csv, capsys):
    argv = [survey_csv, "--sample", "300", "--output", "sampled.csv"]
    assert main(argv) == 0
    said = "sampled rows: sampled.csv, 300 rows, without id, name"
    assert said in capsys.readouterr().out
    sampled, given = pd.read_csv("sampled.csv"), survey()
    assert list(sampled.columns) == list(given.columns.drop(["id", "name"]))
    assert len(sampled) == 300
    assert not sampled.isna().any(axis=None)
    assert sampled["count"].dtype == "int64"
    assert sampled["is_new"].dtype == bool
    assert set(sampled["colour"]) == {"red", "blue"}
    assert set(sampled["unit"]) == {"cm"}
    days = pd.to_datetime(sampled["day"], format="%d.%m.%Y")
    assert days.between("2020-01-01", "2020-03-31").mean() > 0.9
    assert main([*argv, "--force"]) == 0
    pd.testing.assert_frame_equal(pd.read_csv("sampled.csv"), sampled)


def test_rows_are_sampled_with_quantiles_unless_told_otherwise(folder, wine):
    """A column's values are those of the table, which no normal density's are."""
    argv = ["wine.csv", "--sample", "9", "--output", "sampled.csv", "--force"]
    assert main(argv) == 0
    assert pd.read_csv("sampled.csv")["target"].isin(wine["target"]).all()
    quantile = pd.read_csv("sampled.csv")["alcohol"]
    assert_allclose(quantile, quantile.round(2))
    assert main([*argv, "--scaling", "standard"]) == 0
    assert not pd.read_csv("sampled.csv")["alcohol"].equals(quantile)


def assert_imputed_like(full, X, expected):
    """Within the range of each column, and with its decimals, here at least one."""
    assert_allclose(full["alcohol"], full["alcohol"].round(2))
    assert_allclose(full, expected.clip(X.min(), X.max(), axis=1), atol=0.051)


@pytest.mark.parametrize(
    ("options", "n_components", "parameters"),
    [
        ("--impute full.csv", 8, {"noise": "diag"}),
        ("--impute full.csv --plot p.png", 2, {}),
        ("--impute full.csv --model m.pkl", 2, {}),
        (
            "--impute full.csv --sample 5 --output sampled.csv",
            8,
            {"scaling": "quantile"},
        ),
        (
            "--impute full.csv --noise spherical --n-components 1",
            1,
            {"noise": "spherical"},
        ),
    ],
)
def test_the_estimator_suits_the_files(
    folder, quick_estimator, wine, options, n_components, parameters
):
    pytest.importorskip("matplotlib")
    X = wine.drop(columns=["magnesium", "proline", "target"])  # integers are rounded
    X = X.mask(np.random.default_rng(0).random(X.shape) < 0.2)
    X.to_csv("t.csv", index=False)
    assert main(["t.csv", *options.split()]) == 0
    expected = quick_estimator(n_components, random_state=0, **parameters).fit(X)
    assert_imputed_like(pd.read_csv("full.csv"), X, expected.impute(X))


def test_few_columns_have_one_more_than_components(folder, quick_estimator, wine):
    X = wine.iloc[:, :3].mask(np.random.default_rng(0).random((len(wine), 3)) < 0.2)
    X.to_csv("t.csv", index=False)
    assert main(["t.csv", "--impute", "full.csv"]) == 0
    expected = quick_estimator(2, noise="diag", random_state=0).fit(X)
    assert_imputed_like(pd.read_csv("full.csv"), X, expected.impute(X))


def test_parquet_comes_back_with_its_dtypes(folder):
    pytest.importorskip("pyarrow")
    table = survey().astype({"colour": "category", "size": "float32"})
    table["day"] = pd.to_datetime(table["day"], format="%d.%m.%Y")
    table.to_parquet("t.parquet")
    argv = ["t.parquet", "--impute", "full.parquet", "--sample", "5"]
    assert main([*argv, "--output", "sampled.parquet"]) == 0
    given = pd.read_parquet("t.parquet")
    full = pd.read_parquet("full.parquet")
    pd.testing.assert_series_equal(full.dtypes, given.dtypes)
    observed = given.notna()
    for column in given.columns:
        pd.testing.assert_series_equal(
            full[column][observed[column]], given[column][observed[column]]
        )
    sampled = pd.read_parquet("sampled.parquet")
    pd.testing.assert_series_equal(sampled.dtypes, given.dtypes.drop(["id", "name"]))


def test_every_row_is_embedded_whatever_it_lacks(folder, wine):
    incomplete = wine.copy()
    incomplete.loc[[3, 90], "alcohol"] = np.nan
    incomplete.loc[[7]] = np.nan
    incomplete.to_csv("incomplete.csv", index=False)
    assert main(["incomplete.csv", "--output", "z.csv"]) == 0
    embedding = pd.read_csv("z.csv")
    assert embedding.shape == (len(wine), 2)
    assert np.isfinite(embedding.to_numpy()).all()


def test_other_text_among_numbers_is_missing_and_kept(folder, wine, capsys):
    other = wine.astype({"alcohol": object})
    other.loc[[4, 8], "alcohol"] = "?"
    other.loc[9, "alcohol"] = "none taken"
    other.to_csv("other.csv", index=False)
    assert main(["other.csv", "--impute", "full.csv"]) == 0
    out = capsys.readouterr().out
    said = "alcohol: text in 1 row, such as 'none taken', is"
    assert "alcohol 3 ('?')" in out
    assert f"{said} treated as missing" in out
    assert "imputed table: full.csv, 2 values imputed" in out
    assert f"{said} kept, as it is not empty" in out
    full = pd.read_csv("full.csv")
    assert full["alcohol"][9] == "none taken"
    assert_allclose(full.drop([4, 8, 9]).astype(float), wine.drop([4, 8, 9]))
    assert np.isfinite(full["alcohol"][[4, 8]].astype(float)).all()


def test_standard_input(folder, monkeypatch, capsys):
    def pipe():
        content = io.BytesIO((folder / "wine.csv").read_bytes())
        return io.TextIOWrapper(content)

    assert main(["wine.csv"]) == 0
    from_file = capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", pipe())
    assert main(["-"]) == 0
    from_pipe = capsys.readouterr().out
    assert from_pipe == from_file.replace("wine.csv", "standard input")


def test_same_seed_same_report(folder, capsys):
    reports = []
    for seed in ("1", "1", "2"):
        assert main(["wine.csv", "--random-state", seed]) == 0
        reports.append(capsys.readouterr().out)
    assert reports[0] == reports[1] != reports[2]


# --- mistakes ------------------------------------------------------------------------

COLUMNS = "a,b\n" + "".join(f"{i * i % 7},{i * i % 5}\n" for i in range(20))


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (None, "", "t.csv: No such file or directory"),
        ("", "", "t.csv is empty"),
        ("\n \n", "", "t.csv is empty"),
        ("a,b\n", "", "t.csv has 0 rows; at least 10 are needed"),
        ("a,b\n1,2\n3,4\n", "", "t.csv has 2 rows; at least 10 are needed"),
        (
            COLUMNS + "1,2,3\n",
            "",
            "t.csv, line 22: expected 2 fields, as line 1 has, saw 3",
        ),
        (COLUMNS + '1,"2\n', "", "t.csv, line 22: EOF inside string"),
        (COLUMNS + "1,\0\n", "", "t.csv is not text"),
        (
            "a\n" + "1\n" * 20,
            "",
            "t.csv has no column that can be fitted (a: constant)",
        ),
        (COLUMNS, "--label-column c", "t.csv has no column 'c'; its columns are a, b"),
        (COLUMNS, "--output z.ods", "--output z.ods: unknown extension '.ods'"),
        (COLUMNS, "--model m.onnx", "--model m.onnx: unknown extension '.onnx'"),
        (COLUMNS, "--plot p.gif", "--plot p.gif: unknown extension '.gif'"),
        (
            COLUMNS,
            "--output no/z.csv",
            "cannot be written to: No such file or directory",
        ),
        (COLUMNS, "--output t.csv --force", "--output t.csv would replace the table"),
        (COLUMNS, "--output d.csv --force", "--output d.csv is a folder"),
        (COLUMNS, "--impute z.ods", "--impute z.ods: unknown extension '.ods'"),
        (COLUMNS, "--impute t.csv --force", "--impute t.csv would replace the table"),
    ],
)
def test_mistake_is_one_line(folder, capsys, content, options, message):
    (folder / "d.csv").mkdir()
    if content is not None:
        (folder / "t.csv").write_text(content, encoding="latin-1")
    before = names_in(folder)
    assert main(["t.csv", *options.split()]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("skvae: ")
    assert message in line
    assert captured.out == ""
    assert names_in(folder) == before


@pytest.mark.parametrize("name", ["t.ods", "t"])
def test_unknown_table_extension(folder, capsys, name):
    (folder / name).write_text(COLUMNS)
    assert main([name]) == 2
    assert f"{name}: unknown extension" in last_line(capsys)


def test_table_is_a_folder(folder, capsys):
    (folder / "d.csv").mkdir()
    assert main(["d.csv"]) == 2
    assert last_line(capsys) == "skvae: d.csv: Is a directory"


def test_broken_parquet(folder, capsys):
    pytest.importorskip("pyarrow")
    (folder / "t.parquet").write_text(COLUMNS)
    assert main(["t.parquet"]) == 2
    assert "t.parquet cannot be read as Parquet" in last_line(capsys)


def test_empty_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert main(["-"]) == 2
    assert last_line(capsys) == "skvae: standard input is empty"


@pytest.mark.parametrize(
    ("module", "options", "install"),
    [
        ("skops", ["--model", "m.skops"], 'needs skops: pip install "skvae[skops]"'),
        ("matplotlib", ["--plot", "p.png"], 'pip install "skvae[plot]"'),
        ("pyarrow", ["--output", "z.parquet"], 'pip install "skvae[parquet]"'),
    ],
)
def test_missing_package_is_named(
    folder, monkeypatch, capsys, module, options, install
):
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["wine.csv", *options]) == 2
    assert install in last_line(capsys)


def test_unwritable_folder_is_found_before_the_work(folder, monkeypatch, capsys):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(outputs_module, "_create_part", refuse)
    monkeypatch.setattr(reading_module, "read_table", pytest.fail)
    assert main(["wine.csv", "--output", "z.csv"]) == 2
    message = f"the folder {folder} cannot be written to: Permission denied"
    assert last_line(capsys) == f"skvae: --output z.csv: {message}"


# --- files are replaced on request only, and written whole or not at all --------------


@pytest.mark.parametrize(
    "options",
    [
        ["--output", "old.csv"],
        ["--impute", "old.csv"],
        ["--model", "old.pkl"],
        ["--plot", "old.png"],
    ],
)
def test_existing_file_is_kept_unless_forced(folder, monkeypatch, capsys, options):
    (folder / options[1]).write_text("precious")
    with monkeypatch.context() as patch:
        patch.setattr(reading_module, "read_table", pytest.fail)  # no work is done
        assert main(["wine.csv", *options]) == 2
    assert f"{options[1]} exists; --force replaces it" in last_line(capsys)
    assert (folder / options[1]).read_text() == "precious"

    assert main(["wine.csv", *options, "--force"]) == 0
    assert not (folder / options[1]).read_bytes().startswith(b"precious")
    assert names_in(folder) == sorted(["wine.csv", options[1]])


def test_file_that_appears_meanwhile_is_kept(folder, monkeypatch, capsys):
    def evaluate(*args):
        (folder / "z.csv").write_text("precious")
        return evaluate_really(*args)

    evaluate_really = main_module.evaluate
    monkeypatch.setattr(main_module, "evaluate", evaluate)
    assert main(["wine.csv", "--output", "z.csv"]) == 2
    assert "z.csv exists" in last_line(capsys)
    assert (folder / "z.csv").read_text() == "precious"


@pytest.mark.parametrize(
    ("error", "status"),
    [(OSError(28, "No space left on device"), 2), (KeyboardInterrupt(), 130)],
)
def test_failing_write_leaves_what_was_there(
    folder, monkeypatch, capsys, error, status
):
    def write_half(self, file, **_):
        file.write(b"vaetransformer0,vae")
        raise error

    pytest.importorskip("pyarrow")
    (folder / "z.parquet").write_text("precious")
    monkeypatch.setattr(pd.DataFrame, "to_parquet", write_half)
    assert main(["wine.csv", "--output", "z.parquet", "--force"]) == status
    assert (folder / "z.parquet").read_text() == "precious"
    assert names_in(folder) == ["wine.csv", "z.parquet"]
    if status == 2:
        assert last_line(capsys) == "skvae: --output z.parquet: No space left on device"


def test_interrupt_has_no_traceback(folder, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(main_module, "evaluate", interrupt)
    assert main(["wine.csv", "--output", "z.csv"]) == 130
    assert "Traceback" not in capsys.readouterr().err
    assert names_in(folder) == ["wine.csv"]


# --- the process ---------------------------------------------------------------------


def test_reader_who_leaves_does_not_stop_the_work(folder):
    """As in ``python -m skvae wine.csv --output z.csv | head -1``, in a process."""
    code = (
        "import functools, sys\nfrom skvae import VAETransformer\n"
        "from skvae._cli import main as command, start\n"
        "quick = functools.partial(VAETransformer, hidden_layer_sizes=(), max_iter=1)\n"
        "command.VAETransformer = quick\n"
        "sys.exit(start.main(['wine.csv', '--output', 'z.csv']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0, errors
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors
    assert len(pd.read_csv("z.csv")) == 178


def test_module_exits_with_the_status(folder):
    process = subprocess.run(
        [sys.executable, "-m", "skvae", "missing.csv"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    assert process.returncode == 2
    assert process.stderr == "skvae: missing.csv: No such file or directory\n"


# --- the digits ----------------------------------------------------------------------


@pytest.fixture
def no_umap(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)


def test_digits_prints_the_table_and_saves_the_picture(
    tmp_path, monkeypatch, capsys, no_umap
):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "1,437 training rows, 360 held-out rows" in out
    assert 'UMAP is left out, as it is not installed: pip install "skvae[umap]"' in out
    assert "picture: skvae-digits.png" in out
    assert (tmp_path / "skvae-digits.png").read_bytes().startswith(b"\x89PNG")


def test_second_run_keeps_the_first_picture(tmp_path, monkeypatch, capsys):
    from matplotlib.figure import Figure

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo_module, "compare_on_digits", lambda *_: None)
    monkeypatch.setattr(demo_module, "describe", lambda _: "")
    monkeypatch.setattr(demo_module, "draw", lambda *_: Figure())
    (tmp_path / "skvae-digits.png").write_text("precious")
    for name in ("skvae-digits-2.png", "skvae-digits-3.png"):
        assert main([]) == 0
        assert f"picture: {name}" in capsys.readouterr().out
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "skvae-digits.png").read_text() == "precious"
    assert main(["--force"]) == 0
    assert (tmp_path / "skvae-digits.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr(
        demo_module, "compare_on_digits", pytest.fail
    )  # no work is done
    assert main(["--plot", "skvae-digits.png"]) == 2
    assert "skvae-digits.png exists; --force replaces it" in last_line(capsys)


def test_digits_without_matplotlib(tmp_path, monkeypatch, capsys, no_umap):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([]) == 0
    out = capsys.readouterr().out
    assert 'matplotlib is not installed: pip install "skvae[plot]"' in out
    assert names_in(tmp_path) == []


def test_a_share_of_the_variance_takes_as_many_components_as_it_needs(folder, capsys):
    options = "--n-components 0.8 --output z.csv --model m.joblib".split()
    assert main(["wine.csv", *options]) == 0
    out = capsys.readouterr().out
    note = r"For a share of 0.8 skvae has (\d+) components, with (0\.[89]\d*) of the"
    n_components, explained = re.search(note, " ".join(out.split())).groups()
    assert 3 <= int(n_components) <= 10
    assert 0.8 <= float(explained) < 1
    model = joblib.load("m.joblib")  # of all rows, which may need another number
    assert model.explained_variance_ratio_.sum() >= 0.8
    assert pd.read_csv("z.csv").shape == (178, model.n_components_)
