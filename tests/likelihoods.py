"""Likelihoods that several test files look at, and what all of them promise."""

import numpy as np
import torch
from helpers import kinds_of
from scipy.special import expit
from scipy.stats import bernoulli, norm

from skvae._likelihoods.categorical import Bernoulli, Categorical
from skvae._likelihoods.gaussian import Gaussian
from skvae._likelihoods.mixed import Mixed, make_likelihood
from skvae._likelihoods.ordinal import LEAST_GAP, Ordinal
from skvae._table.indicators import INDICATORS, fit_layout


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def incomplete(block):
    """Return the same likelihood, for rows whose entries may be missing."""
    if isinstance(block, Mixed):
        return Mixed([incomplete(part) for part in block.blocks], block.widths)
    if isinstance(block, Gaussian):
        return Gaussian(block.variance, block.dispersion, incomplete=True)
    return type(block)(block.center, block.spread, block.sizes, incomplete=True)


class LikelihoodContract:
    """What every block of columns promises; a subclass supplies the block.

    ``decoded`` is what the decoder says of a few rows, ``x`` are possible rows.
    """

    block: object
    decoded: torch.Tensor  # (n, n_parameters)
    x: torch.Tensor  # (n, d)
    sizes: tuple  # of the table's columns
    curvature_tolerance = {"rtol": 1e-9, "atol": 1e-12}  # noqa: RUF012

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

    def test_pairs_are_each_row_at_each_decoded_row(self):
        decoded = self.decoded
        observed = torch.cat([self.x, self.x, self.x[:1]])
        column = int(self.block.sizes[0])
        observed[0, :column] = observed[-1] = torch.nan
        for told in (observed, torch.stack([observed, observed], dim=1)):
            expected = self.block.log_prob(told, decoded[:, None]).sum(dim=2)
            found = self.block.log_prob_of_pairs(told, decoded)
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
        assert (found[:, -1] == 0).all()

    def test_probability_adds_up_to_one(self):
        points, weights = self.support()
        density = [
            self.block.log_prob(torch.full_like(self.x, float(p)), self.decoded).exp()
            for p in points
        ]
        mass = (torch.stack(density) * tensor(weights)[:, None, None]).sum(dim=0)
        np.testing.assert_allclose(mass.numpy(), 1, rtol=1e-9)

    def test_intervals_without_width_are_entries(self):
        intervals = torch.stack([self.x, self.x], dim=1)
        intervals[0, :, 0] = torch.nan
        x = intervals[:, 0]
        found = self.block.log_prob(intervals, self.decoded)
        assert torch.equal(found, self.block.log_prob(x, self.decoded))
        assert found[0, 0] == 0
        assert not found[0, 1:].eq(0).all()

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

    def test_backward_returns_weighted_sums_of_errors(self):
        weight, out = tensor(0.25), torch.empty_like(self.x)
        found = self.block.backward(self.x, self.decoded.clone(), weight, out=out)
        expected = 0.25 * self.block.errors(self.x, self.decoded).sum(dim=0)
        np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_in_training_missing_entries_count_0(self):
        block, weight = incomplete(self.block), tensor(0.25)
        columns = np.cumsum([0, *self.sizes])
        x = self.x.clone()
        x[0, : columns[1]] = torch.nan  # the first column of the table
        x[:, columns[-2] :] = torch.nan  # and nobody has the last
        expected = 0.25 * block.errors(x, self.decoded).nansum(dim=0)
        decoded, out = self.decoded.clone().requires_grad_(), torch.empty_like(x)
        (-weight * block.log_prob(x, decoded).sum()).backward()
        found = block.backward(x, self.decoded.clone(), weight, out=out)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        np.testing.assert_array_equal(found[columns[-2] :], 0)
        np.testing.assert_allclose(out, decoded.grad, rtol=1e-12, atol=1e-300)
        assert out[x.isnan()].eq(0).all()
        whole = torch.empty_like(x)  # without a gap it is as if none could be
        found = block.backward(self.x, self.decoded.clone(), weight, out=out).clone()
        same = self.block.backward(self.x, self.decoded.clone(), weight, out=whole)
        assert torch.equal(found, same)
        assert torch.equal(out, whole)

    def test_whether_entries_may_be_missing_goes_along(self):
        for block, may_miss in (self.block, False), (incomplete(self.block), True):
            other = block.with_noise(2 * block.variance)
            for one in block, other, block.to("cpu"), other.to("cpu"):
                assert one.incomplete is may_miss

    def test_its_quadratic_has_its_gradient_and_about_its_curvature(self):
        x = self.x.clone()
        x[0, : self.block.sizes[0]] = torch.nan
        decoded = self.decoded.clone().requires_grad_()

        def total(decoded):
            return self.block.log_prob(x, decoded).sum()

        total(decoded).backward()
        gradient, information = self.block.quadratic(x, self.decoded)
        np.testing.assert_allclose(gradient, decoded.grad, rtol=1e-9, atol=1e-12)
        hessian = torch.autograd.functional.hessian(total, self.decoded)
        n = self.decoded.numel()
        curvature = -hessian.reshape(n, n).diagonal().reshape_as(information)
        np.testing.assert_allclose(information, curvature, **self.curvature_tolerance)
        assert information[x.isnan()].eq(0).all()
        intervals = torch.stack([x, x], dim=1)  # without width
        for found, expected in zip(
            self.block.quadratic(intervals, self.decoded),
            (gradient, information),
            strict=True,
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_expected_log_prob_is_the_mean_over_rows(self):
        error = self.block.errors(self.x, self.decoded).mean(dim=0)
        mean = self.block.log_prob(self.x, self.decoded).mean(dim=0)
        found = self.block.expected_log_prob(error, torch.ones_like(error))
        np.testing.assert_allclose(found, mean.sum(), rtol=1e-12)
        share = torch.linspace(0.0, 0.9, len(error)).double()
        found = self.block.expected_log_prob(error, share)
        np.testing.assert_allclose(found, mean @ share, rtol=1e-12)

    def test_it_knows_how_many_columns_each_of_the_tables_has(self):
        assert tuple(self.block.sizes.tolist()) == self.sizes
        assert sum(self.sizes) == self.x.shape[1]

    def test_on_another_device_and_at_any_z_it_says_the_same(self):
        expected = self.block.log_prob(self.x, self.decoded)
        error = self.block.errors(self.x, self.decoded).mean(dim=0)
        for same in self.block.to("cpu"), self.block.given(torch.zeros(2, 3)):
            assert torch.equal(same.log_prob(self.x, self.decoded), expected)
            for share in torch.ones_like(error), torch.full_like(error, 0.3):
                found = same.expected_log_prob(error, share)
                assert torch.equal(found, self.block.expected_log_prob(error, share))
            assert torch.equal(same.sizes, self.block.sizes)


class GaussianCase(LikelihoodContract):
    block = Gaussian(tensor([0.01, 1.0, 9.0]))
    decoded = tensor([[0.0, 1.0, -2.0], [3.0, -1.0, 0.5]])
    x = tensor([[0.1, 0.0, -9.0], [2.5, -1.0, 7.0]])
    sizes = 1, 1, 1

    def oracle_log_prob(self):
        return norm(self.decoded.numpy(), self.block.variance.sqrt()).logpdf(self.x)

    def oracle_variance(self):
        return self.block.variance.expand_as(self.x).numpy()

    def support(self):
        points = np.linspace(-40, 40, 8001)
        return points, np.full(8001, points[1] - points[0])


class BernoulliCase(LikelihoodContract):
    center, spread = tensor([0.3, 0.3, 0.3]), tensor([0.5**0.5] * 3)
    sizes = 1, 1, 1
    block = Bernoulli(center, spread, torch.tensor(sizes))
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


class CategoricalCase(LikelihoodContract):
    """A column of three categories beside one of two."""

    sizes = 3, 2
    center, spread = tensor([0.2, 0.5, 0.3, 0.6, 0.4]), tensor([1.0, 1, 1, 0.5, 0.5])
    block = Categorical(center, spread, torch.tensor(sizes))
    decoded = tensor([[0.0, 0.3, -0.2, 0.5, 0.1], [30.3, 30, 30.1, -0.5, 0.5]])
    categories = torch.tensor([[1, 1], [0, 0]])  # of each row
    indicators = tensor([[0.0, 1, 0, 0, 1], [1, 0, 0, 1, 0]])
    x = (indicators - center) / spread

    def oracles(self):
        parts = self.decoded.split(self.sizes, dim=1)
        return [torch.distributions.Categorical(logits=part) for part in parts]

    def oracle_log_prob(self):
        columns = zip(self.oracles(), self.categories.T, self.sizes, strict=True)
        return self.indicators * torch.cat(
            [
                oracle.log_prob(of_rows)[:, None].expand(-1, size)
                for oracle, of_rows, size in columns
            ],
            dim=1,
        )

    def oracle_variance(self):
        share = torch.cat([oracle.probs for oracle in self.oracles()], dim=1)
        return (share * (1 - share) / self.spread**2).numpy()

    def test_probability_adds_up_to_one(self):
        for first, size in (0, 3), (3, 2):
            total = 0
            for category in torch.eye(size, dtype=torch.float64):
                x = self.indicators.clone()
                x[:, first : first + size] = category
                x = (x - self.center) / self.spread
                log_prob = self.block.log_prob(x, self.decoded)
                total += log_prob[:, first : first + size].sum(dim=1).exp()
            np.testing.assert_allclose(total, 1, rtol=1e-12)


class OrdinalCase(LikelihoodContract):
    """A column of four ordered categories beside one of three."""

    sizes = 3, 2
    # What would make it negative somewhere is left out.
    curvature_tolerance = {"rtol": 0, "atol": 0.15}  # noqa: RUF012
    center, spread = tensor([0.9, 0.5, 0.3, 0.6, 0.4]), tensor([0.8, 0.8, 0.8, 1, 1])
    block = Ordinal(center, spread, torch.tensor(sizes))
    decoded = tensor([[0.3, -0.2, 0.9, 1.5, 0.1], [2.0, 0.3, -3.0, -0.7, 1.5]])
    categories = np.array([[2, 0], [3, 1]])  # of each row
    indicators = tensor([[1.0, 1, 0, 0, 0], [1, 1, 1, 1, 0]])
    x = (indicators - center) / spread

    def oracle_logits(self):
        """Return those of exceeding each category, of each column of the table."""
        for part in np.split(self.decoded.numpy(), [3], axis=1):
            gaps = np.log1p(np.exp(part[:, 1:])) + LEAST_GAP
            first = part[:, :1]
            yield np.hstack([first, first - gaps.cumsum(axis=1)])

    def oracle_log_prob(self):
        """The mass of each column's category, by the two indicators beside it."""
        columns = []
        for logits, of_rows in zip(
            self.oracle_logits(), self.categories.T, strict=True
        ):
            found = np.zeros_like(logits)
            for i, category in enumerate(of_rows):
                if category > 0:
                    found[i, category - 1] = np.log(expit(logits[i, category - 1]))
                if category < logits.shape[1]:
                    gap = logits[i, category - 1] - logits[i, category]
                    factor = -np.expm1(-gap) if category > 0 else 1
                    found[i, category] = np.log(expit(-logits[i, category]) * factor)
            columns.append(found)
        return np.hstack(columns)

    def oracle_variance(self):
        probability = expit(np.hstack(list(self.oracle_logits())))
        return probability * (1 - probability) / self.spread.numpy() ** 2

    def test_the_mass_of_a_column_is_a_difference_of_probabilities(self):
        log_prob = self.block.log_prob(self.x, self.decoded)
        parts = zip(
            log_prob.split(self.sizes, dim=1),
            self.oracle_logits(),
            self.categories.T,
            strict=True,
        )
        for part, logits, of_rows in parts:
            exceeds = np.pad(expit(logits), ((0, 0), (1, 1)), constant_values=(1, 0))
            masses = -np.diff(exceeds, axis=1)
            expected = masses[[0, 1], of_rows]
            np.testing.assert_allclose(part.sum(dim=1).exp(), expected, rtol=1e-9)

    def test_probability_adds_up_to_one(self):
        for first, size in (0, 3), (3, 2):
            total = 0
            for category in range(size + 1):
                x = self.indicators.clone()
                x[:, first : first + size] = category > torch.arange(size)
                x = (x - self.center) / self.spread
                log_prob = self.block.log_prob(x, self.decoded)
                total += log_prob[:, first : first + size].sum(dim=1).exp()
            np.testing.assert_allclose(total, 1, rtol=1e-12)


# Numbers of categories, 0 of numeric columns, negative if they are ordered.
COLUMNS = [0, 3, 2, 0, -5, 1, 2, 4]
WIDTHS = 2, 2, 8, 4


def mixed_table(n=60, columns=COLUMNS, missing=0.0, seed=0, dtype=None):
    """Return the likelihood of a random table, its scaled rows, and what is decoded.

    Parameters
    ----------
    n : int
    columns : sequence of int
        Numbers of categories: 0 if numeric, negative if ordered.
    missing : float
        The share of entries.
    seed : int
    dtype : torch.dtype, default=torch.float64
    """
    rng = np.random.default_rng(seed)
    kinds, n_categories = kinds_of(columns)
    d = len(n_categories)
    X = np.where(
        n_categories == 0,
        rng.normal(size=(n, d)),
        rng.integers(np.maximum(n_categories, 1), size=(n, d)),
    )
    X[rng.random(X.shape) < missing] = np.nan
    layout = fit_layout(X, kinds, n_categories)
    parts = [
        X[:, block.columns]
        if block.kind == "gaussian"
        else INDICATORS[block.kind](block).forward(X[:, block.columns])
        for block in layout.blocks
    ]
    x = tensor(np.hstack(parts)).to(dtype or torch.float64)
    variance = tensor(rng.uniform(0.5, 2, layout.n_numeric)).to(x)
    decoded = tensor(rng.normal(size=x.shape)).to(x)
    return make_likelihood(layout, variance, missing > 0), x, decoded


def share_of(x):
    """Return the share of each column's entries that is observed."""
    return 1 - x.isnan().to(x).mean(dim=0)
