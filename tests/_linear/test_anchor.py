"""The closed form against scikit-learn's PCA and FactorAnalysis and the textbook."""

import numpy as np
import pytest
from helpers import draw_factor_model, model_covariance, with_missing
from scipy.linalg import subspace_angles
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.decomposition import PCA, FactorAnalysis

from skvae._fitting.fit import NOISE_FLOOR
from skvae._linear import anchor
from skvae._linear.anchor import CrossFit, fit_linear_vae, fit_readout, least_noise

NOISES = ["spherical", "diag"]
TINY = 1e-12  # a floor that binds nowhere


def factor_table(n=400, d=6, k=2, seed=0):
    """Draw from a factor model, each column with its own noise."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(k, d))
    noise = rng.normal(size=(n, d)) * np.linspace(0.3, 1.0, d)
    return rng.normal(size=(n, k)) @ loadings + noise + rng.normal(size=d)


def standardised(load):
    X = load().data
    return (X - X.mean(axis=0)) / X.std(axis=0)


def mean_log_density(linear, x):
    return (
        multivariate_normal(linear.decoder_bias, model_covariance(linear))
        .logpdf(x)
        .mean()
    )


def posterior_mean(linear, x):
    return x @ linear.encoder + linear.encoder_bias


def textbook_covariance(x, k, floor):
    """Tipping & Bishop (1999), equation 7, from an eigendecomposition of np.cov.

    With PCA's noise: the mean of the discarded variances that n rows can have.
    """
    values, vectors = np.linalg.eigh(np.cov(x, rowvar=False))
    values, vectors = values[::-1], vectors[:, ::-1]
    noise = max(values[k : len(x)].mean(), floor * values.mean())
    kept = np.maximum(values[:k], noise)
    signal = (vectors[:, :k] * (kept - noise)) @ vectors[:, :k].T
    return signal + noise * np.eye(len(values))


# ------------------------------------------------------------------- the two oracles


@pytest.mark.parametrize("k", [1, 2, 5, 6, 9])
def test_spherical_is_the_pca_of_scikit_learn(k):
    x = factor_table()
    linear = fit_linear_vae(x, k, "spherical", TINY)
    pca = PCA(min(k, x.shape[1])).fit(x)
    assert mean_log_density(linear, x) == pytest.approx(pca.score(x), abs=1e-10)
    np.testing.assert_allclose(
        model_covariance(linear), pca.get_covariance(), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("k", [1, 2, 5])
def test_spherical_components_lie_along_the_principal_axes(k):
    x = factor_table()
    linear = fit_linear_vae(x, k, "spherical", TINY)
    axes = PCA(k).fit(x).components_
    assert subspace_angles(linear.decoder.T, axes.T).max() < 1e-6
    directions = linear.decoder / np.linalg.norm(linear.decoder, axis=1, keepdims=True)
    np.testing.assert_allclose(abs(directions @ axes.T), np.eye(k), atol=1e-8)


@pytest.mark.parametrize("n", [30, 10, 5])
@pytest.mark.parametrize("k", [1, 3])
def test_the_gram_route_is_the_covariance_route(n, k):
    x = factor_table(n, d=20)  # d > n but for the first
    found = model_covariance(fit_linear_vae(x, k, "spherical", TINY))
    np.testing.assert_allclose(found, textbook_covariance(x, k, TINY), atol=1e-10)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_with_fewer_rows_than_columns_it_is_scikit_learns_pca_too(k):
    x, new = factor_table(30, d=20)[:12], factor_table(30, d=20)[12:]
    linear = fit_linear_vae(x, k, "spherical", TINY)
    oracle = PCA(k).fit(x)
    np.testing.assert_allclose(
        linear.log_density(new), oracle.score_samples(new), rtol=1e-8
    )


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize(
    "load", [factor_table, load_iris, load_wine, load_breast_cancer]
)
@pytest.mark.filterwarnings("ignore:FactorAnalysis did not converge")
def test_diag_is_at_least_as_likely_as_factor_analysis(load, k):
    x = load() if load is factor_table else standardised(load)
    oracle = FactorAnalysis(k, tol=1e-8, max_iter=1000, svd_method="lapack").fit(x)
    linear = fit_linear_vae(x, k, "diag", TINY)
    assert mean_log_density(linear, x) >= oracle.score(x) - 1e-3


@pytest.mark.parametrize("seed", [17, 35, 49])
@pytest.mark.filterwarnings("ignore:FactorAnalysis did not converge")
def test_diag_takes_the_better_of_two_maxima(seed):
    """From the unexplained variances alone these stop .1 nats below FactorAnalysis."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 8))
    x += 0.3 * rng.normal(size=x.shape)
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
    oracle = FactorAnalysis(2, tol=1e-6, max_iter=2000, svd_method="lapack").fit(x)
    oracle.noise_variance_ = oracle.noise_variance_.clip(NOISE_FLOOR["diag"])
    linear = fit_linear_vae(x, 2, "diag", NOISE_FLOOR["diag"])
    assert mean_log_density(linear, x) > oracle.score(x) - 1e-3


