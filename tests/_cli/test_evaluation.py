import functools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
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
    reconstructed = pca.inverse_transform(pca.transform(test))
    assert_allclose(
        evaluation.reconstruction["PCA"].r2,
        r2_score(test, reconstructed, multioutput="variance_weighted"),
    )
    assert_allclose(
        evaluation.reconstruction["PCA"].by_column,
        r2_score(test, reconstructed, multioutput="raw_values"),
    )
    assert_allclose(
        evaluation.log_likelihood["PCA"], pca.score(test) - np.log(scale).sum()
    )


def test_pca_of_a_mixed_table_is_that_of_sklearns_steps(mixed):
    """Against the pipeline that a user of scikit-learn builds by hand."""
    evaluation = evaluate(mixed)
    numeric, categorical = ["size", "day", "count"], ["colour", "is_new"]
    assert list(mixed.kinds) == list(mixed.X.columns)
    train, test = (
        part.assign(
            day=(part["day"] - pd.Timestamp("2020-01-01")) / pd.Timedelta(days=1),
            count=part["count"].astype("float64"),
            **{name: part[name].astype(object) for name in categorical},
        )
        for part in split(mixed, evaluation)
    )
    scaler, one_hot = StandardScaler(), OneHotEncoder(sparse_output=False)
    prepare = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), scaler), numeric),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot), categorical),
    )
    pca = PCA(2).fit(prepare.fit_transform(train))
    reconstructed = pca.inverse_transform(pca.transform(prepare.transform(test)))
    scaler = prepare.transformers_[0][1][1]
    one_hot = prepare.transformers_[1][1][1]
    reconstructed_numbers = scaler.inverse_transform(reconstructed[:, :3])
    reconstructed_categories = one_hot.inverse_transform(reconstructed[:, 3:])

    by_column = evaluation.reconstruction["PCA"].by_column
    found = dict(zip(mixed.X.columns, by_column, strict=True))
    residual, total = 0, 0
    for j, column in enumerate(numeric):
        seen = test[column].notna().to_numpy()
        truth = test.loc[seen, column]
        assert_allclose(found[column], r2_score(truth, reconstructed_numbers[seen, j]))
        variance = train[column].var(ddof=0)
        residual += ((truth - reconstructed_numbers[seen, j]) ** 2).sum() / variance
        total += ((truth - truth.mean()) ** 2).sum() / variance
    assert_allclose(evaluation.reconstruction["PCA"].r2, 1 - residual / total)
    for j, column in enumerate(categorical):
        seen = test[column].notna().to_numpy()
        truth = test.loc[seen, column].astype(str)
        given = reconstructed_categories[seen, j].astype(str)
        assert_allclose(found[column], accuracy_score(truth, given))
    accuracies = [found[column] for column in categorical]
    assert_allclose(evaluation.reconstruction["PCA"].accuracy, np.mean(accuracies))
    assert evaluation.log_likelihood["PCA"] is None


def test_most_frequent_category_is_that_of_the_training_rows(mixed):
    evaluation = evaluate(mixed)
    train, test = split(mixed, evaluation)
    for column, share in zip(mixed.X.columns, evaluation.most_frequent, strict=True):
        if mixed.kinds[column] == "categorical":
            hits = test[column].dropna() == train[column].mode()[0]
            assert share == pytest.approx(hits.mean())
        else:
            assert np.isnan(share)


def test_reconstruction_and_likelihood_are_those_of_the_estimator(mixed):
    evaluation = evaluate(mixed)
    train, test = split(mixed, evaluation)
    vae = quick(2).fit(train)
    reconstructed = vae.inverse_transform(vae.transform(test)).set_axis(test.index)
    found = evaluation.reconstruction["skvae"].by_column
    seen = test["size"].notna()
    expected = r2_score(test["size"][seen], reconstructed["size"][seen])
    assert found[0] == pytest.approx(expected)
    seen = test["colour"].notna()
    expected = accuracy_score(test["colour"][seen], reconstructed["colour"][seen])
    assert found[1] == pytest.approx(expected)
    assert evaluation.log_likelihood["skvae"] == pytest.approx(vae.score(test))


def test_every_observed_entry_is_hidden_once_and_imputed(mixed):
    hidden = []

    class Oracle:
        """Imputes the truth, and from the fourth round on the first row."""

        def impute(self, X):
            hidden.append(X.isna().to_numpy())
            return mixed.X if len(hidden) < 4 else mixed.X.iloc[np.zeros(N, dtype=int)]

    schema = evaluation_module.fit_schema(mixed.X)
    truth = schema.to_codes(mixed.X)
    imputed = evaluation_module._impute_hidden(Oracle(), mixed.X, truth, schema, 0)
    missing = np.isnan(truth)
    times = sum(some & ~missing for some in hidden)
    assert (times == ~missing).all()
    assert len(hidden) == 10
    right = hidden[0] | hidden[1] | hidden[2]
    assert_array_equal(imputed[right & ~missing], truth[right & ~missing])
    wrong = ~right & ~missing
    expected = np.broadcast_to(truth[0], truth.shape)[wrong]
    assert_array_equal(imputed[wrong], expected)


def test_category_that_only_held_out_rows_have_counts_as_wrong(mixed, recwarn):
    test = split(mixed, evaluate(mixed))[1]
    X = mixed.X.copy()
    X.loc[test.index, "colour"] = "unheard of"
    evaluation = evaluate(selection_module.Selection(**(vars(mixed) | {"X": X})))
    colour = list(X.columns).index("colour")
    assert {q.by_column[colour] for q in evaluation.reconstruction.values()} == {0}
    assert evaluation.sampling["skvae"].by_column[colour] == 1
    assert not [w for w in recwarn if "did not see" in str(w.message)]


