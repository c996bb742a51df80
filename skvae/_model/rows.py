"""Rows: what the encoder reads of them, and what the likelihood is told."""

from dataclasses import dataclass
from functools import cached_property

import torch

from skvae._numerics.missing import have_missing


@dataclass(frozen=True)
class Rows:
    """Rows on the network's scale.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        What the encoder reads.
    observed : Tensor of shape (n, d) or (n, 2, d)
        What the likelihood is told: the entries, or the least and the largest value
        that each entry stands for. NaN where one is missing.
    """

    x: torch.Tensor
    observed: torch.Tensor

    def __len__(self):
        return len(self.x)

    def __getitem__(self, rows):
        """Return some of the rows, by a slice or by indices."""
        return Rows(self.x[rows], self.observed[rows])

    @property
    def has_intervals(self):
        """Whether the likelihood is told intervals."""
        return self.observed.ndim == 3

    @cached_property
    def has_missing(self):
        """Whether an entry is missing."""
        return have_missing(self.observed)

    def to(self, *args):
        """Return the rows on another device or in another dtype."""
        return Rows(self.x.to(*args), self.observed.to(*args))
