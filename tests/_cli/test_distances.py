import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import ks_2samp, spearmanr

from skvae._cli.distances import measure_distances, rank_correlations


def test_distances_are_those_of_scipy():
    rng = np.random.default_rng(0)
    X, shift = rng.normal(size=(300, 3)), np.array([0.0, 1.0, 0.0])
    X[:, 2] += X[:, 0]
    rows = rng.permuted(X, axis=0) + shift
    numbers = np.zeros(3, dtype=bool)
    found = measure_distances(rows, X, numbers)
    expected = [ks_2samp(rows[:, j], X[:, j]).statistic for j in range(3)]
    assert_allclose(found.by_column, expected)
    gap = spearmanr(rows).statistic - spearmanr(X).statistic
    expected = abs(gap[np.triu_indices(3, 1)]).mean()
    assert found.rank_correlations == pytest.approx(expected)
    assert measure_distances(X, X, numbers).rank_correlations == 0
    constant = measure_distances(X * [1, 1, 0], X, numbers)
    assert np.isfinite(constant.rank_correlations)
    alone = measure_distances(X[:, :1], X[:, :1], numbers[:1])
    assert np.isnan(alone.rank_correlations)


def test_distances_skip_missing_entries():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    incomplete = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    found = measure_distances(incomplete, X, np.zeros(2, dtype=bool))
    seen = ~np.isnan(incomplete)
    columns = [(incomplete[seen[:, j], j], X[:, j]) for j in range(2)]
    expected = [ks_2samp(some, all_rows).statistic for some, all_rows in columns]
    assert_allclose(found.by_column, expected)
    both = seen.all(axis=1)
    pairwise = spearmanr(incomplete[both]).statistic
    assert rank_correlations(incomplete)[0] == pytest.approx(pairwise, abs=0.02)
    nothing = np.full((5, 2), np.nan)
    assert np.isnan(
        measure_distances(nothing, X, np.zeros(2, dtype=bool)).by_column
    ).all()


def test_distance_of_categories_is_the_total_variation():
    sampled, held_out = np.array([[0.0, 0, 1, 1]]).T, np.array([[0.0, 2, 2, np.nan]]).T
    (found,) = measure_distances(sampled, held_out, np.array([True])).by_column
    expected = 0.5 * (abs(1 / 2 - 1 / 3) + 1 / 2 + 2 / 3)
    assert found == pytest.approx(expected)
