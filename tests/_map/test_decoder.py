"""The decoder in closed form: against explicit solves, refits and autograd."""

import numpy as np
import pytest
import torch

from skvae._map.decoder import (
    FREQUENCY,
    STRENGTHS,
    Features,
    MapDecoder,
    fit_ridge,
)
from skvae._numerics.activations import ACTIVATIONS

N, K, D = 40, 2, 3
SIZES = [(), (5,), (7, 4)]


def generator(seed=0):
    return torch.Generator("cpu").manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(
        *shape, generator=generator(seed), dtype=torch.float64, device="cpu"
    )


def make_decoder(sizes=(7, 4), activation="silu", k=K):
    features = Features.draw(k, sizes, activation, generator())
    n_features = (sizes[-1] if sizes else 0) + k + 1
    return MapDecoder(features, normal(n_features, D, seed=1))


def activation_of(name):
    return getattr(torch.nn.functional, name, None) or getattr(torch, name)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", SIZES)
def test_features_are_hidden_layers_then_z_then_1(sizes, activation):
    z, decoder = normal(N, K, seed=2), make_decoder(sizes, activation)
    hidden = z
    for weight, bias in decoder.features.layers:
        hidden = activation_of(activation)(hidden @ weight + bias)
    ones = torch.ones_like(z[:, :1])
    expected = torch.cat([hidden, z, ones], 1) if sizes else torch.cat([z, ones], 1)
    np.testing.assert_allclose(decoder.features(z), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(decoder(z), expected @ decoder.weights, atol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("k", [1, 3])
def test_slopes_are_those_of_autograd(sizes, activation, k):
    z, decoder = normal(6, k, seed=2), make_decoder(sizes, activation, k)
    decoded, slopes = decoder.with_slopes(z)
    assert torch.equal(decoded, decoder(z))
    assert slopes.shape == (6, k, D)

    def plain(row):  # `out=` knows no gradients
        hidden = row
        for weight, bias in decoder.features.layers:
            hidden = activation_of(activation)(hidden @ weight + bias)
        parts = [hidden] if sizes else []
        return torch.cat([*parts, row, torch.ones_like(row[:1])]) @ decoder.weights

    for row, found in zip(z, slopes, strict=True):
        expected = torch.autograd.functional.jacobian(plain, row).T
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_first_layers_are_drawn_wider_and_all_are_what_single_precision_has():
    (first, bias), (second, _) = Features.draw(
        3, (4000, 50), "silu", generator()
    ).layers
    assert float(first.square().mean()) == pytest.approx(FREQUENCY**2 / 3, rel=0.05)
    assert float(bias.square().mean()) == pytest.approx(FREQUENCY**2 / 3, rel=0.05)
    assert float(second.square().mean()) == pytest.approx(1 / 4000, rel=0.05)
    for part in (first, bias, second):
        assert part.dtype == torch.float64
        assert torch.equal(part.float().double(), part)


@pytest.mark.parametrize("sizes", SIZES)
def test_permuted_decodes_permuted_z_alike(sizes):
    z, decoder = normal(N, 3, seed=2), make_decoder(sizes, k=3)
    order = torch.tensor([2, 0, 1], dtype=torch.int64, device="cpu")
    signs = torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64, device="cpu")
    found = decoder.permuted(order, signs)(z[:, order] * signs)
    np.testing.assert_allclose(found, decoder(z), rtol=1e-12, atol=1e-12)


def test_an_offset_is_added_and_the_decoder_itself_stays():
    z, decoder = normal(N, K, seed=2), make_decoder()
    before, offset = decoder.weights.clone(), normal(D, seed=3)
    found = decoder.with_offset(offset)
    np.testing.assert_allclose(found(z), decoder(z) + offset, rtol=1e-12, atol=1e-12)
    assert torch.equal(decoder.weights, before)


# ----------------------------------------------------------------------------- ridge


def regression(n_draws=1, noise=0.3):
    """Features of draws of z, and columns: smooth, rough, and noise alone."""
    z, decoder = normal(N, K, seed=4), make_decoder((12,))
    seen = [
        decoder.features(z + 0.05 * normal(N, K, seed=5 + i)) for i in range(n_draws)
    ]
    signal = torch.stack([z[:, 0], (2 * z[:, 1]).sin(), 0 * z[:, 0]], dim=1)
    signal[:, 1] = decoder.features(z)[:, 3]  # which a weak ridge finds
    return seen, signal + torch.tensor([noise, 0.0, noise]) * normal(N, D, seed=9)


def by_solve(features, x, strength):
    """Solve for the weights of one strength; the penalty is given back too."""
    stacked = torch.cat(features)
    gram = stacked.T @ stacked / len(stacked)
    moment = stacked.T @ torch.cat([x] * len(features)) / len(stacked)
    penalty = strength * gram.diagonal().mean() * torch.eye(len(gram)).double()
    return torch.linalg.solve(gram + penalty, moment), penalty


def left_out(features, x, strength):
    """What each row is from what a fit without its first draw makes of that."""
    _, penalty = by_solve(features, x, strength)
    stacked, targets = torch.cat(features), torch.cat([x] * len(features))
    errors = torch.empty_like(x)
    for i in range(len(x)):
        others = torch.arange(len(stacked), device="cpu") != i
        gram = stacked[others].T @ stacked[others] / len(stacked)
        moment = stacked[others].T @ targets[others] / len(stacked)
        weights = torch.linalg.solve(gram + penalty, moment)
        errors[i] = x[i] - features[0][i] @ weights
    return errors


@pytest.mark.parametrize("n_draws", [1, 4])
def test_each_column_has_the_strength_whose_rows_are_best_foretold_without(n_draws):
    seen, x = regression(n_draws)
    weights, error = fit_ridge(seen, x)
    of_strengths = torch.stack([left_out(seen, x, one) for one in STRENGTHS])
    best = of_strengths.square().mean(dim=1).argmin(dim=0)
    assert len(set(best.tolist())) > 1
    for j, strength in enumerate(best.tolist()):
        expected, _ = by_solve(seen, x, STRENGTHS[strength])
        np.testing.assert_allclose(weights[:, j], expected[:, j], rtol=1e-5, atol=1e-7)
        oracle = of_strengths[strength][:, j]
        np.testing.assert_allclose(error[:, j], oracle, rtol=1e-5, atol=1e-7)


def test_more_features_than_rows_and_constant_columns_are_sane():
    z, decoder = normal(5, K, seed=2), make_decoder((60,))
    x = torch.cat([normal(5, 1, seed=3), torch.zeros_like(normal(5, 2))], dim=1)
    weights, error = fit_ridge([decoder.features(z)], x)
    assert weights.isfinite().all()
    assert error.isfinite().all()
    assert torch.equal(weights[:, 1:], torch.zeros_like(weights[:, 1:]))
    assert float(error[:, 0].square().mean()) > 0.01  # as others know nothing of it
