import functools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import ks_2samp, spearmanr
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skvae import VAETransformer
from skvae._cli import report as report_module
from skvae._cli import selection as selection_module

# Two epochs are quick, and not meant to converge.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


N = 200


quick = functools.partial(
    VAETransformer, hidden_layer_sizes=(4,), max_iter=2, random_state=0
)


def silent(task):
    pass


def some_column(seed=0):
    return np.random.default_rng(seed).normal(size=N)


def select(label_column=None, **columns):
    table = pd.DataFrame({"some": some_column()} | columns)
    return selection_module.select("t.csv", table, label_column)


@pytest.fixture(scope="module")
def iris():
    frame = load_iris(as_frame=True).frame
    return selection_module.select("iris.csv", frame.astype({"target": str}), "target")


def evaluate(selection, n_components=2):
    return report_module.evaluate(selection, quick(n_components), silent)


def test_a_fifth_of_the_rows_is_held_out(iris, monkeypatch):
    evaluation = evaluate(iris)
    assert (evaluation.n_train, evaluation.n_held_out) == (120, 30)
    monkeypatch.setattr(report_module, "MAX_HELD_OUT", 7)
    assert evaluate(iris).n_held_out == 7


def split(selection, evaluation):
    """The rows that are fitted and those that are held out, as evaluate splits them."""
    n_held_out = evaluation.n_held_out
    train, test = train_test_split(
        np.arange(len(selection.X)), test_size=n_held_out, random_state=0
    )
    return selection.X.iloc[train], selection.X.iloc[test]


def test_pca_is_measured_on_standardised_columns_in_the_tables_units(iris):
    """Against PCA on columns that are standardised beforehand."""
    evaluation = evaluate(iris)
    train, test = (part.to_numpy() for part in split(iris, evaluation))
    center, scale = train.mean(axis=0), train.std(axis=0)
    train, test = (train - center) / scale, (test - center) / scale
    pca = PCA(2).fit(train)
    back = pca.inverse_transform(pca.transform(test))
    assert_allclose(
        evaluation.back["PCA"].r2,
        r2_score(test, back, multioutput="variance_weighted"),
    )
    assert_allclose(
        evaluation.back["PCA"].by_column,
        r2_score(test, back, multioutput="raw_values"),
    )
    assert_allclose(
        evaluation.log_likelihood["PCA"], pca.score(test) - np.log(scale).sum()
    )


