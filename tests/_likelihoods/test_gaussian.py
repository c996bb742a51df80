"""Numeric columns: densities, masses of intervals, and variances that vary with z."""

import numpy as np
import pytest
import sympy  # noqa: F401  torch imports it late, and it adds a warning filter
import torch
from likelihoods import GaussianCase, incomplete, share_of, tensor
from scipy.stats import norm, truncnorm

from skvae._likelihoods.dispersion import CONSTANT, Dispersion
from skvae._likelihoods.gaussian import Gaussian, interval_variance


class TestGaussian(GaussianCase):
    """What every block of columns promises."""


def test_expected_log_prob_is_the_mean_over_rows():
    rng = torch.Generator().manual_seed(0)
    x, decoded = torch.randn(2, 50, 3, generator=rng, dtype=torch.float64)
    x[torch.rand(50, 3, generator=rng) < 0.3] = torch.nan
    block = Gaussian(tensor([1.0, 2.0, 3.0]))
    for rows in x, x.nan_to_num(0.5):
        error = (rows - decoded).square().nanmean(dim=0)
        mean = block.log_prob(rows, decoded).sum(dim=1).mean()
        found = block.expected_log_prob(error, share_of(rows))
        assert float(found) == pytest.approx(float(mean))


def test_backward_returns_mean_squared_errors_and_makes_residuals_of_the_decoded():
    block = GaussianCase.block
    x, decoded = GaussianCase.x, GaussianCase.decoded.clone()
    residual = decoded - x
    expected = residual.square().mean(dim=0)
    error = block.backward(x, decoded, tensor(1 / len(x)), out=torch.empty_like(x))
    np.testing.assert_allclose(error, expected, rtol=1e-12)
    assert torch.equal(decoded, residual)


def test_only_gaps_are_left_out_of_a_gradient():
    """What overflows stays infinite: training has to see that it diverged."""
    block, out = incomplete(GaussianCase.block), torch.empty(2, 3).double()
    decoded = tensor([[0.0, torch.inf, 0.0], [0.0, 0.0, -torch.inf]])
    x = GaussianCase.x.clone()
    x[0, 0] = torch.nan
    error = block.backward(x, decoded, tensor(0.5), out)
    assert out.isinf().tolist() == [[False, True, False], [False, False, True]]
    assert out[0, 0] == 0
    assert error.isinf().tolist() == [False, True, True]


def test_other_noise_is_that_of_the_same_columns():
    dispersion = Dispersion(torch.ones(3, 2, dtype=torch.float64), 1.0)
    block = Gaussian(tensor([1.0, 2.0]), dispersion, incomplete=True)
    other = block.with_noise(tensor([3.0, 4.0]))
    np.testing.assert_array_equal(other.variance, [3, 4])
    assert other.incomplete
    assert other.dispersion is CONSTANT
    again = other.with_noise(block.variance, dispersion)
    assert again.dispersion is again.to("cpu").dispersion is dispersion
    np.testing.assert_array_equal(block.variance, [1, 2])


def test_at_any_z_and_on_another_device_each_column_counts_by_its_share():
    block = Gaussian(tensor([1.0, 2.0]), incomplete=True)
    error, share = tensor([3.0, 4.0]), tensor([0.5, 0.25])
    expected = norm(0, [1, 2**0.5]).logpdf(error.sqrt()) @ [0.5, 0.25]
    for one in block, block.given(tensor([[0.0]])), block.to("cpu"):
        assert float(one.expected_log_prob(error, share)) == pytest.approx(expected)


# ------------------------------------------------------------------------- intervals

LOW = tensor([[-1.0, 0.5, 2.0], [-9.0, 0.5, 1.0], [0.0, 0.0, 40.0]])
HIGH = tensor([[0.5, 0.5, 2.5], [8.0, 0.5, 1.0], [1e-7, 0.0, 41.0]])
INTERVALS = torch.stack([LOW, HIGH], dim=1)


def test_an_interval_counts_by_its_mass_and_a_point_by_its_density():
    variance, decoded = tensor([0.04, 1.0, 4.0]), tensor([[0.2, -1.0, 3.0]])
    for shift in (0.0, -30.0, 30.0):  # far on either side nothing is rounded away
        found = Gaussian(variance).log_prob(INTERVALS, decoded + shift)
        normal = norm(decoded + shift, variance.sqrt())
        sign = torch.where(LOW + HIGH > 2 * (decoded + shift), -1, 1)
        center = 2 * (decoded + shift)
        ends = [
            torch.where(sign < 0, center - b, a) for a, b in ((LOW, HIGH), (HIGH, LOW))
        ]
        low, high = (normal.logcdf(end) for end in ends)
        with np.errstate(divide="ignore"):
            mass = high + np.log1p(-np.exp(low - high))
        expected = np.where(HIGH > LOW, mass, normal.logpdf(LOW))
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_an_interval_pulls_what_is_beyond_it_to_its_nearer_end():
    block = Gaussian(tensor([0.5, 0.5, 0.5, 0.5]))
    intervals = tensor([[[-1.0, -1.0, -1.0, np.nan], [2.0, 2.0, 2.0, np.nan]]])
    gradient, information = block.quadratic(intervals, tensor([[-3.0, 0.0, 4.0, 1.0]]))
    told = 1 / (0.5 + 3**2 / 12)  # the variance of a uniform distribution adds to it
    np.testing.assert_allclose(information, [[told, told, told, 0]])
    np.testing.assert_allclose(gradient, [[2 * told, 0, -2 * told, 0]])


