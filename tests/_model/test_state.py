"""A density as plain data and back, and the states that older files have."""

import pickle

import numpy as np
import pytest
import torch
from models import mixed_rows, network_of, normal, old_state

from skvae._fitting.logits import with_logits
from skvae._layout import numeric_layout
from skvae._likelihoods.dispersion import Dispersion
from skvae._likelihoods.mixed import make_likelihood
from skvae._linear.anchor import fit_linear_vae
from skvae._model.coder import Coder
from skvae._model.density import Density
from skvae._model.network import VAE
from skvae._model.parts import Part, linear_part
from skvae._model.prior import NormalMixture, StandardNormal
from skvae._model.rows import Rows
from skvae._model.state import dump_density, load_density, upgrade_density
from skvae._model.state_rules import density_rule

K = 2
TABLES = ["numeric", "mixed"]
OPTIONS = "prior", "dispersion", "filler", "typical_share"
each_table = pytest.mark.parametrize("of", TABLES)
each_option = pytest.mark.parametrize(
    "options", [(), *((o,) for o in OPTIONS), OPTIONS]
)


def rows_of(of):
    """Return a layout and rows of a table."""
    if of == "mixed":
        return mixed_rows()
    return numeric_layout(5), normal(60, 5) @ normal(5, 5, seed=1)


def fit_linear(x, layout, noise="spherical"):
    if layout.is_numeric:
        return fit_linear_vae(x, K, noise, 1e-3)
    return with_logits(fit_linear_vae(x, K, noise, 1e-3, 3), x, layout)


def make_density(of, options=()):
    """Return a density that has some of what is not in each, and its layout."""
    layout, x = rows_of(of)
    linear, fallback = fit_linear(x, layout), fit_linear(x[:40], layout)
    network = network_of(linear)
    network = VAE(network.architecture, network.flat.float().double())
    coder = Coder(
        network,
        linear,
        fit_linear(x, layout, "diag") if "filler" in options else linear,
        torch.stack([x.amin(dim=0), x.amax(dim=0)]),
        torch.tensor([[-2.0, -3.0], [2.0, 1.0]]).double(),
        typical_share=torch.tensor([0.8, 0.9]).double()
        if "typical_share" in options
        else torch.ones(2).double(),
        posterior_scale=1.5,
    )
    variance = torch.linspace(0.2, 0.5, layout.n_numeric).double()
    likelihood = make_likelihood(layout, variance)
    if "dispersion" in options:
        coefficients = 0.3 * normal(2 * K + 1, layout.n_numeric, seed=5)
        likelihood = likelihood.with_noise(variance, Dispersion(coefficients, 30.0))
    prior = StandardNormal(K)
    if "prior" in options:
        eye = torch.eye(K).double()
        arguments = torch.tensor([0.4, 0.6]).double(), normal(2, K), eye.expand(2, K, K)
        prior = NormalMixture(*arguments)
    parts = Part(coder, likelihood, prior), linear_part(fallback, layout)
    readout = normal(K + 1, layout.n_columns, seed=7)
    return Density(parts, (0.75, 0.25), readout), layout


def verbs(density, x):
    """All that a density says, of complete rows and of others."""
    incomplete = x.clone()
    incomplete[::2, 0] = torch.nan
    return {
        "density": density.log_density(Rows(x, x), 64),
        "incomplete": density.log_density(Rows(incomplete, incomplete), 64),
        "encode": torch.cat(density.encode(x)),
        "encode incomplete": torch.cat(density.encode(incomplete)),
        "reconstruct": density.reconstruct(normal(9, K)),
        "sample": density.sample(50, torch.Generator().manual_seed(0)),
    }


def assert_says_the_same(found, expected, x):
    expected = verbs(expected, x)
    for name, value in verbs(found, x).items():
        assert torch.equal(value, expected[name]), name


def assert_same_layout(found, expected):
    assert len(found.blocks) == len(expected.blocks)
    for block, oracle in zip(found.blocks, expected.blocks, strict=True):
        assert block.kind == oracle.kind
        for name in ("columns", "sizes", "center", "spread"):
            np.testing.assert_allclose(getattr(block, name), getattr(oracle, name))


def leaves(state):
    if isinstance(state, dict):
        state = list(state.values())
    if isinstance(state, list | tuple):
        return [leaf for value in state for leaf in leaves(value)]
    return [state]


