"""Columns given the others: drawn once more, and expected."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.tree import DecisionTreeRegressor

from skvae._table.codec import fit_codec
from skvae._table.schema import fit_schema
from skvae._trees.dependency_network import (
    OWN_SHARE,
    DependencyNetwork,
    load_network,
    network_rule,
    no_network,
)
from skvae._trees.forest import grow_forest

RNG = np.random.default_rng(0)


def numbers(n=2_000):
    """Two columns, of which the second is a wave of the first."""
    x = RNG.uniform(-3, 3, n)
    return np.c_[x, np.sin(2 * x) + 0.1 * RNG.normal(size=n)]


def table(n=600):
    """A size, and categories of it: with an order, of two, and of three."""
    size = RNG.normal(size=n)
    grade = np.digitize(size, [-1, 0, 1])
    return pd.DataFrame(
        {
            "size": size,
            "grade": pd.Categorical.from_codes(grade, [*"abcd"], ordered=True),
            "is_big": size > 0,
            "kind": pd.Categorical.from_codes(np.digitize(size, [-0.5, 0.5]), [*"xyz"]),
        }
    )


def make(X, scaling="standard", least=10, n_trees=5, seen=None):
    """Return the network of a table's columns, the codec and the codes.

    seen: The columns that the trees of each see; all others if not given.
    """
    schema = fit_schema(X)
    codes = schema.to_codes(X).astype(float)
    codec = fit_codec(codes, schema, scaling)
    network = DependencyNetwork(codec, codes, ())
    rows, d = np.arange(len(codes)), codes.shape[1]
    for j in range(d):
        trees = [
            DecisionTreeRegressor(min_samples_leaf=least, random_state=seed)
            for seed in range(n_trees)
        ]
        columns = np.delete(np.arange(d), j) if seen is None else np.array(seen[j])
        forest = grow_forest(network.x, network.x[:, j], columns, trees, rows)
        network.add(forest, np.zeros(len(codes), bool))
    return network, codec, codes


def uniform(shape):
    return np.random.default_rng(1).random(shape)


@pytest.fixture(scope="module")
def wave():
    return make(numbers())


@pytest.fixture(scope="module")
def mixed():
    return make(table())


def test_a_column_is_drawn_as_it_is_given_the_others(wave):
    network, _, codes = wave
    shuffled = np.c_[codes[:, 0], RNG.permutation(codes[:, 1])]
    is_free = np.tile([False, True], (len(codes), 1))
    drawn = network.draw(shuffled, is_free, uniform)
    assert_array_equal(drawn[:, 0], codes[:, 0])
    assert np.isin(drawn[:, 1], codes[:, 1]).all()
    rest = drawn[:, 1] - np.sin(2 * drawn[:, 0])
    assert 0.08 < rest.std() < 0.2
    assert abs(rest.mean()) < 0.02


def test_later_columns_are_drawn_given_what_earlier_ones_were(wave):
    network, _, codes = wave
    apart = np.c_[codes[:, 0], RNG.permutation(codes[:, 1])]
    both = network.draw(apart, np.ones(codes.shape, bool), uniform)
    rest = both[:, 1] - np.sin(2 * both[:, 0])
    assert (both[:, 0] != apart[:, 0]).any()
    assert rest.std() < 0.2


def test_what_is_given_stays_and_rows_do_not_matter_to_each_other(mixed):
    network, _, codes = mixed
    is_free = RNG.random(codes.shape) < 0.5
    drawn = network.draw(codes, is_free, uniform)
    assert_array_equal(drawn[~is_free], codes[~is_free])
    assert (drawn[is_free] != codes[is_free]).any()
    for j, of_column in enumerate(drawn.T):
        assert np.isin(of_column, codes[:, j]).all()
    expected = network.expect(codes, is_free)
    assert_array_equal(expected[~is_free], codes[~is_free])
    some = [3, 7]
    assert_array_equal(network.expect(codes[some], is_free[some]), expected[some])


@pytest.mark.parametrize("scaling", ["standard", "quantile"])
def test_a_number_is_expected_as_trees_predict_it_and_it_was(scaling):
    network, codec, codes = make(numbers(500), scaling)
    x = codec.features(codes)
    trees = [
        DecisionTreeRegressor(min_samples_leaf=10, random_state=seed).fit(
            x[:, :1], x[:, 1]
        )
        for seed in range(5)
    ]
    leaf_means = []
    for tree in trees:
        leaf = tree.apply(x[:, :1])
        mean = np.bincount(leaf, codes[:, 1]) / np.maximum(np.bincount(leaf), 1)
        leaf_means.append(mean[leaf])
    guess = codes + np.array([0.0, 1.0])
    expected = network.expect(guess, np.tile([False, True], (500, 1)))
    wanted = OWN_SHARE * guess[:, 1] + (1 - OWN_SHARE) * np.mean(leaf_means, axis=0)
    assert_allclose(expected[:, 1], wanted, atol=1e-12)


def test_categories_are_voted_for(mixed):
    network, _, codes = mixed
    size = codes[:, 0]
    is_clear = (abs(abs(size) - 0.5) > 0.2) & (abs(size) > 0.2) & (abs(size) < 0.8)
    for j in (1, 2, 3):
        wrong = codes.copy()
        wrong[:, j] = (codes[:, j] + 1) % (codes[:, j].max() + 1)
        found = network.expect(wrong, np.tile(np.arange(4) == j, (len(codes), 1)))
        assert_array_equal(found[is_clear, j], codes[is_clear, j])


def all_in_one_leaf(column):
    """A network whose trees know the shares of a column's categories, and no more."""
    X = pd.DataFrame({"a": RNG.normal(size=len(column)), "b": column})
    return make(X, least=len(column))[0]


