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
    start,
    n_neighbors,
    generator,
    progress=lambda step, loss: False,
    max_steps=MAX_STEPS,
):
    """Lay out rows by their nearest neighbours.

    Parameters
    ----------
    x : Tensor of shape (n, d)
    start : Tensor of shape (n, k)
        First positions, up to their scale.
    n_neighbors : int
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
    own = torch.arange(n, device=device)
    neighbors = find_neighbors(x, x, n_neighbors, own).indices
    if n <= MOST_AT_ONCE:
        return lay_out(neighbors, start, generator, progress, max_steps)
    some = torch.randperm(n, generator=generator, device=device)[: n // COARSER]
    given = x[some], start[some], n_neighbors, generator, progress, max_steps
    coarse = map_rows(*given)
    own = torch.full_like(own, -1)
    own[some] = torch.arange(len(some), device=device)
    look_up = LookUp.of(x[some], coarse.positions)
    # Positions are as dense in the finer level: k-th roots of volumes.
    growth = (n / len(some)) ** (1 / start.shape[1])
    positions = look_up(x, own) * (growth * look_up.scale)
    if coarse.stopped in ("asked", "interrupted"):
        return Layout(positions.float(), coarse.loss, coarse.n_steps, coarse.stopped)
    n_steps = min(REFINING_STEPS, max_steps)
    return refine(neighbors, positions, generator, progress, n_steps)
