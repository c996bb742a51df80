"""Column blocks of p(x|z): log-density, mean and sample.

A block knows nothing of the network: it is handed what the decoder says of its columns.
"""

from math import inf, pi

import torch


class Gaussian:
    """Numeric columns: ``x ~ N(decoded, variance)``, independent given z.

    Parameters
    ----------
    variance : Tensor of shape (d,), or (..., n, d) where nothing refits it
        Noise variance of each column.
    floor : float or Tensor of shape (d,)
        The least variance that `refit` and `track` set.
    shared : bool
        Whether `refit` and `track` give all columns one variance.
    within : Tensor of shape (d,), optional
        Added to mean squared errors: how far what an entry stands for is from it.
    share : Tensor of shape (d,), optional
        Of each column's entries that are observed; the others are NaN.
    """

    def __init__(self, variance, *, floor=0.0, shared=False, within=None, share=None):
        self.variance = variance
        self.floor = floor
        self.shared = shared
        self.within = within
        self.share = share
        n_columns = variance.shape[-1]
        self._error, self._precision = variance.new_empty(2, n_columns)
        self._mean = variance.new_empty(())
        self._column = variance.new_tensor(1 / n_columns)

    def given(self, z):
        """Return the block at z, here the same everywhere."""
        return self

    def of_intervals(self):
        """Return the block that is told the interval in which each entry lies."""
        return IntervalGaussian(self.variance)

    def log_prob(self, x, decoded):  # (n, d), (n, d) -> (n, d)
        """Log-density of each entry in nats, 0 where it is missing, NaN."""
        missing = x.isnan()
        have_holes = missing.any()
        if have_holes:
            x = torch.where(missing, decoded.detach(), x)
        squared_error = (x - decoded).square()
        log_prob = -0.5 * (
            squared_error / self.variance + (2 * pi * self.variance).log()
        )
        return log_prob.masked_fill(missing, 0.0) if have_holes else log_prob

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
        if self.share is not None:
            torch.nan_to_num(residual, 0.0, inf, -inf, out=residual)
        squares = torch.mul(residual, residual, out=out)
        torch.sum(squares, 0, out=self._error).mul_(weight)
        if self.share is not None:
            self._error.div_(self.share)
        precision = torch.div(weight, self.variance, out=self._precision)
        torch.mul(residual, precision, out=out)
        return self._error

    def expected_log_prob(self, error):  # (d,) -> ()
        """Mean over rows of the log-density of a row, from mean squared errors."""
        if self.within is not None:
            error = error + self.within
        log_prob = error / self.variance + (2 * pi * self.variance).log()
        if self.share is not None:
            log_prob = log_prob * self.share
        return -0.5 * log_prob.sum()

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
        if self.within is not None:
            error = error + self.within
        if self.shared:
            error = self._mean_of(error).expand_as(error)
        return self._with(error.clamp(min=self.floor))

    def clone(self):
        """Return a copy that later tracking leaves alone."""
        return self._with(self.variance.clone())

    def track(self, error, weight):
        """Move the variance towards that of a batch, `error`, which is overwritten."""
        if self.within is not None:
            error.add_(self.within)
        if self.share is not None and self.shared:
            error.copy_(self._mean_of(error))
        elif self.shared:
            error.copy_(torch.sum(error, 0, out=self._mean).mul_(self._column))
        self.variance.lerp_(error.clamp_(min=self.floor), weight)

    def _mean_of(self, error):
        if self.share is None:
            return error.mean()
        return (error * self.share).sum() / self.share.sum()

    def _with(self, variance):
        return Gaussian(
            variance,
            floor=self.floor,
            shared=self.shared,
            within=self.within,
            share=self.share,
        )


class VaryingGaussian:
    """Numeric columns whose variance depends on z.

    Parameters
    ----------
    variance : Tensor of shape (d,)
        What the factor of the dispersion multiplies.
    dispersion : Dispersion
    block : {Gaussian, IntervalGaussian}
        What it is at each z.
    """

    def __init__(self, variance, dispersion, block=Gaussian):
        self.variance, self._dispersion, self._block = variance, dispersion, block

    def given(self, z):  # (..., k) -> block of variances (..., d)
        """Return the block at z."""
        return self._block(self.variance * self._dispersion.factor(z))

    def of_intervals(self):
        """Return the block that is told the interval in which each entry lies."""
        return VaryingGaussian(self.variance, self._dispersion, IntervalGaussian)

    def mean(self, decoded):
        """Mean of each entry."""
        return decoded


class IntervalGaussian:
    """Numeric columns known to lie in an interval: its mass under N(decoded, variance).

    Where an interval has no width: the density.

    Parameters
    ----------
    variance : Tensor of shape (d,) or (..., n, d)
    """

    def __init__(self, variance):
        self._gaussian = Gaussian(variance)

    def given(self, z):
        """Return the block at z, here the same everywhere."""
        return self

    def log_prob(self, x, decoded):  # (n, 2, d), (..., n, d) -> (..., n, d)
        """Log-mass or log-density of each entry in nats; x: least and largest value."""
        low, high = x.unbind(dim=-2)
        log_prob = self._gaussian.log_prob(low, decoded)
        is_wide = high > low
        columns = is_wide.any(dim=0)
        std = self._gaussian.variance[..., columns].sqrt()
        decoded = decoded[..., columns]
        low, high = ((x[:, columns] - decoded) / std for x in (low, high))
        is_right = low + high > 0  # of the mean: as precise from the other side
        low, high = (
            torch.where(is_right, -a, b) for a, b in ((high, low), (low, high))
        )
        log_high = torch.special.log_ndtr(high)
        ratio = torch.special.log_ndtr(low) - log_high
        mass = log_high + (-torch.expm1(ratio)).log()
        log_prob[..., columns] = torch.where(
            is_wide[:, columns], mass, log_prob[..., columns]
        )
        return log_prob


def interval_variance(intervals):  # (n, 2, d) -> (n, d)
    """Variance of a standard normal within intervals, 0 where they have no width."""
    low, high = intervals.unbind(dim=1)
    below, above = (torch.exp(-0.5 * x.square()) / (2 * pi) ** 0.5 for x in (low, high))
    mass = torch.special.ndtr(high) - torch.special.ndtr(low)
    mean = (below - above) / mass
    variance = 1 + (low * below - high * above) / mass - mean.square()
    return torch.where(high > low, variance, 0.0)
