"""A forest as arrays: which training rows share a leaf with a row.

scikit-learn grows the trees. What is kept of them are numbers, which a file may hold:
its own trees would be code that a file calls.
"""

from dataclasses import asdict, dataclass

import numpy as np
from joblib import Parallel, delayed
from scipy.sparse import csr_array

from skvae._rules import array, both, record, require

MOST_NODES = 2**31 - 1


@dataclass(frozen=True)
class Forest:
    """Trees that split rows by their columns.

    Parameters
    ----------
    feature : ndarray of shape (n_nodes,)
        The column that a node splits by; -1 at a leaf.
    threshold : ndarray of shape (n_nodes,)
        The largest entry that goes left.
    children : ndarray of shape (n_nodes, 2)
        The nodes to the left and to the right; of a leaf its number, twice.
    roots : ndarray of shape (n_trees,)
    first : ndarray of shape (n_leaves + 1,)
        Where the rows of each leaf begin among `rows`, and where they end.
    rows : ndarray of shape (n_places,)
        Indices of the training rows, leaf by leaf.
    """

    feature: np.ndarray
    threshold: np.ndarray
    children: np.ndarray
    roots: np.ndarray
    first: np.ndarray
    rows: np.ndarray

    @property
    def n_trees(self):
        """Number of trees."""
        return len(self.roots)

    def leaves(self, x, trees):  # (n, d), (n, m) -> (n, m)
        """Return the leaf that each row falls into in some trees."""
        node = self.roots[trees].ravel()
        row = np.arange(len(x)).repeat(trees.shape[1])
        above = np.arange(len(node))  # those that have not come to a leaf
        while len(above):
            at = node[above]
            is_inner = self.feature[at] >= 0
            above, at = above[is_inner], at[is_inner]
            is_right = x[row[above], self.feature[at]] > self.threshold[at]
            node[above] = self.children[at, is_right.astype(np.intp)]
        return self.children[node, 0].reshape(trees.shape)

    def draw(self, x, uniform):  # (n, d), (n, 2) -> (n,)
        """Return for each row a training row of its leaf in one of the trees.

        Parameters
        ----------
        x : ndarray of shape (n, d)
        uniform : ndarray of shape (n, 2)
            Uniform draws from [0, 1), of the tree and of the row in the leaf.
        """
        tree, place = (uniform * [[self.n_trees, 1.0]]).T
        leaf = self.leaves(x, tree.astype(np.intp)[:, None])[:, 0]
        first, size = self.first[leaf], self.first[leaf + 1] - self.first[leaf]
        return self.rows[first + (place * size).astype(np.intp)]

    def mean(self, x, known):
        """Return the mean of what the training rows in each row's leaves have.

        Each tree counts alike, and so does each row of a leaf.

        Parameters
        ----------
        x : ndarray of shape (n, d)
        known : ndarray or sparse array of shape (n_rows, m)
            Of the training rows.

        Returns
        -------
        ndarray or sparse array of shape (n, m)
        """
        trees = np.broadcast_to(np.arange(self.n_trees), (len(x), self.n_trees))
        leaves, size = self.leaves(x, trees).ravel(), np.diff(self.first)
        shape = len(size), known.shape[0]
        of_leaves = csr_array(((1 / size).repeat(size), self.rows, self.first), shape)
        ends = np.arange(len(x) + 1) * self.n_trees
        weight = np.full(len(leaves), 1 / self.n_trees)
        of_rows = csr_array((weight, leaves, ends), (len(x), len(size)))
        return of_rows @ (of_leaves @ known)

    def state(self):
        """Return the forest as plain data."""
        return asdict(self)


def grow_forest(x, y, columns, trees, rows, n_jobs=None):
    """Grow a forest.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Of single precision.
    y : ndarray of shape (n,)
        What the trees tell apart.
    columns : ndarray of shape (m,)
        Of x, by which they do. Without any, each tree is a leaf of all rows.
    trees : iterable of estimator
        scikit-learn's, not fitted.
    rows : ndarray of shape (n,)
        What to call the rows.
    n_jobs : int, optional
        Number of threads.

    Returns
    -------
    Forest
    """
    given = x[:, columns] if len(columns) else np.zeros_like(x[:, :1])
    columns = columns if len(columns) else np.zeros(1, dtype=np.intp)
    grow, given = delayed(_grow_tree), np.ascontiguousarray(given)
    parallel = Parallel(n_jobs, require="sharedmem")
    return _join(parallel(grow(tree, given, y, rows, columns) for tree in trees))


