"""Coders: the network in the training rows' range, the linear VAE beyond."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import with_missing
from models import mixed_rows, network_of, normal

from skvae._fitting.logits import with_logits
from skvae._linear.anchor import fit_linear_vae
from skvae._model.coder import Coder, LinearCoder, widen

D, K = 5, 2
RANDOM = np.random.RandomState(0)
X = torch.from_numpy(RANDOM.normal(size=(50, D)) @ RANDOM.normal(size=(D, D)))
INCOMPLETE = torch.from_numpy(with_missing(X.numpy(), 0.4))
INCOMPLETE[0] = torch.nan
LINEAR = fit_linear_vae(X, K, "spherical", 1e-6)
Z_RANGE = torch.tensor([[-2.0, -3.0], [2.0, 1.0]]).double()
EVERYWHERE = torch.tensor([[-torch.inf], [torch.inf]]).double()


def coder(hidden=(6,), spoilt=0.3, linear=LINEAR, **changes):
    """Of a network that has left its linear VAE."""
    network = network_of(linear, hidden, spoilt)
    x_range = torch.stack([X.amin(dim=0), X.amax(dim=0)])
    changes = {"typical_share": torch.ones(K).double()} | changes
    return Coder(network, linear, linear, x_range, Z_RANGE, **changes)


def same(found, expected, **tolerance):
    np.testing.assert_allclose(found, np.asarray(expected), **tolerance)


# --------------------------------------------------------------------------- the range


def test_inside_the_range_it_is_the_network():
    model, z = coder(), torch.from_numpy(RANDOM.uniform(-1.9, 0.9, (20, K)))
    for found, expected in zip(model.encode(X), model.network.encode(X), strict=True):
        same(found, expected)
    same(model.decode(z), model.network.decode(z))
    assert model.n_components == K


def jacobian(model, z):
    """By autograd, of the sum over rows, as these are apart."""
    found = torch.autograd.functional.jacobian(lambda z: model.decode(z).sum(dim=0), z)
    return found.permute(1, 2, 0)


@pytest.mark.parametrize("model", [coder(), LinearCoder(LINEAR)])
def test_slopes_are_those_of_autograd_beyond_the_range_too(model):
    z = torch.from_numpy(RANDOM.uniform(-6, 6, (40, K)))
    decoded, slopes = model.with_slopes(z)
    same(decoded, model.decode(z), rtol=1e-12)
    same(slopes, jacobian(model, z), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("distance", [1e-9, 1.0, 1e9])
def test_beyond_the_range_it_goes_on_along_the_linear_vae(distance):
    model = coder()
    edge = model.x_range[1:]
    step = distance * torch.from_numpy(RANDOM.uniform(size=(1, D)))
    mean, log_var = model.encode(edge)
    far_mean, far_log_var = model.encode(edge + step)
    same(far_mean - mean, step @ LINEAR.encoder, rtol=1e-6, atol=1e-12)
    same(far_log_var, log_var)
    corner = model.z_range[:1]
    step = -distance * torch.from_numpy(RANDOM.uniform(size=(1, K)))
    moved = model.decode(corner + step) - model.decode(corner)
    same(moved, step @ LINEAR.decoder, rtol=1e-6, atol=1e-12)


def test_beyond_the_range_of_z_it_goes_on_along_the_logits():
    layout, x = mixed_rows()
    linear = with_logits(fit_linear_vae(x, K, "spherical", 1e-6, 3), x, layout)
    model = coder(linear=linear)
    corner, step = Z_RANGE[:1], -torch.tensor([[0.5, 2.0]]).double()
    moved = model.decode(corner + step) - model.decode(corner)
    same(moved, step @ linear.output_map[1:], rtol=1e-9)
    of_means = step @ linear.decoder
    assert (moved - of_means)[:, layout.n_numeric :].abs().max() > 0.1


# ---------------------------------------------------------------------- missing values


@pytest.mark.parametrize("with_filler", [False, True])
def test_the_encoder_reads_what_the_filler_expects(with_filler):
    model = coder()
    filler = LINEAR
    if with_filler:
        filler = fit_linear_vae(X, K, "diag", 1e-6)
        model = replace(model, filler=filler)
    mean, log_var = model.encode(INCOMPLETE)
    filled = filler.fill(INCOMPLETE)
    expected, expected_log_var = model.encode(filled)
    share = LINEAR.informed_share(INCOMPLETE)
    same(mean[1:], expected[1:], rtol=1e-9)
    narrow = (expected_log_var < 0) & (share > 0)
    added = (-expected_log_var).exp() - 1
    same((-log_var).exp()[narrow], (1 + share * added)[narrow], rtol=1e-9)


def test_a_row_without_any_entry_has_the_prior():
    mean, log_var = coder().encode(INCOMPLETE[:1])
    same(mean, np.zeros((1, K)))
    same(log_var, np.zeros((1, K)), atol=1e-12)


def test_rows_like_those_of_the_training_are_as_the_network_has_them():
    """Where the training rows told a share, the network knows of it already."""
    model, row = coder(), X[1:2].clone()
    row[0, :2] = torch.nan
    share = LINEAR.informed_share(row)[0]
    assert (share < 0.9).all()
    known = replace(model, typical_share=share)
    _, log_var = known.encode(row)
    expected = model.network.encode(LINEAR.fill(row).clamp(*model.x_range))[1]
    same(log_var, expected, rtol=1e-9)
    _, complete = known.encode(X)  # they tell more
    _, as_it_is = model.encode(X)
    narrow = as_it_is < 0
    assert narrow.any()
    added = ((-complete).exp() - 1) / ((-as_it_is).exp() - 1)
    same(added[narrow], (1 / share).expand(len(X), K)[narrow], rtol=1e-6)


def test_complete_rows_are_the_same_beside_incomplete_ones():
    for model in coder(), LinearCoder(LINEAR):
        both = model.encode(torch.cat([X, INCOMPLETE]))
        for found, expected in zip(both, model.encode(X), strict=True):
            same(found[: len(X)], expected, rtol=1e-9)


# ---------------------------------------------------------------------------- widening


def test_widening_divides_the_precision_that_a_row_adds():
    mean, log_var = coder().encode(X)
    same_mean, wider = coder(posterior_scale=2.5).encode(X)
    same(same_mean, mean)
    precision = 1 + ((-log_var).exp() - 1) / 2.5
    same((-wider).exp(), precision, rtol=1e-9)


def test_widening_is_right_where_the_noise_was_taken_too_small():
    """Of a linear VAE the posterior is known, whatever the noise."""
    model = replace(
        coder(hidden=(), spoilt=0.0, posterior_scale=3.0),
        x_range=EVERYWHERE.expand(2, D),
        z_range=EVERYWHERE.expand(2, K),
    )
    _, found = model.encode(X[:1])
    wider = LINEAR.with_noise(3.0 * LINEAR.noise_variance)
    same(found[0], wider.log_var, rtol=1e-6)


def test_posteriors_narrow_only_where_a_row_tells_something():
    log_var = torch.tensor([[-1.0, 0.5, 2.0]]).double()
    found = widen(log_var, torch.full((1, 3), 0.3).double())
    assert float(found[0, 0]) < -1
    np.testing.assert_allclose(found[0, 1:], log_var[0, 1:])
    np.testing.assert_allclose(widen(log_var, torch.ones(1, 3).double()), log_var)


# ------------------------------------------------------------------ without a network


@pytest.mark.parametrize("noise", ["spherical", "diag"])
def test_a_linear_coder_has_the_exact_posteriors_of_complete_rows(noise):
    linear = fit_linear_vae(X, K, noise, 1e-6)
    model = LinearCoder(linear)
    assert (model.n_components, model.dtype) == (K, torch.float64)
    mean, log_var = model.encode(X)
    (exact,) = linear.given(X)
    same(mean, exact.mean, rtol=1e-8, atol=1e-10)
    variance = exact.covariance.diagonal(dim1=1, dim2=2)
    same(log_var.exp(), variance, rtol=1e-8)
    z = normal(9, K)
    same(model.decode(z), linear.decode(z), rtol=1e-12)


def test_a_linear_coder_fills_and_widens_as_its_linear_vae_has_it():
    model = LinearCoder(LINEAR)
    mean, log_var = model.encode(INCOMPLETE)
    same(
        mean[1:],
        LINEAR.posterior_mean(LINEAR.fill(INCOMPLETE))[1:],
        rtol=1e-8,
        atol=1e-10,
    )
    share = LINEAR.informed_share(INCOMPLETE)
    precision = 1 + share * ((-LINEAR.log_var).exp() - 1)
    same((-log_var).exp(), precision, rtol=1e-9)
    same(mean[0], np.zeros(K))


def test_a_linear_coder_decodes_logits_where_columns_are_indicators():
    layout, x = mixed_rows()
    linear = with_logits(fit_linear_vae(x, K, "spherical", 1e-6, 3), x, layout)
    z = normal(9, K)
    expected = linear.output_map[0] + z @ linear.output_map[1:]
    same(LinearCoder(linear).decode(z), expected, rtol=1e-12)
