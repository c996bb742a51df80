"""Column blocks of p(x|z): one contract for all, then what is the Gaussian's own."""

import numpy as np
import pytest
import sympy  # noqa: F401  torch imports it late, and it adds a warning filter
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import norm, truncnorm

from skvae._dispersion import Dispersion
from skvae._likelihoods import (
    Gaussian,
    IntervalGaussian,
    VaryingGaussian,
    interval_variance,
)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


class LikelihoodContract:
    """What every block of columns promises; a subclass supplies the block.

    ``decoded`` is what the decoder says of a few rows, ``x`` are possible rows.
    """

    block: object
    decoded: torch.Tensor  # (n, n_parameters)
    x: torch.Tensor  # (n, d)

    def oracle_log_prob(self):  # -> (n, d)
        raise NotImplementedError

    def oracle_variance(self):  # -> (n, d)
        raise NotImplementedError

    def support(self):
        """Return values that an entry takes and the weight of each in an integral."""
        raise NotImplementedError

    def test_log_prob_is_that_of_scipy(self):
        found = self.block.log_prob(self.x, self.decoded).numpy()
        np.testing.assert_allclose(found, self.oracle_log_prob(), rtol=1e-12)

    def test_probability_adds_up_to_one(self):
        points, weights = self.support()
        density = [
            self.block.log_prob(torch.full_like(self.x, float(p)), self.decoded).exp()
            for p in points
        ]
        mass = (torch.stack(density) * tensor(weights)[:, None, None]).sum(dim=0)
        np.testing.assert_allclose(mass.numpy(), 1, rtol=1e-9)

    def test_samples_have_the_mean_and_the_variance(self):
        n = 40_000
        drawn = self.block.sample(
            self.decoded.repeat(n, 1), torch.Generator().manual_seed(0)
        ).reshape(n, *self.x.shape)
        variance = self.oracle_variance()
        error = (drawn.mean(dim=0) - self.block.mean(self.decoded)).numpy()
        assert (abs(error) < 5 * np.sqrt(variance / n)).all()
        # the standard error of a normal variance, which bounds that of the others
        error = drawn.var(dim=0).numpy() - variance
        assert (abs(error) < 5 * variance * np.sqrt(2 / n)).all()

    def test_the_generator_is_the_only_randomness(self):
        state = torch.get_rng_state()
        first, same, other = (
            self.block.sample(self.decoded, torch.Generator().manual_seed(seed))
            for seed in (1, 1, 2)
        )
        assert torch.equal(first, same)
        assert not torch.equal(first, other)
        assert torch.equal(torch.get_rng_state(), state)

    def test_gradient(self):
        decoded = self.decoded.clone().requires_grad_()
        assert torch.autograd.gradcheck(
            lambda out: self.block.log_prob(self.x, out), decoded
        )

    def test_backward_is_autograd_of_minus_the_weighted_log_prob(self):
        decoded, weight = self.decoded.clone().requires_grad_(), tensor(0.25)
        (-weight * self.block.log_prob(self.x, decoded).sum()).backward()
        out = torch.full_like(decoded, np.nan)
        self.block.backward(self.x, self.decoded.clone(), weight, out=out)
        np.testing.assert_allclose(out, decoded.grad, rtol=1e-12)


class TestGaussian(LikelihoodContract):
    block = Gaussian(tensor([0.01, 1.0, 9.0]), floor=0.0, shared=False)
    decoded = tensor([[0.0, 1.0, -2.0], [3.0, -1.0, 0.5]])
    x = tensor([[0.1, 0.0, -9.0], [2.5, -1.0, 7.0]])

    def oracle_log_prob(self):
        return norm(self.decoded, self.block.variance.sqrt()).logpdf(self.x)

    def oracle_variance(self):
        return self.block.variance.expand_as(self.x).numpy()

    def support(self):
        points = np.linspace(-40, 40, 8001)
        return points, np.full(8001, points[1] - points[0])


ERROR = tensor([0.02, 0.5, 3.0])


def gaussian(shared=False, floor=1e-6):
    return Gaussian(tensor([1.0, 2.0, 3.0]), floor=floor, shared=shared)


@pytest.mark.parametrize("shared", [False, True])
def test_expected_log_prob_is_the_mean_over_rows(shared):
    rng = torch.Generator().manual_seed(0)
    x, decoded = torch.randn(2, 50, 3, generator=rng, dtype=torch.float64)
    block = gaussian(shared)
    error = (x - decoded).square().mean(dim=0)
    mean = block.log_prob(x, decoded).sum(dim=1).mean()
    assert float(block.expected_log_prob(error)) == pytest.approx(float(mean))


def test_backward_returns_mean_squared_errors():
    block = TestGaussian.block
    x, decoded = TestGaussian.x, TestGaussian.decoded.clone()
    expected = (x - decoded).square().mean(dim=0)
    error = block.backward(x, decoded, tensor(1 / len(x)), out=torch.empty_like(x))
    np.testing.assert_allclose(error, expected, rtol=1e-12)


def test_refit_is_the_numerical_optimum_of_each_column():
    found = gaussian().refit(ERROR)
    for j, variance in enumerate(found.variance):
        best = minimize_scalar(
            lambda log_v, e=float(ERROR[j]): (
                e / np.exp(log_v) / 2 - norm(0, np.exp(log_v / 2)).logpdf(0)
            ),
            bounds=(-10, 10),
            options={"xatol": 1e-9},
        )
        assert float(variance) == pytest.approx(np.exp(best.x), rel=1e-5)


