"""What a linear VAE says of rows, complete or not, against the textbook."""

import numpy as np
import pytest
import torch
from helpers import draw_factor_model, model_covariance, with_missing
from scipy.stats import multivariate_normal

from skvae._linear import vae as vae_module
from skvae._linear.vae import LinearVAE, with_encoder
from skvae._numerics.linalg import eigh

NOISES = ["spherical", "diag"]


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def make_linear(noise="diag", d=6, k=2, seed=0):
    """Return a linear VAE of random loadings, in the rotation that its posterior has.

    Of more components than columns the rest are empty.
    """
    rng = np.random.default_rng(seed)
    loadings, center = (
        tensor(rng.normal(size=(min(k, d), d))),
        tensor(rng.normal(size=d)),
    )
    psi = tensor(np.full(d, 0.4) if noise == "spherical" else rng.uniform(0.1, 1, d))
    _, rotation = eigh((loadings / psi) @ loadings.T)
    return with_encoder(rotation @ loadings, center, psi, k)


def textbook_posterior(linear, x):
    """Return the mean of z of each row, and the covariance of all."""
    W, psi = linear.decoder.numpy().T, linear.noise_variance.numpy()
    covariance = np.linalg.inv(np.eye(W.shape[1]) + W.T @ (W / psi[:, None]))
    return (x - linear.decoder_bias.numpy()) / psi @ W @ covariance, covariance


# ------------------------------------------------------------------------ complete rows


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("d", "k"), [(6, 1), (6, 2), (20, 3), (4, 6)])
def test_the_encoder_is_the_exact_posterior_which_is_diagonal(noise, d, k):
    x, linear = draw_factor_model(50, d), make_linear(noise, d, k)
    mean, covariance = textbook_posterior(linear, x)
    np.testing.assert_allclose(np.diag(linear.log_var.exp()), covariance, atol=1e-10)
    np.testing.assert_allclose(linear.posterior_mean(tensor(x)), mean, atol=1e-10)


def test_decoding_is_the_loadings_and_the_center_and_so_is_the_output_map():
    linear, z = make_linear(k=3), np.random.default_rng(0).normal(size=(9, 3))
    expected = linear.decoder_bias.numpy() + z @ linear.decoder.numpy()
    np.testing.assert_allclose(linear.decode(tensor(z)), expected)
    found = np.c_[np.ones(9), z] @ linear.output_map.numpy()
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("d", "k"), [(6, 2), (20, 3), (4, 6)])
def test_log_density_is_that_of_the_normal_distribution(noise, d, k):
    linear, new = make_linear(noise, d, k), draw_factor_model(30, d, seed=1)
    oracle = multivariate_normal(linear.decoder_bias.numpy(), model_covariance(linear))
    found = linear.log_density(tensor(new))
    np.testing.assert_allclose(found, oracle.logpdf(new), rtol=1e-9)


def test_expected_squares_are_the_means_of_draws_from_the_posterior():
    x, linear = draw_factor_model(5), make_linear()
    mean, covariance = textbook_posterior(linear, x)
    W = linear.decoder.numpy().T
    error = x - linear.decoder_bias.numpy() - mean @ W.T
    expected = error**2 + np.diag(W @ covariance @ W.T)
    np.testing.assert_allclose(linear.expected_squares(tensor(x)), expected)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("k", [1, 3, 8])
def test_other_noise_keeps_the_signal_and_gets_its_own_posterior(noise, k):
    x, linear = draw_factor_model(), make_linear(noise, k=k)
    psi = np.linspace(0.1, 3, 6)
    other = linear.with_noise(tensor(psi))
    np.testing.assert_array_equal(other.noise_variance, psi)
    np.testing.assert_allclose(
        other.decoder.T @ other.decoder, linear.decoder.T @ linear.decoder, atol=1e-10
    )
    assert torch.equal(other.decoder_bias, linear.decoder_bias)
    mean, covariance = textbook_posterior(other, x)
    np.testing.assert_allclose(np.diag(other.log_var.exp()), covariance, atol=1e-10)
    np.testing.assert_allclose(other.posterior_mean(tensor(x)), mean, atol=1e-10)


