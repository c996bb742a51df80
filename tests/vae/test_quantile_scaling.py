"""The estimator with `scaling="quantile"`."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import spearmanr

from skvae._table.quantiles import Marginal

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")

NOISES = ["auto", "spherical", "diag"]


@pytest.fixture(scope="module")
def uneven():
    """Skewed, often zero, of four values, integers, constant."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(600, 2))
    return np.column_stack(
        [
            np.exp(z[:, 0] + 0.3 * rng.normal(size=600)),
            np.maximum(z[:, 0] + z[:, 1] + 0.4, 0).round(2),
            np.digitize(z[:, 1] + 0.5 * rng.normal(size=600), [-1, 0, 1]),
            np.floor(50 * np.exp(z.sum(axis=1))),
            np.full(600, 7.0),
        ]
    )


@pytest.fixture(scope="module", params=[(), (16,)], ids=["linear", "network"])
def of_quantiles(request, make_vae, uneven):
    return make_vae(scaling="quantile", hidden_layer_sizes=request.param).fit(uneven)


def test_quantile_samples_have_the_columns_distributions(of_quantiles, uneven):
    drawn = of_quantiles.sample(20_000, random_state=0)
    for x, new in zip(uneven.T, drawn.T, strict=True):
        grid = np.unique(np.quantile(x, np.linspace(0.05, 0.95, 19)))
        below = [(new <= v).mean() - (x <= v).mean() for v in grid]
        assert np.abs(below).max() < 0.02
    assert set(drawn[:, 2]) == {0, 1, 2, 3}
    np.testing.assert_array_equal(drawn[:, 3], drawn[:, 3].round())
    np.testing.assert_array_equal(drawn[:, 4], 7)


def binomial_errors(x, drawn):
    """How far shares of drawn values are from those of a column, in standard errors.

    Of each value that 1 % of the rows have, and of what lies at or below each decile.
    """
    x = x[~np.isnan(x)]
    values, counts = np.unique(x, return_counts=True)
    points = values[counts >= 0.01 * len(x)]
    deciles = np.quantile(x, np.linspace(0.1, 0.9, 9), method="inverted_cdf")
    shares = [(np.mean(x == v), np.mean(drawn == v)) for v in points]
    shares += [(np.mean(x <= v), np.mean(drawn <= v)) for v in deciles]
    real, found = np.array(shares).T
    variance = real * (1 - real) * (1 / len(x) + 1 / len(drawn))
    return np.abs(found - real) / np.sqrt(np.maximum(variance, 1 / len(x) ** 2))


@pytest.fixture(scope="module")
def inflated():
    """Mostly 0, two binary columns, a frequent value inside, and what depends on it."""
    rng = np.random.default_rng(0)
    z, n = rng.normal(size=2000), 2000
    hours = np.where(rng.random(n) < 0.5, 40, (40 + 9 * rng.normal(size=n)).round())
    X = np.column_stack(
        [
            *(
                rng.exponential(size=n) * (rng.random(n) < s)
                for s in (0.015, 0.05, 0.2)
            ),
            z + 0.5 * rng.normal(size=n) > 1.4,
            rng.random(n) < 0.03,
            hours,
            np.exp(z),
            z + 0.1 * hours + rng.normal(size=n),
        ]
    )
    X[rng.random(n) < 0.3, 1] = np.nan
    return X


@pytest.mark.parametrize("hidden_layer_sizes", [(), (16,)])
def test_drawn_columns_have_the_point_masses_and_the_deciles_of_the_table(
    make_vae, inflated, hidden_layer_sizes
):
    vae = make_vae(n_components=4, hidden_layer_sizes=hidden_layer_sizes)
    drawn = vae.set_params(scaling="quantile").fit(inflated).sample(50_000, 0)
    errors = [binomial_errors(*of) for of in zip(inflated.T, drawn.T, strict=True)]
    assert max(of.max() for of in errors) < 3
    rank = spearmanr(inflated[:, 6], inflated[:, 7]).statistic
    assert spearmanr(drawn[:, 6], drawn[:, 7]).statistic == pytest.approx(rank, abs=0.1)


def test_drawn_entries_keep_to_the_range_of_their_column(of_quantiles, uneven):
    incomplete = np.where(np.eye(5, dtype=bool)[np.arange(50) % 5], np.nan, uneven[:50])
    tables = [
        of_quantiles.sample(50_000, random_state=1),
        of_quantiles.impute(incomplete),
        *of_quantiles.impute(incomplete, n_draws=20, random_state=0),
    ]
    for drawn in tables:
        assert (drawn >= uneven.min(axis=0)).all()
        assert (drawn <= uneven.max(axis=0)).all()


