"""The layout of the network's columns, and the shares of categories."""

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.preprocessing import OneHotEncoder
from strategies import coded_tables

from skvae._layout import fit_layout, layout_of_shares, numeric_layout

quickly = settings(max_examples=100, deadline=None)


def assert_same(layout, expected):
    for block, other in zip(layout.blocks, expected.blocks, strict=True):
        assert block.kind == other.kind
        for name in "columns", "sizes", "center", "spread":
            np.testing.assert_array_equal(getattr(block, name), getattr(other, name))


@given(coded_tables(least=1))
@quickly
def test_shares_are_those_of_the_rows_that_have_an_entry(table):
    X, n_categories = table
    for block in fit_layout(X, n_categories).blocks:
        first = 0
        for column, size in zip(block.columns, block.sizes, strict=True):
            codes = X[:, column][~np.isnan(X[:, column])]
            n = n_categories[column]
            counts = np.array([(codes == code).sum() for code in range(n)])
            expected = counts / max(len(codes), 1)  # 0 if nothing is known of it
            shares = block.center[first : first + size]
            expected = expected[1:] if block.kind == "bernoulli" else expected
            np.testing.assert_allclose(shares, expected)
            assert ((shares >= 0) & (shares <= 1)).all()
            if block.kind == "categorical":
                total = shares.sum()
                assert total == pytest.approx(1) or total == len(codes) == 0
            first += size
        assert first == block.width


def test_shares_are_the_means_of_the_one_hot_columns_of_scikit_learn():
    rng = np.random.default_rng(0)
    X = rng.integers([2, 5, 1, 3, 2], size=(100, 5)).astype(float)
    binary, categorical = fit_layout(X, np.array([2, 5, 1, 3, 2])).blocks
    for block, columns in (binary, [0, 4]), (categorical, [1, 2, 3]):
        assert block.columns.tolist() == columns
        encoder = OneHotEncoder(drop="if_binary", sparse_output=False)
        hot = encoder.fit_transform(X[:, columns])
        np.testing.assert_allclose(block.center, hot.mean(axis=0))


def test_the_layout():
    n_categories = np.array([3, 0, 2, 1, 0, 4, 2])
    layout = fit_layout(np.zeros((2, 7)), n_categories)
    numeric, binary, categorical = layout.blocks
    assert [b.kind for b in layout.blocks] == ["gaussian", "bernoulli", "categorical"]
    assert [b.columns.tolist() for b in layout.blocks] == [[1, 4], [2, 6], [0, 3, 5]]
    assert [b.sizes.tolist() for b in layout.blocks] == [[1, 1], [1, 1], [3, 1, 4]]
    assert layout.widths == (2, 2, 8)
    assert (layout.n_numeric, layout.n_columns) == (2, 12)
    assert not layout.is_numeric
    np.testing.assert_array_equal(numeric.center, 0)
    np.testing.assert_array_equal(numeric.spread, 1)
    np.testing.assert_allclose(binary.spread, 0.5**0.5)  # one counts for two
    np.testing.assert_array_equal(categorical.spread, 1)
    for block in layout.blocks:
        assert len(block.center) == len(block.spread) == block.width


@pytest.mark.parametrize("n_categories", [[0], [0, 0], [2], [3]])
def test_there_is_no_block_without_a_column(n_categories):
    n_categories = np.array(n_categories)
    layout = fit_layout(np.ones((4, len(n_categories))), n_categories)
    (block,) = layout.blocks
    kind = {0: "gaussian", 2: "bernoulli", 3: "categorical"}[n_categories[0]]
    assert block.kind == kind
    assert layout.is_numeric is (kind == "gaussian")
    assert layout.n_numeric == (layout.n_columns if kind == "gaussian" else 0)
    assert block.width == layout.n_columns == max(1, block.sizes[0]) * len(n_categories)


def test_columns_that_are_all_numeric_have_the_layout_of_no_categories():
    X = np.random.default_rng(0).normal(size=(5, 3))
    layout = numeric_layout(3)
    assert_same(fit_layout(X, np.zeros(3, dtype=int)), layout)
    assert layout.is_numeric
    assert layout.n_columns == layout.n_numeric == 3


def test_a_category_that_no_row_has_is_no_nan():
    X = np.array([[0.0, 2], [0, 0], [np.nan, 2]])
    binary, categorical = fit_layout(X, np.array([2, 4])).blocks
    np.testing.assert_allclose(binary.center, 0)
    np.testing.assert_allclose(categorical.center, [1 / 3, 0, 2 / 3, 0])


def test_shares_by_column_have_the_layout_of_the_rows():
    rng = np.random.default_rng(0)
    n_categories = np.array([3, 0, 2, 1])
    X = rng.integers([3, 9, 2, 1], size=(10, 4)).astype(float)
    shares = [
        np.bincount(X[:, j].astype(int), minlength=n) / 10 if n else []
        for j, n in enumerate(n_categories)
    ]
    assert_same(layout_of_shares(n_categories, shares), fit_layout(X, n_categories))
