"""How good a network is on rows: their ELBO at their own best noise."""

import torch

from skvae._model.bounds import kl_divergence
from skvae._numerics.chunks import slices


def evaluate(vae, likelihood, rows, draws, beta=1.0):
    """Score rows by their ELBO at their own best noise.

    The plain ELBO at the training noise is no stopping rule: one outlier in a
    near-constant column decides it.

    Parameters
    ----------
    vae : VAE
    likelihood : Tracked
    rows : Rows
    draws : Tensor of shape (n, k)
        Standard normal, one for each row.
    beta : float

    Returns
    -------
    score : float
        In nats a row.
    likelihood : Tracked
        With the noise that these rows measure.
    """
    error, kl = _error_and_kl(vae, likelihood, rows, draws)
    if rows.has_missing:
        error = likelihood.with_known(error, rows.observed.isnan().all(dim=0))
    fitted = likelihood.refit(error.to(rows.x.dtype))
    return float(fitted.expected_log_prob(error) - beta * kl), fitted


def mean_error(vae, likelihood, rows, draws):
    """Return the mean error of each column, (d,), after one draw of z a row.

    Of its observed entries; 0 where there are none.
    """
    return _error_and_kl(vae, likelihood, rows, draws)[0]


def _error_and_kl(vae, likelihood, rows, draws):
    x, target = rows.x, rows.observed
    error = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
    kl = torch.zeros((), dtype=torch.float64, device=x.device)
    for some in slices(len(x)):
        mean, log_var = vae.encode(x[some])
        decoded = vae.decode(mean + (0.5 * log_var).exp() * draws[some]).to(x.dtype)
        errors = likelihood.errors(target[some], decoded)
        error += errors.nansum(dim=0) if rows.has_missing else errors.sum(dim=0)
        kl += kl_divergence(mean, log_var).sum()
    if not rows.has_missing:
        return error / len(x), kl / len(x)
    n_observed = len(x) - target.isnan().sum(dim=0)
    return error / n_observed.clamp(min=1), kl / len(x)
