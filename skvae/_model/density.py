"""A fitted VAE: the network where its training rows were, the linear VAE beyond.

An MLP says nothing of what lies outside the rows it was trained on, and Gaussian noise
makes one wrong far row cost more than a whole table gains. So the fitted model

- goes on from the range of its training rows along the linear VAE it started from,
- has wider posteriors, where training rows made the encoder surer than held-out rows
  find it,
- mixes the linear VAE of all rows into its density, with a weight that held-out rows
  chose: no row is much less likely than under that linear VAE. (As a defensive
  mixture: Hesterberg 1995; weights by stacking: Smyth & Wolpert 1999.)

Its z has a prior that was fitted to the posteriors (`_prior.py`).
"""

from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from math import log

import numpy as np
import torch

from skvae._layout import Blocks
from skvae._likelihoods.dispersion import Dispersion
from skvae._likelihoods.gaussian import Gaussian, VaryingGaussian, make_likelihood
from skvae._linear.vae import LinearVAE
from skvae._model.bounds import importance_weighted_bound, standard_normal
from skvae._model.network import VAE, Architecture, initial_parameters
from skvae._model.prior import NormalMixture

LINEAR_VAES = "linear", "fallback", "filler"
FIRST_DRAWS = 16  # of a row, and between the looks whether they suffice


@dataclass
class Parameters:
    """What is remembered of a fitted VAE, on the network's scale: plain arrays."""

    architecture: Architecture
    flat: np.ndarray  # (n_parameters,), float32
    noise_variance: np.ndarray  # (n_numbers,), about the average over rows
    linear: LinearVAE  # that the network started from
    fallback: LinearVAE  # of all rows
    network_weight: float = 1.0  # in the density; the rest is the fallback's
    x_range: np.ndarray | None = None  # (2, d): of the training rows
    z_range: np.ndarray | None = None  # (2, k): of their posteriors
    readout: np.ndarray | None = None  # (k + 1, d): corrects the decoded mean
    prior: tuple | None = None  # a NormalMixture's arguments; None is N(0, I)
    dispersion: tuple | None = None  # a Dispersion's arguments; None is no change
    informed: np.ndarray | None = None  # (k,): share that training rows told of z
    widening: float = 1.0  # by which a row says less of z than the encoder has it
    filler: LinearVAE | None = None  # of holes that the encoder reads; None: `linear`
    blocks: Blocks | None = None  # None: all columns are numbers

    @property
    def filling(self):
        """What fills the holes of rows that the encoder reads."""
        return self.filler or self.linear

    def to_dict(self):
        """Return a dictionary of plain values, down to the bottom."""
        state = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in LINEAR_VAES:
            if state[name] is not None:
                state[name] = {k: v.numpy() for k, v in vars(state[name]).items()}
        state["architecture"] = asdict(self.architecture)
        if self.blocks is not None:
            state["blocks"] = asdict(self.blocks)
        return state

    @classmethod
    def from_dict(cls, state):
        """Rebuild what `to_dict` took apart."""
        parts: dict = {"architecture": Architecture(**state["architecture"])}
        for name in LINEAR_VAES:
            if state.get(name) is not None:
                parts[name] = _load_linear(state[name])
        if state.get("blocks") is not None:
            parts["blocks"] = Blocks(**state["blocks"])
        return cls(**{**state, **parts})