@pytest.fixture(scope="module")
def mixed():
    """Numbers, a date and levels, a tenth of the entries missing."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=N)
    days = (20 * (size + rng.normal(size=N))).round()
    table = pd.DataFrame(
        {
            "size": size,
            "colour": np.where(size > 0.4, "red", np.where(size < -1, "blue", "green")),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D"),
            "count": rng.poisson(np.exp(size)),
            "is_new": size > rng.normal(size=N),
        }
    )
    table = table.mask(rng.random(table.shape) < 0.1)
    return selection_module.select("t.csv", table.astype({"count": "Int64"}))


def test_pca_of_a_mixed_table_is_that_of_sklearns_steps(mixed):
    """Against the pipeline that a user of scikit-learn builds by hand."""
    evaluation = evaluate(mixed)
    numbers, levels = ["size", "day", "count"], ["colour", "is_new"]
    assert list(mixed.kinds) == list(mixed.X.columns)
    train, test = (
        part.assign(
            day=(part["day"] - pd.Timestamp("2020-01-01")) / pd.Timedelta(days=1),
            count=part["count"].astype("float64"),
            **{level: part[level].astype(object) for level in levels},
        )
        for part in split(mixed, evaluation)
    )
    scaler, one_hot = StandardScaler(), OneHotEncoder(sparse_output=False)
    prepare = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), scaler), numbers),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot), levels),
    )
    pca = PCA(2).fit(prepare.fit_transform(train))
    back = pca.inverse_transform(pca.transform(prepare.transform(test)))
    scaler = prepare.transformers_[0][1][1]
    one_hot = prepare.transformers_[1][1][1]
    back_numbers = scaler.inverse_transform(back[:, :3])
    back_levels = one_hot.inverse_transform(back[:, 3:])

    found = dict(zip(mixed.X.columns, evaluation.back["PCA"].by_column, strict=True))
    residual, total = 0, 0
    for j, column in enumerate(numbers):
        seen = test[column].notna().to_numpy()
        truth = test.loc[seen, column]
        assert_allclose(found[column], r2_score(truth, back_numbers[seen, j]))
        variance = train[column].var(ddof=0)
        residual += ((truth - back_numbers[seen, j]) ** 2).sum() / variance
        total += ((truth - truth.mean()) ** 2).sum() / variance
    assert_allclose(evaluation.back["PCA"].r2, 1 - residual / total)
    for j, column in enumerate(levels):
        seen = test[column].notna().to_numpy()
        truth = test.loc[seen, column].astype(str)
        given = back_levels[seen, j].astype(str)
        assert_allclose(found[column], accuracy_score(truth, given))
    accuracies = [found[column] for column in levels]
    assert_allclose(evaluation.back["PCA"].accuracy, np.mean(accuracies))
    assert evaluation.log_likelihood["PCA"] is None


def test_majority_is_that_of_the_training_rows(mixed):
    evaluation = evaluate(mixed)
    train, test = split(mixed, evaluation)
    for column, share in zip(mixed.X.columns, evaluation.majority, strict=True):
        if mixed.kinds[column] == "levels":
            hits = test[column].dropna() == train[column].mode()[0]
            assert share == pytest.approx(hits.mean())
        else:
            assert np.isnan(share)


def test_inverse_and_likelihood_are_those_of_the_estimator(mixed):
    evaluation = evaluate(mixed)
    train, test = split(mixed, evaluation)
    vae = quick(2).fit(train)
    back = vae.inverse_transform(vae.transform(test)).set_axis(test.index)
    found = evaluation.back["skvae"].by_column
    seen = test["size"].notna()
    expected = r2_score(test["size"][seen], back["size"][seen])
    assert found[0] == pytest.approx(expected)
    seen = test["colour"].notna()
    expected = accuracy_score(test["colour"][seen], back["colour"][seen])
    assert found[1] == pytest.approx(expected)
    assert evaluation.log_likelihood["skvae"] == pytest.approx(vae.score(test))


def test_every_observed_entry_is_hidden_once_and_filled_in(mixed):
    hidden = []

    class Oracle:
        """Fills in the truth, and a constant from the fourth hiding on."""

        def impute(self, X):
            hidden.append(X.isna().to_numpy())
            return mixed.X if len(hidden) < 4 else mixed.X.iloc[np.zeros(N, dtype=int)]

    schema = report_module.fit_schema(mixed.X)
    truth = schema.encode(mixed.X)
    filled = report_module._fill(Oracle(), mixed.X, truth, schema, 0)
    missing = np.isnan(truth)
    times = sum(holes & ~missing for holes in hidden)
    assert (times == ~missing).all()
    assert len(hidden) == 10
    right = hidden[0] | hidden[1] | hidden[2]
    assert_array_equal(filled[right & ~missing], truth[right & ~missing])
    wrong = ~right & ~missing
    expected = np.broadcast_to(truth[0], truth.shape)[wrong]
    assert_array_equal(filled[wrong], expected)


def test_level_that_only_held_out_rows_have_counts_as_wrong(mixed, recwarn):
    test = split(mixed, evaluate(mixed))[1]
    X = mixed.X.copy()
    X.loc[test.index, "colour"] = "unheard of"
    evaluation = evaluate(selection_module.Selection(**(vars(mixed) | {"X": X})))
    colour = list(X.columns).index("colour")
    assert {q.by_column[colour] for q in evaluation.back.values()} == {0}
    assert evaluation.drawn["skvae"].by_column[colour] == 1
    assert not [w for w in recwarn if "did not see" in str(w.message)]


def test_text_may_be_near_the_limit_of_what_is_a_category():
    """Which the fitted part of the rows, with fewer of them, is beyond."""
    levels = [f"level {i // 2}" for i in range(N)]
    selection = select(column=levels)
    assert selection.kinds["column"] == "levels"
    assert np.isfinite(evaluate(selection).back["skvae"].accuracy)


def test_integers_are_not_rounded_on_the_way_back():
    """As PCA's are not; those of drawn rows are, as a file has them."""
    size = some_column()
    selection = select(count=(2 * size).round().astype(int))
    evaluation = evaluate(selection)
    assert evaluation.back["skvae"].by_column[1] == pytest.approx(
        evaluation.back["PCA"].by_column[1], abs=0.02
    )


