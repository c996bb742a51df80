"""What a density expects of missing entries given the others, and draws of them.

By draws from the posteriors, weighted by importance (MIWAE: Mattei & Frellsen 2019);
exactly where a part of the density is linear.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, log

import torch

from skvae._model.importance import Proposal
from skvae._model.parts import FIRST_DRAWS, MOST_DRAWS, PRIORS, Part
from skvae._numerics.draws import normal_draws

ENOUGH_DRAWS = 12  # that count alike
RESAMPLED_DRAWS = 128  # that draws of a row are chosen from
A_BATCH = (1 + PRIORS) * FIRST_DRAWS  # of a row before the first look
NOISE_DRAWS = 2  # of each numeric entry, at each draw of z


class Imputation:
    """The rows of a density, given what is observed of them.

    Parameters
    ----------
    density : Density
    to_numbers : callable, optional
        From numeric columns on the network's scale, an array of shape (n, n_numeric),
        to the numbers whose mean is expected, where that is not what the mean of the
        columns stands for.
    """

    def __init__(self, density, to_numbers=None):
        self._parts = list(zip(density.parts, density.weights, strict=True))
        self._to_numbers = to_numbers

    def expected(self, rows):  # -> (n, d)
        """Return the mean of each entry of some rows given those that are observed.

        Every row has the same draws, so that it is up to the row alone. Numeric columns
        are in numbers, if these are asked for.
        """
        exact = self._to_numbers is None
        linear = [part.as_linear(rows) if exact else None for part, _ in self._parts]
        drawn = [pair for pair, of in zip(self._parts, linear, strict=True) if not of]
        found = [self._by_draws(drawn, rows)] if drawn else []
        for (_, weight), of_part in zip(self._parts, linear, strict=True):
            if of_part is not None:
                log_density = of_part.log_density(rows.x) + log(weight)
                found.append((log_density, of_part.fill(rows.x)))
        (log_density, expected), *others = found
        for other_log_density, other in others:
            share = torch.sigmoid(log_density - other_log_density)[:, None]
            expected = share * expected + (1 - share) * other
            log_density = torch.logaddexp(log_density, other_log_density)
        return expected

    def draws(self, rows, n_times, generator):
        """Draw each row some times given its observed entries, by resampling of z.

        Returns
        -------
        Tensor of shape (n, n_times, d)
        """
        found = []
        for part, weight in self._parts:
            draws = part.draws(RESAMPLED_DRAWS)
            found += self._propose(rows, part, weight).weigh(draws)
        pairs = zip(*((draws.z, draws.decoded) for draws in found), strict=True)
        z, decoded = (
            torch.cat([of.expand(-1, len(rows), -1) for of in both]) for both in pairs
        )
        log_weights = torch.cat([draws.log_weights for draws in found])
        chance = log_weights.T.softmax(dim=1)
        like = {"replacement": True, "generator": generator}
        chosen = torch.multinomial(chance, n_times, **like)
        at = chosen, torch.arange(len(rows), device="cpu")[:, None]
        n_each = len(z) // len(self._parts)
        z, decoded = z[at], decoded[at]
        drawn = torch.empty_like(decoded)
        for i, (part, _) in enumerate(self._parts):
            of_part = chosen // n_each == i
            drawn[of_part] = part.draw(z[of_part], decoded[of_part], generator)
        return drawn

    def _by_draws(self, parts, rows):
        """Return the log-density and the mean of each row, under some parts.

        A row gets more draws until as many as `ENOUGH_DRAWS` would count alike.
        """
        proposals = [self._propose(rows, *pair) for pair in parts]
        left, average = torch.arange(len(rows), device="cpu"), _WeightedMean(rows.x)
        of_parts = [part.draws(MOST_DRAWS).doubled(FIRST_DRAWS) for part, _ in parts]
        noise = self._noise.split([len(draws) for draws in of_parts[0]])
        for *of_batch, of_noise in zip(*of_parts, noise, strict=True):
            log_weights, means = [], []
            for proposal, draws in zip(proposals, of_batch, strict=True):
                found = proposal[left].weigh(draws)
                log_weights += [of.log_weights for of in found]
                means += self._means(proposal.part, found, of_noise)
            average.add(left, log_weights, means)
            left = left[average.n_alike()[left] < ENOUGH_DRAWS]
            if not len(left):
                break
        return average.log_weight(), average.mean()

    def _propose(self, rows, part, weight):
        """Return where z is drawn under a part, and what its draws weigh more."""
        rows, log_slope = part.margins.of_part(rows)
        proposal = part.propose(rows)
        log_weight = torch.full_like(proposal.mean[:, 0], log(weight)) + log_slope
        return _Draws(part, rows.observed, proposal, log_weight)

    def _means(self, part, found, noise):
        """Return what is expected of rows at draws of z, with a noise for each.

        Each is of shape (n_draws, n, d), or (n_draws, 1, d) where rows share them.
        """
        pairs = zip(found, noise.split([len(draws.z) for draws in found]), strict=True)
        return [self._mean(part, draws, of_draws) for draws, of_draws in pairs]

    def _mean(self, part, draws, noise):
        means = part.likelihood.mean(draws.decoded)
        if self._to_numbers is None:
            return means
        std = part.likelihood.given(draws.z).variance.sqrt()
        numeric = draws.decoded[..., : std.shape[-1]]
        noise = noise[:, :, None]
        drawn = numeric[:, None] + std.expand_as(numeric)[:, None] * noise
        scores = part.margins.of_table(drawn.flatten(0, 2))
        numbers = torch.from_numpy(self._to_numbers(scores.numpy()))
        numbers = numbers.reshape(drawn.shape).mean(dim=1)
        return torch.cat([numbers, means[..., std.shape[-1] :]], dim=-1)

    @cached_property
    def _noise(self):
        """Return fixed noise, (n_draws, NOISE_DRAWS, n_numeric), spread evenly.

        Each column has its own at each draw of z, and each of these one in each part of
        its distribution.
        """
        n_numeric = len(self._parts[0][0].likelihood.variance)
        shape = MOST_DRAWS // FIRST_DRAWS, A_BATCH, NOISE_DRAWS, n_numeric
        n_draws = 2 * shape[0] * A_BATCH
        draws = normal_draws(n_draws, NOISE_DRAWS * n_numeric, seed=0).double()
        places, share = torch.special.ndtr(draws).reshape(2, *shape)
        share = (places.argsort(dim=1) + share) / A_BATCH
        half = torch.arange(NOISE_DRAWS, dtype=torch.float64, device="cpu")
        share = (half[:, None] + share) / NOISE_DRAWS
        return torch.special.ndtri(share).flatten(0, 1)


@dataclass(frozen=True)
class _Draws:
    """Where z of rows is drawn under a part, and what the draws are weighed by.

    Parameters
    ----------
    part : Part
    observed : Tensor of shape (n, d) or (n, 2, d)
        In the part's scores.
    proposal : Proposal
    log_weight : Tensor of shape (n,)
        Of the part, and what a log-density gains on its way to the table's scores.
    """

    part: Part
    observed: torch.Tensor
    proposal: Proposal
    log_weight: torch.Tensor

    def __getitem__(self, rows):
        """Return the same for some of the rows."""
        proposal, log_weight = self.proposal[rows], self.log_weight[rows]
        return _Draws(self.part, self.observed[rows], proposal, log_weight)

    def weigh(self, draws):
        """Draw z, each row's own and those that rows share, and weigh both."""
        found = self.part.weigh(self.observed, self.proposal, draws)
        return [
            replace(of, log_weights=of.log_weights + self.log_weight) for of in found
        ]


