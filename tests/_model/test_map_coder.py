"""The coder of a map: Gauss-Newton's steps against dense solves and autograd."""

import numpy as np
import pytest
import torch
from models import normal, seeded

from skvae._linear.vae import LinearVAE
from skvae._map.decoder import Features, MapDecoder
from skvae._map.look_up import LookUp
from skvae._model import map_coder as map_coder_module
from skvae._model.map_coder import HOLD, MOST_MOVED, MapCoder

N, D, N_NUMERIC = 30, 5, 3  # the others are indicators


def zeros(*shape):
    return torch.zeros(*shape, dtype=torch.float64, device="cpu")


def make_filler(k):
    decoder, bias = normal(k, D, seed=7), normal(D, seed=8)
    return LinearVAE(
        encoder=normal(D, k, seed=9) / 10,
        encoder_bias=zeros(k),
        log_var=zeros(k) - 1,
        decoder=decoder,
        decoder_bias=bias,
        noise_variance=zeros(D) + 1,
        output_map=torch.cat([bias[None], decoder]),
    )


def make_coder(k=2, sizes=(6,), scale=1.0, information=None):
    reference, layout = normal(N, D), normal(N, k, seed=1)
    features = Features.draw(k, sizes, "silu", seeded())
    weights = 0.3 * normal((sizes[-1] if sizes else 0) + k + 1, D, seed=2)
    edges = torch.stack([zeros(k) - 2, zeros(k) + 2])
    told = normal(D, seed=3).square() + 1 if information is None else information
    look_up = LookUp.of(reference, layout)
    decoder = MapDecoder(features, weights)
    return MapCoder(look_up, decoder, make_filler(k), edges, told, N_NUMERIC, scale)


def rows(missing=0.0):
    x = normal(12, D, seed=4)
    hidden = torch.rand(12, D, generator=seeded(5), dtype=torch.float64) < missing
    return x.masked_fill(hidden, torch.nan)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_the_step_is_gauss_newtons_of_what_is_observed(k, missing, monkeypatch):
    monkeypatch.setattr(map_coder_module, "MOST_MOVED", 1e9)
    coder, x = make_coder(k), rows(missing)
    place = normal(12, k, seed=6)
    found, added = coder.refine(place, x)
    decoded, slopes = coder.decoder.with_slopes(place)
    for i in range(12):
        seen = ~x[i].isnan()
        numeric = seen & (torch.arange(D) < N_NUMERIC)
        told, jacobian = coder.information, slopes[i, :, numeric].T
        weight = torch.diag(told[numeric])
        precision = jacobian.T @ weight @ jacobian + HOLD * torch.eye(k).double()
        pull = jacobian.T @ weight @ (x[i] - decoded[i])[numeric]
        expected = place[i] + torch.linalg.inv(precision) @ pull
        np.testing.assert_allclose(found[i], expected, rtol=1e-9, atol=1e-12)
        expected = (slopes[i][:, seen] ** 2) @ told[seen]
        np.testing.assert_allclose(added[i], expected, rtol=1e-9)


def objective(coder, z, place, x):
    left = (x - coder.decoder(z))[:, :N_NUMERIC]
    told = coder.information[:N_NUMERIC]
    held = HOLD * (z - place).square().sum(dim=1)
    return (left.square() * told).sum(dim=1) + held


def test_it_ends_where_more_of_a_row_comes_back():
    coder, x = make_coder(), rows()
    place = coder.look_up(x)
    z, _ = coder.refine(place, x)
    before, after = (objective(coder, at, place, x) for at in (place, z))
    assert (after < before).all()
    around = [z + 0.01 * normal(12, 2, seed=i) for i in (1, 2)]
    near = [objective(coder, at, place, x) for at in around]
    assert (torch.stack(near).mean(dim=0) > after).double().mean() > 0.9


