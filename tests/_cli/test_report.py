import functools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from skvae import VAETransformer
from skvae._cli import report as report_module
from skvae._cli import selection as selection_module
from skvae._cli.distances import Distances
from skvae._cli.evaluation import Evaluation
from skvae._cli.evaluation import evaluate as evaluate_with
from skvae._cli.results import embed
from skvae._cli.scores import Scores

# Two epochs are quick, and not meant to converge.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


N = 200


quick = functools.partial(
    VAETransformer, hidden_layer_sizes=(4,), max_iter=2, random_state=0
)


def evaluate(selection, n_components=2):
    return evaluate_with(selection, quick(n_components), lambda task: None)


def with_values(n_values):
    values = np.full(N, np.nan)
    values[:n_values] = np.random.default_rng(1).normal(size=n_values)
    return values


def test_selection_is_described_with_kinds_and_missing_values():
    table = pd.DataFrame(
        {
            "some": with_values(150),
            "mixed": ["1", "2.5"] * 99 + ["?", "so"],
            "day": pd.date_range("2020-01-01", periods=N),
            "colour": ["red", "blue"] * 100,
            "id": range(N),
        }
    )
    selection = selection_module.select("t.csv", table)
    assert report_module.describe_selection("t.csv", table, selection).splitlines() == [
        "t.csv: 200 rows, 5 columns",
        "",
        "numeric      2 columns: some, mixed",
        "datetime     1 column: day",
        "categorical  1 column: colour",
        "missing      52 values, 6.5% of these columns",
        "             some 50, mixed 2 ('?')",
        "             mixed: text in 1 row, such as 'so', is treated as missing",
        "left out     id: row numbers",
    ]


def test_narrow_table_says_that_pca_has_fewer_components():
    columns = np.random.default_rng(0).normal(size=(2, N))
    table = pd.DataFrame({"some": columns[0], "other": columns[1]})
    selection = selection_module.select("t.csv", table)
    evaluation = evaluate(selection, n_components=5)
    text = report_module.describe_evaluation(evaluation, selection, 5)
    assert "PCA has only 2 of 5 components" in text


def made_up(n_columns, is_categorical):
    """An evaluation whose first columns are reconstructed best, and its selection."""
    by_column = np.linspace(0.9, 0.1, n_columns)
    scores = Scores(by_column, 0.5, 0.6)
    near, far = (Distances(np.full(n_columns, d), d) for d in (0.1, 0.4))
    far.by_column[-1] = 0.7
    evaluation = Evaluation(
        n_train=40,
        n_held_out=10,
        n_pca_components=2,
        reconstruction={"PCA": scores, "skvae": scores},
        most_frequent=np.where(is_categorical, 0.25, np.nan),
        imputation={"skvae": scores, "most frequent": scores},
        log_likelihood={"PCA": None, "skvae": -1.5},
        neighbors={},
        neighbors_metric="",
        sampling={"training": near, "skvae": far},
    )
    X = pd.DataFrame(np.eye(n_columns), columns=[f"c{j}" for j in range(n_columns)])
    kinds = np.where(is_categorical, "categorical", "numeric")
    kinds = dict(zip(X, kinds, strict=True))
    return evaluation, selection_module.Selection(X, None, kinds, {}, {}, {})


def lines_after(text, title):
    _, _, after = text.partition(title)
    return [line.split() for line in after.split("\n\n")[0].splitlines()[1:]]


@pytest.mark.parametrize(("n_columns", "n_listed"), [(20, 20), (21, 20), (30, 20)])
@pytest.mark.parametrize("kind", ["R2", "accuracy"])
def test_best_and_worst_columns_are_listed_once(n_columns, n_listed, kind):
    evaluation, selection = made_up(n_columns, np.full(n_columns, kind == "accuracy"))
    text = report_module.describe_evaluation(evaluation, selection, 2)
    table = lines_after(text, f"{kind} of each column")
    listed = [line for line in table if line[0].startswith("c")]
    assert len({name for name, *_ in listed}) == len(listed) == n_listed
    figures = [float(line[2]) for line in listed]
    assert figures == sorted(figures, reverse=True)
    between = [line for line in table if "between)" in line]
    if n_columns == n_listed:
        assert between == []
    else:
        assert table.index(between[0]) == 10
        assert between[0][0] == f"({n_columns - 20}"


def test_kinds_of_columns_are_described_apart():
    is_categorical = np.array([False, True, False, True])
    evaluation, selection = made_up(4, is_categorical)
    evaluation.reconstruction["skvae"].by_column[0] = np.nan  # no value held out
    text = report_module.describe_evaluation(evaluation, selection, 2)
    assert lines_after(text, "R2 of each column") == [["c2", "0.367", "0.367"]]
    assert lines_after(text, "accuracy of each column") == [
        ["c1", "0.633", "0.633", "0.250"],
        ["c3", "0.100", "0.100", "0.250"],
    ]
    summary = [line.split() for line in text.splitlines()]
    assert ["R2", "of", "the", "reconstruction", "0.500", "0.500"] in summary
    assert ["accuracy", "of", "the", "reconstruction", "0.600", "0.600"] in summary
    assert "above that of the most frequent 0.350 0.350".split() in summary
    assert ["log-likelihood,", "nats", "per", "row", "-", "-1.50"] in summary
    imputation = lines_after(text, "imputation of hidden entries")
    assert imputation == [["R2", "0.500"], ["accuracy", "0.600", "0.600"]]
    only_categorical = report_module.describe_evaluation(
        *made_up(3, np.ones(3, dtype=bool)), 2
    )
    assert "R2" not in only_categorical