def test_diag_is_factor_analysis_where_the_optimum_is_one():
    x = factor_table(2000)
    oracle = FactorAnalysis(2, tol=1e-10, max_iter=9999, svd_method="lapack").fit(x)
    linear = fit_linear_vae(x, 2, "diag", TINY)
    np.testing.assert_allclose(linear.noise_variance, oracle.noise_variance_, rtol=0.01)
    assert subspace_angles(linear.decoder.T, oracle.components_.T).max() < 0.01


def test_diag_does_not_depend_on_the_columns_units():
    x, units = factor_table(), np.array([1e-3, 1, 1, 10, 1, 1e3])
    linear = fit_linear_vae(x, 2, "diag", NOISE_FLOOR["diag"])
    scaled = fit_linear_vae(x * units, 2, "diag", NOISE_FLOOR["diag"])
    np.testing.assert_allclose(
        scaled.noise_variance / units**2, linear.noise_variance, rtol=0.01
    )


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("k", [6, 8])
def test_as_many_components_as_columns_are_a_full_gaussian(noise, k):
    x = factor_table()
    linear = fit_linear_vae(x, k, noise, TINY)
    covariance = np.cov(x, rowvar=False, ddof=1 if noise == "spherical" else 0)
    np.testing.assert_allclose(model_covariance(linear), covariance, atol=1e-4)
    best = multivariate_normal(x.mean(axis=0), covariance).logpdf(x).mean()
    assert mean_log_density(linear, x) == pytest.approx(best, abs=1e-6)


# --------------------------------------------------------------------- the posterior


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("n", "d", "k"), [(400, 6, 2), (10, 20, 3), (50, 4, 6)])
def test_posterior_is_exact_and_diagonal(noise, n, d, k):
    x = factor_table(n, d)
    linear = fit_linear_vae(x, k, noise, NOISE_FLOOR[noise])
    W, psi = linear.decoder.T, linear.noise_variance  # x = W z + b + noise
    precision = np.eye(k) + W.T @ (W / psi[:, None])
    off_diagonal = precision - np.diag(np.diag(precision))
    assert abs(off_diagonal).max() < 1e-9 * precision.max()
    covariance = np.linalg.inv(precision)
    mean = (x - x.mean(axis=0)) / psi @ W @ covariance
    np.testing.assert_allclose(posterior_mean(linear, x), mean, atol=1e-8)
    np.testing.assert_allclose(np.exp(linear.log_var), np.diag(covariance), rtol=1e-8)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("k", [1, 3, 8])
def test_other_noise_keeps_the_signal_and_gets_its_own_posterior(noise, k):
    x = factor_table()
    linear = fit_linear_vae(x, k, noise, NOISE_FLOOR[noise])
    psi = np.linspace(0.1, 3, 6)
    other = linear.with_noise(psi)
    np.testing.assert_array_equal(other.noise_variance, psi)
    np.testing.assert_allclose(
        other.decoder.T @ other.decoder, linear.decoder.T @ linear.decoder, atol=1e-10
    )
    W = other.decoder.T
    covariance = np.linalg.inv(np.eye(k) + W.T @ (W / psi[:, None]))
    np.testing.assert_allclose(np.diag(np.exp(other.log_var)), covariance, atol=1e-10)
    mean = (x - x.mean(axis=0)) / psi @ W @ covariance
    np.testing.assert_allclose(posterior_mean(other, x), mean, atol=1e-10)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("n", "d", "k"), [(400, 6, 2), (10, 20, 3), (50, 4, 6)])
