"""Draws of z that are weighed by importance, and the bound on log p(x) that they give.

The importance-weighted bound (Burda et al. 2016) is as tight as its draws are near the
posterior.
"""

from dataclasses import dataclass
from math import log

import torch

from skvae._model.bounds import standard_normal
from skvae._model.prior import NormalMixture, StandardNormal


@dataclass(frozen=True)
class Draws:
    """What z of all rows is drawn by.

    Parameters
    ----------
    normal : Tensor of shape (n, k)
        Standard normal.
    of_prior : Tensor of shape (m, k)
        Of the prior; what they decode to is the same for all rows.
    """

    normal: torch.Tensor
    of_prior: torch.Tensor

    def __len__(self):
        return len(self.normal) + len(self.of_prior)

    @property
    def prior_share(self):
        """The prior's share of the draws."""
        return len(self.of_prior) / len(self)

    def doubled(self, n):
        """Return parts: the first of n standard normals, others of as many as before.

        Each has its share of the prior's.
        """
        ends, total = [n], len(self.normal)
        while ends[-1] < total:
            ends.append(2 * ends[-1])
        of_prior = [end * len(self.of_prior) // total for end in ends[:-1]]
        normal = self.normal.tensor_split(ends[:-1])
        parts = zip(normal, self.of_prior.tensor_split(of_prior), strict=True)
        return [Draws(*both) for both in parts]


@dataclass(frozen=True)
class Proposal:
    """Where z of rows is drawn: from normals, and for a share from the prior.

    A posterior may have another mode, far from that of the normal; and no draw weighs
    more than p(x|z) over that share (a defensive mixture: Hesterberg 1995).

    Parameters
    ----------
    prior : StandardNormal or NormalMixture
    mean : Tensor of shape (n, k)
    root : Tensor of shape (n, k, k)
        Lower triangular; times its transpose it is the precision.
    """

    prior: StandardNormal | NormalMixture
    mean: torch.Tensor
    root: torch.Tensor

    @classmethod
    def independent(cls, prior, mean, log_var):  # (n, k), (n, k)
        """Return that of independent components, as an encoder has them."""
        return cls(prior, mean, torch.diag_embed((-0.5 * log_var).exp()))

    def __getitem__(self, rows):
        """Return that of some of the rows."""
        return Proposal(self.prior, self.mean[rows], self.root[rows])

    def draw(self, normal):  # (m, k) -> (m, n, k)
        """Return z of each row, by the same standard normals."""
        # The solution of root' move = draw has the covariance.
        eye = torch.eye(self.root.shape[1], dtype=self.root.dtype, device="cpu")
        inverse = torch.linalg.solve_triangular(self.root, eye, upper=False)
        return self.mean + torch.einsum("nji,sj->sni", inverse, normal)

    def log_prob(self, z):  # (m, n, k) or (m, 1, k) -> (m, n)
        """Return the log-density of z under each row's normal alone."""
        white = torch.einsum("snj,nji->sni", z - self.mean, self.root)
        log_det = self.root.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        return standard_normal(white.flatten(0, 1)).view(white.shape[:2]) + log_det


def importance_weighted_bound(
    vae, likelihood, observed, proposal, draws, n_first=None, tol=0.01
):
    """Importance-weighted bound of each row (Burda et al. 2016, equation 8).

    Parameters
    ----------
    vae : VAE, Coder, LinearCoder or MapCoder
    likelihood : Gaussian or Mixed
    observed : Tensor of shape (n, ...)
        What the likelihood is told of the rows.
    proposal : Proposal
        Where z of the rows is drawn.
    draws : Draws
        More of them tighten the bound.
    n_first : int, optional
        A row that has had draws by this many standard normals, or twice, or four times
        as many, gets no more once the standard error of its bound is below `tol` nats.
        That is up to the row alone. Without it each row gets all.
    tol : float

    Returns
    -------
    bound : Tensor of shape (n,)
    """
    bound = torch.empty_like(proposal.mean[:, 0])
    rows = torch.arange(len(bound), device=bound.device)
    log_weights = [
        bound.new_empty(0, len(bound)) for _ in range(2)
    ]  # normals', prior's
    for some in draws.doubled(n_first or len(draws.normal)):
        given = observed[rows], proposal[rows], some
        parts = zip(
            log_weights, importance_weights(vae, likelihood, *given), strict=True
        )
        log_weights = [torch.cat([old, new.log_weights]) for old, new in parts]
        total = torch.logsumexp(torch.cat(log_weights), dim=0)
        bound[rows] = total - log(sum(map(len, log_weights)))
        is_open = sum(_squared_error(part - total) for part in log_weights) > tol**2
        if not is_open.any():
            break
        rows = rows[is_open]
        log_weights = [part[:, is_open] for part in log_weights]
    return bound


def _squared_error(log_shares):  # (n_draws, n) -> (n,)
    """Return the squared standard error of the sum of some draws' shares."""
    shares = log_shares.exp()
    return shares.square().sum(dim=0) - shares.sum(dim=0) ** 2 / max(len(shares), 1)


@dataclass(frozen=True)
class Weighed:
    """Draws of z, and what they weigh.

    Parameters
    ----------
    z : Tensor of shape (m, n, k), or (m, 1, k) where rows share them
    decoded : Tensor of shape (m, n, d) or (m, 1, d)
    log_weights : Tensor of shape (m, n)
        log p(x, z) less the log-density of z where it is drawn.
    """

    z: torch.Tensor
    decoded: torch.Tensor
    log_weights: torch.Tensor


def importance_weights(vae, likelihood, observed, proposal, draws):
    """Draw z of each row from a proposal.

    Returns
    -------
    own : Weighed
        By the standard normals, each row's its own.
    shared : Weighed
        The draws of the prior, which rows share.
    """
    z = proposal.draw(draws.normal)
    decoded = vae.decode(z.flatten(0, 1)).unflatten(0, z.shape[:2])
    of_rows = likelihood.given(z).log_prob(observed, decoded).sum(dim=2)
    own = z, decoded, of_rows
    z = draws.of_prior
    decoded = vae.decode(z)
    of_rows = likelihood.given(z).log_prob_of_pairs(observed, decoded)
    shared = z[:, None], decoded[:, None], of_rows
    share = draws.prior_share
    return tuple(_weighed(proposal, share, *of) for of in (own, shared))


def _weighed(proposal, share, z, decoded, log_likelihood):
    """Weigh draws of z, of which a share is the prior's."""
    log_prior = proposal.prior.log_prob(z.flatten(0, 1)).view(z.shape[:2])
    log_q = proposal.log_prob(z)
    if share:
        log_q = (log_q + log(1 - share)).logaddexp(log_prior + log(share))
    return Weighed(z, decoded, log_likelihood + log_prior - log_q)
