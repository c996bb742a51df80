"""The layout: its gradient against autograd's, its loss, and where it puts rows."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from skvae._map import layout
from skvae._map.layout import Attraction, Pairs, Repulsion, lay_out
from skvae._map.neighbors import find_neighbors

RNG = np.random.default_rng(0)
CENTERS = 10 * RNG.normal(size=(4, 5))
GROUP = np.repeat(np.arange(4), 75)
ROWS = CENTERS[GROUP] + RNG.normal(size=(300, 5))


def tensor(rows):
    return torch.tensor(rows, dtype=torch.float64, device="cpu")


def generator(seed=0):
    return torch.Generator("cpu").manual_seed(seed)


def neighbors_of(rows, k=15):
    own = torch.arange(len(rows), device="cpu")
    return find_neighbors(tensor(rows), tensor(rows), k, own).indices


def shares_of(neighbors):
    """The matrix p of t-SNE."""
    n, k = neighbors.shape
    p = np.zeros((n, n))
    for i, its in enumerate(neighbors.tolist()):
        p[i, its] = 1 / k
    return (p + p.T) / (2 * n)


def divergence(p, y):
    """t-SNE's objective, whole, as its paper has it."""
    others = ~torch.eye(len(y), dtype=torch.bool, device="cpu")
    w = 1 / (1 + (y[:, None] - y).square().sum(dim=2))
    q = w / w[others].sum()
    some = others & (p > 0)
    return (p[some] * (p[some] / q[some]).log()).sum()


@pytest.mark.parametrize("k", [1, 2, 3, 8])
def test_gradient_and_loss_with_all_rows_as_the_sample_are_autograds(k):
    neighbors = neighbors_of(ROWS[::5])
    y = tensor(RNG.normal(size=(60, k))).requires_grad_()
    loss = divergence(tensor(shares_of(neighbors)), y)
    loss.backward()
    loss = float(loss.detach())
    attraction = Attraction(Pairs.of(neighbors), 60)
    repulsion = Repulsion(60, generator())
    positions = y.detach().float().T.contiguous()
    found = attraction.gradient(positions) - repulsion.gradient(positions)
    np.testing.assert_allclose(found.T, y.grad, atol=2e-6)
    assert attraction.loss() + repulsion.loss() == pytest.approx(loss, abs=1e-5)


def test_pairs_have_the_shares_of_the_matrix():
    neighbors = neighbors_of(ROWS[::5], 6)
    pairs, p = Pairs.of(neighbors), shares_of(neighbors)
    found = np.zeros_like(p)
    found[pairs.first, pairs.second] = found[pairs.second, pairs.first] = pairs.share
    np.testing.assert_allclose(found, p)
    np.testing.assert_allclose(pairs.pull(60), 60 * p.sum(axis=1))


def test_samples_repel_as_all_rows_do_on_average(monkeypatch):
    y = torch.tensor(RNG.normal(size=(2, 120)), dtype=torch.float32, device="cpu")
    exact = Repulsion(120, generator()).gradient(y)
    monkeypatch.setattr(layout, "SAMPLE", 30)
    monkeypatch.setattr(layout, "TRACKING", 1e-2)
    repulsion = Repulsion(120, generator())
    for _ in range(400):
        repulsion.gradient(y)
    mean = sum(repulsion.gradient(y) for _ in range(400)) / 400
    error = (mean - exact).norm() / exact.norm()
    assert error < 0.02


def test_an_order_is_used_up_before_the_next(monkeypatch):
    monkeypatch.setattr(layout, "SAMPLE", 4)
    repulsion = Repulsion(10, generator())
    drawn = [repulsion._sample().tolist() for _ in range(4)]
    for first, second in (drawn[:2], drawn[2:]):
        assert len({*first, *second}) == 8
    assert drawn[:2] != drawn[2:]


def test_blocks_of_any_size_repel_alike(monkeypatch):
    y = torch.tensor(RNG.normal(size=(2, 150)), dtype=torch.float32, device="cpu")
    whole = Repulsion(150, generator()).gradient(y)
    monkeypatch.setattr(layout, "BLOCK_COLUMNS", 64)
    parts = Repulsion(150, generator()).gradient(y)
    np.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("k", [1, 2, 3, 8])
