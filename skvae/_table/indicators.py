"""Categorical columns as indicators: the network's columns of each kind, and back.

Indicators are centred at the share of rows in which they are 1, and keep the variance
that one-hot columns have, beside the numeric columns' 1: rare categories, and columns
of many, do not drown the rest, and a linear VAE of all is the PCA that a user would
otherwise take.
"""

import numpy as np

from skvae._layout import Block, Layout, numeric_block
from skvae._table.groupings import Grouping


class OneHot:
    """Columns of categories as a scaled indicator for each group of categories.

    Parameters
    ----------
    block : Block
    groupings : sequence of Grouping, default=()
        Of the categories of each column. Without them each is a group of its own.
    """

    n_without = 0  # groups of a column that have no indicator

    def __init__(self, block, groupings=()):
        self.center, self.spread, self.sizes = block.center, block.spread, block.sizes
        self._first = np.cumsum([0, *self.sizes], dtype=int)[:-1]
        alone = (Grouping.alone(size + self.n_without) for size in self.sizes)
        self._groupings = list(groupings or alone)

    @staticmethod
    def scale(shares):  # (n_categories,) -> (size,), (size,)
        """Return center and spread of a column's indicators.

        Parameters
        ----------
        shares : ndarray of shape (n_categories,)
            Of the rows, that have each category.
        """
        return shares, np.ones(len(shares))

    def forward(self, codes):  # (n, m) -> (n, width)
        """Return scaled indicators of codes 0, 1, ...; NaN where that is NaN."""
        groups = self._by_column(Grouping.of, codes)
        return (self._indicators(groups) - self.center) / self.spread

    def backward(self, x):  # (n, width) -> (n, m)
        """Return the codes of the most probable categories."""
        indicators = np.split(x * self.spread + self.center, self._first[1:], axis=1)
        found = zip(self._groupings, indicators, strict=True)
        codes = [self._code(grouping, of_column) for grouping, of_column in found]
        return np.stack(codes, axis=1).astype(np.float64)

    def log_slope(self, codes):  # (n, m) -> (n,)
        """Return the log of the probabilities that the categories have in groups."""
        return self._by_column(Grouping.log_share, codes).sum(axis=1)

    def observed(self, codes, x):
        """Return the indicators: they are known exactly."""
        return x

    def _by_column(self, method, codes):
        columns = zip(self._groupings, codes.T, strict=True)
        return np.stack([method(grouping, of) for grouping, of in columns], axis=1)

    def _indicators(self, groups):
        indicators = np.zeros((len(groups), len(self.center)))
        missing = np.isnan(groups)
        rows, columns = np.nonzero(~missing)
        indicators[rows, self._first[columns] + groups[rows, columns].astype(int)] = 1
        if missing.any():
            indicators[np.repeat(missing, self.sizes, axis=1)] = np.nan
        return indicators

    @staticmethod
    def _code(grouping, indicators):  # (n, size) -> (n,)
        return grouping.likeliest(indicators)


class Binary(OneHot):
    """Columns of two groups as one scaled indicator each, of the second."""

    n_without = 1

    @staticmethod
    def scale(shares):  # (2,) -> (1,), (1,)
        """Return center and spread of a column's indicator: it counts for two."""
        return shares[1:], np.array([0.5**0.5])

    def _indicators(self, groups):
        return groups

    @staticmethod
    def _code(grouping, indicators):  # (n, 1) -> (n,)
        return grouping.likeliest(np.hstack([1 - indicators, indicators]))


class Exceeding(OneHot):
    """Columns of ordered categories: whether they exceed each group but the last."""

    n_without = 1

    @staticmethod
    def scale(shares):  # (n_categories,) -> (n_categories - 1,) twice
        """Return center and spread: as much variance as one-hot columns have."""
        center = 1 - shares.cumsum()[:-1]
        variance = (center * (1 - center)).sum()
        one_hot = 1 - (shares**2).sum()
        spread = np.sqrt(variance / one_hot) if one_hot > 0 else 1.0
        return center, np.full(len(center), spread)

    def _indicators(self, groups):
        group = np.arange(len(self.center)) - np.repeat(self._first, self.sizes)
        groups = np.repeat(groups, self.sizes, axis=1)
        return np.where(np.isnan(groups), np.nan, groups > group)

    @staticmethod
    def _code(grouping, indicators):  # (n, size) -> (n,)
        return grouping.median(indicators)


# By the names of `KINDS` in `_likelihoods/mixed.py`.
INDICATORS = {"bernoulli": Binary, "categorical": OneHot, "ordinal": Exceeding}


def fit_layout(groups, kinds, n_groups):
    """Return the layout of a table's columns.

    Parameters
    ----------
    groups : ndarray of shape (n_samples, n_features)
        Groups 0, 1, ... in categorical columns; NaN where an entry is missing.
    kinds : ndarray of shape (n_features,)
        Of str: "gaussian", or a key of `INDICATORS`.
    n_groups : ndarray of shape (n_features,)
        0 for numeric columns.

    Returns
    -------
    Layout
    """
    blocks = [numeric_block(np.flatnonzero(kinds == "gaussian"))]
    for kind, indicators in INDICATORS.items():
        columns = np.flatnonzero(kinds == kind)
        scales = [indicators.scale(_shares(groups[:, j], n_groups[j])) for j in columns]
        if scales:
            sizes = np.array([len(center) for center, _ in scales])
            center, spread = (np.concatenate(a) for a in zip(*scales, strict=True))
            blocks.append(Block(kind, columns, sizes, center, spread))
    return Layout(tuple(block for block in blocks if len(block.columns)))


def _shares(groups, n_groups):
    groups = groups[~np.isnan(groups)].astype(int)
    return np.bincount(groups, minlength=n_groups) / max(len(groups), 1)
