"""The parts of a density: each an encoder and a decoder, a likelihood and a prior.

What a part says of rows it says by draws of z from its posteriors, weighted by
importance, and exactly where it is linear.
"""

from dataclasses import dataclass

from skvae._likelihoods.dispersion import CONSTANT
from skvae._likelihoods.gaussian import Gaussian
from skvae._model.bounds import importance_weighted_bound, importance_weights
from skvae._model.coder import Coder, LinearCoder
from skvae._model.prior import NormalMixture, StandardNormal

FIRST_DRAWS = 16  # of a row, and between the looks whether they suffice


@dataclass(frozen=True)
class Part:
    """A density of rows, p(x) = integral of p(x|z) p(z).

    Parameters
    ----------
    coder : Coder or LinearCoder
    likelihood : Gaussian or Mixed
    prior : StandardNormal or NormalMixture
    """

    coder: Coder | LinearCoder
    likelihood: Gaussian
    prior: StandardNormal | NormalMixture

    def log_density(self, rows, draws):
        """Bound log p(x) from below, in nats.

        Parameters
        ----------
        rows : Rows
        draws : Tensor of shape (n_draws, k)
            Standard normal.

        Returns
        -------
        Tensor of shape (n,)
        """
        exact = self.as_linear(rows) if isinstance(self.coder, LinearCoder) else None
        if exact is not None:
            return exact.log_density(rows.x)
        return importance_weighted_bound(
            self.coder,
            self.likelihood,
            rows.x,
            draws,
            self.prior.log_prob,
            n_first=FIRST_DRAWS,
            observed=rows.observed,
        )

    def weigh(self, observed, proposal, draws):
        """Draw z of rows, and weigh the draws by importance.

        Parameters
        ----------
        observed : Tensor of shape (n, d) or (n, 2, d)
        proposal : tuple of Tensor of shape (n, k)
            Means and log-variances of the distributions that z is drawn from.
        draws : Tensor of shape (n_draws, k)
            Standard normal.

        Returns
        -------
        z : Tensor of shape (n_draws, n, k)
        decoded : Tensor of shape (n_draws, n, d)
        log_weights : Tensor of shape (n_draws, n)
        """
        log_prior = self.prior.log_prob
        given = self.coder, self.likelihood, log_prior, observed, *proposal, draws
        return importance_weights(*given)

    def mean(self, z):  # (n, k) -> (n, d)
        """Return the mean of p(x|z)."""
        return self.likelihood.mean(self.coder.decode(z))

    def sample(self, n, generator):  # -> (n, d)
        """Draw rows, observation noise included."""
        z = self.prior.sample(n, generator)
        return self.likelihood.given(z).sample(self.coder.decode(z), generator)

    def as_linear(self, rows):
        """Return the linear VAE that this part is to rows, None where it is more."""
        is_bent = isinstance(self.prior, NormalMixture) or rows.has_intervals
        if is_bent or not isinstance(self.likelihood, Gaussian):
            return None
        if self.likelihood.dispersion is not CONSTANT:
            return None
        if isinstance(self.coder, LinearCoder):
            return self.coder.linear
        if self.coder.network.architecture.n_layers:
            return None
        return self.coder.as_linear(self.likelihood.variance)
