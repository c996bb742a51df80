"""What trees are grown on: which rows, which columns."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

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


def test_a_column_alone_is_related_to_none():
    codec, codes = fit(pd.DataFrame({"a": RNG.normal(size=40)}))
    assert Related(codec, codes).to(0).tolist() == []
    forests = grow_network(codec, codes, by_means, DRAWING, 0).state()["forests"]
    assert_array_equal(forests[0]["first"], np.arange(11) * 40)
