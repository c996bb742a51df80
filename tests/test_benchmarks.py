"""Every benchmark runs on 60 rows, with tiny networks, and reports finite figures."""

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.manifold import trustworthiness

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
TINY = "--parameters hidden_layer_sizes=(4,) max_iter=2 --workers 0 --threads 1"
OPTIONS = {
    "ablation": "--tables sixty",
    "anomaly": "--tables iris --rows 60",
    "calibration": "--tables sixty",
    "categories": "--tables 60x40x2",
    "drawn_columns": "--tables sixty,mixed_sixty",
    "fit": f"--tables sixty,mixed_sixty --seeds 1 --before {BENCHMARKS.parent}",
    "imputation": "--tables sixty,mixed_sixty --shares .3",
    "interpolation": "--tables sixty",
    "maps": "--tables iris --rows 60 --seeds 2",
    "mixed": "--tables mixed_sixty --seeds 2",
    "quality": "--tables sixty --seeds 2",
    "rare_categories": "--tables drawn_60 --seeds 2",
    "sampling": "--tables sixty",
    "scale": "--tables 60x4,120x4,60x50,60x4x5",
    "seeds": "--tables sixty --seeds 2 --least-rows 10",
    "step": "--tables 8:4:2:16 --rounds 2 --seconds .01",
    "verbs": "--tables 60x8 --rounds 2 --calls 5",
}
# Installed or not: they compile, or train, for longer than all the rest takes.
SLOW = {"umap", "pacmap", "openTSNE", "ctgan", "arfpy"}
SCRIPTS = sorted(
    file.stem for file in BENCHMARKS.glob("*.py") if "runner.main(" in file.read_text()
)


