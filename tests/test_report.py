import functools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import ks_2samp, spearmanr
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA

from skvae import VAETransformer, _report
from skvae._terminal import CommandError

# Two epochs are quick, and not meant to converge.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


N = 200


@pytest.fixture(autouse=True)
def quick_estimator(monkeypatch):
    quick = functools.partial(VAETransformer, hidden_layer_sizes=(4,), max_iter=2)
    monkeypatch.setattr(_report, "VAETransformer", quick)


def silent(task):
    pass


def some_column(seed=0):
    return np.random.default_rng(seed).normal(size=N)


def select(label_column=None, **columns):
    table = pd.DataFrame({"some": some_column()} | columns)
    return _report.select("t.csv", table, label_column)


def with_missing(n_missing, seed=1):
    values = some_column(seed)
    values[:n_missing] = np.nan
    return values


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, False] * 100, [1.0, 0.0] * 100),
        ([3, 5] * 100, [3.0, 5.0] * 100),
        (pd.array([3, 5] * 100, dtype="Int64"), [3.0, 5.0] * 100),
        (pd.array([True, False] * 100, dtype="boolean"), [1.0, 0.0] * 100),
        (np.array([True, False] * 100, dtype=object), [1.0, 0.0] * 100),
        (np.array([0.5, 2] * 100, dtype=np.float32), [0.5, 2.0] * 100),
    ],
)
def test_numbers_and_booleans_are_used(values, expected):
    assert_array_equal(select(column=values).X["column"], expected)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["x", "y"] * 100, "not numeric (text)"),
        (["1.5"] * 199 + ["?"], "not numeric (text in 1 rows, first '?')"),
        (pd.date_range("2020-01-01", periods=N), "not numeric (datetime)"),
        (pd.Categorical(["x", "y"] * 100), "not numeric (categorical)"),
        ([1 + 2j, 3 - 1j] * 100, "not numeric (complex)"),
        ([np.nan] * N, "no value"),
        ([7.5] * N, "constant"),
        (np.arange(N), "row numbers"),
        (np.arange(1, N + 1), "row numbers"),
        ([1e300, -1e300] * 100, "values beyond 1e+100"),
        (with_missing(51), "51 missing values, with which fewer than 75% of the rows"),
        (pd.array([1, None] * 100, dtype="Int64"), "100 missing values"),
    ],
)
def test_column_is_left_out_for_a_reason(values, reason):
    selection = select(column=values)
    ((given, columns),) = selection.left_out.items()
    assert given.startswith(reason)
    assert columns == ["column"]
    assert list(selection.X.columns) == ["some"]
    assert selection.complete.all()


def test_few_missing_values_cost_their_rows_not_their_column():
    selection = select(column=with_missing(10))
    assert list(selection.X.columns) == ["some", "column"]
    assert_array_equal(np.flatnonzero(~selection.complete), np.arange(10))
    assert len(selection.X) == N - 10


def test_infinity_is_a_missing_value():
    values = some_column(1)
    values[7] = np.inf
    assert_array_equal(np.flatnonzero(~select(column=values).complete), [7])


def test_missing_values_of_all_columns_together_cost_a_quarter_of_the_rows():
    holed = {f"x{j}": np.roll(with_missing(20, j), 20 * j) for j in range(5)}
    selection = select(**holed)
    assert list(selection.X.columns) == ["some", "x0", "x1"]
    assert len(selection.X) == N - 40


def test_column_that_is_constant_in_the_complete_rows_is_left_out():
    odd = np.zeros(N)
    odd[0] = 1.0
    selection = select(gap=with_missing(1), odd=odd)
    assert selection.left_out == {"constant": ["odd"]}


def test_label_is_left_out_and_kept_in_step():
    labels = [f"class {i % 3}" for i in range(N)]
    selection = select("label", gap=with_missing(3), label=labels)
    assert selection.left_out == {"label": ["label"]}
    assert list(selection.y) == labels[3:]


def test_selection_names_all_reasons_when_nothing_is_left():
    table = pd.DataFrame({"a": ["x"] * 20, "b": 1.0})
    message = r"t: no numeric column to fit \(a: not numeric \(text\); b: constant\)"
    with pytest.raises(CommandError, match=message):
        _report.select("t", table)