def test_figures_do_not_depend_on_units_but_for_the_densitys_scale(iris):
    evaluation = evaluate(iris)
    iris_mm = selection_module.Selection(**(vars(iris) | {"X": iris.X * 10}))
    in_mm = evaluate(iris_mm)
    for method in ("PCA", "skvae"):
        assert_allclose(in_mm.back[method].r2, evaluation.back[method].r2, rtol=1e-4)
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
    selection = selection_module.Selection(**(vars(iris) | {"y": values}))
    evaluation = evaluate(selection)
    assert evaluation.neighbors_measure == "10-NN R2 of length"
    assert min(evaluation.neighbors.values()) > 0.8


def test_label_without_values_gives_no_figure(iris):
    nothing = pd.Series([None] * len(iris.X), index=iris.X.index)
    selection = selection_module.Selection(**(vars(iris) | {"y": nothing}))
    assert evaluate(selection).neighbors == {}


def test_narrow_table_says_that_pca_has_fewer_components():
    selection = select(column=some_column(1))
    evaluation = evaluate(selection, n_components=5)
    text = report_module.describe_evaluation(evaluation, selection, 5)
    assert "PCA has 2 of the 5 components" in text


def test_singular_covariance_has_no_likelihood():
    some = some_column()
    selection = select(twin=some, sum=some + some)
    evaluation = evaluate(selection, n_components=3)
    value = evaluation.log_likelihood["PCA"]
    assert value is None or np.isfinite(value)


@pytest.mark.parametrize(
    ("best_iter", "n_held_out", "has_levels", "said"),
    [
        (0, 99, False, ["skvae is PCA here"]),
        (0, 99, True, ["skvae is\nthat linear model here"]),
        (3, 29, True, ["29 held-out rows tell"]),
        (3, 30, False, []),
    ],
)
def test_what_the_figures_do_not_say_is_noted(best_iter, n_held_out, has_levels, said):
    vae = VAETransformer()
    vae.best_iter_ = best_iter
    notes = report_module._notes(n_held_out, vae, has_levels)
    assert len(notes) == len(said)
    assert all(words in note for words, note in zip(said, notes, strict=True))


def made_up(n_columns, is_level):
    """An evaluation whose first columns come back best, and its selection."""
    by_column = np.linspace(0.9, 0.1, n_columns)
    quality = report_module.Quality(by_column, 0.5, 0.6)
    near, far = (report_module.Distances(np.full(n_columns, d), d) for d in (0.1, 0.4))
    far.by_column[-1] = 0.7
    evaluation = report_module.Evaluation(
        n_train=40,
        n_held_out=10,
        n_pca=2,
        back={"PCA": quality, "skvae": quality},
        majority=np.where(is_level, 0.25, np.nan),
        filled={"skvae": quality, "majority": quality},
        log_likelihood={"PCA": None, "skvae": -1.5},
        neighbors={},
        neighbors_measure="",
        drawn={"training": near, "skvae": far},
    )
    X = pd.DataFrame(np.eye(n_columns), columns=[f"c{j}" for j in range(n_columns)])
    kinds = dict(zip(X, np.where(is_level, "levels", "numbers"), strict=True))
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
    is_level = np.array([False, True, False, True])
    evaluation, selection = made_up(4, is_level)
    evaluation.back["skvae"].by_column[0] = np.nan  # no value held out
    text = report_module.describe_evaluation(evaluation, selection, 2)
    assert lines_after(text, "R2 of each column") == [["c2", "0.367", "0.367"]]
    assert lines_after(text, "accuracy of each column") == [
        ["c1", "0.633", "0.633", "0.250"],
        ["c3", "0.100", "0.100", "0.250"],
    ]
    summary = [line.split() for line in text.splitlines()]
    assert ["R2", "of", "the", "inverse", "0.500", "0.500"] in summary
    assert ["accuracy", "of", "the", "inverse", "0.600", "0.600"] in summary
    assert ["above", "the", "majority's", "0.350", "0.350"] in summary
    assert ["log-likelihood,", "nats", "-", "-1.50"] in summary
    filled = lines_after(text, "hidden entries, filled in")
    assert filled == [["R2", "0.500"], ["accuracy", "0.600", "0.600"]]
    only_levels = report_module.describe_evaluation(
        *made_up(3, np.ones(3, dtype=bool)), 2
    )
    assert "R2" not in only_levels


