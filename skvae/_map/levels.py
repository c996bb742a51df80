"""Lays out many rows from coarse to fine: some first, the others beside them.

Where all rows belong is soon found for a quarter of them. The others are looked up
among these, and all move a little.
"""

import torch

from skvae._map.layout import MAX_STEPS, REFINING_STEPS, Layout, lay_out, refine
from skvae._map.look_up import LookUp
from skvae._map.neighbors import find_neighbors

MOST_AT_ONCE = 5000  # rows that are laid out without coarser levels
COARSER = 4  # times fewer rows of the next level


def map_rows(
    x,
    neighbors,
    start,
    generator,
    progress=lambda step, loss: False,
    max_steps=MAX_STEPS,
):
    """Lay out rows by their nearest neighbours.

    Parameters
    ----------
    x : Tensor of shape (n, d)
    neighbors : Tensor of shape (n, n_neighbors)
        Indices of each row's neighbours, not of itself.
    start : Tensor of shape (n, k)
        First positions, up to their scale.
    generator : torch.Generator
        Of the coarser levels' rows, and of the layout's samples.
    progress : callable
        As that of `lay_out`, for each level; a level that is asked to stop is the last
        to move.
    max_steps : int
        Of each level.

    Returns
    -------
    Layout
        Of the last level.
    """
    n, device = len(x), x.device
    if n <= MOST_AT_ONCE:
        return lay_out(neighbors, start, generator, progress, max_steps)
    some = torch.randperm(n, generator=generator, device=device)[: n // COARSER]
    of_some = torch.arange(len(some), device=device)
    found = find_neighbors(x[some], x[some], neighbors.shape[1], of_some).indices
    coarse = map_rows(x[some], found, start[some], generator, progress, max_steps)
    own = torch.full((n,), -1, dtype=torch.int64, device=device)
    own[some] = of_some
    look_up = LookUp.of(x[some], coarse.positions)
    # Positions are as dense in the finer level: k-th roots of volumes.
    growth = (n / len(some)) ** (1 / start.shape[1])
    positions = look_up(x, own) * (growth * look_up.scale)
    if coarse.stopped in ("asked", "interrupted"):
        return Layout(positions.float(), coarse.loss, coarse.n_steps, coarse.stopped)
    n_steps = min(REFINING_STEPS, max_steps)
    return refine(neighbors, positions, generator, progress, n_steps)
