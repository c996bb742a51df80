"""Imputation: against the conditionals of the linear model and of the density."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import bow, draw_factor_model, with_missing
from models import linear_density, mixed_rows, network_of, seeded

from skvae import VAETransformer
from skvae._fitting.logits import with_logits
from skvae._layout import numeric_layout
from skvae._likelihoods.gaussian import Gaussian
from skvae._linear.anchor import fit_linear_vae
from skvae._model.coder import Coder
from skvae._model.density import Density
from skvae._model.imputation import Imputation, _WeightedMean
from skvae._model.parts import Part, linear_part
from skvae._model.prior import NormalMixture, StandardNormal
from skvae._model.rows import Rows

NOISES = ["spherical", "diag"]
LINEAR = {"n_components": 2, "hidden_layer_sizes": ()}


def exact_conditionals(vae, row):
    """Return shares, means and covariances of the normals that missing entries are of.

    In the units of X; one for each linear VAE of the density.
    """
    o, h = ~np.isnan(row), np.isnan(row)
    scaled = torch.from_numpy((row - vae.mean_) / vae.scale_)[None]
    network, fallback = vae._density.parts
    noise = network.likelihood.variance
    parts = replace(network.coder.linear, noise_variance=noise), fallback.coder.linear
    shares = np.array([vae.network_weight_, 1 - vae.network_weight_])
    means, covariances = [], []
    for i, linear in enumerate(parts):
        shares[i] *= np.exp(float(linear.log_density(scaled)))
        means.append((linear.fill(scaled)[0].numpy() * vae.scale_ + vae.mean_)[h])
        cov = linear_density(linear).cov * np.outer(vae.scale_, vae.scale_)
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


# --------------------------------------------------------------------- of any density

D, K = 5, 1
X = torch.from_numpy(draw_factor_model(200, D, K))
INCOMPLETE = torch.from_numpy(with_missing(X[:40].numpy(), 0.4))
INCOMPLETE[0] = torch.nan
FITS = [fit_linear_vae(X[rows], K, "diag", 1e-3) for rows in (slice(150), slice(60))]


def mixture_of(*parts):
    weights = [1.0] if len(parts) == 1 else [0.6, 0.3, 0.1][: len(parts)]
    weights[-1] += 1 - sum(weights)
    d = parts[0].coder.decode(torch.zeros(1, K).double()).shape[1]
    return Density(parts, tuple(weights), torch.zeros(K + 1, d).double())


def network_part(prior=None):
    """Of a network that is bent within the range of its rows, and linear beyond."""
    linear = FITS[0]
    x_range = torch.stack([X.amin(dim=0), X.amax(dim=0)])
    z_range = torch.tensor([[-4.0], [4.0]]).double()
    network, ones = network_of(linear, (8,), 0.2), torch.ones(1).double()
    coder = Coder(network, linear, linear, x_range, z_range, ones)
    likelihood = Gaussian(linear.noise_variance)
    return Part(coder, likelihood, prior or StandardNormal(K))


def linear_parts():
    return [linear_part(linear, numeric_layout(D)) for linear in FITS]


def prior():
    variances = torch.tensor([[[0.3]], [[0.5]]]).double()
    means = torch.tensor([[-1.0], [0.8]]).double()
    return NormalMixture(torch.tensor([0.3, 0.7]).double(), means, variances)


def by_integration(density, observed):
    """Return the posterior shares of a fine grid of z of all parts, and what they mean.

    (n, n_parts * n_grid), (n_parts * n_grid, d)
    """
    z = torch.linspace(-9, 9, 1801).double()[:, None]
    log_joint, means = [], []
    for part, weight in zip(density.parts, density.weights, strict=True):
        decoded = part.coder.decode(z)
        each = part.likelihood.given(z[:, None]).log_prob(observed, decoded[:, None])
        of_part = each.sum(dim=2).T + part.prior.log_prob(z) + np.log(weight)
        log_joint.append(of_part)
        means.append(part.mean(z))
    return torch.cat(log_joint, dim=1).softmax(dim=1), torch.cat(means)


DENSITIES = {
    "network": lambda: mixture_of(network_part()),
    "network and linear": lambda: mixture_of(network_part(), *linear_parts()),
    "fitted prior": lambda: mixture_of(network_part(prior()), linear_parts()[1]),
    "linear": lambda: mixture_of(*linear_parts()),
}


@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.parametrize("are_intervals", [False, True])
def test_expected_entries_are_those_of_an_integral_over_z(name, are_intervals):
    density, observed = DENSITIES[name](), INCOMPLETE
    if are_intervals:
        observed = torch.stack([INCOMPLETE - 0.3, INCOMPLETE + 0.1], dim=1)
    found = Imputation(density).expected(Rows(INCOMPLETE, observed))
    shares, means = by_integration(density, observed)
    missing = INCOMPLETE.isnan()
    error = ((found - shares @ means) / X.std(dim=0))[missing]
    assert error.square().mean().sqrt() < 0.08
    if name == "linear" and not are_intervals:
        assert error.abs().max() < 1e-6


def test_expected_entries_of_linear_parts_are_exact_where_others_are_not():
    density = mixture_of(network_part(), *linear_parts())
    only = replace(density, weights=(1e-12, 0.7, 0.3))
    rows = Rows(INCOMPLETE, INCOMPLETE)
    found = Imputation(only).expected(rows)
    shares, means = by_integration(only, INCOMPLETE)
    error = ((found - shares @ means) / X.std(dim=0))[INCOMPLETE.isnan()]
    assert error.abs().max() < 1e-6


def test_draws_are_of_all_parts_each_with_its_share_and_its_noise():
    """A linear VAE far off draws a row as often as it is responsible for it."""
    far = FITS[1]
    shift = torch.tensor([0.0, 0, 0, 500, 0]).double()  # of a column that is missing
    noise = far.noise_variance * torch.tensor([1.0, 1, 1, 100, 1]).double()
    output_map = torch.cat([far.output_map[:1] + shift, far.output_map[1:]])
    far = linear_part(replace(far, output_map=output_map), numeric_layout(D))
    density = mixture_of(network_part(), replace(far, likelihood=Gaussian(noise)))
    row = X[:1].clone()
    row[0, 3] = torch.nan
    drawn = Imputation(density).draws(Rows(row, row), 20_000, seeded())[0]
    assert drawn.shape == (20_000, D)
    shares, _ = by_integration(density, row)
    share = float((drawn[:, 3] > 250).double().mean())
    assert share == pytest.approx(float(shares[0, 1801:].sum()), abs=0.06)
    assert 0.02 < share < 0.98
    for part, is_its in zip(density.parts, (drawn < 250, drawn > 250), strict=True):
        std = drawn[is_its[:, 3], 3].std()
        assert 0.98 <= std / part.likelihood.variance[3].sqrt() < 2


def test_draws_of_one_seed_are_the_same():
    imputation = Imputation(mixture_of(network_part(), linear_parts()[1]))
    rows = Rows(INCOMPLETE, INCOMPLETE)
    first, same, other = (imputation.draws(rows, 3, seeded(i)) for i in (0, 0, 1))
    assert first.shape == (40, 3, D)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_how_many_draws_a_row_gets_is_up_to_the_row():
    imputation = Imputation(mixture_of(network_part(), linear_parts()[1]))
    rows = Rows(INCOMPLETE, INCOMPLETE)
    together = imputation.expected(rows)
    alone = [imputation.expected(rows[i : i + 1]) for i in range(len(rows))]
    np.testing.assert_allclose(together, torch.cat(alone), rtol=1e-9, atol=1e-9)


def test_indicators_that_are_missing_have_the_mean_of_their_probabilities():
    layout, x = mixed_rows(300)
    linear = with_logits(fit_linear_vae(x, K, "spherical", 1e-3, 3), x, layout)
    density = mixture_of(linear_part(linear, layout))
    incomplete = mixed_rows(300, missing=0.4)[1][:40]
    found = Imputation(density).expected(Rows(incomplete, incomplete))
    shares, means = by_integration(density, incomplete)
    error = (found - shares @ means)[incomplete.isnan()]
    assert error.square().mean().sqrt() < 0.03


def test_draws_alike_are_counted_whatever_comes_first():
    rows, generator = torch.arange(1), torch.Generator().manual_seed(0)
    log_weights = 3 * torch.randn(32, 1, generator=generator, dtype=torch.float64)
    log_weights = log_weights.sort(dim=0).values  # the scale grows on the way
    average = _WeightedMean(torch.zeros(1, 2, dtype=torch.float64))
    for some in log_weights.split(4):
        values = torch.zeros(len(some), 1, 2, dtype=torch.float64)
        average.add(rows, [some], [values])
    weights = log_weights.exp()
    expected = weights.sum() ** 2 / weights.square().sum()
    assert float(average.n_alike()[0]) == pytest.approx(float(expected))
