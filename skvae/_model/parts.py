"""The parts of a density: each an encoder and a decoder, a likelihood and a prior.

What a part says of rows it says by draws of z from its posteriors, weighted by
importance, and exactly where it is linear.
"""

from dataclasses import dataclass
from functools import cached_property

import torch

from skvae._likelihoods.gaussian import Gaussian
from skvae._likelihoods.mixed import make_likelihood
from skvae._model.coder import Coder, LinearCoder
from skvae._model.importance import (
    Draws,
    importance_weighted_bound,
    importance_weights,
)
from skvae._model.laplace import propose
from skvae._model.map_coder import MapCoder
from skvae._model.margins import OWN, Margins, OwnScores
from skvae._model.prior import NormalMixture, StandardNormal
from skvae._numerics.draws import spread_normal

MOST_DRAWS = 512  # of a row; a power of 2 spreads a Sobol sequence evenly
PRIORS = 2  # draws of the prior, for each of the others
FIRST_DRAWS = 16  # of a row, before the first look whether they suffice


@dataclass(frozen=True)
class Part:
    """A density of rows, p(x) = integral of p(x|z) p(z).

    Parameters
    ----------
    coder : Coder, LinearCoder or MapCoder
    likelihood : Gaussian or Mixed
    prior : StandardNormal or NormalMixture
    margins : Margins or OwnScores, default=OWN
        The map between the scores of the table and the part's own.
    """

    coder: Coder | LinearCoder | MapCoder
    likelihood: Gaussian
    prior: StandardNormal | NormalMixture
    margins: Margins | OwnScores = OWN

    def log_density(self, rows, n_draws):
        """Bound log p(x) from below, in nats.

        Parameters
        ----------
        rows : Rows
        n_draws : int
            Of z of each row, at most, beside those of the prior.

        Returns
        -------
        Tensor of shape (n,)
        """
        rows, log_slope = self.margins.of_part(rows)
        if self._linear is not None and not rows.has_intervals:
            return self._linear.log_density(rows.x) + log_slope
        bound = importance_weighted_bound(
            self.coder,
            self.likelihood,
            rows.observed,
            self.propose(rows),
            self.draws(n_draws),
            n_first=FIRST_DRAWS,
        )
        return bound + log_slope

    def draws(self, n):
        """Return n standard normals and draws of the prior, the same each time."""
        normal, of_prior = self._draws
        return Draws(normal[:n], of_prior[: PRIORS * n])

    def propose(self, rows):
        """Return where to draw z of rows, which are in the part's own scores."""
        return propose(self.coder, self.likelihood, self.prior, rows)

    def weigh(self, observed, proposal, draws):
        """Draw z of rows, and weigh the draws by importance.

        Parameters
        ----------
        observed : Tensor of shape (n, d) or (n, 2, d)
            In the part's own scores.
        proposal : Proposal
        draws : Draws

        Returns
        -------
        own, shared : Weighed
            By standard normals, and of the prior.
        """
        given = self.coder, self.likelihood, observed, proposal, draws
        return importance_weights(*given)

    def mean(self, z):  # (n, k) -> (n, d)
        """Return the mean of p(x|z)."""
        return self.likelihood.mean(self.coder.decode(z))

    def sample(self, n, generator):  # -> (n, d)
        """Draw rows, observation noise included."""
        z = self.prior.sample(n, generator)
        return self.draw(z, self.coder.decode(z), generator)

    def draw(self, z, decoded, generator):  # (n, k), (n, d) -> (n, d)
        """Draw rows at some z, in the table's scores."""
        drawn = self.likelihood.given(z).sample(decoded, generator)
        return self.margins.of_table(drawn)

    def as_linear(self, rows):
        """Return the linear VAE that this part is to rows, None where it is more."""
        return None if rows.has_intervals or self.margins.is_fitted else self._linear

    @cached_property
    def _draws(self):
        n_components = self.coder.n_components
        of_prior = self.prior.spread(PRIORS * MOST_DRAWS)
        return spread_normal(MOST_DRAWS, n_components), of_prior

    @cached_property
    def _linear(self):
        """The linear VAE whose density this part has, None where there is none."""
        is_normal = not (self.prior.is_fitted or self.likelihood.dispersion.is_fitted)
        if not (is_normal and isinstance(self.coder, LinearCoder)):
            return None
        if not isinstance(self.likelihood, Gaussian):
            return None
        linear, variance = self.coder.linear, self.likelihood.variance
        is_own = torch.equal(linear.noise_variance, variance)
        return linear if is_own else linear.with_noise(variance)


def linear_part(linear, layout):
    """Return the part of a density that is a linear VAE."""
    likelihood = make_likelihood(layout, linear.noise_variance[: layout.n_numeric])
    coder = LinearCoder(linear)
    return Part(coder, likelihood, StandardNormal(coder.n_components))
