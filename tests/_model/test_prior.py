"""The fitted prior: its density and draws, and what it is fitted to."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.datasets import make_blobs
from sklearn.mixture import GaussianMixture

from skvae._model.bounds import standard_normal
from skvae._model.prior import (
    FAR_SHARE,
    RIDGE,
    NormalMixture,
    StandardNormal,
    fit_mixture,
    likeliest_mixture,
)

K = 3
RANDOM = np.random.RandomState(0)


def generator():
    return torch.Generator().manual_seed(0)


def some_mixture(size=4):
    roots = RANDOM.normal(size=(size, K, K))
    covariances = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(K)
    weights = RANDOM.dirichlet(np.ones(size))
    arrays = weights, RANDOM.normal(size=(size, K)), covariances
    return NormalMixture(*map(torch.from_numpy, arrays))


def blobs(n, centers=3):
    z, _ = make_blobs(n, K, centers=centers, cluster_std=0.5, random_state=0)
    return torch.from_numpy(z)


def test_log_prob_is_scipys():
    mixture, z = some_mixture(), RANDOM.normal(size=(50, K)) * 3
    parts = mixture.weights, mixture.means, mixture.covariances
    parts = [part.numpy() for part in parts]
    each = [
        np.log(w) + multivariate_normal(m, c).logpdf(z)
        for w, m, c in zip(*parts, strict=True)
    ]
    found = mixture.log_prob(torch.from_numpy(z))
    np.testing.assert_allclose(found, logsumexp(each, axis=0), rtol=1e-9)


@pytest.mark.parametrize("prior", [some_mixture(), StandardNormal(K)])
def test_spread_rows_have_the_moments_of_draws_the_same_each_time(prior):
    spread, drawn = prior.spread(2**12), prior.sample(2**18, generator())
    assert torch.equal(prior.spread(2**12), spread)
    gap, std = spread.mean(dim=0) - drawn.mean(dim=0), drawn.std(dim=0)
    np.testing.assert_allclose(gap / std, 0, atol=0.01)
    np.testing.assert_allclose(torch.cov(spread.T), torch.cov(drawn.T), atol=0.1)


def test_samples_have_the_mixtures_moments():
    mixture, n = some_mixture(), 100_000
    z = mixture.sample(n, generator()).numpy()
    weights, means = mixture.weights.numpy(), mixture.means.numpy()
    second = mixture.covariances.numpy() + means[:, :, None] * means[:, None, :]
    products = z[:, :, None] * z[:, None, :]
    for found, expected in (
        (z, weights @ means),
        (products, np.tensordot(weights, second, 1)),
    ):
        error = abs(found.mean(axis=0) - expected)
        assert (error < 5 * found.std(axis=0) / n**0.5).all()


def test_one_component_is_the_normal_of_the_rows():
    z = torch.from_numpy(RANDOM.normal(size=(40, K)) @ RANDOM.normal(size=(K, K)))
    mixture = fit_mixture(z, 1, generator())
    expected = np.cov(z.T.numpy(), bias=True) + RIDGE * np.eye(K)
    np.testing.assert_allclose(mixture.means[0], z.mean(dim=0), atol=1e-12)
    np.testing.assert_allclose(mixture.covariances[0], expected, atol=1e-12)
    np.testing.assert_allclose(mixture.weights, [1 - FAR_SHARE, FAR_SHARE])


def test_it_finds_what_scikit_learns_mixture_finds():
    z, new = blobs(3_000).split(2_000)
    found = fit_mixture(z, 3, generator())
    oracle = GaussianMixture(3, random_state=0).fit(z.numpy())
    order = found.means[:3, 0].argsort()
    np.testing.assert_allclose(
        found.means[order], oracle.means_[oracle.means_[:, 0].argsort()], atol=0.01
    )
    gap = found.log_prob(new).numpy() - oracle.score_samples(new.numpy())
    assert abs(gap.mean() - np.log(1 - FAR_SHARE)) < 0.01


def test_more_components_fit_more_closely():
    z = blobs(500, centers=8)
    sizes = 1, 2, 4, 8
    scores = [fit_mixture(z, m, generator()).log_prob(z).mean() for m in sizes]
    assert scores == sorted(scores)


@pytest.mark.parametrize("centers", [1, 3, 16])
def test_validation_rows_choose_the_size(centers):
    z, validation = blobs(2_000, centers).split(1_500)
    size = len(likeliest_mixture(z, validation, generator()).weights) - 1
    assert centers <= size <= 2 * centers


@pytest.mark.parametrize("size", [1, 2, 8])
@pytest.mark.parametrize("n_different", [1, 2])
def test_repeated_rows_leave_a_density(size, n_different):
    z = torch.from_numpy(RANDOM.normal(size=(n_different, K))).repeat(20, 1)
    assert fit_mixture(z, size, generator()).log_prob(z).isfinite().all()


def test_a_far_row_costs_little_more_than_under_a_standard_normal():
    z, far = blobs(500), torch.full((1, K), 30.0, dtype=torch.float64)
    found = fit_mixture(z * 0.01, 8, generator()).log_prob(far)
    assert found >= standard_normal(far) + np.log(FAR_SHARE) - 1e-9


# ----------------------------------------------------------------- before any is fitted


def test_without_a_mixture_it_is_the_standard_normal():
    prior, n = StandardNormal(K), 20_000
    z = prior.sample(n, generator())
    assert (z.shape, z.dtype) == ((n, K), torch.float64)
    assert torch.equal(z, prior.sample(n, generator()))
    np.testing.assert_allclose(z.mean(dim=0), 0, atol=5 / n**0.5)
    np.testing.assert_allclose(np.cov(z.T), np.eye(K), atol=8 / n**0.5)
    np.testing.assert_allclose(
        prior.log_prob(z), multivariate_normal(np.zeros(K)).logpdf(z), rtol=1e-9
    )
    assert (prior.is_fitted, prior.arguments()) == (False, ())


def test_a_mixture_is_made_again_of_its_arguments():
    mixture, z = some_mixture(), torch.from_numpy(RANDOM.normal(size=(50, K)))
    arguments = mixture.arguments()
    assert all(type(argument) is np.ndarray for argument in arguments)
    again = NormalMixture(*map(torch.from_numpy, arguments))
    assert torch.equal(again.log_prob(z), mixture.log_prob(z))
    assert mixture.is_fitted
