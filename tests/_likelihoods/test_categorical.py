"""Columns of categories: one contract for all, then what is their own."""

import numpy as np
import pytest
import sympy  # noqa: F401  torch imports it late, and it adds a warning filter
import torch
from likelihoods import (
    BernoulliCase,
    CategoricalCase,
    OrdinalCase,
    incomplete,
    mixed_table,
    tensor,
)

from skvae._likelihoods.categorical import Bernoulli, Categorical

EACH_CASE = pytest.mark.parametrize(
    "case", [BernoulliCase, CategoricalCase, OrdinalCase]
)
UNORDERED = pytest.mark.parametrize("case", [BernoulliCase, CategoricalCase])


class TestBernoulli(BernoulliCase):
    """What every block of columns promises."""


class TestCategorical(CategoricalCase):
    """What every block of columns promises."""

    def test_samples_have_one_category_each(self):
        drawn = self.block.sample(
            self.decoded.repeat(50, 1), torch.Generator().manual_seed(0)
        )
        drawn = drawn * self.spread + self.center
        for part in drawn.split(self.sizes, dim=1):
            np.testing.assert_allclose(part.max(dim=1).values, 1)
            np.testing.assert_allclose(part.sum(dim=1), 1)


@EACH_CASE
def test_there_is_no_noise_to_change(case):
    block = case.block
    assert block.variance.shape == (0,)
    assert block.with_noise(block.variance) is block
    assert not block.dispersion.is_fitted


@UNORDERED
def test_logits_start_where_probabilities_are_the_shares(case):
    found = case.block.probability(case.block.start())
    np.testing.assert_allclose(found, case.center)


@UNORDERED
def test_categories_that_no_row_has_or_every_row_start_finite(case):
    center = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0][: len(case.center)]).double()
    block = type(case.block)(center, case.spread, case.block.sizes)
    start = block.start()
    assert start.isfinite().all()
    np.testing.assert_allclose(block.probability(start), center, atol=1e-8)


@UNORDERED
def test_the_curvature_bounds_that_of_the_log_mass(case):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(200, len(case.center), generator=generator).double()
    probability = case.block.probability(torch.cat([torch.zeros_like(logits), logits]))
    largest = 0
    for part in probability.split(case.sizes, dim=1):
        hessian = torch.diag_embed(part) - part[:, :, None] * part[:, None]
        if part.shape[1] == 1:  # the other category has no logit
            hessian = (part * (1 - part))[:, :, None]
        largest = max(largest, float(torch.linalg.eigvalsh(hessian).max()))
    assert 0.9 * case.block.curvature < largest <= case.block.curvature + 1e-9


def test_of_each_categorical_column_the_others_determine_one_indicator():
    assert CategoricalCase.block.n_dependent == 2
    assert BernoulliCase.block.n_dependent == OrdinalCase.block.n_dependent == 0


@EACH_CASE
def test_indicators_are_whole_whatever_the_rounding(case):
    single = case.x.float() + 1e-6
    assert torch.equal(case.block.indicators(single).double(), case.indicators)


@EACH_CASE
def test_each_column_counts_by_its_share(case):
    error = torch.ones_like(case.center)
    share = torch.linspace(0.5, 1, len(error)).double()
    for block in case.block, incomplete(case.block), case.block.to("cpu"):
        assert float(block.expected_log_prob(error, error)) == -len(error)
        found = float(block.expected_log_prob(error, share))
        assert found == pytest.approx(-0.75 * len(error))


def test_a_column_of_one_category_is_certain():
    block, x, decoded = mixed_table(columns=[1])
    assert isinstance(block, Categorical)
    np.testing.assert_allclose(block.log_prob(x, 9 * decoded), 0, atol=1e-12)
    np.testing.assert_allclose(block.mean(decoded), 0, atol=1e-12)  # the share is 1
    assert torch.equal(block.sample(decoded, torch.Generator()), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [50.0, 1e4, 1e30])
def test_huge_logits_stay_finite(size, dtype):
    block, x, decoded = mixed_table(columns=[2, 500, 3], dtype=dtype)
    n_binary, _ = block.widths
    assert isinstance(block.blocks[0], Bernoulli)
    decoded = size * decoded.sign()
    log_prob, out = block.log_prob(x, decoded), torch.empty_like(x)
    error = block.backward(x, decoded.clone(), torch.tensor(1.0, dtype=dtype), out)
    for values in (log_prob, out, error, block.mean(decoded)):
        assert values.dtype == dtype
        assert values.isfinite().all()
    assert block.sample(decoded, torch.Generator().manual_seed(0)).isfinite().all()
    # a wrong category is never impossible
    assert float(log_prob[:, n_binary:].min()) > -100
    assert (out.abs() <= 1).all()


def test_a_gradient_by_logits_is_the_excess_of_the_probability():
    case, out = CategoricalCase, torch.empty(2, 5, dtype=torch.float64)
    case.block.backward(case.x, case.decoded.clone(), tensor(0.5), out)
    expected = 0.5 * (case.block.probability(case.decoded) - case.indicators)
    np.testing.assert_allclose(out, expected)