def test_log_density_is_that_of_the_normal_distribution(noise, n, d, k):
    x = factor_table(n, d)
    linear = fit_linear_vae(x, k, noise, NOISE_FLOOR[noise])
    oracle = multivariate_normal(linear.decoder_bias, model_covariance(linear))
    new = factor_table(30, d, seed=1)
    np.testing.assert_allclose(linear.log_density(new), oracle.logpdf(new), rtol=1e-6)


def test_a_permuted_model_is_the_same_model():
    x = factor_table()
    linear = fit_linear_vae(x, 3, "diag", 1e-4)
    order, signs = np.array([2, 0, 1]), np.array([1.0, -1.0, -1.0])
    permuted = linear.permuted(order, signs)
    z = posterior_mean(linear, x)[:, order] * signs
    np.testing.assert_allclose(posterior_mean(permuted, x), z)
    np.testing.assert_allclose(
        permuted.decode(z), linear.decode(posterior_mean(linear, x))
    )
    np.testing.assert_allclose(permuted.log_density(x), linear.log_density(x))


# --------------------------------------------------------------------- hard tables


@pytest.mark.parametrize("noise", NOISES)
def test_components_beyond_the_rank_are_empty(noise):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 6))
    linear = fit_linear_vae(x, 5, noise, NOISE_FLOOR[noise])
    kept, empty = slice(0, 2), slice(2, None)
    assert (linear.log_var[kept] < -3).all()
    np.testing.assert_allclose(linear.decoder[empty], 0, atol=1e-6)
    np.testing.assert_allclose(linear.encoder[:, empty], 0, atol=1e-4)
    np.testing.assert_allclose(linear.log_var[empty], 0, atol=1e-6)


def awkward(kind):
    x = factor_table(60, 4)
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
    linear = fit_linear_vae(x, k, noise, floor)
    assert linear.decoder.shape == (k, x.shape[1])
    np.testing.assert_allclose(linear.decoder_bias, x.mean(axis=0))
    variance = x.var(axis=0)
    if noise == "spherical":
        least = floor * (variance.mean() or 1.0)
    else:
        least = floor * np.where(variance > 0, variance, 1.0)
    assert (linear.noise_variance >= least * (1 - 1e-9)).all()
    assert np.isfinite(mean_log_density(linear, x))
    assert (linear.log_var <= 0).all()


def test_duplicate_columns_are_treated_alike():
    x = awkward("duplicate")
    for noise in NOISES:
        linear = fit_linear_vae(x, 2, noise, NOISE_FLOOR[noise])
        same = [0, 4, 5]
        for values in (linear.decoder[:, same].T, linear.noise_variance[same]):
            np.testing.assert_allclose(values, values[[1, 2, 0]], rtol=1e-2)


def test_rows_are_added_up_in_float64_whatever_the_chunk(monkeypatch):
    x = factor_table(500)
    oracle = fit_linear_vae(x, 2, "spherical", TINY)
    monkeypatch.setattr(anchor, "CHUNK_ROWS", 7)
    chunked = fit_linear_vae(x, 2, "spherical", TINY)
    np.testing.assert_allclose(
        model_covariance(chunked), model_covariance(oracle), atol=1e-12
    )
    far = fit_linear_vae((x + 1e3).astype(np.float32), 2, "spherical", TINY)
    np.testing.assert_allclose(
        model_covariance(far), model_covariance(oracle), atol=1e-3
    )


@pytest.mark.parametrize("k", [1, 3, 6])
def test_gradient_of_the_profile_likelihood(k, monkeypatch):
    caught = {}
    original = anchor.minimize

    def catching(fun, x0, **kwargs):
        caught["fun"] = fun
        return original(fun, x0, **kwargs)

    monkeypatch.setattr(anchor, "minimize", catching)
    fit_linear_vae(factor_table(), k, "diag", TINY)
    objective = caught["fun"]
    rng = np.random.default_rng(0)
    for log_psi in rng.uniform(-2, 0, size=(3, 6)):
        error = check_grad(
            lambda p: objective(p)[0], lambda p: objective(p)[1], log_psi
        )
        assert error < 1e-5


