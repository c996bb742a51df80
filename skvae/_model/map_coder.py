"""An encoder that looks rows up on a map, and the decoder of the map."""

from dataclasses import dataclass, replace

import torch

from skvae._linear.vae import LinearVAE
from skvae._map.decoder import MapDecoder
from skvae._map.look_up import LookUp

HOLD = 400.0  # precision of the place that the look-up gives a row
MOST_MOVED = 3 / HOLD**0.5  # from the place, along each component
MOST_ADDED = 1e100  # to the precision of z


@dataclass(frozen=True)
class MapCoder:
    """A map between rows and z, in double precision.

    The mean of q(z|x) is near where the map puts the row: where the decoder, as if it
    were linear, makes most of it. That is a Gauss-Newton step, which a row unlike all
    others would take far off. The variances are those of the posterior of that linear
    decoder (Laplace's method).

    Parameters
    ----------
    look_up : LookUp
        Where rows are on the map.
    decoder : MapDecoder
    filler : LinearVAE
        What a missing entry is expected to be.
    z_range : Tensor of shape (2, k)
        Of the map: beyond it the decoder goes on as at its edge.
    information : Tensor of shape (d,)
        What an entry of each column tells of what decodes to it.
    n_numeric : int
        The first so many columns are numeric.
    posterior_scale : float
        By how much the information is overstated.
    """

    look_up: LookUp
    decoder: MapDecoder
    filler: LinearVAE
    z_range: torch.Tensor
    information: torch.Tensor
    n_numeric: int
    posterior_scale: float = 1.0

    @property
    def n_components(self):
        """Number of latent dimensions."""
        return self.look_up.positions.shape[1]

    @property
    def dtype(self):
        """Precision of the map."""
        return self.look_up.positions.dtype

    def encode(self, x):  # (n, d) -> (n, k), (n, k)
        """Return the mean and the log-variance of q(z|x)."""
        x = x.to(self.dtype)
        mean, added = self.refine(self.look_up(self.filler.fill(x)), x)
        mean = mean.where(x.isfinite().any(dim=1, keepdim=True), 0.0)
        return mean, -torch.log1p(added / self.posterior_scale)

    def refine(self, place, x):  # (n, k), (n, d) -> (n, k), (n, k)
        """Return the means of rows' posteriors from their places on the map.

        And what the rows add to the precision of z.
        """
        told, numeric = ~x.isnan() * self.information, slice(self.n_numeric)
        decoded, slopes = self.decoder.with_slopes(place)
        weighted = slopes * told[:, None]
        left = (x - decoded)[:, None, numeric].nan_to_num(0.0)
        pull = (weighted[..., numeric] * left).sum(dim=2)
        curvature = weighted[..., numeric] @ slopes[..., numeric].mT
        curvature.diagonal(dim1=1, dim2=2).add_(HOLD)
        step, _ = torch.linalg.solve_ex(curvature, pull)
        step = step.nan_to_num(0.0)  # where nothing can be solved
        added = (weighted * slopes).sum(dim=2)
        mean = place + step.clamp(-MOST_MOVED, MOST_MOVED)
        return mean, added.nan_to_num(0.0).clamp(max=MOST_ADDED)

    def decode(self, z):  # (n, k) -> (n, d)
        """Return what parametrises p(x|z): means, and logits of indicators."""
        return self.decoder(z.clamp(*self.z_range))

    def with_slopes(self, z):  # (n, k) -> (n, d), (n, k, d)
        """Return what z decodes to, and its slopes along each component."""
        inside = z.clamp(*self.z_range)
        decoded, slopes = self.decoder.with_slopes(inside)
        return decoded, slopes * (z == inside)[:, :, None]

    def permuted(self, order, signs):
        """Return the coder whose component ``i`` is ``order[i]`` times its sign."""
        low, high = (edge[order] * signs for edge in self.z_range)
        return replace(
            self,
            look_up=self.look_up.permuted(order, signs),
            decoder=self.decoder.permuted(order, signs),
            z_range=torch.stack([low.minimum(high), low.maximum(high)]),
        )

    def with_offset(self, offset):  # (d,)
        """Return the coder that decodes so much more."""
        return replace(self, decoder=self.decoder.with_offset(offset))
