"""Categorical columns to indicators and back, and the layout of a table with them."""

import numpy as np
import pytest
from helpers import kinds_of
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import OneHotEncoder
from strategies import coded_tables

from skvae._layout import Block, Layout, numeric_layout
from skvae._table.indicators import INDICATORS, Binary, Exceeding, OneHot, fit_layout
from skvae._table.scaling import Affine, ByBlock

quickly = settings(max_examples=100, deadline=None)


def assert_same(layout, expected):
    for block, other in zip(layout.blocks, expected.blocks, strict=True):
        assert block.kind == other.kind
        for name in "columns", "sizes", "center", "spread":
            assert_array_equal(getattr(block, name), getattr(other, name))


def by_block(layout):
    """Return the map of a table whose numeric columns stay as they are."""
    unit = Affine(np.zeros(layout.n_numeric), np.ones(layout.n_numeric))
    scalers = [
        INDICATORS[block.kind](block) if block.kind in INDICATORS else unit
        for block in layout.blocks
    ]
    return ByBlock(scalers, layout)


def layout_of_shares(*columns):
    """Return the layout of categorical columns, of kinds and shares of the rows."""
    blocks = []
    for j, (kind, shares) in enumerate(columns):
        center, spread = INDICATORS[kind].scale(np.array(shares))
        block = Block(kind, np.array([j]), np.array([len(center)]), center, spread)
        blocks.append(block)
    return Layout(tuple(blocks))


def shares_of(codes, n):
    """Return the share of the known codes that each has, 0 if nothing is known."""
    codes = codes[~np.isnan(codes)]
    return np.array([(codes == code).sum() for code in range(n)]) / max(len(codes), 1)


# ------------------------------------------------------------------------- the layout


@given(coded_tables(least=1))
@quickly
def test_shares_are_those_of_the_rows_that_have_an_entry(table):
    X, kinds, n_categories = table
    for block in fit_layout(X, kinds, n_categories).blocks:
        first = 0
        for column, size in zip(block.columns, block.sizes, strict=True):
            expected = shares_of(X[:, column], n_categories[column])
            is_known = expected.any()
            center = block.center[first : first + size]
            if block.kind == "ordinal":
                assert_allclose(center, 1 - expected.cumsum()[:-1], atol=1e-15)
                assert (np.diff(center) <= 0).all()
            else:
                assert_allclose(
                    center,
                    expected[1:] if size == 1 < n_categories[column] else expected,
                )
            assert ((center >= -1e-15) & (center <= 1)).all()
            if block.kind == "categorical":
                assert center.sum() == (pytest.approx(1) if is_known else 0)
            first += size
        assert first == block.width


def test_shares_are_the_means_of_the_one_hot_columns_of_scikit_learn():
    rng = np.random.default_rng(0)
    X = rng.integers([2, 5, 1, 3, 2], size=(100, 5)).astype(float)
    binary, categorical = fit_layout(X, *kinds_of([2, 5, 1, 3, 2])).blocks
    for block, columns in (binary, [0, 4]), (categorical, [1, 2, 3]):
        assert block.columns.tolist() == columns
        encoder = OneHotEncoder(drop="if_binary", sparse_output=False)
        hot = encoder.fit_transform(X[:, columns])
        assert_allclose(block.center, hot.mean(axis=0))


def test_the_layout():
    columns = [3, 0, -4, 2, 1, 0, -3, 4, 2]
    layout = fit_layout(np.zeros((2, 9)), *kinds_of(columns))
    numeric, binary, categorical, ordinal = layout.blocks
    assert [b.kind for b in layout.blocks] == ["gaussian", *INDICATORS]
    assert [b.columns.tolist() for b in layout.blocks] == [
        [1, 5],
        [3, 8],
        [0, 4, 7],
        [2, 6],
    ]
    assert [b.sizes.tolist() for b in layout.blocks] == [
        [1, 1],
        [1, 1],
        [3, 1, 4],
        [3, 2],
    ]
    assert layout.widths == (2, 2, 8, 5)
    assert (layout.n_numeric, layout.n_columns) == (2, 17)
    assert not layout.is_numeric
    assert_array_equal(numeric.center, 0)
    assert_array_equal(numeric.spread, 1)
    assert_allclose(binary.spread, 0.5**0.5)  # one counts for two
    assert_array_equal(categorical.spread, 1)
    assert_array_equal(ordinal.spread, 1)  # of what does not vary
    for block in layout.blocks:
        assert len(block.center) == len(block.spread) == block.width