@pytest.fixture(scope="module")
def iris():
    frame = load_iris(as_frame=True).frame
    return _report.select("iris.csv", frame.astype({"target": str}), "target")


def evaluate(selection, n_components=2):
    return _report.evaluate(selection, n_components, "standard", 0, silent)


def test_a_fifth_of_the_rows_is_held_out(iris, monkeypatch):
    evaluation = evaluate(iris)
    assert (evaluation.n_train, evaluation.n_held_out) == (120, 30)
    monkeypatch.setattr(_report, "MAX_HELD_OUT", 7)
    assert evaluate(iris).n_held_out == 7


def test_pca_is_measured_on_standardised_columns_in_the_tables_units(iris):
    """Against PCA on columns that are standardised beforehand."""
    evaluation = evaluate(iris)
    is_test = iris.X.index.isin(_held_out_index(iris, evaluation))
    train, test = iris.X[~is_test].to_numpy(), iris.X[is_test].to_numpy()
    center, scale = train.mean(axis=0), train.std(axis=0)
    train, test = (train - center) / scale, (test - center) / scale
    pca = PCA(2).fit(train)
    residual = test - pca.inverse_transform(pca.transform(test))
    assert_allclose(
        evaluation.r2["PCA"],
        1 - (residual**2).sum() / ((test - test.mean(axis=0)) ** 2).sum(),
    )
    assert_allclose(
        evaluation.log_likelihood["PCA"], pca.score(test) - np.log(scale).sum()
    )


def _held_out_index(selection, evaluation):
    rows = {tuple(row) for row in evaluation.X_test}
    twins = selection.X.apply(tuple, axis=1)
    found = twins[twins.isin(rows)]
    assert len(found) == evaluation.n_held_out  # no twin of a held-out row is fitted
    return found.index


def test_figures_do_not_depend_on_units_but_for_the_densitys_scale(iris):
    evaluation = evaluate(iris)
    iris_mm = _report.Selection(**(vars(iris) | {"X": iris.X * 10}))
    in_mm = evaluate(iris_mm)
    for method in ("PCA", "skvae"):
        assert_allclose(in_mm.r2[method], evaluation.r2[method], rtol=1e-4)
        assert_allclose(
            in_mm.log_likelihood[method],
            evaluation.log_likelihood[method] - 4 * np.log(10),
            rtol=1e-4,
        )


def test_classes_are_found_from_their_neighbours(iris):
    evaluation = evaluate(iris)
    assert evaluation.neighbors_measure == "10-NN accuracy of target"
    assert min(evaluation.neighbors.values()) > 0.8


def test_values_are_predicted_from_their_neighbours(iris):
    values = iris.X.iloc[:, 2].rename("length") * 2.5
    values.iloc[::7] = np.nan
    selection = _report.Selection(**(vars(iris) | {"y": values}))
    evaluation = evaluate(selection)
    assert evaluation.neighbors_measure == "10-NN R2 of length"
    assert min(evaluation.neighbors.values()) > 0.8


def test_label_without_values_gives_no_figure(iris):
    nothing = pd.Series([None] * len(iris.X), index=iris.X.index)
    selection = _report.Selection(**(vars(iris) | {"y": nothing}))
    assert evaluate(selection).neighbors == {}


def test_narrow_table_says_that_pca_has_fewer_components():
    evaluation = evaluate(select(column=some_column(1)), n_components=5)
    text = _report.describe_evaluation(evaluation, ["some", "column"], 5)
    assert "PCA has 2 of the 5 components" in text


def test_singular_covariance_has_no_likelihood():
    some = some_column()
    selection = select(twin=some, sum=some + some)
    evaluation = evaluate(selection, n_components=3)
    value = evaluation.log_likelihood["PCA"]
    assert value is None or np.isfinite(value)


@pytest.mark.parametrize(
    ("best_iter", "n_held_out", "said"),
    [(0, 99, ["skvae is PCA here"]), (3, 29, ["29 held-out rows tell"]), (3, 30, [])],
)
def test_what_the_figures_do_not_say_is_noted(best_iter, n_held_out, said):
    vae = VAETransformer()
    vae.best_iter_ = best_iter
    notes = _report._notes(n_held_out, vae)
    assert len(notes) == len(said)
    assert all(words in note for words, note in zip(said, notes, strict=True))