def test_quantile_reconstructions_are_values_of_the_column(of_quantiles, uneven):
    back = of_quantiles.inverse_transform(of_quantiles.transform(uneven))
    assert set(back[:, 2]) <= {0, 1, 2, 3}
    np.testing.assert_array_equal(back[:, 3], back[:, 3].round())
    np.testing.assert_array_equal(back[:, 4], 7)
    assert np.mean(back[:, 1] == 0) > 0.1
    correlation = [spearmanr(back[:, j], uneven[:, j])[0] for j in range(4)]
    assert min(correlation) > 0.6


@pytest.mark.parametrize("hidden_layer_sizes", [(), (16,)])
def test_the_density_of_a_mixed_column_table_adds_up_to_one(
    make_vae, uneven, hidden_layer_sizes
):
    """A sum over cells of the discrete column, an integral over the other."""
    X = uneven[:, [1, 2]]
    vae = make_vae(scaling="quantile", hidden_layer_sizes=hidden_layer_sizes).fit(X)
    continuous = Marginal(**vae._codec.marginals[0])
    assert continuous.has_points
    edges = continuous.edges
    tail = 30 * (edges[-1] - edges[0])
    nodes, weights = np.polynomial.legendre.leggauss(12)
    total = 0.0
    for a, b in pairwise([edges[0] - tail, edges[0] - 1, *edges, 9, edges[-1] + tail]):
        x = a + (b - a) * (nodes + 1) / 2
        rows = np.column_stack([np.repeat(x, 4), np.tile(np.arange(4.0), 12)])
        density = np.exp(vae.score_samples(rows)).reshape(12, 4).sum(axis=1)
        total += (b - a) / 2 * weights @ density
    assert total == pytest.approx(1, abs=0.02)


def test_quantile_scores_are_densities_in_the_tables_units(make_vae, curve):
    X = np.exp(curve / curve.std(axis=0))
    unit = np.array([1, 1000, 1, 1])
    metres, millimetres = (
        make_vae(scaling="quantile", max_iter=5).fit(X * u) for u in (1, unit)
    )
    Z = metres.transform(X)
    np.testing.assert_allclose(millimetres.transform(X * unit), Z, atol=1e-9)
    np.testing.assert_allclose(
        millimetres.score_samples(X * unit), metres.score_samples(X) - np.log(1000)
    )
    np.testing.assert_allclose(
        millimetres.best_validation_score_,
        metres.best_validation_score_ - np.log(1000),
    )
    assert metres.best_validation_score_ == pytest.approx(metres.score(X), abs=2)


def test_an_array_of_integers_comes_back_as_one(make_vae):
    X = np.random.default_rng(0).integers(0, 200, (300, 3)).astype(np.uint8)
    vae = make_vae(scaling="quantile", max_iter=3).fit(X)
    assert vae.sample(500, random_state=0).dtype == np.uint8
    assert vae.inverse_transform(vae.transform(X)).dtype == np.uint8
    assert vae.inverse_transform([[99.0, 0], [-99, 0]]).max() <= 255
    assert make_vae(max_iter=3).fit(X).sample(3).dtype == np.uint8
    assert vae.fit(X / 1).sample(3).dtype == np.float64


def test_the_largest_integers_do_not_turn_negative(make_vae):
    X = np.random.default_rng(0).integers(0, 100, (300, 2))
    X[:30, 0] = 2**63 - 1
    vae = make_vae(scaling="quantile", hidden_layer_sizes=(), n_components=1).fit(X)
    drawn = vae.sample(1000, random_state=0)[:, 0]
    assert drawn.min() >= 0
    assert drawn.max() > 2**62


def test_rows_beside_are_in_a_quantile_score_rounding_only(of_quantiles, uneven):
    together = of_quantiles.score_samples(uneven[:9])
    alone = [of_quantiles.score_samples(row[None])[0] for row in uneven[:9]]
    np.testing.assert_allclose(together, alone, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("noise", NOISES)
def test_quantile_warm_start_has_the_map_of_its_rows(make_vae, uneven, noise):
    vae = make_vae(scaling="quantile", warm_start=True, max_iter=3, noise=noise)
    Z, other = vae.fit(uneven).transform(uneven), 2 * uneven[:300] + 3
    vae.set_params(learning_rate_init=1e-12).fit(uneven[::-1])
    np.testing.assert_allclose(vae.transform(uneven), Z, atol=1e-6)
    drawn = vae.fit(other).sample(4000, random_state=0)
    # The median of a column of four values is between two of them.
    quantiles = (np.quantile(x, 0.45, axis=0) for x in (drawn, other))
    np.testing.assert_allclose(*quantiles, rtol=0.1, atol=0.1)
