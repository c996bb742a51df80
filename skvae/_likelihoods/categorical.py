"""Categorical columns: indicators that are 1 with some probability given z."""

from abc import ABC, abstractmethod

import torch

from skvae._likelihoods.dispersion import CONSTANT

MOST_LOGIT = 40.0  # whose exponential single precision can add up
LEAST_SHARE = 1e-9
OFFSET_STEPS, OFFSET_TOL = 30, 1e-3
ZERO_AND_ONE = torch.zeros_like, torch.ones_like
MOST_OFFSET = 5.0  # where a category is as good as never seen


class Indicators(ABC):
    """Columns of indicators, scaled: ``(indicator - center) / spread``.

    Their errors are minus their log-masses.

    Parameters
    ----------
    center, spread : Tensor of shape (d,)
    sizes : Tensor of shape (n_columns,)
        Number of indicators of each column of the table.
    incomplete : bool, default=False
        Whether entries that train may be missing, NaN.
    """

    dispersion = CONSTANT
    curvature: float  # at most, of minus the log-mass, by a logit
    n_dependent: int  # indicators that the others determine

    def __init__(self, center, spread, sizes, incomplete=False):
        self.center, self.spread, self.sizes = center, spread, sizes
        self.incomplete = incomplete

    @classmethod
    def of_block(cls, block, variance, incomplete=False):
        """Return the likelihood of a block, in the dtype of `variance`."""
        center, spread = (
            torch.from_numpy(a).to(variance) for a in (block.center, block.spread)
        )
        return cls(center, spread, torch.from_numpy(block.sizes), incomplete)

    @property
    def variance(self):
        """There is no noise variance."""
        return self.center[:0]

    def with_noise(self, variance, dispersion=None):
        """Return the same columns, which have no noise variance."""
        return self

    def to(self, device):
        """Return the likelihood on another device."""
        center, spread = self.center.to(device), self.spread.to(device)
        return type(self)(center, spread, self.sizes, self.incomplete)

    def given(self, z):
        """Return the likelihood at z, the same everywhere."""
        return self

    def log_prob(self, observed, decoded):  # (n, d) or (n, 2, d), (..., n, d)
        """Return the log-mass of each entry in nats, 0 where it is missing, NaN."""
        if observed.ndim == 3:  # intervals, without width
            observed = observed[:, 0]
        known = self.indicators(observed).nan_to_num(0.0)  # autograd: no 0 times NaN
        return -self._errors(known, decoded).masked_fill(observed.isnan(), 0.0)

    def log_prob_of_pairs(self, observed, decoded):  # (n, d) or (n, 2, d), (m, d)
        """Return the log-mass of each row at each decoded row, (m, n)."""
        if observed.ndim == 3:  # intervals, without width
            observed = observed[:, 0]
        is_known = (~observed.isnan()).to(decoded)
        known = self.indicators(observed).nan_to_num(0.0)
        return -self._errors_of_pairs(known, is_known, decoded)

    def errors(self, x, decoded):  # (n, d), (..., n, d) -> (..., n, d)
        """Return minus the log-mass of each entry, NaN where it is missing."""
        return self._errors(self.indicators(x), decoded)

    def backward(self, x, decoded, weight, out):
        """Write the gradient, return the sums of errors; as of a Gaussian."""
        indicators = self.indicators(x)
        errors = self._errors_and_gradient(indicators, decoded, out)
        out.mul_(weight)
        if not self.incomplete:
            return errors.sum(dim=0).mul_(weight)
        out.nan_to_num_(0.0)
        return errors.nansum(dim=0).mul_(weight)

    def expected_log_prob(self, error, share):  # (d,), (d,) -> ()
        """Return the mean log-mass of a row, from its columns' mean errors."""
        return -(error * share).sum()

    def mean(self, decoded):
        """Return the mean of each entry."""
        return (self.probability(decoded) - self.center) / self.spread

    def sample(self, decoded, generator):
        """Draw each entry."""
        return (self._draw(decoded, generator) - self.center) / self.spread

    def indicators(self, x):
        """Return the indicators, 0 or 1, that scaled ones stand for."""
        return (x * self.spread + self.center).round()

    def pull(self, indicators, decoded):
        """Return the gradient of the log-mass by `decoded`."""
        return -self._gradient(indicators, decoded, torch.empty_like(decoded))

    def quadratic(self, observed, decoded):  # (n, d) or (n, 2, d), (n, d)
        """Return the gradient and about minus the curvature; as of a Gaussian."""
        if observed.ndim == 3:  # intervals, without width
            observed = observed[:, 0]
        missing, indicators = observed.isnan(), self.indicators(observed)
        gradient = self.pull(indicators.nan_to_num(0.0), decoded)
        information = self.information(indicators.nan_to_num(0.0), decoded)
        return gradient.masked_fill(missing, 0.0), information.masked_fill(missing, 0.0)

    def information(self, indicators, decoded):
        """Return about minus the curvature of the log-mass by `decoded`."""
        probability = self.probability(decoded)
        return probability * (1 - probability)

    def start(self):
        """Return what decodes to each indicator's share of the rows."""
        return self.decoded_at(self.center)

    def offset(self, decoded):  # (n, d) -> (d,)
        """Return what to add to rows so that their mean is each indicator's share."""
        goal, offset = self.start(), torch.zeros_like(self.center)
        for _ in range(OFFSET_STEPS):
            share = self.probability(decoded + offset).mean(dim=0)
            step = goal - self.decoded_at(share)
            offset = (offset + step).clamp(-MOST_OFFSET, MOST_OFFSET)
            if step.abs().max() < OFFSET_TOL:
                break
        return offset

    @abstractmethod
    def probability(self, decoded):
        """Return the probability of each indicator."""

    def _errors_and_gradient(self, indicators, decoded, out):
        """Return minus the log-masses; write their gradient by `decoded` to `out`."""
        self._gradient(indicators, decoded, out)
        return self._errors(indicators, decoded)

    def _gradient(self, indicators, decoded, out):
        """Write the gradient of minus the log-mass by `decoded` to `out`."""
        return torch.sub(self.probability(decoded), indicators, out=out)

    def _errors_of_pairs(self, known, is_known, decoded):  # (n, d) twice, (m, d)
        """Return sums of errors of each row at each decoded row, (m, n).

        An error is a straight line in its indicator.
        """
        at_0, at_1 = (self._errors(of(decoded), decoded) for of in ZERO_AND_ONE)
        return at_0 @ is_known.T + (at_1 - at_0) @ known.T

    @abstractmethod
    def decoded_at(self, share):
        """Return what decodes to indicators of some shares, alike in all rows."""

    @abstractmethod
    def _errors(self, indicators, decoded):
        """Return minus the log-mass of each indicator."""

    @abstractmethod
    def _draw(self, decoded, generator):
        """Draw each indicator."""


