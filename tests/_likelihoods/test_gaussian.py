"""Column blocks of p(x|z): one contract for all, then what is the Gaussian's own."""

import numpy as np
import pytest
import sympy  # noqa: F401  torch imports it late, and it adds a warning filter
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import bernoulli, norm, truncnorm
from torch.utils._python_dispatch import TorchDispatchMode

from skvae._layout import fit_blocks
from skvae._likelihoods.dispersion import Dispersion
from skvae._likelihoods.gaussian import (
    Bernoulli,
    Categorical,
    Gaussian,
    IntervalGaussian,
    Mixed,
    VaryingGaussian,
    interval_variance,
    make_likelihood,
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


class TestBernoulli(LikelihoodContract):
    center, spread = tensor([0.3, 0.3, 0.3]), tensor([0.5**0.5] * 3)
    block = Bernoulli(center, spread)
    decoded = tensor([[0.0, 1.0, -0.5], [1.2, -1.0, 0.3]])
    indicators = tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    x = (indicators - center) / spread

    def oracle(self):
        return bernoulli(torch.sigmoid(self.decoded).numpy())

    def oracle_log_prob(self):
        return self.oracle().logpmf(self.indicators)

    def oracle_variance(self):
        return self.oracle().var() / self.spread.numpy() ** 2

    def support(self):
        return (np.array([0.0, 1.0]) - 0.3) * 2**0.5, np.ones(2)


class TestCategorical(LikelihoodContract):
    """A column of three levels beside one of two."""

    sizes = 3, 2
    center, spread = tensor([0.2, 0.5, 0.3, 0.6, 0.4]), tensor([1.0, 1, 1, 0.5, 0.5])
    block = Categorical(center, spread, sizes)
    decoded = tensor([[0.0, 0.3, -0.2, 0.5, 0.1], [30.3, 30, 30.1, -0.5, 0.5]])
    levels = torch.tensor([[1, 1], [0, 0]])  # of each row
    indicators = tensor([[0.0, 1, 0, 0, 1], [1, 0, 0, 1, 0]])
    x = (indicators - center) / spread

    def oracles(self):
        parts = self.decoded.split(self.sizes, dim=1)
        return [torch.distributions.Categorical(logits=part) for part in parts]

    def oracle_log_prob(self):
        columns = zip(self.oracles(), self.levels.T, strict=True)
        of_columns = [oracle.log_prob(levels)[:, None] for oracle, levels in columns]
        return self.indicators * torch.cat(
            [
                of_column.expand(-1, size)
                for of_column, size in zip(of_columns, self.sizes, strict=True)
            ],
            dim=1,
        )

    def oracle_variance(self):
        share = torch.cat([oracle.probs for oracle in self.oracles()], dim=1)
        return (share * (1 - share) / self.spread**2).numpy()

    def test_probability_adds_up_to_one(self):
        for first, size in (0, 3), (3, 2):
            total = 0
            for level in torch.eye(size, dtype=torch.float64):
                x = self.indicators.clone()
                x[:, first : first + size] = level
                x = (x - self.center) / self.spread
                log_prob = self.block.log_prob(x, self.decoded)
                total += log_prob[:, first : first + size].sum(dim=1).exp()
            np.testing.assert_allclose(total, 1, rtol=1e-12)

    def test_samples_have_one_level_each(self):
        drawn = self.block.sample(
            self.decoded.repeat(50, 1), torch.Generator().manual_seed(0)
        )
        drawn = drawn * self.spread + self.center
        for part in drawn.split(self.sizes, dim=1):
            np.testing.assert_allclose(part.max(dim=1).values, 1)
            np.testing.assert_allclose(part.sum(dim=1), 1)


class TestMixed(LikelihoodContract):
    """The blocks above side by side, in rows of their own."""

    parts = TestGaussian, TestBernoulli, TestCategorical
    block = Mixed(
        TestGaussian.block, [TestBernoulli.block, TestCategorical.block], (3, 3, 5)
    )
    decoded, x = (
        torch.cat([getattr(part, name) for part in parts], dim=1)
        for parts, name in ((parts, "decoded"), (parts, "x"))
    )

    def oracle_log_prob(self):
        return np.hstack([part().oracle_log_prob() for part in self.parts])

    def oracle_variance(self):
        return np.hstack([part().oracle_variance() for part in self.parts])

    def test_probability_adds_up_to_one(self):
        """As that of each part does: entries are those of the parts."""
        found = self.block.log_prob(self.x, self.decoded)
        expected = [part.block.log_prob(part.x, part.decoded) for part in self.parts]
        assert torch.equal(found, torch.cat(expected, dim=1))

    @pytest.mark.parametrize("verb", ["errors", "backward"])
    def test_verbs_are_those_of_the_parts(self, verb):
        def say(block, x, decoded):
            if verb == "errors":
                return (block.errors(x, decoded),)
            out = torch.empty_like(x)
            return block.backward(x, decoded.clone(), tensor(0.5), out), out

        found = say(self.block, self.x, self.decoded)
        parts = [say(part.block, part.x, part.decoded) for part in self.parts]
        for values, *of_parts in zip(found, *parts, strict=True):
            assert torch.equal(values, torch.cat(of_parts, dim=-1))

    def test_the_noise_is_that_of_the_numbers(self):
        error = torch.arange(1.0, 12).double()
        refitted, numbers = self.block.refit(error), TestGaussian.block.refit(error[:3])
        assert torch.equal(refitted.variance, numbers.variance)
        assert refitted.indicators is self.block.indicators
        clone = self.block.clone()
        clone.track(error.clone(), 0.5)
        expected = (self.block.variance + error[:3]) / 2
        np.testing.assert_allclose(clone.variance, expected)
        np.testing.assert_array_equal(self.block.variance, [0.01, 1, 9])


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


# ------------------------------------------------------------------ levels and holes

N_LEVELS = np.array([0, 3, 2, 0, 1, 2, 4])
WIDTHS = 2, 2, 8


def mixed_table(n=60, n_levels=N_LEVELS, holes=0.0, seed=0):
    """Return a block, scaled rows, what is decoded, and a mask of the holes."""
    rng = np.random.default_rng(seed)
    d = len(n_levels)
    X = np.where(
        n_levels == 0,
        rng.normal(size=(n, d)),
        rng.integers(np.maximum(n_levels, 1), size=(n, d)),
    )
    X[rng.random(X.shape) < holes] = np.nan
    blocks = fit_blocks(X, n_levels)
    numbers, levels = np.split(X[:, blocks.order], [blocks.n_numbers], axis=1)
    x = torch.from_numpy(np.hstack([numbers, blocks.scaled(levels)]))
    share = 1 - x.isnan().double().mean(dim=0) if holes else None
    variance = tensor(rng.uniform(0.5, 2, blocks.n_numbers))
    of_numbers = None if share is None else share[: blocks.n_numbers]
    block = make_likelihood(Gaussian(variance, share=of_numbers), blocks, share)
    return block, x, tensor(rng.normal(size=x.shape))


@pytest.mark.parametrize("holes", [0.0, 0.3])
def test_a_mixed_backward_is_autograd_of_what_is_observed(holes):
    block, x, decoded = mixed_table(holes=holes)
    weight = tensor(1 / len(x))
    leaf, missing = decoded.clone().requires_grad_(), x.isnan()
    log_prob = block.log_prob(x.nan_to_num(0.0), leaf).masked_fill(missing, 0)
    (-weight * log_prob.sum()).backward()
    out = torch.full_like(x, np.nan)
    error = block.backward(x, decoded.clone(), weight, out)
    np.testing.assert_allclose(out, leaf.grad, rtol=1e-10, atol=1e-16)
    np.testing.assert_allclose(error, block.errors(x, decoded).nanmean(dim=0))
    mean = log_prob.sum(dim=1).mean().detach()
    np.testing.assert_allclose(block.expected_log_prob(error), mean)


def test_missing_entries_count_for_nothing():
    block, x, decoded = mixed_table(holes=0.3)
    missing = x.isnan()
    assert missing.any(dim=0)[[0, 2, 4]].all()
    log_prob = block.log_prob(x, decoded)
    np.testing.assert_array_equal(log_prob[missing], 0)
    assert torch.equal(block.errors(x, decoded).isnan(), missing)
    other = torch.where(missing, 50.0, decoded)  # all levels of a column miss together
    found = block.log_prob(x, other)
    np.testing.assert_allclose(found[~missing], log_prob[~missing], rtol=1e-12)
    out = torch.empty_like(x)
    block.backward(x, decoded.clone(), tensor(1.0), out)
    np.testing.assert_array_equal(out[missing], 0)


def test_the_layout_is_numbers_then_truth_values_then_levels():
    block, x, _ = mixed_table()
    assert block.widths == WIDTHS
    numbers, binary, levels = x.split(WIDTHS, dim=1)
    assert levels.shape[1] == 8
    assert len(np.unique(numbers)) == 120
    assert len(np.unique(binary.round(decimals=9))) == 4


@pytest.mark.parametrize(
    "n_levels", [[0, 0], [2, 2], [3, 5], [1], [0, 1], [0, 2], [2, 3]]
)
def test_columns_of_a_kind_may_be_none(n_levels):
    block, x, decoded = mixed_table(n_levels=np.array(n_levels), holes=0.2)
    error = block.backward(x, decoded.clone(), tensor(1 / len(x)), torch.empty_like(x))
    fit = block.log_prob(x, decoded).sum(dim=1).mean()
    np.testing.assert_allclose(block.expected_log_prob(error), fit)
    assert block.refit(error).variance.shape == (n_levels.count(0),)
    block.track(error, 0.5)
    generator = torch.Generator().manual_seed(0)
    for drawn in block.mean(decoded), block.sample(decoded, generator):
        assert drawn.shape == x.shape
        assert drawn.isfinite().all()


def test_a_column_of_one_level_is_certain():
    block, x, decoded = mixed_table(n_levels=np.array([1]))
    np.testing.assert_allclose(block.log_prob(x, 9 * decoded), 0, atol=1e-12)
    np.testing.assert_allclose(block.mean(decoded), 0, atol=1e-12)  # the share is 1
    assert torch.equal(block.sample(decoded, torch.Generator()), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [50.0, 1e4, 1e30])
def test_huge_logits_stay_finite(size, dtype):
    block, x, decoded = mixed_table(n_levels=np.array([2, 500, 3]))
    _, n_binary, _ = block.widths
    blocks = [
        type(part)(part.center.to(dtype), part.spread.to(dtype), *sizes)
        for part, sizes in zip(block.indicators, ((), ((500, 3),)), strict=True)
    ]
    block = Mixed(Gaussian(torch.empty(0, dtype=dtype)), blocks, block.widths)
    x, decoded = x.to(dtype), (size * decoded.sign()).to(dtype)
    log_prob, out = block.log_prob(x, decoded), torch.empty_like(x)
    error = block.backward(x, decoded.clone(), torch.tensor(1.0, dtype=dtype), out)
    for values in (log_prob, out, error, block.mean(decoded)):
        assert values.isfinite().all()
    assert block.sample(decoded, torch.Generator().manual_seed(0)).isfinite().all()
    assert (
        float(log_prob[:, n_binary:].min()) > -100
    )  # a wrong level is never impossible
    assert (out.abs() <= 1).all()


class Operations(TorchDispatchMode):
    """Count what torch is asked to do."""

    n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.n += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("holes", [0.0, 0.3])
@pytest.mark.parametrize("verb", ["backward", "log_prob", "errors", "mean"])
def test_a_step_has_as_many_operations_whatever_the_columns(verb, holes):
    counts = []
    for n_columns in (3, 30):
        n_levels = np.repeat([0, 2, 3], n_columns)
        block, x, decoded = mixed_table(n_levels=n_levels, holes=holes)
        arguments = {
            "backward": (x, decoded, tensor(1.0), torch.empty_like(x)),
            "mean": (decoded,),
        }.get(verb, (x, decoded))
        with Operations() as operations:
            getattr(block, verb)(*arguments)
        counts.append(operations.n)
    assert counts[0] == counts[1] > 0


def test_indicators_ignore_the_width_of_intervals():
    block, x, decoded = mixed_table(holes=0.2)
    intervals = torch.stack([x, x], dim=1)
    intervals[:, 1, 0] += 0.5
    found = block.of_intervals().given(decoded).log_prob(intervals, decoded)
    expected = block.log_prob(x, decoded)
    assert torch.equal(found[:, 2:], expected[:, 2:])
    of_numbers = IntervalGaussian(block.variance)
    expected = of_numbers.log_prob(intervals[..., :2], decoded[:, :2])
    np.testing.assert_array_equal(found[:, :2], expected)


def test_a_mixed_block_may_vary_with_z():
    block, x, decoded = mixed_table()
    dispersion = Dispersion(tensor(np.ones((5, 2))), 1.0)
    varying = VaryingGaussian(block.variance, dispersion)
    varying = Mixed(varying, block.indicators, block.widths)
    z = tensor(np.random.default_rng(0).normal(size=(len(x), 2)))
    found = varying.given(z).log_prob(x, decoded)
    numbers = Gaussian(block.variance * dispersion.factor(z))
    expected = numbers.log_prob(x[:, :2], decoded[:, :2])
    np.testing.assert_array_equal(found[:, :2], expected)
    assert torch.equal(found[:, 2:], block.log_prob(x, decoded)[:, 2:])
