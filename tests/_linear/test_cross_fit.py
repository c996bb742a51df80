"""Honest noise of a linear VAE, against folds that are added up row by row."""

import numpy as np
import pytest
import torch
from helpers import draw_factor_model, with_missing
from scipy.stats import multivariate_normal

from skvae._fitting.recipe import NOISE_FLOOR
from skvae._linear import cross_fit as cross_fit_module
from skvae._linear.anchor import fit_linear_vae
from skvae._linear.cross_fit import CrossFit

NOISES = ["spherical", "diag"]


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def fit(x, k, noise):
    return fit_linear_vae(tensor(x), k, noise, NOISE_FLOOR[noise])


def cross_fit(x, k, noise, **options):
    """Return the linear VAE of some rows beside what it shows on others."""
    linear, rows = fit(x, k, noise), tensor(x)
    return linear, CrossFit(rows, linear, noise, NOISE_FLOOR[noise], **options)


def noise_of(x, k, noise, **options):
    """Return the honest noise, and what the fit claims."""
    linear, folds = cross_fit(x, k, noise, **options)
    return folds.noise_variance.numpy(), linear.noise_variance.numpy()


def split(n, n_folds=5):
    """Yield pairs of masks: the rows left out, and the others."""
    order = np.random.RandomState(0).permutation(n)
    for i in range(min(n, n_folds)):
        left_out = np.isin(np.arange(n), order[i::n_folds])
        yield left_out, ~left_out


def brute_force(x, k, noise):
    """Leave out a fold, fit the others, add up E|x - W z - b|^2 row by row.

    Return the honest noise, and each column's error.
    """
    errors, factors = [], []
    for left_out, others in split(len(x)):
        linear = fit(x[others], k, noise)
        W, psi = linear.decoder.numpy().T, linear.noise_variance.numpy()
        covariance = np.linalg.inv(np.eye(k) + W.T @ (W / psi[:, None]))
        for row in x[left_out] - linear.decoder_bias.numpy():
            mean = covariance @ W.T @ (row / psi)
            errors.append((row - W @ mean) ** 2 + np.diag(W @ covariance @ W.T))
            factors.append(errors[-1] / psi)
    axis = None if noise == "spherical" else 0
    error, factor = np.mean(errors, axis), np.mean(factors, axis)
    psi = fit(x, k, noise).noise_variance.numpy()
    honest = np.maximum(psi, np.minimum(psi * factor, error))
    return honest, np.mean(errors, axis=0)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("n", "d", "k"), [(23, 6, 2), (8, 12, 3), (3, 4, 1)])
def test_honest_noise_is_that_of_a_brute_force_cross_fit(noise, n, d, k):
    x = draw_factor_model(n, d)
    expected, error = brute_force(x, k, noise)
    _, folds = cross_fit(x, k, noise)
    np.testing.assert_allclose(folds.noise_variance, expected, rtol=1e-5)
    np.testing.assert_allclose(folds.error, error, rtol=1e-5)


@pytest.mark.parametrize("noise", NOISES)
def test_honest_noise_exceeds_the_training_estimate_and_meets_it_later(noise):
    def ratio(n):
        honest, claimed = noise_of(draw_factor_model(n, d=12), 2, noise)
        assert (honest >= claimed).all()
        return honest.mean() / claimed.mean()

    assert ratio(20) > 1.2
    assert ratio(5000) == pytest.approx(1, abs=0.02)


def test_noise_that_only_some_folds_find_is_not_averaged_away():
    """With too many components a column may have next to no noise, each time others."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 2)) @ rng.normal(size=(2, 8))
    x += rng.normal(size=(1000, 8))
    honest, claimed = noise_of(x, 4, "diag")
    assert claimed.min() < 0.1
    assert (honest < 1.5 * claimed).all()


@pytest.mark.parametrize("noise", NOISES)
def test_folds_with_no_noise_left_do_not_blow_that_of_all_rows_up(noise):
    x = draw_factor_model(25, 22, k=3)  # of 25 rows 20 are fitted to 22 columns
    honest, _ = noise_of(x, 20, noise)
    assert (honest < 2 * x.var(axis=0).max()).all()


def test_honest_noise_of_a_long_table_looks_at_some_random_rows():
    x = draw_factor_model(1000)
    some = x[np.random.RandomState(0).permutation(1000)[:300]]
    found, _ = noise_of(x, 2, "spherical", max_rows=300)
    expected, _ = brute_force(some, 2, "spherical")
    np.testing.assert_allclose(found, expected, rtol=0.15)
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
    x = draw_factor_model(23)
    _, folds = cross_fit(x, 2, noise)
    expected = [], []
    for left_out, others in split(23):
        other = fit(x[others], 2, noise)
        signal = (other.decoder.T @ other.decoder).numpy()
        noises = folds.noise_variance.numpy(), other.noise_variance.numpy()
        for densities, variance in zip(expected, noises, strict=True):
            covariance = signal + np.diag(variance)
            model = multivariate_normal(other.decoder_bias.numpy(), covariance)
            densities.extend(model.logpdf(x[left_out]))
    for found, densities in zip(
        folds.log_densities(folds.noise_variance), expected, strict=True
    ):
        np.testing.assert_allclose(np.sort(found), np.sort(densities))


# ----------------------------------------------------------------------- missing values


def test_the_honest_noise_is_of_what_is_observed():
    x = tensor(draw_factor_model(3000))
    incomplete = tensor(with_missing(x.numpy()))
    linear = fit_linear_vae(x, 2, "diag", 1e-9)
    errors = [CrossFit(rows, linear, "diag", 1e-9).error for rows in (x, incomplete)]
    np.testing.assert_allclose(errors[1], errors[0], rtol=0.4)
    assert errors[1].sum() > errors[0].sum()  # less tells of z


@pytest.mark.parametrize("noise", NOISES)
def test_rows_of_a_fold_with_missing_values_are_no_likelier_than_fresh_ones(noise):
    k = 4 if noise == "diag" else 6  # more than factors
    incomplete = tensor(with_missing(draw_factor_model(300, d=12), 0.5))
    fresh = tensor(with_missing(draw_factor_model(3000, d=12, draw=1), 0.5, seed=1))
    linear = fit_linear_vae(incomplete, k, noise, 1e-4)
    of_fresh = linear.log_density(fresh).mean()
    flattery = linear.log_density(incomplete).mean() - of_fresh
    folds = CrossFit(incomplete, linear, noise, 1e-4)
    _, left_out = folds.log_densities(torch.ones(12, dtype=torch.float64))
    assert flattery > 0.2
    assert left_out.mean() - of_fresh < 0.25 * flattery


def test_folds_of_a_long_table_with_missing_values_are_of_some_of_its_rows(monkeypatch):
    monkeypatch.setattr(cross_fit_module, "HIDDEN_ROWS", 100)
    x = draw_factor_model(400)
    linear = fit_linear_vae(tensor(x), 2, "diag", 1e-9)
    for rows, n in ((x, 400), (with_missing(x), 100)):
        folds = CrossFit(tensor(rows), linear, "diag", 1e-9)
        for log_density in folds.log_densities(folds.noise_variance):
            assert len(log_density) == n
