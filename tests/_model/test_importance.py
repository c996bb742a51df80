"""Draws of z weighed by importance, against the exact density of the linear model."""

import numpy as np
import pytest
import torch
from models import linear_density, linear_model, mean_elbo, network_of, normal
from scipy.integrate import quad
from torch.distributions import Normal

from skvae._likelihoods.gaussian import Gaussian
from skvae._linear.anchor import fit_linear_vae
from skvae._model.importance import (
    Draws,
    Proposal,
    importance_weighted_bound,
    importance_weights,
)
from skvae._model.prior import NormalMixture, StandardNormal
from skvae._numerics.draws import spread_normal

K, D = 2, 5
X = normal(20, D) @ normal(D, D, seed=1)


def only(normal):
    """Return draws without any of the prior."""
    return Draws(normal, normal.new_empty(0, K))


def bound_of(vae, likelihood, x, draws, observed=None, **options):
    """Return the bound by draws from where the encoder has rows."""
    proposal = Proposal.independent(StandardNormal(K), *vae.encode(x))
    observed = x if observed is None else observed
    given = vae, likelihood, observed, proposal, only(draws)
    return importance_weighted_bound(*given, **options)


@pytest.mark.parametrize("noise", ["spherical", "diag"])
@pytest.mark.parametrize("n_draws", [1, 2, 50])
def test_with_the_exact_posterior_any_draws_give_the_log_likelihood(noise, n_draws):
    vae, likelihood, exact = linear_model(X, K, noise)
    bound = bound_of(vae, likelihood, X, normal(n_draws, K))
    np.testing.assert_allclose(bound, exact, atol=1e-10)


def test_one_draw_averages_to_the_elbo_when_the_posterior_is_wrong():
    vae, likelihood, _ = linear_model(X, K, "diag")
    vae.parts["encoder_linear_bias"][:K].add_(0.4)
    noise = np.sqrt(K) * torch.cat([torch.eye(K), -torch.eye(K)]).double()
    one_draw = [bound_of(vae, likelihood, X, n[None]) for n in noise]
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
    vae, likelihood, exact = linear_model(X, K, "spherical")
    spoil(vae)

    def gaps(n_draws, n_sets=250):  # to log p(x): the mean over rows, by set of draws
        draws = normal(n_sets, n_draws, K, seed=n_draws)
        bounds = [bound_of(vae, likelihood, X, d) for d in draws]
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
    vae, likelihood, exact = linear_model(X, K, "diag")
    spoil(vae)
    draws = normal(100_000, 1, K)[:, 0]
    bound = bound_of(vae, likelihood, X[:3], draws)
    np.testing.assert_allclose(bound, exact[:3], atol=0.03)


def curved_model():
    """A network whose posterior is exact for some rows and far off for others."""
    vae, likelihood, _ = linear_model(X, K, "spherical", hidden=(6,))
    vae.flat.add_(0.05 * normal(len(vae.flat)))
    return vae, likelihood


def test_draws_end_where_the_rest_would_change_nothing():
    vae, likelihood = curved_model()
    noise = normal(256, K)
    full = bound_of(vae, likelihood, X, noise)
    errors = []
    for tol in (0.3, 0.1, 0.0):
        found = bound_of(vae, likelihood, X, noise, n_first=8, tol=tol)
        errors.append(float((found - full).square().mean().sqrt()))
        assert errors[-1] <= 1.5 * tol + 1e-12
    assert errors[0] > errors[1] > 0


def test_a_row_that_needs_few_draws_gets_few(monkeypatch):
    vae, likelihood, exact = linear_model(X, K, "diag")
    seen, decode = [], vae.decode
    monkeypatch.setattr(vae, "decode", lambda z: seen.append(len(z)) or decode(z))
    noise = normal(64, K)
    bound = bound_of(vae, likelihood, X, noise, n_first=8)
    np.testing.assert_allclose(bound, exact, atol=1e-10)
    assert seen == [8 * len(X), 0]  # none of the prior
    vae.parts["encoder_linear_bias"][:K].add_(0.4)
    bound_of(vae, likelihood, X, noise, n_first=8, tol=0.0)
    rows = len(X)
    assert seen[2:] == [8 * rows, 0, 8 * rows, 0, 16 * rows, 0, 32 * rows, 0]