def test_sampled_rows_are_described_by_the_farthest_column():
    evaluation, selection = made_up(4, np.zeros(4, dtype=bool))
    text = report_module.describe_evaluation(evaluation, selection, 2)
    (line,) = [line for line in text.splitlines() if line.startswith("farthest")]
    assert line.split() == ["farthest", "column:", "c3", "0.100", "0.700"]


@pytest.mark.filterwarnings("error")
def test_table_without_a_single_figure_is_described():
    evaluation, selection = made_up(2, np.array([False, True]))
    nothing = np.full(2, np.nan)
    for scores in evaluation.reconstruction.values():
        scores.by_column[:], scores.r2, scores.accuracy = nothing, np.nan, np.nan
    evaluation.most_frequent = nothing
    for distances in evaluation.sampling.values():
        distances.by_column[:], distances.rank_correlations = nothing, np.nan
    text = report_module.describe_evaluation(evaluation, selection, 2)
    assert lines_after(text, "R2 of each column") == []
    assert ["R2", "of", "the", "reconstruction", "-", "-"] in lines_after(text, "\n\n")
    figures = lines_after(text, "distance to held-out rows")
    assert [line[-2:] for line in figures] == [["-", "-"]] * 3


@pytest.mark.parametrize("n_components", [1, 2, 3])
def test_picture_shows_the_embedding_and_the_columns(iris, n_components):
    pytest.importorskip("matplotlib")
    vae = VAETransformer(n_components, hidden_layer_sizes=(4,), max_iter=2)
    embedding = embed(iris, vae.fit(iris.X))
    figure = report_module.draw(
        "iris.csv", iris, evaluate(iris, n_components), embedding
    )
    left, right = figure.axes
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert labels == ["0", "1", "2"]
    named = {label.get_text() for label in right.get_yticklabels()}
    assert named == set(iris.X.columns)


def test_picture_of_a_map_has_no_ticks(iris):
    pytest.importorskip("matplotlib")
    vae = quick(2, n_neighbors=15).fit(iris.X)
    evaluation, embedding = evaluate(iris), embed(iris, vae)
    figure = report_module.draw("iris.csv", iris, evaluation, embedding, is_map=True)
    assert len(figure.axes[0].get_xticks()) == 0
    assert figure.axes[0].get_aspect() == 1
    figure = report_module.draw("iris.csv", iris, evaluation, embedding)
    assert len(figure.axes[0].get_xticks()) > 0


def test_picture_of_a_mixed_table_has_both_kinds(mixed):
    pytest.importorskip("matplotlib")
    evaluation = evaluate(mixed)
    embedding = pd.DataFrame(np.eye(N)[:, :2])
    figure = report_module.draw("t.csv", mixed, evaluation, embedding)
    _, numeric, categorical = figure.axes
    assert numeric.get_xlabel() == "R² of the column"
    label = "accuracy above that of\nthe most frequent category"
    assert categorical.get_xlabel() == label
    named = [label.get_text() for label in categorical.get_yticklabels()]
    gains = evaluation.reconstruction["skvae"].by_column - evaluation.most_frequent
    by_gain = sorted(["colour", "is_new"], key=lambda c: -gains[list(mixed.X).index(c)])
    assert named == by_gain
    bars = [bar.get_width() for bar in categorical.containers[1]]
    expected = sorted(gains[mixed.is_categorical], reverse=True)
    assert_allclose(bars, np.maximum(expected, 0))


def test_what_columns_are_taken_for_is_said():
    table = pd.DataFrame(
        {
            "zip": ["02109", "02110"] * 100,
            "price": ["$1,200.50", "$3.00"] * 100,
            "day": ["1/2/2020", "3/4/2020"] * 100,
            "id": np.arange(N) + 1234567890123456000,
        }
    )
    selection = selection_module.select("t.csv", table)
    lines = report_module.describe_selection("t.csv", table, selection).splitlines()
    assert lines[2:] == [
        "numeric      1 column: price",
        "categorical  2 columns: zip, day",
        "taken for    zip: codes, as some begin with 0",
        "taken for    price: numbers with ',' between thousands, '$'",
        "taken for    day: text that looks like dates, such as '1/2/2020', not read: "
        "day and month cannot be told apart",
        "left out     id: whole numbers of more than 15 digits",
    ]


def test_how_many_categories_are_pooled_is_said():
    def describe(tails):
        table = pd.DataFrame({"tail": tails, "km": np.arange(100) % 7})
        selection = selection_module.select("flights", table)
        return report_module.describe_selection("flights", table, selection)

    text = describe(["N1"] * 60 + [f"N{i}" for i in range(100, 140)])
    assert "pooled       tail: 41 categories, of which the 40 rarest are pooled" in text
    assert "pooled" not in describe(["N1", "N2"] * 50)


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_report_fits_a_narrow_terminal(monkeypatch, mixed, columns):
    wide = made_up(30, np.arange(30) % 2 == 0)
    texts = {}
    for places in columns, 1_000:
        monkeypatch.setenv("COLUMNS", str(places))
        described = report_module.describe_selection("t.csv", mixed.X, mixed)
        texts[places] = described + report_module.describe_evaluation(*wide, 2)
    assert max(map(len, texts[columns].splitlines())) <= columns
    if columns > 40:  # no word is broken
        assert {*texts[1_000].split()} <= {*texts[columns].split()}
