"""Where z of rows is drawn: about the mode of p(z|x), as wide as the decoder has it.

An encoder knows about where z of a row is. Where what is drawn is weighed by importance
the rest matters as well: Gauss-Newton steps climb to the mode of p(x, z), and the
normal with its curvature there (Laplace's method) is also right of components that
belong together, and of rows with missing entries.
"""

from dataclasses import dataclass
from functools import cached_property
from math import inf, sqrt

import torch

from skvae._model.importance import Proposal

STEPS = 3  # to the mode
MOST_STEP = 1.0  # along a component
# The variances are those of the curvature times 1 + this / root k: where a proposal is
# too narrow, z beyond it would be rare and weigh all. The root keeps what that costs in
# draws alike for each k.
SPREAD = 2.0


def propose(coder, likelihood, prior, rows):
    """Return where to draw z of rows.

    Parameters
    ----------
    coder : Coder, LinearCoder or MapCoder
    likelihood : Gaussian or Mixed
    prior : StandardNormal or NormalMixture
    rows : Rows

    Returns
    -------
    Proposal
    """
    tried, _ = coder.encode(rows.x)
    best = _about(coder, likelihood, prior, rows.observed, tried)
    length = torch.ones_like(best.joint)
    for _ in range(STEPS):
        move = (best.step() * length[:, None]).clamp(-MOST_STEP, MOST_STEP)
        given = rows.observed, best.mean + move.nan_to_num(0.0)
        found = _about(coder, likelihood, prior, *given)
        is_better = found.joint > best.joint
        best = found.where(is_better, best)
        length = torch.where(is_better, length, length / 4)
    return best.proposal(prior)


@dataclass(frozen=True)
class _Quadratic:
    """What log p(x, z) is about some z of each row.

    Parameters
    ----------
    mean : Tensor of shape (n, k)
        That z.
    joint : Tensor of shape (n,)
    gradient : Tensor of shape (n, k)
    precision : Tensor of shape (n, k, k)
        Minus the curvature.
    """

    mean: torch.Tensor
    joint: torch.Tensor
    gradient: torch.Tensor
    precision: torch.Tensor

    @cached_property
    def _factor(self):
        """Lower factor of the precision; the prior's where rounding left none."""
        factor, info = torch.linalg.cholesky_ex(self.precision)
        k = self.mean.shape[1]
        eye = torch.eye(k, dtype=self.mean.dtype, device=self.mean.device)
        is_known = (info == 0) & factor.isfinite().all(dim=2).all(dim=1)
        return factor.where(is_known[:, None, None], eye)

    def step(self):  # -> (n, k)
        """Return Newton's step."""
        return torch.cholesky_solve(self.gradient[:, :, None], self._factor)[:, :, 0]

    def where(self, is_so, other):
        """Return this for the rows that are so, and the other for all others."""
        return _Quadratic(
            torch.where(is_so[:, None], self.mean, other.mean),
            torch.where(is_so, self.joint, other.joint),
            torch.where(is_so[:, None], self.gradient, other.gradient),
            torch.where(is_so[:, None, None], self.precision, other.precision),
        )

    def proposal(self, prior):
        """Return the normals that this makes of p(z|x), somewhat wider."""
        widened = sqrt(1 + SPREAD / sqrt(self.mean.shape[1]))
        return Proposal(prior, self.mean, self._factor / widened)


def _about(coder, likelihood, prior, observed, z):
    decoded, slopes = coder.with_slopes(z)
    given = likelihood.given(z)
    joint = given.log_prob(observed, decoded).sum(dim=1) + prior.log_prob(z)
    gradient, information = given.quadratic(observed, decoded)
    gradient = (slopes * gradient[:, None]).sum(dim=2) - z  # as of N(0, I)
    precision = (slopes * information[:, None]) @ slopes.mT
    precision.diagonal(dim1=1, dim2=2).add_(1)
    return _Quadratic(z, joint.nan_to_num(-inf), gradient, precision)
