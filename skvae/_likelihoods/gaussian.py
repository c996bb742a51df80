"""Column blocks of p(x|z): log-density, mean and sample.

A block knows nothing of the network: it is handed what the decoder says of its columns.
"""

from abc import ABC, abstractmethod
from math import inf, pi

import torch

from skvae._layout import MOST_LOGIT


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
        self._column = variance.new_tensor(1 / max(n_columns, 1))

    @property
    def n_entries(self):
        """Number of the table's columns."""
        return self.variance.shape[-1]

    def of_columns(self, flags):  # (n, n_entries) -> (n, d)
        """Return the flags of the network's columns: those of the table's."""
        return flags

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

    def errors(self, x, decoded):  # (n, d), (n, d) -> (n, d)
        """Squared error of each entry, NaN where it is missing."""
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


class _Indicators(ABC):
    """Columns of indicators, scaled: ``(indicator - center) / spread``.

    Their errors are minus their log-masses.

    Parameters
    ----------
    center, spread : Tensor of shape (d,)
    share : Tensor of shape (d,), optional
        Of each column's entries that are observed; the others are NaN.
    """

    def __init__(self, center, spread, share=None):
        self.center, self.spread, self.share = center, spread, share

    def log_prob(self, x, decoded):  # (n, d), (..., n, d) -> (..., n, d)
        """Log-mass of each entry in nats, 0 where it is missing, NaN."""
        known = self._indicators(x).nan_to_num(0.0)  # autograd knows no 0 times NaN
        return -self._errors(known, decoded).masked_fill(x.isnan(), 0.0)

    def errors(self, x, decoded):  # (n, d), (..., n, d) -> (..., n, d)
        """Minus the log-mass of each entry, NaN where it is missing."""
        return self._errors(self._indicators(x), decoded)

    def backward(self, x, decoded, weight, out):
        """As of a Gaussian: write the gradient, return the mean errors."""
        indicators = self._indicators(x)
        errors = self._errors(indicators, decoded)
        torch.sub(self.probability(decoded), indicators, out=out).mul_(weight)
        if self.share is None:
            return errors.sum(dim=0).mul_(weight)
        out.nan_to_num_(0.0)
        return errors.nansum(dim=0).mul_(weight).div_(self.share)

    def expected_log_prob(self, error):  # (d,) -> ()
        """Mean over rows of the log-mass of a row, from mean errors."""
        return -(error if self.share is None else error * self.share).sum()

    def mean(self, decoded):
        """Mean of each entry."""
        return (self.probability(decoded) - self.center) / self.spread

    def sample(self, decoded, generator):
        """Draw each entry."""
        return (self._draw(decoded, generator) - self.center) / self.spread

    def _indicators(self, x):
        return (x * self.spread + self.center).round()

    @abstractmethod
    def probability(self, decoded):
        """Probability of each indicator."""

    @abstractmethod
    def _errors(self, indicators, decoded):
        """Minus the log-mass of each indicator."""

    @abstractmethod
    def _draw(self, decoded, generator):
        """Draw each indicator."""


class Bernoulli(_Indicators):
    """Columns of two levels: the second has probability ``sigmoid(decoded)``."""

    def probability(self, decoded):
        """Probability of each indicator."""
        return torch.sigmoid(decoded)

    def _errors(self, indicators, decoded):
        return torch.nn.functional.softplus(decoded) - indicators * decoded

    def _draw(self, decoded, generator):
        draw = torch.empty_like(decoded).uniform_(generator=generator)
        return (draw < self.probability(decoded)).to(decoded)


class Categorical(_Indicators):
    """Columns of levels: ``softmax(decoded)`` over the indicators of each.

    All columns are normalised at once, by products with `member`.

    Parameters
    ----------
    center, spread : Tensor of shape (d,)
    sizes : tuple of int
        Number of levels of each column.
    share : Tensor of shape (d,), optional
    """

    def __init__(self, center, spread, sizes, share=None):
        super().__init__(center, spread, share)
        self.sizes = sizes
        of_column = torch.repeat_interleave(
            torch.arange(len(sizes)), torch.tensor(sizes, dtype=torch.int64)
        )
        self.member = center.new_zeros(len(center), len(sizes))  # level, column
        self.member[torch.arange(len(center)), of_column] = 1

    def probability(self, decoded):
        """Probability of each indicator."""
        return self._log_probability(decoded).exp()

    def _log_probability(self, decoded):
        logits = decoded.clamp(-MOST_LOGIT, MOST_LOGIT)
        return logits - (logits.exp() @ self.member).log() @ self.member.T

    def _errors(self, indicators, decoded):
        return -indicators * self._log_probability(decoded)

    def _draw(self, decoded, generator):
        """Largest logit plus a Gumbel draw (Gumbel 1954)."""
        if not self.sizes:
            return decoded
        exponential = torch.empty_like(decoded).exponential_(generator=generator)
        scores = self._log_probability(decoded) - exponential.log()
        drawn = [
            torch.nn.functional.one_hot(part.argmax(dim=-1), size)
            for part, size in zip(
                scores.split(self.sizes, dim=-1), self.sizes, strict=True
            )
        ]
        nothing = decoded[..., :0]  # all there is where each column has two levels
        return torch.cat([nothing, *drawn], dim=-1).to(decoded)