@pytest.mark.parametrize("varies", [False, True])
def test_pairs_of_intervals_count_by_their_mass_whatever_the_noise(varies):
    block, decoded = Gaussian(tensor([0.04, 1.0, 4.0])), tensor([[0.2, -1.0, 3.0]] * 4)
    decoded += torch.arange(4)[:, None]
    if varies:
        coefficients = tensor([[0.1, 0.2, 0.3], [0.5, -0.5, 1.0], [0.0, 0.1, 0.2]])
        dispersion = Dispersion(coefficients, 30.0)
        block = block.with_noise(block.variance, dispersion)
    z = torch.linspace(-1, 1, 4, dtype=torch.float64)[:, None]
    for told in INTERVALS, INTERVALS[:, 0], INTERVALS[:, :, :0]:
        d = told.shape[-1]
        at = block.given(z) if d else Gaussian(block.variance[:0])
        found = at.log_prob_of_pairs(told, decoded[:, :d])
        for i in range(4):
            at = block.given(z[i]) if d else at
            expected = at.log_prob(told, decoded[i, :d]).sum(dim=1)
            np.testing.assert_allclose(found[i], expected, rtol=1e-9)


def test_masses_of_adjacent_intervals_add_up_to_one():
    edges = tensor([-60.0, -2.0, -0.3, 0.0, 1.0, 60.0])
    intervals = torch.stack([edges[:-1], edges[1:]], dim=1)[:, :, None]
    mass = Gaussian(tensor([2.0])).log_prob(intervals, tensor([[0.7]])).exp()
    assert float(mass.sum()) == pytest.approx(1, abs=1e-12)


def test_a_missing_interval_counts_for_nothing_beside_others():
    block, intervals = Gaussian(tensor([1.0, 1.0, 1.0])), INTERVALS.clone()
    intervals[0, :, :2] = torch.nan
    decoded = torch.zeros(3, 3, dtype=torch.float64)
    found = block.log_prob(intervals, decoded)
    expected = block.log_prob(INTERVALS, decoded)
    expected[0, :2] = 0
    assert torch.equal(found, expected)


def test_interval_variance_is_that_of_a_truncated_normal():
    low, high = (tensor([[-1.0, 0.5], [-9.0, 2.0]]), tensor([[0.5, 0.6], [8.0, 2.5]]))
    found = interval_variance(torch.stack([low, high], dim=1))
    np.testing.assert_allclose(found, truncnorm(low, high).var(), rtol=1e-6)
    points = interval_variance(torch.stack([LOW, LOW], dim=1))
    np.testing.assert_array_equal(points, 0)


# ------------------------------------------------------------------- varying variance


def test_at_each_z_a_varying_block_is_one_of_the_variance_there():
    generator = torch.Generator().manual_seed(0)
    dispersion = Dispersion(torch.randn(5, 3, generator=generator).double(), 1.0)
    z, decoded = (
        torch.randn(4, len(INTERVALS), size, generator=generator).double()
        for size in (2, 3)
    )
    variance = tensor([0.5, 1.0, 9.0])
    block = Gaussian(variance, dispersion)
    found = block.given(z).log_prob(LOW, decoded)
    of_intervals = block.given(z).log_prob(INTERVALS, decoded)
    for i, j in np.ndindex(z.shape[:2]):
        there = variance * dispersion.factor(z[i, j])
        expected = norm(decoded[i, j], there.sqrt()).logpdf(LOW[j])
        np.testing.assert_allclose(found[i, j], expected, rtol=1e-12)
        expected = Gaussian(there).log_prob(INTERVALS[[j]], decoded[i, [j]])
        np.testing.assert_allclose(of_intervals[i, j], expected[0], rtol=1e-12)
    nothing = block.given(z[0, :0]).sample(decoded[0, :0], torch.Generator())
    assert nothing.shape == (0, 3)
    drawn = block.given(z).sample(decoded.clone(), torch.Generator().manual_seed(1))
    std = (variance * dispersion.factor(z)).sqrt()
    noise = torch.empty((*z.shape[:2], 3)).normal_(
        generator=torch.Generator().manual_seed(1)
    )
    np.testing.assert_allclose((drawn - decoded) / std, noise, rtol=1e-6)
    assert torch.equal(block.mean(decoded), decoded)
