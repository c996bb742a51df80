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
    x,
    draws,
    log_prior=standard_normal,
    n_first=None,
    tol=0.01,
    observed=None,
):
    """Importance-weighted bound of each row (Burda et al. 2016, equation 8).

    Parameters
    ----------
    vae : VAE, Coder or LinearCoder
    likelihood : Gaussian or Mixed
    x : Tensor of shape (n, d)
    draws : Tensor of shape (n_draws, k)
        Standard normal draws, the same for every row. More draws tighten the bound.
    log_prior : callable
        Maps rows z, (n, k), to log p(z), (n,).
    n_first : int, optional
        A row that has had this many draws, or a multiple, gets no more once the
        standard error of its bound is below `tol` nats. That is up to the row alone.
        Without it each row gets all.
    tol : float
    observed : Tensor of shape (n, ...), optional
        What the likelihood is told of the rows, instead of `x`.

    Returns
    -------
    bound : Tensor of shape (n,)
    """
    mean, log_var = vae.encode(x)
    observed = x if observed is None else observed
    bound, rows = x.new_empty(len(x)), torch.arange(len(x), device=x.device)
    log_weights = x.new_empty(0, len(x))
    for more in draws.split(n_first or len(draws)):
        q = mean[rows], log_var[rows]
        given = observed[rows], *q, more
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


def importance_weights(vae, likelihood, log_prior, x, mean, log_var, draws):
    """Draw z of each row from N(mean, exp(log_var)).

    Returns
    -------
    z : Tensor of shape (n_draws, n, k)
    decoded : Tensor of shape (n_draws, n, d)
    log_weights : Tensor of shape (n_draws, n)
        log p(x, z) - log q(z|x).
    """
    n, (n_draws, k) = len(x), draws.shape
    z = mean + (0.5 * log_var).exp() * draws[:, None, :]
    rows = z.reshape(-1, k)  # draw by draw
    decoded = vae.decode(rows).reshape(n_draws, n, -1)
    log_likelihood = likelihood.given(z).log_prob(x, decoded).sum(dim=2)
    log_q = standard_normal(draws)[:, None] - 0.5 * log_var.sum(dim=1)
    log_weights = log_likelihood + log_prior(rows).reshape(n_draws, n) - log_q
    return z, decoded, log_weights