def _grow_tree(tree, x, y, rows, columns):
    """Return the forest of one tree."""
    found = tree.fit(x, y).tree_
    children = np.stack([found.children_left, found.children_right], axis=1)
    is_leaf = children[:, 0] < 0
    leaves = is_leaf.cumsum() - 1
    leaf = leaves[found.apply(x)]
    feature = np.where(is_leaf, -1, columns[found.feature * ~is_leaf])
    return Forest(
        feature=feature.astype(np.int32),
        threshold=_at_most(found.threshold),
        children=np.where(is_leaf[:, None], leaves[:, None], children).astype(np.int32),
        roots=np.zeros(1, np.int32),
        first=np.append(0, np.bincount(leaf).cumsum()).astype(np.int32),
        rows=rows[leaf.argsort(kind="stable")].astype(np.int32),
    )


def _join(forests):
    """Return the forest of the trees of several."""
    n_nodes = _starts(len(one.feature) for one in forests)
    n_leaves = _starts(len(one.first) - 1 for one in forests)
    n_places = _starts(len(one.rows) for one in forests)
    children, roots, first = [], [], []
    for i, one in enumerate(forests):
        is_leaf = one.feature[:, None] < 0
        children.append(one.children + np.where(is_leaf, n_leaves[i], n_nodes[i]))
        roots.append(one.roots + n_nodes[i])
        first.append(one.first[:-1] + n_places[i])
    return Forest(
        feature=np.concatenate([one.feature for one in forests]),
        threshold=np.concatenate([one.threshold for one in forests]),
        children=np.concatenate(children),
        roots=np.concatenate(roots),
        first=np.concatenate([*first, n_places[-1:]]),
        rows=np.concatenate([one.rows for one in forests]),
    )


def _starts(lengths):
    """Return where parts of some lengths start, and where the last one ends."""
    return np.cumsum([0, *lengths], dtype=np.int32)


def _at_most(threshold):
    """Return the largest floats of single precision that are no larger.

    So that rows of single precision fall as they do in scikit-learn.
    """
    single = threshold.astype(np.float32)
    below = np.nextafter(single, np.float32(-np.inf))
    return np.where(single > threshold, below, single)


def forest_rule(n_features, n_rows):
    """Return the rule for the state of a forest, of so many columns and rows."""
    nodes = array("int32", (None,), -1, n_features - 1)
    counts = array("int32", (None,), 0, MOST_NODES)
    fields = {
        "feature": nodes,
        "threshold": array("float32", (None,)),
        "children": array("int32", (None, 2), 0, MOST_NODES),
        "roots": counts,
        "first": counts,
        "rows": array("int32", (None,), 0, n_rows - 1),
    }

    def fits(value, path):
        feature, children = value["feature"], value["children"]
        roots, first, rows = value["roots"], value["first"], value["rows"]
        n = len(feature)
        is_long = len(value["threshold"]) == len(children) == n
        require(is_long, f"{path}.children", f"of {n} nodes", children)
        rule = f"an array of one or more of {n} nodes, in their order"
        are_roots = len(roots) and roots[-1] < n and (np.diff(roots) > 0).all()
        require(are_roots, f"{path}.roots", rule, roots)
        rule = "increasing, from 0 to the number of rows"
        is_cut = len(first) > 1 and first[0] == 0 and first[-1] == len(rows)
        is_cut = is_cut and (np.diff(first.astype(np.int64)) > 0).all()
        require(is_cut, f"{path}.first", rule, first)
        is_leaf, own = feature < 0, np.arange(n)[:, None]
        goes_on = (own < children) & (children < n)
        rule = "of nodes that come later, and of leaves where there are no columns"
        is_tree = np.where(is_leaf[:, None], children < len(first) - 1, goes_on).all()
        require(is_tree, f"{path}.children", rule, children)

    return both(record(fields), fits)


def load_forest(state):
    """Return the forest whose state keeps the rule.

    Arrays are copied: those that joblib maps from a file are read-only.
    """
    return Forest(**{name: np.array(of) for name, of in state.items()})
