"""How the forests of a dependency network are grown."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from skvae._trees.dependency_network import DependencyNetwork
from skvae._trees.forest import grow_forest

MOST_RELATED_ROWS = 3_000  # that tell how columns are related
MOST_COLUMNS = 30  # that trees of another see, those most related to it
LEAST_ROWS = 500
MOST_PLACES = 3_000_000  # of rows in the leaves of all trees: each takes 10 to 50 bytes


@dataclass(frozen=True)
class Growth:
    """What the trees of each column are.

    Parameters
    ----------
    regressor, classifier : callable
        Make one of scikit-learn's trees, of a `random_state`.
    n_trees : int
        Of each column.
    completes : bool
        Whether missing entries of a column become what its forest expects of them,
        before the next one is grown.
    """

    regressor: Callable
    classifier: Callable
    n_trees: int
    completes: bool

    def n_rows(self, n_rows, n_features):
        """Return on how many rows of a table trees are grown."""
        fitting = MOST_PLACES // (self.n_trees * n_features)
        return min(n_rows, max(fitting, LEAST_ROWS))


# To draw from: with smaller leaves, drawn rows come near to rows of `fit`.
OF_DRAWN = {"max_features": 0.5, "min_samples_leaf": 10}
DRAWING = Growth(
    regressor=partial(DecisionTreeRegressor, **OF_DRAWN),
    classifier=partial(DecisionTreeClassifier, **OF_DRAWN),
    n_trees=10,
    completes=False,
)


def imputing(n_trees):
    """Return the trees of missForest, in the setting of scikit-learn's example."""
    return Growth(
        regressor=partial(ExtraTreeRegressor, max_features=0.5),
        classifier=partial(ExtraTreeClassifier, max_features=0.5),
        n_trees=n_trees,
        completes=True,
    )


def grow_network(codec, codes, complete, growth, seed, n_jobs=None):
    """Grow the forests of a table, one after the other.

    Parameters
    ----------
    codec : Codec
    codes : ndarray of shape (n_samples, n_features)
        NaN where an entry is missing. The trees of a column are grown where it is not.
    complete : callable
        From some of the rows to the same without missing entries.
    growth : Growth
    seed : int
    n_jobs : int, optional
        Number of threads, which changes nothing of what is found.

    Returns
    -------
    DependencyNetwork
    """
    random_state = np.random.RandomState(seed)
    n_rows, n_features = growth.n_rows(*codes.shape), codes.shape[1]
    codes = codes[np.sort(random_state.permutation(len(codes))[:n_rows])]
    is_known, completed = ~np.isnan(codes), complete(codes)
    network, related = (
        DependencyNetwork(codec, completed, ()),
        Related(codec, completed),
    )
    for j in range(n_features):
        rows = np.flatnonzero(is_known[:, j])
        rows = rows if len(rows) else np.arange(n_rows)
        make = growth.regressor if codec.is_numeric[j] else growth.classifier
        seeds = random_state.randint(2**31 - 1, size=growth.n_trees)
        trees = (make(random_state=seed) for seed in seeds)
        x, y = network.x[rows], network.x[rows, j]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The number of unique classes")
            forest = grow_forest(x, y, related.to(j), trees, rows, n_jobs)
        network.add(forest, ~is_known[:, j] & growth.completes)
    return network


class Related:
    """Which columns are most related to each.

    By the largest correlation of their numbers or indicators, or of how far these are
    from their means.

    Parameters
    ----------
    codec : Codec
    codes : ndarray of shape (n, n_features)
        Not NaN.
    """

    def __init__(self, codec, codes):
        x = codec.scaled(codes[:: -(-len(codes) // MOST_RELATED_ROWS)])
        x -= x.mean(axis=0)
        x = np.hstack([x, abs(x) - abs(x).mean(axis=0)])
        norm = np.sqrt(np.square(x).sum(axis=0))
        self._x = x / np.where(norm > 0, norm, 1.0)
        blocks = codec.layout.blocks
        features = [block.columns.repeat(block.sizes) for block in blocks]
        self._feature = np.tile(np.concatenate(features), 2)
        self._n_features = codes.shape[1]

    def to(self, j):
        """Return the indices of the columns that the trees of one see."""
        correlation = abs(self._x[:, self._feature == j].T @ self._x).max(axis=0)
        found = np.zeros(self._n_features)
        np.maximum.at(found, self._feature, correlation)
        found[j] = -1.0
        best = np.argsort(-found, kind="stable")[:MOST_COLUMNS]
        return np.sort(best[best != j])
