"""The bounds on log p(x), against the exact density of the linear model."""

import numpy as np
import pytest
import torch
from models import linear_density, network_of, normal
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl

from skvae._likelihoods.gaussian import Gaussian
from skvae._linear.anchor import fit_linear_vae
from skvae._model.bounds import (
    elbo,
    importance_weighted_bound,
    importance_weights,
    kl_divergence,
    standard_normal,
)
from skvae._model.prior import NormalMixture

K, D = 2, 5
X = normal(20, D) @ normal(D, D, seed=1)


def linear_model(noise, hidden=()):
    """Return the exact linear VAE of X as a network, its likelihood and log p(X)."""
    linear = fit_linear_vae(X, K, noise, 1e-6)
    vae = network_of(linear, hidden, spoilt=0.0)
    return vae, Gaussian(linear.noise_variance), linear_density(linear).logpdf(X)


def mean_elbo(vae, likelihood, x, beta=1.0):
    """Average over draws, exactly: the ELBO of a linear decoder is quadratic in them.

    Such a mean is that over the 2 K points at +-sqrt(K) on the axes.
    """
    points = np.sqrt(K) * torch.cat([torch.eye(K), -torch.eye(K)]).double()
    bounds = [
        elbo(vae, likelihood, x, point.expand(len(x), K), beta)[0] for point in points
    ]
    return torch.stack(bounds).mean(dim=0)


def test_kl_is_that_of_torch():
    mean, log_var = normal(30, 4), 3 * normal(30, 4, seed=1)
    oracle = torch_kl(Normal(mean, (0.5 * log_var).exp()), Normal(0.0, 1.0))
    np.testing.assert_allclose(kl_divergence(mean, log_var), oracle, rtol=1e-12)


@pytest.mark.parametrize("noise", ["spherical", "diag"])
@pytest.mark.parametrize("hidden", [(), (6, 4)])
def test_with_the_exact_posterior_the_elbo_is_the_log_likelihood(noise, hidden):
    vae, likelihood, exact = linear_model(noise, hidden)
    np.testing.assert_allclose(mean_elbo(vae, likelihood, X), exact, atol=1e-10)


@pytest.mark.parametrize("noise", ["spherical", "diag"])
@pytest.mark.parametrize("n_draws", [1, 2, 50])
def test_with_the_exact_posterior_any_draws_give_the_log_likelihood(noise, n_draws):
    vae, likelihood, exact = linear_model(noise)
    bound = importance_weighted_bound(vae, likelihood, X, normal(n_draws, K))
    np.testing.assert_allclose(bound, exact, atol=1e-10)


def test_one_draw_averages_to_the_elbo_when_the_posterior_is_wrong():
    vae, likelihood, _ = linear_model("diag")
    vae.parts["encoder_linear_bias"][:K].add_(0.4)
    noise = np.sqrt(K) * torch.cat([torch.eye(K), -torch.eye(K)]).double()
    one_draw = [importance_weighted_bound(vae, likelihood, X, n[None]) for n in noise]
    np.testing.assert_allclose(
        torch.stack(one_draw).mean(dim=0), mean_elbo(vae, likelihood, X), atol=1e-10
    )


def spoil_mean(vae):
    mean, log_var = vae.parts["encoder_linear_bias"].chunk(2)
    mean.add_((0.5 * log_var).exp())


def spoil_variance(vae):
    vae.parts["encoder_linear_bias"][K:].add_(1.0)


@pytest.mark.parametrize("spoil", [spoil_mean, spoil_variance])
def test_more_draws_tighten_the_bound(spoil):
    vae, likelihood, exact = linear_model("spherical")
    spoil(vae)

    def gaps(n_draws, n_sets=250):  # to log p(x): the mean over rows, by set of draws
        draws = normal(n_sets, n_draws, K, seed=n_draws)
        bounds = [importance_weighted_bound(vae, likelihood, X, d) for d in draws]
        return (torch.stack(bounds) - torch.from_numpy(exact)).mean(dim=1).numpy()

    loosest = float(mean_elbo(vae, likelihood, X).mean()) - exact.mean()
    five, many = gaps(5), gaps(200)
    standard_error = many.std() / np.sqrt(len(many))
    assert standard_error < 0.02
    assert loosest < five.mean() - 0.1
    assert five.mean() < many.mean() - 0.02
    assert -0.04 < many.mean() < 4 * standard_error


@pytest.mark.parametrize("spoil", [spoil_mean, spoil_variance])
def test_importance_weights_average_to_the_density(spoil):
    vae, likelihood, exact = linear_model("diag")
    spoil(vae)
    draws = normal(100_000, 1, K)[:, 0]
    bound = importance_weighted_bound(vae, likelihood, X[:3], draws)
    np.testing.assert_allclose(bound, exact[:3], atol=0.03)


# ------------------------------------------------------------- as few draws as will do


def curved_model():
    """A network whose posterior is exact for some rows and far off for others."""
    vae, likelihood, _ = linear_model("spherical", hidden=(6,))
    vae.flat.add_(0.05 * normal(len(vae.flat)))
    return vae, likelihood