@pytest.mark.parametrize(("n_columns", "n_listed"), [(20, 20), (21, 20), (30, 20)])
def test_best_and_worst_columns_are_listed_once(n_columns, n_listed):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, n_columns))
    columns = [f"c{j}" for j in range(n_columns)]
    noise = rng.normal(size=X.shape) * np.linspace(0.1, 1, n_columns)
    some = _report.Distances(np.zeros(n_columns), 0.0)
    drawn = {"training rows": some, "skvae": some}
    evaluation = _report.Evaluation(
        40, 10, 2, {}, {}, {}, "", X, {"PCA": X, "skvae": X + noise}, drawn
    )
    text = _report.describe_evaluation(evaluation, columns, 2)
    table = text[text.index("R2 of each column") : text.index("drawn rows")]
    table = table.splitlines()[1:]
    listed = [line.split() for line in table if line.startswith("c")]
    assert len({name for name, *_ in listed}) == len(listed) == n_listed
    r2 = [float(line[-1]) for line in listed]
    assert r2 == sorted(r2, reverse=True)
    skipped = [line for line in table if "between" in line]
    if n_columns == n_listed:
        assert skipped == []
    else:
        assert table.index(skipped[0]) == 10
        assert f"({n_columns - 20} columns between)" in skipped[0]


def test_distances_are_those_of_scipy():
    rng = np.random.default_rng(0)
    X, shift = rng.normal(size=(300, 3)), np.array([0.0, 1.0, 0.0])
    X[:, 2] += X[:, 0]
    rows = rng.permuted(X, axis=0) + shift
    found = _report._distances(rows, pd.DataFrame(X))
    expected = [ks_2samp(rows[:, j], X[:, j]).statistic for j in range(3)]
    assert_allclose(found.by_column, expected)
    gap = spearmanr(rows).statistic - spearmanr(X).statistic
    assert found.correlations == pytest.approx(abs(gap[np.triu_indices(3, 1)]).mean())
    assert _report._distances(X, pd.DataFrame(X)).correlations == 0
    constant = _report._distances(X * [1, 1, 0], pd.DataFrame(X))
    assert np.isfinite(constant.correlations)
    assert _report._distances(X[:, :1], pd.DataFrame(X[:, :1])).correlations == 0


def test_drawn_rows_are_described_by_the_farthest_column(iris):
    evaluation = evaluate(iris)
    evaluation.drawn["skvae"].by_column[:] = [0.1, 0.2, 0.9, 0.1]
    columns = list(iris.X.columns)
    text = _report.describe_evaluation(evaluation, columns, 2)
    (line,) = [line for line in text.splitlines() if line.startswith("farthest")]
    assert line.startswith(f"farthest: {columns[2]}")
    assert line.endswith("0.900")


def test_embedding_is_empty_where_a_row_was_not_fitted():
    selection = select(column=with_missing(3))
    selection.index = selection.index + 50
    vae = VAETransformer(2, hidden_layer_sizes=(4,), max_iter=2, random_state=0)
    embedding = _report.embed(selection, vae.fit(selection.X))
    assert_array_equal(embedding.index, np.arange(50, 50 + N))
    assert embedding.iloc[:3].isna().all(axis=None)
    assert_allclose(embedding.iloc[3:], vae.transform(selection.X))


@pytest.mark.parametrize("n_components", [1, 2, 3])
def test_picture_shows_the_embedding_and_the_columns(iris, n_components):
    pytest.importorskip("matplotlib")
    vae = VAETransformer(n_components, hidden_layer_sizes=(4,), max_iter=2)
    embedding = _report.embed(iris, vae.fit(iris.X))
    figure = _report.draw("iris.csv", iris, evaluate(iris, n_components), embedding)
    left, right = figure.axes
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert labels == ["0", "1", "2"]
    named = {label.get_text() for label in right.get_yticklabels()}
    assert named == set(iris.X.columns)
