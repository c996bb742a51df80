import functools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import ks_2samp, spearmanr
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skvae import VAETransformer
from skvae._cli import evaluation as evaluation_module
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


def evaluate(selection, n_components=2):
    return evaluation_module.evaluate(selection, quick(n_components), silent)


def test_a_fifth_of_the_rows_is_held_out(iris, monkeypatch):
    evaluation = evaluate(iris)
    assert (evaluation.n_train, evaluation.n_held_out) == (120, 30)
    monkeypatch.setattr(evaluation_module, "MAX_HELD_OUT", 7)
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

    schema = evaluation_module.fit_schema(mixed.X)
    truth = schema.encode(mixed.X)
    filled = evaluation_module._fill(Oracle(), mixed.X, truth, schema, 0)
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
    notes = evaluation_module._notes(n_held_out, vae, has_levels)
    assert len(notes) == len(said)
    assert all(words in note for words, note in zip(said, notes, strict=True))


def test_distances_are_those_of_scipy():
    rng = np.random.default_rng(0)
    X, shift = rng.normal(size=(300, 3)), np.array([0.0, 1.0, 0.0])
    X[:, 2] += X[:, 0]
    rows = rng.permuted(X, axis=0) + shift
    numbers = np.zeros(3, dtype=bool)
    found = evaluation_module.distances(rows, X, numbers)
    expected = [ks_2samp(rows[:, j], X[:, j]).statistic for j in range(3)]
    assert_allclose(found.by_column, expected)
    gap = spearmanr(rows).statistic - spearmanr(X).statistic
    assert found.correlations == pytest.approx(abs(gap[np.triu_indices(3, 1)]).mean())
    assert evaluation_module.distances(X, X, numbers).correlations == 0
    constant = evaluation_module.distances(X * [1, 1, 0], X, numbers)
    assert np.isfinite(constant.correlations)
    alone = evaluation_module.distances(X[:, :1], X[:, :1], numbers[:1])
    assert np.isnan(alone.correlations)


def test_distances_skip_missing_entries():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    holed = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    found = evaluation_module.distances(holed, X, np.zeros(2, dtype=bool))
    seen = ~np.isnan(holed)
    expected = [ks_2samp(holed[seen[:, j], j], X[:, j]).statistic for j in range(2)]
    assert_allclose(found.by_column, expected)
    both = seen.all(axis=1)
    pairwise = spearmanr(holed[both]).statistic
    assert evaluation_module.rank_correlations(holed)[0] == pytest.approx(
        pairwise, abs=0.02
    )
    nothing = np.full((5, 2), np.nan)
    assert np.isnan(
        evaluation_module.distances(nothing, X, np.zeros(2, dtype=bool)).by_column
    ).all()


def test_distance_of_levels_is_half_of_what_shares_differ_by():
    drawn, held_out = np.array([[0.0, 0, 1, 1]]).T, np.array([[0.0, 2, 2, np.nan]]).T
    (found,) = evaluation_module.distances(drawn, held_out, np.array([True])).by_column
    expected = 0.5 * (abs(1 / 2 - 1 / 3) + 1 / 2 + 2 / 3)
    assert found == pytest.approx(expected)
