"""Likelihoods that several test files look at, and what all of them promise."""

import numpy as np
import torch
from scipy.stats import bernoulli, norm

from skvae._layout import fit_layout
from skvae._likelihoods.categorical import Bernoulli, Categorical
from skvae._likelihoods.gaussian import Gaussian
from skvae._likelihoods.mixed import make_likelihood
from skvae._table.scaling import SCALERS


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


class LikelihoodContract:
    """What every block of columns promises; a subclass supplies the block.

    ``decoded`` is what the decoder says of a few rows, ``x`` are possible rows.
    """

    block: object
    decoded: torch.Tensor  # (n, n_parameters)
    x: torch.Tensor  # (n, d)
    sizes: tuple  # of the table's columns

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

    def test_it_knows_how_many_columns_each_of_the_tables_has(self):
        assert tuple(self.block.sizes.tolist()) == self.sizes
        assert sum(self.sizes) == self.x.shape[1]

    def test_on_another_device_and_at_any_z_it_says_the_same(self):
        expected = self.block.log_prob(self.x, self.decoded)
        error = self.block.errors(self.x, self.decoded).mean(dim=0)
        for same in self.block.to("cpu"), self.block.given(torch.zeros(2, 3)):
            assert torch.equal(same.log_prob(self.x, self.decoded), expected)
            found = same.expected_log_prob(error)
            assert torch.equal(found, self.block.expected_log_prob(error))
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


N_CATEGORIES = np.array([0, 3, 2, 0, 1, 2, 4])
WIDTHS = 2, 2, 8


def mixed_table(n=60, n_categories=N_CATEGORIES, missing=0.0, seed=0, dtype=None):
    """Return the likelihood of a random table, its scaled rows, and what is decoded.

    Parameters
    ----------
    n : int
    n_categories : ndarray of shape (n_features,)
        0 for numeric columns.
    missing : float
        The share of entries.
    seed : int
    dtype : torch.dtype, default=torch.float64
    """
    rng = np.random.default_rng(seed)
    d = len(n_categories)
    X = np.where(
        n_categories == 0,
        rng.normal(size=(n, d)),
        rng.integers(np.maximum(n_categories, 1), size=(n, d)),
    )
    X[rng.random(X.shape) < missing] = np.nan
    layout = fit_layout(X, n_categories)
    parts = [
        X[:, block.columns]
        if block.kind == "gaussian"
        else SCALERS[block.kind](block).forward(X[:, block.columns])
        for block in layout.blocks
    ]
    x = tensor(np.hstack(parts)).to(dtype or torch.float64)
    share = 1 - x.isnan().to(x).mean(dim=0) if missing else None
    variance = tensor(rng.uniform(0.5, 2, layout.n_numeric)).to(x)
    decoded = tensor(rng.normal(size=x.shape)).to(x)
    return make_likelihood(layout, variance, share), x, decoded
