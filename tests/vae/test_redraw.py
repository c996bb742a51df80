"""`redraw`: what is drawn is drawn once more by trees."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_val_score

from skvae import VAETransformer
from skvae import _vae as vae_module

RNG = np.random.default_rng(0)


def steps(n):
    """Columns that no normal noise makes: a step, a wave, and a sum of theirs."""
    x = RNG.uniform(-1, 1, n)
    step = np.where(x > 0, 2.0, 0.0) + 0.1 * RNG.normal(size=n)
    wave = np.sin(6 * x) + 0.1 * RNG.normal(size=n)
    return np.c_[x, step, wave, step + wave]


X, NEW = steps(600), steps(600)
HIDDEN = RNG.random(X.shape) < 0.2
INCOMPLETE = np.where(HIDDEN, np.nan, X)


def make(**parameters):
    fast = {"hidden_layer_sizes": (), "random_state": 0}
    return VAETransformer(**{"n_components": 2, "redraw": True, **fast, **parameters})


@pytest.fixture(scope="module")
def fitted():
    return make().fit(X)


@pytest.fixture(scope="module")
def of_incomplete():
    return make().fit(INCOMPLETE)


def told_apart(drawn):
    judge = HistGradientBoostingClassifier(random_state=0)
    both, is_real = np.vstack([drawn, NEW]), np.repeat([0, 1], [len(drawn), len(NEW)])
    return cross_val_score(judge, both, is_real, cv=5, scoring="roc_auc").mean()


def test_a_classifier_tells_fewer_drawn_rows_from_new_ones(fitted):
    without = make(redraw=False).fit(X)
    assert told_apart(without.sample(600, random_state=0)) > 0.9
    assert told_apart(fitted.sample(600, random_state=0)) < 0.85


def test_rows_are_new_though_their_entries_are_not(fitted):
    drawn = fitted.sample(600, random_state=0)
    for column, known in zip(drawn.T, X.T, strict=True):
        assert np.isin(column, known).all()
    assert not {*map(tuple, drawn)} & {*map(tuple, X)}


def test_all_else_is_as_without():
    without, redrawn = (make(redraw=redraw).fit(INCOMPLETE) for redraw in (False, True))
    assert_array_equal(redrawn.transform(X), without.transform(X))
    assert_array_equal(redrawn.score_samples(X), without.score_samples(X))
    assert_array_equal(redrawn.impute(INCOMPLETE), without.impute(INCOMPLETE))


def test_a_seed_gives_the_same_rows_in_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(VAETransformer._map_rows, "__defaults__", (50,))
    one, two = (make(n_jobs=n).fit(X).sample(200, random_state=1) for n in (1, 2))
    assert_array_equal(one, two)
    assert (make().fit(X).sample(200, random_state=2) != one).any()
    trees = [
        make(random_state=seed).fit(X).__getstate__()["_state"]["network"]["forests"]
        for seed in (0, 1)
    ]
    assert trees[0][0]["threshold"].tolist() != trees[1][0]["threshold"].tolist()


def test_of_missing_entries_it_is_the_same_too(of_incomplete):
    again, other = (make(random_state=seed).fit(INCOMPLETE) for seed in (0, 1))
    one, two, three = (
        vae.sample(100, random_state=0) for vae in (of_incomplete, again, other)
    )
    assert_array_equal(one, two)
    assert (one != three).any()


def test_trees_are_grown_on_draws_of_missing_entries(of_incomplete):
    codes = of_incomplete.__getstate__()["_state"]["network"]["codes"]
    assert_array_equal(codes[~HIDDEN], X[~HIDDEN])
    expected = of_incomplete.impute(INCOMPLETE)
    apart = (codes - expected)[HIDDEN]
    assert apart.std() > 0.5 * (X - expected)[HIDDEN].std()


def test_what_is_given_stays(fitted):
    drawn = fitted.sample(500, random_state=0, given={0: -0.5, 3: 0.0})
    assert_array_equal(drawn[:, [0, 3]], np.tile([-0.5, 0.0], (500, 1)))
    near = np.abs(X[:, 0] + 0.5) < 0.2
    for j in (1, 2):
        assert abs(np.median(drawn[:, j]) - np.median(X[near, j])) < 0.3


def crps(draws, truth):
    """The continuous ranked probability score, mean over entries: less is better."""
    apart = np.abs(draws[:, None] - draws).mean(axis=(0, 1))
    return (np.abs(draws - truth).mean(axis=0) - 0.5 * apart).mean()


def test_draws_of_missing_entries_are_as_wide_as_they_are_wrong(of_incomplete):
    plain, truth = make(redraw=False).fit(INCOMPLETE), X[HIDDEN]
    found, before = (
        np.stack(vae.impute(INCOMPLETE, n_draws=40, random_state=0))
        for vae in (of_incomplete, plain)
    )
    assert (found[:, ~HIDDEN] == X[~HIDDEN]).all()
    found, before = found[:, HIDDEN], before[:, HIDDEN]
    for share, (least, most) in {0.5: (0.48, 0.58), 0.9: (0.87, 0.93)}.items():
        ends = np.quantile(found, [0.5 - share / 2, 0.5 + share / 2], axis=0)
        assert least < np.mean((ends[0] <= truth) & (truth <= ends[1])) < most
    assert crps(found, truth) < 0.8 * crps(before, truth)


def test_it_comes_back_from_a_file(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(
        again.sample(50, random_state=0), fitted.sample(50, random_state=0)
    )


def test_a_fit_without_it_forgets_the_trees(fitted):
    vae = pickle.loads(pickle.dumps(fitted)).set_params(redraw=False)
    assert_array_equal(vae.sample(9, random_state=0), fitted.sample(9, random_state=0))
    plain = make(redraw=False).fit(X).sample(9, random_state=0)
    assert_array_equal(vae.fit(X).sample(9, random_state=0), plain)
    assert not len(vae.__getstate__()["_state"]["network"]["codes"])


def test_a_table_of_all_kinds_comes_back_as_it_was():
    n = 400
    size = RNG.normal(size=n)
    table = pd.DataFrame(
        {
            "length": size + 0.1 * RNG.normal(size=n),
            "count": (20 + 5 * size).round().astype(int),
            "name": [f"n{i % 90}" for i in (30 * size).round().astype(int)],
            "grade": pd.Categorical.from_codes(
                np.digitize(size, [-1, 0, 1]), [*"abcd"], ordered=True
            ),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(10 * size, "D"),
        }
    )
    missing = table.assign(count=table["count"].astype("Int64"))
    missing = missing.mask(RNG.random(table.shape) < 0.1)
    for frame in (table, missing):
        vae = make(hidden_layer_sizes="auto", max_iter=20, scaling="quantile", tol=0)
        with pytest.warns(match="max_iter"):
            vae.fit(frame)
        drawn = vae.sample(300, random_state=0)
        assert drawn.dtypes.equals(frame.dtypes)
        assert drawn.notna().all(axis=None)
        order = drawn["grade"].cat.codes.corr(drawn["count"].astype(float))
        assert order > 0.9
        assert {*drawn["name"]} <= {*table["name"]}


@pytest.mark.parametrize("columns", [[0], [0, 3]])
def test_few_columns_are_enough(columns):
    drawn = make(n_components=1).fit(X[:, columns]).sample(50, random_state=0)
    assert np.isin(drawn, X[:, columns]).all()


def test_a_map_draws_once_more_too():
    vae = make(n_neighbors=10, hidden_layer_sizes=(16,)).fit(X[:200])
    assert np.isin(vae.sample(50, random_state=0), X[:200]).all()


def test_what_is_going_on_is_printed(capsys):
    make(verbose=True).fit(X)
    assert "Growing trees" in capsys.readouterr().out


def test_a_fit_that_fails_while_growing_changes_nothing(fitted, monkeypatch):
    def fail(*arguments):
        raise MemoryError

    vae = pickle.loads(pickle.dumps(fitted))
    before = vars(vae).copy()
    monkeypatch.setattr(vae_module, "grow_network", fail)
    with pytest.raises(MemoryError):
        vae.fit(NEW)
    assert vars(vae) == before
