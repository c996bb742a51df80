"""The linear VAE of rows with missing values, against the textbook."""

import numpy as np
import pytest
from helpers import draw_factor_model, model_covariance, with_missing
from scipy.stats import multivariate_normal

from skvae._linear.anchor import fit_linear_vae

NOISES = ["spherical", "diag"]


@pytest.mark.parametrize("noise", NOISES)
def test_what_is_observed_conditions_as_in_the_textbook(noise):
    x = draw_factor_model()
    linear = fit_linear_vae(x, 2, noise, 1e-9)
    incomplete = with_missing(x[:40], 0.5)
    incomplete[0] = np.nan
    filled, log_density = linear.fill(incomplete), linear.log_density(incomplete)
    squares = linear.expected_squares(incomplete)
    for i, row in enumerate(incomplete):
        o = ~np.isnan(row)
        center, cov = linear.decoder_bias, model_covariance(linear)
        gain = cov[:, o] @ np.linalg.inv(cov[np.ix_(o, o)])
        expected = center + gain @ (row[o] - center[o])
        np.testing.assert_allclose(filled[i][~o], expected[~o], rtol=1e-9)
        np.testing.assert_array_equal(filled[i][o], row[o])
        if o.any():
            oracle = multivariate_normal(center[o], cov[np.ix_(o, o)])
            assert log_density[i] == pytest.approx(oracle.logpdf(row[o]))
        assert np.isnan(squares[i][~o]).all()
    assert log_density[0] == 0
    np.testing.assert_allclose(linear.encode(incomplete)[0], 0, atol=1e-12)


def test_complete_rows_are_the_same_beside_rows_with_missing_values():
    x = draw_factor_model(100)
    linear = fit_linear_vae(x, 2, "diag", 1e-9)
    mixed = np.r_[x, with_missing(x)]
    for method in (linear.encode, linear.log_density, linear.expected_squares):
        np.testing.assert_allclose(method(mixed)[:100], method(x), rtol=1e-9)
    np.testing.assert_array_equal(linear.informed(x), 1)