def test_categories_may_be_near_the_limit_of_what_is_rare():
    """Which they are in the fitted part of the rows, that has fewer of them."""
    texts = [f"category {i // 5}" for i in range(N)]
    selection = select(column=texts)
    assert selection.kinds["column"] == "categorical"
    assert np.isfinite(evaluate(selection).reconstruction["skvae"].accuracy)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_columns_without_a_score_are_told_and_left_out_of_the_means():
    """Of .1 in all rows, no sum of which is exact, the computed variance is not 0."""
    _, test = train_test_split(np.arange(N), test_size=N // 5, random_state=0)
    in_held_out = np.isin(np.arange(N), test)
    other = some_column(1)
    columns = {
        "still_in_training": np.where(in_held_out, other, 0.1),
        "still_in_held_out": np.where(in_held_out, 0.1, other),
        "gone_in_held_out": np.where(in_held_out, np.nan, other),
        "no_class": np.where(in_held_out, None, np.where(other > 0, "a", "b")),
        "class": np.where(other > 0.5, "c", "d"),
    }
    evaluation = evaluate(select(**columns))
    assert evaluation.notes[-4:] == [
        "The R2 leaves out still_in_training: constant in the training rows.",
        "The R2 leaves out still_in_held_out: constant in the held-out rows.",
        "The R2 leaves out gone_in_held_out: missing in all held-out rows.",
        "The accuracy leaves out no_class: missing in all held-out rows.",
    ]
    for scores in [*evaluation.reconstruction.values(), evaluation.imputation["skvae"]]:
        assert list(np.isnan(scores.by_column)) == [False, *[True] * 4, False]
        assert scores.r2 == pytest.approx(scores.by_column[0])
        assert scores.accuracy == scores.by_column[-1]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_few_hidden_rows_may_have_fewer_scores_than_the_held_out(monkeypatch):
    monkeypatch.setattr(evaluation_module, "MAX_HIDDEN_ROWS", 20)
    _, test = train_test_split(np.arange(N), test_size=N // 5, random_state=0)
    varies = np.where(np.isin(np.arange(N), test[:20]), 0.1, some_column(1))
    evaluation = evaluate(select(varies=varies))
    assert evaluation.notes[-1] == (
        "The R2 of imputation leaves out varies: constant in the rows with hidden "
        "entries."
    )
    assert np.isfinite(evaluation.reconstruction["skvae"].by_column).all()
    scores = evaluation.imputation["skvae"]
    assert scores.r2 == pytest.approx(scores.by_column[0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("held_out", [7.0, np.inf])
def test_label_that_held_out_rows_share_gives_no_r2(iris, held_out):
    values = iris.X.iloc[:, 2].astype(float)
    _, test = train_test_split(np.arange(150), test_size=30, random_state=0)
    values.iloc[test] = held_out
    selection = selection_module.Selection(**(vars(iris) | {"y": values}))
    assert evaluate(selection).neighbors == {}


def test_integers_are_not_rounded_in_the_reconstruction():
    """PCA does not round them either. Sampled rows have them rounded, as a file has."""
    size = some_column()
    selection = select(count=(2 * size).round().astype(int))
    evaluation = evaluate(selection)
    assert evaluation.reconstruction["skvae"].by_column[1] == pytest.approx(
        evaluation.reconstruction["PCA"].by_column[1], abs=0.02
    )


def test_figures_do_not_depend_on_units_but_for_the_densitys_scale(iris):
    evaluation = evaluate(iris)
    iris_mm = selection_module.Selection(**(vars(iris) | {"X": iris.X * 10}))
    in_mm = evaluate(iris_mm)
    for method in ("PCA", "skvae"):
        r2 = [of.reconstruction[method].r2 for of in (in_mm, evaluation)]
        assert_allclose(*r2, rtol=1e-4)
        assert_allclose(
            in_mm.log_likelihood[method],
            evaluation.log_likelihood[method] - 4 * np.log(10),
            rtol=1e-4,
        )


def test_classes_are_found_from_their_neighbours(iris):
    evaluation = evaluate(iris)
    assert evaluation.neighbors_metric == "10-NN accuracy of target"
    assert min(evaluation.neighbors.values()) > 0.8


def test_values_are_predicted_from_their_neighbours(iris):
    values = iris.X.iloc[:, 2].rename("length") * 2.5
    values.iloc[::7] = np.nan
    selection = selection_module.Selection(**(vars(iris) | {"y": values}))
    evaluation = evaluate(selection)
    assert evaluation.neighbors_metric == "10-NN R2 of length"
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
    ("n_neighbors", "best_iter", "n_held_out", "has_categorical", "said"),
    [
        (None, 0, 99, False, ["skvae is PCA here"]),
        (None, 0, 99, True, ["skvae is the linear model here"]),
        (None, 3, 29, True, ["only 29 held-out rows"]),
        (None, 3, 30, False, []),
        (15, 0, 30, False, ["skvae is a map of 15 neighbours: "]),
        (1, 0, 30, True, ["skvae is a map of 1 neighbour: "]),
    ],
)
def test_notes_say_what_figures_do_not(
    n_neighbors, best_iter, n_held_out, has_categorical, said
):
    vae = VAETransformer(n_neighbors=n_neighbors)
    vae.best_iter_ = best_iter
    notes = evaluation_module._make_notes(n_held_out, vae, has_categorical)
    assert len(notes) == len(said)
    assert all(words in note for words, note in zip(said, notes, strict=True))
