"""Forests as arrays: scikit-learn's own trees are the oracle."""

import re
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeRegressor,
)

from skvae._trees.forest import forest_rule, grow_forest, load_forest

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)).astype(np.float32)
Y = (np.sin(2 * X[:, 1]) + X[:, 3] + 0.1 * RNG.normal(size=300)).astype(np.float32)
NEW = RNG.normal(size=(50, 4)).astype(np.float32)
ROWS, COLUMNS = 1_000 + np.arange(300), np.array([0, 1, 3])
TREES = {
    "leaves of 10": lambda seed: DecisionTreeRegressor(
        max_features=0.5, min_samples_leaf=10, random_state=seed
    ),
    "leaves of 1": lambda seed: ExtraTreeRegressor(max_features=0.5, random_state=seed),
    "classes": lambda seed: DecisionTreeClassifier(
        min_samples_leaf=10, random_state=seed
    ),
}
each_kind = pytest.mark.parametrize("kind", TREES)


def grow(kind="leaves of 10", n_trees=3, rows=ROWS):
    """Return a forest, and the same trees of scikit-learn."""
    y = (Y > 0).astype(int) + (Y > 1) if kind == "classes" else Y
    trees = [TREES[kind](seed) for seed in range(n_trees)]
    forest = grow_forest(X, y, COLUMNS, trees, rows)
    return forest, [TREES[kind](seed).fit(X[:, COLUMNS], y) for seed in range(n_trees)]


def in_leaf(tree, one):
    """Indices of the training rows that share a leaf with a new one."""
    return np.flatnonzero(tree.apply(X[:, COLUMNS]) == tree.apply(one[None, COLUMNS]))


@each_kind
def test_the_rows_of_a_leaf_are_those_that_fall_into_it(kind):
    forest, trees = grow(kind)
    every = np.tile(np.arange(3), (len(NEW), 1))
    for leaves, one in zip(forest.leaves(NEW, every), NEW, strict=True):
        for leaf, tree in zip(leaves, trees, strict=True):
            found = forest.rows[forest.first[leaf] : forest.first[leaf + 1]]
            assert_array_equal(np.sort(found), ROWS[in_leaf(tree, one)])


@each_kind
def test_the_mean_of_what_leaves_have_is_what_the_trees_predict(kind):
    forest, trees = grow(kind, rows=np.arange(300))
    if kind == "classes":
        known = np.eye(3)[(Y > 0).astype(int) + (Y > 1)]
        predicted = [tree.predict_proba(NEW[:, COLUMNS]) for tree in trees]
    else:
        known = np.c_[Y, -Y]
        of_trees = [tree.predict(NEW[:, COLUMNS]) for tree in trees]
        predicted = [np.c_[of_tree, -of_tree] for of_tree in of_trees]
    wanted = np.mean(predicted, axis=0)
    assert_allclose(forest.mean(NEW, known), wanted, atol=1e-6)
    assert_allclose(forest.mean(NEW, csr_array(known)).toarray(), wanted, atol=1e-6)


def test_leaves_of_many_rows_take_no_more_memory():
    trees = [DecisionTreeRegressor(random_state=seed) for seed in range(30)]
    n = 20_000
    x = np.zeros((n, 1), np.float32)
    forest = grow_forest(x, x[:, 0], np.array([0]), trees, np.arange(n))
    tracemalloc.start()
    mean = forest.mean(x[:1_000], np.arange(n)[:, None])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_allclose(mean, (n - 1) / 2)
    assert most < 5e7  # 20,000 rows of 30 leaves for each of 1,000 would take 5 GB


def test_rows_are_drawn_from_a_tree_and_from_its_leaf_alike():
    forest, trees = grow(n_trees=2)
    one = NEW[0]
    places = (np.arange(60) + 0.5) / 60
    for i, tree in enumerate(trees):
        uniform = np.c_[np.full(60, 0.5 * i + 0.2), places]
        drawn = forest.draw(np.tile(one, (60, 1)), uniform)
        found, times = np.unique(drawn, return_counts=True)
        assert_array_equal(found, ROWS[in_leaf(tree, one)])
        assert times.min() >= 60 // len(found)


def test_the_ends_of_what_is_drawn_uniformly_are_rows():
    forest, _ = grow()
    below_one = np.nextafter(1.0, 0.0)
    for end in (0.0, below_one):
        drawn = forest.draw(NEW, np.full((len(NEW), 2), end))
        assert np.isin(drawn, ROWS).all()


def test_a_row_beside_a_threshold_falls_as_in_scikit_learn():
    first = np.float32(1_000.0)
    for low in (first, np.nextafter(first, np.float32(np.inf))):
        high = np.nextafter(low, np.float32(np.inf))  # the mean rounds to one of them
        x = np.repeat([low, high], 20)[:, None]
        y = np.repeat([0.0, 1.0], 20)
        trees = [DecisionTreeRegressor(random_state=0)]
        forest = grow_forest(x, y, np.array([0]), trees, np.arange(40))
        leaf = forest.leaves(x, np.zeros((40, 1), int))[:, 0]
        assert_array_equal(leaf, np.repeat([0, 1], 20))


