"""Imputation: against the conditionals of the linear model and of the density."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import bow, draw_factor_model, model_covariance, with_missing

from skvae import VAETransformer

NOISES = ["spherical", "diag"]
LINEAR = {"n_components": 2, "hidden_layer_sizes": ()}


def exact_conditionals(vae, row):
    """Return shares, means and covariances of the normals that missing entries are of.

    In the units of X; one for each linear VAE of the density.
    """
    o, h = ~np.isnan(row), np.isnan(row)
    scaled = (row - vae.mean_) / vae.scale_
    noise = vae._model.likelihood.variance.numpy()
    parts = replace(vae._model.linear, noise_variance=noise), vae._model.fallback
    shares = np.array([vae.network_weight_, 1 - vae.network_weight_])
    means, covariances = [], []
    for i, linear in enumerate(parts):
        shares[i] *= np.exp(linear.log_density(scaled[None])[0])
        means.append((linear.fill(scaled[None])[0] * vae.scale_ + vae.mean_)[h])
        cov = model_covariance(linear) * np.outer(vae.scale_, vae.scale_)
        gain = cov[np.ix_(h, o)] @ np.linalg.inv(cov[np.ix_(o, o)])
        covariances.append(cov[np.ix_(h, h)] - gain @ cov[np.ix_(o, h)])
    return shares / shares.sum(), np.array(means), np.array(covariances)


def exact_moments(vae, row):
    """Mean and covariance of the mixture of those normals."""
    shares, means, covariances = exact_conditionals(vae, row)
    mean = shares @ means
    between = (means - mean).T @ (shares[:, None] * (means - mean))
    return mean, np.tensordot(shares, covariances, 1) + between


@pytest.mark.parametrize("scaling", ["standard", None])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("at_fit", [True, False])
def test_imputed_entries_are_the_conditional_means_of_the_linear_model(
    at_fit, noise, scaling
):
    X = draw_factor_model()
    vae = VAETransformer(**LINEAR, noise=noise, scaling=scaling, random_state=0)
    vae.fit(with_missing(X) if at_fit else X)
    incomplete = with_missing(draw_factor_model(60, draw=1), 0.4)
    full = vae.impute(incomplete)
    np.testing.assert_array_equal(
        full[~np.isnan(incomplete)], incomplete[~np.isnan(incomplete)]
    )
    for row, found in zip(incomplete, full, strict=True):
        missing = np.isnan(row)
        if missing.any():
            mean, _ = exact_moments(vae, row)
            error = (found[missing] - mean) / X.std(axis=0)[missing]
            assert abs(error).max() < 1e-5


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("missing", [[0, 3], [1, 2, 4, 5], range(6)])
def test_draws_have_the_conditional_covariance_of_the_linear_model(missing, noise):
    X = draw_factor_model()
    vae = VAETransformer(**LINEAR, noise=noise, random_state=0).fit(X)
    row = draw_factor_model(1, draw=2)[0]
    row[list(missing)] = np.nan
    copies = np.tile(row, (2000, 1))  # as many draws at once
    drawn = np.concatenate(vae.impute(copies, n_draws=2, random_state=0))
    mean, cov = exact_moments(vae, row)
    std = np.sqrt(np.diag(cov))
    drawn = drawn[:, list(missing)]
    np.testing.assert_allclose((drawn.mean(axis=0) - mean) / std, 0, atol=0.1)
    error = (np.cov(drawn.T) - cov) / np.outer(std, std)
    np.testing.assert_allclose(error, 0, atol=0.15)


def test_imputed_entries_are_means_of_the_density():
    X, rows = bow(600), bow(20, seed=1)
    vae = VAETransformer(1, hidden_layer_sizes=(64,), random_state=0).fit(X)
    errors = []
    for i, row in enumerate(rows):
        j = i % 5
        points = np.linspace(X[:, j].min() - 3, X[:, j].max() + 3, 400)
        grid = np.tile(row, (400, 1))
        grid[:, j] = points
        density = np.exp(vae.score_samples(grid))
        incomplete = row.copy()
        incomplete[j] = np.nan
        found = vae.impute(incomplete[None])[0, j]
        errors.append((found - points @ density / density.sum()) / X[:, j].std())
    assert np.sqrt(np.square(errors).mean()) < 0.05


@pytest.mark.parametrize("at_fit", [True, False])
def test_a_network_imputes_better_than_the_linear_model_and_the_mean(at_fit):
    X, fresh = bow(600), bow(400, seed=1)
    incomplete = with_missing(fresh, 0.2)
    missing = np.isnan(incomplete)

    def error(filled):
        return np.sqrt(np.square((filled - fresh) / X.std(axis=0))[missing].mean())

    vaes = [
        VAETransformer(1, random_state=0, **parameters).fit(
            with_missing(X, 0.2, seed=2) if at_fit else X
        )
        for parameters in ({"hidden_layer_sizes": (64,)}, {"hidden_layer_sizes": ()})
    ]
    network, linear = (error(vae.impute(incomplete)) for vae in vaes)
    assert network < 0.85 * linear
    assert linear < error(np.where(missing, X.mean(axis=0), incomplete))
    drawn = vaes[0].impute(incomplete, n_draws=20, random_state=0)
    assert error(drawn[0]) > 1.1 * error(np.mean(drawn, axis=0))  # they have a spread
    assert error(np.mean(drawn, axis=0)) < 1.15 * network
