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


def test_missing_entries_count_as_being_like_the_others():
    rng = np.random.default_rng(0)
    z, weights = rng.normal(size=(20_000, 2)) + 1, rng.normal(size=(2, 4))
    residual = z @ weights + 3 + 0.1 * rng.normal(size=(20_000, 4))
    complete = fit_readout(tensor(z), tensor(residual))
    residual[rng.random(residual.shape) < [0.0, 0.2, 0.5, 0.9]] = np.nan
    found = fit_readout(tensor(z), tensor(residual))
    np.testing.assert_allclose(found[:, 0], complete[:, 0])
    np.testing.assert_allclose(found, complete, atol=0.15)


def test_rows_of_single_precision_have_a_readout_of_double(rows):
    z, residual = (tensor(part).float() for part in rows)
    found = fit_readout(z, residual)
    assert found.dtype == torch.float64
    np.testing.assert_array_equal(found, fit_readout(z.double(), residual.double()))