class FittedVAE:
    """The fitted model in float64: it has the verbs of the network, and its density.

    Parameters
    ----------
    parameters : Parameters
    """

    def __init__(self, parameters):
        self.fallback = parameters.fallback
        blocks = self.blocks = parameters.blocks
        noise_variance = self.fallback.noise_variance[: len(parameters.noise_variance)]
        noise = Gaussian(noise_variance)
        self.fallback_likelihood = make_likelihood(noise, blocks)
        architecture, flat = parameters.architecture, _tensor(parameters.flat)
        self.network = VAE(architecture, flat, parameters.filling)
        self.likelihood = _likelihood(parameters)
        self.network_weight = parameters.network_weight
        self.x_range = _range(parameters.x_range)
        self.z_range = _range(parameters.z_range)
        self.readout = parameters.readout
        self.widening = parameters.widening
        self.prior = None
        if parameters.prior is not None:
            self.prior = NormalMixture(*map(_tensor, parameters.prior))
        self.linear = parameters.linear
        self.informed = parameters.informed
        self.linear_encoder = parameters.linear.encoder
        self.linear_decoder = parameters.linear.output_map[1:]

    def encode(self, x):  # (n, d) -> (n, k), (n, k)
        """Return the mean and the log-variance of q(z|x)."""
        filled = self.network.fill(x)
        inside = filled.clamp(*self.x_range)
        mean, log_var = self.network.encode_filled(inside)
        mean = mean + (filled - inside) @ self.linear_encoder
        if filled is x and self.informed is None:
            return mean, widen(log_var, self.widening)
        # Rows with holes tell less than those that the encoder learned from.
        informed = self.linear.informed_share(x)
        if self.informed is not None:
            informed = informed / _tensor(self.informed)
        mean = torch.where(informed > 0, mean, 0.0)
        return mean, widen(log_var, self.widening / informed)

    def decode(self, z):  # (n, k) -> (n, d)
        """Return the parameters of p(x|z): means of numbers, logits of indicators."""
        inside = z.clamp(*self.z_range)
        return self.network.decode(inside) + (z - inside) @ self.linear_decoder

    def mean(self, z):  # (n, k) -> (n, d)
        """Return the mean of p(x|z)."""
        return self.likelihood.mean(self.decode(z))

    def reconstruct(self, mean):  # (n, k) -> (n, d)
        """Return the rows whose posterior means these are."""
        readout = _tensor(self.readout)
        return self.mean(mean) + readout[0] + mean @ readout[1:]

    def log_density(self, x, noise, intervals=None):
        """Bound log p(x) from below, in nats.

        Parameters
        ----------
        x : Tensor of shape (n, d)
        noise : Tensor of shape (n_draws, k)
        intervals : Tensor of shape (n, 2, d), optional
            Least and largest value that each entry stands for. Where they differ it is
            their mass that counts.

        Returns
        -------
        Tensor of shape (n,)
        """
        weight = self.network_weight
        bound = self.network_log_density(x, noise, intervals)
        if weight == 1:
            return bound
        other = self.fallback_log_density(x, noise, intervals)
        return torch.logaddexp(log(weight) + bound, log(1 - weight) + other)

    def network_log_density(self, x, noise, intervals=None):
        """As `log_density`, of the network's part."""
        return self._bound(self, self.likelihood, x, noise, self.log_prior, intervals)

    def fallback_log_density(self, x, noise, intervals=None):
        """As `log_density`, of the linear VAE's part: exact where all are numbers.

        And none of them an interval.
        """
        if intervals is None and self.blocks is None:
            return self.fallback.log_density(x)
        arguments = self.fallback_network, self.fallback_likelihood, x, noise
        return self._bound(*arguments, standard_normal, intervals)

    @property
    def log_prior(self):
        """Log-density of z, a function of rows."""
        return self.prior.log_prob if self.prior else standard_normal

    @cached_property
    def fallback_network(self):
        """The linear VAE of all rows, with the verbs of a network."""
        return _Fallback(self.fallback, self.network.architecture)

    def _bound(self, vae, likelihood, x, noise, log_prior, intervals):
        if intervals is not None:
            likelihood = likelihood.of_intervals()
        arguments = vae, likelihood, x, noise, log_prior
        return importance_weighted_bound(
            *arguments, n_first=FIRST_DRAWS, observed=intervals
        )

    def sample(self, n, generator):  # -> (n, d)
        """Draw rows, observation noise included."""
        like = {"generator": generator, "dtype": torch.float64, "device": "cpu"}
        from_network = torch.rand(n, **like) < self.network_weight
        n_network = int(from_network.sum())
        k, d = self.linear_decoder.shape
        if self.prior:
            z = self.prior.sample(n_network, generator)
        else:
            z = torch.randn(n_network, k, **like)
        x = torch.empty(n, d, dtype=torch.float64, device="cpu")
        likelihood = self.likelihood.given(z)
        x[from_network] = likelihood.sample(self.decode(z), generator)
        z = torch.randn(n - n_network, k, **like)
        of_fallback = self._decode_fallback(z)
        x[~from_network] = self.fallback_likelihood.sample(of_fallback, generator)
        return x

    def _decode_fallback(self, z):
        if self.blocks is None:
            return self.fallback.decode(z)
        return self.fallback_network.decode(z)


