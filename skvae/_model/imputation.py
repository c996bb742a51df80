"""What a fitted VAE expects of missing entries given the others, and draws of them.

Under its network by draws from the posteriors, weighted by importance (MIWAE: Mattei &
Frellsen 2019); exactly where a part of the model is linear.
"""

from dataclasses import replace
from functools import cached_property
from math import inf, log, sqrt

import torch

from skvae._likelihoods.gaussian import Gaussian
from skvae._model.bounds import importance_weights, spread_normal, standard_normal
from skvae._model.density import FIRST_DRAWS

MOST_DRAWS = 512  # of a row whose missing entries are expected
ENOUGH_DRAWS = 24  # that count alike
RESAMPLED_DRAWS = 128  # that draws of a row are chosen from
# z is drawn with the posteriors' variances times 1 + this / root k: where a posterior
# is too narrow, z beyond it would be rare and weigh all. The root keeps what that costs
# in draws alike for each k.
PROPOSAL_SPREAD = 2.0


class Imputation:
    """The rows of a fitted VAE, given what is observed of them.

    Parameters
    ----------
    model : FittedVAE
    """

    def __init__(self, model):
        self._model, self._weight = model, model.network_weight
        n_components = model.network.architecture.n_components
        self._noise = spread_normal(MOST_DRAWS, n_components)
        self._log_spread = log(1 + PROPOSAL_SPREAD / sqrt(n_components))

    def expected(self, x, intervals=None):  # (n, d) -> (n, d)
        """Return the mean of each entry given those that are observed.

        A row gets more draws until as many as `ENOUGH_DRAWS` would count alike.

        Parameters
        ----------
        x : Tensor of shape (n, d)
        intervals : Tensor of shape (n, 2, d), optional
            Least and largest value that each entry stands for.
        """
        model = self._model
        if intervals is None and self._as_linear is not None:
            linear = self._as_linear
            log_density = linear.log_density(x) + log(self._weight)
            return self._beside_fallback(linear.fill(x), log_density, x)
        is_exact = model.blocks is None and intervals is None  # of the fallback
        encoded = self._propose(x, beside_fallback=not is_exact)
        told = x if intervals is None else intervals
        rows, average = torch.arange(len(x)), _WeightedMean(x)
        for more in self._noise.split(FIRST_DRAWS):
            _, decoded, log_weights = self._given(encoded, told, more, rows)
            means = model.likelihood.mean(torch.cat(decoded))  # the fallback's too
            average.add(rows, log_weights, means)
            rows = rows[average.n_alike()[rows] < ENOUGH_DRAWS]
            if not len(rows):
                break
        if not is_exact:
            return average.mean()
        return self._beside_fallback(average.mean(), average.log_weight(), x)

    def draws(self, x, n, generator, intervals=None):
        """Draw each row n times given its observed entries, by resampling of z.

        Returns
        -------
        Tensor of shape (n_rows, n, d)
        """
        model = self._model
        encoded, told = self._propose(x), x if intervals is None else intervals
        noise = self._noise[:RESAMPLED_DRAWS]
        rows = torch.arange(len(x))
        z, decoded, log_weights = self._given(encoded, told, noise, rows)
        chance = log_weights.T.softmax(dim=1)
        chosen = torch.multinomial(chance, n, replacement=True, generator=generator)
        at = chosen, rows[:, None]
        z, decoded = torch.cat(z)[at], torch.cat(decoded)[at]
        drawn = model.likelihood.given(z).sample(decoded, generator)
        of_fallback = model.fallback_likelihood.sample(decoded, generator)
        return torch.where((chosen < len(noise))[:, :, None], drawn, of_fallback)

    def _beside_fallback(self, expected, log_density, x):
        """Mix what the network expects with what the fallback does, exactly."""
        if self._weight == 1:
            return expected
        fallback = self._model.fallback
        of_fallback = fallback.log_density(x) + log(1 - self._weight)
        share = torch.sigmoid(log_density - of_fallback)[:, None]
        return share * expected + (1 - share) * fallback.fill(x)

    @cached_property
    def _as_linear(self):
        """The network as a linear VAE of numbers; None where it is more than that."""
        model = self._model
        is_bent = model.network.architecture.n_layers or model.prior
        if is_bent or not isinstance(model.likelihood, Gaussian):
            return None
        bias, weight = (
            model.network.parts[f"decoder_linear_{name}"].detach()
            for name in ("bias", "weight")
        )
        linear = replace(model.linear, decoder=weight, decoder_bias=bias)
        return linear.with_noise(model.likelihood.variance)

    def _propose(self, x, beside_fallback=True):
        """Return where z is drawn: somewhat beyond the posteriors.

        Under the network, and where it counts the fallback.
        """
        encoded = [self._model.encode(x)]
        if beside_fallback and self._weight < 1:
            encoded.append(self._model.fallback_network.encode(x))
        return [(mean, log_var + self._log_spread) for mean, log_var in encoded]

    def _given(self, encoded, told, noise, rows):
        """Draw z of some rows, under one or both.

        Returns
        -------
        z : list of Tensor of shape (n_draws, n_rows, k)
            From the network, and from the fallback.
        decoded : list of Tensor of shape (n_draws, n_rows, d)
        log_weights : Tensor of shape (n_draws of either, n_rows)
            For importance.
        """
        model = self._model
        sources = [
            (model, model.likelihood, model.log_prior, self._weight),
            (
                model.fallback_network,
                model.fallback_likelihood,
                standard_normal,
                1 - self._weight,
            ),
        ]
        parts = []
        for source, (mean, log_var) in zip(sources, encoded, strict=False):
            vae, likelihood, log_prior, weight = source
            of_told = likelihood.of_intervals() if told.ndim == 3 else likelihood
            z, decoded, log_weights = importance_weights(
                vae, of_told, log_prior, told[rows], mean[rows], log_var[rows], noise
            )
            parts.append((z, decoded, log_weights + log(weight)))
        z, decoded, log_weights = zip(*parts, strict=True)
        return z, decoded, torch.cat(log_weights)


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