@each_table
@each_option
def test_a_density_survives_plain_data(of, options):
    density, layout = make_density(of, options)
    state = dump_density(density, layout)
    density_rule(state, "density")  # or no file of it would load
    plain = np.ndarray, str, int, float, bool, type(None)
    assert {type(leaf) for leaf in leaves(state)} <= set(plain)
    again, same_layout = load_density(state)
    assert_says_the_same(again, density, rows_of(of)[1])
    assert_same_layout(same_layout, layout)


def test_what_is_loaded_shares_no_memory_with_the_data():
    density, layout = make_density("numeric")
    state = pickle.loads(pickle.dumps(dump_density(density, layout)))
    again, _ = load_density(state)
    for leaf in [*leaves(state["parts"]), state["readout"]]:
        if isinstance(leaf, np.ndarray):
            leaf.fill(np.nan)
    assert_says_the_same(again, density, rows_of("numeric")[1])


def test_weights_take_four_bytes_each():
    density, layout = make_density("numeric")
    network = dump_density(density, layout)["parts"][0]["coder"]
    assert network["flat"].dtype == np.float32


# ------------------------------------------------------------------------- older files


@each_table
@each_option
def test_an_older_state_is_of_the_same_density(of, options):
    density, layout = make_density(of, options)
    again, same_layout = load_density(upgrade_density(old_state(density, layout), 1.0))
    assert_says_the_same(again, density, rows_of(of)[1])
    assert_same_layout(same_layout, layout)


def test_an_older_state_of_a_mixed_table_is_as_it_was_written():
    """Two rows of a number, two colours and three sizes, spelled out."""
    linear = {
        "encoder": np.array([[0.5], [0.25], [0.0], [0.0], [-0.25]]),
        "encoder_bias": np.array([0.1]),
        "log_var": np.array([-1.0]),
        "decoder": np.array([[0.8, 0.4, 0.0, 0.1, -0.1]]),
        "decoder_bias": np.array([0.1, 0.0, 0.0, 0.0, 0.0]),
        "noise_variance": np.array([0.3, 0.2, 0.2, 0.2, 0.2]),
        "link": np.array([[0.1, -1.0, 0.5, 0.3, -0.8], [0.8, 2.0, 0.0, 1.0, -1.0]]),
    }
    flat = np.concatenate(
        [
            linear["encoder"].ravel(),
            linear["encoder_bias"],
            linear["log_var"],
            linear["link"][1],
            linear["link"][0],
        ]
    )
    state = {
        "architecture": {
            "n_features": 5,
            "n_components": 1,
            "hidden_layer_sizes": (),
            "activation": "silu",
        },
        "flat": flat.astype(np.float32),
        "noise_variance": np.array([0.3]),
        "linear": linear,
        "fallback": linear,
        "network_weight": 0.6,
        "x_range": np.array([[-np.inf], [np.inf]]).repeat(5, axis=1),
        "z_range": np.array([[-np.inf], [np.inf]]),
        "readout": np.zeros((2, 5)),
        "prior": None,
        "dispersion": None,
        "informed": None,
        "widening": 1.0,
        "filler": None,
        # sizes stand first in the table, then the number, then the colours
        "blocks": {
            "n_levels": np.array([3, 0, 2]),
            "shares": np.array([0.25, 0.5, 0.3, 0.2]),
        },
    }
    density, layout = load_density(upgrade_density(state, 1.0))
    assert [block.kind for block in layout.blocks] == [
        "gaussian",
        "bernoulli",
        "categorical",
    ]
    assert [list(block.columns) for block in layout.blocks] == [[1], [2], [0]]
    np.testing.assert_allclose(layout.blocks[1].center, [0.25])
    np.testing.assert_allclose(layout.blocks[2].center, [0.5, 0.3, 0.2])
    number, blue, size = 0.7, 1, 2
    indicators = np.array([blue - 0.25, *(np.eye(3)[size] - [0.5, 0.3, 0.2])])
    indicators[0] /= 0.5**0.5
    x = torch.from_numpy(np.r_[number, indicators])[None]
    z = np.linspace(-8, 8, 4001)
    bias, weight = linear["link"]
    mean, binary, *sizes = bias[:, None] + weight[:, None] * z
    log_p = -0.5 * ((number - mean) ** 2 / 0.3 + np.log(2 * np.pi * 0.3))
    log_p += binary - np.log1p(np.exp(binary))
    log_p += sizes[size] - np.log(np.exp(sizes).sum(axis=0))
    log_p += -0.5 * (z**2 + np.log(2 * np.pi))
    exact = np.log(np.exp(log_p).sum() * (z[1] - z[0]))
    found = density.log_density(Rows(x, x), 512)
    assert float(found) == pytest.approx(exact, abs=0.02)


