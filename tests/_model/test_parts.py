"""The parts of a density: exact where they are linear, by draws of z where not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import with_missing
from models import linear_density, mixed_rows, network_of, normal, seeded
from scipy.stats import norm

from skvae._fitting.logits import with_logits
from skvae._likelihoods.dispersion import Dispersion
from skvae._likelihoods.gaussian import Gaussian
from skvae._likelihoods.mixed import make_likelihood
from skvae._linear.anchor import fit_linear_vae
from skvae._model.coder import Coder, LinearCoder
from skvae._model.importance import Draws, Proposal, importance_weighted_bound
from skvae._model.parts import PRIORS, Part, linear_part
from skvae._model.prior import NormalMixture, StandardNormal
from skvae._model.rows import Rows
from skvae._numerics.draws import spread_normal

D, K = 5, 2
X = normal(40, D) @ normal(D, D, seed=1)
INCOMPLETE = torch.from_numpy(with_missing(X.numpy(), 0.3))
LINEAR = fit_linear_vae(X, K, "spherical", 1e-6)
LINEAR = LINEAR.with_noise(torch.linspace(0.5, 1.5, D).double())
EVERYWHERE = torch.tensor([[-torch.inf], [torch.inf]]).double()
INTERVALS = torch.stack([X - 0.1, X + 0.2], dim=1)


def linear_vae_part():
    return Part(LinearCoder(LINEAR), Gaussian(LINEAR.noise_variance), StandardNormal(K))


def network_part(hidden=(6,), spoilt=0.1):
    network = network_of(LINEAR, hidden, spoilt)
    ranges = EVERYWHERE.expand(2, D), EVERYWHERE.expand(2, K)
    coder = Coder(network, LINEAR, LINEAR, *ranges, torch.ones(K).double())
    return Part(coder, Gaussian(LINEAR.noise_variance), StandardNormal(K))


def mixture(k=K):
    means = torch.stack([torch.ones(k), -torch.ones(k)]).double()
    return NormalMixture(
        torch.tensor([0.4, 0.6]).double(), means, torch.eye(k).double().expand(2, k, k)
    )


def dispersion(d=D, size=0.3):
    return Dispersion(size * normal(2 * K + 1, d, seed=5), 1.0)


def marginals(linear, x):
    """By scipy: the log-density of what is observed of each row."""
    found = []
    for row in x.numpy():
        o = np.flatnonzero(~np.isnan(row))
        part = replace(
            linear,
            decoder=linear.decoder[:, o],
            decoder_bias=linear.decoder_bias[o],
            noise_variance=linear.noise_variance[o],
        )
        found.append(linear_density(part).logpdf(row[o]) if len(o) else 0.0)
    return np.array(found)


# ------------------------------------------------------------------------------- exact


@pytest.mark.parametrize("x", [X, INCOMPLETE])
def test_a_linear_vae_needs_no_draws(x):
    part = linear_vae_part()
    found = part.log_density(Rows(x, x), n_draws=0)
    np.testing.assert_allclose(found, marginals(LINEAR, x), rtol=1e-9)


@pytest.mark.parametrize(
    ("changes", "is_linear"),
    [
        ({}, True),
        ({"prior": mixture()}, False),
        ({"likelihood": Gaussian(LINEAR.noise_variance, dispersion())}, False),
    ],
)
def test_it_is_linear_without_a_fitted_prior_and_with_one_noise(changes, is_linear):
    part = replace(linear_vae_part(), **changes)
    found = part.as_linear(Rows(X, X))
    assert (found is not None) == is_linear
    if is_linear:
        np.testing.assert_allclose(found.noise_variance, part.likelihood.variance)
        assert part.as_linear(Rows(X, INTERVALS)) is None


def test_a_network_with_hidden_layers_is_not_linear():
    assert network_part().as_linear(Rows(X, X)) is None


def test_with_indicators_it_is_not_linear():
    layout, x = mixed_rows()
    linear = with_logits(fit_linear_vae(x, K, "spherical", 1e-6, 3), x, layout)
    assert linear_part(linear, layout).as_linear(Rows(x, x)) is None


def test_with_another_noise_it_is_exact_too():
    """By draws of z, wherever they come from, it has the same density."""
    variance = torch.linspace(1.0, 2.0, D).double()
    part = replace(linear_vae_part(), likelihood=Gaussian(variance))
    linear = part.as_linear(Rows(X, X))
    mean, log_var = part.coder.encode(X)
    proposal = Proposal.independent(part.prior, mean, log_var + 1)
    normals = spread_normal(2**14, K)
    own, _ = part.weigh(X, proposal, Draws(normals, normals[:0]))
    log_weights = own.log_weights
    found = log_weights.logsumexp(dim=0) - np.log(2**14)
    np.testing.assert_allclose(linear.log_density(X), found, atol=0.05)
    assert (linear.log_density(X) - LINEAR.log_density(X)).abs().max() > 0.3


# ---------------------------------------------------------------------------- by draws


@pytest.mark.parametrize("is_fitted", [False, True])
@pytest.mark.parametrize("told", [X, INTERVALS])
def test_a_network_is_judged_by_draws_of_its_posteriors(told, is_fitted):
    part = network_part()
    if is_fitted:
        part = replace(part, prior=mixture())
    rows = Rows(X, told)
    draws = Draws(spread_normal(64, K), part.prior.spread(PRIORS * 64))
    given = part.coder, part.likelihood, told, part.propose(rows), draws
    expected = importance_weighted_bound(*given, n_first=16)
    assert torch.equal(part.log_density(rows, 64), expected)
    of_standard = replace(part, prior=StandardNormal(K)).log_density(rows, 64)
    assert torch.equal(of_standard, expected) != is_fitted


@pytest.mark.parametrize(
    "changes",
    [
        {"prior": mixture()},
        {"likelihood": Gaussian(LINEAR.noise_variance, dispersion())},
    ],
)
def test_a_bent_linear_vae_is_judged_by_draws(changes):
    """Against an integral over a grid of z."""
    part = replace(linear_vae_part(), **changes)
    axis = torch.linspace(-8, 8, 321).double()
    z = torch.cartesian_prod(axis, axis)
    decoded = LINEAR.decode(z)
    std = part.likelihood.given(z).variance.sqrt().expand_as(decoded)
    prior = part.prior.log_prob(z) + 2 * (axis[1] - axis[0]).log()
    exact = [
        torch.from_numpy(norm.logpdf(row, decoded, std)).sum(dim=1).add(prior)
        for row in X.numpy()
    ]
    exact = torch.stack(exact).logsumexp(dim=1)
    found = part.log_density(Rows(X, X), 512)
    np.testing.assert_allclose(found, exact, atol=0.1)
    linear = LINEAR.log_density(X)
    assert (linear - exact).abs().max() > 0.5  # not the linear VAE's


def test_intervals_have_the_mass_between_their_ends():
    part = linear_vae_part()
    width = 0.02
    narrow = torch.stack([X - width / 2, X + width / 2], dim=1)
    found = part.log_density(Rows(X, narrow), 512)
    expected = marginals(LINEAR, X) + D * np.log(width)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_draws_are_weighed_wherever_they_come_from():
    part = network_part()
    mean, log_var = normal(40, K, seed=3), 0.5 * normal(40, K, seed=4)
    proposal = Proposal.independent(part.prior, mean, log_var)
    draws = Draws(spread_normal(1024, K), part.prior.spread(256))
    own, shared = part.weigh(X, proposal, draws)
    for of in own, shared:
        np.testing.assert_allclose(of.decoded[5], part.coder.decode(of.z[5]), rtol=1e-9)
    log_weights = torch.cat([own.log_weights, shared.log_weights])
    found = log_weights.logsumexp(dim=0) - np.log(1280)
    expected = part.log_density(Rows(X, X), 512)
    assert (found - expected).abs().median() < 0.1


# ------------------------------------------------------------------------ mean, samples


def test_the_mean_is_that_of_the_likelihood():
    layout, x = mixed_rows()
    linear = with_logits(fit_linear_vae(x, K, "spherical", 1e-6, 3), x, layout)
    part, z = linear_part(linear, layout), normal(9, K)
    expected = part.likelihood.mean(part.coder.decode(z))
    assert torch.equal(part.mean(z), expected)
    of_numeric = network_part()
    assert torch.equal(of_numeric.mean(z), of_numeric.coder.decode(z))
    shares = part.mean(z)[:, layout.n_numeric :]
    assert (shares - part.coder.decode(z)[:, layout.n_numeric :]).abs().max() > 0.1


@pytest.mark.parametrize("prior", [StandardNormal(K), mixture()])
def test_samples_are_of_the_prior_decoded_with_the_noise_at_their_z(prior):
    likelihood = Gaussian(LINEAR.noise_variance, dispersion())
    part, n = replace(network_part(), prior=prior, likelihood=likelihood), 40_000
    drawn = part.sample(n, seeded())
    z = prior.sample(200_000, seeded(1))
    decoded, variance = part.coder.decode(z), likelihood.given(z).variance
    mean = decoded.mean(dim=0)
    squares = torch.cov(decoded.T) + torch.diag(variance.mean(dim=0))
    error = drawn.std(dim=0) / n**0.5
    assert ((drawn.mean(dim=0) - mean).abs() < 6 * error).all()
    deviations = drawn - mean
    products = deviations[:, :, None] * deviations[:, None, :]
    error = products.std(dim=0) / n**0.5
    assert ((products.mean(dim=0) - squares).abs() < 6 * error).all()


def test_samples_of_a_mixed_table_are_categories():
    layout, x = mixed_rows(400)
    linear = with_logits(fit_linear_vae(x, K, "spherical", 1e-6, 3), x, layout)
    part = linear_part(linear, layout)
    drawn = part.sample(2_000, seeded())
    indicators = make_likelihood(layout, linear.noise_variance).blocks[1:]
    start = layout.n_numeric
    for block in indicators:
        found = drawn[:, start : start + len(block.center)]
        found = found * block.spread + block.center
        start += len(block.center)
        np.testing.assert_allclose(found, found.round(), atol=1e-9)
        np.testing.assert_allclose(found.mean(dim=0), block.center, atol=0.06)
