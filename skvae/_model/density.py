"""The density of a fitted model: a mixture of parts.

Gaussian noise makes one wrong far row cost more than a whole table gains. So beside the
network stands the linear VAE of all rows, with a weight that validation rows chose: no
row is much less likely than under that linear VAE. (As a defensive mixture: Hesterberg
1995; weights by stacking: Smyth & Wolpert 1999.)
"""

from dataclasses import dataclass, replace
from math import log

import torch

from skvae._model.parts import Part


@dataclass(frozen=True)
class Density:
    """A mixture of parts, and what reconstructs rows from their posterior means.

    Parameters
    ----------
    parts : tuple of Part
        The first encodes and decodes.
    weights : tuple of float
        Of the parts; they add up to 1.
    readout : Tensor of shape (k + 1, d)
        Intercept and weights of a linear correction of the decoded mean.
    """

    parts: tuple[Part, ...]
    weights: tuple[float, ...]
    readout: torch.Tensor

    @property
    def n_components(self):
        """Number of latent dimensions."""
        return self.parts[0].coder.n_components

    def with_first(self, **changes):
        """Return the density with changes of its first part."""
        first, *others = self.parts
        return replace(self, parts=(replace(first, **changes), *others))

    def encode(self, x):  # (n, d) -> (n, k), (n, k)
        """Return the mean and the log-variance of q(z|x)."""
        return self.parts[0].coder.encode(x)

    def mean(self, z):  # (n, k) -> (n, d)
        """Return the mean of p(x|z)."""
        return self.parts[0].mean(z)

    def reconstruct(self, mean):  # (n, k) -> (n, d)
        """Return the rows whose posterior means these are."""
        return self.mean(mean) + self.readout[0] + mean @ self.readout[1:]

    def log_density(self, rows, n_draws):
        """Bound log p(x) from below, in nats.

        Parameters
        ----------
        rows : Rows
        n_draws : int
            As of a part.

        Returns
        -------
        Tensor of shape (n,)
        """
        bounds = [
            log(weight) + part.log_density(rows, n_draws)
            for part, weight in zip(self.parts, self.weights, strict=True)
        ]
        total, *others = bounds
        for other in others:
            total = torch.logaddexp(total, other)
        return total

    def sample(self, n, generator):  # -> (n, d)
        """Draw rows, observation noise included."""
        edges = torch.tensor(self.weights, dtype=torch.float64, device="cpu")
        edges = edges.cumsum(dim=0)[:-1]
        like = {"generator": generator, "dtype": torch.float64, "device": "cpu"}
        chosen = torch.searchsorted(edges, torch.rand(n, **like), right=True)
        x = torch.empty(n, self.readout.shape[1], dtype=torch.float64, device="cpu")
        for i, part in enumerate(self.parts):
            x[chosen == i] = part.sample(int((chosen == i).sum()), generator)
        return x


def stacking_weight(log_density, other, n_steps=200):
    """Return the weight of one density in a mixture of two that suits rows best.

    The posterior mode under a Beta(2, 2) prior, by expectation-maximisation: with few
    rows it stays near one half, and never reaches 0 or 1.

    Parameters
    ----------
    log_density, other : Tensor of shape (n,)
        Of rows that neither density was fitted to.

    Returns
    -------
    float

    Examples
    --------
    >>> import torch
    >>> from skvae._model.density import stacking_weight
    >>> even, ahead = torch.zeros(98), torch.full((98,), 50.0)
    >>> round(stacking_weight(even, even), 3), round(stacking_weight(ahead, even), 3)
    (0.5, 0.99)
    """
    weight = 0.5
    odds = (other - log_density).clamp(-700, 700).exp()
    for _ in range(n_steps):
        share = 1 / (1 + (1 - weight) / weight * odds)
        weight = (float(share.sum()) + 1) / (len(share) + 2)
    return weight