def test_an_older_state_of_numeric_columns_has_no_blocks():
    density, layout = make_density("numeric")
    state = old_state(density, layout)
    assert state["blocks"] is None
    assert state["linear"]["link"] is None
    _, found = load_density(upgrade_density(state, 1.0))
    assert found.is_numeric
    assert found.n_columns == 5


def test_an_even_older_linear_vae_knows_no_link():
    density, layout = make_density("numeric")
    state = old_state(density, layout)
    del state["linear"]["link"], state["fallback"]["link"]
    again, _ = load_density(upgrade_density(state, 1.0))
    assert_says_the_same(again, density, rows_of("numeric")[1])


@each_table
def test_upgrading_leaves_the_old_state_alone(of):
    state = old_state(*make_density(of, OPTIONS))
    before = replace_arrays(state)
    load_density(upgrade_density(state, 1.0))
    assert replace_arrays(state) == before


def replace_arrays(state):
    """Return a state that can be compared."""
    if isinstance(state, dict):
        return {key: replace_arrays(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [replace_arrays(value) for value in state]
    return state.tolist() if isinstance(state, np.ndarray) else state


KNOTS = np.array([-1.0, 0.0, 1.0])
QUANTILES = np.array([[-2.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
HOSTILE_MARGINS = {
    "a knot less": (KNOTS[1:], QUANTILES, "must be of as many quantiles as knots"),
    "one knot": (KNOTS[:1], QUANTILES[:1], "must be of as many quantiles as knots"),
    "falling knots": (KNOTS[::-1].copy(), QUANTILES, r"\[0\] must be increasing"),
    "equal knots": (np.zeros(3), QUANTILES, r"\[0\] must be increasing"),
    "falling quantiles": (KNOTS, -QUANTILES, r"\[1\] must be increasing"),
    "one that falls": (KNOTS, QUANTILES * [1, -1], r"\[1\] must be increasing"),
    "equal quantiles": (KNOTS, QUANTILES * [1, 0], r"\[1\] must be increasing"),
    "too steep": (KNOTS * 1e-99, QUANTILES * 1e99, r"\[1\] must be increasing, by"),
    "too flat": (KNOTS * 1e99, QUANTILES * 1e-99, r"\[1\] must be increasing, by"),
    "NaN": (KNOTS, QUANTILES * np.nan, r"\[1\] must be an array"),
    "a column less": (KNOTS, QUANTILES[:, :1], r"\[1\] must be an array"),
    "an array more": (KNOTS, QUANTILES, KNOTS, "must be a list of 2 to 2"),
}


@pytest.mark.parametrize("margins", HOSTILE_MARGINS.values(), ids=HOSTILE_MARGINS)
def test_the_map_between_two_scales_can_be_inverted(margins):
    layout, x = numeric_layout(2), normal(60, 2)
    part = linear_part(fit_linear(x, layout), layout)
    density = Density((part,), (1.0,), normal(K + 1, 2))
    state = dump_density(density, layout)
    state["parts"][0]["margins"] = KNOTS, QUANTILES
    density_rule(state, "density")
    *arrays, message = margins
    state["parts"][0]["margins"] = tuple(arrays)
    with pytest.raises(
        ValueError, match=rf"density.parts\[0\].margins{message}|{message}"
    ):
        density_rule(state, "density")


@each_table
def test_arrays_may_lie_in_memory_in_any_order(of):
    density, layout = make_density(of, OPTIONS)

    def reversed_twice(value):
        if isinstance(value, dict):
            return {key: reversed_twice(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [reversed_twice(one) for one in value]
        is_array = isinstance(value, np.ndarray)
        return np.flip(np.flip(value).copy()) if is_array else value

    state = dump_density(density, layout)
    state |= {"parts": reversed_twice(state["parts"])}
    density_rule(state, "density")
    assert_says_the_same(load_density(state)[0], density, rows_of(of)[1])
