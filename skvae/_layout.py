"""The border: the columns that the table and the network agree on.

The network's columns stand in blocks, one for each kind of column: first the numeric
ones, then the indicators of categories. Each block says which columns of the table it
has and how many of the network's columns each of those takes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from skvae._rules import array, both, each, one_of, record, require, shares

# Of the network's columns by the table's, which some likelihoods have a matrix of.
MOST_ENTRIES = 2**27


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

    @property
    def n_features(self):
        """Number of the table's columns."""
        return sum(len(block.columns) for block in self.blocks)

    @cached_property
    def is_numeric_feature(self):
        """Whether each of the table's columns is numeric, a mask."""
        is_numeric = np.zeros(self.n_features, bool)
        for block in self.blocks:
            is_numeric[block.columns] = block.kind == "gaussian"
        return is_numeric

    @cached_property
    def n_numeric(self):
        """Number of numeric columns, which come first."""
        return sum(block.width for block in self.blocks if block.kind == "gaussian")

    @property
    def is_numeric(self):
        """Whether all columns are numeric."""
        return self.n_numeric == self.n_columns


def load_layout(state):
    """Return the layout whose blocks are dicts that keep `LAYOUT`.

    Arrays are copied: those that joblib maps from a file are read-only.
    """
    blocks = []
    for block in state:
        arrays = {key: np.array(of) for key, of in block.items() if key != "kind"}
        blocks.append(Block(kind=block["kind"], **arrays))
    return Layout(tuple(blocks))


def numeric_layout(n_columns):
    """Return the layout of a table whose columns are all numeric."""
    return Layout((numeric_block(np.arange(n_columns)),))


def numeric_block(columns):
    """Return the block of some numeric columns, which are scaled already."""
    n = len(columns)
    sizes = np.ones(n, dtype=np.int64)
    return Block("gaussian", columns, sizes, np.zeros(n), np.ones(n))


def _sizes_fit(value, path):
    """Check that the parts of a block have the lengths that its sizes say."""
    columns, sizes = value["columns"], value["sizes"]
    width, is_numeric = len(value["center"]), value["kind"] == "gaussian"
    fits = len(sizes) == len(columns) and sizes.sum() == width
    require(fits, f"{path}.sizes", f"of columns that add up to {width}", sizes)
    rule = f"as long as center, {width}"
    require(len(value["spread"]) == width, f"{path}.spread", rule, value["spread"])
    if is_numeric or value["kind"] == "bernoulli":
        require((sizes == 1).all(), f"{path}.sizes", "1 for each column", sizes)
    if is_numeric:
        require((value["center"] == 0).all(), f"{path}.center", "0", value["center"])
        require((value["spread"] == 1).all(), f"{path}.spread", "1", value["spread"])
    largest = width * (width if value["kind"] == "ordinal" else len(sizes))
    is_small = is_numeric or largest <= MOST_ENTRIES
    require(is_small, path, f"of at most {MOST_ENTRIES} entries", value["center"])


def _blocks_fit(value, path):
    """Check that blocks share out the columns, the numeric ones first."""
    kinds = [block["kind"] for block in value]
    in_order = len(set(kinds)) == len(kinds) and "gaussian" not in kinds[1:]
    require(in_order, path, "a block of each kind, gaussian first", ", ".join(kinds))
    columns = np.concatenate([block["columns"] for block in value])
    shared = np.array_equal(np.sort(columns), np.arange(len(columns)))
    require(shared, path, "each column of the table in one block", columns)


KINDS = "gaussian", "bernoulli", "categorical", "ordinal"
LAYOUT = both(
    each(
        both(
            record(
                {
                    "kind": one_of(*KINDS),
                    "columns": array("int32 int64", (None,), 0, MOST_ENTRIES),
                    "sizes": array("int32 int64", (None,), 1, MOST_ENTRIES),
                    "center": shares(None),
                    "spread": array("float64", (None,), 1e-9, 1e9),
                }
            ),
            _sizes_fit,
        ),
        least=1,
        most=len(KINDS),
    ),
    _blocks_fit,
)
