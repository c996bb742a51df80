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
        self._error, self._precision = variance.new_empty(2, len(variance))
        self._mean = variance.new_empty(())
        self._column = variance.new_tensor(1 / len(variance))

    def log_prob(self, x, decoded):  # (n, d), (n, d) -> (n, d)
        """Log-density of each entry in nats."""
        squared_error = (x - decoded).square()
        return -0.5 * (squared_error / self.variance + (2 * pi * self.variance).log())

    def backward(self, x, decoded, weight, out):
        """Write the gradient by `decoded` of minus the log-density to `out`.

        Parameters
        ----------
        x, decoded : Tensor of shape (n, d)
            `decoded` becomes the residual.
        weight : Tensor of shape ()
            Of a row: 1 / n.
        out : Tensor of shape (n, d)

        Returns
        -------
        error : Tensor of shape (d,)
            Mean squared error; overwritten by the next call.
        """
        residual = decoded.sub_(x)
        squares = torch.mul(residual, residual, out=out)
        torch.sum(squares, 0, out=self._error).mul_(weight)
        precision = torch.div(weight, self.variance, out=self._precision)
        torch.mul(residual, precision, out=out)
        return self._error

    def expected_log_prob(self, error):  # (d,) -> ()
        """Mean over rows of the log-density of a row, from mean squared errors."""
        return -0.5 * (error / self.variance + (2 * pi * self.variance).log()).sum()

    def mean(self, decoded):
        """Mean of each entry."""
        return decoded

    def sample(self, decoded, generator):
        """Draw each entry."""
        # Single precision is enough for noise, and six times as fast.
        noise = torch.empty_like(decoded, dtype=torch.float32)
        noise.normal_(generator=generator)
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
        """Move the variance towards that of a batch, `error`, which is overwritten."""
        if self.shared:
            error.copy_(torch.sum(error, 0, out=self._mean).mul_(self._column))
        self.variance.lerp_(error.clamp_(min=self.floor), weight)
