"""A network that may become the fitted model, and the density that it makes."""

from dataclasses import dataclass, replace
from math import inf

import torch

from skvae._fitting.comparison import SUMMARY_ROWS
from skvae._fitting.start import Start
from skvae._likelihoods.mixed import make_likelihood
from skvae._linear.moments import observed_mean, shared_noise
from skvae._model.coder import Coder, LinearCoder
from skvae._model.density import Density
from skvae._model.network import VAE
from skvae._model.parts import Part, linear_part
from skvae._model.prior import StandardNormal
from skvae._numerics.chunks import map_chunks
from skvae._numerics.missing import observed_range

Z_REACH = 3.0  # standard deviations of the posteriors that the decoder has seen
PRIOR_DRAWS = 3_000  # of z, at least, that its prior is fitted to


@dataclass(frozen=True)
class Candidate:
    """A network as it was trained, where it started, and the density that it makes."""

    network: VAE | LinearCoder  # in single precision, if it was trained
    start: Start
    density: Density

    def with_first(self, **changes):
        """Return the candidate with changes of the density's first part."""
        return replace(self, density=self.density.with_first(**changes))

    @property
    def first(self):
        """The network's part of the density."""
        return self.density.parts[0]


def make_candidate(network, start, variance, split, fallback):
    """Return a candidate before its calibration.

    Parameters
    ----------
    network : VAE or LinearCoder
    start : Start
    variance : Tensor of shape (n_numeric,)
        Noise variance of the numeric columns.
    split : Split
    fallback : LinearVAE
        The other part of the density.

    Returns
    -------
    Candidate
    """
    layout, coder = split.recipe.layout, make_coder(network, start, split.x)
    likelihood = make_likelihood(layout, variance)
    first = Part(coder, likelihood, StandardNormal(coder.n_components))
    parts = first, linear_part(fallback, layout)
    readout = variance.new_zeros(coder.n_components + 1, layout.n_columns)
    return Candidate(network, start, Density(parts, (0.5, 0.5), readout))


def make_coder(network, start, x, posteriors=None):
    """Return the coder of a network.

    Parameters
    ----------
    network : VAE or LinearCoder
        In single precision; the latter is a coder already.
    start : Start
    x : Tensor of shape (n, d)
        All rows, whose range the coder keeps to.
    posteriors : pair of Tensor, optional
        Means and log-variances of some rows, if they are known.

    Returns
    -------
    Coder or LinearCoder
    """
    if not isinstance(network, VAE):
        return network
    mean, log_var = posteriors or encode_some(network, start, x)[1:]
    reach = Z_REACH * (0.5 * log_var).exp()
    x_range = column_range(x)
    z_range = column_range(torch.cat([mean - reach, mean + reach]))
    if not network.architecture.n_layers:  # a linear network is at home everywhere
        everywhere = torch.tensor([[-inf], [inf]], dtype=torch.float64, device="cpu")
        x_range, z_range = (
            everywhere.expand_as(of_columns).clone()
            for of_columns in (x_range, z_range)
        )
    double, complete = network.to(torch.float64), torch.ones_like(start.linear.log_var)
    return Coder(double, start.linear, start.filler, x_range, z_range, complete)


def typical_share(linear, split):
    """Return the share of what complete rows tell of z that rows tell on average."""
    if not split.is_incomplete:
        return torch.ones_like(linear.log_var)
    return linear.informed_share(split.x).mean(dim=0)


def column_range(x):  # (n, d) -> (2, d)
    """Return the least and the largest observed entry of each column."""
    return torch.stack(observed_range(x)).double()


def encode_some(network, start, x):
    """Return some rows, and the means and log-variances that a network gives them."""
    rows = start.rows(x[:SUMMARY_ROWS])
    return rows, *map_chunks(network.encode, rows.x)


def draw_posteriors(network, start, x, generator, n_draws=PRIOR_DRAWS):
    """Draw z of some rows, (n_times, n, k); more than once where they are few."""
    _, mean, log_var = encode_some(network, start, x[:n_draws])
    n_times = -(-n_draws // len(mean))
    draws = torch.empty(n_times, *mean.shape, dtype=torch.float64, device="cpu")
    draws.normal_(generator=generator)
    return mean.double() + (0.5 * log_var.double()).exp() * draws


def fallback_vae(linear, x, split):
    """Return what the density falls back on: a linear VAE fitted to rows.

    With indicators its noise is an average over them, and numeric columns need their
    own.
    """
    if split.recipe.layout.is_numeric:
        return linear
    squares = linear.expected_squares(x[:SUMMARY_ROWS])
    noise_variance = linear.noise_variance.clone()
    error = observed_mean(split.numeric(squares))
    split.numeric(noise_variance).copy_(as_noise(error, split))
    return replace(linear, noise_variance=noise_variance)


def as_noise(error, split):  # (n_numeric,) -> (n_numeric,)
    """Return mean squared errors as the noise variance that they make."""
    if not split.by_column and len(error):
        error = shared_noise(error, split.units)
    return error.maximum(split.least_noise)