@pytest.mark.parametrize("columns", [[0], [0, 0], [2], [3], [-4, -4]])
def test_there_is_no_block_without_a_column(columns):
    layout = fit_layout(np.ones((4, len(columns))), *kinds_of(columns))
    (block,) = layout.blocks
    kind = {0: "gaussian", 2: "bernoulli", 3: "categorical", -4: "ordinal"}[columns[0]]
    assert block.kind == kind
    assert layout.is_numeric is (kind == "gaussian")
    assert layout.n_numeric == (layout.n_columns if kind == "gaussian" else 0)
    assert block.width == layout.n_columns == block.sizes[0] * len(columns)
    assert block.sizes[0] == (3 if columns[0] in (3, -4) else 1)


def test_columns_that_are_all_numeric_have_the_layout_of_no_categories():
    X = np.random.default_rng(0).normal(size=(5, 3))
    layout = fit_layout(X, *kinds_of([0, 0, 0]))
    assert_same(layout, numeric_layout(3))
    assert layout.is_numeric


def test_a_category_that_no_row_has_is_no_nan():
    X = np.array([[0.0, 2, 2], [0, 0, 0], [np.nan, 2, 2]])
    layout = fit_layout(X, *kinds_of([2, 4, -4]))
    binary, categorical, ordinal = layout.blocks
    assert_allclose(binary.center, 0)
    assert_allclose(categorical.center, [1 / 3, 0, 2 / 3, 0])
    assert_allclose(ordinal.center, [2 / 3, 2 / 3, 0], atol=1e-15)
    x = by_block(layout).forward(X)
    assert np.isnan(x).tolist() == [8 * [False]] * 2 + [[True] + 7 * [False]]


def test_shares_by_column_have_the_layout_of_the_rows():
    rng = np.random.default_rng(0)
    X = rng.integers([2, 1, 4], size=(10, 3)).astype(float)
    kinds, n_categories = kinds_of([2, 1, -4])
    shares = map(shares_of, X.T, n_categories)
    expected = layout_of_shares(*zip(kinds, shares, strict=True))
    assert_same(fit_layout(X, kinds, n_categories), expected)


@pytest.mark.parametrize("shares", [[0.9, 0.1], [0.2, 0.5, 0.3], [0.0, 1.0, 0.0]])
def test_every_kind_has_the_variance_of_one_hot_columns(shares):
    """However many indicators it has; those of a constant stay 0."""
    one_hot = 1 - np.square(shares).sum()
    for indicators in INDICATORS.values():
        if indicators is Binary and len(shares) > 2:
            continue
        center, spread = indicators.scale(np.array(shares))
        variance = center * (1 - center) / spread**2
        assert variance.sum() == pytest.approx(one_hot, abs=1e-12)
        assert (spread > 0).all()


# ------------------------------------------------------------------- there and back


@given(coded_tables(least=0))
@quickly
def test_categories_become_indicators_and_come_back(table):
    X, kinds, n_categories = table
    layout = fit_layout(X, kinds, n_categories)
    scaling = by_block(layout)
    order, sizes = (
        np.concatenate([getattr(block, name) for block in layout.blocks])
        for name in ("columns", "sizes")
    )
    x, missing = scaling.forward(X), np.isnan(X)
    found = scaling.backward(np.nan_to_num(x))
    assert found.dtype == np.float64
    assert_array_equal(found[~missing], X[~missing])
    assert_array_equal(np.isnan(x), np.repeat(missing[:, order], sizes, axis=1))


