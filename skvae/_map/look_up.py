"""Where a map puts a row: among its nearest reference rows, at one of their places.

A weighted mean of neighbours puts a row between two groups into the void between them.
The Cauchy location stays with one of the groups.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from skvae._map.neighbors import Reference

N_NEAREST = 8
WIDTH = 2.0  # of the Cauchy distribution, in the units of the layout
N_STEPS = 10
MOST = torch.finfo(torch.float32).max
LEAST_SQUARED_DISTANCE = 1e-9  # so that a row that is a reference row has a weight


@dataclass(frozen=True)
class LookUp:
    """Places rows on the map of reference rows, each row by itself.

    Parameters
    ----------
    reference : Tensor of shape (m, d)
        In double precision, with the values of single precision: as files keep it.
    positions : Tensor of shape (m, k)
        Of the reference rows on the map.
    scale : float
        What 1 on the map is in the layout.
    """

    reference: torch.Tensor
    positions: torch.Tensor
    scale: float

    @classmethod
    def of(cls, reference, layout):
        """Return that of a layout, scaled to a root mean square of 1.

        Parameters
        ----------
        reference : Tensor of shape (m, d)
        layout : Tensor of shape (m, k)
        """
        layout = layout.double()
        scale = float(layout.square().mean().sqrt()) or 1.0
        return cls(reference.float().double(), layout / scale, scale)

    def __call__(self, x, own=None):
        """Return the places of rows.

        Parameters
        ----------
        x : Tensor of shape (n, d)
        own : Tensor of shape (n,) or None
            Index of the reference row that each row is, and that is not to place it;
            -1 where it is none. None: no row is one.

        Returns
        -------
        Tensor of shape (n, k)
        """
        x = x.clamp(-MOST, MOST).float()
        return self.among(self._reference.neighbors(x, N_NEAREST, own))

    def among(self, neighbors):
        """Return the places of rows of which the nearest reference rows are known.

        Parameters
        ----------
        neighbors : Neighbors
            `N_NEAREST` of each row, or more.

        Returns
        -------
        Tensor of shape (n, k)
        """
        squared = neighbors.squared_distances[:, :N_NEAREST]
        points = self.positions[neighbors.indices[:, :N_NEAREST]]
        weights = 1 / (squared + LEAST_SQUARED_DISTANCE)
        return cauchy_location(points, weights, WIDTH / self.scale)

    def permuted(self, order, signs):
        """Return the same with its axes in an order, and turned."""
        return replace(self, positions=self.positions[:, order] * signs)

    @cached_property
    def _reference(self):
        return Reference(self.reference)


def cauchy_location(points, weights, width):
    """Return the location of the Cauchy distribution that suits weighted points best.

    By steps of expectation-maximisation from the weighted mean: near groups of points
    pull it to themselves and away from all others.

    Parameters
    ----------
    points : Tensor of shape (n, m, k)
    weights : Tensor of shape (n, m)
    width : float

    Returns
    -------
    Tensor of shape (n, k)
    """
    location = _mean(points, weights)
    for _ in range(N_STEPS):
        squared = (points - location[:, None]).square().sum(dim=2)
        location = _mean(points, weights / (width**2 + squared))
    return location


def _mean(points, weights):  # (n, m, k), (n, m) -> (n, k)
    shares = weights / weights.sum(dim=1, keepdim=True)
    return (points * shares[:, :, None]).sum(dim=1)
