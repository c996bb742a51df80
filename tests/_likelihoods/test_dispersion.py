"""The variance as a function of z: against scikit-learn's gamma regression."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import GammaRegressor

from skvae._likelihoods import dispersion as dispersion_module
from skvae._likelihoods.dispersion import (
    BOUND,
    CONSTANT,
    REACH,
    WAVES,
    Dispersion,
    features,
    fit_dispersion,
)

N, K, RIDGE = 400, 2, 5.0


def tensor(values):
    return torch.as_tensor(values, dtype=torch.float64)


@pytest.fixture
def draws():
    """Two draws of z for each row, and squared errors: two columns vary, one not."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2, N, K))
    log_variance = np.stack(
        [z[..., 0], 1 - 0.8 * z[..., 1] ** 2, np.full(z.shape[:2], 5.0)], axis=-1
    )
    error = np.exp(log_variance) * rng.normal(size=log_variance.shape) ** 2 + 1e-9
    return tensor(z), tensor(error)


def test_it_is_a_gamma_regression_with_a_ridge(draws, monkeypatch):
    monkeypatch.setattr(dispersion_module, "STEPS", 200)
    monkeypatch.setattr(dispersion_module, "BOUND", 1e6)
    z, error = draws
    x = features(z).flatten(0, 1)[:, 1:].numpy()
    factor = fit_dispersion(z, error, RIDGE).factor(z).flatten(0, 1).numpy()
    for j, column in enumerate(error.flatten(0, 1).numpy().T):
        oracle = GammaRegressor(alpha=RIDGE / N, tol=1e-10, max_iter=5000)
        expected = oracle.fit(x, column / column.mean()).predict(x)
        np.testing.assert_allclose(factor[:, j], expected, rtol=1e-3)


def test_few_steps_come_close(draws, monkeypatch):
    few = fit_dispersion(*draws, RIDGE).factor(draws[0])
    monkeypatch.setattr(dispersion_module, "STEPS", 200)
    many = fit_dispersion(*draws, RIDGE).factor(draws[0])
    assert float((few / many).log().abs().max()) < 0.2
    assert float((few / many).log().abs().mean()) < 0.02


def test_the_unit_of_a_column_does_not_count(draws):
    z, error = draws
    scaled = error * tensor([1e-6, 1.0, 1e9])
    np.testing.assert_allclose(
        fit_dispersion(z, scaled, RIDGE).coefficients,
        fit_dispersion(z, error, RIDGE).coefficients,
        rtol=1e-6,
        atol=1e-9,
    )


def test_a_strong_ridge_leaves_a_variance_that_does_not_vary(draws):
    z, error = draws
    factor = fit_dispersion(z, error, 1e12).factor(z)
    np.testing.assert_allclose(factor, 1, atol=1e-6)
    assert float(fit_dispersion(z, error, RIDGE).factor(z)[..., 0].std()) > 0.5


def test_z_is_bent_to_stay_within_reach():
    z = tensor([[-1e9], [-1.0], [0.0], [0.01], [1e9]])
    found = features(z)[:, 1]
    np.testing.assert_allclose(found[[0, 4]], [-REACH, REACH])
    np.testing.assert_allclose(found[2:4], z[2:4, 0], rtol=1e-4)
    np.testing.assert_array_equal(features(z)[:, 2], found**2)


def test_far_out_it_stays_within_bounds(draws):
    fitted = fit_dispersion(*draws, 1e-3)
    far = tensor([[1e9, 0.0], [0.0, -1e9], [1e9, 1e9], [-50.0, 50.0]])
    log_factor = fitted.factor(far).log()
    assert float(log_factor.abs().max()) <= BOUND
    beyond = fitted.factor(10 * far)
    np.testing.assert_allclose(beyond, fitted.factor(far), rtol=0.05)


def loss_of(fitted, z, error):
    factor = fitted.factor(z)
    return float((error / error.mean() / factor + factor.log()).sum())


def test_a_step_that_was_too_long_is_shortened():
    """Where a column is as good as constant, but for three rows in ten."""
    rng = np.random.default_rng(3)
    z = rng.normal(size=(1, 300, 2))
    varies = z[..., :1] > np.quantile(z[..., 0], 0.7)
    error = np.where(varies, rng.normal(size=(1, 300, 1)) ** 2, 1e-6)
    z, error = tensor(z), tensor(error)
    assert loss_of(fit_dispersion(z, error, 3.0), z, error) < -290