def test_distances_are_those_of_scipy():
    rng = np.random.default_rng(0)
    X, shift = rng.normal(size=(300, 3)), np.array([0.0, 1.0, 0.0])
    X[:, 2] += X[:, 0]
    rows = rng.permuted(X, axis=0) + shift
    numbers = np.zeros(3, dtype=bool)
    found = report_module.distances(rows, X, numbers)
    expected = [ks_2samp(rows[:, j], X[:, j]).statistic for j in range(3)]
    assert_allclose(found.by_column, expected)
    gap = spearmanr(rows).statistic - spearmanr(X).statistic
    assert found.correlations == pytest.approx(abs(gap[np.triu_indices(3, 1)]).mean())
    assert report_module.distances(X, X, numbers).correlations == 0
    constant = report_module.distances(X * [1, 1, 0], X, numbers)
    assert np.isfinite(constant.correlations)
    alone = report_module.distances(X[:, :1], X[:, :1], numbers[:1])
    assert np.isnan(alone.correlations)


def test_distances_skip_missing_entries():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    holed = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    found = report_module.distances(holed, X, np.zeros(2, dtype=bool))
    seen = ~np.isnan(holed)
    expected = [ks_2samp(holed[seen[:, j], j], X[:, j]).statistic for j in range(2)]
    assert_allclose(found.by_column, expected)
    both = seen.all(axis=1)
    pairwise = spearmanr(holed[both]).statistic
    assert report_module.rank_correlations(holed)[0] == pytest.approx(
        pairwise, abs=0.02
    )
    nothing = np.full((5, 2), np.nan)
    assert np.isnan(
        report_module.distances(nothing, X, np.zeros(2, dtype=bool)).by_column
    ).all()


def test_distance_of_levels_is_half_of_what_shares_differ_by():
    drawn, held_out = np.array([[0.0, 0, 1, 1]]).T, np.array([[0.0, 2, 2, np.nan]]).T
    (found,) = report_module.distances(drawn, held_out, np.array([True])).by_column
    expected = 0.5 * (abs(1 / 2 - 1 / 3) + 1 / 2 + 2 / 3)
    assert found == pytest.approx(expected)


def test_drawn_rows_are_described_by_the_farthest_column():
    evaluation, selection = made_up(4, np.zeros(4, dtype=bool))
    text = report_module.describe_evaluation(evaluation, selection, 2)
    (line,) = [line for line in text.splitlines() if line.startswith("farthest")]
    assert line.split() == ["farthest:", "c3", "0.100", "0.700"]


@pytest.mark.parametrize("n_components", [1, 2, 3])
def test_picture_shows_the_embedding_and_the_columns(iris, n_components):
    pytest.importorskip("matplotlib")
    vae = VAETransformer(n_components, hidden_layer_sizes=(4,), max_iter=2)
    embedding = selection_module.embed(iris, vae.fit(iris.X))
    figure = report_module.draw(
        "iris.csv", iris, evaluate(iris, n_components), embedding
    )
    left, right = figure.axes
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert labels == ["0", "1", "2"]
    named = {label.get_text() for label in right.get_yticklabels()}
    assert named == set(iris.X.columns)


def test_picture_of_a_mixed_table_has_both_kinds(mixed):
    pytest.importorskip("matplotlib")
    evaluation = evaluate(mixed)
    embedding = pd.DataFrame(np.eye(N)[:, :2])
    figure = report_module.draw("t.csv", mixed, evaluation, embedding)
    _, numbers, levels = figure.axes
    assert numbers.get_xlabel() == "R² of the column"
    assert levels.get_xlabel() == "accuracy above the majority's"
    named = [label.get_text() for label in levels.get_yticklabels()]
    gains = evaluation.back["skvae"].by_column - evaluation.majority
    by_gain = sorted(["colour", "is_new"], key=lambda c: -gains[list(mixed.X).index(c)])
    assert named == by_gain
    bars = [bar.get_width() for bar in levels.containers[1]]
    expected = sorted(gains[mixed.is_level], reverse=True)
    assert_allclose(bars, np.maximum(expected, 0))
