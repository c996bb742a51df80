"""A density as plain data, dictionaries of arrays and numbers, and back."""

from dataclasses import asdict

import numpy as np
import torch

from skvae._layout import Block, Layout, load_layout, numeric_block, numeric_layout
from skvae._likelihoods.dispersion import Dispersion
from skvae._likelihoods.mixed import make_likelihood
from skvae._linear.vae import LinearVAE
from skvae._map.decoder import Features, MapDecoder
from skvae._map.look_up import LookUp
from skvae._model.coder import Coder, LinearCoder
from skvae._model.density import Density
from skvae._model.map_coder import MapCoder
from skvae._model.margins import OWN, Margins, OwnScores
from skvae._model.network import VAE, Architecture
from skvae._model.parts import Part
from skvae._model.prior import NormalMixture, StandardNormal
from skvae._model.state_rules import old_density_rule


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
        "readout": _array(density.readout),
    }


def load_density(state):
    """Return the density and the layout that `dump_density` was given.

    The state must keep `density_rule`.
    """
    layout = load_layout(state["layout"])
    parts = tuple(_load_part(part, layout) for part in state["parts"])
    readout = _tensor(state["readout"])
    return Density(parts, tuple(state["weights"]), readout), layout


def upgrade_density(state, beta):
    """Return the state of a file that was written before densities had parts.

    Parameters
    ----------
    state : dict
        Its `_parameters`.
    beta : float
        The estimator's: with 1 a linear network of numeric columns was a closed form.

    Returns
    -------
    dict
    """
    old_density_rule(state, "_parameters")
    coder = {"linear": state["linear"]}
    layout = numeric_layout(len(coder["linear"]["decoder_bias"]))
    if state["blocks"]:
        layout = _layout_of_old(**state["blocks"])
    is_linear = not state["architecture"]["hidden_layer_sizes"] and layout.is_numeric
    is_exact = state["filler"] is None and state["informed"] is None
    if is_linear and is_exact and beta == 1:
        coder = {"linear": _linear_of_old(state)}
    else:
        names = "architecture", "flat", "filler", "x_range", "z_range"
        coder |= {name: state[name] for name in names}
        ones = np.ones(len(state["linear"]["log_var"]))
        coder["typical_share"] = (
            ones if state["informed"] is None else state["informed"]
        )
        coder["posterior_scale"] = state["widening"]
    noise = {"variance": state["noise_variance"]}
    noise["dispersion"] = state["dispersion"] or ()
    first = {"coder": coder, "noise": noise, "prior": state["prior"] or ()}
    fallback, weight = state["fallback"], state["network_weight"]
    variance = fallback["noise_variance"][: layout.n_numeric]
    second = {
        "coder": {"linear": fallback},
        "noise": {"variance": variance, "dispersion": ()},
        "prior": (),
    }
    return {
        "layout": [asdict(block) for block in layout.blocks],
        "parts": [first, second],
        "weights": [weight, 1 - weight],
        "readout": state["readout"],
    }


def _linear_of_old(state):
    """Return the linear VAE that a network without hidden layers was."""
    network = VAE(Architecture(**state["architecture"]), _tensor(state["flat"]))
    parts = {name: part.numpy() for name, part in network.parts.items()}
    mean, log_var = np.split(parts["encoder_linear_bias"], 2)
    decoder, bias = parts["decoder_linear_weight"], parts["decoder_linear_bias"]
    return {
        "encoder": parts["encoder_linear_weight"],
        "encoder_bias": mean,
        "log_var": log_var,
        "decoder": decoder,
        "decoder_bias": bias,
        "noise_variance": state["linear"]["noise_variance"],
    }


def _layout_of_old(n_levels, shares):
    """Return the layout of columns of so many categories, 0 for numeric ones."""
    numeric, binary = (np.flatnonzero(n_levels == n) for n in (0, 2))
    other = np.flatnonzero((n_levels == 1) | (n_levels > 2))
    of_binary, of_other = np.split(shares, [len(binary)])
    ones = np.ones(len(binary), dtype=np.int64)
    blocks = [
        numeric_block(numeric),
        Block("bernoulli", binary, ones, of_binary, np.full(len(binary), 0.5**0.5)),
        Block("categorical", other, n_levels[other], of_other, np.ones(len(of_other))),
    ]
    return Layout(tuple(block for block in blocks if len(block.columns)))


