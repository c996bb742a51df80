"""One column to normal scores and back: density, point masses, rounding, tails."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.stats import kstest, norm

from skvae._table.quantiles import Marginal, fit_marginal

rng = np.random.default_rng(0)
NORMAL = rng.normal(size=1000)
COLUMNS = {
    "normal": NORMAL,
    "skewed": np.exp(2 * NORMAL),
    "heavy": rng.standard_t(1, 1000),
    "uniform": rng.uniform(size=1000),
    "zeros": np.maximum(NORMAL, 0),
    "spike inside": np.where(rng.uniform(size=1000) < 0.3, 0.5, NORMAL),
    "binary": (NORMAL > 1).astype(float),
    "integers": np.floor(5 * np.exp(NORMAL)),
    "tenths": np.round(NORMAL, 1),
    "ninths": np.round(9 * NORMAL) / 9,
    "constant": np.full(20, 3.0),
    "two rows": np.array([1.0, 4.0]),
    "a repeated value": np.r_[np.zeros(500), NORMAL[:500] + 10],
    "tiny": 1e-30 * NORMAL,
    "far": 1e12 + NORMAL,
}
is_far = "ignore:Extremely bad integrand"  # of "far", whose values are far apart
each_column = pytest.mark.parametrize("x", COLUMNS.values(), ids=COLUMNS)


def fit(x):
    return Marginal(**fit_marginal(x))


def log_density(marginal, x):
    """Of the model that makes scores standard normal."""
    low, high = marginal.interval(x)
    mass = np.log(np.where(high > low, norm.cdf(high) - norm.cdf(low), 1))
    return np.where(high > low, mass, norm.logpdf(low)) + marginal.log_slope(x)


@each_column
@pytest.mark.filterwarnings(is_far)
def test_the_density_integrates_to_one(x):
    marginal = fit(x)
    edges = marginal.edges
    tail = 40 * max(x.std(), np.diff(edges).max())
    edges = np.unique(np.r_[edges[0] - tail, edges, edges[-1] + tail])
    total = sum(
        quad(lambda v: np.exp(log_density(marginal, np.array([v])))[0], a, b)[0]
        for a, b in pairwise(edges)
    )
    assert total == pytest.approx(1, abs=2 / len(x))


@pytest.mark.parametrize("name", ["normal", "skewed", "heavy", "uniform"])
def test_scores_of_continuous_columns_are_normal(name):
    x = COLUMNS[name]
    half = len(x) // 2
    assert kstest(fit(x).forward(x), norm.cdf).statistic < 0.02
    assert kstest(fit(x[:half]).forward(x[half:]), norm.cdf).statistic < 0.1


@each_column
def test_values_come_back(x):
    marginal = fit(x)
    back = marginal.backward(marginal.forward(x))
    np.testing.assert_allclose(back, x, rtol=1e-12, atol=1e-12 * abs(x).max())


@each_column
def test_normal_scores_become_the_column(x):
    drawn = fit(x).backward(np.random.default_rng(1).normal(size=20_000))
    values, counts = np.unique(x, return_counts=True)
    for value, count in zip(values, counts, strict=True):
        if count > max(2, 0.05 * len(x)):
            assert (drawn == value).mean() == pytest.approx(count / len(x), abs=0.02)
    grid = np.quantile(x, np.linspace(0.05, 0.95, 19))
    below = [(drawn <= v).mean() - (x <= v).mean() for v in grid]
    assert np.abs(below).max() < 0.02 + 1 / len(x)


@pytest.mark.parametrize("name", ["integers", "tenths", "ninths", "binary"])
def test_rounded_columns_come_back_rounded(name):
    x = COLUMNS[name]
    drawn = fit(x).backward(np.random.default_rng(1).normal(size=20_000))
    step = {"integers": 1, "tenths": 10, "ninths": 9, "binary": 1}[name]
    np.testing.assert_allclose(drawn * step, np.round(drawn * step), atol=1e-9)


def test_values_that_are_rarely_shared_are_rounded_as_they_were():
    x = np.round(rng.uniform(0, 1e4, 300), 2)
    marginal = fit(x)
    assert (marginal.decimals, len(marginal.values)) == (2, 0)
    drawn = marginal.backward(rng.normal(size=1000))
    np.testing.assert_array_equal(drawn, np.round(drawn, 2))
    assert not np.isin(drawn, x).all()


@pytest.mark.parametrize(
    ("x", "decimals"),
    [
        ([100, 2300], -2),
        ([1, 12], 0),
        ([0.5, 3], 1),
        ([1e-3, 7], 3),
        ([1 / 3, 1], None),
    ],
)
def test_decimals_are_found_in_single_precision_too(x, decimals):
    for dtype in np.float64, np.float32:
        assert fit_marginal(np.array(x, dtype))["decimals"] == decimals


@pytest.mark.parametrize("name", ["zeros", "binary"])
def test_nothing_lies_beyond_a_point_mass_at_the_end(name):
    x = COLUMNS[name]
    assert fit(x).backward(np.array([-9.0]))[0] == 0


@each_column
def test_the_ends_are_the_least_and_the_largest_value(x):
    assert fit(x).ends == (x.min(), x.max())


def test_beyond_the_range_scores_go_on_along_a_line():
    marginal = fit(NORMAL)
    far = NORMAL.max() + np.array([0, 1, 2, 50])
    steps = np.diff(marginal.forward(far)) / np.diff(far)
    np.testing.assert_allclose(steps, steps[0])
    assert 0 < steps[0] < 1.001 / NORMAL.std()
    np.testing.assert_allclose(marginal.backward(marginal.forward(far)), far)


columns = arrays(
    np.float64,
    st.integers(2, 40),
    elements=st.one_of(st.floats(-1e6, 1e6, width=32), st.integers(-3, 3).map(float)),
)


@given(columns)
@settings(max_examples=200, deadline=None)
def test_any_column_has_an_increasing_map_that_comes_back(x):
    marginal = fit(x)
    assert (np.diff(marginal.edges) > 0).all()
    assert (np.diff(marginal.scores) > 0).all()
    scores = marginal.forward(np.sort(x))
    assert (np.diff(scores) >= -1e-12).all()
    np.testing.assert_allclose(marginal.backward(scores), np.sort(x), atol=1e-9)
    assert np.isfinite(log_density(marginal, np.r_[x, x + 0.3])).all()


def test_values_a_rounding_apart_are_one():
    x = np.r_[np.ones(10), np.full(10, np.nextafter(1, 2)), NORMAL]
    assert np.nansum(fit(x).points == 1) == 1
    assert (np.diff(fit(x).edges) > 0).all()


def test_a_sentinel_leaves_the_other_values_apart():
    x = np.r_[rng.integers(0, 100, 300), 2**63 - 1].astype(float)
    drawn = fit(x).backward(rng.normal(size=2000))
    assert len(np.unique(drawn)) > 50


def test_single_precision_decimals_come_back_as_decimals():
    x = np.round(rng.uniform(size=300), 2).astype(np.float32)
    drawn = fit(x).backward(rng.normal(size=100))
    np.testing.assert_array_equal(drawn, np.round(drawn, 2))


def test_the_smallest_numbers_have_a_finite_map():
    x = rng.normal(size=300) * 1e-309
    assert np.isfinite(log_density(fit(x), x)).all()
