"""Categorical columns as indicators: the network's columns of each kind, and back.

Indicators are centred at the share of rows in which they are 1, and keep the variance
that one-hot columns have, beside the numeric columns' 1: rare categories, and columns
of many, do not drown the rest, and a linear VAE of all is the PCA that a user would
otherwise take.
"""

import numpy as np

from skvae._layout import Block, Layout, numeric_block


class OneHot:
    """Columns of categories as a scaled indicator for each category.

    Parameters
    ----------
    block : Block
    """

    def __init__(self, block):
        self.center, self.spread, self.sizes = block.center, block.spread, block.sizes
        self._first = np.cumsum([0, *self.sizes], dtype=int)[:-1]

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
        return (self._indicators(codes) - self.center) / self.spread

    def backward(self, x):  # (n, width) -> (n, m)
        """Return the codes of the most probable categories."""
        indicators = np.split(x * self.spread + self.center, self._first[1:], axis=1)
        codes = [self._code(of_column) for of_column in indicators]
        return np.stack(codes, axis=1).astype(np.float64)

    def log_slope(self, codes):
        """Return 0: a probability has no units."""
        return 0.0

    def observed(self, codes, x):
        """Return the indicators: they are known exactly."""
        return x

    def _indicators(self, codes):
        indicators = np.zeros((len(codes), len(self.center)))
        missing = np.isnan(codes)
        rows, columns = np.nonzero(~missing)
        indicators[rows, self._first[columns] + codes[rows, columns].astype(int)] = 1
        if missing.any():
            indicators[np.repeat(missing, self.sizes, axis=1)] = np.nan
        return indicators

    @staticmethod
    def _code(indicators):  # (n, size) -> (n,)
        return indicators.argmax(axis=1)


class Binary(OneHot):
    """Columns of two categories as one scaled indicator each, of the second."""

    @staticmethod
    def scale(shares):  # (2,) -> (1,), (1,)
        """Return center and spread of a column's indicator: it counts for two."""
        return shares[1:], np.array([0.5**0.5])

    def _indicators(self, codes):
        return codes

    @staticmethod
    def _code(indicators):  # (n, 1) -> (n,)
        return indicators[:, 0] > 0.5


class Exceeding(OneHot):
    """Columns of ordered categories: whether they exceed each category but the last."""

    @staticmethod
    def scale(shares):  # (n_categories,) -> (n_categories - 1,) twice
        """Return center and spread: as much variance as one-hot columns have."""
        center = 1 - shares.cumsum()[:-1]
        variance = (center * (1 - center)).sum()
        one_hot = 1 - (shares**2).sum()
        spread = np.sqrt(variance / one_hot) if one_hot > 0 else 1.0
        return center, np.full(len(center), spread)

    def _indicators(self, codes):
        category = np.arange(len(self.center)) - np.repeat(self._first, self.sizes)
        codes = np.repeat(codes, self.sizes, axis=1)
        return np.where(np.isnan(codes), np.nan, codes > category)

    @staticmethod
    def _code(indicators):  # (n, size) -> (n,)
        """Return the median: it exceeds what is exceeded with at least one half."""
        return (indicators > 0.5).sum(axis=1)


# By the names of `KINDS` in `_likelihoods/mixed.py`.
INDICATORS = {"bernoulli": Binary, "categorical": OneHot, "ordinal": Exceeding}


def fit_layout(codes, kinds, n_categories):
    """Return the layout of a table's columns.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_features)
        Codes 0, 1, ... in categorical columns; NaN where an entry is missing.
    kinds : ndarray of shape (n_features,)
        Of str: "gaussian", or a key of `INDICATORS`.
    n_categories : ndarray of shape (n_features,)
        0 for numeric columns.

    Returns
    -------
    Layout
    """
    blocks = [numeric_block(np.flatnonzero(kinds == "gaussian"))]
    for kind, indicators in INDICATORS.items():
        columns = np.flatnonzero(kinds == kind)
        scales = [
            indicators.scale(_shares(codes[:, j], n_categories[j])) for j in columns
        ]
        if scales:
            sizes = np.array([len(center) for center, _ in scales])
            center, spread = (np.concatenate(a) for a in zip(*scales, strict=True))
            blocks.append(Block(kind, columns, sizes, center, spread))
    return Layout(tuple(block for block in blocks if len(block.columns)))


def _shares(codes, n_categories):
    codes = codes[~np.isnan(codes)].astype(int)
    return np.bincount(codes, minlength=n_categories) / max(len(codes), 1)
