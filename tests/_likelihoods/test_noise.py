"""The noise that follows errors, against numerical optima and running means."""

import numpy as np
import pytest
import torch
from likelihoods import mixed_table, tensor
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from skvae._likelihoods.gaussian import Gaussian
from skvae._likelihoods.noise import Tracked

ERROR = tensor([0.02, 0.5, 3.0])
NOTHING = torch.zeros(3, dtype=torch.float64)
SHARE = tensor([0.2, 0.9, 0.5])


def gaussian(shared=False, floor=1e-6, within=NOTHING, share=None):
    return Tracked(
        Gaussian(tensor([1.0, 2.0, 3.0]), share=share),
        floor=torch.full_like(ERROR, floor),
        shared=shared,
        within=within,
        share=share,
    )


def tracked(likelihood, shared=False):
    """Return the noise of a likelihood that was made for a table."""
    nothing = torch.zeros_like(likelihood.variance)
    return Tracked(likelihood, floor=nothing + 0.1, shared=shared, within=nothing)


@pytest.mark.parametrize("shared", [False, True])
def test_it_says_of_rows_what_its_likelihood_does(shared):
    likelihood, x, decoded = mixed_table(missing=0.2)
    noise = tracked(likelihood, shared)
    errors = noise.errors(x, decoded)
    np.testing.assert_array_equal(errors, likelihood.errors(x, decoded))
    found, expected = torch.empty(2, *x.shape, dtype=torch.float64)
    weight = tensor(1 / len(x))
    error = noise.backward(x, decoded.clone(), weight, found)
    same = likelihood.backward(x, decoded.clone(), weight, expected)
    assert torch.equal(error, same)
    assert torch.equal(found, expected)
    mean = likelihood.log_prob(x, decoded).sum(dim=1).mean()
    np.testing.assert_allclose(noise.expected_log_prob(error), mean)
    assert torch.equal(noise.sizes, likelihood.sizes)


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


@pytest.mark.parametrize("share", [None, SHARE])
def test_refit_of_shared_noise_is_the_numerical_optimum_of_one_variance(share):
    def loss(log_variance):
        variance = tensor([np.exp(log_variance)] * 3)
        return -float(Gaussian(variance, share=share).expected_log_prob(ERROR))

    found = gaussian(shared=True, share=share).refit(ERROR)
    best = minimize_scalar(loss, bounds=(-10, 10), options={"xatol": 1e-9})
    np.testing.assert_allclose(found.variance, np.exp(best.x), rtol=1e-5)


def test_refit_stops_at_the_floor():
    np.testing.assert_allclose(gaussian(floor=0.1).refit(ERROR).variance, [0.1, 0.5, 3])
    shared = gaussian(shared=True, floor=5.0).refit(ERROR)
    np.testing.assert_allclose(shared.variance, 5)
    assert shared.shared
    np.testing.assert_array_equal(shared.floor, 5)


def test_each_column_has_a_floor_of_its_own():
    noise = gaussian()
    noise.floor = tensor([1.0, 0.1, 7.0])
    np.testing.assert_array_equal(noise.refit(ERROR).variance, [1.0, 0.5, 7.0])
    noise.track(ERROR.clone(), 1.0)
    np.testing.assert_array_equal(noise.variance, [1.0, 0.5, 7.0])


def test_refit_leaves_the_noise_as_it_was():
    noise = gaussian(share=SHARE, within=SHARE)
    found = noise.refit(ERROR)
    np.testing.assert_array_equal(noise.variance, [1, 2, 3])
    np.testing.assert_array_equal(ERROR, [0.02, 0.5, 3.0])
    assert found.share is found.likelihood.share is found.within is SHARE


@pytest.mark.parametrize("share", [None, SHARE])
@pytest.mark.parametrize("shared", [False, True])
def test_track_is_a_running_mean(shared, share):
    noise, weight = gaussian(shared, floor=0.1, share=share), 0.25
    errors = [tensor([0.02, 0.5, 3.0]), tensor([1.0, 1.0, 1.0]), tensor([9.0, 0, 0])]
    expected = np.array([1.0, 2.0, 3.0])
    for error in errors:
        noise.track(error.clone(), weight)
        mean = np.average(error, weights=share)
        batch = np.full(3, mean) if shared else error.numpy()
        expected = (1 - weight) * expected + weight * np.maximum(batch, 0.1)
    np.testing.assert_allclose(noise.variance, expected, rtol=1e-12)


def test_the_variance_moves_where_the_likelihood_has_it():
    noise = gaussian()
    noise.track(ERROR.clone(), 0.5)
    assert noise.variance is noise.likelihood.variance
    np.testing.assert_allclose(noise.variance, [0.51, 1.25, 3.0])


def test_a_clone_stays_when_the_noise_is_tracked():
    noise = gaussian(shared=True, floor=0.5)
    clone = noise.clone()
    noise.track(ERROR.clone(), 0.5)
    np.testing.assert_array_equal(clone.variance, [1, 2, 3])
    assert clone.shared
    np.testing.assert_array_equal(clone.floor, 0.5)


def test_what_lies_within_an_entry_is_error_too():
    within, plain = tensor([0.3, 0.0, 1.0]), gaussian()
    noise = gaussian(within=within)
    error = ERROR + within
    np.testing.assert_allclose(noise.refit(ERROR).variance, error)
    assert noise.expected_log_prob(ERROR) == plain.expected_log_prob(error)
    noise.track(ERROR.clone(), 0.25)
    plain.track(error, 0.25)
    np.testing.assert_allclose(noise.variance, plain.variance)
    assert noise.clone().within is within


@pytest.mark.parametrize("shared", [False, True])
def test_the_noise_of_a_mixed_table_is_that_of_its_numeric_columns(shared):
    likelihood, x, decoded = mixed_table()
    noise, before = tracked(likelihood, shared), likelihood.variance.clone()
    error = likelihood.errors(x, decoded).mean(dim=0)
    numeric = tracked(Gaussian(before.clone()), shared)
    refitted = noise.refit(error)
    assert torch.equal(refitted.variance, numeric.refit(error[:2]).variance)
    assert refitted.likelihood.blocks[1:] == likelihood.blocks[1:]  # themselves
    clone = noise.clone()
    clone.track(error.clone(), 0.5)
    numeric.track(error[:2].clone(), 0.5)
    assert torch.equal(clone.variance, numeric.variance)
    assert torch.equal(noise.variance, before)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("n_categories", [[2, 2], [3], [2, 3]])
def test_without_numeric_columns_there_is_nothing_to_track(n_categories, shared):
    likelihood, x, decoded = mixed_table(
        n_categories=np.array(n_categories), missing=0.2
    )
    noise = tracked(likelihood, shared)
    error = likelihood.errors(x, decoded).nanmean(dim=0)
    for share in None, likelihood.variance:
        noise.share = share
        noise.track(error.clone(), 0.5)
        refitted = noise.refit(error)
        for one in noise, refitted, noise.clone(), noise.to("cpu"):
            assert one.variance.shape == (0,)
        found = refitted.expected_log_prob(error)
        assert torch.equal(found, likelihood.expected_log_prob(error))


def test_on_another_device_it_is_the_same():
    noise = gaussian(shared=True, floor=0.1, within=SHARE, share=SHARE)
    same = noise.to("cpu")
    assert same.shared
    for name in "variance", "floor", "within", "share":
        assert torch.equal(getattr(same, name), getattr(noise, name))
    assert torch.equal(same.refit(ERROR).variance, noise.refit(ERROR).variance)
