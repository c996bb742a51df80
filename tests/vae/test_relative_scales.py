"""`scaling=None`: what PCA keeps is kept, whatever the columns' relative scales."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score

from skvae import VAETransformer

LINEAR = {"hidden_layer_sizes": (), "random_state": 0}
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 20, "random_state": 0}


def correlated(seed, n=150, d=6):
    """Return correlated columns of about equal scales."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


def fit(X, k, scaling=None, **options):
    with np.errstate(all="raise", under="ignore"):
        return VAETransformer(k, scaling=scaling, **options).fit(X)


def r2(X, back):
    """Return the R2 of each column, whatever its unit."""
    unit = X.std(axis=0)
    return r2_score(X / unit, back / unit, multioutput="raw_values")


def of_pca(X, k):
    pca = PCA(k, svd_solver="full").fit(X)
    return r2(X, pca.inverse_transform(pca.transform(X))), pca.score(X)


@pytest.mark.parametrize(
    ("load", "k"),
    [
        (load_breast_cancer, 30),
        (load_breast_cancer, 12),
        (load_breast_cancer, 2),
        (load_wine, 13),
        (load_wine, 5),
    ],
)
def test_raw_columns_keep_what_pca_keeps(load, k):
    X = load().data
    vae, (expected, score) = fit(X, k, **LINEAR), of_pca(X, k)
    assert vae.n_active_components_ == k
    assert (r2(X, vae.reconstruct(X)) > expected - 1e-6).all()
    assert vae.score(X) > score - 1e-3
    np.testing.assert_allclose(vae.noise_variance_, vae.noise_variance_[0])


@given(
    powers=st.lists(st.floats(-8, 8), min_size=6, max_size=6),
    seed=st.integers(0, 99),
)
@settings(max_examples=15, deadline=None)
def test_with_all_components_relative_scales_change_nothing(powers, seed):
    """PCA itself loses columns that are 1e16 times smaller than others."""
    X, scales = correlated(seed), 10 ** np.array(powers)
    vae = fit(X * scales, 6, **LINEAR)
    assert vae.n_active_components_ == 6
    np.testing.assert_allclose(
        r2(X, vae.reconstruct(X * scales) / scales), 1, atol=1e-6
    )
    full = multivariate_normal(X.mean(axis=0), np.cov(X.T)).logpdf(X).mean()
    assert vae.score(X * scales) == pytest.approx(full - np.log(scales).sum(), abs=1e-3)


@given(
    powers=st.lists(st.floats(-3, 3), min_size=6, max_size=6),
    k=st.integers(1, 5),
    seed=st.integers(0, 99),
)
@settings(max_examples=15, deadline=None)
def test_with_fewer_it_is_pca(powers, k, seed):
    X = correlated(seed) * 10 ** np.array(powers)
    vae, (expected, score) = fit(X, k, **LINEAR), of_pca(X, k)
    assert (r2(X, vae.reconstruct(X)) > expected - 1e-6).all()
    assert vae.score(X) > score - 0.01


@pytest.mark.filterwarnings("ignore:max_iter")
@pytest.mark.parametrize("k", [2, 5, 6])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_network_is_not_below_the_linear_model(k, seed):
    rng = np.random.default_rng(seed)
    X = correlated(seed, n=300) * 10 ** rng.uniform(-8, 8, 6)
    vae, linear = fit(X, k, **SMALL), fit(X, k, **LINEAR)
    assert vae.score(X) > linear.score(X) - 0.05  # of a mixture with the closed form
    found, expected = (r2(X, model.reconstruct(X)) for model in (vae, linear))
    assert found.mean() > expected.mean() - 1e-3
    assert (found > expected - 0.05).all()


@pytest.mark.filterwarnings("ignore:max_iter")
@pytest.mark.parametrize("options", [LINEAR, SMALL])
def test_the_unit_of_a_whole_table_changes_nothing(options):
    X = correlated(3) * np.logspace(-3, 3, 6)
    vae, scaled = fit(X, 3, **options), fit(X * 2.0**-20, 3, **options)
    z, same = vae.transform(X), scaled.transform(X * 2.0**-20)
    np.testing.assert_allclose(same, z, rtol=1e-9, atol=1e-9)
    gain = 6 * 20 * np.log(2)
    assert scaled.score(X * 2.0**-20) == pytest.approx(vae.score(X) + gain, rel=1e-9)
    other = fit(X * 1e-6, 3, **LINEAR)
    score = fit(X, 3, **LINEAR).score(X) - 6 * np.log(1e-6)
    assert other.score(X * 1e-6) == pytest.approx(score, abs=1e-3)


def test_missing_entries_of_small_columns_are_told_as_those_of_large_ones():
    X = load_breast_cancer().data[:, 10:20]
    gaps = np.random.default_rng(0).random(X.shape) < 0.05
    rows, unit = np.where(gaps, np.nan, X), X.std(axis=0)
    raw, scaled = (fit(rows, 10, scaling, **LINEAR) for scaling in (None, "standard"))
    error, same = (
        np.square((vae.impute(rows) - X) / unit)[gaps].mean() for vae in (raw, scaled)
    )
    assert error < 1.05 * same
    left = np.where(gaps, 0, (raw.reconstruct(rows) - X) / unit)
    assert np.square(left).mean(axis=0).max() < 1e-5


@pytest.mark.parametrize("seed", range(3))
def test_any_scales_have_a_density_with_missing_entries(seed):
    rng = np.random.default_rng(seed)
    X = correlated(seed) * 10 ** rng.uniform(-8, 8, 6)
    rows = np.where(rng.random(X.shape) < 0.1, np.nan, X)
    for fitted in (X, rows):
        vae = fit(fitted, 6, **LINEAR)
        assert np.isfinite(vae.score_samples(rows)).all()
        assert np.isfinite(vae.impute(rows)).all()


def test_constant_columns_hide_no_others():
    X = correlated(6) * np.logspace(-4, 2, 6)
    beside = np.c_[X, np.full((len(X), 2), [0.1, 1e9])]
    vae = fit(beside, 6, **LINEAR)
    assert vae.n_active_components_ == 6
    np.testing.assert_allclose(r2(X, vae.reconstruct(beside)[:, :6]), 1, atol=1e-6)
    assert vae.score(beside) > fit(X, 6, **LINEAR).score(X)


def test_a_share_of_the_variance_is_one_of_the_columns_own_units():
    """One column has nearly all of it, so that one component suffices."""
    X = correlated(7, n=300) * [1e3, 1, 1, 1, 1, 1]
    assert fit(X, 0.99, **LINEAR).n_components_ == 1
    assert fit(X, 0.99, scaling="standard", **LINEAR).n_components_ > 2


@pytest.mark.filterwarnings("ignore:max_iter")
def test_the_one_noise_of_spherical_is_equal_in_the_tables_units():
    X = correlated(8) * np.logspace(-1, 2, 6)
    for options in (LINEAR, SMALL):
        noise = fit(X, 3, noise="spherical", **options).noise_variance_
        np.testing.assert_allclose(noise, noise[0], rtol=1e-6)


@pytest.mark.parametrize("power", [-8, -12, -16, -30])
def test_rows_that_are_drawn_may_be_transformed_however_small_a_column(power):
    rows = np.random.default_rng(0).normal(size=(60, 5)) * [10.0**power, 1, 1, 1, 1]
    vae = VAETransformer(
        hidden_layer_sizes=(), noise="spherical", scaling=None, random_state=0
    )
    drawn = vae.fit(rows).sample(100, random_state=0)
    assert np.isfinite(vae.transform(drawn)).all()
