"""A linear VAE: what it says of rows, exactly, whether or not entries are missing.

It is a normal distribution, and so are its conditionals. Missing entries are NaN.
"""

from dataclasses import dataclass, replace

import numpy as np

from skvae._numerics.linalg import inverse_and_log_det, left_singular_vectors, product

CHUNK_ENTRIES = 2_000_000  # of the covariances and their roots, at a time


@dataclass(frozen=True)
class LinearVAE:
    """``mean(x) = x @ encoder + encoder_bias``, ``decode(z) = z @ decoder + bias``."""

    encoder: np.ndarray  # (d, k)
    encoder_bias: np.ndarray  # (k,)
    log_var: np.ndarray  # (k,)
    decoder: np.ndarray  # (k, d)
    decoder_bias: np.ndarray  # (d,)
    noise_variance: np.ndarray  # (d,)
    # (k + 1, d): bias and weights to what p(x|z) is parametrised by, where that is not
    # the mean: the logits of indicators.
    link: np.ndarray | None = None

    @property
    def decoder_start(self):
        """Bias and weights that the network's decoder starts from."""
        if self.link is None:
            return self.decoder_bias, self.decoder
        return self.link[0], self.link[1:]

    def encode(self, x):  # (n, d) -> (n, k)
        """Return the mean of the exact posterior."""

        def whole(x):
            return product(x, self.encoder) + self.encoder_bias

        return self._of_rows(x, whole, lambda part: part.mean)

    def decode(self, z):  # (n, k) -> (n, d)
        return product(z, self.decoder) + self.decoder_bias

    def log_density(self, x):  # (n, d) -> (n,)
        """Exact log p of what is observed of rows, in nats."""

        def whole(x):  # the ELBO, whose posterior is exact
            noise, error = self.noise_variance, self.expected_squares(x)
            fit = -0.5 * (error / noise + np.log(2 * np.pi * noise)).sum(axis=1)
            mean, variance = self.encode(x), np.exp(self.log_var)
            return fit - 0.5 * (mean**2 + variance - self.log_var - 1).sum(axis=1)

        return self._of_rows(x, whole, lambda part: part.log_density)

    def expected_squares(self, x):  # (n, d) -> (n, d)
        """Squared errors of the decoded rows, the posterior's width included.

        NaN where an entry is missing.
        """

        def whole(x):
            error = x - self.decode(self.encode(x))
            return error**2 + product(np.exp(self.log_var), self.decoder**2)

        def holed(part):
            error = part.x - self.decode(part.mean)
            return error**2 + (part.root_spread() ** 2).sum(axis=1)

        return self._of_rows(x, whole, holed)

    def fill(self, x):  # (n, d) -> (n, d)
        """Return rows with their holes at the conditional means."""

        def holed(part):
            return np.where(np.isnan(part.x), self.decode(part.mean), part.x)

        return self._of_rows(x, lambda x: x, holed)

    def informed(self, x):  # (n, d) -> (n, k)
        """Share of what whole rows tell of each component that these rows tell."""
        observed, tells = ~np.isnan(x), self.decoder**2 / self.noise_variance
        total = tells.sum(axis=1)
        share = product(observed, tells.T) / np.where(total > 0, total, 1)
        return np.where(total > 0, share, observed.mean(axis=1, keepdims=True))

    def given(self, x):
        """Yield the posteriors of some rows at a time."""
        k, d = self.decoder.shape
        n_rows = max(CHUNK_ENTRIES // (k * (k + d)), 1)
        for start in range(0, len(x), n_rows):
            yield Conditional(self, x[start : start + n_rows])

    def _of_rows(self, x, whole, holed):
        """Apply one function to whole rows, and another to posteriors of the others."""
        has_holes = np.isnan(x).any(axis=1)
        if not has_holes.any():
            return whole(x)
        of_holed = np.concatenate([holed(part) for part in self.given(x[has_holes])])
        out = np.empty((len(x), *of_holed.shape[1:]))
        out[has_holes] = of_holed
        if not has_holes.all():
            out[~has_holes] = whole(x[~has_holes])
        return out

    def permuted(self, order, signs):
        """Return the same model, component ``i`` being ``order[i]`` times its sign."""
        link = self.link
        if link is not None:
            link = np.vstack([link[:1], link[1:][order] * signs[:, None]])
        return replace(
            self,
            encoder=self.encoder[:, order] * signs,
            encoder_bias=self.encoder_bias[order] * signs,
            log_var=self.log_var[order],
            decoder=self.decoder[order] * signs[:, None],
            link=link,
        )

    def with_noise(self, noise_variance):
        """Return the decoder with other noise, rotated to a diagonal posterior."""
        whitened = self.decoder / np.sqrt(noise_variance)
        rotation = left_singular_vectors(whitened)
        loadings = product(rotation.T, self.decoder)
        return with_encoder(
            loadings, self.decoder_bias, noise_variance, len(self.decoder)
        )


class Conditional:
    """The exact posterior of z given what is observed of some rows.

    Parameters
    ----------
    linear : LinearVAE
    x : ndarray of shape (n, d)

    Attributes
    ----------
    mean : ndarray of shape (n, k)
    covariance : ndarray of shape (n, k, k)
    log_density : ndarray of shape (n,)
        Of the observed entries, in nats.
    """

    def __init__(self, linear, x):
        self.linear, self.x = linear, x
        observed, k = ~np.isnan(x), len(linear.decoder)
        noise = linear.noise_variance
        weighted = linear.decoder / noise
        squares = (weighted[:, None] * linear.decoder).reshape(k * k, -1)
        precision = np.eye(k) + product(observed, squares.T).reshape(-1, k, k)
        residual = np.where(observed, x - linear.decoder_bias, 0.0)
        pull = product(residual, weighted.T)
        self.covariance, log_det = inverse_and_log_det(precision)
        self.mean = (self.covariance * pull[:, None]).sum(axis=2)
        fit = (residual**2 / noise + observed * np.log(2 * np.pi * noise)).sum(axis=1)
        self.log_density = 0.5 * ((self.mean * pull).sum(axis=1) - log_det - fit)

    def root_spread(self, rows=slice(None)):  # -> (n, k, d)
        """Rows whose squares add up to the covariance of what z decodes to.

        Of each of some rows of x.
        """
        covariance = self.covariance[rows]
        n, k, _ = covariance.shape
        roots = np.linalg.cholesky(covariance).transpose(0, 2, 1)
        return product(roots.reshape(-1, k), self.linear.decoder).reshape(n, k, -1)


def with_encoder(loadings, center, noise_variance, n_components):
    """Complete loadings whose ``W' Psi^-1 W`` is diagonal by their exact posterior."""
    n_features = len(center)
    decoder = np.zeros((n_components, n_features))
    decoder[: len(loadings)] = loadings
    weighted = decoder / noise_variance
    precision = 1 + (weighted * decoder).sum(axis=1)
    encoder = (weighted / precision[:, None]).T
    return LinearVAE(
        encoder=encoder,
        encoder_bias=-product(center, encoder),
        log_var=-np.log(precision),
        decoder=decoder,
        decoder_bias=center,
        noise_variance=noise_variance,
    )
