"""Ordered categorical columns: cumulative logits given z (McCullagh 1980).

Category ``y`` of 0, 1, ..., m exceeds ``c`` with probability ``sigmoid(l_c)``. The
decoder says ``l_0`` and by how much each further logit is lower, so that they fall
whatever it says:

    l_0 = decoded_0,    l_c = l_(c-1) - softplus(decoded_c)

The distances between thresholds may vary with z, as those of the logits of categories
without an order do.
"""

import torch
from torch.nn.functional import logsigmoid, softplus

from skvae._likelihoods.categorical import LEAST_SHARE, Indicators

LEAST_GAP = 1e-6  # between neighbouring logits, whose difference has a logarithm
RUN = 256  # indicators, about, that one product adds up


class Ordinal(Indicators):
    """Columns of ordered categories; indicator ``c`` is whether they exceed ``c``.

    Columns are computed many at once, by products with a matrix of zeros and ones.
    """

    n_dependent = 0

    def __init__(self, center, spread, sizes, incomplete=False):
        super().__init__(center, spread, sizes, incomplete)
        # A logit moves with all steps before it, so that the bound grows with them.
        self.curvature = max(1.0, 0.3 * int(sizes.max()))
        n, device = len(center), center.device
        column = torch.arange(len(sizes), device="cpu").repeat_interleave(sizes)
        first = torch.cat([torch.zeros_like(sizes[:1]), sizes.cumsum(dim=0)[:-1]])
        self._columns = len(sizes)
        self._column = column.to(device)
        self._first, self._last = (
            torch.zeros(n, dtype=torch.bool, device="cpu").index_fill(0, at, True)
            for at in (first, first + sizes - 1)
        )
        self._first, self._last = self._first.to(device), self._last.to(device)
        # From the steps between logits, and the first of each column, to the logits.
        widths = (first // RUN).bincount(sizes).long()
        self._widths = widths[widths > 0].tolist()
        self._sums = [
            torch.triu((of[:, None] == of).to(center)).to(device)
            for of in column.split(self._widths)
        ]

    def probability(self, decoded):
        """Return the probability that the category exceeds each but the last."""
        return torch.sigmoid(self._logits(decoded)[0])

    def information(self, indicators, decoded):
        """Return about minus the curvature of the log-mass by `decoded`."""
        logits, gap = self._logits(decoded)
        above, below = self._sides(indicators)
        probability = torch.sigmoid(logits)
        by_logit = (above + below) * probability * (1 - probability)
        by_step = self._add_up(by_logit, [of_run.T for of_run in self._sums])
        by_gap = by_step + below / (2 * torch.sinh(gap / 2)).square()
        slope = torch.sigmoid(decoded)
        return torch.where(self._first, by_step, by_gap * slope.square())

    def decoded_at(self, share):
        """Return what the shares of rows that exceed each category come from."""
        logits = torch.logit(share, LEAST_SHARE)
        gap = (logits.roll(1) - logits).clamp(min=LEAST_GAP)
        return torch.where(self._first, logits, gap.expm1().log())

    def _logits(self, decoded):
        """Return the logits, and the gaps between each and the one before."""
        gap = softplus(decoded) + LEAST_GAP
        steps = torch.where(self._first, decoded, -gap)
        return self._add_up(steps, self._sums), gap

    def _add_up(self, steps, sums):
        """Return products with the matrices of each run of columns."""
        runs = zip(steps.split(self._widths, dim=-1), sums, strict=True)
        return torch.cat([part @ of_run for part, of_run in runs], dim=-1)

    def _sides(self, indicators):
        """Return where the category is just above an indicator's, and just below."""
        above = indicators * (1 - indicators.roll(-1, -1).where(~self._last, 0.0))
        below = (1 - indicators) * indicators.roll(1, -1).where(~self._first, 1.0)
        return above, below

    def _errors(self, indicators, decoded):
        """Return minus the log-mass, shared between the two logits beside it."""
        above, below = self._sides(indicators)
        if_above, if_below = self._errors_by_side(decoded)
        return above * if_above + below * if_below

    def _errors_by_side(self, decoded):
        """Return the errors of indicators that the category is just above, or below.

        ``sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a))``.
        """
        logits, gap = self._logits(decoded)
        between = torch.where(self._first, 0.0, (-torch.expm1(-gap)).log())
        return -logsigmoid(logits), -logsigmoid(-logits) - between

    def _errors_of_pairs(self, known, is_known, decoded):
        sides = zip(self._errors_by_side(decoded), self._sides(known), strict=True)
        return sum(errors @ (side * is_known).T for errors, side in sides)

    def _gradient(self, indicators, decoded, out):
        logits, gap = self._logits(decoded)
        # What is missing has no gradient, and no product with its NaN has another.
        above, below = (side.nan_to_num(0.0) for side in self._sides(indicators))
        probability = torch.sigmoid(logits)
        by_logit = below * probability - above * (1 - probability)
        by_step = self._add_up(by_logit, [of_run.T for of_run in self._sums])
        by_gap = -by_step - below / torch.expm1(gap)
        slope = torch.sigmoid(decoded)
        return torch.where(self._first, by_step, by_gap * slope, out=out)

    def _draw(self, decoded, generator):
        """Draw one uniform number for each column, which all its indicators share."""
        shape = *decoded.shape[:-1], self._columns
        uniform = decoded.new_empty(shape).uniform_(generator=generator)
        drawn = uniform[..., self._column] < self.probability(decoded)
        return drawn.to(decoded)