class Bernoulli(Indicators):
    """Columns of two categories: the second has probability ``sigmoid(decoded)``."""

    curvature = 0.25
    n_dependent = 0

    def probability(self, decoded):
        """Return the probability of each indicator."""
        return torch.sigmoid(decoded)

    def decoded_at(self, share):
        """Return the logits of some shares."""
        return torch.logit(share, LEAST_SHARE)

    def _errors(self, indicators, decoded):
        return torch.nn.functional.softplus(decoded) - indicators * decoded

    def _draw(self, decoded, generator):
        draw = torch.empty_like(decoded).uniform_(generator=generator)
        return (draw < self.probability(decoded)).to(decoded)


class Categorical(Indicators):
    """Columns of categories: ``softmax(decoded)`` over the indicators of each.

    All columns are normalised at once, by products with a matrix of zeros and ones.
    """

    curvature = 0.5

    def __init__(self, center, spread, sizes, incomplete=False):
        super().__init__(center, spread, sizes, incomplete)
        self.n_dependent = len(sizes)  # one of each column
        of_column = torch.arange(len(sizes), device="cpu").repeat_interleave(sizes)
        self._member = center.new_zeros(len(center), len(sizes))  # indicator, column
        self._member[torch.arange(len(center), device="cpu"), of_column] = 1

    def probability(self, decoded):
        """Return the probability of each indicator."""
        _, powers, totals = self._powers(decoded)
        return powers.div_(totals @ self._member.T)

    def decoded_at(self, share):
        """Return the logarithms of some shares."""
        return share.clamp(LEAST_SHARE, 1 - LEAST_SHARE).log()

    def _powers(self, decoded):  # (..., d) -> (..., d), (..., d), (..., n_columns)
        """Return the logits, their exponentials, and the sums of these by column."""
        logits = decoded.clamp(-MOST_LOGIT, MOST_LOGIT)
        powers = logits.exp()
        return logits, powers, powers @ self._member

    def _log_probability(self, decoded):
        logits, _, totals = self._powers(decoded)
        return logits - totals.log_() @ self._member.T

    def _errors_and_gradient(self, indicators, decoded, out):
        logits, powers, totals = self._powers(decoded)
        torch.div(powers, totals @ self._member.T, out=out).sub_(indicators)
        return (totals.log_() @ self._member.T).sub_(logits).mul_(indicators)

    def _errors(self, indicators, decoded):
        return -indicators * self._log_probability(decoded)

    def _draw(self, decoded, generator):
        """Take the largest logit plus a Gumbel draw (Gumbel 1954)."""
        exponential = torch.empty_like(decoded).exponential_(generator=generator)
        scores = self._log_probability(decoded) - exponential.log()
        sizes = self.sizes.tolist()
        drawn = [
            torch.nn.functional.one_hot(part.argmax(dim=-1), size)
            for part, size in zip(scores.split(sizes, dim=-1), sizes, strict=True)
        ]
        return torch.cat(drawn, dim=-1).to(decoded)