@pytest.mark.parametrize("seed", range(5))
def test_no_outlier_makes_it_worse_than_a_constant_variance(seed):
    z = tensor(np.random.default_rng(seed).normal(size=(1, 50, 1)))
    error = torch.ones(1, 50, 1, dtype=torch.float64)
    error[0, 7] = 1e8
    loss = loss_of(fit_dispersion(z, error, 1e-3), z, error)
    assert loss < 40  # 50 is that of the constant


def test_its_arguments_rebuild_it(draws):
    fitted = fit_dispersion(*draws, RIDGE)
    coefficients, ridge = fitted.arguments()
    other = Dispersion(torch.from_numpy(coefficients), ridge)
    assert torch.equal(other.factor(draws[0]), fitted.factor(draws[0]))
    assert ridge == RIDGE


def test_the_variance_is_scaled_by_the_factor_and_without_one_it_stays(draws):
    fitted, variance = fit_dispersion(*draws, RIDGE), tensor([0.5, 1.0, 9.0])
    z = draws[0]
    assert torch.equal(fitted.scale(variance, z), variance * fitted.factor(z))
    assert fitted.is_fitted
    assert CONSTANT.scale(variance, z) is variance
    assert not CONSTANT.is_fitted
    assert CONSTANT.arguments() == ()


def test_a_dispersion_beside_missing_errors_is_that_of_the_others():
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.normal(size=(1, 4000, 1)))
    error = z.exp() * torch.from_numpy(rng.normal(size=(1, 4000, 2)) ** 2)
    incomplete = error.clone()
    incomplete[0, ::2, 1] = torch.nan
    found = fit_dispersion(z, incomplete, 3.0).factor(z)
    np.testing.assert_allclose(
        found[..., 0], fit_dispersion(z, error, 3.0).factor(z)[..., 0]
    )
    half = fit_dispersion(z[:, 1::2], error[:, 1::2], 3.0).factor(z)
    assert float((found[..., 1] / half[..., 1]).log().abs().mean()) < 0.1


# ---------------------------------------------------------------------------- waves


def test_waves_follow_what_squares_cannot():
    rng = np.random.default_rng(0)
    z = tensor(rng.normal(size=(1, 3000, 2)))
    log_variance = 2 * torch.sin(3 * z[..., :1])
    error = log_variance.exp() * tensor(rng.normal(size=(1, 3000, 1))) ** 2
    smooth, waved = (fit_dispersion(z, error, 3.0, n_waves=n) for n in (0, WAVES))
    assert waved.coefficients.shape == (5 + WAVES, 1)
    gaps = [(one.factor(z).log() - log_variance).std() for one in (smooth, waved)]
    assert gaps[1] < 0.5 * gaps[0]


@pytest.mark.parametrize("k", [1, 3])
def test_waves_are_cosines_along_fixed_directions(k):
    z = tensor(np.random.default_rng(0).normal(size=(500, k)))
    found = features(z, 7)
    assert torch.equal(found[:, : 2 * k + 1], features(z))
    assert torch.equal(found, features(z, 7))
    waves = found[:, 2 * k + 1 :]
    assert waves.shape == (500, 7)
    assert float(waves.abs().max()) <= 1
    # Along a direction a cosine is its own second derivative, but for a factor.
    bent = found[:, 1 : k + 1]
    step, row = 1e-3, bent[:1]
    unbent = [row + s * torch.ones_like(row) for s in (-step, 0, step)]
    unbent = torch.cat([b / (1 - (b / REACH) ** 2).sqrt() for b in unbent])
    before, here, after = features(unbent, 7)[:, 2 * k + 1 :]
    squared_frequency = -(before - 2 * here + after) / step**2 / here
    steeper = [row + (1 + s) * torch.ones_like(row) for s in (-step, 0, step)]
    steeper = torch.cat([b / (1 - (b / REACH) ** 2).sqrt() for b in steeper])
    before, here, after = features(steeper, 7)[:, 2 * k + 1 :]
    again = -(before - 2 * here + after) / step**2 / here
    np.testing.assert_allclose(squared_frequency, again, rtol=1e-2, atol=1e-3)


def test_arguments_keep_waves(draws):
    fitted = fit_dispersion(*draws, RIDGE, n_waves=WAVES)
    coefficients, ridge = fitted.arguments()
    other = Dispersion(torch.from_numpy(coefficients), ridge)
    assert torch.equal(other.factor(draws[0]), fitted.factor(draws[0]))
