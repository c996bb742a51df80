"""The lower bound on log p(x) that training raises, the ELBO, and its parts.

Everything is summed over columns and latent dimensions and is in nats, with all
constants, so that a bound is comparable to an exact log-likelihood.
"""

from math import log, pi


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
