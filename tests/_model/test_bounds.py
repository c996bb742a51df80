"""The ELBO, against the exact density of the linear model."""

import numpy as np
import pytest
import torch
from models import linear_model, mean_elbo, normal
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl

from skvae._model.bounds import (
    elbo,
    kl_divergence,
    standard_normal,
)

K, D = 2, 5
X = normal(20, D) @ normal(D, D, seed=1)


def test_kl_is_that_of_torch():
    mean, log_var = normal(30, 4), 3 * normal(30, 4, seed=1)
    oracle = torch_kl(Normal(mean, (0.5 * log_var).exp()), Normal(0.0, 1.0))
    np.testing.assert_allclose(kl_divergence(mean, log_var), oracle, rtol=1e-12)


@pytest.mark.parametrize("noise", ["spherical", "diag"])
@pytest.mark.parametrize("hidden", [(), (6, 4)])
def test_with_the_exact_posterior_the_elbo_is_the_log_likelihood(noise, hidden):
    vae, likelihood, exact = linear_model(X, K, noise, hidden)
    np.testing.assert_allclose(mean_elbo(vae, likelihood, X), exact, atol=1e-10)


def test_beta_weighs_the_kl():
    vae, likelihood, _ = linear_model(X, K, "diag")
    noise = normal(len(X), K)
    kl = kl_divergence(*vae.encode(X)).sum(dim=1)
    full, decoded = elbo(vae, likelihood, X, noise)
    for beta in (0, 0.5, 2):
        bound, same = elbo(vae, likelihood, X, noise, beta)
        np.testing.assert_allclose(bound, full + (1 - beta) * kl, rtol=1e-12)
        assert torch.equal(same, decoded)


def test_without_noise_the_elbo_decodes_the_posterior_mean():
    vae, likelihood, _ = linear_model(X, K, "diag")
    bound, decoded = elbo(vae, likelihood, X, torch.zeros(len(X), K).double(), beta=0)
    assert torch.equal(decoded, vae.decode(vae.encode(X)[0]))
    np.testing.assert_allclose(bound, likelihood.log_prob(X, decoded).sum(dim=1))


def test_a_standard_normal_is_torchs():
    z = 3 * normal(30, K)
    oracle = Normal(0.0, 1.0).log_prob(z).sum(dim=1)
    np.testing.assert_allclose(standard_normal(z), oracle, rtol=1e-12)
