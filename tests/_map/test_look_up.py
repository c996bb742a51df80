"""Places of new rows, against a loop over scalars."""

from math import exp

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from skvae._map.look_up import LookUp, cauchy_location

RNG = np.random.default_rng(0)
REFERENCE = RNG.normal(size=(120, 5)).astype(np.float32).astype(float)
LAYOUT = 30 * RNG.normal(size=(120, 2))


def tensor(rows):
    return torch.tensor(rows, dtype=torch.float64, device="cpu")


@pytest.fixture(scope="module")
def look_up():
    return LookUp.of(tensor(REFERENCE), tensor(LAYOUT))


def by_loop(row, reference, layout, left_out=None):
    """The recipe in scalars: 8 nearest rows, ten reweighted means."""
    scale = np.sqrt(np.mean(layout**2))
    squared = {
        j: sum((a - b) ** 2 for a, b in zip(row, other, strict=True))
        for j, other in enumerate(reference)
        if j != left_out
    }
    nearest = sorted(squared, key=squared.get)[:8]
    weights = {j: 1 / (squared[j] + 1e-9) for j in nearest}
    shares = dict(weights)
    for step in range(11):
        total = sum(shares.values())
        z = [
            sum(shares[j] * layout[j][c] / scale for j in nearest) / total
            for c in range(len(layout[0]))
        ]
        if step == 10:
            return z
        for j in nearest:
            gap = sum((layout[j][c] / scale - z[c]) ** 2 for c in range(len(layout[0])))
            shares[j] = weights[j] / ((2 / scale) ** 2 + gap)


def test_new_rows_are_placed_as_by_the_loop(look_up):
    x = RNG.normal(size=(12, 5)).astype(np.float32).astype(float)
    expected = [by_loop(row, REFERENCE, LAYOUT) for row in x]
    np.testing.assert_allclose(look_up(tensor(x)), expected, rtol=1e-10)


def test_reference_rows_are_placed_by_others(look_up):
    own = torch.tensor([5, 0, -1], dtype=torch.int64, device="cpu")
    expected = [
        by_loop(REFERENCE[5], REFERENCE, LAYOUT, left_out=5),
        by_loop(REFERENCE[0], REFERENCE, LAYOUT, left_out=0),
        by_loop(REFERENCE[9], REFERENCE, LAYOUT),
    ]
    found = look_up(tensor(REFERENCE[[5, 0, 9]]), own)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_reference_row_that_finds_itself_is_where_the_layout_has_it(look_up):
    found = look_up(tensor(REFERENCE))
    np.testing.assert_allclose(found, look_up.positions, atol=1e-6)
    assert float(look_up.positions.square().mean()) == pytest.approx(1)


def test_the_location_is_the_likeliest_of_a_cauchy_distribution():
    points = tensor(RNG.normal(size=(1, 6, 1)))
    weights = tensor(RNG.uniform(1, 2, size=(1, 6)))
    width = 3.0  # wide: the likelihood has one maximum, soon reached

    def loss(z):
        return float((weights * (width**2 + (points[..., 0] - z) ** 2).log()).sum())

    best = minimize_scalar(loss, bounds=(-3, 3), method="bounded").x
    assert float(cauchy_location(points, weights, width)) == pytest.approx(
        best, abs=1e-5
    )


def test_a_row_between_two_groups_joins_the_nearer():
    rows = tensor([[float(i > 3)] for i in range(8)])
    layout = 100 * rows.expand(8, 2) + tensor(RNG.normal(size=(8, 2)))
    look_up = LookUp.of(rows, layout)
    z = look_up(tensor([[0.4], [0.6]]))
    near, far = look_up.positions[:4].mean(0), look_up.positions[4:].mean(0)
    gaps = torch.cdist(z, torch.stack([near, far]))
    apart = float((near - far).norm())
    assert gaps.diagonal().max() < 0.05 * apart
    assert exp(-float(gaps[0, 1] / apart)) < exp(-0.95)


@pytest.mark.parametrize("k", [1, 2, 3, 8])
@pytest.mark.parametrize("size", [1, 7, 360])
def test_batches_of_any_size_give_the_same_bits(k, size):
    reference = tensor(RNG.normal(size=(500, 7)))
    look_up = LookUp.of(reference, tensor(RNG.normal(size=(500, k))))
    x = tensor(RNG.normal(size=(720, 7)))
    x = torch.cat([x, reference[:40]])
    whole = look_up(x)
    assert whole.shape == (760, k)
    assert torch.equal(torch.cat([look_up(some) for some in x.split(size)]), whole)


def test_fewer_than_eight_rows_and_one_place_for_all_are_sane():
    rows = tensor(RNG.normal(size=(3, 2)))
    look_up = LookUp.of(rows, torch.zeros_like(rows))
    found = look_up(rows, torch.arange(3, device="cpu"))
    assert torch.equal(found, torch.zeros_like(rows))


def test_rows_beyond_single_precision_have_a_place(look_up):
    x = 1e98 * tensor(RNG.normal(size=(3, 5)))
    found = look_up(x)
    assert found.isfinite().all()
    assert float(found.abs().max()) <= float(look_up.positions.abs().max())