def test_a_permuted_model_is_the_same_model():
    x, linear = tensor(draw_factor_model()), make_linear(k=3)
    order, signs = torch.tensor([2, 0, 1]), tensor([1.0, -1.0, -1.0])
    permuted = linear.permuted(order, signs)
    z = linear.posterior_mean(x)[:, order] * signs
    np.testing.assert_allclose(permuted.posterior_mean(x), z)
    np.testing.assert_allclose(
        permuted.decode(z), linear.decode(linear.posterior_mean(x))
    )
    np.testing.assert_allclose(permuted.log_density(x), linear.log_density(x))
    np.testing.assert_allclose(
        permuted.output_map[0] + z @ permuted.output_map[1:], permuted.decode(z)
    )


# ----------------------------------------------------------------------- missing values


@pytest.mark.parametrize("noise", NOISES)
def test_what_is_observed_conditions_as_in_the_textbook(noise):
    linear = make_linear(noise)
    incomplete = with_missing(draw_factor_model(40), 0.5)
    incomplete[0] = np.nan
    rows = tensor(incomplete)
    filled, log_density = linear.fill(rows).numpy(), linear.log_density(rows).numpy()
    squares = linear.expected_squares(rows).numpy()
    center, cov = linear.decoder_bias.numpy(), model_covariance(linear)
    signal = linear.decoder.numpy().T @ linear.decoder.numpy()
    for i, row in enumerate(incomplete):
        o = ~np.isnan(row)
        gain = cov[:, o] @ np.linalg.inv(cov[np.ix_(o, o)])
        expected = center + gain @ (row[o] - center[o])
        np.testing.assert_allclose(filled[i][~o], expected[~o], rtol=1e-9)
        np.testing.assert_array_equal(filled[i][o], row[o])
        if o.any():
            oracle = multivariate_normal(center[o], cov[np.ix_(o, o)])
            assert log_density[i] == pytest.approx(oracle.logpdf(row[o]))
        assert np.isnan(squares[i][~o]).all()
        gain = signal[:, o] @ np.linalg.inv(cov[np.ix_(o, o)])
        expected = (row - center - gain @ (row[o] - center[o])) ** 2
        expected += np.diag(signal - gain @ signal[o])
        np.testing.assert_allclose(squares[i][o], expected[o], rtol=1e-9)
    assert log_density[0] == 0
    np.testing.assert_allclose(linear.posterior_mean(rows)[0], 0, atol=1e-12)


def test_complete_rows_are_the_same_beside_rows_with_missing_values():
    x, linear = draw_factor_model(100), make_linear()
    mixed = tensor(np.r_[x, with_missing(x)])
    x = tensor(x)
    for method in (linear.posterior_mean, linear.log_density, linear.expected_squares):
        np.testing.assert_allclose(method(mixed)[:100], method(x), rtol=1e-9)
    np.testing.assert_array_equal(linear.informed_share(x), 1)


def test_rows_of_single_precision_are_looked_at_in_double():
    x, linear = draw_factor_model(50), make_linear()
    for rows in x, with_missing(x):
        single = tensor(rows).float()
        for method in (
            linear.posterior_mean,
            linear.log_density,
            linear.expected_squares,
        ):
            assert method(single).dtype == torch.float64
            np.testing.assert_array_equal(method(single), method(single.double()))


