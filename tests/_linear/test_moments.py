"""Means, variances and covariances of rows, against NumPy's."""

import numpy as np
import pytest
import torch
from helpers import draw_factor_model, with_missing

from skvae._linear import moments
from skvae._linear.moments import (
    least_noise,
    n_observed,
    observed_mean,
    scatter,
    shared_noise,
    variance,
)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture(params=[4096, 7])
def chunk_rows(request, monkeypatch):
    """Add the rows up in one chunk, or in many."""
    monkeypatch.setattr(moments, "CHUNK_ROWS", request.param)


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.usefixtures("chunk_rows")
def test_moments_of_columns_are_those_of_their_observed_entries(share):
    x = with_missing(draw_factor_model(500), share)
    rows = tensor(x)
    n = n_observed(rows)
    np.testing.assert_array_equal(n, (~np.isnan(x)).sum(axis=0))
    assert n.dtype == n_observed(rows.float()).dtype == torch.float64  # also a ratio's
    np.testing.assert_allclose(observed_mean(rows), np.nanmean(x, axis=0))
    np.testing.assert_allclose(variance(rows), np.nanvar(x, axis=0))


@pytest.mark.usefixtures("chunk_rows")
def test_a_column_without_an_entry_has_a_mean_and_a_variance_of_0():
    x = draw_factor_model(9)
    x[:, 2] = np.nan
    assert n_observed(tensor(x))[2] == 1
    assert observed_mean(tensor(x))[2] == 0
    assert variance(tensor(x))[2] == 0
    np.testing.assert_array_equal(observed_mean(tensor(x[:0])), 0)


@pytest.mark.usefixtures("chunk_rows")
def test_the_scatter_is_the_covariance_or_where_rows_are_fewer_a_root_of_it():
    for n in 200, 6, 5:
        x = draw_factor_model(n)
        found = scatter(tensor(x), tensor(x.mean(axis=0)), n - 1)
        assert found.shape == (6 if n >= 6 else n, 6)
        found = found if n >= 6 else found.T @ found
        np.testing.assert_allclose(found, np.cov(x.T), rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("chunk_rows")
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_rows_of_single_precision_are_added_up_in_double(share):
    x = tensor(with_missing(draw_factor_model(5000) + 1e3, share)).float()
    wide = x.double()
    center = observed_mean(x)
    np.testing.assert_allclose(center, observed_mean(wide), rtol=1e-14)
    np.testing.assert_allclose(variance(x), variance(wide), rtol=1e-12)
    complete, few = (torch.nan_to_num(rows, 0.0) for rows in (x, x[:4]))
    for rows in complete, few:
        found = scatter(rows, center, 1)
        assert found.dtype == torch.float64
        np.testing.assert_allclose(found, scatter(rows.double(), center, 1))


def test_the_least_noise_is_a_share_of_the_variance():
    x = draw_factor_model(50, 3) * [1, 100, 0] + [0, 0, 7]
    of_columns = x.var(axis=0)
    diag = least_noise(tensor(x), "diag", 0.01)
    np.testing.assert_allclose(diag, 0.01 * np.array([*of_columns[:2], 1]))
    spherical = least_noise(tensor(x), "spherical", 0.01)
    np.testing.assert_allclose(spherical, np.full(3, 0.01 * of_columns.mean()))


def test_a_shared_noise_is_equal_in_the_columns_units():
    error, units = tensor([1.0, 4.0, 9.0]), tensor([1.0, 1e-3, 10.0])
    shared = shared_noise(error, units) * units**2
    np.testing.assert_allclose(shared, (1 + 4e-6 + 900) / 3)
    np.testing.assert_allclose(shared_noise(error), [14 / 3] * 3)
    x = tensor(draw_factor_model(50, 3))
    least = least_noise(x, "spherical", 0.01, units) * units**2
    plain = least_noise(x, "spherical", 0.01)
    np.testing.assert_allclose(least, plain * 1e-6)  # of the smallest unit's column
    np.testing.assert_allclose(least_noise(x, "spherical", 0.01, units * 0 + 1), plain)


@pytest.mark.parametrize("noise", ["spherical", "diag"])
def test_the_least_noise_is_above_0_and_there_may_be_no_columns(noise):
    constant = torch.full((5, 3), 7.0)
    np.testing.assert_allclose(least_noise(constant, noise, 0.01), 0.01)
    least = least_noise(tensor(draw_factor_model(5, 3)), noise, 0.0)
    assert (least.float() > 0).all()
    assert least_noise(torch.zeros(5, 0), noise, 0.01).shape == (0,)
