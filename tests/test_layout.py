"""Levels to indicators and back, beside the one-hot columns of scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.preprocessing import OneHotEncoder

from skvae._layout import Blocks, fit_blocks

quickly = settings(max_examples=100, deadline=None)


@st.composite
def coded_tables(draw, least=1):
    """Numbers and codes, NaN where missing; and how many categories there are."""
    n, d = draw(st.integers(1, 30)), draw(st.integers(1, 6))
    n_levels = np.array(draw(st.lists(st.integers(0, 7), min_size=d, max_size=d)))
    n_levels = np.maximum(n_levels, least) if least else n_levels
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    X = rng.integers(np.where(n_levels > 0, n_levels, 9), size=(n, d)).astype(float)
    X[rng.random(X.shape) < draw(st.floats(0, 0.9))] = np.nan
    return X, n_levels


def categorical(X, blocks):
    """Categorical columns in the order of the blocks."""
    return X[:, blocks.order[blocks.n_numbers :]]


@given(coded_tables(least=0))
@quickly
def test_categories_become_indicators_and_come_back(table):
    X, n_levels = table
    blocks = fit_blocks(X, n_levels)
    codes = categorical(X, blocks)
    scaled = blocks.scaled(codes)
    missing = np.isnan(codes)
    found = blocks.codes(np.nan_to_num(scaled))
    np.testing.assert_array_equal(found[~missing], codes[~missing])
    sizes = (*[1] * blocks.n_binary, *blocks.sizes)
    np.testing.assert_array_equal(np.isnan(scaled), np.repeat(missing, sizes, axis=1))


@given(coded_tables())
@quickly
def test_shares_are_those_of_the_rows_that_have_an_entry(table):
    X, n_levels = table
    blocks = fit_blocks(X, n_levels)
    scaled = blocks.scaled(categorical(X, blocks))
    has_entry = ~np.isnan(scaled).all(axis=0)
    mean = np.nanmean(scaled[:, has_entry], axis=0)
    np.testing.assert_allclose(mean, 0, atol=1e-12)
    shares = blocks.shares
    assert ((shares >= 0) & (shares <= 1)).all()
    for first, size in zip(
        blocks.n_binary + np.cumsum((0, *blocks.sizes))[:-1], blocks.sizes, strict=True
    ):
        total = shares[first : first + size].sum()
        assert total == pytest.approx(1) or total == 0  # nothing is known of it


def test_indicators_are_the_one_hot_columns_of_scikit_learn():
    rng = np.random.default_rng(0)
    X = rng.integers([2, 5, 1, 3, 2], size=(100, 5)).astype(float)
    blocks = fit_blocks(X, np.array([2, 5, 1, 3, 2]))
    binary_first = X[:, [0, 4, 1, 2, 3]]
    np.testing.assert_array_equal(categorical(X, blocks), binary_first)
    encoder = OneHotEncoder(drop="if_binary", sparse_output=False)
    hot = encoder.fit_transform(binary_first)
    np.testing.assert_allclose(blocks.shares, hot.mean(axis=0))
    spread = np.repeat([0.5**0.5, 1.0], [2, 9])
    expected = (hot - hot.mean(axis=0)) / spread
    np.testing.assert_allclose(blocks.scaled(binary_first), expected, atol=1e-12)


def test_its_pca_is_that_of_standardised_numbers_beside_one_hot_columns():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(400, 1))
    numbers = z + rng.normal(size=(400, 2))
    codes = (z + rng.normal(size=(400, 3)) > 0) + (z > 1) * [[0, 1, 0]]
    blocks = fit_blocks(np.c_[numbers, codes], np.array([0, 0, 2, 3, 2]))
    indicators = blocks.scaled(codes[:, [0, 2, 1]].astype(float))
    hot = OneHotEncoder(sparse_output=False).fit_transform(codes)
    assert hot.shape[1] == indicators.shape[1] + 2
    found, expected = (PCA(3).fit(np.c_[numbers, more]) for more in (indicators, hot))
    np.testing.assert_allclose(found.singular_values_, expected.singular_values_)
    np.testing.assert_allclose(
        abs(found.transform(np.c_[numbers, indicators])),
        abs(expected.transform(np.c_[numbers, hot])),
        atol=1e-9,
    )


def test_the_layout():
    n_levels = np.array([3, 0, 2, 1, 0, 4, 2])
    blocks = fit_blocks(np.zeros((2, 7)), n_levels)
    assert blocks.order.tolist() == [1, 4, 2, 6, 0, 3, 5]
    assert blocks.widths == (2, 2, 8)
    assert blocks.sizes == (3, 1, 4)
    assert len(blocks.shares) == len(blocks.spread) == 10


@pytest.mark.parametrize("n_levels", [[0], [0, 0], [2], [3]])
def test_blocks_may_be_empty(n_levels):
    blocks = fit_blocks(np.ones((4, len(n_levels))), np.array(n_levels))
    codes = categorical(np.ones((4, len(n_levels))), blocks)
    scaled = blocks.scaled(codes)
    assert scaled.shape == (4, sum(blocks.widths) - blocks.n_numbers)
    np.testing.assert_array_equal(blocks.codes(scaled), codes)
    for no_rows in (blocks.scaled(codes[:0]), blocks.codes(scaled[:0])):
        assert len(no_rows) == 0


def test_of_means_the_most_probable_category_counts():
    blocks = Blocks(np.array([2, 3]), np.array([0.9, 0.7, 0.2, 0.1]))
    probability = np.array([[0.49, 0.3, 0.3, 0.4], [0.51, 0.4, 0.35, 0.25]])
    scaled = (probability - blocks.shares) / blocks.spread
    np.testing.assert_array_equal(blocks.codes(scaled), [[0, 2], [1, 0]])


def test_a_category_that_no_row_has_is_no_nan():
    X = np.array([[0.0, 2], [0, 0], [np.nan, 2]])
    blocks = fit_blocks(X, np.array([2, 4]))
    np.testing.assert_allclose(blocks.shares, [0, 1 / 3, 0, 2 / 3, 0])
    assert np.isnan(blocks.scaled(X)).tolist() == [5 * [False]] * 2 + [
        [True] + 4 * [False]
    ]
