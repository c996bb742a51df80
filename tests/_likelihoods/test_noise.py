"""The noise that follows errors, against numerical optima and running means."""

import numpy as np
import pytest
import torch
from likelihoods import incomplete, mixed_table, share_of, tensor
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from skvae._likelihoods.gaussian import Gaussian
from skvae._likelihoods.noise import Tracked

ERROR = tensor([0.02, 0.5, 3.0])
NOTHING = torch.zeros(3, dtype=torch.float64)
SHARE = tensor([0.2, 0.9, 0.5])
SEEN = torch.ones_like(NOTHING)


def gaussian(shared=False, floor=1e-6, within=NOTHING, share=SEEN, hidden_share=0.0):
    incomplete = share is not SEEN or hidden_share > 0
    return Tracked(
        Gaussian(tensor([1.0, 2.0, 3.0]), incomplete=incomplete),
        floor=torch.full_like(ERROR, floor),
        shared=shared,
        within=within,
        share=share,
        hidden_share=hidden_share,
    )


def tracked(likelihood, shared=False, share=None, hidden_share=0.0):
    """Return the noise of a likelihood that was made for a table."""
    nothing = torch.zeros_like(likelihood.variance)
    return Tracked(
        likelihood,
        floor=nothing + 0.1,
        shared=shared,
        within=nothing,
        share=torch.ones(int(likelihood.sizes.sum())).to(nothing)
        if share is None
        else share,
        hidden_share=hidden_share,
    )


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("shared", [False, True])
def test_it_says_of_rows_what_its_likelihood_does(shared, missing):
    likelihood, x, decoded = mixed_table(missing=missing)
    share = share_of(x)
    noise = tracked(likelihood, shared, share)
    errors = noise.errors(x, decoded)
    np.testing.assert_array_equal(errors, likelihood.errors(x, decoded))
    found, expected = torch.empty(2, *x.shape, dtype=torch.float64)
    weight = tensor(1 / len(x))
    error = noise.backward(x, decoded.clone(), weight, found)
    same = likelihood.backward(x, decoded.clone(), weight, expected)
    assert torch.equal(error, same / share)
    np.testing.assert_allclose(error, errors.nanmean(dim=0), atol=1e-15)
    assert torch.equal(found, expected)
    mean = likelihood.log_prob(x, decoded).sum(dim=1).mean()
    np.testing.assert_allclose(noise.expected_log_prob(error), mean)
    assert torch.equal(noise.sizes, likelihood.sizes)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_errors_are_the_means_of_what_an_epoch_leaves_to_see(missing):
    """A quarter of each column's observed entries is hidden on top of the missing."""
    likelihood, x, decoded = mixed_table(n=4000, missing=missing)
    if not missing:
        likelihood = incomplete(likelihood)
    share, seen = share_of(x), x.clone()
    for column in seen.T:
        observed = torch.nonzero(~column.isnan())[:, 0]
        column[observed[: len(observed) // 4]] = torch.nan
    hidden_share = 1 - share_of(seen) / share  # .25 but for the rounding
    np.testing.assert_allclose(hidden_share, 0.25, atol=1e-3)
    noise = tracked(likelihood, share=share, hidden_share=0.25)
    weight, out = tensor(1 / len(x)), torch.empty_like(x)
    error = noise.backward(seen, decoded.clone(), weight, out)
    expected = likelihood.errors(seen, decoded).nanmean(dim=0)
    np.testing.assert_allclose(error, expected, rtol=2e-3)
    # What all rows are said to be is of the entries that there are, hidden or not.
    expected = likelihood.expected_log_prob(expected, share)
    np.testing.assert_allclose(noise.expected_log_prob(error), expected, rtol=2e-3)


@pytest.mark.parametrize("share", [SEEN, SHARE])
@pytest.mark.parametrize("shared", [False, True])
def test_mean_errors_ask_for_the_same_noise_whatever_is_hidden(shared, share):
    """Each column hides the same share of what it has."""
    noise, plain = (
        gaussian(shared, share=share, hidden_share=hidden) for hidden in (0.15, 0.0)
    )
    assert torch.equal(noise.refit(ERROR).variance, plain.refit(ERROR).variance)
    assert noise.expected_log_prob(ERROR) == plain.expected_log_prob(ERROR)
    for one in noise, plain:
        one.track(ERROR.clone(), 0.25)
    np.testing.assert_allclose(noise.variance, plain.variance, rtol=1e-12)


@pytest.mark.parametrize("way", ["clone", "refit", "to"])
def test_copies_know_what_an_epoch_hides(way):
    noise = gaussian(share=SHARE, hidden_share=0.15)
    copy = {
        "clone": noise.clone,
        "refit": lambda: noise.refit(noise.variance),
        "to": lambda: noise.to("cpu"),
    }[way]()
    assert copy.likelihood.incomplete
    x, decoded = torch.zeros(2, 3).double(), torch.ones(2, 3).double()
    for one in noise, copy:
        error = one.backward(x, decoded.clone(), tensor(0.5), torch.empty_like(x))
        np.testing.assert_allclose(error, 1 / (0.85 * SHARE))


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


@pytest.mark.parametrize("share", [SEEN, SHARE])
def test_refit_of_shared_noise_is_the_numerical_optimum_of_one_variance(share):
    def loss(log_variance):
        variance = tensor([np.exp(log_variance)] * 3)
        return -float(Gaussian(variance).expected_log_prob(ERROR, share))

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
    assert found.share is found.within is SHARE
    assert found.likelihood.incomplete


@pytest.mark.parametrize("share", [SEEN, SHARE])
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
@pytest.mark.parametrize("columns", [[2, 2], [3], [2, 3], [-4], [2, -3]])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_without_numeric_columns_there_is_nothing_to_track(columns, missing, shared):
    likelihood, x, decoded = mixed_table(columns=columns, missing=missing)
    share = share_of(x)
    noise = tracked(likelihood, shared, share)
    error = likelihood.errors(x, decoded).nanmean(dim=0)
    noise.track(error.clone(), 0.5)
    refitted = noise.refit(error)
    for one in noise, refitted, noise.clone(), noise.to("cpu"):
        assert one.variance.shape == (0,)
    found = refitted.expected_log_prob(error)
    assert torch.equal(found, likelihood.expected_log_prob(error, share))


def test_on_another_device_it_is_the_same():
    noise = gaussian(True, floor=0.1, within=SHARE, share=SHARE, hidden_share=0.15)
    same = noise.to("cpu")
    assert same.shared
    assert same.hidden_share == 0.15
    assert same.likelihood.incomplete
    for name in "variance", "floor", "within", "share":
        assert torch.equal(getattr(same, name), getattr(noise, name))
    assert torch.equal(same.refit(ERROR).variance, noise.refit(ERROR).variance)


@pytest.mark.parametrize("missing", [False, True])
def test_a_shared_noise_is_equal_in_the_columns_units(missing):
    share, units = SHARE if missing else SEEN, tensor([1.0, 0.1, 1e-3])
    variance = tensor([1.0, 2.0, 3.0])
    noise = Tracked(
        Gaussian(variance.clone(), incomplete=missing),
        floor=torch.zeros_like(ERROR),
        shared=True,
        within=NOTHING,
        share=share,
        units=units,
    )
    expected = (ERROR * units**2 * share).sum() / share.sum() / units**2
    refitted = noise.clone().to("cpu").refit(ERROR)
    np.testing.assert_allclose(refitted.variance, expected)
    noise.track(ERROR.clone(), 0.25)
    np.testing.assert_allclose(noise.variance, 0.75 * variance + 0.25 * expected)
