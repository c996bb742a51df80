"""The border: the columns that the table and the network agree on.

The network's columns stand in blocks, one for each kind of column: first the numeric
ones, then the indicators of categories. Each block says which columns of the table it
has and how many of the network's columns each of those takes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Block:
    """Columns of one kind, side by side in the network.

    Parameters
    ----------
    kind : str
        A key of `KINDS` in `_likelihoods/mixed.py`, and of `INDICATORS` in
        `_table/indicators.py` unless it is "gaussian".
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
    return Layout((numeric_block(np.arange(n_columns)),))


def numeric_block(columns):
    """Return the block of some numeric columns, which are scaled already."""
    n = len(columns)
    sizes = np.ones(n, dtype=np.int64)
    return Block("gaussian", columns, sizes, np.zeros(n), np.ones(n))
