"""Each column given the others: a dependency network of forests.

Heckerman, Chickering, Meek, Rounthwaite & Kadie (2000). Dependency Networks for
Inference, Collaborative Filtering, and Data Visualization. JMLR 1.
"""

import numpy as np
from scipy.sparse import csr_array

from skvae._rules import anything, both, each, record
from skvae._table.codec import codes_rule
from skvae._trees.forest import forest_rule, load_forest

OWN_SHARE = 0.3  # of what an entry was, in what is expected of it


class DependencyNetwork:
    """Forests of each column given the others, and the rows that they were grown on.

    Parameters
    ----------
    codec : Codec
        Of the table.
    codes : ndarray of shape (n_rows, n_features)
        The rows, without missing values.
    forests : sequence of Forest
        One for each column; without any, all stays as it is.

    Attributes
    ----------
    x : ndarray of shape (n_rows, n_features)
        What trees see of the rows, in single precision.
    """

    def __init__(self, codec, codes, forests):
        self._codec, self._codes, self._forests = codec, codes, list(forests)
        self.x = codec.features(codes)

    def add(self, forest, is_free):
        """Add the forest of the next column, and have it expect some of its entries."""
        j, free = len(self._forests), np.flatnonzero(is_free)
        self._forests.append(forest)
        if len(free):
            found = self._expect(j, self._codes[free, j], self.x[free])
            self._codes[free, j], self.x[free, j] = found

    def draw(self, codes, is_free, uniform):
        """Draw entries once more, column after column, given the others as they are.

        From the rows in the leaf of one of the column's trees: one round of Gibbs
        sampling.

        Parameters
        ----------
        codes : ndarray of shape (n, n_features)
            Not NaN.
        is_free : ndarray of bool of shape (n, n_features)
            Which entries to draw; the others are given.
        uniform : callable
            Returns an array of a shape of uniform draws from [0, 1).

        Returns
        -------
        ndarray of shape (n, n_features)
        """

        def draw(j, codes, x):
            found = self._forests[j].draw(x, uniform((len(x), 2)))
            return self._codes[found, j], self.x[found, j]

        return self._revise(codes, is_free, draw)

    def expect(self, codes, is_free):
        """Expect entries, column after column, given the others as they are by then.

        `OWN_SHARE` of a number is what it was; a category is the most probable one, or
        the median if they have an order, and what it was counts as much.

        Parameters
        ----------
        codes : ndarray of shape (n, n_features)
            Not NaN.
        is_free : ndarray of bool of shape (n, n_features)
            Which entries to expect; the others are given.

        Returns
        -------
        ndarray of shape (n, n_features)
        """
        return self._revise(codes, is_free, self._expect)

    def _revise(self, codes, is_free, revise):
        """Revise the free entries, column after column, by what is known by then."""
        if not self._forests:
            return codes
        codes, x = codes.copy(), self._codec.features(codes)
        for j in range(len(self._forests)):
            free = np.flatnonzero(is_free[:, j])
            if len(free):
                codes[free, j], x[free, j] = revise(j, codes[free, j], x[free])
        return codes

    def _expect(self, j, codes, x):  # (n,), (n, d) -> (n,), (n,)
        """Return what is expected of a column, its codes and its features."""
        forest, own = self._forests[j], x[:, j]
        if self._codec.is_numeric[j]:
            known = np.stack([self._codes[:, j], self.x[:, j]], axis=1)
            mean = forest.mean(x, known)
            return tuple(_mix(np.stack([codes, own], axis=1), mean).T)
        grouping = self._codec.schema.groupings[j]
        share = _mix(
            _indicators(own, grouping.n_groups).toarray(),
            forest.mean(x, _indicators(self.x[:, j], grouping.n_groups)).toarray(),
        )
        if self._codec.schema.kinds[j] == "ordinal":
            codes = grouping.median(1 - share.cumsum(axis=1)[:, :-1])
        else:
            codes = grouping.likeliest(share)
        return codes, grouping.of(codes.astype(float))

    def state(self):
        """Return the network as plain data, but for its codec."""
        forests = [forest.state() for forest in self._forests]
        return {"codes": self._codes, "forests": forests}


def _mix(own, mean):
    return OWN_SHARE * own + (1 - OWN_SHARE) * mean


def _indicators(groups, n_groups):
    """Return a sparse array with a one in each row, in the column of its group."""
    n = len(groups)
    ones = np.ones(n), groups.astype(np.intp), np.arange(n + 1)
    return csr_array(ones, (n, n_groups))


def no_network(codec):
    """Return the network that leaves everything as it is."""
    return DependencyNetwork(codec, np.empty((0, len(codec.is_numeric))), ())


def network_rule(codec):
    """Return the rule for the state of a dependency network of a table."""
    n_features = len(codec.is_numeric)

    def forests_fit(value, path):
        forest = forest_rule(n_features, len(value["codes"]))
        n_forests = n_features if len(value["codes"]) else 0
        each(forest, n_forests, n_forests)(value["forests"], f"{path}.forests")

    return both(record({"codes": codes_rule(codec), "forests": anything}), forests_fit)


def load_network(state, codec):
    """Return the network whose state keeps the rule."""
    forests = [load_forest(forest) for forest in state["forests"]]
    return DependencyNetwork(codec, np.array(state["codes"]), forests)
