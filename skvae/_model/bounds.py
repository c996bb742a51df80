"""Lower bounds on log p(x): the ELBO and its importance-weighted refinement.

Everything is summed over columns and latent dimensions and is in nats, with all
constants, so that a bound is comparable to an exact log-likelihood.
"""

from math import log, pi

import torch


def kl_divergence(mean, log_var):  # (n, k), (n, k) -> (n, k)
    """KL(q(z|x) || N(0, I)) by latent dimension (Kingma & Welling 2013, app. B)."""
    return 0.5 * (mean.square() + log_var.exp() - log_var - 1)


def elbo(vae, likelihood, x, draws, beta=1.0, observed=None):
    """Evidence lower bound of each row, from one draw of z.

    Parameters
    ----------
    vae : VAE, Coder or LinearCoder
    likelihood : Gaussian or Mixed
    x : Tensor of shape (n, d)
    draws : Tensor of shape (n, k)
        Standard normal draws; zeros decode the posterior mean.
    beta : float
        Weight of the KL divergence (Higgins et al. 2017); 1 gives the bound.
    observed : Tensor of shape (n, ...), optional
        What the likelihood is told of the rows, instead of `x`.

    Returns
    -------
    elbo : Tensor of shape (n,)
    decoded : Tensor of shape (n, d)
    """
    mean, log_var = vae.encode(x)
    z = mean + (0.5 * log_var).exp() * draws
    decoded = vae.decode(z)
    observed = x if observed is None else observed
    reconstruction = likelihood.given(z).log_prob(observed, decoded).sum(dim=1)
    return reconstruction - beta * kl_divergence(mean, log_var).sum(dim=1), decoded


def standard_normal(z):  # (n, k) -> (n,)
    """Log-density of N(0, I)."""
    return -0.5 * (z.square() + log(2 * pi)).sum(dim=1)


def importance_weighted_bound(
    vae,
    likelihood,
    observed,
    proposal,
    draws,
    log_prior=standard_normal,
    n_first=None,
    tol=0.01,
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
    draws : Tensor of shape (n_draws, k)
        Standard normal draws, the same for every row. More draws tighten the bound.
    log_prior : callable
        Maps rows z, (n, k), to log p(z), (n,).
    n_first : int, optional
        A row that has had this many draws, or a multiple, gets no more once the
        standard error of its bound is below `tol` nats. That is up to the row alone.
        Without it each row gets all.
    tol : float

    Returns
    -------
    bound : Tensor of shape (n,)
    """
    bound = torch.empty_like(proposal.mean[:, 0])
    rows = torch.arange(len(bound), device=bound.device)
    log_weights = bound.new_empty(0, len(bound))
    for more in draws.split(n_first or len(draws)):
        given = observed[rows], proposal[rows], more
        _, _, new = importance_weights(vae, likelihood, log_prior, *given)
        log_weights = torch.cat([log_weights, new])
        total = torch.logsumexp(log_weights, dim=0)
        bound[rows] = total - log(len(log_weights))
        squares = torch.logsumexp(2 * (log_weights - total), dim=0).exp()
        is_open = squares - 1 / len(log_weights) > tol**2
        if not is_open.any():
            break
        rows, log_weights = rows[is_open], log_weights[:, is_open]
    return bound


def importance_weights(vae, likelihood, log_prior, observed, proposal, draws):
    """Draw z of each row from a proposal.

    Returns
    -------
    z : Tensor of shape (n_draws, n, k)
    decoded : Tensor of shape (n_draws, n, d)
    log_weights : Tensor of shape (n_draws, n)
        log p(x, z) - log q(z|x).
    """
    z, log_q = proposal.draw(draws)
    rows = z.flatten(0, 1)  # draw by draw
    decoded = vae.decode(rows).unflatten(0, z.shape[:2])
    log_likelihood = likelihood.given(z).log_prob(observed, decoded).sum(dim=2)
    log_weights = log_likelihood + log_prior(rows).unflatten(0, z.shape[:2]) - log_q
    return z, decoded, log_weights
