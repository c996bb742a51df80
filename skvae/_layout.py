"""The border: the columns that the table and the network agree on.

The network's columns stand in blocks, one for each kind of column: first the numeric
ones, then the indicators of categories. Each block says which columns of the table it
has and how many of the network's columns each of those takes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

MOST_LOGIT = 40.0  # whose exponential single precision can add up


@dataclass(frozen=True)
class Block:
    """Columns of one kind, side by side in the network.

    Parameters
    ----------
    kind : str
        Of `KINDS` in `_likelihoods/mixed.py` and `_table/scaling.py`.
    columns : ndarray of shape (n_columns,)
        Indices of the table's columns.
    sizes : ndarray of shape (n_columns,)
        Number of the network's columns that each of them has.
    center, spread : ndarray of shape (width,)
        The network's columns are indicators less `center`, over `spread`. Numeric
        columns have been scaled before: 0 and 1.
    """

    kind: str
    columns: np.ndarray
    sizes: np.ndarray
    center: np.ndarray
    spread: np.ndarray

    @property
    def width(self):
        """Number of the network's columns."""
        return len(self.center)


@dataclass(frozen=True)
class Layout:
    """The blocks of the network's columns, in their order.

    Parameters
    ----------
    blocks : tuple of Block
    """

    blocks: tuple[Block, ...]

    @cached_property
    def widths(self):
        """Number of the network's columns in each block."""
        return tuple(block.width for block in self.blocks)

    @property
    def n_columns(self):
        """Number of the network's columns."""
        return sum(self.widths)

    @cached_property
    def n_numeric(self):
        """Number of numeric columns, which come first."""
        return sum(block.width for block in self.blocks if block.kind == "gaussian")

    @property
    def is_numeric(self):
        """Whether all columns are numeric."""
        return self.n_numeric == self.n_columns


def numeric_layout(n_columns):
    """Return the layout of a table whose columns are all numeric."""
    return Layout((_numeric_block(np.arange(n_columns)),))


def fit_layout(X, n_categories):
    """Return the layout of a table's columns.

    A column of two categories has one indicator, a column of more one for each. They
    are centred at the share of rows that have the category, and keep the variance that
    one-hot columns have, beside the numeric columns' 1: rare categories, and columns of
    many, do not drown the rest, and a linear VAE of all is the PCA that a user would
    otherwise take.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Codes 0, 1, ... in categorical columns; NaN where an entry is missing.
    n_categories : ndarray of shape (n_features,)
        0 for numeric columns.
    """
    shares = [_shares(X[:, j], n) if n else [] for j, n in enumerate(n_categories)]
    return layout_of_shares(n_categories, shares)


def layout_of_shares(n_categories, shares):
    """Return the layout whose categories have these shares of the rows, by column."""
    numeric, binary, other = (
        np.flatnonzero(chosen)
        for chosen in (
            n_categories == 0,
            n_categories == 2,
            (n_categories == 1) | (n_categories > 2),
        )
    )
    blocks = [
        _numeric_block(numeric),
        Block(
            kind="bernoulli",
            columns=binary,
            sizes=np.ones(len(binary), dtype=np.int64),
            center=np.array([shares[j][1] for j in binary]),
            spread=np.full(len(binary), 0.5**0.5),  # one counts for two
        ),
        Block(
            kind="categorical",
            columns=other,
            sizes=n_categories[other],
            center=np.concatenate([[], *(shares[j] for j in other)]),
            spread=np.ones(n_categories[other].sum()),
        ),
    ]
    return Layout(tuple(block for block in blocks if len(block.columns)))


def _numeric_block(columns):
    n = len(columns)
    sizes = np.ones(n, dtype=np.int64)
    return Block("gaussian", columns, sizes, np.zeros(n), np.ones(n))


def _shares(codes, n_categories):
    codes = codes[~np.isnan(codes)].astype(int)
    return np.bincount(codes, minlength=n_categories) / max(len(codes), 1)
