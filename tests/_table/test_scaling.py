"""Tables to the network's scale and back."""

import numpy as np
import pytest
from helpers import bow, kinds_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import norm
from sklearn.decomposition import PCA
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skvae._choices import SCALINGS
from skvae._layout import numeric_layout
from skvae._table.entries import LARGEST_VALUE
from skvae._table.indicators import INDICATORS, fit_layout
from skvae._table.scaling import (
    Affine,
    ByBlock,
    Quantile,
    fit_numeric,
    fit_scaling,
    fit_units,
    make_numeric,
    make_scaling,
)

# Long columns of unlike centres and spreads, the last constant.
X = np.random.RandomState(0).normal(size=(300, 4)) * [1, 50, 1e-3, 0] + [0, 3, 1e3, 7]

tables = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6),
    elements=st.floats(-1e9, 1e9, width=32),
)
each_scaling = pytest.mark.parametrize("scaling", SCALINGS)
quickly = settings(max_examples=50, deadline=None)


def fit(X, scaling, columns=None):
    """Return what scales a table.

    `columns` has numbers of categories: 0 if numeric, negative if ordered.
    """
    layout = numeric_layout(X.shape[1])
    if columns is not None:
        layout = fit_layout(X, *kinds_of(columns))
    numeric = make_numeric(*fit_scaling(X, scaling, layout), layout)
    return make_scaling(numeric, layout)


def both_ways(X, scaling):
    fitted = fit(X, scaling)
    x = fitted.forward(X)
    return x, fitted.backward(x)


def test_standard_is_the_scaler_of_scikit_learn():
    scaler = StandardScaler().fit(X)
    mean, scale, _ = fit_numeric(X, "standard")
    np.testing.assert_allclose(mean, scaler.mean_)
    np.testing.assert_allclose(scale, scaler.scale_)
    x, _ = both_ways(X, "standard")
    np.testing.assert_allclose(x, scaler.transform(X), atol=1e-12)


def test_none_scales_as_standard_and_keeps_the_relative_scales_as_units():
    mean, scale, _ = fit_numeric(X, None)
    of_standard = fit_numeric(X, "standard")[1]
    np.testing.assert_allclose(mean, X.mean(axis=0))
    np.testing.assert_array_equal(scale[:3], of_standard[:3])
    units = fit_units(scale, None, numeric_layout(4))
    in_units = both_ways(X, None)[0] * units
    shared = np.sqrt(np.square(of_standard[:3]).mean())
    np.testing.assert_allclose(np.cov(in_units.T) * shared**2, np.cov(X.T), atol=1e-9)
    assert scale[3] == pytest.approx(shared)  # a constant's
    assert np.square(units).mean() == pytest.approx(1)
    for scaling in ("standard", "quantile"):
        ones = fit_units(scale, scaling, numeric_layout(4))
        np.testing.assert_array_equal(ones, np.ones(4))


def test_units_are_within_the_range_of_single_precision():
    units = fit_units(np.array([1e-200, 1.0, 1e200]), None, numeric_layout(3))
    assert units.min() > 0
    np.testing.assert_allclose(
        1 / units.astype(np.float32) ** 2, 1 / units**2, rtol=1e-5
    )
    assert fit_units(np.full(2, 1e-200), None, numeric_layout(2)) == pytest.approx(1)


def test_quantile_makes_columns_normal():
    skewed = np.exp(np.random.default_rng(0).normal(size=(5000, 2)))
    x, _ = both_ways(skewed, "quantile")
    inner = np.abs(np.log(skewed)) < 2.5
    np.testing.assert_allclose(x[inner], np.log(skewed)[inner], atol=0.15)


@given(tables, st.sampled_from(SCALINGS))
@quickly
def test_scaling_goes_there_and_back(X, scaling):
    x, back = both_ways(X, scaling)
    size = np.abs(X).max(axis=0)
    np.testing.assert_allclose(back, X, rtol=0, atol=1e-12 * size.max())
    assert np.isfinite(x).all()


@given(tables, st.sampled_from(SCALINGS), st.integers(-20, 20))
@quickly
def test_the_unit_of_the_table_does_not_show(X, scaling, power):
    # By powers of two no digit changes.
    x, _ = both_ways(X, scaling)
    in_other_unit, _ = both_ways(X * 2.0**power, scaling)
    np.testing.assert_allclose(in_other_unit, x, rtol=1e-9, atol=1e-9)


@each_scaling
@pytest.mark.parametrize("value", [0.0, 0.1, -7e5, 1e90])
def test_constant_columns_become_zeros(scaling, value):
    constant = np.full((50, 3), value)
    x, back = both_ways(constant, scaling)
    np.testing.assert_allclose(x, 0, atol=1e-12 * max(abs(value), 1))
    np.testing.assert_array_equal(back, constant)