def test_groups_stand_apart_and_neighbors_stay(k):
    neighbors = neighbors_of(ROWS)
    start = tensor(RNG.normal(size=(300, k)))
    found = lay_out(neighbors, start, generator())
    assert found.positions.shape == (300, k)
    assert found.positions.dtype == torch.float32
    assert found.stopped == "converged"
    np.testing.assert_allclose(found.positions.mean(dim=0), 0, atol=1e-4)
    on_map = neighbors_of(found.positions.double().numpy(), 10)
    assert (GROUP[on_map] == GROUP[:, None]).mean() > 0.99
    kept = [
        len({*a} & {*b})
        for a, b in zip(on_map.tolist(), neighbors.tolist(), strict=True)
    ]
    assert np.mean(kept) > {1: 4, 2: 6, 3: 7, 8: 8}[k]


def test_a_line_is_laid_out_in_its_order():
    t = np.sort(RNG.uniform(size=200))
    rows = np.column_stack([t, t**2])
    found = lay_out(neighbors_of(rows), tensor(rows[:, :1]), generator()).positions
    assert abs(spearmanr(found[:, 0], t).statistic) > 0.99


def test_the_layout_is_a_minimum():
    neighbors = neighbors_of(ROWS[::5])
    p = tensor(shares_of(neighbors))
    found = lay_out(neighbors, tensor(ROWS[::5, :2]), generator())
    loss = float(divergence(p, found.positions.double()))
    assert found.loss == pytest.approx(loss, abs=0.02)
    for scale in 0.9, 1.1:
        assert float(divergence(p, scale * found.positions.double())) > loss
    for _ in range(5):
        noise = 0.3 * tensor(RNG.normal(size=(60, 2)))
        assert float(divergence(p, found.positions.double() + noise)) > loss


@pytest.fixture
def sampled(monkeypatch):
    """Let samples be fewer than the rows."""
    monkeypatch.setattr(layout, "SAMPLE", 50)
    return neighbors_of(ROWS), tensor(ROWS[:, :2])


def test_same_seed_same_bits(sampled):
    first = lay_out(*sampled, generator(3), max_steps=60)
    again = lay_out(*sampled, generator(3), max_steps=60)
    other = lay_out(*sampled, generator(4), max_steps=60)
    assert torch.equal(first.positions, again.positions)
    assert first.loss == again.loss
    assert not torch.equal(first.positions, other.positions)


def test_scale_and_place_of_the_start_do_not_matter():
    neighbors, start = neighbors_of(ROWS), tensor(ROWS[:, :2])
    found = lay_out(neighbors, start, generator(), max_steps=40).positions
    moved = lay_out(neighbors, 4 * start + 8, generator(), max_steps=40).positions
    np.testing.assert_allclose(moved, found, rtol=1e-3, atol=1e-3)


def test_progress_is_told_the_steps_and_a_loss_that_falls(sampled):
    told = []
    found = lay_out(*sampled, generator(), lambda *news: told.append(news))
    steps, losses = zip(*told, strict=True)
    assert steps == tuple(range(5, found.n_steps + 1, 5))
    assert losses[-1] < losses[10] < losses[0]
    assert losses[-1] == found.loss


def test_who_asks_gets_what_there_is(sampled):
    found = lay_out(*sampled, generator(), lambda step, loss: step >= 20)
    assert (found.n_steps, found.stopped) == (20, "asked")
    assert torch.equal(
        found.positions, lay_out(*sampled, generator(), lambda s, _: s >= 20).positions
    )


def test_an_interrupt_keeps_what_there_is(sampled):
    def interrupt(step, loss):
        if step == 15:
            raise KeyboardInterrupt

    found = lay_out(*sampled, generator(), interrupt)
    assert (found.n_steps, found.stopped) == (15, "interrupted")
    assert found.positions.isfinite().all()


def test_it_ends_at_the_most_steps(sampled):
    found = lay_out(*sampled, generator(), max_steps=30)
    assert (found.n_steps, found.stopped) == (30, "max_epochs")


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_few_rows_are_laid_out(n):
    found = lay_out(neighbors_of(ROWS[:n]), tensor(ROWS[:n, :2]), generator())
    assert found.positions.shape == (n, 2)
    assert found.positions.isfinite().all()


def test_constant_and_repeated_rows_are_laid_out():
    rows = np.zeros((60, 3))
    found = lay_out(neighbors_of(rows), tensor(rows[:, :2]), generator())
    assert torch.equal(found.positions, torch.zeros_like(found.positions))
    rows = np.vstack([np.repeat(ROWS[:1], 250, axis=0), ROWS[:100]])
    found = lay_out(neighbors_of(rows), tensor(rows[:, :2]), generator())
    assert found.positions.abs().max() < 200