def test_without_columns_a_leaf_has_all_rows():
    trees = [DecisionTreeRegressor(random_state=0)]
    forest = grow_forest(X, Y, np.zeros(0, int), trees, ROWS)
    assert_array_equal(forest.first, [0, 300])
    assert_array_equal(np.sort(forest.rows), ROWS)


def test_it_is_the_same_with_threads():
    trees = [TREES["leaves of 1"](seed) for seed in range(4)]
    one, two = (grow_forest(X, Y, COLUMNS, trees, ROWS, n) for n in (1, 2))
    for name, of in one.state().items():
        assert_array_equal(of, two.state()[name], strict=True)


# ----------------------------------------------------------------------- its state


def test_it_comes_back_from_its_state():
    forest, _ = grow(rows=np.arange(300))
    state = forest.state()
    forest_rule(4, 300)(state, "forest")
    again = load_forest(state)
    known = np.c_[Y, X]
    assert_array_equal(again.mean(NEW, known), forest.mean(NEW, known))
    for name, of in state.items():
        assert not np.shares_memory(getattr(again, name), of)


def entry(at, value):
    def change(array):
        array = array.copy()
        array[at] = value
        return array

    return change


def is_inner(forest):
    return int(np.flatnonzero(forest["feature"] >= 0)[-1])


def is_leaf(forest):
    return int(np.flatnonzero(forest["feature"] < 0)[0])


def n_nodes(forest):
    return len(forest["feature"])


def n_leaves(forest):
    return len(forest["first"]) - 1


# What is changed, at which node (or where), to what, and what the error says.
BROKEN = {
    "a column that is none": ("feature", 0, 4, "feature must be an array of int32"),
    "a threshold of NaN": ("threshold", 0, np.nan, "threshold must be an array"),
    "a circle": ("children", is_inner, 0, "children must be of nodes that come later"),
    "a node of its own": ("children", is_inner, is_inner, "children must be of nodes"),
    "a node beyond": ("children", is_inner, 10**6, "children must be of nodes"),
    "a leaf beyond": ("children", is_leaf, 10**6, "children must be of nodes"),
    "a leaf below 0": ("children", is_leaf, -1, "children must be an array of int32"),
    "the node after the last": ("children", is_inner, n_nodes, "children must be of"),
    "the leaf after the last": ("children", is_leaf, n_leaves, "children must be of"),
    "a column below none": ("feature", 0, -2, "feature must be an array of int32"),
    "a root beyond": ("roots", -1, n_nodes, "roots must be an array of one or more"),
    "a root below 0": ("roots", 0, -9, "roots must be an array of int32"),
    "a root twice": ("roots", 1, 0, "roots must be an array of one or more"),
    "an empty leaf": ("first", 1, 0, "first must be increasing"),
    "rows before the first leaf": ("first", 0, 1, "first must be increasing"),
    "rows left over": ("first", -1, 899, "first must be increasing"),
    "a row beyond": ("rows", 5, 300, "rows must be an array of int32"),
    "a row below 0": ("rows", 5, -1, "rows must be an array of int32"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_state_that_no_forest_has_is_named(name):
    field, at, value, message = BROKEN[name]
    state = grow(rows=np.arange(300))[0].state()
    at, value = (of(state) if callable(of) else of for of in (at, value))
    state[field] = entry(at, value)(state[field])
    with pytest.raises(ValueError, match=re.escape(f"forest.{message}")):
        forest_rule(4, 300)(state, "forest")


@pytest.mark.parametrize("field", ["feature", "threshold", "children", "first"])
def test_a_state_that_lacks_an_entry_is_refused(field):
    state = grow(rows=np.arange(300))[0].state()
    state[field] = state[field][1:]
    with pytest.raises(ValueError, match="corrupt or hostile artefact: forest"):
        forest_rule(4, 300)(state, "forest")


def test_thresholds_have_the_precision_of_the_rows():
    state = grow(rows=np.arange(300))[0].state()
    state["threshold"] = state["threshold"].astype(float)
    with pytest.raises(ValueError, match="threshold must be an array of float32"):
        forest_rule(4, 300)(state, "forest")


def test_no_leaf_is_no_forest():
    state = grow(rows=np.arange(300))[0].state()
    state |= {"first": state["first"][:1], "rows": state["rows"][:0]}
    with pytest.raises(ValueError, match="first must be increasing"):
        forest_rule(4, 300)(state, "forest")


def test_no_tree_is_no_forest():
    state = grow(rows=np.arange(300))[0].state()
    state["roots"] = state["roots"][:0]
    with pytest.raises(ValueError, match="roots must be an array of one or more"):
        forest_rule(4, 300)(state, "forest")
