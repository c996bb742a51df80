"""Where z of rows is drawn: about the mode of p(z|x), as wide as the decoder has it.

An encoder knows about where z of a row is. Where what is drawn is weighed by importance
the rest matters as well: Gauss-Newton steps climb to the mode of p(x, z), and the
normal with its curvature there (Laplace's method) is also right of components that
belong together, and of rows with missing entries.
"""

from dataclasses import dataclass
from math import inf, sqrt

import torch

from skvae._model.bounds import standard_normal

STEPS = 2  # to the mode
MOST_STEP = 1.0  # along a component
# The variances are those of the curvature times 1 + this / root k: where a proposal is
# too narrow, z beyond it would be rare and weigh all. The root keeps what that costs in
# draws alike for each k.
SPREAD = 1.0


@dataclass(frozen=True)
class Proposal:
    """Normals that z of rows is drawn from.

    Parameters
    ----------
    mean : Tensor of shape (n, k)
    root : Tensor of shape (n, k, k)
        Lower triangular; of the covariances.
    """

    mean: torch.Tensor
    root: torch.Tensor

    @classmethod
    def independent(cls, mean, log_var):  # (n, k), (n, k)
        """Return normals of independent components, as an encoder has them."""
        return cls(mean, torch.diag_embed((0.5 * log_var).exp()))

    def __getitem__(self, rows):
        """Return those of some of the rows."""
        return Proposal(self.mean[rows], self.root[rows])

    def draw(self, draws):  # (n_draws, k) -> (n_draws, n, k), (n_draws, n)
        """Return z of each row at the same standard normals, and its log-density."""
        z = self.mean + torch.einsum("nij,sj->sni", self.root, draws)
        log_det = self.root.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        return z, standard_normal(draws)[:, None] - log_det


def propose(coder, likelihood, log_prior, rows):
    """Return where to draw z of rows.

    Parameters
    ----------
    coder : Coder, LinearCoder or MapCoder
    likelihood : Gaussian or Mixed
    log_prior : callable
        Maps rows z, (n, k), to log p(z), (n,).
    rows : Rows

    Returns
    -------
    Proposal
    """
    tried, _ = coder.encode(rows.x)
    n, k = tried.shape
    eye = torch.eye(k, dtype=tried.dtype, device=tried.device)
    mean, best = tried, torch.full_like(tried[:, 0], -inf)
    precision, pull = eye.repeat(n, 1, 1), torch.zeros_like(tried)
    length = torch.ones_like(best)
    for step in range(STEPS + 1):
        decoded, slopes = coder.with_slopes(tried)
        given = likelihood.given(tried)
        joint = given.log_prob(rows.observed, decoded).sum(dim=1) + log_prior(tried)
        gradient, information = given.quadratic(rows.observed, decoded)
        weighted = slopes * information[:, None]
        its_pull = (slopes * gradient[:, None]).sum(dim=2) - tried
        its_precision = eye + weighted @ slopes.mT
        is_better = joint > best
        best = torch.where(is_better, joint, best)
        mean, pull = (
            torch.where(is_better[:, None], *both)
            for both in ((tried, mean), (its_pull, pull))
        )
        precision = torch.where(is_better[:, None, None], its_precision, precision)
        length = torch.where(is_better, length, length / 4)
        factor, _ = torch.linalg.cholesky_ex(precision)
        if step < STEPS:
            move = torch.cholesky_solve(pull[:, :, None], factor)[:, :, 0]
            move = (move * length[:, None]).nan_to_num(0.0)
            tried = mean + move.clamp(-MOST_STEP, MOST_STEP)
    root = torch.linalg.solve_triangular(factor, eye, upper=False).mT
    return Proposal(mean, root * sqrt(1 + SPREAD / sqrt(k)))
