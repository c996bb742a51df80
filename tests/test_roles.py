"""The model in other roles: an imputer in pipelines, an outlier detector."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skvae import VAEImputer, VAEOutlierDetector, VAETransformer, _detector, _vae

RNG = np.random.default_rng(0)
LINEAR = VAETransformer(2, hidden_layer_sizes=(), random_state=0)
LOADINGS = RNG.normal(size=(2, 6))
X = RNG.normal(size=(300, 2)) @ LOADINGS + 0.3 * RNG.normal(size=(300, 6))
HIDDEN = RNG.random(X.shape) < 0.2
INCOMPLETE = np.where(HIDDEN, np.nan, X)
ROLES = [VAEImputer, VAEOutlierDetector]


def frame(n=120):
    """A table of numbers, integers and categories, with missing values in each."""
    rng = np.random.default_rng(1)
    size = rng.normal(size=n)
    table = pd.DataFrame(
        {
            "length": size + 0.1 * rng.normal(size=n),
            "count": pd.Series((10 + 3 * size).round()).astype("Int64"),
            "kind": pd.Categorical(np.where(size > 0, "large", "small")),
        }
    )
    return table.mask(rng.random(table.shape) < 0.1)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("n_columns", "n_components"), [(1, 1), (4, 3), (20, 8)])
def test_without_a_model_it_has_one_of_its_own(role, n_columns, n_components):
    found = role(random_state=3)._make_estimator(np.zeros((5, n_columns)))
    assert found.n_components == n_components
    assert found.random_state == 3
    changed = (
        {"noise": "diag", "tol": 3.0} if role is VAEImputer else {"scaling": "quantile"}
    )
    expected = VAETransformer(n_components, random_state=3, **changed)
    assert found.get_params() == expected.get_params()


@pytest.mark.parametrize("role", ROLES)
def test_a_clone_is_fitted_with_the_seed_that_is_asked_for(role):
    given = clone(LINEAR)
    found = role(given).fit(X)
    assert not hasattr(given, "n_features_in_")
    assert found.estimator is given
    assert found.estimator_.random_state == 0
    assert role(given, random_state=7).fit(X).estimator_.random_state == 7
    assert given.random_state == 0


@pytest.mark.parametrize("role", ROLES)
def test_it_knows_the_columns_of_the_last_fit(role):
    table = pd.DataFrame(X, columns=[*"abcdef"])
    found = role(LINEAR).fit(table)
    assert found.n_features_in_ == 6
    assert [*found.feature_names_in_] == [*"abcdef"]
    assert not hasattr(found.fit(X), "feature_names_in_")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("estimator", ["vae", LogisticRegression(), VAETransformer])
def test_another_estimator_is_told_in_an_error(role, estimator):
    rule = f"'estimator' parameter of {role.__name__} must be a VAETransformer or None"
    with pytest.raises(ValueError, match=rule):
        role(estimator).fit(X)


@pytest.mark.parametrize("role", ROLES)
def test_a_fit_that_fails_changes_nothing(role):
    found = role(LINEAR).fit(X)
    before = {**vars(found)}
    with pytest.raises(ValueError, match="inf"):
        found.fit(np.where(HIDDEN, np.inf, X))
    assert vars(found) == before
    found.set_params(estimator=3)
    with pytest.raises(ValueError, match="estimator"):
        found.fit(X[:, :2])
    assert found.n_features_in_ == 6


@pytest.mark.parametrize("role", ROLES)
def test_it_comes_back_from_a_file(role):
    found = role(LINEAR).fit(INCOMPLETE)
    again = pickle.loads(pickle.dumps(found))
    again = pickle.loads(pickle.dumps(again))
    verb = "transform" if role is VAEImputer else "decision_function"
    np.testing.assert_array_equal(
        getattr(again, verb)(INCOMPLETE), getattr(found, verb)(INCOMPLETE)
    )


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("estimator_", LogisticRegression()),
        ("estimator_", VAETransformer()),
        ("estimator", "vae"),
        ("transform", 3),
        ("n_features_in_", 6),
    ],
)
def test_a_file_that_holds_something_else_is_refused(role, name, value):
    state = role(LINEAR).fit(X).__getstate__()
    if name == "transform" and role is not VAEImputer:
        name = "predict"
    with pytest.raises(ValueError, match=name):
        role().__setstate__(state | {name: value})


# ------------------------------------------------------------------------ the imputer


def test_without_trees_missing_values_get_their_means_given_the_others():
    found = VAEImputer(clone(LINEAR).set_params(noise="diag"), n_trees=0)
    full = found.fit_transform(INCOMPLETE)
    np.testing.assert_array_equal(full, found.estimator_.impute(INCOMPLETE))
    np.testing.assert_array_equal(full[~HIDDEN], X[~HIDDEN])
    covariance = LOADINGS.T @ LOADINGS + 0.09 * np.eye(6)
    expected = INCOMPLETE.copy()
    for row, gaps in zip(expected, HIDDEN, strict=True):
        known = covariance[np.ix_(~gaps, ~gaps)]
        row[gaps] = covariance[np.ix_(gaps, ~gaps)] @ np.linalg.solve(known, row[~gaps])
    error = np.sqrt(np.mean((full - expected)[HIDDEN] ** 2))
    assert error < 0.1 * X.std()
    assert not len(found.__getstate__()["_state"]["codes"])


def bent(n=500):
    """Numbers and categories that hang together by bends and steps."""
    rng = np.random.default_rng(2)
    size = rng.uniform(-1, 1, n)
    kind = np.digitize(size, [-0.6, -0.2, 0.2, 0.6])
    table = pd.DataFrame(
        {
            "size": size,
            "wave": np.sin(6 * size) + 0.1 * rng.normal(size=n),
            "step": np.array([0, 3, 1, 4, 2])[kind] + 0.1 * rng.normal(size=n),
            "kind": pd.Categorical.from_codes(kind, [*"dbeac"]),
        }
    )
    return table, rng.random(table.shape) < 0.2


def test_trees_bring_what_is_filled_in_nearer():
    table, hidden = bent()
    incomplete = table.mask(hidden)
    imputer = VAEImputer(LINEAR).fit(incomplete)
    full, plain = imputer.transform(incomplete), imputer.estimator_.impute(incomplete)
    for name in ("size", "wave", "step"):
        gaps = hidden[:, [*table].index(name)]
        near, far = (
            (of[name] - table[name])[gaps].pow(2).mean() ** 0.5 for of in (full, plain)
        )
        assert near < 0.8 * far
    gaps = hidden[:, 3]
    right = (full["kind"] == table["kind"])[gaps].mean()
    assert right > (plain["kind"] == table["kind"])[gaps].mean() + 0.1
    pd.testing.assert_frame_equal(full.mask(hidden), incomplete)


def test_new_rows_are_filled_in_one_by_one_as_all_together():
    table, hidden = bent(700)
    imputer = VAEImputer(LINEAR).fit(table[:400])  # which misses nothing
    rows = table.mask(hidden)[400:450]
    full = imputer.transform(rows)
    assert full.notna().all(axis=None)
    alone = pd.concat([imputer.transform(rows[i : i + 1]) for i in range(50)])
    pd.testing.assert_frame_equal(alone, full)


def test_a_seed_gives_the_same_trees():
    table, hidden = bent()
    incomplete = table.mask(hidden)
    found = [
        VAEImputer(LINEAR, n_trees=3, random_state=seed).fit_transform(incomplete)
        for seed in (1, 1, 2)
    ]
    pd.testing.assert_frame_equal(found[0], found[1])
    assert not found[0].equals(found[2])


@pytest.mark.parametrize("n_trees", [-1, 1_001, 2**62, 2.0, "auto", None, True])
def test_a_number_of_trees_beyond_its_domain_is_told_by_fit(n_trees):
    imputer = pickle.loads(pickle.dumps(VAEImputer(n_trees=n_trees)))
    rule = "'n_trees' parameter of VAEImputer must be an integer from 0 to 1000"
    with pytest.raises(ValueError, match=rule):
        imputer.fit(X)


def test_a_number_of_trees_may_be_numpys():
    same = [VAEImputer(LINEAR, n_trees=n).fit(X) for n in (3, np.uint8(3))]
    one, two = (imputer.transform(INCOMPLETE) for imputer in same)
    np.testing.assert_array_equal(one, two)


def test_a_failure_while_trees_grow_changes_nothing(monkeypatch):
    imputer = VAEImputer(LINEAR, n_trees=2).fit(X)
    before = vars(imputer).copy()

    def fail(*arguments):
        raise MemoryError

    monkeypatch.setattr(_vae, "grow_network", fail)
    with pytest.raises(MemoryError):
        imputer.fit(INCOMPLETE)
    assert vars(imputer) == before


@pytest.mark.filterwarnings("error")
def test_many_categories_of_few_rows_warn_of_nothing():
    rng = np.random.default_rng(0)
    names = [f"name {i}" for i in range(25)]
    table = pd.DataFrame({"name": names, "x": rng.normal(size=25)})
    assert VAEImputer(LINEAR, n_trees=2).fit_transform(table).equals(table)


@pytest.mark.filterwarnings("error")
def test_large_numbers_overflow_nowhere():
    imputer = VAEImputer(LINEAR, n_trees=2)
    with np.errstate(all="raise"):
        full = imputer.fit_transform(1e90 * INCOMPLETE)
    assert np.isfinite(full).all()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("codes", np.zeros((2, 2)), r"_state\.codes must be an array of float64"),
        ("forests", [], r"_state\.forests must be a list of 6"),
        ("trees", [], "_state must be a dict with the keys"),
    ],
)
def test_trees_of_a_file_are_checked(field, value, message):
    state = VAEImputer(LINEAR).fit(INCOMPLETE).__getstate__()
    state["_state"] = state["_state"] | {field: value}
    with pytest.raises(ValueError, match="corrupt or hostile artefact: _digest"):
        VAEImputer().__setstate__(dict(state))
    del state["_digest"]
    with pytest.raises(ValueError, match=f"corrupt or hostile artefact: {message}"):
        VAEImputer().__setstate__(state)


def test_a_pipeline_is_searched_for_the_best_model():
    y = X[:, 0] > 0
    pipeline = make_pipeline(VAEImputer(LINEAR), LogisticRegression())
    grid = {"vaeimputer__estimator__n_components": [1, 2]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(INCOMPLETE, y)
    assert search.best_score_ > 0.85
    assert search.predict(INCOMPLETE).shape == y.shape


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_frames_stay_frames_with_their_dtypes(container):
    table = frame()
    known = table.notna()
    if container == "polars":
        table = pytest.importorskip("polars").from_pandas(table)
    imputer = VAEImputer(VAETransformer(1, max_iter=3, random_state=0))
    with pytest.warns(match="max_iter"):
        full = imputer.fit_transform(table)
    assert type(full) is type(table)
    assert [*full.columns] == [*imputer.get_feature_names_out()]
    assert [*map(str, full.dtypes)] == [*map(str, table.dtypes)]
    full, table = (
        (f if container == "pandas" else f.to_pandas()) for f in (full, table)
    )
    assert full.notna().all(axis=None)
    for name in full:
        seen = known[name].to_numpy()
        assert full[name][seen].tolist() == table[name][seen].tolist()


def test_an_array_was_fitted_so_arrays_come_back():
    imputer = VAEImputer(LINEAR).fit(INCOMPLETE)
    table = pd.DataFrame(INCOMPLETE)
    full = imputer.transform(table)
    assert isinstance(full, np.ndarray)
    np.testing.assert_array_equal(full, imputer.transform(INCOMPLETE))
    labelled = imputer.set_output(transform="pandas").transform(table)
    assert [*labelled.columns] == ["x0", "x1", "x2", "x3", "x4", "x5"]


# ----------------------------------------------------------------------- the detector


def with_outliers():
    rows = X.copy()
    rows[:9] = RNG.normal(size=(9, 6)) * X.std()  # right sizes, wrong together
    return rows


def test_rows_that_do_not_fit_together_are_outliers():
    rows = with_outliers()
    detector = VAEOutlierDetector(LINEAR, contamination=0.04).fit(rows)
    is_outlier = detector.predict(rows) == -1
    assert is_outlier.sum() == 12
    assert is_outlier[:9].sum() >= 8
    scores = detector.score_samples(rows)
    np.testing.assert_array_equal(scores, detector.estimator_.score_samples(rows))
    assert detector.offset_ == np.percentile(scores, 4)
    np.testing.assert_array_equal(
        detector.decision_function(rows), scores - detector.offset_
    )
    np.testing.assert_array_equal(is_outlier, scores < detector.offset_)


@pytest.mark.parametrize("share", [0, 0.0, -0.1, 0.6, "auto", None, True, np.nan])
def test_a_contamination_beyond_its_domain_is_told(share):
    rule = "'contamination' parameter of VAEOutlierDetector must be a float above 0"
    with pytest.raises(ValueError, match=rule):
        VAEOutlierDetector(contamination=share).fit(X)


@pytest.mark.parametrize("as_table", [np.asarray, pd.DataFrame])
def test_of_many_rows_some_at_random_make_the_offset(as_table, monkeypatch):
    monkeypatch.setattr(_detector, "MOST_RANKED", 100)
    rows = as_table(with_outliers())
    detector = VAEOutlierDetector(LINEAR, contamination=0.1).fit(rows)
    scores = detector.score_samples(rows)
    assert detector.offset_ != np.percentile(scores, 10)
    assert 0.04 < np.mean(scores < detector.offset_) < 0.2


@pytest.mark.parametrize(
    ("role", "verbs"),
    [
        (VAEImputer, ["transform"]),
        (VAEOutlierDetector, ["predict", "score_samples", "decision_function"]),
    ],
)
def test_before_fit_there_is_nothing_to_ask(role, verbs):
    for verb in verbs:
        with pytest.raises(NotFittedError):
            getattr(role(), verb)(X)
