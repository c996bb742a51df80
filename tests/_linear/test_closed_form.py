"""The best linear VAE of a covariance, against scikit-learn and the textbook."""

import numpy as np
import pytest
import torch
from helpers import draw_factor_model, model_covariance
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal
from sklearn.decomposition import FactorAnalysis

from skvae._fitting.recipe import NOISE_FLOOR
from skvae._linear import closed_form
from skvae._linear.closed_form import best_linear_vae, principal_axes
from skvae._linear.moments import least_noise

NOISES = ["spherical", "diag"]
TINY = 1e-12  # a floor that binds nowhere


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def root_of(x, noise):
    """Return centred rows whose squares add up to their covariance, (n, d)."""
    return (x - x.mean(axis=0)) / np.sqrt(len(x) - (noise == "spherical"))


def best(x, k, noise, floor, *, as_root=False, start=None):
    """Return the best linear VAE of the covariance of some rows."""
    root = root_of(x, noise)
    return best_linear_vae(
        noise,
        tensor(x.mean(axis=0)),
        tensor(root if as_root else root.T @ root),
        min(x.shape),
        k,
        least_noise(tensor(x), noise, floor),
        start,
    )


def mean_log_density(linear, x):
    model = multivariate_normal(linear.decoder_bias.numpy(), model_covariance(linear))
    return model.logpdf(x).mean()


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


@pytest.mark.parametrize("n", [30, 10, 5])
@pytest.mark.parametrize("k", [1, 3])
def test_a_covariance_and_its_root_have_the_textbooks_solution(n, k):
    x = draw_factor_model(n, d=20)  # d > n but for the first
    expected = textbook_covariance(x, k, TINY)
    for as_root in (False, True) if n < 20 else (False,):
        found = model_covariance(best(x, k, "spherical", TINY, as_root=as_root))
        np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("k", [1, 2])
def test_a_covariance_and_its_root_have_the_same_factor_analysis(k):
    x = draw_factor_model(12, d=20)
    whole, root = (
        best(x, k, "diag", 0.1, as_root=as_root) for as_root in (False, True)
    )
    found, expected = (mean_log_density(linear, x) for linear in (root, whole))
    assert found == pytest.approx(expected, abs=1e-3)


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
    linear = best(x.astype(np.float64), 2, "diag", NOISE_FLOOR["diag"])
    assert mean_log_density(linear, x) > oracle.score(x) - 1e-3


def test_diag_starts_where_it_is_told(monkeypatch):
    started = []
    original = closed_form.minimize

    def catching(fun, x0, **kwargs):
        started.append(np.exp(x0))
        return original(fun, x0, **kwargs)

    monkeypatch.setattr(closed_form, "minimize", catching)
    x = draw_factor_model(400)
    start = tensor(x.var(axis=0)) / 3
    linear = best(x, 2, "diag", TINY, start=start)
    (found,) = started
    np.testing.assert_allclose(found, start)
    expected = best(x, 2, "diag", TINY).noise_variance
    np.testing.assert_allclose(linear.noise_variance, expected, rtol=0.01)


def test_diag_does_not_depend_on_the_columns_units():
    x, units = draw_factor_model(400), np.array([1e-3, 1, 1, 10, 1, 1e3])
    linear = best(x, 2, "diag", NOISE_FLOOR["diag"])
    scaled = best(x * units, 2, "diag", NOISE_FLOOR["diag"])
    found = scaled.noise_variance.numpy() / units**2
    np.testing.assert_allclose(found, linear.noise_variance, rtol=0.01)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("k", [6, 8])
def test_as_many_components_as_columns_are_a_full_gaussian(noise, k):
    x = draw_factor_model(400)
    linear = best(x, k, noise, TINY)
    covariance = np.cov(x, rowvar=False, ddof=1 if noise == "spherical" else 0)
    np.testing.assert_allclose(model_covariance(linear), covariance, atol=1e-4)
    likeliest = multivariate_normal(x.mean(axis=0), covariance).logpdf(x).mean()
    assert mean_log_density(linear, x) == pytest.approx(likeliest, abs=1e-6)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("n", "d", "k"), [(400, 6, 2), (10, 20, 3), (50, 4, 6)])