def test_what_rows_tell_of_a_component_is_a_share_of_what_complete_rows_tell():
    linear = make_linear(k=3)
    decoder = linear.decoder.clone()
    decoder[2] = 0  # an empty component: each entry tells as much as the others
    linear = with_encoder(decoder, linear.decoder_bias, linear.noise_variance, 3)
    x = with_missing(draw_factor_model(30), 0.5)
    x[0] = np.nan
    observed = ~np.isnan(x)
    tells = (decoder**2 / linear.noise_variance).numpy()
    found = linear.informed_share(tensor(x)).numpy()
    expected = (observed[:, None] * tells[:2]).sum(axis=2) / tells[:2].sum(axis=1)
    np.testing.assert_allclose(found[:, :2], expected)
    np.testing.assert_allclose(found[:, 2], observed.mean(axis=1))
    np.testing.assert_array_equal(found[0], 0)


def test_a_row_that_tells_nothing_of_a_component_tells_nothing_beside_others():
    # 1 less what is missing would be a rounding, or 0, or less, by the rows beside it.
    decoder = make_linear(k=1, d=9).decoder
    decoder[0, -1] = 0
    linear = with_encoder(decoder, tensor(np.zeros(9)), tensor(np.full(9, 0.3)), 1)
    x = tensor(with_missing(np.zeros((50, 9)), 0.5))
    x[:, -1] = 1
    x[7, :-1] = np.nan
    assert linear.informed_share(x)[7] == 0
    assert linear.informed_share(x[7:8]) == 0
    decoder[0, -1] = 1e-9  # a small share keeps its digits
    linear = with_encoder(decoder, tensor(np.zeros(9)), tensor(np.full(9, 0.3)), 1)
    expected = 1e-18 / decoder.square().sum()
    np.testing.assert_allclose(linear.informed_share(x)[7, 0], expected, rtol=1e-12)


def test_posteriors_of_some_rows_at_a_time_are_those_of_all(monkeypatch):
    x, linear = tensor(with_missing(draw_factor_model(30), 0.5)), make_linear()
    (whole,) = linear.given(x)
    monkeypatch.setattr(vae_module, "CHUNK_ENTRIES", 7 * 2 * (2 + 6))
    parts = list(linear.given(x))
    assert [len(part.x) for part in parts] == [7, 7, 7, 7, 2]
    for name in "x", "mean", "covariance", "log_density":
        found = torch.cat([getattr(part, name) for part in parts])
        np.testing.assert_allclose(found, getattr(whole, name), rtol=1e-12)
    found = torch.cat([part.filled() for part in parts])
    np.testing.assert_allclose(found, whole.filled(), rtol=1e-12)


def test_the_squares_of_a_root_are_the_covariance_of_what_is_decoded():
    x, linear = tensor(with_missing(draw_factor_model(9), 0.5)), make_linear()
    (posterior,) = linear.given(x)
    root = posterior.root_spread(slice(2, 7))
    assert root.shape == (5, 2, 6)
    expected = linear.decoder.T @ posterior.covariance[2:7] @ linear.decoder
    np.testing.assert_allclose(root.transpose(1, 2) @ root, expected, atol=1e-12)
    assert len(posterior.root_spread()) == 9


def test_a_linear_vae_cannot_be_changed():
    linear = make_linear()
    assert isinstance(linear, LinearVAE)
    with pytest.raises(AttributeError):
        linear.decoder = linear.decoder + 1


def test_the_density_of_a_few_exact_entries_loses_no_digits():
    """However small the noise, and so however much z explains."""
    rng = np.random.default_rng(0)
    loadings = torch.from_numpy(np.linalg.qr(rng.normal(size=(9, 1)))[0].T.copy())
    noise = torch.full((9,), 1e-10, dtype=torch.float64)
    linear = with_encoder(loadings, torch.zeros(9, dtype=torch.float64), noise, 1)
    x = torch.full((9, 9), float("nan"), dtype=torch.float64)
    x.diagonal().copy_(torch.from_numpy(rng.normal(size=9)))
    variance = loadings[0] ** 2 + noise
    oracle = -0.5 * (x.diagonal() ** 2 / variance + (2 * np.pi * variance).log())
    np.testing.assert_allclose(linear.log_density(x), oracle, rtol=1e-12)