@each_scaling
def test_float32_rows_are_scaled_in_float64(scaling):
    far = (X + 1e4).astype(np.float32)
    wide = far.astype(np.float64)
    mean, scale, _ = fit_numeric(far, scaling)
    assert mean.dtype == scale.dtype == np.float64
    found, expected = fit(far, scaling), fit(wide, scaling)
    # Quantiles are of the decimals that single precision stands for.
    limits = {"rtol": 0, "atol": 0.1 if scaling == "quantile" else 0}
    x = found.forward(far)
    assert x.dtype == np.float64
    np.testing.assert_allclose(x, expected.forward(wide), **limits)


def test_scaling_does_not_depend_on_how_many_rows_are_read_at_a_time(monkeypatch):
    whole = [fit_numeric(X, scaling)[:2] for scaling in SCALINGS]
    monkeypatch.setattr("skvae._table.scaling.SCALER_ROWS", 7)
    parts = [fit_numeric(X, scaling)[:2] for scaling in SCALINGS]
    np.testing.assert_allclose(parts, whole, rtol=1e-9)


def test_the_largest_entries_stay_finite_through_the_scaling():
    rows = X.copy()
    rows[:2, 1] = LARGEST_VALUE, -LARGEST_VALUE
    for scaling in "standard", "quantile":
        x, _ = both_ways(rows, scaling)
        assert np.isfinite(x.astype(np.float32)).all()


def test_quantiles_of_a_long_table_are_those_of_some_random_rows(monkeypatch):
    monkeypatch.setattr("skvae._table.scaling.MARGINAL_ROWS", 1_000)
    long = np.random.default_rng(0).normal(size=(20_000, 2)).cumsum(axis=0)
    order = long.argsort(axis=0).argsort(axis=0)
    x, _ = both_ways(long, "quantile")
    np.testing.assert_allclose(norm.cdf(x), order / len(long), atol=0.05)


# ------------------------------------------------------------------ what densities gain


@each_scaling
def test_log_slope_is_the_derivative_of_the_map(scaling):
    rng = np.random.default_rng(0)
    rows = np.c_[rng.normal(size=500), np.exp(rng.normal(size=500))]
    fitted, step = fit(rows, scaling), 1e-7
    new = rng.uniform([-3, 0.01], [3, 9], size=(200, 2))
    per_unit = (fitted.forward(new + step) - fitted.forward(new - step)) / (2 * step)
    found = np.exp(fitted.log_slope(new))
    is_within = np.isclose(found, per_unit.prod(axis=1), rtol=1e-4)
    assert is_within.mean() > 0.98  # the rest has an edge of a cell between


def test_only_point_masses_are_intervals():
    rng = np.random.default_rng(0)
    rows = np.c_[rng.normal(size=500), rng.integers(0, 3, 500)]
    fitted = fit(rows, "quantile")
    x = fitted.forward(rows)
    low, high = fitted.observed(rows, x).swapaxes(0, 1)
    assert (low[:, 0] == high[:, 0]).all()
    np.testing.assert_allclose(low[:, 0], x[:, 0])
    share = np.bincount(rows[:, 1].astype(int)) / 500
    mass = (norm.cdf(high) - norm.cdf(low))[:, 1]
    np.testing.assert_allclose(mass, share[rows[:, 1].astype(int)], atol=1 / 500)


def test_without_point_masses_there_are_no_intervals():
    rows = np.random.default_rng(0).normal(size=(50, 2))
    fitted = fit(rows, "quantile")
    assert isinstance(fitted, Quantile)
    for one in fitted, fit(rows, "standard"), fit(rows, None):
        x = one.forward(rows)
        assert one.observed(rows, x) is x


# ------------------------------------------------------------------ categorical columns

COLUMNS = [3, 0, 2, 0, 1, -4]  # of `mixed`, as `kinds_of` takes them


def mixed(n=300, missing=0.0):
    """Codes of categories, a bell and a column of few numbers."""
    rng = np.random.default_rng(0)
    rows = rng.integers([3, 1, 2, 4, 1, 4], size=(n, 6)).astype(float)
    rows[:, 1] = 50 * rng.normal(size=n) + 7
    rows[rng.random(rows.shape) < missing] = np.nan
    return rows


def test_its_pca_is_that_of_standardised_numbers_beside_one_hot_columns():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(400, 1))
    numbers = z + rng.normal(size=(400, 2))
    codes = (z + rng.normal(size=(400, 3)) > 0) + (z > 1) * [[0, 1, 0]]
    X = np.c_[numbers, codes]
    x = fit(X, "standard", [0, 0, 2, 3, 2]).forward(X)
    hot = OneHotEncoder(sparse_output=False).fit_transform(codes)
    both = np.c_[StandardScaler().fit_transform(numbers), hot]
    assert both.shape[1] == x.shape[1] + 2
    found, expected = (PCA(3).fit(rows) for rows in (x, both))
    np.testing.assert_allclose(found.singular_values_, expected.singular_values_)
    np.testing.assert_allclose(
        abs(found.transform(x)), abs(expected.transform(both)), atol=1e-9
    )


