"""A bound on log p(x) that also looks for z of rows where the prior has it.

Where a map has a row need not be where all of its posterior is: a row that is decoded
between two groups is looked up in one of them, and a row may be far likelier elsewhere.
So z is drawn from the encoder and, the same for all rows, from the prior, and weighed
by the mixture of both (deterministic mixture: Veach & Guibas 1995; defensive mixture:
Hesterberg 1995). No weight exceeds p(x|z) by more than the share of the prior's draws
has it.
"""

from math import log, pi

import torch

N_SHARED = 256  # draws of the prior
AT_A_TIME = 16  # of these


def mixture_bound(part, rows, draws, n_first, tol=0.01):
    """Bound log p(x) of each row from below, in nats, by draws of two kinds.

    Parameters
    ----------
    part : Part
    rows : Rows
        In the part's own scores.
    draws : Tensor of shape (n_draws, k)
        Standard normal draws, the same for every row. More draws tighten the bound.
    n_first : int
        A row that has had this many draws, or a multiple, gets no more once the
        standard error of its bound is below `tol` nats. That is up to the row alone.
    tol : float

    Returns
    -------
    Tensor of shape (n,)
    """
    mean, log_var = part.coder.encode(rows.x)
    std = (0.5 * log_var).exp()
    of_prior = _at_shared(part, rows.observed, mean, std)
    of_rows = of_prior[:, :0]
    bound = mean.new_empty(len(mean))
    left = torch.arange(len(mean), device=mean.device)
    for more in draws.split(n_first):
        z = mean[left] + std[left] * more[:, None]
        new = _log_densities(part, rows.observed[left], z, mean[left], std[left])
        of_rows = torch.cat([of_rows, new], dim=1)
        bound[left], error = _estimate(of_rows, of_prior)
        is_open = error > tol
        if not is_open.any():
            break
        left = left[is_open]
        of_rows, of_prior = of_rows[..., is_open], of_prior[..., is_open]
    return bound


def _at_shared(part, observed, mean, std):
    """Return the densities of rows and z of the prior, the same for all rows."""
    shared = part.prior.spread(N_SHARED)[:, None]
    return torch.cat(
        [_log_densities(part, observed, z, mean, std) for z in shared.split(AT_A_TIME)],
        dim=1,
    )


def _log_densities(part, observed, z, mean, std):  # -> (3, n_draws, n)
    """Return log p(x, z), log q(z|x) and log p(z).

    z has the shape (n_draws, n, k), or (n_draws, 1, k) where rows share it.
    """
    n = len(mean)
    flat = z.flatten(0, 1)
    decoded = part.coder.decode(flat).unflatten(0, z.shape[:2]).expand(-1, n, -1)
    log_prob = part.likelihood.given(z).log_prob(observed, decoded).sum(dim=2)
    log_prior = part.prior.log_prob(flat).unflatten(0, z.shape[:2]).expand(-1, n)
    away = ((z - mean) / std).square() + log(2 * pi) + 2 * std.log()
    return torch.stack([log_prob + log_prior, -0.5 * away.sum(dim=2), log_prior])


def _estimate(of_rows, of_prior):  # (3, m, n), (3, s, n) -> (n,), (n,)
    """Return the bounds, and their standard errors.

    These are of what is drawn row by row alone: shared draws are for what that misses.
    """
    n_own, n_shared = of_rows.shape[1], of_prior.shape[1]
    log_joint, log_q, log_prior = torch.cat([of_rows, of_prior], dim=1)
    of_mixture = torch.logaddexp(log_q + log(n_own), log_prior + log(n_shared))
    terms = log_joint - of_mixture
    bound = torch.logsumexp(terms, dim=0)
    shares = (terms - bound).exp()
    squares = sum(
        len(part) * part.var(dim=0) for part in shares.split([n_own, n_shared])
    )
    return bound, squares.sqrt()
