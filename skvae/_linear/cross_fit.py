"""What a linear VAE shows on rows that it was not fitted to, over random folds."""

import numpy as np
import torch

from skvae._linear.anchor import HIDDEN_ROWS, fit_linear_vae
from skvae._linear.moments import n_observed, shared_noise
from skvae._numerics.missing import have_missing

N_FOLDS = 5
MOST_ROWS = 20_000


class CrossFit:
    """The noise of a linear VAE, measured on rows left out of its fit.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Of a longer table than `max_rows`, so many random rows are looked at; of one
        with missing entries at most `HIDDEN_ROWS`, as each fold then takes as long as
        the table.
    linear : LinearVAE
        Fitted to `x`, with `noise` and `floor`.
    max_rows : int
    units : Tensor of shape (d,) or float, default=1.0
        In which "spherical" noise is equal.

    Attributes
    ----------
    noise_variance : Tensor of shape (d,)
        That of `linear`, raised by the factor that maximises the likelihood of the
        left-out rows' expected squared errors, but not above the errors themselves:
        the noise of the folds may be nearer to zero than that of all rows, or in other
        columns. Equal in the columns' units if `noise` is "spherical".
    error : Tensor of shape (d,)
        Those expected squared errors, each column's own.
    """

    def __init__(self, x, linear, noise, floor, max_rows=MOST_ROWS, units=1.0):
        order = np.random.RandomState(0).permutation(len(x))  # rows may have a period
        n_rows = min(max_rows, HIDDEN_ROWS) if have_missing(x) else max_rows
        x = x[torch.from_numpy(order[:n_rows])]
        fold = torch.arange(len(x), device=x.device) % N_FOLDS
        self._folds = []  # the rows of each, and the linear VAE of the others
        for i in range(min(N_FOLDS, len(x))):
            given = x[fold != i], len(linear.decoder), noise, floor
            other = fit_linear_vae(*given, units=units)
            self._folds.append((x[fold == i].double(), other))
        error, factor = torch.zeros(2, x.shape[1], dtype=torch.float64, device="cpu")
        for rows, other in self._folds:
            squares = other.expected_squares(rows).nansum(dim=0)
            error += squares
            factor += squares / other.noise_variance
        error, factor = error / n_observed(x), factor / n_observed(x)
        self.error = error
        if noise == "spherical":
            error, factor = shared_noise(error, units), factor.mean()
        psi = linear.noise_variance
        self.noise_variance = psi.maximum((factor * psi).minimum(error))

    def log_densities(self, noise_variance):  # -> (n,), (n,)
        """Return those of the left-out rows with some noise, and with the folds'."""
        own = [other.log_density(rows) for rows, other in self._folds]
        honest = [
            other.with_noise(noise_variance).log_density(rows)
            for rows, other in self._folds
        ]
        return torch.cat(honest), torch.cat(own)