def test_the_scaler_of_a_table_without_categories_is_that_of_its_columns():
    layout = numeric_layout(4)
    for scaling, kind in (("standard", Affine), ("quantile", Quantile)):
        numeric = make_numeric(*fit_numeric(X, scaling), layout)
        assert isinstance(numeric, kind)
        assert make_scaling(numeric, layout) is numeric
    assert isinstance(fit(mixed(), None, COLUMNS), ByBlock)


@each_scaling
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_a_mixed_table_is_its_numbers_then_its_indicators(scaling, missing):
    rows = mixed(missing=missing)
    kinds, n_categories = kinds_of(COLUMNS)
    layout = fit_layout(rows, kinds, n_categories)
    mean, scale, marginals = fit_scaling(rows, scaling, layout)
    numeric = make_numeric(mean, scale, marginals, layout)
    fitted = make_scaling(numeric, layout)
    of_numbers = fit(rows[:, [1, 3]], scaling)
    np.testing.assert_array_equal(np.isnan([mean, scale]), 2 * [n_categories > 0])
    x = fitted.forward(rows)
    numbers, indicators = np.split(x, [2], axis=1)
    np.testing.assert_array_equal(numbers, of_numbers.forward(rows[:, [1, 3]]))
    coded = [
        INDICATORS[block.kind](block).forward(rows[:, block.columns])
        for block in layout.blocks[1:]
    ]
    np.testing.assert_array_equal(indicators, np.hstack(coded))
    assert numbers.shape[1] + indicators.shape[1] == layout.n_columns == 10
    # What a log-density gains is of the numbers that there are.
    slope = of_numbers.log_slope(rows[:, [1, 3]])
    np.testing.assert_array_equal(fitted.log_slope(rows), slope)
    intervals = fitted.observed(rows, x)
    expected = of_numbers.observed(rows[:, [1, 3]], numbers)
    if scaling != "quantile":
        assert intervals is x
        assert expected is numbers
        return
    np.testing.assert_array_equal(intervals[..., :2], expected)
    for end in intervals[..., 2:].swapaxes(0, 1):  # indicators have no width
        np.testing.assert_array_equal(end, indicators)
    low, high = intervals[..., 1].T
    assert (low < high)[~np.isnan(rows[:, 3])].all()


@given(
    st.sampled_from(SCALINGS),
    st.lists(st.integers(-5, 5), min_size=1, max_size=6),
    st.integers(2, 30),
    st.integers(0, 2**32),
)
@quickly
def test_mixed_tables_go_there_and_back(scaling, columns, n, seed):
    (kinds, n_categories), rng = kinds_of(columns), np.random.default_rng(seed)
    rows = rng.integers(
        np.where(n_categories, n_categories, 9), size=(n, len(n_categories))
    )
    rows = rows.astype(float)
    fitted = fit(rows, scaling, columns)
    x = fitted.forward(rows)
    sizes = np.maximum(n_categories - np.isin(kinds, ["bernoulli", "ordinal"]), 1)
    assert x.shape == (n, sizes.sum())
    np.testing.assert_allclose(fitted.backward(x), rows, atol=1e-9)
    incomplete = np.where(rng.random(rows.shape) < 0.3, np.nan, rows)
    rank = [["gaussian", *INDICATORS].index(kind) for kind in kinds]
    order = np.argsort(rank, kind="stable")
    found = fitted.forward(incomplete)
    missing = np.repeat(np.isnan(incomplete[:, order]), sizes[order], axis=1)
    np.testing.assert_array_equal(np.isnan(found), missing)
    np.testing.assert_array_equal(found[~missing], x[~missing])


@each_scaling
def test_without_numbers_there_is_nothing_to_gain(scaling):
    rows = mixed()[:, [0, 2, 5]]
    fitted = fit(rows, scaling, [3, 2, -4])
    np.testing.assert_array_equal(fitted.log_slope(rows), 0)
    x = fitted.forward(rows)
    assert fitted.observed(rows, x) is x
    np.testing.assert_array_equal(fitted.backward(x), rows)


def test_no_scale_is_below_the_rounding_of_a_mean():
    X = np.c_[np.full(18, 0.01), np.repeat([0.0, 3e-136], 9)]
    for scaling in ("standard", None):
        mean, scale, _ = fit_numeric(X, scaling)
        x = (X - mean) / scale
        assert abs(x[:, 0]).max() < 0.2
        np.testing.assert_allclose(abs(x[:, 1]), 1)


def test_a_column_may_begin_after_many_rows(monkeypatch):
    monkeypatch.setattr("skvae._table.scaling.SCALER_ROWS", 50)
    monkeypatch.setattr("skvae._table.scaling.MARGINAL_ROWS", 20)
    X = bow(400)
    X[:390, 2] = np.nan
    for scaling in ("standard", "quantile"):
        mean, scale, _ = fit_numeric(X, scaling)
        np.testing.assert_allclose(mean, np.nanmean(X, axis=0))
        np.testing.assert_allclose(scale, np.nanstd(X, axis=0))