@pytest.mark.parametrize("tol", [0.0, 0.1, 1.0])
def test_how_many_draws_a_row_gets_is_up_to_the_row(tol):
    vae, likelihood = curved_model()
    noise = normal(64, K)
    together = bound_of(vae, likelihood, X, noise, n_first=8, tol=tol)
    alone = [
        bound_of(vae, likelihood, row[None], noise, n_first=8, tol=tol) for row in X
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

        def log_prob_of_pairs(self, x, decoded):
            return likelihood.log_prob_of_pairs(x - 0.3, decoded)

    options = {"n_first": 8, "tol": 0.1}
    expected = bound_of(vae, likelihood, X, noise, **options)
    found = bound_of(vae, Shifted(), X, noise, observed=other, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_no_rows_bound_depends_on_the_others():
    vae, likelihood, _ = linear_model(X, K, "spherical", hidden=(6,))
    vae.flat.add_(0.1 * normal(len(vae.flat)))
    noise = normal(7, K)
    together = bound_of(vae, likelihood, X, noise)
    alone = [bound_of(vae, likelihood, row[None], noise) for row in X]
    np.testing.assert_allclose(together, torch.cat(alone), rtol=1e-12)


@pytest.mark.parametrize("n_of_prior", [0, 3])
@pytest.mark.parametrize("is_fitted", [False, True])
def test_a_weight_is_what_a_draw_is_likelier_than_where_it_came_from(
    is_fitted, n_of_prior
):
    vae, likelihood = curved_model()
    prior = StandardNormal(K)
    if is_fitted:
        eye = torch.eye(K).double()
        means, covariances = normal(3, K, seed=4), torch.stack([eye, 2 * eye, eye / 2])
        prior = NormalMixture(torch.tensor([0.5, 0.2, 0.3]), means, covariances)
    mean, log_var, noise = normal(20, K, seed=2), normal(20, K, seed=3), normal(7, K)
    proposal = Proposal.independent(prior, mean, log_var)
    draws = Draws(noise, prior.spread(n_of_prior) if n_of_prior else noise[:0])
    own, shared = importance_weights(vae, likelihood, X, proposal, draws)
    std = log_var.exp().sqrt()
    np.testing.assert_allclose(own.z, mean + std * noise[:, None], rtol=1e-12)
    np.testing.assert_array_equal(shared.z, draws.of_prior[:, None])
    share = n_of_prior / (7 + n_of_prior)
    found = torch.cat([own.log_weights, shared.log_weights])
    assert found.shape == (7 + n_of_prior, 20)
    z, decoded = (
        torch.cat([getattr(of, name).expand(-1, 20, -1) for of in (own, shared)])
        for name in ("z", "decoded")
    )
    for of_draw, its_z, its_decoded in zip(found, z, decoded, strict=True):
        np.testing.assert_allclose(its_decoded, vae.decode(its_z), rtol=1e-9)
        p = Normal(its_decoded, likelihood.variance.sqrt()).log_prob(X).sum(dim=1)
        q = Normal(mean, std).log_prob(its_z).sum(dim=1).exp()
        of_prior = prior.log_prob(its_z)
        q = ((1 - share) * q + share * of_prior.exp()).log()
        np.testing.assert_allclose(of_draw, p + of_prior - q, rtol=1e-7)


# ---------------------------------------------------------------------------- the prior


class Square:
    """A decoder of z * z: whatever is seen may have come from either side of 0."""

    def decode(self, z):
        return z.square()


def test_draws_of_the_prior_find_the_other_mode():
    likelihood, x = Gaussian(torch.tensor([0.01]).double()), torch.tensor([[1.0]])

    def joint(z):
        return np.exp(-0.5 * (z**2 + (1 - z**2) ** 2 / 0.01)) / (2 * np.pi * 0.1)

    exact = np.log(quad(joint, -3, 3, points=[-1, 1])[0])
    prior, mean = StandardNormal(1), torch.ones(1, 1).double()
    proposal = Proposal.independent(prior, mean, torch.full_like(mean, -5.0))
    given, normals = (Square(), likelihood, x.double(), proposal), spread_normal(512, 1)
    blind = importance_weighted_bound(*given, Draws(normals, normals[:0]))
    np.testing.assert_allclose(blind, exact - np.log(2), atol=0.05)
    found = importance_weighted_bound(*given, Draws(normals, prior.spread(256)))
    np.testing.assert_allclose(found, exact, atol=0.1)


def test_parts_of_draws_double_and_have_the_same_share_of_the_priors():
    draws = Draws(normal(64, K), normal(16, K, seed=1))
    parts = draws.doubled(16)
    assert [len(part) for part in parts] == [20, 20, 40]
    assert {part.prior_share for part in parts} == {draws.prior_share} == {0.2}
    for name in ("normal", "of_prior"):
        joined = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(joined, getattr(draws, name))
    assert [len(part) for part in draws.doubled(64)] == [80]


def test_what_is_the_priors_share_in_each_part_is_no_error():
    """Draws of an exact posterior are alike, and the prior's weigh nothing."""
    linear = fit_linear_vae(X, K, "spherical", 1e-6)
    linear = linear.with_noise(linear.noise_variance * 1e-6)
    vae, seen = network_of(linear, (), 0.0), []
    likelihood, prior = Gaussian(linear.noise_variance), StandardNormal(K)
    decode = vae.decode
    vae.decode = lambda z: seen.append(len(z)) or decode(z)
    proposal = Proposal.independent(prior, *vae.encode(X))
    draws = Draws(spread_normal(64, K), prior.spread(64))
    given = vae, likelihood, X, proposal, draws
    bound = importance_weighted_bound(*given, n_first=16)
    np.testing.assert_allclose(bound, linear_density(linear).logpdf(X), rtol=1e-6)
    assert seen == [16 * len(X), 16]