@given(coded_tables())
@quickly
def test_indicators_are_centred_at_the_rows_that_have_an_entry(table):
    X, kinds, n_categories = table
    x = by_block(fit_layout(X, kinds, n_categories)).forward(X)
    has_entry = ~np.isnan(x).all(axis=0)
    assert_allclose(np.nanmean(x[:, has_entry], axis=0), 0, atol=1e-12)


def test_indicators_are_the_one_hot_columns_of_scikit_learn():
    rng = np.random.default_rng(0)
    X = rng.integers([2, 5, 1, 3, 2], size=(100, 5)).astype(float)
    scaling = by_block(fit_layout(X, *kinds_of([2, 5, 1, 3, 2])))
    binary_first = X[:, [0, 4, 1, 2, 3]]
    encoder = OneHotEncoder(drop="if_binary", sparse_output=False)
    hot = encoder.fit_transform(binary_first)
    spread = np.repeat([0.5**0.5, 1.0], [2, 9])
    expected = (hot - hot.mean(axis=0)) / spread
    assert_allclose(scaling.forward(X), expected, atol=1e-12)


def test_ordered_categories_are_whether_each_is_exceeded():
    codes = np.random.default_rng(0).integers([4, 3], size=(100, 2)).astype(float)
    (block,) = fit_layout(codes, *kinds_of([-4, -3])).blocks
    exceeds = np.hstack([codes[:, :1] > [0, 1, 2], codes[:, 1:] > [0, 1]])
    found = Exceeding(block).forward(codes) * block.spread + block.center
    assert_allclose(found, exceeds, atol=1e-12)
    # All of a column's have one spread: their covariances keep their relations.
    for part in np.split(block.spread, [3]):
        assert (part == part[0]).all()


@pytest.mark.parametrize(
    "columns", [[0], [0, 0], [2], [3], [-3], [2, 3], [2, -3], [3, -3]]
)
def test_blocks_may_be_none_and_rows_too(columns):
    X = np.ones((4, len(columns)))
    layout = fit_layout(X, *kinds_of(columns))
    scaling = by_block(layout)
    x = scaling.forward(X)
    assert x.shape == (4, layout.n_columns)
    assert_array_equal(scaling.backward(x), X)
    no_rows, nothing = scaling.forward(X[:0]), scaling.backward(x[:0])
    assert no_rows.shape == (0, layout.n_columns)
    assert nothing.shape == (0, len(columns))
    assert fit_layout(X[:0], *kinds_of(columns)).n_columns == layout.n_columns


def test_of_means_the_most_probable_category_counts_and_the_median_of_ordered_ones():
    layout = layout_of_shares(
        ("bernoulli", [0.1, 0.9]),
        ("categorical", [0.7, 0.2, 0.1]),
        ("ordinal", [0.5, 0.3, 0.2]),
    )
    center, spread = (
        np.concatenate([getattr(block, name) for block in layout.blocks])
        for name in ("center", "spread")
    )
    assert_allclose(center, [0.9, 0.7, 0.2, 0.1, 0.5, 0.2])
    probability = np.array(
        [
            [0.49, 0.3, 0.3, 0.4, 0.49, 0.4],
            [0.51, 0.4, 0.35, 0.25, 0.51, 0.49],  # of .49, .02 and .49 the middle
            [0.51, 0.4, 0.35, 0.25, 0.9, 0.51],
        ]
    )
    found = by_block(layout).backward((probability - center) / spread)
    assert_array_equal(found, [[0, 2, 0], [1, 0, 1], [1, 0, 2]])


def test_indicators_have_no_units_and_are_known_exactly():
    codes = np.array([[0.0], [1], [np.nan]])
    for kind, n in ("bernoulli", 2), ("categorical", 3), ("ordinal", 3):
        (block,) = fit_layout(codes, np.array([kind]), np.array([n])).blocks
        indicators = INDICATORS[kind](block)
        x = indicators.forward(codes)
        assert_array_equal(indicators.log_slope(codes), 0)
        assert indicators.observed(codes, x) is x
    assert list(INDICATORS.values()) == [Binary, OneHot, Exceeding]
