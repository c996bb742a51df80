"""A density as plain data, dictionaries of arrays and numbers, and back."""

from dataclasses import asdict

import numpy as np
import torch

from skvae._layout import Block, Layout, layout_of_shares, numeric_layout
from skvae._likelihoods.dispersion import Dispersion
from skvae._likelihoods.mixed import make_likelihood
from skvae._linear.vae import LinearVAE
from skvae._model.coder import Coder, LinearCoder
from skvae._model.density import Density
from skvae._model.network import VAE, Architecture
from skvae._model.parts import Part
from skvae._model.prior import NormalMixture, StandardNormal


def dump_density(density, layout):
    """Return a density as plain data.

    Parameters
    ----------
    density : Density
    layout : Layout

    Returns
    -------
    dict
    """
    return {
        "layout": [asdict(block) for block in layout.blocks],
        "parts": [_dump_part(part) for part in density.parts],
        "weights": list(density.weights),
        "readout": density.readout.numpy(),
    }


def load_density(state):
    """Return the density and the layout that `dump_density` was given."""
    layout = Layout(tuple(Block(**block) for block in state["layout"]))
    parts = tuple(_load_part(part, layout) for part in state["parts"])
    readout = _tensor(state["readout"])
    return Density(parts, tuple(state["weights"]), readout), layout


def upgrade_density(state):
    """Return the state of a file that was written before densities had parts."""
    linear, fallback = state["linear"], state["fallback"]
    layout = numeric_layout(len(linear["decoder_bias"]))
    if state["blocks"]:
        layout = _layout_of_old(**state["blocks"])
    network = {
        key: state[key]
        for key in ("architecture", "flat", "linear", "filler", "x_range", "z_range")
    }
    coder = {
        "network": network,
        "typical_share": state["informed"],
        "posterior_scale": state["widening"],
    }
    noise = {"variance": state["noise_variance"], "dispersion": state["dispersion"]}
    first = {**coder, "noise": noise, "prior": state["prior"]}
    weight = state["network_weight"]
    return {
        "layout": [asdict(block) for block in layout.blocks],
        "parts": [first, {"linear": fallback}],
        "weights": [weight, 1 - weight],
        "readout": state["readout"],
    }


def _layout_of_old(n_levels, shares):
    """Return the layout of all categories' shares in the order of the blocks."""
    of_columns = [np.empty(0)] * len(n_levels)
    binary = np.flatnonzero(n_levels == 2)
    other = np.flatnonzero((n_levels == 1) | (n_levels > 2))
    start = 0
    for j in (*binary, *other):
        size = 1 if n_levels[j] == 2 else n_levels[j]
        of_columns[j] = shares[start : start + size]
        start += size
    of_columns = [
        np.concatenate([1 - share, share]) if n == 2 else share
        for n, share in zip(n_levels, of_columns, strict=True)
    ]
    return layout_of_shares(n_levels, of_columns)


def _dump_part(part):
    likelihood, coder = part.likelihood, part.coder
    if isinstance(coder, LinearCoder):
        return {"linear": _dump_linear(coder.linear)}
    network = {
        "architecture": asdict(coder.network.architecture),
        "flat": coder.network.flat.float().numpy(),
        "linear": _dump_linear(coder.linear),
        "x_range": coder.x_range.numpy(),
        "z_range": coder.z_range.numpy(),
    }
    if coder.filler is not coder.linear:
        network["filler"] = _dump_linear(coder.filler)
    typical_share = coder.typical_share
    return {
        "network": network,
        "typical_share": None if typical_share is None else typical_share.numpy(),
        "posterior_scale": coder.posterior_scale,
        "noise": {
            "variance": likelihood.variance.numpy(),
            "dispersion": likelihood.dispersion.arguments(),
        },
        "prior": part.prior.arguments(),
    }


def _load_part(state, layout):
    if "linear" in state:
        return linear_part(_load_linear(state["linear"]), layout)
    network, noise = state["network"], state["noise"]
    architecture = Architecture(**network["architecture"])
    linear = _load_linear(network["linear"])
    filler, typical_share = network.get("filler"), state["typical_share"]
    coder = Coder(
        network=VAE(architecture, _tensor(network["flat"])),
        linear=linear,
        filler=_load_linear(filler) if filler else linear,
        x_range=_tensor(network["x_range"]),
        z_range=_tensor(network["z_range"]),
        typical_share=None if typical_share is None else _tensor(typical_share),
        posterior_scale=state["posterior_scale"],
    )
    variance = _tensor(noise["variance"])
    likelihood = make_likelihood(layout, variance)
    if noise["dispersion"]:
        coefficients, ridge = noise["dispersion"]
        dispersion = Dispersion(_tensor(coefficients), ridge)
        likelihood = likelihood.with_noise(variance, dispersion)
    prior: StandardNormal | NormalMixture
    prior = StandardNormal(architecture.n_components)
    if state["prior"]:
        prior = NormalMixture(*map(_tensor, state["prior"]))
    return Part(coder, likelihood, prior)


def linear_part(linear, layout):
    """Return the part of a density that is a linear VAE."""
    likelihood = make_likelihood(layout, linear.noise_variance[: layout.n_numeric])
    coder = LinearCoder(linear)
    return Part(coder, likelihood, StandardNormal(coder.n_components))


def _dump_linear(linear):
    return {name: value.numpy() for name, value in vars(linear).items()}


def _load_linear(state):
    """Return a linear VAE; older files have its output map where it differs, `link`."""
    state = dict(state)
    link = state.pop("link", None)
    if "output_map" not in state:
        own = np.vstack([state["decoder_bias"], state["decoder"]])
        state["output_map"] = own if link is None else link
    return LinearVAE(**{name: _tensor(value) for name, value in state.items()})


def _tensor(array):
    """Copy to double precision."""
    return torch.tensor(array, dtype=torch.float64, device="cpu")
