"""The network's columns: numbers first, then indicators of levels.

A column of two levels is one indicator, a column of more has one for each level. They
are centred at the share of rows that have the level, and keep the variance that one-hot
columns have, beside the standardised numbers' 1: rare levels, and columns of many, do
not drown the rest, and a linear VAE of all is the PCA that a user would otherwise take.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

MOST_LOGIT = 40.0  # whose exponential single precision can add up


@dataclass(frozen=True)
class Blocks:
    """The layout of the network's columns, and the scale of the indicators.

    Parameters
    ----------
    n_levels : ndarray of shape (n_features,)
        Of each column of the table, 0 for numbers.
    shares : ndarray of shape (n_indicators,)
        Of the rows, that have the level of each indicator.
    """

    n_levels: np.ndarray
    shares: np.ndarray

    @cached_property
    def order(self):
        """The table's columns in the order of the blocks."""
        return _order(self.n_levels)

    @cached_property
    def n_numbers(self):
        return int((self.n_levels == 0).sum())

    @cached_property
    def n_binary(self):
        return int((self.n_levels == 2).sum())

    @cached_property
    def sizes(self):
        """Numbers of levels of the columns that have other than two."""
        order = self.order[self.n_numbers + self.n_binary :]
        return tuple(int(size) for size in self.n_levels[order])

    @cached_property
    def widths(self):
        """Number of the network's columns in each block."""
        return self.n_numbers, self.n_binary, sum(self.sizes)

    @cached_property
    def spread(self):
        """What indicators are divided by, (n_indicators,)."""
        spread = np.ones(len(self.shares))
        spread[: self.n_binary] = 0.5**0.5  # one counts for two
        return spread

    @cached_property
    def _first(self):
        """Index of each column's first level among the indicators."""
        return self.n_binary + np.cumsum((0, *self.sizes), dtype=int)[:-1]

    def scaled(self, codes):  # (n, n_binary + len(sizes)) -> (n, n_indicators)
        """Return scaled indicators of levels 0, 1, ...; NaN where that is NaN."""
        indicators = np.zeros((len(codes), len(self.shares)))
        indicators[:, : self.n_binary] = codes[:, : self.n_binary]
        codes = codes[:, self.n_binary :]
        missing = np.isnan(codes)
        rows, columns = np.nonzero(~missing)
        level = codes[rows, columns].astype(int)
        indicators[rows, self._first[columns] + level] = 1
        if missing.any():
            missing = np.repeat(missing, self.sizes, axis=1)
            indicators[:, self.n_binary :][missing] = np.nan
        return (indicators - self.shares) / self.spread

    def codes(self, scaled):  # (n, n_indicators) -> (n, n_binary + len(sizes))
        """Return the level of each column whose indicator is largest."""
        indicators = scaled * self.spread + self.shares
        codes = np.empty((len(scaled), self.n_binary + len(self.sizes)))
        codes[:, : self.n_binary] = indicators[:, : self.n_binary] > 0.5
        for i, (first, size) in enumerate(zip(self._first, self.sizes, strict=True)):
            levels = indicators[:, first : first + size]
            codes[:, self.n_binary + i] = levels.argmax(axis=1)
        return codes


def fit_blocks(X, n_levels):
    """Return the layout of a table's columns.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Levels 0, 1, ... in the columns that have levels; NaN where one is missing.
    n_levels : ndarray of shape (n_features,)
        0 for numbers.
    """
    shares = [np.empty(0)]
    for column in _order(n_levels)[(n_levels == 0).sum() :]:
        levels = X[:, column]
        levels = levels[~np.isnan(levels)].astype(int)
        share = np.bincount(levels, minlength=n_levels[column]) / max(len(levels), 1)
        shares.append(share[1:] if n_levels[column] == 2 else share)
    return Blocks(np.asarray(n_levels), np.concatenate(shares))


def _order(n_levels):
    block = np.where(n_levels == 0, 0, np.where(n_levels == 2, 1, 2))
    return np.argsort(block, kind="stable")