class _Fallback:
    """A linear VAE as a network; rows with holes tell less of z than whole rows."""

    def __init__(self, linear, architecture):
        self._linear, self._network = linear, linear_network(linear, architecture)
        self.decode = self._network.decode

    def encode(self, x):  # (n, d) -> (n, k), (n, k)
        """Return the mean and the log-variance of q(z|x)."""
        mean, log_var = self._network.encode(x)
        if not x.isnan().any():
            return mean, log_var
        informed = self._linear.informed_share(x)
        return torch.where(informed > 0, mean, 0.0), widen(log_var, 1 / informed)


def widen(log_var, factor):
    """Divide by a factor what a row adds to the precision of its posterior.

    The rest of the precision is the prior's, 1.
    """
    if isinstance(factor, float) and factor == 1:
        return log_var
    told = torch.expm1(-log_var)  # by the row; below 0 where it unsettles the prior
    if torch.is_tensor(factor):
        factor = torch.where(told > 0, factor, factor.clamp(min=1))
    return -torch.log1p(told / factor)


def linear_network(linear, architecture):
    """Return a linear VAE as a network, in float64."""
    architecture = replace(architecture, hidden_layer_sizes=())
    flat = initial_parameters(architecture, linear, None, torch.float64)
    return VAE(architecture, flat, linear)


def stacking_weight(log_density, other, n_steps=200):
    """Return the weight of one density in a mixture of two that suits rows best.

    The posterior mode under a Beta(2, 2) prior, by expectation-maximisation: with few
    rows it stays near one half, and never reaches 0 or 1.

    Parameters
    ----------
    log_density, other : Tensor of shape (n,)
        Of rows that neither density was fitted to.

    Returns
    -------
    float

    Examples
    --------
    >>> import torch
    >>> from skvae._model.density import stacking_weight
    >>> even, ahead = torch.zeros(98), torch.full((98,), 50.0)
    >>> round(stacking_weight(even, even), 3), round(stacking_weight(ahead, even), 3)
    (0.5, 0.99)
    """
    weight = 0.5
    odds = (other - log_density).clamp(-700, 700).exp()
    for _ in range(n_steps):
        share = 1 / (1 + (1 - weight) / weight * odds)
        weight = (float(share.sum()) + 1) / (len(share) + 2)
    return weight


def _likelihood(parameters):
    variance = _tensor(parameters.noise_variance)
    numbers: Gaussian | VaryingGaussian = Gaussian(variance)
    if parameters.dispersion is not None:
        coefficients, ridge = parameters.dispersion
        numbers = VaryingGaussian(variance, Dispersion(_tensor(coefficients), ridge))
    return make_likelihood(numbers, parameters.blocks)


def _load_linear(state):
    """Return a linear VAE; older files have its output map where it differs, `link`."""
    state = dict(state)
    link = state.pop("link", None)
    if "output_map" not in state:
        own = np.vstack([state["decoder_bias"], state["decoder"]])
        state["output_map"] = own if link is None else link
    return LinearVAE(**{name: _tensor(value) for name, value in state.items()})


def _tensor(array):
    """Copy to float64, whose rounding no batch size shows."""
    return torch.from_numpy(np.array(array, dtype=np.float64))


def _range(bounds):
    return tuple(_tensor(bounds))
