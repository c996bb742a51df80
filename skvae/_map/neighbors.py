"""Exact nearest neighbours, by blocks of rows: the same bits in blocks of any size.

A product in single precision bounds all distances from below and leaves few candidates;
their distances are computed entry by entry in double precision. A row whose bounds do
not prove that its neighbours are among the candidates gets more of them.
"""

from dataclasses import dataclass
from functools import cached_property

import torch

SPARE = 8  # candidates beside the neighbours asked for
MORE = 8  # times as many candidates, where they were too few
GROUPS = 64  # an entry looked for, from which on `topk` is at its best
BLOCK_ENTRIES = 2**22  # of a block of bounds, or of differences


@dataclass(frozen=True)
class Neighbors:
    """The nearest reference rows of some rows, nearest first; ties by their index.

    Parameters
    ----------
    indices : Tensor of shape (n, k)
        Of reference rows.
    squared_distances : Tensor of shape (n, k)
        In double precision.
    """

    indices: torch.Tensor
    squared_distances: torch.Tensor


def find_neighbors(x, reference, k, own=None):
    """Find the k nearest reference rows of each row.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Finite.
    reference : Tensor of shape (m, d)
    k : int
        Fewer are found where there are not so many.
    own : Tensor of shape (n,) or None
        Index of the reference row that each row is, and that it therefore does not
        find; -1 where it is none. None: no row is one.

    Returns
    -------
    Neighbors

    Examples
    --------
    >>> import torch
    >>> from skvae._map.neighbors import find_neighbors
    >>> x = torch.tensor([[0.0], [1.0], [3.0]])
    >>> find_neighbors(x, x, 1, own=torch.arange(3)).indices.T
    tensor([[1, 0, 1]])
    """
    return Reference(reference).neighbors(x, k, own)


class Reference:
    """Rows among which neighbours are found, made ready once for many searches.

    Parameters
    ----------
    rows : Tensor of shape (m, d)
    """

    def __init__(self, rows):
        self._rows = rows.double()
        self._center = self._rows.mean(dim=0)  # short rows have tight bounds

    def neighbors(self, x, k, own=None):
        """Find the k nearest rows of each row of x; see `find_neighbors`."""
        x = x.double()
        if own is None:
            own = torch.full((len(x),), -1, dtype=torch.int64, device=x.device)
        k = min(k, len(self._rows) - int((own >= 0).any()))
        indices = torch.empty(len(x), k, dtype=torch.int64, device=x.device)
        squared = torch.empty(len(x), k, dtype=torch.float64, device=x.device)
        n_candidates, search = k + 1 + SPARE, self._single
        left = torch.arange(len(x), device=x.device)
        while len(left):
            is_sure = torch.empty(len(left), dtype=torch.bool, device=x.device)
            all_left = torch.arange(len(left), device=x.device)
            for some in all_left.split(search.block_rows):
                rows = left[some]
                found = search(x[rows], own[rows], k, n_candidates)
                indices[rows], squared[rows], is_sure[some] = found
            left = left[~is_sure]
            if len(left):
                n_candidates *= MORE
                search = _Search(self._rows, self._center, torch.float64)
        return Neighbors(indices, squared)

    @cached_property
    def _single(self):
        return _Search(self._rows, self._center, torch.float32)


class _Search:
    """Searches neighbours among candidates that a product finds."""

    def __init__(self, reference, center, dtype):
        self._reference, self._center, self._dtype = reference, center, dtype
        # A product of d + 1 terms errs by at most this share of their size, and this.
        n_terms, limits = reference.shape[1] + 8, torch.finfo(dtype)
        self._share, self._least = n_terms * limits.eps, n_terms * limits.tiny
        self._most = limits.max / 1e4  # squares beyond may overflow in the product
        self.block_rows = max(BLOCK_ENTRIES // max(len(reference), 1), 1)
        y = reference - center
        norms = y.square().sum(dim=1, keepdim=True)
        self._overflows = bool((norms > self._most).any())
        bounds = norms * (1 - 2 * self._share)
        self._factors = torch.cat([-2 * y, bounds], dim=1).to(dtype).T.contiguous()

    def __call__(self, x, own, k, n_candidates):
        """Return indices, squared distances, and whether they are surely the least."""
        n_candidates = min(n_candidates, len(self._reference))
        candidates, bounds = self._candidates(x, n_candidates)
        candidates, _ = candidates.sort(dim=1)  # so that ties go by index
        squared = self._squared_distances(x, candidates)
        squared.masked_fill_(candidates == own[:, None], torch.inf)
        squared, order = squared.sort(dim=1, stable=True)
        candidates, squared = candidates.gather(1, order)[:, :k], squared[:, :k]
        is_sure = (squared < bounds[:, None]).all(dim=1) | bounds.isposinf()
        return candidates, squared, is_sure

    def _candidates(self, x, n_candidates):
        """Return candidates, and a bound from below for others; infinite for none."""
        x = x - self._center
        ones = x.new_ones(len(x), 1)
        products = torch.cat([x, ones], dim=1).to(self._dtype) @ self._factors
        least, candidates = least_entries(products, n_candidates)
        if n_candidates == len(self._reference):
            return candidates, x.new_full((len(x),), torch.inf)
        norms = x.square().sum(dim=1)
        bounds = norms * (1 - self._share) + least.double().amax(dim=1) - self._least
        is_known = norms < self._most
        return candidates, bounds.where(is_known & (not self._overflows), -torch.inf)

    def _squared_distances(self, x, candidates):  # (n, d), (n, m) -> (n, m)
        """Return them, each as if it were the only one."""
        n_rows = max(BLOCK_ENTRIES // max(candidates.shape[1] * x.shape[1], 1), 1)
        parts = [
            (self._reference[its] - some[:, None]).square_().sum(dim=2)
            for some, its in zip(x.split(n_rows), candidates.split(n_rows), strict=True)
        ]
        return torch.cat(parts) if parts else x.new_empty(candidates.shape)


def least_entries(entries, m):  # (n, m') -> (n, m), (n, m)
    """Return the m least entries of each row, in any order, and their columns.

    They are in the m groups of columns whose least entries are least. The first pass
    has no branches, so that it is several times as fast as `topk`.
    """
    n_columns = entries.shape[1]
    size = n_columns // (GROUPS * m)
    if size < 2:
        return entries.topk(m, dim=1, largest=False, sorted=False)
    width = n_columns // size
    groups = entries[:, : size * width].unflatten(1, (size, width)).amin(dim=1)
    _, chosen = groups.topk(m, dim=1, largest=False, sorted=False)
    column = torch.arange(n_columns, device=entries.device)
    columns = (chosen[:, None] + column[: size * width : width, None]).flatten(1)
    rest = column[size * width :].expand(len(entries), -1)
    columns = torch.cat([columns, rest], dim=1)
    least, order = entries.gather(1, columns).topk(
        m, dim=1, largest=False, sorted=False
    )
    return least, columns.gather(1, order)
