"""Column blocks of p(x|z): log-density, mean and sample.

A block knows nothing of the network: it is handed what the decoder says of its columns.
"""

from math import pi

import torch


class Gaussian:
    """Numeric columns: ``x ~ N(decoded, variance)``, independent given z.

    Parameters
    ----------
    variance : Tensor of shape (d,)
        Noise variance of each column.
    floor : float or Tensor of shape (d,)
        The least variance that `refit` and `track` set.
    shared : bool
        Whether `refit` and `track` give all columns one variance.
    """

    def __init__(self, variance, *, floor, shared):
        self.variance = variance
        self.floor = floor
        self.shared = shared

    def log_prob(self, x, decoded):  # (n, d), (n, d) -> (n, d)
        """Log-density of each entry in nats."""
        squared_error = (x - decoded).square()
        return -0.5 * (squared_error / self.variance + (2 * pi * self.variance).log())

    def expected_log_prob(self, error):  # (d,) -> ()
        """Mean over rows of the log-density of a row, from mean squared errors."""
        return -0.5 * (error / self.variance + (2 * pi * self.variance).log()).sum()

    def mean(self, decoded):
        """Mean of each entry."""
        return decoded

    def sample(self, decoded, generator):
        """Draw each entry."""
        noise = torch.empty_like(decoded).normal_(generator=generator)
        return decoded + self.variance.sqrt() * noise

    def refit(self, error):  # (d,) -> Gaussian
        """Return this block with the variance that fits mean squared errors best."""
        if self.shared:
            error = error.mean().expand_as(error)
        variance = error.clamp(min=self.floor)
        return Gaussian(variance, floor=self.floor, shared=self.shared)

    def clone(self):
        """Return a copy that later tracking leaves alone."""
        return Gaussian(self.variance.clone(), floor=self.floor, shared=self.shared)

    def track(self, error, weight):
        """Move the variance towards that of a batch: a running mean, in place."""
        self.variance.lerp_(self.refit(error).variance, weight)
