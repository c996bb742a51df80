"""Numeric columns: normal given z, an entry known exactly or to be in an interval."""

from math import inf, pi

import torch

from skvae._likelihoods.dispersion import CONSTANT


class Gaussian:
    """Numeric columns: ``x ~ N(decoded, variance)``, independent given z.

    Parameters
    ----------
    variance : Tensor of shape (d,), or (..., n, d) at some z
        Noise variance of each column.
    dispersion : Dispersion or Constant, default=CONSTANT
        How the variance varies with z.
    incomplete : bool, default=False
        Whether entries that train may be missing, NaN.
    """

    def __init__(self, variance, dispersion=CONSTANT, incomplete=False):
        self.variance, self.dispersion = variance, dispersion
        self.incomplete = incomplete
        self._error, self._precision = variance.new_empty(2, variance.shape[-1])

    @classmethod
    def of_block(cls, block, variance, incomplete=False):
        """Return the likelihood of a block of the layout."""
        return cls(variance, incomplete=incomplete)

    @property
    def sizes(self):
        """Number of the network's columns that each column of the table has."""
        return torch.ones(self.variance.shape[-1], dtype=torch.int64, device="cpu")

    def with_noise(self, variance, dispersion=CONSTANT):
        """Return the same columns with other noise."""
        return Gaussian(variance, dispersion, self.incomplete)

    def to(self, device):
        """Return the likelihood on another device."""
        return Gaussian(self.variance.to(device), self.dispersion, self.incomplete)

    def given(self, z):  # (..., k)
        """Return the likelihood at z."""
        return Gaussian(self.dispersion.scale(self.variance, z))

    def log_prob(self, observed, decoded):  # (n, d) or (n, 2, d), (..., n, d)
        """Return the log-density of each entry in nats, or the log-mass of an interval.

        Parameters
        ----------
        observed : Tensor of shape (n, d) or (n, 2, d)
            Entries, or the least and the largest value that each stands for. NaN where
            one is missing.
        decoded : Tensor of shape (..., n, d)

        Returns
        -------
        Tensor of shape (..., n, d)
            0 where an entry is missing.
        """
        if observed.ndim == 2:
            return self._log_density(observed, decoded)
        low, high = observed.unbind(dim=1)
        return self._log_mass(low, high, decoded)

    def log_prob_of_pairs(self, observed, decoded):
        """Return the log-density of each row at each decoded row.

        Of entries that are known exactly by products of matrices.

        Parameters
        ----------
        observed : Tensor of shape (n, d) or (n, 2, d)
            As of `log_prob`.
        decoded : Tensor of shape (m, d)

        Returns
        -------
        Tensor of shape (m, n)
        """
        variance = torch.atleast_2d(self.variance)
        if observed.ndim == 2:
            return _log_densities(observed, decoded, variance)
        low, high = observed.unbind(dim=1)
        wide = (high > low).any(dim=0)
        exact = (of[:, ~wide] for of in (low, decoded, variance))
        of_wide = Gaussian(variance[:, None, wide])
        intervals = observed[:, :, wide], decoded[:, None, wide]
        return _log_densities(*exact) + of_wide.log_prob(*intervals).sum(dim=2)

    def quadratic(self, observed, decoded):  # (n, d) or (n, 2, d), (n, d)
        """Return the gradient and minus the curvature of each entry's log-density.

        By `decoded`, (n, d) each; 0 where an entry is missing. An interval pulls what
        is beyond it to its nearer end, and its width adds to the variance.
        """
        low, high = observed.unbind(dim=1) if observed.ndim == 3 else (observed,) * 2
        variance = self.variance + (high - low).square() / 12
        information = variance.reciprocal().nan_to_num(0.0)
        nearest = decoded.maximum(low).minimum(high)
        return (nearest - decoded).nan_to_num(0.0) * information, information

    def errors(self, x, decoded):  # (n, d), (n, d) -> (n, d)
        """Return the squared error of each entry, NaN where it is missing."""
        return (x - decoded).square()

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
            Weighted sum of squared errors; overwritten by the next call.
        """
        residual = decoded.sub_(x)
        if self.incomplete:
            torch.nan_to_num(residual, 0.0, inf, -inf, out=residual)
        squares = torch.mul(residual, residual, out=out)
        torch.sum(squares, 0, out=self._error).mul_(weight)
        precision = torch.div(weight, self.variance, out=self._precision)
        torch.mul(residual, precision, out=out)
        return self._error

    def expected_log_prob(self, error, share):  # (d,), (d,) -> ()
        """Return the mean log-density of a row, from mean squared errors.

        Parameters
        ----------
        error : Tensor of shape (d,)
        share : Tensor of shape (d,)
            Of each column's entries that are observed.
        """
        log_prob = error / self.variance + (2 * pi * self.variance).log()
        return -0.5 * (log_prob * share).sum()

    def mean(self, decoded):
        """Return the mean of each entry."""
        return decoded

    def offset(self, decoded):  # (n, d) -> (d,)
        """Return 0: a column's mean is what the decoder makes it."""
        return torch.zeros_like(decoded[0])

    def sample(self, decoded, generator):
        """Draw each entry."""
        # Single precision is enough for noise, and six times as fast.
        noise = torch.empty_like(decoded, dtype=torch.float32)
        noise.normal_(generator=generator)
        return decoded + self.variance.sqrt() * noise

    def _log_density(self, x, decoded):
        missing = x.isnan()
        have_gaps = missing.any()
        if have_gaps:
            x = torch.where(missing, decoded.detach(), x)
        squared_error = (x - decoded).square()
        log_prob = -0.5 * (
            squared_error / self.variance + (2 * pi * self.variance).log()
        )
        return log_prob.masked_fill(missing, 0.0) if have_gaps else log_prob

    def _log_mass(self, low, high, decoded):
        """Return the log-mass between two values, the log-density where they agree."""
        log_prob = self._log_density(low, decoded)
        is_wide = high > low
        columns = is_wide.any(dim=0)
        std = self.variance[..., columns].sqrt()
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


def _log_densities(x, decoded, variance):  # (n, d), (m, d), (1 or m, d) -> (m, n)
    """Return the log-density of each row at each decoded row."""
    known, precision = x.nan_to_num(0.0), variance.reciprocal().expand_as(decoded)
    heights = decoded.square() * precision + (2 * pi * variance).log()
    squares = precision @ known.square().T
    squares = squares.addmm_(precision * decoded, known.T, alpha=-2)
    return squares.addmm_(heights, (~x.isnan()).to(x).T).mul_(-0.5)


def interval_variance(intervals):  # (n, 2, d) -> (n, d)
    """Return the variance of a standard normal within intervals, 0 without width."""
    low, high = intervals.unbind(dim=1)
    below, above = (torch.exp(-0.5 * x.square()) / (2 * pi) ** 0.5 for x in (low, high))
    mass = torch.special.ndtr(high) - torch.special.ndtr(low)
    mean = (below - above) / mass
    variance = 1 + (low * below - high * above) / mass - mean.square()
    return torch.where(high > low, variance, 0.0)
