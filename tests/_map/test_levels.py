"""From coarse to fine: many rows are laid out as well as few."""

import numpy as np
import pytest
import torch

from skvae._map import levels
from skvae._map.levels import map_rows
from skvae._map.neighbors import find_neighbors

RNG = np.random.default_rng(0)
GROUP = np.repeat(np.arange(6), 100)
ROWS = torch.tensor(
    8 * RNG.normal(size=(6, 5))[GROUP] + RNG.normal(size=(600, 5)),
    dtype=torch.float64,
    device="cpu",
)

NEIGHBORS = find_neighbors(ROWS, ROWS, 15, torch.arange(600, device="cpu")).indices


def generator(seed=0):
    return torch.Generator("cpu").manual_seed(seed)


@pytest.fixture
def in_levels(monkeypatch):
    """Let 600 rows be laid out after 150, and these after 37."""
    monkeypatch.setattr(levels, "MOST_AT_ONCE", 100)


def test_levels_end_near_the_loss_of_one(monkeypatch):
    whole = map_rows(ROWS, NEIGHBORS, ROWS[:, :2], generator())
    monkeypatch.setattr(levels, "MOST_AT_ONCE", 200)
    fine = map_rows(ROWS, NEIGHBORS, ROWS[:, :2], generator())
    assert fine.loss < whole.loss + 0.15
    assert fine.n_steps < whole.n_steps
    spread = fine.positions.std() / whole.positions.std()
    assert 0.7 < spread < 1.4


@pytest.mark.parametrize("k", [1, 2, 3])
def test_groups_stand_apart(k, in_levels):
    positions = map_rows(ROWS, NEIGHBORS, ROWS[:, :k], generator()).positions.double()
    assert positions.shape == (600, k)
    own = torch.arange(600, device="cpu")
    on_map = find_neighbors(positions, positions, 10, own).indices
    assert (GROUP[on_map] == GROUP[:, None]).mean() > 0.97


def test_same_seed_same_bits(in_levels):
    first, again, other = (
        map_rows(ROWS, NEIGHBORS, ROWS[:, :2], generator(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first.positions, again.positions)
    assert not torch.equal(first.positions, other.positions)


def test_who_asks_gets_all_rows_placed(in_levels):
    told = []

    def ask(step, loss):
        told.append(step)
        return True

    found = map_rows(ROWS, NEIGHBORS, ROWS[:, :2], generator(), ask)
    assert (found.positions.shape, found.stopped) == ((600, 2), "asked")
    assert told == [5]
