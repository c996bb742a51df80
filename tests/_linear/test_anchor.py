"""The best linear VAE of rows, against scikit-learn's PCA and FactorAnalysis."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import draw_factor_model, model_covariance, with_missing
from scipy.linalg import subspace_angles
from scipy.stats import multivariate_normal
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.decomposition import PCA, FactorAnalysis

from skvae._fitting.recipe import NOISE_FLOOR
from skvae._linear import anchor
from skvae._linear.anchor import fit_linear_vae, fit_wide_linear_vae
from skvae._linear.moments import least_noise

NOISES = ["spherical", "diag"]
TINY = 1e-12  # a floor that binds nowhere


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def fit(x, *arguments):
    return fit_linear_vae(tensor(x), *arguments)


def factor_table():
    return draw_factor_model(400)


def standardised(load):
    X = load().data
    return (X - X.mean(axis=0)) / X.std(axis=0)


def mean_log_density(linear, x):
    """That of a normal distribution if rows are complete, else what it says itself."""
    if np.isnan(x).any():
        return float(linear.log_density(tensor(x)).mean())
    model = multivariate_normal(linear.decoder_bias.numpy(), model_covariance(linear))
    return model.logpdf(x).mean()


# ------------------------------------------------------------------- the two oracles


@pytest.mark.parametrize("k", [1, 2, 5, 6, 9])
def test_spherical_is_the_pca_of_scikit_learn(k):
    x = factor_table()
    linear = fit(x, k, "spherical", TINY)
    pca = PCA(min(k, x.shape[1])).fit(x)
    assert mean_log_density(linear, x) == pytest.approx(pca.score(x), abs=1e-10)
    np.testing.assert_allclose(
        model_covariance(linear), pca.get_covariance(), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("k", [1, 2, 5])
def test_spherical_components_lie_along_the_principal_axes(k):
    x = factor_table()
    decoder = fit(x, k, "spherical", TINY).decoder.numpy()
    axes = PCA(k).fit(x).components_
    assert subspace_angles(decoder.T, axes.T).max() < 1e-6
    directions = decoder / np.linalg.norm(decoder, axis=1, keepdims=True)
    np.testing.assert_allclose(abs(directions @ axes.T), np.eye(k), atol=1e-8)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_with_fewer_rows_than_columns_it_is_scikit_learns_pca_too(k):
    x, new = np.split(draw_factor_model(30, d=20), [12])
    linear = fit(x, k, "spherical", TINY)
    oracle = PCA(k).fit(x)
    found = linear.log_density(tensor(new))
    np.testing.assert_allclose(found, oracle.score_samples(new), rtol=1e-8)


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize(
    "load", [factor_table, load_iris, load_wine, load_breast_cancer]
)
@pytest.mark.filterwarnings("ignore:FactorAnalysis did not converge")
def test_diag_is_at_least_as_likely_as_factor_analysis(load, k):
    x = load() if load is factor_table else standardised(load)
    oracle = FactorAnalysis(k, tol=1e-8, max_iter=1000, svd_method="lapack").fit(x)
    linear = fit(x, k, "diag", TINY)
    assert mean_log_density(linear, x) >= oracle.score(x) - 1e-3


def test_diag_is_factor_analysis_where_the_optimum_is_one():
    x = draw_factor_model(2000)
    oracle = FactorAnalysis(2, tol=1e-10, max_iter=9999, svd_method="lapack").fit(x)
    linear = fit(x, 2, "diag", TINY)
    np.testing.assert_allclose(linear.noise_variance, oracle.noise_variance_, rtol=0.01)
    angles = subspace_angles(linear.decoder.numpy().T, oracle.components_.T)
    assert angles.max() < 0.01


# --------------------------------------------------------------------- hard tables


def awkward(kind):
    x = draw_factor_model(60, 4)
    return {
        "constant": np.c_[x, np.full(60, 7.0)],
        "duplicate": np.c_[x, x[:, 0], x[:, 0]],
        "all constant": np.full((60, 3), 2.0),
        "one row": x[:1],
        "two rows": x[:2],
        "two equal rows": x[[0, 0]],
        "one column": x[:, :1],
        "one entry": x[:1, :1],
    }[kind]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("k", [1, 2, 9])
@pytest.mark.parametrize(
    "kind",
    [
        "constant",
        "duplicate",
        "all constant",
        "one row",
        "two rows",
        "two equal rows",
        "one column",
        "one entry",
    ],
)
@pytest.mark.filterwarnings("error")
def test_awkward_tables_have_a_proper_density(kind, k, noise):
    x = awkward(kind)
    floor = NOISE_FLOOR[noise]
    linear = fit(x, k, noise, floor)
    assert linear.decoder.shape == (k, x.shape[1])
    np.testing.assert_allclose(linear.decoder_bias, x.mean(axis=0))
    variance = x.var(axis=0)
    if noise == "spherical":
        least = floor * (variance.mean() or 1.0)
    else:
        least = floor * np.where(variance > 0, variance, 1.0)
    assert (linear.noise_variance.numpy() >= least * (1 - 1e-9)).all()
    assert np.isfinite(mean_log_density(linear, x))
    assert (linear.log_var <= 0).all()


@pytest.mark.parametrize("noise", NOISES)
def test_the_noise_is_not_below_the_floor(noise):
    x = tensor(draw_factor_model(50, 3) * [1, 100, 0] + [0, 0, 7])
    linear = fit_linear_vae(x, 3, noise, 0.01)
    floor = least_noise(x, noise, 0.01)
    assert (linear.noise_variance >= floor * (1 - 1e-9)).all()


def test_rows_of_single_precision_far_from_0_are_added_up_in_double():
    x = factor_table()
    far = fit_linear_vae(tensor(x + 1e3).float(), 2, "spherical", TINY)
    assert far.decoder.dtype == torch.float64
    expected = model_covariance(fit(x, 2, "spherical", TINY))
    np.testing.assert_allclose(model_covariance(far), expected, atol=1e-3)


@pytest.mark.parametrize("n_dependent", [0, 2])
def test_noise_is_spread_over_the_directions_that_the_columns_leave(n_dependent):
    x = factor_table()
    x = np.c_[x, x[:, :n_dependent]]
    found = fit(x, 2, "spherical", TINY, n_dependent).noise_variance
    discarded = np.linalg.eigvalsh(np.cov(x.T))[::-1][2:6]
    np.testing.assert_allclose(found, discarded.mean())


# ------------------------------------------------------------------------ wide tables


@pytest.mark.parametrize("k", [1, 3])
def test_a_wide_fit_is_nearly_the_best_one(k):
    x, fresh = np.split(draw_factor_model(90, d=150, k=3), [60])
    best, wide = fit(x, k, "spherical", 1e-6), fit_wide_linear_vae(tensor(x), k, 1e-6)
    np.testing.assert_allclose(wide.noise_variance, best.noise_variance, rtol=1e-6)
    found, expected = (
        linear.log_density(tensor(fresh)).numpy() for linear in (wide, best)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_of_many_rows_of_a_wide_table_some_show_the_components(monkeypatch):
    x, fresh = np.split(draw_factor_model(2000, d=150, k=3), [1500])
    of_all = fit_wide_linear_vae(tensor(x), 3, 1e-6)
    monkeypatch.setattr(anchor, "WIDE_ENTRIES", 150 * 500)
    monkeypatch.setattr(anchor, "LEAST_WIDE_ROWS", 10)
    of_some = fit_wide_linear_vae(tensor(x), 3, 1e-6)
    np.testing.assert_array_equal(of_some.decoder_bias, of_all.decoder_bias)
    signal, expected = (
        (part.decoder.T @ part.decoder).numpy() for part in (of_some, of_all)
    )
    assert np.corrcoef(signal.ravel(), expected.ravel())[0, 1] > 0.98
    assert not np.allclose(signal, expected)
    score, best = (mean_log_density(part, fresh) for part in (of_some, of_all))
    assert best - 1.5 < score < best
    monkeypatch.setattr(anchor, "WIDE_ENTRIES", 150 * 5)
    few = fit_wide_linear_vae(tensor(x), 20, 1e-6)
    assert few.decoder.shape == (20, 150)
    np.testing.assert_array_equal(few.decoder[9:], 0)


def test_what_is_missing_of_a_wide_table_counts_as_the_mean():
    x, fresh = np.split(draw_factor_model(400, d=150, k=3), [200])
    incomplete = with_missing(x)
    linear = fit_wide_linear_vae(tensor(incomplete), 3, 1e-6)
    np.testing.assert_allclose(linear.decoder_bias, np.nanmean(incomplete, axis=0))
    variance = np.nanvar(incomplete, axis=0).sum() * 200 / 199
    assert np.trace(model_covariance(linear)) == pytest.approx(variance)
    complete = fit_wide_linear_vae(tensor(x), 3, 1e-6)
    signal, expected = (
        (part.decoder.T @ part.decoder).numpy() for part in (linear, complete)
    )
    assert np.corrcoef(signal.ravel(), expected.ravel())[0, 1] > 0.95
    no_signal = fit_wide_linear_vae(tensor(incomplete), 1, 1e-6)
    assert mean_log_density(linear, fresh) > mean_log_density(no_signal, fresh)


def test_components_of_a_wide_fit_beyond_the_rank_are_empty():
    x = draw_factor_model(5, d=30, k=3)
    linear = fit_wide_linear_vae(tensor(x), 9, 1e-6)
    assert linear.decoder.shape == (9, 30)
    np.testing.assert_array_equal(linear.decoder[4:], 0)
    np.testing.assert_array_equal(linear.log_var[4:], 0)
    assert (linear.log_var[:4] < -3).all()


# ----------------------------------------------------------------------- missing values


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_no_small_change_makes_a_fit_with_missing_values_likelier(noise, share):
    x = tensor(with_missing(draw_factor_model(2000), share))
    linear = fit_linear_vae(x, 2, noise, 1e-9)
    best = linear.log_density(x).mean()
    rng = np.random.default_rng(0)
    for _ in range(20):
        decoder, bias = (
            part + 0.03 * tensor(rng.normal(size=part.shape))
            for part in (linear.decoder, linear.decoder_bias)
        )
        noise_variance = linear.noise_variance * np.exp(0.05 * rng.normal())
        changed = replace(
            linear, decoder=decoder, decoder_bias=bias, noise_variance=noise_variance
        )
        assert changed.log_density(x).mean() < best


@pytest.mark.parametrize("noise", NOISES)
def test_a_fit_with_missing_values_is_nearly_that_of_the_complete_rows(noise):
    x, fresh = draw_factor_model(2000), draw_factor_model(2000, draw=1)
    incomplete = with_missing(x)
    means = np.where(np.isnan(incomplete), np.nanmean(incomplete, axis=0), incomplete)
    complete, found, naive = (
        mean_log_density(fit(rows, 2, noise, 1e-9), fresh)
        for rows in (x, incomplete, means)
    )
    assert complete - found < 0.05
    assert complete - naive > 0.1


@pytest.mark.parametrize(
    ("n", "d", "share"), [(20, 100, 0.3), (40, 200, 0.3), (40, 200, 0.5)]
)
def test_fewer_rows_than_columns_may_have_missing_values(n, d, share):
    rows, fresh = np.split(draw_factor_model(n + 100, d=d), [n])
    x = with_missing(rows, share)
    means = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    found, naive = (
        mean_log_density(fit(rows, 2, "spherical", 1e-6), fresh) for rows in (x, means)
    )
    assert found > naive


@pytest.mark.parametrize("noise", NOISES)
def test_columns_seen_once_or_constant_have_a_density(noise):
    x = with_missing(draw_factor_model(12, d=40), 0.6)
    x[:, 0] = np.where(np.isnan(x[:, 0]), np.nan, 3.0)
    x[:, 1] = np.nan
    x[4, 1] = 1.0
    linear = fit(x, 2, noise, 1e-4)
    assert linear.log_density(tensor(x)).isfinite().all()


@pytest.mark.parametrize(
    ("n", "d", "k", "seed", "overruns"), [(12, 30, 2, 0, False), (6, 20, 6, 1, True)]
)
def test_a_step_that_overruns_is_not_kept(n, d, k, seed, overruns, monkeypatch):
    x = with_missing(draw_factor_model(n, d=d, seed=seed), 0.5)
    x = x[:, ~np.isnan(x).all(axis=0)]
    scores, of_steps, original = [], [], anchor._expected

    def recording(linear, x):
        found = original(linear, x)
        of_steps.append(found[-1])
        return found

    monkeypatch.setattr(anchor, "_expected", recording)
    for steps in (1, 2, 100):
        of_steps.clear()
        monkeypatch.setattr(anchor, "MOST_STEPS", steps)
        scores.append(mean_log_density(fit(x, k, "spherical", 1e-6), x))
        assert scores[-1] == pytest.approx(max(of_steps), abs=1e-9)
    assert scores == sorted(scores)
    assert (of_steps[-1] < max(of_steps) - 1e-3) is overruns
