"""Shares of columns in the log-density of a row."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from skvae import VAETransformer, _vae

RNG = np.random.default_rng(0)
SCALES = np.array([1.0, 100.0, 0.01, 5.0])
X = (RNG.normal(size=(400, 1)) + 0.5 * RNG.normal(size=(400, 4))) * SCALES


@pytest.fixture(scope="module")
def linear():
    model = VAETransformer(1, hidden_layer_sizes=(), noise="diag", random_state=0)
    return model.fit(X)


def test_shares_are_shapley_values_of_the_normal_density(linear, monkeypatch):
    """Over all orders, by the marginals of one normal distribution."""
    alone = linear._density.parts[0]
    decoder = alone.coder.linear.decoder.numpy()
    covariance = decoder.T @ decoder + np.diag(alone.likelihood.variance)
    orders = [np.array(order) for order in permutations(range(4))]
    monkeypatch.setattr(_vae, "_orders", lambda n, d: orders)
    rows = X[:5] * [1, 1, 1, -2]
    found = linear.explain(rows, n_orders=len(orders))
    expected = np.zeros_like(rows)
    standard = (rows - linear.mean_) / linear.scale_
    for order in orders:
        for i, row in enumerate(standard):
            before = 0.0
            for t in range(1, 5):
                at = order[:t]
                normal = multivariate_normal(cov=covariance[np.ix_(at, at)])
                now = normal.logpdf(row[at])
                expected[i, order[t - 1]] += (now - before) / len(orders)
                before = now
    # The density is a mixture of two that differ in their noise by little.
    np.testing.assert_allclose(found, expected, rtol=0.05, atol=0.1)


@pytest.mark.parametrize("scaling", ["standard", None, "quantile"])
def test_shares_add_up_to_the_score(scaling):
    rows = X.copy()
    rows[RNG.random(X.shape) < 0.2] = np.nan
    model = VAETransformer(2, max_iter=5, tol=0, scaling=scaling, random_state=0)
    with pytest.warns(match="max_iter"):
        model.fit(rows)
    for n_orders in (1, 3):
        shares = model.explain(rows[:20], n_orders=n_orders)
        seen = ~np.isnan(rows[:20])
        total = model.score_samples(rows[:20])
        total += np.where(seen, np.log(model.scale_), 0.0).sum(axis=1)
        total[~seen.any(axis=1)] = 0.0
        np.testing.assert_allclose(shares.sum(axis=1), total, rtol=1e-9, atol=1e-9)
        assert (shares[~seen] == 0).all()


def test_no_share_depends_on_a_columns_unit(linear):
    other = VAETransformer(1, hidden_layer_sizes=(), noise="diag", random_state=0)
    other.fit(X / SCALES)
    found = other.explain(X[:10] / SCALES)
    np.testing.assert_allclose(found, linear.explain(X[:10]), rtol=1e-6)


@pytest.mark.parametrize("column", range(4))
def test_the_entry_that_does_not_fit_has_the_least_share(linear, column):
    rows = np.ones((1, 4)) * SCALES
    rows[0, column] *= -2.5
    assert linear.explain(rows)[0].argmin() == column


def test_a_category_that_does_not_fit_has_the_least_share():
    size = RNG.normal(size=(300, 1)) + 0.2 * RNG.normal(size=(300, 3))
    table = pd.DataFrame(size, columns=[*"abc"])
    table["kind"] = np.where(size.mean(axis=1) > 0, "large", "small")
    model = VAETransformer(1, max_iter=60, tol=0, random_state=0)
    with pytest.warns(match="max_iter"):
        model.fit(table)
    row = pd.DataFrame({"a": [1.2], "b": [1.1], "c": [1.3], "kind": ["small"]})
    shares = model.explain(row)[0]
    assert shares.argmin() == 3
    assert shares[3] < -1


def test_rows_are_explained_alike_whatever_the_others(linear, monkeypatch):
    together = linear.explain(X[:9])
    monkeypatch.setattr(_vae, "EXPLAINED_ENTRIES", 40)
    np.testing.assert_allclose(linear.explain(X[:9]), together, rtol=1e-9)
    np.testing.assert_allclose(linear.explain(X[4:5]), together[4:5], rtol=1e-9)


@pytest.mark.parametrize("n_orders", [0, 1.5, None])
def test_the_number_of_orders_is_a_count(linear, n_orders):
    with pytest.raises((TypeError, ValueError), match="n_orders"):
        linear.explain(X[:1], n_orders=n_orders)