def test_posterior_is_exact_and_diagonal(noise, n, d, k):
    x = draw_factor_model(n, d)
    linear = best(x, k, noise, NOISE_FLOOR[noise], as_root=n < d)
    # x = W z + b + noise
    W, psi = linear.decoder.numpy().T, linear.noise_variance.numpy()
    precision = np.eye(k) + W.T @ (W / psi[:, None])
    off_diagonal = precision - np.diag(np.diag(precision))
    assert abs(off_diagonal).max() < 1e-9 * precision.max()
    covariance = np.linalg.inv(precision)
    mean = (x - x.mean(axis=0)) / psi @ W @ covariance
    found = x @ linear.encoder.numpy() + linear.encoder_bias.numpy()
    np.testing.assert_allclose(found, mean, atol=1e-8)
    np.testing.assert_allclose(linear.log_var.exp(), np.diag(covariance), rtol=1e-8)


@pytest.mark.parametrize("noise", NOISES)
def test_components_beyond_the_rank_are_empty(noise):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 6))
    linear = best(x, 5, noise, NOISE_FLOOR[noise])
    kept, empty = slice(0, 2), slice(2, None)
    assert (linear.log_var[kept] < -3).all()
    np.testing.assert_allclose(linear.decoder[empty], 0, atol=1e-6)
    np.testing.assert_allclose(linear.encoder[:, empty], 0, atol=1e-4)
    np.testing.assert_allclose(linear.log_var[empty], 0, atol=1e-6)


@pytest.mark.parametrize("noise", NOISES)
def test_duplicate_columns_are_treated_alike(noise):
    x = draw_factor_model(60, 4)
    x = np.c_[x, x[:, 0], x[:, 0]]
    linear = best(x, 2, noise, NOISE_FLOOR[noise])
    same = [0, 4, 5]
    for values in (linear.decoder[:, same].T, linear.noise_variance[same]):
        np.testing.assert_allclose(values, values[[1, 2, 0]], rtol=1e-2)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_gradient_of_the_profile_likelihood(k, monkeypatch):
    caught = {}
    original = closed_form.minimize

    def catching(fun, x0, **kwargs):
        caught["fun"] = fun
        return original(fun, x0, **kwargs)

    monkeypatch.setattr(closed_form, "minimize", catching)
    best(draw_factor_model(400), k, "diag", TINY)
    objective = caught["fun"]
    rng = np.random.default_rng(0)
    for log_psi in rng.uniform(-2, 0, size=(3, 6)):
        error = check_grad(
            lambda p: objective(p)[0], lambda p: objective(p)[1], log_psi
        )
        assert error < 1e-5


def test_principal_axes_are_the_eigenvectors_of_a_covariance_or_of_its_root():
    root = root_of(draw_factor_model(8, d=20), "spherical")
    covariance = root.T @ root
    expected = np.linalg.eigvalsh(covariance)[::-1]
    for scatter in covariance, root:
        variances, directions = principal_axes(tensor(scatter))
        np.testing.assert_allclose(variances, expected[: len(scatter)], atol=1e-10)
        assert (variances >= 0).all()
        assert (variances.diff() <= 0).all()
        first = directions[:7]  # that 8 rows have
        np.testing.assert_allclose(first @ first.T, np.eye(7), atol=1e-10)
        found = (first.T * variances[:7]) @ first
        np.testing.assert_allclose(found, covariance, atol=1e-10)
    nothing, directions = principal_axes(torch.zeros(2, 5, dtype=torch.float64))
    np.testing.assert_array_equal(nothing, 0)
    assert directions.isfinite().all()