def test_refit_of_shared_noise_is_the_numerical_optimum_of_one_variance():
    def loss(log_variance):
        variance = tensor([np.exp(log_variance)] * 3)
        block = Gaussian(variance, floor=0.0, shared=True)
        return -float(block.expected_log_prob(ERROR))

    found = gaussian(shared=True).refit(ERROR)
    best = minimize_scalar(loss, bounds=(-10, 10), options={"xatol": 1e-9})
    np.testing.assert_allclose(found.variance, np.exp(best.x), rtol=1e-5)


def test_refit_stops_at_the_floor():
    np.testing.assert_allclose(gaussian(floor=0.1).refit(ERROR).variance, [0.1, 0.5, 3])
    shared = gaussian(shared=True, floor=5.0).refit(ERROR)
    np.testing.assert_allclose(shared.variance, 5)
    assert (shared.floor, shared.shared) == (5.0, True)


def test_refit_leaves_the_block_as_it_was():
    block = gaussian()
    block.refit(ERROR)
    np.testing.assert_array_equal(block.variance, [1, 2, 3])


@pytest.mark.parametrize("shared", [False, True])
def test_track_is_a_running_mean(shared):
    block, weight = gaussian(shared, floor=0.1), 0.25
    errors = [tensor([0.02, 0.5, 3.0]), tensor([1.0, 1.0, 1.0]), tensor([9.0, 0, 0])]
    expected = np.array([1.0, 2.0, 3.0])
    for error in errors:
        block.track(error.clone(), weight)
        batch = np.full(3, error.mean()) if shared else error.numpy()
        expected = (1 - weight) * expected + weight * np.maximum(batch, 0.1)
    np.testing.assert_allclose(block.variance, expected, rtol=1e-12)


def test_a_clone_stays_when_the_block_tracks():
    block = gaussian(shared=True, floor=0.5)
    clone = block.clone()
    block.track(ERROR.clone(), 0.5)
    np.testing.assert_array_equal(clone.variance, [1, 2, 3])
    assert (clone.floor, clone.shared) == (0.5, True)


def test_what_lies_within_an_entry_is_error_too():
    within, plain = tensor([0.3, 0.0, 1.0]), gaussian()
    block = Gaussian(plain.variance.clone(), floor=1e-6, shared=False, within=within)
    error = ERROR + within
    np.testing.assert_allclose(block.refit(ERROR).variance, error)
    assert block.expected_log_prob(ERROR) == plain.expected_log_prob(error)
    block.track(ERROR.clone(), 0.25)
    plain.track(error, 0.25)
    np.testing.assert_allclose(block.variance, plain.variance)
    assert block.clone().within is within


# ------------------------------------------------------------------------- intervals

LOW = tensor([[-1.0, 0.5, 2.0], [-9.0, 0.5, 1.0], [0.0, 0.0, 40.0]])
HIGH = tensor([[0.5, 0.5, 2.5], [8.0, 0.5, 1.0], [1e-7, 0.0, 41.0]])
INTERVALS = torch.stack([LOW, HIGH], dim=1)


def test_an_interval_counts_by_its_mass_and_a_point_by_its_density():
    variance, decoded = tensor([0.04, 1.0, 4.0]), tensor([[0.2, -1.0, 3.0]])
    for shift in (0.0, -30.0, 30.0):  # far on either side nothing is rounded away
        found = IntervalGaussian(variance).log_prob(INTERVALS, decoded + shift)
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


def test_masses_of_adjacent_intervals_add_up_to_one():
    edges = tensor([-60.0, -2.0, -0.3, 0.0, 1.0, 60.0])
    intervals = torch.stack([edges[:-1], edges[1:]], dim=1)[:, :, None]
    mass = IntervalGaussian(tensor([2.0])).log_prob(intervals, tensor([[0.7]])).exp()
    assert float(mass.sum()) == pytest.approx(1, abs=1e-12)


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
    block = VaryingGaussian(variance, dispersion)
    found = block.given(z).log_prob(LOW, decoded)
    of_intervals = block.of_intervals().given(z).log_prob(INTERVALS, decoded)
    for i, j in np.ndindex(z.shape[:2]):
        there = variance * dispersion.factor(z[i, j])
        expected = norm(decoded[i, j], there.sqrt()).logpdf(LOW[j])
        np.testing.assert_allclose(found[i, j], expected, rtol=1e-12)
        expected = IntervalGaussian(there).log_prob(INTERVALS[[j]], decoded[i, [j]])
        np.testing.assert_allclose(of_intervals[i, j], expected[0], rtol=1e-12)
    nothing = block.given(z[0, :0]).sample(decoded[0, :0], torch.Generator())
    assert nothing.shape == (0, 3)
    drawn = block.given(z).sample(decoded.clone(), torch.Generator().manual_seed(1))
    std = (variance * dispersion.factor(z)).sqrt()
    noise = torch.empty((*z.shape[:2], 3)).normal_(
        generator=torch.Generator().manual_seed(1)
    )
    np.testing.assert_allclose((drawn - decoded) / std, noise, rtol=1e-6)
