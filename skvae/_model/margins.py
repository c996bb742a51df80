"""How a part of a density distributes each numeric column, beside a normal score.

Normal scores of a table are standard normal, column by column. What a part draws is
not: a decoder shrinks, and a network that is told the mean of an interval spreads less
than the interval does. So between the table's scores and the part's own lies a map of
each column, from the quantiles of a standard normal to the same quantiles of the part.
Drawn rows then have the table's quantiles and point masses; a density gains the
logarithm of the map's slope, and integrates to 1 as before.
"""

from dataclasses import replace

import numpy as np
import torch
from torch.special import ndtr, ndtri

from skvae._numerics.chunks import map_chunks
from skvae._numerics.draws import normal_draws

# Quantiles are mapped at normal scores that lie densely, and at two more for the tails.
DENSE, N_DENSE, OUTERMOST = 3.0, 121, 3.4
DRAWS = 2**12  # of z, that give the distribution of a part
ROUNDS = 2**9, DRAWS  # draws with which its quantiles are looked up, ever better
FAR = 5.0  # standard deviations of the noise
LEAST_SLOPE, LEAST_SHARE = 1e-6, 1e-12


class OwnScores:
    """No map: the part's scores are the table's."""

    is_fitted = False

    def arguments(self):
        """Return nothing: it is known without."""
        return ()

    def of_part(self, rows):
        """Return rows in the part's scores, and what a log-density gains by it."""
        return rows, 0.0

    def of_table(self, x):
        """Return rows drawn from a part in the table's scores."""
        return x


OWN = OwnScores()


class Margins:
    """Quantiles of the numeric columns of a part.

    Parameters
    ----------
    knots : Tensor of shape (m,)
        Normal scores, increasing.
    quantiles : Tensor of shape (m, n_numeric)
        Each column's quantiles in the part, of the shares of a standard normal that lie
        below the knots; increasing.
    """

    is_fitted = True

    def __init__(self, knots, quantiles):
        self.knots, self.quantiles = knots, quantiles
        self._n = quantiles.shape[1]
        self._columns = torch.arange(self._n, device="cpu")
        self._slopes = quantiles.diff(dim=0) / knots.diff()[:, None]

    def arguments(self):
        """Return what makes the same map, as arrays."""
        return self.knots.numpy(), self.quantiles.numpy()

    def of_part(self, rows):
        """Return rows in the part's scores, and what a log-density gains by it.

        An interval has a mass, which is the same in any scores.
        """
        observed, log_slope = self._forward(rows.observed)
        if rows.has_intervals:
            low, high = rows.observed[..., : self._n].unbind(dim=1)
            log_slope = log_slope[:, 0].masked_fill(high > low, 0.0)
        x = observed if rows.x is rows.observed else self._forward(rows.x)[0]
        return replace(rows, x=x, observed=observed), log_slope.sum(dim=-1)

    def of_table(self, x):  # (..., d) -> (..., d)
        """Return rows drawn from a part in the table's scores."""
        numeric, others = x[..., : self._n], x[..., self._n :]
        by_column = numeric.reshape(-1, self._n).T.contiguous()
        above = torch.searchsorted(self.quantiles.T.contiguous(), by_column)
        cell = self._cell(above.T.reshape(numeric.shape))
        beyond = numeric - self.quantiles[cell, self._columns]
        scores = self.knots[cell] + beyond / self._slopes[cell, self._columns]
        return torch.cat([scores, others], dim=-1)

    def _forward(self, x):
        numeric, others = x[..., : self._n], x[..., self._n :]
        cell = self._cell(torch.searchsorted(self.knots, numeric.contiguous()))
        slope = self._slopes[cell, self._columns]
        moved = (
            self.quantiles[cell, self._columns] + (numeric - self.knots[cell]) * slope
        )
        log_slope = slope.log().masked_fill(numeric.isnan(), 0.0)
        return torch.cat([moved, others], dim=-1), log_slope

    def _cell(self, above):
        """Return the knots before some that are above; the last go on beyond."""
        return (above - 1).clamp(0, len(self.knots) - 2)


def match_shares(part):
    """Return a part that draws each category as often as the rows have it.

    The means of the posteriors' probabilities are right after training. Those of the
    prior's, from which rows are drawn, need not be.
    """
    (decoded,) = map_chunks(lambda z: (part.coder.decode(z),), part.prior.spread(DRAWS))
    offset = part.likelihood.offset(decoded)
    return replace(part, coder=part.coder.with_offset(offset))


def match_quantiles(part, n_numeric):
    """Return a part whose numeric columns are distributed as normal scores are.

    Parameters
    ----------
    part : Part
    n_numeric : int

    Returns
    -------
    Part
    """
    if not n_numeric:
        return part

    def decode(z):
        mean = part.coder.decode(z)[:, :n_numeric]
        return mean, part.likelihood.given(z).variance.sqrt().expand_as(mean)

    dense = np.linspace(-DENSE, DENSE, N_DENSE)
    knots = torch.from_numpy(np.r_[-OUTERMOST, dense, OUTERMOST])
    noise = normal_draws(DRAWS, 1, seed=0).double()[:, 0]
    mean, std = map_chunks(decode, part.prior.spread(DRAWS))
    columns = zip(mean.T, std.T, strict=True)
    quantiles = [_quantiles(knots, *of_column, noise) for of_column in columns]
    return replace(part, margins=Margins(knots, torch.stack(quantiles, dim=1)))


def _quantiles(knots, mean, std, noise):  # (m,), (n,), (n,), (n,) -> (m,)
    """Return the quantiles of a mixture of normals at the shares of some scores.

    Drawn ones to begin with; then they are read off the distribution at the last ones.
    """
    ends = torch.stack([(mean - FAR * std).min(), (mean + FAR * std).max()])
    drawn = torch.cat([(mean + std * noise), ends]).sort().values
    share = ndtr(knots).clamp(0, 1) * (len(drawn) - 1)
    found = drawn[share.round().long()]
    for n in ROUNDS:
        tried = torch.cat([ends[:1], found, ends[1:]])
        distance = (tried[:, None] - mean[:n]) / std[:n]
        below = 0.5 + 0.5 * torch.erf(distance / 2**0.5).mean(dim=1)
        scores = ndtri(below.clamp(LEAST_SHARE, 1 - LEAST_SHARE))
        found = _interpolated(knots, scores, tried)
    least = LEAST_SLOPE * knots
    return (found - least).cummax(dim=0).values + least


def _interpolated(at, x, y):
    """Return the line through points, x increasing, at some x; flat beyond."""
    above = torch.searchsorted(x.contiguous(), at).clamp(1, len(x) - 1)
    x0, x1, y0, y1 = x[above - 1], x[above], y[above - 1], y[above]
    share = ((at - x0) / (x1 - x0).clamp(min=1e-12)).clamp(0, 1)
    return y0 + share * (y1 - y0)