class Mixed:
    """Blocks side by side, independent given z: the first numbers, others indicators.

    Parameters
    ----------
    numbers : Gaussian, IntervalGaussian or VaryingGaussian
    indicators : [Bernoulli, Categorical]
    widths : tuple of int
        Number of columns of each block.
    of_intervals : bool
        Whether entries come as intervals, those of indicators without width.
    """

    def __init__(self, numbers, indicators, widths, of_intervals=False):
        self.numbers, self.indicators, self.widths = numbers, indicators, widths
        self._of_intervals = of_intervals
        self._blocks = numbers, *indicators

    @property
    def variance(self):
        """Noise variance of the numbers."""
        return self.numbers.variance

    @property
    def n_entries(self):
        """Number of the table's columns."""
        return sum(self.widths[:2]) + len(self.indicators[1].sizes)

    def of_columns(self, flags):  # (n, n_entries) -> (n, d)
        """Return the flags of the network's columns: those of the table's."""
        repeats = [1] * sum(self.widths[:2]) + [*self.indicators[1].sizes]
        counts = torch.tensor(repeats, dtype=torch.int64, device=flags.device)
        return flags.repeat_interleave(counts, dim=-1)

    def given(self, z):
        """Return the blocks at z."""
        return self._with(self.numbers.given(z))

    def of_intervals(self):
        """Return the blocks that are told the interval in which each entry lies."""
        numbers = self.numbers.of_intervals()
        return Mixed(numbers, self.indicators, self.widths, of_intervals=True)

    def log_prob(self, x, decoded):
        """Log-density or log-mass of each entry in nats, 0 where it is missing."""
        parts = list(self._split(x))
        if self._of_intervals:
            parts[1:] = (part[..., 0, :] for part in parts[1:])
        return self._join("log_prob", parts, self._split(decoded))

    def errors(self, x, decoded):
        """Errors of each entry, NaN where it is missing."""
        return self._join("errors", self._split(x), self._split(decoded))

    def backward(self, x, decoded, weight, out):
        """Write the gradient by `decoded`; return the mean errors."""
        parts = zip(*map(self._split, (x, decoded, out)), strict=True)
        errors = [
            block.backward(x, decoded, weight, out)
            for block, (x, decoded, out) in zip(self._blocks, parts, strict=True)
        ]
        return torch.cat(errors)

    def expected_log_prob(self, error):  # (d,) -> ()
        """Mean over rows of the log-density of a row, from mean errors."""
        parts = zip(self._blocks, self._split(error), strict=True)
        return sum(block.expected_log_prob(part) for block, part in parts)

    def mean(self, decoded):
        """Mean of each entry."""
        return self._join("mean", self._split(decoded))

    def sample(self, decoded, generator):
        """Draw each entry."""
        return self._join("sample", self._split(decoded), generator=generator)

    def refit(self, error):  # (d,) -> Mixed
        """Return the blocks with the variance that fits mean errors best."""
        return self._with(self.numbers.refit(self._split(error)[0]))

    def clone(self):
        """Return a copy that later tracking leaves alone."""
        return self._with(self.numbers.clone())

    def track(self, error, weight):
        """Move the variance towards that of a batch."""
        self.numbers.track(self._split(error)[0], weight)

    def _with(self, numbers):
        return Mixed(numbers, self.indicators, self.widths, self._of_intervals)

    def _split(self, x):
        return x.split(self.widths, dim=-1)

    def _join(self, verb, *parts, **options):
        blocks = zip(self._blocks, *parts, strict=True)
        found = [
            getattr(block, verb)(*of_block, **options) for block, *of_block in blocks
        ]
        return torch.cat(found, dim=-1)


def make_likelihood(numbers, blocks, share=None):
    """Return the likelihood of the network's columns.

    Parameters
    ----------
    numbers : Gaussian or VaryingGaussian
        Of the columns of numbers.
    blocks : Blocks or None
        None: there are numbers only.
    share : Tensor of shape (d,), optional
        Of each of the network's columns that is observed.
    """
    if blocks is None:
        return numbers
    n_numbers, n_binary, n_levels = blocks.widths
    center, spread = (
        torch.from_numpy(a).to(numbers.variance) for a in (blocks.shares, blocks.spread)
    )
    share = (
        [None, None] if share is None else share[n_numbers:].split([n_binary, n_levels])
    )
    centers, spreads = (a.split([n_binary, n_levels]) for a in (center, spread))
    binary = Bernoulli(centers[0], spreads[0], share[0])
    levels = Categorical(centers[1], spreads[1], blocks.sizes, share[1])
    return Mixed(numbers, [binary, levels], blocks.widths)
