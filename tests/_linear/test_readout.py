"""The read-out, against NumPy's least squares and scikit-learn's PCA."""

import numpy as np
import pytest
import torch
from helpers import draw_factor_model
from sklearn.decomposition import PCA

from skvae._linear import readout as readout_module
from skvae._linear.anchor import fit_linear_vae
from skvae._linear.readout import fit_readout

TINY = 1e-12  # a floor that binds nowhere


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def rows():
    """Return posterior means, (50, 3), and what depends on them, (50, 4)."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(50, 3)) + 5
    return z, z @ rng.normal(size=(3, 4)) + rng.normal(size=(50, 4)) + 1


def test_readout_is_least_squares(rows, monkeypatch):
    z, residual = rows
    oracle = np.linalg.lstsq(np.c_[np.ones(50), z], residual)[0]
    found = fit_readout(tensor(z), tensor(residual))
    np.testing.assert_allclose(found, oracle, rtol=1e-4)
    monkeypatch.setattr(readout_module, "RIDGE", 0.0)
    found = fit_readout(tensor(z), tensor(residual))
    np.testing.assert_allclose(found, oracle, rtol=1e-9)


@pytest.mark.parametrize("k", [1, 2, 6, 8])
def test_readout_turns_the_linear_model_into_pca(k):
    x, new = draw_factor_model(400), draw_factor_model(30, seed=1)
    linear = fit_linear_vae(tensor(x), k, "spherical", TINY)
    z = linear.posterior_mean(tensor(x))
    readout = fit_readout(z, tensor(x) - linear.decode(z))
    z = linear.posterior_mean(tensor(new))
    pca = PCA(min(k, 6)).fit(x)
    np.testing.assert_allclose(
        linear.decode(z) + readout[0] + z @ readout[1:],
        pca.inverse_transform(pca.transform(new)),
        atol=1e-6 * abs(new).max(),
    )


def test_readout_ignores_an_empty_component():
    rng = np.random.default_rng(0)
    z = np.c_[rng.normal(size=(30, 1)), np.zeros((30, 1))]
    readout = fit_readout(tensor(z), tensor(rng.normal(size=(30, 3))))
    np.testing.assert_array_equal(readout[2], 0)
    assert readout.isfinite().all()


def test_each_column_has_the_ridge_regression_of_the_rows_that_have_it():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(60, 2)) + 1
    residual = z @ rng.normal(size=(2, 4)) + 3 + rng.normal(size=(60, 4))
    residual[rng.random(residual.shape) < [0.0, 0.2, 0.5, 0.9]] = np.nan
    found = fit_readout(tensor(z), tensor(residual))
    for j, column in enumerate(residual.T):
        rows = ~np.isnan(column)
        x, y = z[rows] - z[rows].mean(0), column[rows] - column[rows].mean()
        ridge = np.eye(2) * (60e-6 + 10 * (1 - rows.mean()))
        weights = np.linalg.solve(x.T @ x + ridge, x.T @ y)
        intercept = column[rows].mean() - z[rows].mean(0) @ weights
        np.testing.assert_allclose(found[:, j], [intercept, *weights], rtol=1e-4)


@pytest.mark.parametrize("n_observed", [0, 1, 2])
def test_a_column_of_few_entries_is_hardly_corrected(n_observed):
    rng = np.random.default_rng(0)
    z, residual = rng.normal(size=(40, 6)), rng.normal(size=(40, 3))
    residual[n_observed:, 0] = np.nan
    found = fit_readout(tensor(z), tensor(residual))[:, 0]
    assert found.isfinite().all()
    assert abs(found[1:]).max() < 0.2
    some = residual[:n_observed, 0]
    assert abs(found[0]) <= max(abs(some), default=0.0) + 0.3


def test_columns_and_rows_at_a_time_make_the_same_readout(rows, monkeypatch):
    z, residual = rows
    residual[3:20, 1] = np.nan
    given = tensor(z), tensor(residual)
    together = fit_readout(*given)
    monkeypatch.setattr(readout_module, "CHUNK_ENTRIES", 48)  # three of each
    np.testing.assert_allclose(fit_readout(*given), together, rtol=1e-9)


def test_rows_of_single_precision_have_a_readout_of_double(rows):
    z, residual = (tensor(part).float() for part in rows)
    found = fit_readout(z, residual)
    assert found.dtype == torch.float64
    np.testing.assert_array_equal(found, fit_readout(z.double(), residual.double()))
