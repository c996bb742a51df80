"""Bounds by draws of encoder and prior, against very many draws of the prior."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models import mixed_rows, normal, seeded

from skvae._likelihoods.dispersion import Dispersion
from skvae._likelihoods.gaussian import Gaussian
from skvae._likelihoods.mixed import make_likelihood
from skvae._linear.vae import LinearVAE
from skvae._map.decoder import Features, MapDecoder
from skvae._map.look_up import LookUp
from skvae._model.bounds import importance_weighted_bound
from skvae._model.map_coder import MapCoder
from skvae._model.mixture_bound import mixture_bound
from skvae._model.parts import FIRST_DRAWS, Part
from skvae._model.prior import NormalMixture
from skvae._model.rows import Rows
from skvae._numerics.draws import spread_normal

D, K = 4, 2
DRAWS = spread_normal(128, K)


def zeros(*shape):
    return torch.zeros(*shape, dtype=torch.float64, device="cpu")


def make_coder(x, n_numeric, information=2.0):
    """Return a map that has rows at places that do not go with its decoder."""
    d = x.shape[1]
    decoder, bias = normal(K, d, seed=7), zeros(d)
    filler = LinearVAE(
        encoder=normal(d, K, seed=9) / 10,
        encoder_bias=zeros(K),
        log_var=zeros(K) - 1,
        decoder=decoder,
        decoder_bias=bias,
        noise_variance=zeros(d) + 1,
        output_map=torch.cat([bias[None], decoder]),
    )
    features = Features.draw(K, (6,), "silu", seeded())
    return MapCoder(
        LookUp.of(x.nan_to_num(0.0), normal(len(x), K, seed=1)),
        MapDecoder(features, 0.5 * normal(6 + K + 1, d, seed=2)),
        filler,
        torch.stack([zeros(K) - 2, zeros(K) + 2]),
        zeros(d) + information,
        n_numeric,
    )


def make_part(information=2.0, noise=1.0):
    means = torch.stack([zeros(K) + 1, zeros(K) - 1])
    factors = torch.tensor([0.5, 1.0]).double()[:, None, None] * torch.eye(K).double()
    prior = NormalMixture(torch.tensor([0.4, 0.6]).double(), means, factors)
    dispersion = Dispersion(0.2 * normal(2 * K + 1, D, seed=5), 1.0)
    likelihood = Gaussian(zeros(D) + noise).with_noise(zeros(D) + noise, dispersion)
    return Part(make_coder(normal(30, D, seed=3), D, information), likelihood, prior)


def drawn(n=30, missing=0.0):
    """Return rows of the model, of whose places the map knows nothing."""
    x = make_part().sample(n, seeded(3))
    hidden = torch.rand(n, D, generator=seeded(4), dtype=torch.float64) < missing
    return x.masked_fill(hidden, torch.nan)


def by_the_prior(part, observed, n=40_000):
    """What log p(x) is, by so many draws of the prior."""
    z = part.prior.sample(n, seeded(8))
    decoded = part.coder.decode(z)[:, None].expand(-1, len(observed), -1)
    given = part.likelihood.given(z[:, None])
    return given.log_prob(observed, decoded).sum(dim=2).logsumexp(dim=0) - np.log(n)


def bound_of(part, x, observed=None):
    rows = Rows(x.nan_to_num(0.0), x if observed is None else observed)
    return mixture_bound(part, rows, DRAWS, FIRST_DRAWS)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_bound_is_near_log_p(missing):
    part, x = make_part(), drawn(missing=missing)
    gaps = bound_of(part, x) - by_the_prior(part, x)
    assert gaps.abs().max() < 0.5
    assert gaps.abs().mean() < 0.1
    assert gaps.exp().mean() == pytest.approx(1, abs=0.05)


def test_intervals_have_their_log_mass():
    part, x = make_part(), drawn()
    intervals = torch.stack([x - 0.1, x + 0.2], dim=1)
    gaps = bound_of(part, x, intervals) - by_the_prior(part, intervals, 20_000)
    assert gaps.abs().mean() < 0.1


def test_an_encoder_that_misses_the_posterior_costs_little():
    """It is sure of the wrong places, as a map of a row between two groups."""
    x, part = drawn(), make_part(information=1e4)
    gaps = bound_of(part, x) - by_the_prior(part, x)
    assert gaps.abs().max() < 0.5
    rows = Rows(x, x)
    own = importance_weighted_bound(
        part.coder, part.likelihood, x, DRAWS, part.prior.log_prob
    )
    assert (own - by_the_prior(part, x)).abs().mean() > 1
    assert torch.equal(part.log_density(rows, DRAWS), bound_of(part, x))


def test_categories_have_their_log_mass():
    layout, x = mixed_rows(30)
    likelihood = make_likelihood(layout, zeros(layout.n_numeric) + 1)
    coder = make_coder(x, layout.n_numeric)
    part = replace(make_part(), coder=coder, likelihood=likelihood)
    gaps = bound_of(part, x) - by_the_prior(part, x, 10_000)
    assert gaps.abs().mean() < 0.1


@pytest.mark.parametrize("size", [1, 7])
def test_no_row_depends_on_its_neighbours(size):
    part, x = make_part(), drawn(missing=0.3)
    parts = [bound_of(part, some) for some in x.split(size)]
    np.testing.assert_allclose(torch.cat(parts), bound_of(part, x), rtol=1e-12)


def test_a_row_that_is_known_well_enough_gets_no_more_draws():
    part, x, asked = make_part(), drawn(), []
    decode = MapCoder.decode

    class Counting(MapCoder):
        def decode(self, z):
            asked.append(len(z))
            return decode(self, z)

    coder = Counting(**vars(part.coder))
    rows = Rows(x, x)
    mixture_bound(replace(part, coder=coder), rows, DRAWS, FIRST_DRAWS, tol=1e9)
    assert asked == [16] * 16 + [16 * len(x)]
