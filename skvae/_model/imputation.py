"""What a density expects of missing entries given the others, and draws of them.

By draws from the posteriors, weighted by importance (MIWAE: Mattei & Frellsen 2019);
exactly where a part of the density is linear.
"""

from math import inf, log, sqrt

import torch

from skvae._model.parts import FIRST_DRAWS
from skvae._numerics.draws import spread_normal

MOST_DRAWS = 512  # of a row whose missing entries are expected
ENOUGH_DRAWS = 24  # that count alike
RESAMPLED_DRAWS = 128  # that draws of a row are chosen from
# z is drawn with the posteriors' variances times 1 + this / root k: where a posterior
# is too narrow, z beyond it would be rare and weigh all. The root keeps what that costs
# in draws alike for each k.
PROPOSAL_SPREAD = 2.0


class Imputation:
    """The rows of a density, given what is observed of them.

    Parameters
    ----------
    density : Density
    """

    def __init__(self, density):
        self._parts = list(zip(density.parts, density.weights, strict=True))
        self._draws = spread_normal(MOST_DRAWS, density.n_components)
        self._log_spread = log(1 + PROPOSAL_SPREAD / sqrt(density.n_components))

    def expected(self, rows):  # -> (n, d)
        """Return the mean of each entry of some rows given those that are observed."""
        linear = [part.as_linear(rows) for part, _ in self._parts]
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

    def draws(self, rows, n, generator):
        """Draw each row n times given its observed entries, by resampling of z.

        Returns
        -------
        Tensor of shape (n_rows, n, d)
        """
        draws = self._draws[:RESAMPLED_DRAWS]
        proposals = [self._propose(part, rows) for part, _ in self._parts]
        weighed = self._weigh(self._parts, proposals, rows.observed, draws)
        z, decoded, log_weights = weighed
        chance = log_weights.T.softmax(dim=1)
        chosen = torch.multinomial(chance, n, replacement=True, generator=generator)
        at = chosen, torch.arange(len(rows), device="cpu")[:, None]
        z, decoded = z[at], decoded[at]
        drawn = torch.empty_like(decoded)
        for i, (part, _) in enumerate(self._parts):
            of_part = chosen // len(draws) == i
            noise = part.likelihood.given(z[of_part])
            drawn[of_part] = noise.sample(decoded[of_part], generator)
        return drawn

    def _by_draws(self, parts, rows):
        """Return the log-density and the mean of each row, under some parts.

        A row gets more draws until as many as `ENOUGH_DRAWS` would count alike.
        """
        proposals = [self._propose(part, rows) for part, _ in parts]
        left, average = torch.arange(len(rows), device="cpu"), _WeightedMean(rows.x)
        for draws in self._draws.split(FIRST_DRAWS):
            some = [(mean[left], log_var[left]) for mean, log_var in proposals]
            observed = rows.observed[left]
            _, decoded, log_weights = self._weigh(parts, some, observed, draws)
            means = parts[0][0].likelihood.mean(decoded)
            average.add(left, log_weights, means)
            left = left[average.n_alike()[left] < ENOUGH_DRAWS]
            if not len(left):
                break
        return average.log_weight(), average.mean()

    def _propose(self, part, rows):
        """Return where z is drawn: somewhat beyond the posteriors."""
        mean, log_var = part.coder.encode(rows.x)
        return mean, log_var + self._log_spread

    @staticmethod
    def _weigh(parts, proposals, observed, draws):
        """Draw z of rows under some parts, one part's draws after the other's.

        Returns
        -------
        z : Tensor of shape (n_parts * n_draws, n, k)
        decoded : Tensor of shape (n_parts * n_draws, n, d)
        log_weights : Tensor of shape (n_parts * n_draws, n)
        """
        found = []
        for (part, weight), proposal in zip(parts, proposals, strict=True):
            z, decoded, log_weights = part.weigh(observed, proposal, draws)
            found.append((z, decoded, log_weights + log(weight)))
        return [torch.cat(of_parts) for of_parts in zip(*found, strict=True)]


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
        """Add draws, (n_draws, n_rows) and (n_draws, n_rows, d), of some rows."""
        before = self._highest[rows]
        self._highest[rows] = before.maximum(log_weights.amax(dim=0))
        shrunk = (before - self._highest[rows]).exp()
        weights = (log_weights - self._highest[rows]).exp()
        self._total[rows] = self._total[rows] * shrunk + weights.sum(dim=0)
        squares = weights.square().sum(dim=0)
        self._squares[rows] = self._squares[rows] * shrunk**2 + squares
        self._count[rows] += len(log_weights)
        new = torch.einsum("sn,snd->nd", weights, values)
        self._sum[rows] = self._sum[rows] * shrunk[:, None] + new

    def mean(self):  # -> (n, d)
        return self._sum / self._total[:, None]

    def log_weight(self):  # -> (n,)
        """Logarithm of the mean weight."""
        return self._highest + (self._total / self._count).log()

    def n_alike(self):  # -> (n,)
        """Return how many draws of one weight would tell as much."""
        return self._total**2 / self._squares
