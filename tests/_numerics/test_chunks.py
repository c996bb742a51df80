"""Some rows at a time: none is left out, and none comes twice."""

import pytest
import torch

from skvae._numerics import chunks
from skvae._numerics.chunks import CHUNK_ROWS, map_chunks, slices


@pytest.mark.parametrize("n_rows", [0, 1, 6, 7, 8, 14, 20])
def test_slices_cover_the_rows_in_their_order(n_rows):
    rows = list(range(n_rows))
    parts = [rows[of] for of in slices(n_rows, 7)]
    assert [row for part in parts for row in part] == rows
    assert all(len(part) == 7 for part in parts[:-1])
    assert all(parts)


def test_slices_are_of_a_size_that_memory_has_room_for():
    assert list(slices(CHUNK_ROWS)) == [slice(0, CHUNK_ROWS)]
    assert len(list(slices(CHUNK_ROWS + 1))) == 2


@pytest.mark.parametrize("n_rows", [0, 1, 7, 20])
def test_a_mapped_function_sees_some_rows_of_each_argument_at_a_time(
    n_rows, monkeypatch
):
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 7)
    x, y = torch.arange(3.0 * n_rows).reshape(n_rows, 3), torch.arange(float(n_rows))
    seen = []

    def function(x, y):
        seen.append(len(x))
        return x * y[:, None], x.sum(dim=1) + y

    product, total = map_chunks(function, x, y)
    assert torch.equal(product, x * y[:, None])
    assert torch.equal(total, x.sum(dim=1) + y)
    assert sum(seen) == n_rows
    assert max(seen) <= 7


@pytest.mark.parametrize("n_rows", [0, 6, 7, 13, 15, 20])
def test_arguments_of_unlike_lengths_are_refused(n_rows, monkeypatch):
    """Whether or not they have as many chunks: none of the rows may be dropped."""
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 7)
    x, y = torch.zeros(14, 3), torch.zeros(n_rows)
    for rows in (x, y), (y, x), (x, x, y):
        with pytest.raises(ValueError, match=f"as many rows; .*\\b{n_rows}\\b"):
            map_chunks(lambda *of_chunk: (of_chunk[0],), *rows)