# --------------------------------------------------------------------- honest noise


def noise_of(x, k, noise, **options):
    floor = NOISE_FLOOR[noise]
    linear = fit_linear_vae(x, k, noise, floor)
    cross_fit = CrossFit(x, linear, noise, floor, **options)
    return cross_fit.noise_variance, linear.noise_variance


def folds(n, n_folds=5):
    """Pairs of masks: the rows left out, and the others."""
    order = np.random.RandomState(0).permutation(n)
    for i in range(min(n, n_folds)):
        left_out = np.isin(np.arange(n), order[i::n_folds])
        yield left_out, ~left_out


def brute_force_noise(x, k, noise):
    """Leave out a fold, fit the others, add up E|x - W z - b|^2 row by row."""
    errors, factors = [], []
    for left_out, others in folds(len(x)):
        linear = fit_linear_vae(x[others], k, noise, NOISE_FLOOR[noise])
        W, psi = linear.decoder.T, linear.noise_variance
        covariance = np.linalg.inv(np.eye(k) + W.T @ (W / psi[:, None]))
        for row in x[left_out] - linear.decoder_bias:
            mean = covariance @ W.T @ (row / psi)
            errors.append((row - W @ mean) ** 2 + np.diag(W @ covariance @ W.T))
            factors.append(errors[-1] / psi)
    axis = None if noise == "spherical" else 0
    error, factor = np.mean(errors, axis), np.mean(factors, axis)
    psi = fit_linear_vae(x, k, noise, NOISE_FLOOR[noise]).noise_variance
    return np.maximum(psi, np.minimum(psi * factor, error))


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("n", "d", "k"), [(23, 6, 2), (8, 12, 3), (3, 4, 1)])
def test_honest_noise_is_that_of_a_brute_force_cross_fit(noise, n, d, k):
    x = factor_table(n, d)
    expected = brute_force_noise(x, k, noise)
    np.testing.assert_allclose(noise_of(x, k, noise)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("noise", NOISES)
def test_honest_noise_exceeds_the_training_estimate_and_meets_it_later(noise):
    def ratio(n):
        honest, claimed = noise_of(factor_table(n, d=12), 2, noise)
        assert (honest >= claimed).all()
        return honest.mean() / claimed.mean()

    assert ratio(20) > 1.2
    assert ratio(5000) == pytest.approx(1, abs=0.02)


def test_noise_that_only_some_folds_find_is_not_averaged_away():
    """With too many components a column may have next to no noise, each time others."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 2)) @ rng.normal(size=(2, 8)) + rng.normal(
        size=(1000, 8)
    )
    honest, claimed = noise_of(x, 4, "diag")
    assert claimed.min() < 0.1
    assert (honest < 1.5 * claimed).all()


@pytest.mark.parametrize("noise", NOISES)
def test_folds_with_no_noise_left_do_not_blow_that_of_all_rows_up(noise):
    x = factor_table(25, 22, k=3)  # of 25 rows 20 are fitted to 22 columns
    honest, _ = noise_of(x, 20, noise)
    assert (honest < 2 * x.var(axis=0).max()).all()


def test_honest_noise_of_a_long_table_looks_at_some_random_rows():
    x = factor_table(1000)
    some = x[np.random.RandomState(0).permutation(1000)[:300]]
    found, _ = noise_of(x, 2, "spherical", max_rows=300)
    error = brute_force_noise(some, 2, "spherical")
    np.testing.assert_allclose(found, error, rtol=0.15)
    assert (found != noise_of(x, 2, "spherical")[0]).all()


@pytest.mark.parametrize("noise", NOISES)
def test_rows_with_a_period_are_no_harder_than_the_same_rows_shuffled(noise):
    group = np.random.default_rng(0).normal(size=(5, 8)) * 2
    x = np.random.default_rng(1).normal(size=(500, 8)) + group[np.arange(500) % 5]
    in_order, _ = noise_of(x, 2, noise)
    shuffled, _ = noise_of(x[np.random.default_rng(2).permutation(500)], 2, noise)
    np.testing.assert_allclose(in_order, shuffled, rtol=0.1)


@pytest.mark.parametrize("noise", NOISES)
def test_log_densities_are_those_of_the_left_out_rows(noise):
    x, floor = factor_table(23), NOISE_FLOOR[noise]
    cross_fit = CrossFit(x, fit_linear_vae(x, 2, noise, floor), noise, floor)
    expected = [], []
    for left_out, others in folds(23):
        other = fit_linear_vae(x[others], 2, noise, floor)
        signal = other.decoder.T @ other.decoder
        noises = cross_fit.noise_variance, other.noise_variance
        for densities, variance in zip(expected, noises, strict=True):
            model = multivariate_normal(other.decoder_bias, signal + np.diag(variance))
            densities.extend(model.logpdf(x[left_out]))
    for found, densities in zip(
        cross_fit.log_densities(cross_fit.noise_variance), expected, strict=True
    ):
        np.testing.assert_allclose(np.sort(found), np.sort(densities))


def test_the_least_noise_is_a_share_of_the_variance():
    x = factor_table(50, 3) * [1, 100, 0] + [0, 0, 7]
    variance = x.var(axis=0)
    diag = least_noise(x, "diag", 0.01)
    np.testing.assert_allclose(diag, 0.01 * np.array([*variance[:2], 1]))
    spherical = least_noise(x, "spherical", 0.01)
    np.testing.assert_allclose(spherical, np.full(3, 0.01 * variance.mean()))
    for noise in NOISES:
        linear = fit_linear_vae(x, 3, noise, 0.01)
        floor = least_noise(x, noise, 0.01)
        assert (linear.noise_variance >= floor * (1 - 1e-9)).all()


# ------------------------------------------------------------------------ read-out


def test_readout_is_least_squares():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(50, 3)) + 5
    residual = z @ rng.normal(size=(3, 4)) + rng.normal(size=(50, 4)) + 1
    design = np.c_[np.ones(50), z]
    oracle = np.linalg.lstsq(design, residual)[0]
    np.testing.assert_allclose(fit_readout(z, residual, ridge=0), oracle, rtol=1e-9)
    np.testing.assert_allclose(fit_readout(z, residual), oracle, rtol=1e-4)


@pytest.mark.parametrize("k", [1, 2, 6, 8])
def test_readout_turns_the_linear_model_into_pca(k):
    x = factor_table()
    linear = fit_linear_vae(x, k, "spherical", TINY)
    z = posterior_mean(linear, x)
    readout = fit_readout(z, x - linear.decode(z))
    new = factor_table(30, seed=1)
    z = posterior_mean(linear, new)
    pca = PCA(min(k, 6)).fit(x)
    np.testing.assert_allclose(
        linear.decode(z) + readout[0] + z @ readout[1:],
        pca.inverse_transform(pca.transform(new)),
        atol=1e-6 * abs(new).max(),
    )


def test_readout_ignores_an_empty_component():
    rng = np.random.default_rng(0)
    z = np.c_[rng.normal(size=(30, 1)), np.zeros((30, 1))]
    readout = fit_readout(z, rng.normal(size=(30, 3)))
    np.testing.assert_array_equal(readout[2], 0)
    assert np.isfinite(readout).all()


# ----------------------------------------------------------------------- missing values


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_no_small_change_makes_a_fit_with_missing_values_likelier(noise, share):
    x = with_missing(draw_factor_model(2000), share)
    linear = fit_linear_vae(x, 2, noise, 1e-9)
    best = linear.log_density(x).mean()
    rng = np.random.default_rng(0)
    for _ in range(20):
        changed = type(linear)(
            encoder=linear.encoder,
            encoder_bias=linear.encoder_bias,
            log_var=linear.log_var,
            decoder=linear.decoder + 0.03 * rng.normal(size=linear.decoder.shape),
            decoder_bias=linear.decoder_bias + 0.03 * rng.normal(size=6),
            noise_variance=linear.noise_variance * np.exp(0.05 * rng.normal()),
        )
        assert changed.log_density(x).mean() < best


@pytest.mark.parametrize("noise", NOISES)
def test_a_fit_with_missing_values_is_nearly_that_of_the_complete_rows(noise):
    x, fresh = draw_factor_model(2000), draw_factor_model(2000, draw=1)
    complete = fit_linear_vae(x, 2, noise, 1e-9).log_density(fresh).mean()
    incomplete = with_missing(x)
    found = fit_linear_vae(incomplete, 2, noise, 1e-9).log_density(fresh).mean()
    means = np.where(np.isnan(incomplete), np.nanmean(incomplete, axis=0), incomplete)
    naive = fit_linear_vae(means, 2, noise, 1e-9).log_density(fresh).mean()
    assert complete - found < 0.05
    assert complete - naive > 0.1


@pytest.mark.parametrize(
    ("n", "d", "share"), [(20, 100, 0.3), (40, 200, 0.3), (40, 200, 0.5)]
)
def test_fewer_rows_than_columns_may_have_missing_values(n, d, share):
    rows = draw_factor_model(n + 100, d=d)
    rows, fresh = np.split(rows, [n])
    x = with_missing(rows, share)
    found = fit_linear_vae(x, 2, "spherical", 1e-6).log_density(fresh).mean()
    means = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    naive = fit_linear_vae(means, 2, "spherical", 1e-6).log_density(fresh).mean()
    assert found > naive


@pytest.mark.parametrize("noise", NOISES)
def test_columns_seen_once_or_constant_have_a_density(noise):
    x = with_missing(draw_factor_model(12, d=40), 0.6)
    x[:, 0] = np.where(np.isnan(x[:, 0]), np.nan, 3.0)
    x[:, 1] = np.nan
    x[4, 1] = 1.0
    linear = fit_linear_vae(x, 2, noise, 1e-4)
    assert np.isfinite(linear.log_density(x)).all()


def test_a_step_that_overruns_is_not_kept(monkeypatch):
    x = with_missing(draw_factor_model(12, d=30), 0.5)
    scores = []
    for steps in (1, 2, 100):
        monkeypatch.setattr(anchor, "MOST_STEPS", steps)
        scores.append(fit_linear_vae(x, 2, "spherical", 1e-6).log_density(x).mean())
    assert scores == sorted(scores)


def test_the_honest_noise_is_of_what_is_observed():
    x = draw_factor_model(3000)
    linear = fit_linear_vae(x, 2, "diag", 1e-9)
    incomplete = with_missing(x)
    errors = [CrossFit(rows, linear, "diag", 1e-9).error for rows in (x, incomplete)]
    np.testing.assert_allclose(errors[1], errors[0], rtol=0.4)
    assert errors[1].sum() > errors[0].sum()  # less tells of z


@pytest.mark.parametrize("noise", NOISES)
def test_rows_of_a_fold_with_missing_values_are_no_likelier_than_fresh_ones(noise):
    k = 4 if noise == "diag" else 6  # more than factors
    incomplete = with_missing(draw_factor_model(300, d=12), 0.5)
    fresh = with_missing(draw_factor_model(3000, d=12, draw=1), 0.5, seed=1)
    linear = fit_linear_vae(incomplete, k, noise, 1e-4)
    of_fresh = linear.log_density(fresh).mean()
    flattery = linear.log_density(incomplete).mean() - of_fresh
    _, left_out = CrossFit(incomplete, linear, noise, 1e-4).log_densities(1.0)
    assert flattery > 0.2
    assert left_out.mean() - of_fresh < 0.25 * flattery


def test_folds_of_a_long_table_with_missing_values_are_of_some_of_its_rows(monkeypatch):
    monkeypatch.setattr(anchor, "HIDDEN_ROWS", 100)
    x = draw_factor_model(400)
    linear = fit_linear_vae(x, 2, "diag", 1e-9)
    for rows, n in ((x, 400), (with_missing(x), 100)):
        folds = CrossFit(rows, linear, "diag", 1e-9).folds
        assert sum(len(of_fold) for of_fold, _ in folds) == n
