"""Nearest neighbours, against scikit-learn's and a full sort."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from skvae._map import neighbors
from skvae._map.neighbors import find_neighbors, least_entries

RNG = np.random.default_rng(0)
TABLES = {
    "normal": RNG.normal(size=(400, 6)),
    "wide": RNG.normal(size=(90, 700)),
    "one column": RNG.normal(size=(300, 1)),
    "far from 0": 1e4 + RNG.normal(size=(300, 4)),
    "outlier": np.vstack([RNG.normal(size=(300, 3)), [[1e6, 0, 0]]]),
    "nearly one line": RNG.normal(size=(300, 1)) + 1e-6 * RNG.normal(size=(300, 5)),
    "ties": RNG.integers(3, size=(500, 5)).astype(float),
    "repeats": np.repeat(RNG.normal(size=(4, 3)), 100, axis=0),
    "constant": np.zeros((200, 2)),
    "beyond single precision": 1e30 * RNG.normal(size=(60, 3)),
}


def tensor(rows):
    return torch.tensor(rows, dtype=torch.float64, device="cpu")


def by_full_sort(x, reference, k, own=None):
    """Nearest first, ties by index: all distances, a row at a time."""
    indices, squared = [], []
    for i, row in enumerate(x):
        its = np.square(reference - row).sum(axis=1)
        if own is not None and own[i] >= 0:
            its[own[i]] = np.inf
        order = np.argsort(its, kind="stable")[:k]
        indices.append(order)
        squared.append(its[order])
    return np.array(indices), np.array(squared)


@pytest.mark.parametrize("name", TABLES)
def test_neighbors_within_a_table_are_those_of_a_full_sort(name):
    rows = TABLES[name]
    own = torch.arange(len(rows), device="cpu")
    found = find_neighbors(tensor(rows), tensor(rows), 15, own)
    indices, squared = by_full_sort(rows, rows, 15, own.numpy())
    np.testing.assert_allclose(found.squared_distances, squared, rtol=1e-12)
    if name not in ("ties", "nearly one line"):  # those, to the rounding of sums
        np.testing.assert_array_equal(found.indices, indices)
    assert not (found.indices == own[:, None]).any()


def test_neighbors_of_new_rows_are_scikit_learns():
    reference, x = RNG.normal(size=(700, 8)), RNG.normal(size=(50, 8))
    found = find_neighbors(tensor(x), tensor(reference), 7)
    oracle = NearestNeighbors(n_neighbors=7, algorithm="brute").fit(reference)
    distances, indices = oracle.kneighbors(x)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.squared_distances.sqrt(), distances)


def test_only_rows_that_are_reference_rows_leave_themselves_out():
    rows = TABLES["normal"][:40]
    own = torch.tensor([3, -1], dtype=torch.int64, device="cpu")
    found = find_neighbors(tensor(rows[[3, 3]]), tensor(rows), 2, own)
    assert found.indices[0, 0] != 3
    assert found.indices[1].tolist() == [3, int(found.indices[0, 0])]


@pytest.mark.parametrize("name", ["normal", "ties", "repeats", "wide", "far from 0"])
@pytest.mark.parametrize("size", [1, 7, 64])
def test_batches_of_any_size_give_the_same_bits(name, size, monkeypatch):
    x = tensor(TABLES[name])[:90]
    reference = tensor(TABLES[name])
    own = torch.arange(len(x), device="cpu")
    whole = find_neighbors(x, reference, 9, own)
    monkeypatch.setattr(neighbors, "BLOCK_ENTRIES", 1_000)
    parts = [
        find_neighbors(some, reference, 9, its)
        for some, its in zip(x.split(size), own.split(size), strict=True)
    ]
    assert torch.equal(torch.cat([part.indices for part in parts]), whole.indices)
    squared = torch.cat([part.squared_distances for part in parts])
    assert torch.equal(squared, whole.squared_distances)


def test_single_precision_gives_the_neighbors_of_the_same_numbers():
    rows = tensor(TABLES["normal"]).float()
    own = torch.arange(len(rows), device="cpu")
    found = find_neighbors(rows, rows, 5, own)
    expected = find_neighbors(rows.double(), rows.double(), 5, own)
    assert torch.equal(found.squared_distances, expected.squared_distances)


@pytest.mark.parametrize(("n", "k", "n_found"), [(5, 15, 4), (2, 1, 1), (1, 3, 0)])
def test_few_rows_find_as_many_as_there_are(n, k, n_found):
    rows = tensor(RNG.normal(size=(n, 2)))
    found = find_neighbors(rows, rows, k, torch.arange(n, device="cpu"))
    assert found.indices.shape == found.squared_distances.shape == (n, n_found)
    for i, its in enumerate(found.indices.tolist()):
        assert sorted([i, *its]) == list(range(n))[: n_found + 1]


@pytest.mark.parametrize(("n_columns", "m"), [(1_000, 3), (97, 5), (64, 64), (7, 1)])
def test_least_entries_are_those_of_a_sort(n_columns, m, monkeypatch):
    monkeypatch.setattr(neighbors, "GROUPS", 4)
    entries = tensor(RNG.normal(size=(20, n_columns)))
    least, columns = least_entries(entries, m)
    np.testing.assert_array_equal(least.sort().values, entries.sort().values[:, :m])
    assert torch.equal(entries.gather(1, columns), least)


def test_no_rows_find_none():
    found = find_neighbors(tensor(np.empty((0, 3))), tensor(np.ones((5, 3))), 2)
    assert found.indices.shape == (0, 2)


def test_distances_that_overflow_are_infinite_and_found():
    rows = tensor(1e200 * TABLES["normal"][:40])
    found = find_neighbors(rows, rows, 3, torch.arange(40, device="cpu"))
    assert found.squared_distances.isposinf().all()