def test_draws_end_where_the_rest_would_change_nothing():
    vae, likelihood = curved_model()
    noise = normal(256, K)
    full = importance_weighted_bound(vae, likelihood, X, noise)
    errors = []
    for tol in (0.3, 0.1, 0.0):
        found = importance_weighted_bound(vae, likelihood, X, noise, n_first=8, tol=tol)
        errors.append(float((found - full).square().mean().sqrt()))
        assert errors[-1] <= 1.5 * tol + 1e-12
    assert errors[0] > errors[1] > 0


def test_a_row_that_needs_few_draws_gets_few(monkeypatch):
    vae, likelihood, exact = linear_model("diag")
    seen, decode = [], vae.decode
    monkeypatch.setattr(vae, "decode", lambda z: seen.append(len(z)) or decode(z))
    noise = normal(64, K)
    bound = importance_weighted_bound(vae, likelihood, X, noise, n_first=8)
    np.testing.assert_allclose(bound, exact, atol=1e-10)
    assert seen == [8 * len(X)]
    vae.parts["encoder_linear_bias"][:K].add_(0.4)
    importance_weighted_bound(vae, likelihood, X, noise, n_first=8, tol=0.0)
    assert seen[1:] == [8 * len(X)] * 8


@pytest.mark.parametrize("tol", [0.0, 0.1, 1.0])
def test_how_many_draws_a_row_gets_is_up_to_the_row(tol):
    vae, likelihood = curved_model()
    noise = normal(64, K)
    together = importance_weighted_bound(vae, likelihood, X, noise, n_first=8, tol=tol)
    alone = [
        importance_weighted_bound(vae, likelihood, row[None], noise, n_first=8, tol=tol)
        for row in X
    ]
    np.testing.assert_allclose(together, torch.cat(alone), rtol=1e-12)


def test_the_likelihood_judges_what_was_observed_and_the_encoder_what_it_is_given():
    vae, likelihood = curved_model()
    noise = normal(64, K)
    other = X + 0.3

    class Shifted:
        def given(self, z):
            return self

        def log_prob(self, x, decoded):
            return likelihood.log_prob(x - 0.3, decoded)

    options = {"n_first": 8, "tol": 0.1}
    expected = importance_weighted_bound(vae, likelihood, X, noise, **options)
    found = importance_weighted_bound(
        vae, Shifted(), X, noise, observed=other, **options
    )
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_beta_weighs_the_kl():
    vae, likelihood, _ = linear_model("diag")
    noise = normal(len(X), K)
    kl = kl_divergence(*vae.encode(X)).sum(dim=1)
    full, decoded = elbo(vae, likelihood, X, noise)
    for beta in (0, 0.5, 2):
        bound, same = elbo(vae, likelihood, X, noise, beta)
        np.testing.assert_allclose(bound, full + (1 - beta) * kl, rtol=1e-12)
        assert torch.equal(same, decoded)


def test_without_noise_the_elbo_decodes_the_posterior_mean():
    vae, likelihood, _ = linear_model("diag")
    bound, decoded = elbo(vae, likelihood, X, torch.zeros(len(X), K).double(), beta=0)
    assert torch.equal(decoded, vae.decode(vae.encode(X)[0]))
    np.testing.assert_allclose(bound, likelihood.log_prob(X, decoded).sum(dim=1))


def test_no_rows_bound_depends_on_the_others():
    vae, likelihood, _ = linear_model("spherical", hidden=(6,))
    vae.flat.add_(0.1 * normal(len(vae.flat)))
    noise = normal(7, K)
    together = importance_weighted_bound(vae, likelihood, X, noise)
    alone = [importance_weighted_bound(vae, likelihood, row[None], noise) for row in X]
    np.testing.assert_allclose(together, torch.cat(alone), rtol=1e-12)


# ----------------------------------------------------------------- importance weights


def test_a_standard_normal_is_torchs():
    z = 3 * normal(30, K)
    oracle = Normal(0.0, 1.0).log_prob(z).sum(dim=1)
    np.testing.assert_allclose(standard_normal(z), oracle, rtol=1e-12)


@pytest.mark.parametrize("is_fitted", [False, True])
def test_a_weight_is_what_a_draw_is_likelier_than_where_it_came_from(is_fitted):
    vae, likelihood = curved_model()
    log_prior = standard_normal
    if is_fitted:
        eye = torch.eye(K).double()
        means, covariances = normal(3, K, seed=4), torch.stack([eye, 2 * eye, eye / 2])
        log_prior = NormalMixture(torch.tensor([0.5, 0.2, 0.3]), means, covariances)
        log_prior = log_prior.log_prob
    mean, log_var, noise = normal(20, K, seed=2), normal(20, K, seed=3), normal(7, K)
    z, decoded, found = importance_weights(
        vae, likelihood, log_prior, X, mean, log_var, noise
    )
    assert z.shape == (7, 20, K)
    assert decoded.shape == (7, 20, D)
    for of_draw, z_of_draw, decoded_of_draw, eps in zip(
        found, z, decoded, noise, strict=True
    ):
        std = log_var.exp().sqrt()
        np.testing.assert_allclose(z_of_draw, mean + std * eps, rtol=1e-12)
        np.testing.assert_allclose(decoded_of_draw, vae.decode(z_of_draw), rtol=1e-9)
        p = Normal(decoded_of_draw, likelihood.variance.sqrt()).log_prob(X).sum(dim=1)
        q = Normal(mean, std).log_prob(z_of_draw).sum(dim=1)
        np.testing.assert_allclose(of_draw, p + log_prior(z_of_draw) - q, rtol=1e-9)
