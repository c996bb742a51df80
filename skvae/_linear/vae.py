"""A linear VAE: what it says of rows, exactly, whether or not entries are missing.

It is a normal distribution, and so are its conditionals. Rows are tensors in double
precision, and missing entries are NaN.
"""

from dataclasses import dataclass, replace
from math import pi

import torch

from skvae._numerics.chunks import slices
from skvae._numerics.linalg import (
    inverse_and_log_det,
    left_singular_vectors,
    orthogonal_rows,
)

CHUNK_ENTRIES = 2_000_000  # of the covariances and their roots, at a time
MOST_EXACT = 1e12  # signal over noise, of which a posterior can be solved for
ROUNDINGS = 64.0  # of an entry, that what z decodes to may be off it
MOST_SIGNAL = 1e6  # over noise, beside which a decomposition loses weak components


@dataclass(frozen=True)
class LinearVAE:
    """``mean(x) = x @ encoder + encoder_bias``, ``decode(z) = z @ decoder + bias``."""

    encoder: torch.Tensor  # (d, k)
    encoder_bias: torch.Tensor  # (k,)
    log_var: torch.Tensor  # (k,)
    decoder: torch.Tensor  # (k, d)
    decoder_bias: torch.Tensor  # (d,)
    noise_variance: torch.Tensor  # (d,)
    # (k + 1, d): bias and weights to what parametrises p(x|z): the decoded means, but
    # in columns of indicators their logits, see `_fitting/logits.py`.
    output_map: torch.Tensor

    def posterior_mean(self, x):  # (n, d) -> (n, k)
        """Return the mean of the exact posterior."""

        def complete(x):
            return x @ self.encoder + self.encoder_bias

        return self._of_rows(x, complete, lambda part: part.mean)

    def decode(self, z):  # (n, k) -> (n, d)
        """Return the mean of p(x|z)."""
        return z @ self.decoder + self.decoder_bias

    def residual(self, x, decoded):  # (n, d), (n, d) -> (n, d)
        """Return what is left of rows; nothing where it is within rounding.

        One noise for all columns may be far less than the rounding of the largest.
        """
        residual = x - decoded
        size = self.decoder_bias.abs() + torch.linalg.vector_norm(self.decoder, dim=0)
        rounding = ROUNDINGS * torch.finfo(x.dtype).eps * (x.abs() + size)
        return residual.masked_fill(residual.abs() < rounding, 0.0)

    def log_density(self, x):  # (n, d) -> (n,)
        """Return the exact log p of what is observed of rows, in nats."""

        def complete(x):  # the ELBO, whose posterior is exact
            noise, error = self.noise_variance, self.expected_squares(x)
            fit = -0.5 * (error / noise + (2 * pi * noise).log()).sum(dim=1)
            mean, variance = self.posterior_mean(x), self.log_var.exp()
            return fit - 0.5 * (mean**2 + variance - self.log_var - 1).sum(dim=1)

        return self._of_rows(x, complete, lambda part: part.log_density)

    def expected_squares(self, x):  # (n, d) -> (n, d)
        """Return squared errors of the decoded rows, the posterior's width included.

        NaN where an entry is missing.
        """

        def complete(x):
            error = self.residual(x, self.decode(self.posterior_mean(x)))
            return error**2 + self.log_var.exp() @ self.decoder**2

        def incomplete(part):
            error = self.residual(part.x, self.decode(part.mean))
            return error**2 + (part.root_spread() ** 2).sum(dim=1)

        return self._of_rows(x, complete, incomplete)

    def fill(self, x):  # (n, d) -> (n, d)
        """Return rows with their missing entries at the conditional means."""
        return self._of_rows(x, lambda x: x, lambda part: part.filled())

    def informed_share(self, x):  # (n, d) -> (n, k)
        """Return the share of what complete rows tell of z that these rows tell."""
        missing, information = x.isnan().double(), self.decoder**2 / self.noise_variance
        total = information.sum(dim=1)
        of_all = missing.mean(dim=1, keepdim=True)

        def share(of_entries, of_columns):
            told = of_entries @ information.T / total.where(total > 0, 1.0)
            return told.where(total > 0, of_columns)

        # Precise near 1 and near 0: rounding must not decide whether a row tells any.
        left, told = 1 - share(missing, of_all), share(1 - missing, 1 - of_all)
        return left.where(left > 0.5, told)

    def given(self, x):
        """Yield the posteriors of some rows at a time."""
        k, d = self.decoder.shape
        for rows in slices(len(x), max(CHUNK_ENTRIES // (k * (k + d)), 1)):
            yield Conditional(self, x[rows])

    def _of_rows(self, x, complete, incomplete):
        """Apply one function to complete rows, another to posteriors of the others."""
        x = x.double()
        has_missing = x.isnan().any(dim=1)
        if not has_missing.any():
            return complete(x)
        parts = torch.cat([incomplete(part) for part in self.given(x[has_missing])])
        out = parts.new_empty(len(x), *parts.shape[1:])
        out[has_missing] = parts
        if not has_missing.all():
            out[~has_missing] = complete(x[~has_missing])
        return out

    def permuted(self, order, signs):
        """Return the same model, component ``i`` being ``order[i]`` times its sign."""
        bias, weights = self.output_map[:1], self.output_map[1:]
        return replace(
            self,
            encoder=self.encoder[:, order] * signs,
            encoder_bias=self.encoder_bias[order] * signs,
            log_var=self.log_var[order],
            decoder=self.decoder[order] * signs[:, None],
            output_map=torch.cat([bias, weights[order] * signs[:, None]]),
        )

    def with_noise(self, noise_variance):
        """Return the decoder with other noise, rotated to a diagonal posterior."""
        whitened = self.decoder / noise_variance.sqrt()
        if torch.linalg.vector_norm(whitened, dim=1).max() > MOST_SIGNAL:
            loadings = orthogonal_rows(whitened) * noise_variance.sqrt()
        else:
            loadings = left_singular_vectors(whitened).T @ self.decoder
        return with_encoder(
            loadings, self.decoder_bias, noise_variance, len(self.decoder)
        )


class Conditional:
    """The exact posterior of z given what is observed of some rows.

    Parameters
    ----------
    linear : LinearVAE
    x : Tensor of shape (n, d)

    Attributes
    ----------
    mean : Tensor of shape (n, k)
    covariance : Tensor of shape (n, k, k)
    """

    def __init__(self, linear, x):
        self.linear, self.x, self._observed = linear, x, ~x.isnan()
        observed, k = self._observed, len(linear.decoder)
        signal = (-linear.log_var).exp().max()
        self._noise = linear.noise_variance * (signal / MOST_EXACT).clamp(min=1.0)
        weighted = linear.decoder / self._noise
        squares = (weighted[:, None] * linear.decoder).reshape(k * k, -1)
        eye = torch.eye(k, dtype=x.dtype, device=x.device)
        precision = eye + (observed.double() @ squares.T).reshape(-1, k, k)
        residual = (x - linear.decoder_bias).where(observed, 0.0)
        pull = residual @ weighted.T
        self.covariance, self._log_det = inverse_and_log_det(precision)
        self.mean = (self.covariance * pull[:, None]).sum(dim=2)

    @property
    def log_density(self):  # -> (n,)
        """Log-density of the observed entries of each row, in nats."""
        # What is left of the row, and what z costs: a difference of what it explains
        # would lose digits where noise is small.
        left = self.linear.residual(self.x, self.linear.decode(self.mean))
        fit = left**2 / self._noise + (2 * pi * self._noise).log()
        cost = fit.where(self._observed, 0.0).sum(dim=1) + (self.mean**2).sum(dim=1)
        return -0.5 * (cost + self._log_det)

    def filled(self):  # -> (n, d)
        """Return the rows with their missing entries at the conditional means."""
        return self.x.where(self._observed, self.linear.decode(self.mean))

    def root_spread(self, rows=slice(None)):  # -> (n, k, d)
        """Return a root of the covariance of what z decodes to, of some of the rows.

        The squares of its k rows add up to that covariance.
        """
        roots = torch.linalg.cholesky(self.covariance[rows])
        return roots.transpose(1, 2) @ self.linear.decoder


def with_encoder(loadings, center, noise_variance, n_components):
    """Complete loadings whose ``W' Psi^-1 W`` is diagonal by their exact posterior."""
    decoder = loadings.new_zeros(n_components, len(center))
    decoder[: len(loadings)] = loadings
    weighted = decoder / noise_variance
    precision = 1 + (weighted * decoder).sum(dim=1)
    encoder = (weighted / precision[:, None]).T.contiguous()
    return LinearVAE(
        encoder=encoder,
        encoder_bias=-(center @ encoder),
        log_var=-precision.log(),
        decoder=decoder,
        decoder_bias=center,
        noise_variance=noise_variance,
        output_map=torch.cat([center[None], decoder]),
    )
