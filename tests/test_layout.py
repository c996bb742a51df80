"""The layout of the network's columns, however they are coded."""

import numpy as np
import pytest

from skvae._layout import Block, Layout, numeric_block, numeric_layout


def assert_same(block, other):
    assert block.kind == other.kind
    for name in "columns", "sizes", "center", "spread":
        np.testing.assert_array_equal(getattr(block, name), getattr(other, name))


def of_two_columns():
    """A block of columns of three and two categories."""
    center = np.array([0.2, 0.5, 0.3, 0.6, 0.4])
    columns, sizes = np.array([4, 1]), np.array([3, 2])
    return Block("categorical", columns, sizes, center, np.ones(5))


def test_a_layout_adds_its_blocks_up():
    numeric, other = numeric_block(np.array([0, 2, 3])), of_two_columns()
    layout = Layout((numeric, other))
    assert layout.widths == (numeric.width, other.width) == (3, 5)
    assert (layout.n_numeric, layout.n_columns) == (3, 8)
    assert not layout.is_numeric
    alone = Layout((other,))
    assert (alone.n_numeric, alone.n_columns) == (0, 5)
    assert not alone.is_numeric


@pytest.mark.parametrize("columns", [[0], [2, 5], [3, 0, 1]])
def test_numeric_columns_are_one_each_and_scaled_already(columns):
    block = numeric_block(np.array(columns))
    assert block.kind == "gaussian"
    assert block.columns.tolist() == columns
    assert block.width == len(columns)
    np.testing.assert_array_equal(block.sizes, 1)
    np.testing.assert_array_equal(block.center, 0)
    np.testing.assert_array_equal(block.spread, 1)


@pytest.mark.parametrize("n_columns", [1, 3])
def test_a_table_of_numbers_has_one_block(n_columns):
    layout = numeric_layout(n_columns)
    (block,) = layout.blocks
    assert_same(block, numeric_block(np.arange(n_columns)))
    assert layout.is_numeric
    assert layout.n_columns == layout.n_numeric == n_columns
    assert layout.widths == (n_columns,)
