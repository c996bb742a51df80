"""Blocks of columns side by side, with missing entries or without."""

import numpy as np
import pytest
import sympy  # noqa: F401  torch imports it late, and it adds a warning filter
import torch
from helpers import kinds_of
from likelihoods import (
    COLUMNS,
    WIDTHS,
    BernoulliCase,
    CategoricalCase,
    GaussianCase,
    LikelihoodContract,
    OrdinalCase,
    mixed_table,
    share_of,
    tensor,
)
from torch.utils._python_dispatch import TorchDispatchMode

from skvae._likelihoods.categorical import Bernoulli, Categorical
from skvae._likelihoods.dispersion import Dispersion
from skvae._likelihoods.gaussian import Gaussian
from skvae._likelihoods.mixed import KINDS, Mixed, indicator_blocks, make_likelihood
from skvae._likelihoods.ordinal import Ordinal
from skvae._table.indicators import INDICATORS, fit_layout


class TestMixed(LikelihoodContract):
    """The blocks of each kind side by side, in rows of their own."""

    parts = GaussianCase, BernoulliCase, CategoricalCase, OrdinalCase
    block = Mixed([part.block for part in parts], (3, 3, 5, 5))
    curvature_tolerance = OrdinalCase.curvature_tolerance
    decoded, x = (
        torch.cat([getattr(part, name) for part in parts], dim=1)
        for parts, name in ((parts, "decoded"), (parts, "x"))
    )
    sizes = 1, 1, 1, 1, 1, 1, 3, 2, 3, 2

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

    def test_the_noise_is_that_of_the_numeric_columns(self):
        assert self.block.variance is GaussianCase.block.variance
        assert self.block.dispersion is GaussianCase.block.dispersion
        dispersion = Dispersion(torch.zeros(3, 3), 1.0)
        other = self.block.with_noise(tensor([1.0, 2.0, 3.0]), dispersion)
        np.testing.assert_array_equal(other.variance, [1, 2, 3])
        assert other.dispersion is dispersion
        assert other.blocks[1:] == self.block.blocks[1:]  # themselves
        assert other.widths == self.block.widths
        np.testing.assert_array_equal(self.block.variance, [0.01, 1, 9])


def mixed_layout():
    rng = np.random.default_rng(0)
    kinds, n_categories = kinds_of(COLUMNS)
    X = rng.integers(np.maximum(n_categories, 1), size=(50, len(COLUMNS)))
    return fit_layout(X.astype(float), kinds, n_categories)


def test_every_kind_of_the_layout_has_a_likelihood_and_a_scaler():
    kinds = [block.kind for block in mixed_layout().blocks]
    assert kinds == list(KINDS) == ["gaussian", *INDICATORS]


INDICATOR_CLASSES = [Bernoulli, Categorical, Ordinal]


@pytest.mark.parametrize("incomplete", [False, True])
def test_the_likelihood_of_a_layout_has_its_blocks(incomplete):
    layout, variance = mixed_layout(), torch.tensor([0.5, 2.0])
    found = make_likelihood(layout, variance, incomplete)
    assert [type(block) for block in found.blocks] == [Gaussian, *INDICATOR_CLASSES]
    assert tuple(found.widths) == layout.widths == WIDTHS
    assert found.variance is variance
    for block in found, *found.blocks:
        assert block.incomplete is incomplete
    assert not make_likelihood(layout, variance).incomplete
    for block, expected in zip(found.blocks[1:], layout.blocks[1:], strict=True):
        assert block.center.dtype == block.spread.dtype == torch.float32
        np.testing.assert_allclose(block.center, expected.center, rtol=1e-6)
        np.testing.assert_allclose(block.spread, expected.spread, rtol=1e-6)
        np.testing.assert_array_equal(block.sizes, expected.sizes)


def test_blocks_of_indicators_are_those_beside_the_numeric_columns():
    like = torch.zeros(3, dtype=torch.float64)
    blocks = indicator_blocks(mixed_layout(), like)
    assert [type(block) for block in blocks] == INDICATOR_CLASSES
    assert all(block.center.dtype == torch.float64 for block in blocks)
    numeric = fit_layout(np.ones((3, 2)), *kinds_of([0, 0]))
    assert indicator_blocks(numeric, like) == []
    assert isinstance(make_likelihood(numeric, like[:2]), Gaussian)


# ------------------------------------------------------ categories and missing entries


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_a_mixed_backward_is_autograd_of_what_is_observed(missing):
    block, x, decoded = mixed_table(missing=missing)
    weight = tensor(1 / len(x))
    leaf, gaps = decoded.clone().requires_grad_(), x.isnan()
    log_prob = block.log_prob(x.nan_to_num(0.0), leaf).masked_fill(gaps, 0)
    (-weight * log_prob.sum()).backward()
    out = torch.full_like(x, np.nan)
    error = block.backward(x, decoded.clone(), weight, out)
    np.testing.assert_allclose(out, leaf.grad, rtol=1e-10, atol=1e-16)
    errors, share = block.errors(x, decoded), share_of(x)
    np.testing.assert_allclose(error, errors.nansum(dim=0) / len(x), atol=1e-15)
    np.testing.assert_allclose(error / share, errors.nanmean(dim=0), atol=1e-15)
    mean = log_prob.sum(dim=1).mean().detach()
    np.testing.assert_allclose(block.expected_log_prob(error / share, share), mean)


