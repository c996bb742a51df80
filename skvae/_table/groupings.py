"""Categories of a column that share an indicator, so that a column has few of them.

Rare categories without an order are one group, as scikit-learn's OneHotEncoder pools
infrequent ones; of many ordered categories neighbours are. What a group's category is
does not depend on the other columns: it has a share of the group's rows.
"""

import numpy as np

FEW = 30  # categories without an order, of which none is pooled
LEAST_ROWS = 5  # that a category must have, of more, to be none of the pool
MOST = 255  # categories that are none of it; of ordered ones, groups


class Grouping:
    """The group of each category of a column, and their shares of its rows.

    Parameters
    ----------
    groups : ndarray of int of shape (n_categories,)
        From 0; each number up to the largest is the group of some category.
    counts : ndarray of int of shape (n_categories,)
        Rows in fit that have each category.
    takes_unseen : bool, default=False
        Whether the last group has the values that fit did not see, too: as many rows as
        if one had had another value. Their code is `n_categories`.

    Attributes
    ----------
    n_groups : int
    n_grouped : int
        Number of categories that share their group.
    """

    def __init__(self, groups, counts, takes_unseen=False):
        groups = np.asarray(groups, dtype=np.intp)
        counts = np.asarray(counts, dtype=np.float64)
        self.takes_unseen = takes_unseen
        n_of_each = np.bincount(groups)
        self.n_groups = len(n_of_each)
        self.n_grouped = int(n_of_each[n_of_each > 1].sum())
        rows = np.bincount(groups, counts)
        shares = counts / rows[groups]
        # Categories group by group, and where each one's part of its group ends: the
        # groups are as long as 1 each.
        self._order = np.argsort(groups, kind="stable")
        group = groups[self._order]
        self._first = np.searchsorted(group, np.arange(self.n_groups))
        self._last = np.searchsorted(group, np.arange(self.n_groups), "right") - 1
        ends = np.concatenate([[0.0], shares[self._order].cumsum()])
        self._ends = group + ends[1:] - ends[self._first[group]]
        self._ends[self._last] = np.arange(self.n_groups) + 1  # whatever the rounding
        # The most frequent category of each group, and its share.
        by_count = np.argsort(-counts, kind="stable")
        first = np.unique(groups[by_count], return_index=True)[1]
        self._most_frequent = by_count[first]
        if takes_unseen:
            last = self.n_groups - 1
            rows[last] += 1
            groups, counts = np.append(groups, last), np.append(counts, 1.0)
        shares = counts / rows[groups]
        self._groups, self._log_share = groups, np.log(shares)
        self._favour = shares[self._most_frequent]

    @classmethod
    def alone(cls, n_categories):
        """Return the grouping of categories of which each is its own group."""
        return cls(np.arange(n_categories), np.ones(n_categories))

    @property
    def tells_nothing(self):
        """Whether all categories are one group, though they are several."""
        return self.n_groups == 1 and self.n_grouped > 1

    def of(self, codes):  # (n,) -> (n,)
        """Return the groups of codes of categories; NaN where that is NaN."""
        return _look_up(self._groups, codes)

    def log_share(self, codes):  # (n,) -> (n,)
        """Return the log of each category's share of its group; 0 where it is NaN."""
        return np.nan_to_num(_look_up(self._log_share, codes))

    def likeliest(self, probabilities):  # (n, n_groups) -> (n,)
        """Return the codes of the categories with the largest probability."""
        return self._most_frequent[(probabilities * self._favour).argmax(axis=1)]

    def median(self, exceeding):  # (n, n_groups - 1) -> (n,)
        """Return the codes of the median categories.

        Parameters
        ----------
        exceeding : ndarray of shape (n_samples, n_groups - 1)
            The probabilities that each group but the last is exceeded. The median
            exceeds what is exceeded with at least one half.
        """
        group = (exceeding > 0.5).sum(axis=1)
        edges = np.pad(exceeding, [(0, 0), (1, 1)], constant_values=(1.0, 0.0))
        rows = np.arange(len(group))
        upper, lower = edges[rows, group], edges[rows, group + 1]
        width = upper - lower
        part = (upper - 0.5) / np.where(width > 0, width, 1.0)
        return self._part(group, part.clip(0, 1), "left")

    def draw(self, codes, uniform):  # (n,), (n,) -> (n,)
        """Return codes of the same groups, by their shares.

        Parameters
        ----------
        codes : ndarray of shape (n_samples,)
            Not NaN.
        uniform : ndarray of shape (n_samples,)
            Uniform draws from [0, 1).
        """
        return self._part(self.of(codes), uniform, "right")

    def _part(self, group, part, side):
        """Return the category at a part of its group, from 0 to 1."""
        group = group.astype(np.intp)
        at = np.searchsorted(self._ends, group + part, side)
        return self._order[at.clip(self._first[group], self._last[group])]


NO_GROUPS = Grouping.alone(0)  # of a column that is not categorical


def _look_up(table, codes):
    known = ~np.isnan(codes)
    found = np.full(len(codes), np.nan)
    found[known] = table[codes[known].astype(np.intp)]
    return found


def find_groups(counts, ordered):
    """Return the group of each category of a column.

    Those without an order are pooled where there are more than `FEW`: all that fewer
    than `LEAST_ROWS` rows have, and all but the `MOST` most frequent; the first of
    those that are as frequent stay, and one alone makes no pool. Of more than `MOST`
    ordered ones neighbours are joined, to that many groups at most, of about as many
    rows each.

    Parameters
    ----------
    counts : ndarray of int of shape (n_categories,)
    ordered : bool

    Returns
    -------
    ndarray of int of shape (n_categories,)
    """
    n = len(counts)
    if n <= (MOST if ordered else FEW):
        return np.arange(n)
    if ordered:
        middle = counts.cumsum() - counts / 2
        groups = (middle * MOST / counts.sum()).astype(int)
        return np.unique(groups, return_inverse=True)[1]
    keep = np.zeros(n, dtype=bool)
    keep[np.argsort(-counts, kind="stable")[:MOST]] = True
    keep &= counts >= LEAST_ROWS
    if keep.sum() >= n - 1:
        return np.arange(n)
    return np.where(keep, keep.cumsum() - 1, keep.sum())