@pytest.fixture(scope="module")
def load():
    """Import a module of benchmarks/; afterwards none of them is left."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module
    sys.path.remove(str(BENCHMARKS))
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).parent == BENCHMARKS:
            del sys.modules[name]


@pytest.fixture
def small(load, monkeypatch):
    """Let the forests have few trees, other networks few epochs; draw little."""
    for name in "EXTRA_TREES", "FOREST_TREES", "FOREST_ROUNDS":
        monkeypatch.setattr(load("rivals"), name, 2)
    monkeypatch.setattr(load("imputation"), "N_DRAWS", 5)
    monkeypatch.setattr(load("drawn_columns"), "N_DRAWN", 1_000)


def test_every_script_is_run_here():
    assert sorted(OPTIONS) == SCRIPTS


@pytest.mark.parametrize("name", [file.stem for file in BENCHMARKS.glob("*.py")])
def test_imports(name, load):
    load(name)


@pytest.mark.parametrize("name", OPTIONS)
def test_runs(name, load, small, tmp_path):
    runner, benchmark = load("runner"), load(name).BENCHMARK
    saved = tmp_path / "records.json"
    needs = {m: benchmark.needs.get(m, "sklearn") for m in benchmark.methods}
    missing = {m for m, module in needs.items() if not importlib.util.find_spec(module)}
    methods = [m for m in needs if m in missing or needs[m] not in SLOW]
    options = f"{OPTIONS[name]} {TINY} --save {saved} --methods"
    text = runner.main(benchmark, [*shlex.split(options), ",".join(methods)])
    note = re.search(r"left out, not installed: (.*)", text)
    assert missing == ({*note[1].split(", ")} if note else set())
    records = pd.DataFrame(json.loads(saved.read_text()))
    figures = records.drop(columns=["k", "seed"]).select_dtypes("number")
    for method in set(methods) - missing:
        assert re.search(rf"\b{re.escape(method)}\b", text.partition("commit")[2])
        its = figures[records["method"] == method].to_numpy()
        assert np.isfinite(its).any()
        assert not np.isinf(its).any()
    assert "JOBS THAT FAILED" not in text
    assert not re.search(r"\b(nan|inf)\b", text, re.IGNORECASE)


@pytest.mark.parametrize("name", ["calibration", "scale"])
def test_draws(name, load, tmp_path):
    picture = tmp_path / "picture.png"
    options = f"{OPTIONS[name]} {TINY} --figure {picture}"
    load("runner").main(load(name).BENCHMARK, shlex.split(options))
    assert picture.read_bytes().startswith(b"\x89PNG")


# The runner


@pytest.fixture
def toy(load, monkeypatch, tmp_path):
    """A benchmark of two methods, one of which fails on one table."""
    runner = load("runner")
    monkeypatch.setattr(runner, "RESULTS", tmp_path / "results")

    def measure(job):
        if job.method == "bad" and job.table == "iris":
            raise ValueError("too bad")
        return {"figure": job.seed + 0.5}

    def report(runs, args):
        return [
            runner.show(runs.pivot(index="table", columns="method", values="figure"))
        ]

    return runner.Benchmark(
        name="toy",
        doc="A toy.",
        about="What a toy measures.",
        measure=measure,
        report=report,
        tables=("iris", "sixty"),
        methods=("good", "bad"),
        workers=0,
    )


def test_only_a_full_run_writes_results(toy, load):
    runner = load("runner")
    runner.main(toy, ["--tables", "sixty"])
    assert not runner.RESULTS.exists()
    text = runner.main(toy, [])
    assert (runner.RESULTS / "toy.txt").read_text() == text + "\n"


def test_a_named_file_is_written(toy, load, tmp_path):
    file = tmp_path / "named.txt"
    text = load("runner").main(toy, ["--tables", "sixty", "--output", str(file)])
    assert file.read_text() == text + "\n"
    assert not load("runner").RESULTS.exists()


def test_a_failure_is_reported_and_the_others_run(toy, load):
    text = load("runner").main(toy, [])
    assert "JOBS THAT FAILED\nbad on iris, k=8, seed 0: ValueError('too bad')" in text
    assert re.search(r"sixty\s+0\.5\s+0\.5", text)


def test_what_is_not_installed_is_left_out(toy, load):
    toy.needs["bad"] = "no_such_package"
    text = load("runner").main(toy, [])
    assert "left out, not installed: bad" in text
    assert "FAILED" not in text


def test_saved_records_join_others(toy, load, tmp_path):
    runner, saved = load("runner"), str(tmp_path / "good.json")
    runner.main(toy, ["--methods", "good", "--save", saved])
    apart = runner.main(toy, ["--methods", "bad", "--load", saved])
    assert re.search(r"sixty\s+0\.5\s+0\.5", apart)
    again = runner.main(toy, ["--methods", "good", "--load", saved])
    assert len(re.findall("sixty", again.partition("seeds: 1")[2])) == 1


def test_an_unknown_table_is_told(toy, load, capsys):
    with pytest.raises(SystemExit):
        load("runner").main(toy, ["--tables", "irises"])
    assert "unknown: irises" in capsys.readouterr().err


# The judges and two of the rivals


def test_two_samples_of_one_distribution_cannot_be_told(load):
    rows = np.random.default_rng(0).normal(size=(400, 3))
    judges = load("judges")
    for auc in judges.two_sample_auc, judges.neighbors_auc:
        assert abs(auc(rows[:200], rows[200:]) - 0.5) < 0.1
        assert auc(rows[:200] + 3, rows[200:]) > 0.95
    half = np.vstack([rows[:10], rows[200:210]])
    assert judges.share_of_copies(half, rows[:100]) == 0.5


def test_trustworthiness_is_scikit_learns(load):
    """Which is of rows among themselves: each stands in twice, as a new row too."""
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(80, 4)), rng.normal(size=(80, 2))
    for_all = []
    for i in range(len(X)):
        others = np.arange(len(X)) != i
        figures = load("judges").kept_neighborhoods(
            X[others], Z[others], X[[i]], Z[[i]]
        )
        for_all.append([figures["trust"], figures["continuity"]])
    found = 1 - (1 - np.mean(for_all, axis=0)) * (2 * 79 - 31) / (2 * 80 - 31)
    expected = [trustworthiness(*pair, n_neighbors=10) for pair in ((X, Z), (Z, X))]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_clusters_agree_with_groups_that_stand_apart(load):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 40)
    Z = 100 * y[:, None] + rng.normal(size=(120, 2))
    agreement = load("judges").agreement_of_clusters
    assert agreement(Z, y) > 0.95
    assert abs(agreement(Z, rng.permutation(y))) < 0.1


def test_rank_correlations_are_spearmans(load):
    X = np.random.default_rng(0).normal(size=(50, 4)).round(1)
    expected = spearmanr(X).statistic[np.triu_indices(4, 1)]
    np.testing.assert_allclose(load("judges").rank_correlations(X), expected)


def test_draws_of_the_truth_cover_what_they_say(load):
    rng = np.random.default_rng(0)
    covered = load("judges").coverage_of_draws(
        rng.normal(size=(400, 2_000)), rng.normal(size=2_000)
    )
    for share, found in covered.items():
        assert found == pytest.approx(share, abs=0.03)


def test_cart_draws_training_values_that_depend_on_each_other(load):
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    kind = pd.Categorical(np.where(x > 0, "high", "low"))
    frame = pd.DataFrame({"x": x, "y": x**2 + 0.1 * rng.normal(size=500), "kind": kind})
    drawn = load("rivals").make("draw", "CART")(frame, 300, 0)
    assert len(drawn) == 300
    assert list(drawn) == list(frame)
    assert set(drawn["y"]) <= set(frame["y"])
    assert np.corrcoef(drawn["x"] ** 2, drawn["y"])[0, 1] > 0.9
    assert ((drawn["x"] > 0) == (drawn["kind"] == "high")).mean() > 0.97


def test_extra_trees_fill_in_better_than_the_mean(load):
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, 300)
    truth = pd.DataFrame({"x": x, "square": x**2, "kind": np.where(x > 0, "a", "b")})
    hidden = rng.random(truth.shape) < [0, 0.3, 0.3]
    judges, rivals, gaps = load("judges"), load("rivals"), {}
    for name in "trees", "mean":
        filled = rivals.make("fill", name)(truth.mask(hidden), 0)
        assert (filled["kind"] == truth["kind"])[~hidden[:, 2]].all()
        numeric = ["x", "square"]
        gaps[name] = judges.rmse_of_entries(
            truth[numeric], filled[numeric], hidden[:, :2]
        )
    assert gaps["trees"] < 0.3 * gaps["mean"]