@pytest.mark.parametrize(("own", "wanted"), [(0, 0), (1, 1), (2, 0)])
def test_what_a_category_was_counts_as_much(own, wanted):
    network = all_in_one_leaf(pd.Categorical([*"xxxxxxxxxxxxyyyyyzzz"] * 20))
    # .7 times .6, .25 and .15, and .3 more: .475 beats .42, and .405 does not.
    found = network.expect(np.array([[0.0, own]]), np.array([[False, True]]))
    assert found[0, 1] == wanted


def test_of_ordered_categories_the_median_is_expected():
    codes = np.repeat([0, 1, 2], [180, 20, 200])
    network = all_in_one_leaf(pd.Categorical.from_codes(codes, [*"abc"], ordered=True))
    for own in (0.0, 1.0, 2.0):  # .315, .335 and .35 where it was the middle one
        found = network.expect(np.array([[0.0, own]]), np.array([[False, True]]))
        assert found[0, 1] == own


def test_what_is_expected_of_a_category_is_what_the_next_column_sees():
    size = RNG.normal(size=400)
    kind = pd.Categorical.from_codes(np.digitize(size, [-0.5, 0.5]), [*"abc"])
    X = pd.DataFrame({"size": size, "kind": kind, "same": kind})
    network, _, codes = make(X, seen=([1], [0], [1]))
    wrong = codes.copy()
    wrong[:, 1:] = (codes[:, 1:] + 1) % 3
    found = network.expect(wrong, np.tile([False, True, True], (400, 1)))
    assert np.mean(found[:, 1] == codes[:, 1]) > 0.95
    assert_array_equal(found[:, 2], found[:, 1])


def test_what_is_expected_of_a_number_is_what_the_next_column_sees():
    size = RNG.normal(size=400)
    X = np.c_[size, 100 + 5 * size, -size]
    network, _, codes = make(X, seen=([1], [0], [1]))
    wrong = codes * [1.0, 0.0, 0.0] + [0.0, 100.0, 0.0]
    found = network.expect(wrong, np.tile([False, True, True], (400, 1)))
    low, high = np.quantile(size, [0.2, 0.8])
    middle = (low < size) & (size < high)
    assert_allclose(found[middle, 1] - 100, 0.7 * 5 * size[middle], atol=0.5)
    assert_allclose(found[middle, 2], -0.7 * 0.7 * size[middle], atol=0.25)


def test_a_pool_of_categories_is_one_group_of_many_that_are_unlikely():
    rare = [f"rare {i // 3}" for i in range(108)] + ["rare 7"]  # none five times
    names = np.array(["a"] * 100 + ["z"] * 100 + rare)
    X = pd.DataFrame({"kind": pd.Categorical(pd.Series(names).str[:4]), "name": names})
    X["same"] = X["kind"]
    network, codec, codes = make(X, seen=([1], [0], [1]))
    assert codec.schema.n_groups[1] == 3
    wrong = codes.copy()
    wrong[:, 1:] = codes[:, [0, 0]] * 0  # all are of the first category
    found = network.expect(wrong, np.tile([False, True, True], (len(codes), 1)))
    pooled = ~np.isin(names, ["a", "z"])
    assert_array_equal(found[~pooled], codes[~pooled])
    assert (found[pooled, 1] == 0).all()  # .3 is more than .7 times a share of 4/109


def test_without_forests_all_stays(mixed):
    _, codec, codes = mixed
    network, free = no_network(codec), np.ones(codes.shape, bool)
    assert_array_equal(network.draw(codes, free, uniform), codes)
    assert_array_equal(network.expect(codes, free), codes)
    network_rule(codec)(network.state(), "network")
    again = load_network(network.state(), codec)
    assert_array_equal(again.draw(codes, free, uniform), codes)


def test_it_comes_back_from_its_state(mixed):
    network, codec, codes = mixed
    state = network.state()
    network_rule(codec)(state, "network")
    again, free = load_network(state, codec), np.ones(codes.shape, bool)
    assert_array_equal(
        again.draw(codes, free, uniform), network.draw(codes, free, uniform)
    )
    assert_array_equal(again.expect(codes, free), network.expect(codes, free))


BROKEN = {
    "a number that is missing": ((0, 0), np.nan),
    "an infinite number": ((0, 0), np.inf),
    "a number that is too large": ((0, 0), 1e200),
    "a category beyond": ((0, 1), 4),
    "a category below 0": ((0, 3), -1),
    "half a category": ((0, 2), 0.5),
}


@pytest.mark.parametrize("name", BROKEN)
def test_codes_that_no_table_has_are_named(name, mixed):
    network, codec, codes = mixed
    at, value = BROKEN[name]
    state = network.state() | {"codes": codes.copy()}
    state["codes"][at] = value
    with pytest.raises(ValueError, match=r"network\.codes must be"):
        network_rule(codec)(state, "network")


@pytest.mark.parametrize("forests", [[], None, 2])
def test_each_column_must_have_a_forest(forests, mixed):
    network, codec, _ = mixed
    state = network.state()
    n = forests if forests != 2 else state["forests"][:2]
    with pytest.raises(ValueError, match=r"network\.forests must be a list of 4"):
        network_rule(codec)(state | {"forests": n}, "network")