def test_missing_entries_count_for_nothing():
    block, x, decoded = mixed_table(missing=0.3)
    missing = x.isnan()
    assert missing.any(dim=0)[[0, 2, 4, 12]].all()
    log_prob = block.log_prob(x, decoded)
    np.testing.assert_array_equal(log_prob[missing], 0)
    assert torch.equal(block.errors(x, decoded).isnan(), missing)
    other = torch.where(missing, 50.0, decoded)  # all categories miss together
    found = block.log_prob(x, other)
    np.testing.assert_allclose(found[~missing], log_prob[~missing], rtol=1e-12)
    out = torch.empty_like(x)
    block.backward(x, decoded.clone(), tensor(1.0), out)
    np.testing.assert_array_equal(out[missing], 0)


def test_the_columns_are_numeric_then_binary_then_of_more_categories_then_ordered():
    block, x, _ = mixed_table()
    assert tuple(block.widths) == WIDTHS
    assert block.sizes.tolist() == [1, 1, 1, 1, 3, 1, 4, 4]
    numeric, binary, categorical, ordered = x.split(WIDTHS, dim=1)
    assert categorical.shape[1] == 8
    exceeds = block.blocks[3].indicators(ordered)
    assert (exceeds.diff(dim=1) <= 0).all()
    assert len(exceeds.unique(dim=0)) == 5
    assert len(np.unique(numeric)) == 120
    assert len(np.unique(binary.round(decimals=9))) == 4


@pytest.mark.parametrize(
    "columns",
    [[0, 0], [2, 2], [3, 5], [1], [-4], [0, 1], [0, 2], [0, -3], [2, 3], [3, -3]],
)
def test_columns_of_a_kind_may_be_none(columns):
    block, x, decoded = mixed_table(columns=columns, missing=0.2)
    error = block.backward(x, decoded.clone(), tensor(1 / len(x)), torch.empty_like(x))
    fit, share = block.log_prob(x, decoded).sum(dim=1).mean(), share_of(x)
    np.testing.assert_allclose(block.expected_log_prob(error / share, share), fit)
    n_numeric = columns.count(0)
    assert block.variance.shape == (n_numeric,)
    other = block.with_noise(tensor(n_numeric * [7.0]))
    np.testing.assert_array_equal(other.variance, n_numeric * [7.0])
    generator = torch.Generator().manual_seed(0)
    for drawn in block.mean(decoded), block.sample(decoded, generator):
        assert drawn.shape == x.shape
        assert drawn.isfinite().all()


class Operations(TorchDispatchMode):
    """Count what torch is asked to do."""

    n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.n += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("verb", ["backward", "log_prob", "errors", "mean"])
def test_a_step_has_as_many_operations_whatever_the_columns(verb, missing):
    counts = []
    for n_columns in (3, 30):
        columns = np.repeat([0, 2, 3, -4], n_columns)
        block, x, decoded = mixed_table(columns=columns, missing=missing)
        arguments = {
            "backward": (x, decoded, tensor(1.0), torch.empty_like(x)),
            "mean": (decoded,),
        }.get(verb, (x, decoded))
        with Operations() as operations:
            getattr(block, verb)(*arguments)
        counts.append(operations.n)
    assert counts[0] == counts[1] > 0


def test_indicators_ignore_the_width_of_intervals():
    block, x, decoded = mixed_table(missing=0.2)
    intervals = torch.stack([x, x], dim=1)
    intervals[:, 1, 0] += 0.5
    found = block.given(decoded).log_prob(intervals, decoded)
    expected = block.log_prob(x, decoded)
    assert torch.equal(found[:, 2:], expected[:, 2:])
    numeric = Gaussian(block.variance)
    expected = numeric.log_prob(intervals[..., :2], decoded[:, :2])
    np.testing.assert_array_equal(found[:, :2], expected)


def test_a_mixed_block_may_vary_with_z():
    block, x, decoded = mixed_table()
    dispersion = Dispersion(tensor(np.ones((5, 2))), 1.0)
    varying = block.with_noise(block.variance, dispersion)
    z = tensor(np.random.default_rng(0).normal(size=(len(x), 2)))
    found = varying.given(z).log_prob(x, decoded)
    numeric = Gaussian(block.variance * dispersion.factor(z))
    expected = numeric.log_prob(x[:, :2], decoded[:, :2])
    np.testing.assert_array_equal(found[:, :2], expected)
    assert torch.equal(found[:, 2:], block.log_prob(x, decoded)[:, 2:])