class _WeightedMean:
    """Each row's mean of draws that come by and by, their weights as logarithms.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        As many rows and columns as there are means.
    """

    def __init__(self, x):
        self._highest = torch.full_like(x[:, 0], -inf)  # the sums are in its units
        self._total, self._squares, self._count = x.new_zeros(3, len(x))
        self._sum = torch.zeros_like(x)

    def add(self, rows, log_weights, values):
        """Add draws of some rows, in parts.

        Parameters
        ----------
        rows : Tensor of shape (n,)
        log_weights : list of Tensor of shape (n_draws, n)
        values : list of Tensor of shape (n_draws, n, d) or (n_draws, 1, d)
            The latter where rows share them.
        """
        before = self._highest[rows]
        highest = [before] + [of_part.amax(dim=0) for of_part in log_weights]
        self._highest[rows] = torch.stack(highest).amax(dim=0)
        shrunk = (before - self._highest[rows]).exp()
        self._total[rows] *= shrunk
        self._squares[rows] *= shrunk**2
        self._sum[rows] *= shrunk[:, None]
        for of_part, its_values in zip(log_weights, values, strict=True):
            weights = (of_part - self._highest[rows]).exp()
            self._total[rows] += weights.sum(dim=0)
            self._squares[rows] += weights.square().sum(dim=0)
            self._count[rows] += len(weights)
            self._sum[rows] += _weighted_sum(weights, its_values)

    def mean(self):  # -> (n, d)
        return self._sum / self._total[:, None]

    def log_weight(self):  # -> (n,)
        """Logarithm of the mean weight."""
        return self._highest + (self._total / self._count).log()

    def n_alike(self):  # -> (n,)
        """Return how many draws of one weight would tell as much."""
        return self._total**2 / self._squares


def _weighted_sum(weights, values):  # (m, n), (m, n or 1, d) -> (n, d)
    if values.shape[1] == 1:
        return weights.T @ values[:, 0]
    return torch.einsum("sn,snd->nd", weights, values)
