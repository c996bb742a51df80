"""The density of a fitted model: a mixture of parts, and its weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models import linear_density, network_of, normal, seeded
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from skvae._likelihoods.gaussian import Gaussian
from skvae._linear.anchor import fit_linear_vae
from skvae._model.coder import Coder, LinearCoder
from skvae._model.density import Density, stacking_weight
from skvae._model.parts import Part
from skvae._model.prior import StandardNormal
from skvae._model.rows import Rows
from skvae._numerics.draws import spread_normal

D, K = 5, 2
RANDOM = np.random.RandomState(0)
X = torch.from_numpy(RANDOM.normal(size=(50, D)) @ RANDOM.normal(size=(D, D)))
NOISE_VARIANCE = torch.linspace(0.5, 1.5, D).double()
LINEAR = fit_linear_vae(X, K, "spherical", 1e-6)
FALLBACK = fit_linear_vae(X[:30], K, "spherical", 1e-6)
READOUT = torch.from_numpy(RANDOM.normal(size=(K + 1, D)))


ONES = torch.ones(K).double()


def network_part():
    """Of a network that has left its linear VAE."""
    x_range = torch.stack([X.amin(dim=0), X.amax(dim=0)])
    z_range = torch.tensor([[-2.0, -3.0], [2.0, 1.0]]).double()
    coder = Coder(network_of(LINEAR), LINEAR, LINEAR, x_range, z_range, ONES)
    return Part(coder, Gaussian(NOISE_VARIANCE), StandardNormal(K))


def part_of(linear):
    coder = LinearCoder(linear)
    return Part(coder, Gaussian(linear.noise_variance), StandardNormal(K))


def make_density(weight=0.7):
    """Return that of a network and a linear VAE, or of the one that has all weight."""
    parts, weights = (network_part(), part_of(FALLBACK)), (weight, 1 - weight)
    kept = [i for i in range(2) if weights[i]]
    return Density(
        tuple(parts[i] for i in kept), tuple(weights[i] for i in kept), READOUT
    )


def test_its_first_part_encodes_and_decodes():
    density, first = make_density(), network_part()
    for found, expected in zip(density.encode(X), first.coder.encode(X), strict=True):
        assert torch.equal(found, expected)
    z = normal(9, K)
    assert torch.equal(density.mean(z), first.mean(z))
    assert density.n_components == K


def test_reconstruct_adds_the_readout_to_the_decoded_mean():
    density, z = make_density(), normal(9, K)
    readout = READOUT[0] + z @ READOUT[1:]
    found = density.reconstruct(z) - density.mean(z)
    np.testing.assert_allclose(found, readout, rtol=1e-9)


def test_changes_of_the_first_part_leave_the_other_and_the_original():
    density = make_density()
    likelihood = Gaussian(2 * NOISE_VARIANCE)
    changed = density.with_first(likelihood=likelihood)
    assert changed.parts[0].likelihood is likelihood
    assert changed.parts[0].coder is density.parts[0].coder
    assert changed.parts[1] is density.parts[1]
    assert (changed.weights, changed.readout) == (density.weights, density.readout)
    assert torch.equal(density.parts[0].likelihood.variance, NOISE_VARIANCE)


@pytest.mark.parametrize("weight", [1e-9, 0.3, 0.999, 1.0])
def test_density_is_the_mixture_of_the_two(weight):
    rows, part = (
        Rows(X, X),
        replace(network_part(), likelihood=Gaussian(NOISE_VARIANCE)),
    )
    found = make_density(weight).log_density(rows, 16)
    bound = part.log_density(rows, 16)
    both = [bound, linear_density(FALLBACK).logpdf(X)]
    expected = logsumexp(both, axis=0, b=[[weight], [1 - weight]])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_there_may_be_any_number_of_parts():
    linears = LINEAR, FALLBACK, LINEAR.with_noise(NOISE_VARIANCE)
    weights = 0.5, 0.2, 0.3
    density = Density(tuple(map(part_of, linears)), weights, READOUT)
    found = density.log_density(Rows(X, X), 16)
    each = [linear_density(linear).logpdf(X) for linear in linears]
    expected = logsumexp(each, axis=0, b=np.array(weights)[:, None])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_no_row_costs_more_than_the_linear_share():
    far = torch.cat([X, X * 1e3, X * 1e6])
    density = make_density(weight=0.99)
    found = density.log_density(Rows(far, far), 16).numpy()
    least = linear_density(FALLBACK).logpdf(far) + np.log(0.01)
    assert (found >= least - 1e-9 * abs(least)).all()


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_samples_come_from_both(weight):
    density, n = make_density(weight), 40_000
    drawn = density.sample(n, seeded()).numpy()
    decoded = network_part().coder.decode(spread_normal(2**16, K)).numpy()
    center = FALLBACK.decoder_bias.numpy()
    mean = weight * decoded.mean(axis=0) + (1 - weight) * center
    of_network = decoded.T @ decoded / len(decoded) + np.diag(NOISE_VARIANCE)
    of_linear = linear_density(FALLBACK).cov + np.outer(center, center)
    squares = weight * of_network + (1 - weight) * of_linear
    error = drawn.std(axis=0) / n**0.5
    np.testing.assert_array_less(abs(drawn.mean(axis=0) - mean), 5 * error)
    products = drawn[:, :, None] * drawn[:, None, :]
    error = products.std(axis=0) / n**0.5
    np.testing.assert_array_less(abs(products.mean(axis=0) - squares), 5 * error)


def test_samples_of_three_parts_have_their_shares():
    offsets, weights = (-1e3, 0.0, 1e3), (0.5, 0.2, 0.3)
    maps = [
        torch.cat([a + LINEAR.output_map[:1], LINEAR.output_map[1:]]) for a in offsets
    ]
    linears = [replace(LINEAR, output_map=output_map) for output_map in maps]
    density = Density(tuple(map(part_of, linears)), weights, READOUT)
    drawn, n = density.sample(20_000, seeded())[:, 0], 20_000
    for offset, weight in zip(offsets, weights, strict=True):
        share = float(((drawn - offset).abs() < 500).double().mean())
        assert share == pytest.approx(weight, abs=5 * (weight / n) ** 0.5)


# -------------------------------------------------------------------------- stacking


@pytest.mark.parametrize("n", [1, 10, 1000])
@pytest.mark.parametrize("gain", [-3.0, 0.0, 0.5, 40.0])
def test_stacking_weight_is_the_posterior_mode(n, gain):
    rng = np.random.default_rng(n)
    ours, other = rng.normal(gain, 2, n), rng.normal(0, 2, n)

    def objective(w):
        mixed = logsumexp([ours, other], axis=0, b=[[w], [1 - w]])
        return -(mixed.sum() + np.log(w) + np.log(1 - w))

    best = minimize_scalar(objective, bounds=(1e-9, 1 - 1e-9), method="bounded")
    found = stacking_weight(*map(torch.from_numpy, (ours, other)))
    assert type(found) is float
    assert objective(found) <= best.fun + 1e-3


def test_stacking_weight_of_densities_worlds_apart_is_finite():
    far = torch.tensor([-1e300, 1e300, 0.0], dtype=torch.float64)
    assert 0.3 < stacking_weight(far, torch.zeros(3).double()) < 0.7
    ahead, even = torch.full((8,), 1e300, dtype=torch.float64), torch.zeros(8).double()
    assert stacking_weight(ahead, even) == pytest.approx(0.9)