def _dump_part(part):
    likelihood = part.likelihood
    return {
        "coder": _dump_coder(part.coder),
        "noise": {
            "variance": _array(likelihood.variance),
            "dispersion": likelihood.dispersion.arguments(),
        },
        "prior": part.prior.arguments(),
        "margins": part.margins.arguments(),
    }


def _dump_coder(coder):
    if isinstance(coder, MapCoder):
        return _dump_map(coder)
    state = {"linear": _dump_linear(coder.linear)}
    if isinstance(coder, LinearCoder):
        return state
    if coder.filler is not coder.linear:
        state["filler"] = _dump_linear(coder.filler)
    return state | {
        "architecture": asdict(coder.network.architecture),
        "flat": _array(coder.network.flat.float()),
        "x_range": _array(coder.x_range),
        "z_range": _array(coder.z_range),
        "typical_share": _array(coder.typical_share),
        "posterior_scale": coder.posterior_scale,
    }


def _load_part(state, layout):
    coder, noise = _load_coder(state["coder"], layout), state["noise"]
    variance = _tensor(noise["variance"])
    likelihood = make_likelihood(layout, variance)
    if noise["dispersion"]:
        coefficients, ridge = noise["dispersion"]
        dispersion = Dispersion(_tensor(coefficients), ridge)
        likelihood = likelihood.with_noise(variance, dispersion)
    prior: StandardNormal | NormalMixture
    prior = StandardNormal(coder.n_components)
    if state["prior"]:
        prior = NormalMixture(*map(_tensor, state["prior"]))
    margins: OwnScores | Margins = OWN
    if state.get("margins"):  # older files have none
        margins = Margins(*map(_tensor, state["margins"]))
    return Part(coder, likelihood, prior, margins)


def _dump_map(coder):
    look_up, features = coder.look_up, coder.decoder.features
    return {
        "filler": _dump_linear(coder.filler),
        "reference": _array(look_up.reference.float()),
        "positions": _array(look_up.positions),
        "scale": look_up.scale,
        "layers": [[_array(of.float()) for of in layer] for layer in features.layers],
        "activation": features.activation,
        "decoder": _array(coder.decoder.weights),
        "z_range": _array(coder.z_range),
        "information": _array(coder.information),
        "posterior_scale": coder.posterior_scale,
    }


def _load_map(state, layout):
    layers = tuple((_tensor(weight), _tensor(bias)) for weight, bias in state["layers"])
    features = Features(layers, state["activation"])
    reference, positions = _tensor(state["reference"]), _tensor(state["positions"])
    return MapCoder(
        look_up=LookUp(reference, positions, state["scale"]),
        decoder=MapDecoder(features, _tensor(state["decoder"])),
        filler=_load_linear(state["filler"]),
        z_range=_tensor(state["z_range"]),
        information=_tensor(state["information"]),
        n_numeric=layout.n_numeric,
        posterior_scale=state["posterior_scale"],
    )


def _load_coder(state, layout):
    if "reference" in state:
        return _load_map(state, layout)
    linear = _load_linear(state["linear"])
    if "flat" not in state:
        return LinearCoder(linear)
    filler = state.get("filler")
    architecture = Architecture(**state["architecture"])
    return Coder(
        network=VAE(architecture, _tensor(state["flat"])),
        linear=linear,
        filler=_load_linear(filler) if filler else linear,
        x_range=_tensor(state["x_range"]),
        z_range=_tensor(state["z_range"]),
        typical_share=_tensor(state["typical_share"]),
        posterior_scale=state["posterior_scale"],
    )


def _dump_linear(linear):
    return {name: _array(value) for name, value in vars(linear).items()}


def _load_linear(state):
    """Return a linear VAE; older files have its output map where it differs, `link`."""
    state = dict(state)
    link = state.pop("link", None)
    if "output_map" not in state:
        own = np.vstack([state["decoder_bias"], state["decoder"]])
        state["output_map"] = own if link is None else link
    return LinearVAE(**{name: _tensor(value) for name, value in state.items()})


def _array(tensor):
    """Return an array whose bytes do not depend on how the tensor came to be."""
    return np.ascontiguousarray(tensor.numpy())


def _tensor(array):
    """Copy to double precision, in the order in which the entries lie in memory.

    Last digits depend on it; but torch knows no strides below 0, which numpy resolves.
    """
    plain = np.array(array)
    return torch.tensor(plain, dtype=torch.float64, device="cpu")
