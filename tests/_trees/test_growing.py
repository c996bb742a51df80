"""What trees are grown on: which rows, which columns."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skvae._table.codec import fit_codec
from skvae._table.schema import fit_schema
from skvae._trees import growing
from skvae._trees.growing import DRAWING, Related, grow_network, imputing

RNG = np.random.default_rng(0)
GROWTHS = {"drawing": DRAWING, "imputing": imputing(6)}
each_growth = pytest.mark.parametrize("growth", GROWTHS)


def fit(X):
    schema = fit_schema(X)
    codes = schema.to_codes(X).astype(float)
    return fit_codec(codes, schema, "standard"), codes


def by_means(codes):
    return np.where(np.isnan(codes), np.nanmean(codes, axis=0).round(), codes)


def frame(n=400):
    size = RNG.normal(size=n)
    kind = np.digitize(size, [-0.5, 0.5])
    return pd.DataFrame(
        {
            "noise": RNG.normal(size=n),
            "size": size,
            "far": size**2 + 0.05 * RNG.normal(size=n),
            "kind": pd.Categorical.from_codes(kind, [*"bac"]),
            "more noise": RNG.normal(size=n),
        }
    )


@each_growth
def test_rows_without_a_value_tell_nothing_of_its_column(growth):
    X = frame().mask(RNG.random((400, 5)) < 0.3)
    codec, codes = fit(X)
    network = grow_network(codec, codes, by_means, GROWTHS[growth], 0)
    for j, forest in enumerate(network.state()["forests"]):
        known = np.flatnonzero(~np.isnan(codes[:, j]))
        n_trees = GROWTHS[growth].n_trees
        assert len(forest["roots"]) == n_trees
        assert_array_equal(np.sort(forest["rows"]), np.repeat(known, n_trees))


def test_to_draw_from_leaves_have_ten_rows_and_gaps_stay_as_they_were_filled():
    X = frame().mask(RNG.random((400, 5)) < 0.3)
    codec, codes = fit(X)
    state = grow_network(codec, codes, by_means, DRAWING, 0).state()
    assert_array_equal(state["codes"], by_means(codes))
    assert min(np.diff(forest["first"]).min() for forest in state["forests"]) >= 10


def test_to_impute_each_forest_completes_its_column_before_the_next():
    X = frame().mask(RNG.random((400, 5)) < 0.3)
    codec, codes = fit(X)
    state = grow_network(codec, codes, by_means, imputing(6), 0).state()
    missing, filled = np.isnan(codes), by_means(codes)
    assert_array_equal(state["codes"][~missing], codes[~missing])
    size = missing[:, 1]
    assert (state["codes"][size, 1] != filled[size, 1]).all()
    again = grow_network(codec, codes, by_means, imputing(6), 0).state()
    assert_array_equal(again["codes"], state["codes"])


@each_growth
def test_another_seed_grows_others_and_threads_the_same(growth):
    codec, codes = fit(frame())
    grow = GROWTHS[growth]
    one, same, other = (
        grow_network(codec, codes, by_means, grow, seed, n_jobs).state()["forests"]
        for seed, n_jobs in ((0, None), (0, 2), (1, None))
    )
    for a, b in zip(one, same, strict=True):
        for name, of in a.items():
            assert_array_equal(of, b[name])
    assert any(
        a["threshold"].tobytes() != b["threshold"].tobytes()
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize(
    ("shape", "n_rows"),
    [((400, 5), 400), ((10**6, 20), 15_000), ((10**6, 10_000), 500)],
)
def test_a_longer_table_has_some_of_its_rows(shape, n_rows):
    assert DRAWING.n_rows(*shape) == n_rows


def test_only_rows_that_trees_are_grown_on_are_completed(monkeypatch):
    monkeypatch.setattr(growing, "MOST_PLACES", 0)
    monkeypatch.setattr(growing, "LEAST_ROWS", 50)
    codec, codes = fit(frame())
    seen = []

    def complete(codes):
        seen.append(len(codes))
        return by_means(codes)

    state = grow_network(codec, codes, complete, DRAWING, 0).state()
    assert seen == [50]
    assert state["codes"].shape == (50, 5)
    assert {*map(tuple, state["codes"])} < {*map(tuple, codes)}


def test_these_rows_are_random(monkeypatch):
    monkeypatch.setattr(growing, "MOST_PLACES", 0)
    monkeypatch.setattr(growing, "LEAST_ROWS", 50)
    codec, codes = fit(frame())
    codes[:, 0] = np.arange(400)
    of_seeds = [
        grow_network(codec, codes, by_means, DRAWING, seed).state()["codes"][:, 0]
        for seed in (0, 1)
    ]
    for rows in of_seeds:
        assert rows.max() > 300
        assert (np.diff(rows) > 0).all()
    assert (of_seeds[0] != of_seeds[1]).any()


@each_growth
def test_numbers_have_regressors_and_categories_classifiers(growth):
    asked = []

    def noted(make, kind):
        def make_noted(random_state):
            asked.append(kind)
            return make(random_state=random_state)

        return make_noted

    of = GROWTHS[growth]
    kinds = {"regressor": of.regressor, "classifier": of.classifier}
    noting = replace(of, **{kind: noted(make, kind) for kind, make in kinds.items()})
    codec, codes = fit(frame())
    grow_network(codec, codes, by_means, noting, 0)
    wanted = ["regressor"] * 3 + ["classifier"] + ["regressor"]
    assert asked == [kind for kind in wanted for _ in range(of.n_trees)]


def test_the_trees_are_those_that_were_measured():
    for make in (DRAWING.regressor, DRAWING.classifier):
        found = make(random_state=3)
        assert isinstance(found, DecisionTreeRegressor | DecisionTreeClassifier)
        assert found.splitter == "best"
        assert (found.max_features, found.min_samples_leaf) == (0.5, 10)
    for make in (imputing(1).regressor, imputing(1).classifier):
        found = make(random_state=3)
        assert found.splitter == "random"
        assert (found.max_features, found.min_samples_leaf) == (0.5, 1)
    assert (DRAWING.n_trees, growing.MOST_COLUMNS) == (10, 30)


def test_trees_split_by_related_columns_only(monkeypatch):
    monkeypatch.setattr(growing, "MOST_COLUMNS", 2)
    codec, codes = fit(frame())
    related = Related(codec, codes)
    forests = grow_network(codec, codes, by_means, DRAWING, 0).state()["forests"]
    for j, forest in enumerate(forests):
        used = np.unique(forest["feature"])
        assert {*used[used >= 0]} <= {*related.to(j)}


def test_a_column_that_no_such_row_has_is_of_all_rows():
    codec, codes = fit(frame())
    codes[:, 2] = np.nan

    def complete(codes):
        return np.where(np.isnan(codes), 1.0, codes)

    forest = grow_network(codec, codes, complete, DRAWING, 0).state()["forests"][2]
    assert_array_equal(np.unique(forest["rows"]), np.arange(400))


def test_trees_see_the_columns_most_related(monkeypatch):
    codec, codes = fit(frame())
    related = Related(codec, codes)
    assert related.to(1).tolist() == [0, 2, 3, 4]
    monkeypatch.setattr(growing, "MOST_COLUMNS", 2)
    assert related.to(1).tolist() == [2, 3]  # a parabola, and categories without order
    assert 1 in related.to(2)
    assert 1 in related.to(3)
    assert all(len(related.to(j)) == 2 and j not in related.to(j) for j in range(5))


def test_neither_means_nor_constants_relate_columns(monkeypatch):
    monkeypatch.setattr(growing, "MOST_COLUMNS", 1)
    X = pd.DataFrame({"a": RNG.normal(size=400)})
    X["constant"] = 3.0
    X["b"] = X["a"] + 5 * RNG.normal(size=400)
    codec, codes = fit(X)
    far = codes + np.array([100.0, 0.0, 100.0])  # as of rows unlike those of fit
    assert Related(codec, far).to(2).tolist() == [0]
    assert len(Related(codec, codes).to(1)) == 1


def test_a_column_alone_is_related_to_none():
    codec, codes = fit(pd.DataFrame({"a": RNG.normal(size=40)}))
    assert Related(codec, codes).to(0).tolist() == []
    forests = grow_network(codec, codes, by_means, DRAWING, 0).state()["forests"]
    assert_array_equal(forests[0]["first"], np.arange(11) * 40)
