"""Encoders and decoders: a network where its training rows were, linear beyond.

An MLP says nothing of what lies outside the rows it was trained on. So beyond their
range it goes on along the linear VAE that it started from. And training rows make an
encoder surer than rows that it did not see find it: its posteriors are widened.
"""

from dataclasses import dataclass, replace

import torch

from skvae._linear.vae import LinearVAE
from skvae._model.network import VAE


@dataclass(frozen=True)
class Coder:
    """A network between rows and z, in double precision.

    Its rounding then shows in no batch size.

    Parameters
    ----------
    network : VAE
    linear : LinearVAE
        That the network started from.
    filler : LinearVAE
        What a missing entry is expected to be, for the encoder to read.
    x_range : Tensor of shape (2, d)
        Least and largest entry of each column in the training rows.
    z_range : Tensor of shape (2, k)
        The same of their posteriors.
    typical_share : Tensor of shape (k,)
        Share of what complete rows tell of z that the training rows told on average: 1
        where they were complete.
    posterior_scale : float
        By how much the encoder overstates what a row adds to the precision of z.
    """

    network: VAE
    linear: LinearVAE
    filler: LinearVAE
    x_range: torch.Tensor
    z_range: torch.Tensor
    typical_share: torch.Tensor
    posterior_scale: float = 1.0

    @property
    def n_components(self):
        """Number of latent dimensions."""
        return self.network.architecture.n_components

    def encode(self, x):  # (n, d) -> (n, k), (n, k)
        """Return the mean and the log-variance of q(z|x)."""
        filled = self.filler.fill(x)
        inside = filled.clamp(*self.x_range)
        mean, log_var = self.network.encode(inside)
        mean = mean + (filled - inside) @ self.linear.encoder
        # Incomplete rows tell less than those that the encoder learned from.
        informed = self.linear.informed_share(x) / self.typical_share
        mean = mean.where(informed > 0, 0.0)
        return mean, widen(log_var, self.posterior_scale / informed)

    def decode(self, z):  # (n, k) -> (n, d)
        """Return what parametrises p(x|z): means, and logits of indicators."""
        inside = z.clamp(*self.z_range)
        beyond = (z - inside) @ self.linear.output_map[1:]
        return self.network.decode(inside) + beyond

    def with_slopes(self, z):  # (n, k) -> (n, d), (n, k, d)
        """Return what z decodes to, and its slopes along each component."""
        inside, linear = z.clamp(*self.z_range), self.linear.output_map[1:]
        decoded, slopes = self.network.with_slopes(inside)
        slopes = torch.where((z == inside)[:, :, None], slopes, linear)
        return decoded + (z - inside) @ linear, slopes

    def with_offset(self, offset):  # (d,)
        """Return the coder that decodes so much more."""
        network = self.network.copy()
        bias = network.parts["decoder_linear_bias"]
        bias.copy_((bias + offset).float())  # as files keep it
        return replace(self, network=network)


@dataclass(frozen=True)
class LinearCoder:
    """A linear VAE between rows and z.

    Parameters
    ----------
    linear : LinearVAE
    """

    linear: LinearVAE

    @property
    def n_components(self):
        """Number of latent dimensions."""
        return len(self.linear.decoder)

    @property
    def dtype(self):
        """Precision of the linear VAE."""
        return self.linear.decoder.dtype

    def permuted(self, order, signs):
        """Return the coder whose component ``i`` is ``order[i]`` times its sign."""
        return LinearCoder(self.linear.permuted(order, signs))

    def encode(self, x):  # (n, d) -> (n, k), (n, k)
        """Return the mean and the log-variance of q(z|x)."""
        mean = self.linear.encoder_bias + self.linear.fill(x) @ self.linear.encoder
        informed = self.linear.informed_share(x)
        log_var = widen(self.linear.log_var.expand_as(mean), 1 / informed)
        return mean.where(informed > 0, 0.0), log_var

    def decode(self, z):  # (n, k) -> (n, d)
        """Return what parametrises p(x|z): means, and logits of indicators."""
        return self.linear.output_map[0] + z @ self.linear.output_map[1:]

    def with_slopes(self, z):  # (n, k) -> (n, d), (n, k, d)
        """Return what z decodes to, and its slopes along each component."""
        slopes = self.linear.output_map[1:]
        return self.decode(z), slopes.expand(len(z), *slopes.shape)

    def with_offset(self, offset):  # (d,)
        """Return the coder that decodes so much more."""
        bias, weights = self.linear.output_map.tensor_split([1])
        output_map = torch.cat([bias + offset, weights])
        return LinearCoder(replace(self.linear, output_map=output_map))


def widen(log_var, factor):
    """Divide by a factor what a row adds to the precision of its posterior.

    The rest of the precision is the prior's, 1.

    Parameters
    ----------
    log_var, factor : Tensor of shape (n, k)
    """
    added = torch.expm1(-log_var)  # below 0 where a row unsettles the prior
    return -torch.log1p(added / torch.where(added > 0, factor, factor.clamp(min=1)))
