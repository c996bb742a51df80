"""Models of the internals, built by hand, which several test files look into."""

import numpy as np
import torch
from scipy.stats import multivariate_normal

from skvae._likelihoods.gaussian import Gaussian
from skvae._likelihoods.noise import Tracked
from skvae._linear.anchor import fit_linear_vae
from skvae._model.bounds import elbo
from skvae._model.coder import Coder
from skvae._model.network import VAE, Architecture, initial_parameters, set_linear_part
from skvae._model.state import dump_density
from skvae._table.indicators import fit_layout
from skvae._table.scaling import fit_scaling, make_numeric, make_scaling


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0, dtype=torch.float64):
    """Standard normal draws, the same each time."""
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def linear_density(linear):
    """Return scipy's distribution of the rows that a linear VAE draws."""
    covariance = linear.decoder.T @ linear.decoder + torch.diag(linear.noise_variance)
    return multivariate_normal(linear.decoder_bias, covariance)


def network_of(linear, hidden=(6,), spoilt=0.3, activation="silu"):
    """Return a network in double precision that has left its linear VAE."""
    d, k = linear.encoder.shape
    architecture = Architecture(d, k, hidden, activation)
    flat = initial_parameters(architecture, linear, seeded()).double()
    set_linear_part(architecture, flat, linear)  # without rounding
    return VAE(architecture, flat + spoilt * normal(len(flat), seed=1))


def make_coder(linear, hidden=(6,), spoilt=0.3):
    """Return the coder of a network that has left its linear VAE."""
    d, k = linear.encoder.shape
    everywhere = torch.tensor([[-torch.inf], [torch.inf]]).double()
    ranges = everywhere.expand(2, d), everywhere.expand(2, k)
    network = network_of(linear, hidden, spoilt)
    return Coder(network, linear, linear, *ranges, torch.ones(k).double())


def linear_model(x, k, noise, hidden=()):
    """Return the exact linear VAE of x as a network, its likelihood and log p(x)."""
    linear = fit_linear_vae(x, k, noise, 1e-6)
    vae = network_of(linear, hidden, spoilt=0.0)
    return vae, Gaussian(linear.noise_variance), linear_density(linear).logpdf(x)


def mean_elbo(vae, likelihood, x, beta=1.0):
    """Average over draws, exactly: the ELBO of a linear decoder is quadratic in them.

    Such a mean is that over the 2 k points at +-sqrt(k) on the axes.
    """
    k = vae.architecture.n_components
    points = np.sqrt(k) * torch.cat([torch.eye(k), -torch.eye(k)]).double()
    bounds = [
        elbo(vae, likelihood, x, point.expand(len(x), k), beta)[0] for point in points
    ]
    return torch.stack(bounds).mean(dim=0)


def tracked(variance, *, shared=False, floor=0.0, within=0.0, share=None):
    """Return a Gaussian likelihood whose noise follows the errors."""
    variance, incomplete = variance.clone(), share is not None
    return Tracked(
        Gaussian(variance, incomplete=incomplete),
        floor=torch.full_like(variance, floor),
        shared=shared,
        within=torch.full_like(variance, within),
        share=share if incomplete else torch.ones_like(variance),
    )


def mixed_rows(n=60, missing=0.0, seed=0):
    """Return a table's layout and its rows on the network's scale, (n, 12).

    Two numeric columns, two of two categories, and one each of three, one and four.
    """
    rng = np.random.default_rng(seed)
    n_categories = np.array([0, 3, 2, 0, 1, 2, 4])
    t = rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, 7))
    X = np.floor((t + 2) / 4 * np.maximum(n_categories, 1))
    X = np.clip(X, 0, np.maximum(n_categories - 1, 0))
    X[:, n_categories == 0] = t[:, n_categories == 0]
    X[rng.random(X.shape) < missing] = np.nan
    kinds = np.where(n_categories == 2, "bernoulli", "categorical")
    kinds = np.where(n_categories == 0, "gaussian", kinds)
    layout = fit_layout(X, kinds, n_categories)
    numeric = make_numeric(*fit_scaling(X, "standard", layout), layout)
    scaling = make_scaling(numeric, layout)
    return layout, torch.from_numpy(scaling.forward(X))


def _old_linear(state, keeps_link):
    """A linear VAE had its logits, where they differ from its means, in `link`."""
    state = dict(state)
    link = state.pop("output_map")
    return state | {"link": link if keeps_link else None}


def old_state(density, layout):
    """Return the state that a mixture of two had before densities had parts."""
    state = dump_density(density, layout)
    first, second = state["parts"]
    network, noise = first["coder"], first["noise"]
    keeps_link = not layout.is_numeric
    filler = network.get("filler")
    return {
        "architecture": network["architecture"],
        "flat": network["flat"],
        "noise_variance": noise["variance"],
        "linear": _old_linear(network["linear"], keeps_link),
        "fallback": _old_linear(second["coder"]["linear"], keeps_link),
        "network_weight": state["weights"][0],
        "x_range": network["x_range"],
        "z_range": network["z_range"],
        "readout": state["readout"],
        "prior": first["prior"] or None,
        "dispersion": noise["dispersion"] or None,
        "informed": _unless_all_are_1(network["typical_share"]),
        "widening": network["posterior_scale"],
        "filler": filler and _old_linear(filler, keeps_link),
        "blocks": _old_blocks(layout),
    }


def _unless_all_are_1(share):
    """Complete rows had no share."""
    return None if (share == 1).all() else share


def _old_blocks(layout):
    """Return how many categories the table's columns have, and the shares of those.

    Of two categories the second's only; in the order of the blocks.
    """
    if layout.is_numeric:
        return None
    n_categories = np.zeros(
        sum(len(block.columns) for block in layout.blocks), dtype=int
    )
    others = [block for block in layout.blocks if block.kind != "gaussian"]
    for block in others:
        n_categories[block.columns] = 2 if block.kind == "bernoulli" else block.sizes
    shares = [block.center for block in others]
    return {"n_levels": n_categories, "shares": np.concatenate(shares)}