def test_a_linear_decoder_is_solved_for():
    coder, x, place = make_coder(sizes=()), rows(), normal(12, 2, seed=6)
    z, _ = coder.refine(place, x)
    weights, told = coder.decoder.weights, coder.information[:N_NUMERIC]
    slopes, bias = weights[:2, :N_NUMERIC], weights[2, :N_NUMERIC]
    precision = (slopes * told) @ slopes.T + HOLD * torch.eye(2).double()
    pull = (x[:, :N_NUMERIC] - bias) * told @ slopes.T + HOLD * place
    expected = torch.linalg.solve(precision, pull.T).T
    expected = place + (expected - place).clamp(-MOST_MOVED, MOST_MOVED)
    np.testing.assert_allclose(z, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_variances_are_those_of_laplaces_method(scale):
    """The inverse of the curvature's diagonal, of prior and of all that is told."""
    coder, x = make_coder(sizes=(), scale=scale), rows(0.4)
    _, log_var = coder.encode(x)
    slopes = coder.decoder.weights[:2]
    told = (~x.isnan()).double() * coder.information
    expected = 1 / (1 + told @ slopes.square().T / scale)
    np.testing.assert_allclose(log_var.exp(), expected, rtol=1e-10)


def test_what_is_missing_tells_nothing():
    coder, x = make_coder(), rows()
    x[:, 1] = torch.nan
    place = normal(12, 2, seed=6)
    deaf = make_coder(information=coder.information.index_fill(0, torch.tensor([1]), 0))
    for found, expected in zip(
        coder.refine(place, x), deaf.refine(place, x.nan_to_num(9.0)), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_a_row_of_nothing_has_the_prior():
    coder = make_coder()
    nothing = torch.full((2, D), torch.nan, dtype=torch.float64, device="cpu")
    mean, log_var = coder.encode(nothing)
    assert torch.equal(mean, torch.zeros_like(mean))
    assert torch.equal(log_var, torch.zeros_like(log_var))


def test_a_row_unlike_all_others_stays_beside_the_map():
    coder = make_coder()
    far = torch.cat([1e3 * rows(), 1e30 * rows(), 1e98 * rows()])
    mean, log_var = coder.encode(far)
    # In single precision, as the map has its rows.
    assert mean.isfinite().all()
    assert log_var.isfinite().all()
    most = coder.look_up.positions.abs().max() + MOST_MOVED
    assert float(mean.abs().max()) <= most


@pytest.mark.parametrize("sizes", [(), (6,), (5, 4)])
def test_permuted_leaves_what_comes_back_of_rows(sizes):
    coder, x = make_coder(3, sizes), rows(0.2)
    order = torch.tensor([2, 0, 1], dtype=torch.int64, device="cpu")
    signs = torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64, device="cpu")
    mean, log_var = coder.encode(x)
    other = coder.permuted(order, signs)
    found, found_log_var = other.encode(x)
    np.testing.assert_allclose(found, mean[:, order] * signs, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found_log_var, log_var[:, order], rtol=1e-9)
    far = 5 * normal(12, 3, seed=8)  # where the range counts
    np.testing.assert_allclose(
        other.decode(far[:, order] * signs), coder.decode(far), rtol=1e-9, atol=1e-12
    )


def test_beyond_its_range_the_decoder_goes_on_as_at_the_edge():
    coder = make_coder()
    z = torch.tensor([[5.0, 0.5], [0.1, -9.0]], dtype=torch.float64, device="cpu")
    inside = torch.tensor([[2.0, 0.5], [0.1, -2.0]], dtype=torch.float64, device="cpu")
    assert torch.equal(coder.decode(z), coder.decoder(inside))


def test_an_offset_is_added_to_what_is_decoded():
    coder, offset, z = make_coder(), normal(D, seed=3), normal(12, 2)
    found = coder.with_offset(offset).decode(z)
    np.testing.assert_allclose(found, coder.decode(z) + offset, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_no_row_depends_on_others(size, missing):
    coder, x = make_coder(), rows(missing)
    parts = [coder.encode(some) for some in x.split(size)]
    for found, expected in zip(zip(*parts, strict=True), coder.encode(x), strict=True):
        np.testing.assert_allclose(torch.cat(found), expected, rtol=1e-10, atol=1e-13)
