"""The map between a table's scores and a part's own, and shares of categories."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models import network_of, normal, seeded
from scipy.stats import kstest, norm

from skvae._likelihoods.categorical import Bernoulli, Categorical
from skvae._likelihoods.dispersion import Dispersion
from skvae._likelihoods.gaussian import Gaussian
from skvae._likelihoods.mixed import Mixed
from skvae._likelihoods.ordinal import Ordinal
from skvae._linear.anchor import fit_linear_vae
from skvae._model.coder import Coder, LinearCoder
from skvae._model.importance import Draws, Proposal
from skvae._model.margins import OWN, Margins, match_quantiles, match_shares
from skvae._model.parts import Part
from skvae._model.prior import NormalMixture, StandardNormal
from skvae._model.rows import Rows
from skvae._numerics.draws import spread_normal

D, K = 3, 1
X = normal(60, D) @ normal(D, D, seed=1)
LINEAR = fit_linear_vae(X, K, "diag", 1e-6)
NOISE = torch.tensor([0.02, 0.1, 0.5], dtype=torch.float64)


def linear_part():
    return Part(LinearCoder(LINEAR), Gaussian(NOISE), StandardNormal(K))


def bent_part():
    """Of a network, its z in two clusters, its noise larger in one of them."""
    ranges = torch.tensor([[-torch.inf], [torch.inf]]).double()
    network, ones = network_of(LINEAR, (6,), 0.3), torch.ones(K).double()
    coder = Coder(network, LINEAR, LINEAR, ranges.expand(2, D), ranges, ones)
    dispersion = Dispersion(0.5 * normal(2 * K + 1, D, seed=5), 1.0)
    means = torch.tensor([[-1.5], [1.0]]).double()
    covariances = torch.tensor([[[0.2]], [[0.4]]]).double()
    prior = NormalMixture(torch.tensor([0.3, 0.7]).double(), means, covariances)
    return Part(coder, Gaussian(NOISE, dispersion), prior)


PARTS = {"linear": linear_part, "bent": bent_part}
each_part = pytest.mark.parametrize("part", [of() for of in PARTS.values()], ids=PARTS)


@each_part
def test_columns_that_a_part_draws_are_standard_normal(part):
    matched = match_quantiles(part, D)
    drawn = matched.sample(40_000, seeded()).numpy()
    for column, before in zip(drawn.T, part.sample(40_000, seeded()).T, strict=True):
        assert kstest(column, norm.cdf).statistic < 0.01  # chance: .007 of 95 %
        assert kstest(before.numpy(), norm.cdf).statistic > 0.05
        for tail in 2, 3:
            expected = 40_000 * norm.sf(tail)
            for found in (column > tail).sum(), (column < -tail).sum():
                assert abs(found - expected) < 4 * expected**0.5
    # The order of rows is the part's, and so is the dependence of columns.
    ranks = [x.argsort(axis=0) for x in (drawn, part.sample(40_000, seeded()).numpy())]
    np.testing.assert_array_equal(*ranks)


def masses(part, told):
    """Densities, or masses of intervals, by draws of z from a wide normal."""
    rows, log_slope = part.margins.of_part(
        Rows(told if told.ndim == 2 else told[:, 0], told)
    )
    mean = torch.zeros(len(told), K).double()
    log_var, normals = torch.full_like(mean, np.log(4)), spread_normal(2**13, K)
    proposal = Proposal.independent(part.prior, mean, log_var)
    draws = Draws(normals, normals[:0])
    log_weights = part.weigh(rows.observed, proposal, draws)[0].log_weights
    return (log_weights.logsumexp(dim=0) - np.log(2**13) + log_slope).exp()


@each_part
def test_the_density_of_a_column_is_that_of_a_standard_normal(part):
    part = match_quantiles(part, D)
    t = torch.linspace(-6, 6, 401).double()
    for j in range(D):
        told = torch.full((len(t), D), torch.nan).double()
        told[:, j] = t
        density = masses(part, told)
        below = torch.cumulative_trapezoid(density, t)
        np.testing.assert_allclose(below, norm.cdf(t[1:]), atol=0.01)


@each_part
def test_intervals_have_the_mass_of_a_standard_normal(part):
    part = match_quantiles(part, D)
    cuts = torch.tensor([-8, -1.3, -0.2, 0.1, 2.2, 8]).double()
    for j in range(D):
        told = torch.full((len(cuts) - 1, 2, D), torch.nan).double()
        told[:, 0, j], told[:, 1, j] = cuts[:-1], cuts[1:]
        mass = masses(part, told)
        np.testing.assert_allclose(mass, np.diff(norm.cdf(cuts)), atol=0.003)


def test_a_linear_part_is_exact_in_its_own_scores():
    part = match_quantiles(replace(linear_part(), likelihood=Gaussian(NOISE)), D)
    x = normal(20, D, seed=7)
    moved, log_slope = part.margins.of_part(Rows(x, x))
    expected = part._linear.log_density(moved.x) + log_slope
    found = part.log_density(Rows(x, x), n_draws=0)
    assert torch.equal(found, expected)
    np.testing.assert_allclose(found.exp(), masses(part, x), rtol=0.02)


def test_a_map_goes_there_and_back_and_on_along_a_line():
    margins = match_quantiles(bent_part(), D).margins
    x = torch.cat([3 * normal(50, D), torch.tensor([[9.0, -9.0, torch.nan]])])
    rows, log_slope = margins.of_part(Rows(x, x))
    np.testing.assert_allclose(margins.of_table(rows.x), x, atol=1e-9)
    assert torch.equal(rows.x, rows.observed) or rows.x.isnan().any()
    step = 1e-6
    ahead, _ = margins.of_part(Rows(x + step, x + step))
    slope = ((ahead.x - rows.x) / step).log().nansum(dim=1)
    np.testing.assert_allclose(log_slope, slope, atol=1e-4)
    far = torch.tensor([[6.0], [7.0], [50.0]]).double().expand(3, D)
    moved, _ = margins.of_part(Rows(far, far))
    steps = moved.x.diff(dim=0) / far.diff(dim=0)
    np.testing.assert_allclose(steps[0], steps[1])


def test_only_entries_that_are_known_exactly_have_a_slope():
    knots = torch.tensor([-1.0, 1.0]).double()
    margins = Margins(knots, torch.tensor([[-2.0], [2.0]]).double())
    x = torch.tensor([[0.3, 5.0]]).double()
    wide = torch.stack([x, x + torch.tensor([0.1, 0.0])], dim=1)
    for observed, expected in ((x, np.log(2)), (wide, 0.0)):
        rows, log_slope = margins.of_part(Rows(x, observed))
        assert float(log_slope) == pytest.approx(expected)
        np.testing.assert_allclose(rows.x, [[0.6, 5.0]], rtol=1e-6)  # 5 is no number
    np.testing.assert_allclose(rows.observed, [[[0.6, 5.0], [0.8, 5.0]]], rtol=1e-6)


def test_without_a_map_rows_are_what_they_were():
    rows = Rows(X, X)
    assert OWN.of_part(rows) == (rows, 0.0)
    assert OWN.of_table(X) is X


def test_a_constant_column_has_a_map():
    linear = fit_linear_vae(X * torch.tensor([1.0, 0, 1]), K, "diag", 1e-6)
    variance = linear.noise_variance.clamp(min=1e-12)
    part = Part(LinearCoder(linear), Gaussian(variance), StandardNormal(K))
    margins = match_quantiles(part, D).margins
    assert margins.quantiles.isfinite().all()
    assert (margins.quantiles.diff(dim=0) > 0).all()


def test_categories_that_a_part_draws_have_their_shares():
    """The prior is not where the logits were fitted."""
    shares = [[0.3], [0.2, 0.7, 0.1, 0.001, 0.999], [0.9, 0.5, 0.45]]
    sizes = [[1], [3, 2], [3]]
    kinds = [Bernoulli, Categorical, Ordinal]
    blocks = [
        kind(torch.tensor(center).double(), torch.ones(len(center)), torch.tensor(size))
        for kind, center, size in zip(kinds, shares, sizes, strict=True)
    ]
    widths = [len(center) for center in shares]
    likelihood = Mixed([Gaussian(NOISE[:1]), *blocks], [1, *widths])
    start = torch.cat([torch.zeros(1), *(block.start() for block in blocks)])
    weights = 2 * normal(K, len(start), seed=3)
    output_map = torch.cat([start[None], weights])
    like = torch.zeros(len(start)).double()
    linear = replace(
        LINEAR,
        encoder=like[:, None],
        decoder=weights,
        decoder_bias=like,
        noise_variance=like + 1,
        output_map=output_map,
    )
    prior = NormalMixture(
        torch.ones(1).double(),
        torch.full((1, K), 0.8).double(),
        torch.ones(1, K, K).double(),
    )
    part = Part(LinearCoder(linear), likelihood, prior)
    expected = torch.cat([block.center for block in blocks])
    errors = []
    for of in part, match_shares(part):
        drawn = of.sample(50_000, seeded())[:, 1:]
        indicators = torch.cat(
            [
                block.indicators(its)
                for block, its in zip(blocks, drawn.split(widths, 1), strict=True)
            ],
            dim=1,
        )
        error = (expected * (1 - expected) / 50_000).sqrt()
        errors.append(float(((indicators.mean(dim=0) - expected) / error).abs().max()))
    assert errors[0] > 30
    assert errors[1] < 4
    z = normal(5, K)
    assert torch.equal(
        match_shares(part).coder.decode(z)[:, 0], part.coder.decode(z)[:, 0]
    )
