"""The network: exactly the linear VAE at first, one flat vector, exact symmetries."""

import numpy as np
import pytest
import torch
from torch.nn.functional import linear as torch_linear

from skvae._likelihoods.gaussian import Gaussian
from skvae._linear.vae import LinearVAE
from skvae._model import network as network_module
from skvae._model.bounds import elbo
from skvae._model.network import (
    ACTIVATIONS,
    FEW_COMPONENTS,
    FEW_GAIN,
    MAX_LOG_VAR,
    MLP_RANGE,
    VAE,
    Architecture,
    initial_parameters,
    set_linear_part,
)

DEPTHS = {0: (), 1: (7,), 2: (7, 5), 3: (7, 5, 6)}
TORCH_MODULES = {
    "elu": torch.nn.ELU,
    "gelu": torch.nn.GELU,
    "relu": torch.nn.ReLU,
    "silu": torch.nn.SiLU,
    "tanh": torch.nn.Tanh,
}
each_activation = pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
each_depth = pytest.mark.parametrize("depth", DEPTHS)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def build(depth=2, activation="silu", d=4, k=3):
    return Architecture(d, k, DEPTHS[depth], activation)


def random_linear(d=4, k=3):
    """Draw a linear VAE whose numbers float32 holds exactly."""
    rng = np.random.default_rng(0)
    shapes = (d, k), (k,), (k,), (k, d), (d,), (d,)
    drawn = [rng.normal(size=s).astype(np.float32).astype(float) for s in shapes]
    encoder, encoder_bias, log_var, *decoder, noise = map(torch.from_numpy, drawn)
    output_map = torch.from_numpy(rng.normal(size=(k + 1, d))).float().double()
    return LinearVAE(encoder, encoder_bias, log_var, *decoder, noise, output_map)


def random_network(architecture, seed=0):
    """All parameters non-zero, in float64, most posteriors narrower than the prior."""
    flat = torch.randn(architecture.n_parameters, generator=seeded(seed)).double() / 2
    log_var_bias(architecture, flat).sub_(5)
    return VAE(architecture, flat)


def log_var_bias(architecture, flat):
    return architecture.views(flat)["encoder_linear_bias"][architecture.n_components :]


def rows(n, width, seed=1):
    return torch.randn(n, width, generator=seeded(seed), dtype=torch.float64)


def assert_close(found, expected, atol=1e-12):
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-10, atol=atol)


# --------------------------------------------------------------- what it computes


@each_activation
@each_depth
def test_starts_as_the_linear_vae(depth, activation):
    architecture, linear = build(depth, activation), random_linear()
    flat = initial_parameters(architecture, linear, seeded())
    vae = VAE(architecture, flat.double())
    x, z = rows(20, 4), rows(20, 3)
    mean, log_var = vae.encode(x)
    assert_close(mean, x @ linear.encoder + linear.encoder_bias)
    assert_close(log_var, np.broadcast_to(linear.log_var, (20, 3)))
    bias, *weights = linear.output_map  # not that of its means: they are logits, too
    assert_close(vae.decode(z), z @ torch.stack(weights) + bias)


@each_activation
@each_depth
def test_slopes_are_those_of_autograd(depth, activation):
    vae, z = random_network(build(depth, activation)), 4 * rows(9, 3)
    decoded, slopes = vae.with_slopes(z)
    assert_close(decoded, vae.decode(z))
    jacobian = torch.autograd.functional.jacobian(lambda z: vae.decode(z).sum(dim=0), z)
    assert_close(slopes, jacobian.permute(1, 2, 0))  # (d, n, k), as rows are apart


@each_activation
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_mlps_are_those_of_torch(depth, activation, monkeypatch):
    monkeypatch.setattr(network_module, "MLP_RANGE", 1e9)
    vae = random_network(build(depth, activation))
    p = vae.parts

    def mlp(name, h):
        for i in range(depth + 1):
            bias = p[f"{name}_{i}_bias"] if i < depth else None
            h = torch_linear(h, p[f"{name}_{i}_weight"].T, bias)
            h = TORCH_MODULES[activation]()(h) if i < depth else h
        return h

    x, z = rows(20, 4), rows(20, 3)
    both = mlp("encoder", x) + p["encoder_linear_bias"]
    mean, log_var = vae.encode(x)
    straight = torch_linear(x, p["encoder_linear_weight"].T)
    assert_close(mean, (straight + both[:, :3]))
    assert_close(log_var, both[:, 3:].clamp(max=MAX_LOG_VAR))
    straight = torch_linear(z, p["decoder_linear_weight"].T, p["decoder_linear_bias"])
    bent = mlp("decoder", z)
    assert_close(vae.decode(z), (straight + bent))


def test_the_mlps_see_far_rows_nearer(monkeypatch):
    vae, x, z = random_network(build()), 20 * rows(20, 4), 20 * rows(20, 3)
    A, B = vae.parts["encoder_linear_weight"], vae.parts["decoder_linear_weight"]
    seen_x, seen_z = (t / (1 + (t / MLP_RANGE) ** 2) ** 0.25 for t in (x, z))
    (mean, log_var), decoded = vae.encode(x), vae.decode(z)
    monkeypatch.setattr(network_module, "MLP_RANGE", 1e9)  # the MLPs see all as it is
    at_seen, log_var_at_seen = vae.encode(seen_x)
    assert_close(mean - at_seen, ((x - seen_x) @ A), atol=1e-6)
    assert_close(log_var, log_var_at_seen, atol=1e-6)
    step = (z - seen_z) @ B
    assert_close(decoded - vae.decode(seen_z), step, atol=1e-6)


def test_an_outlier_moves_along_the_linear_part():
    vae = random_network(build(activation="silu"))
    A, B = vae.parts["encoder_linear_weight"], vae.parts["decoder_linear_weight"]
    far = 1e6 * MLP_RANGE
    x, z = far * rows(20, 4), far * rows(20, 3)
    for bent, straight in [(vae.encode(x)[0], x @ A), (vae.decode(z), z @ B)]:
        np.testing.assert_allclose((bent / far), (straight / far), atol=0.01)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_no_posterior_is_much_wider_than_the_prior(depth):
    architecture = build(depth)
    vae = random_network(architecture)
    x, offset = rows(50, 4), log_var_bias(architecture, vae.flat)
    offset.sub_(20)
    narrow = vae.encode(x)[1].clone()
    offset.add_(24)
    assert_close(vae.encode(x)[1], (narrow + 24).clamp(max=MAX_LOG_VAR))
    offset.add_(1e3)
    assert (vae.encode(x)[1] == MAX_LOG_VAR).all()


def test_the_mlp_sees_an_ordinary_move():
    vae = random_network(build(activation="elu"))
    A = vae.parts["encoder_linear_weight"]
    near = torch.full((1, 4), 2.0, dtype=torch.float64)
    farther = near + 1.0
    moved = vae.encode(farther)[0] - vae.encode(near)[0]
    assert (moved - (farther - near) @ A).abs().max() > 0.1


# --------------------------------------------------------------- one flat vector


@each_depth
def test_layout_covers_the_vector_without_gaps(depth):
    architecture = build(depth)
    flat = torch.arange(architecture.n_parameters)
    views = architecture.views(flat)
    assert {name: tuple(v.shape) for name, v in views.items()} == architecture.shapes
    assert torch.equal(torch.cat([v.flatten() for v in views.values()]), flat)


@each_depth
def test_the_decayed_come_first_and_are_the_mlps_matrices(depth):
    architecture = build(depth)
    views = architecture.views(torch.arange(architecture.n_parameters))
    decayed = {n for n, v in views.items() if (v < architecture.n_decayed).all()}
    kept = {n for n, v in views.items() if (v >= architecture.n_decayed).all()}
    matrices = {
        f"{mlp}_{i}_weight"
        for mlp in ("encoder", "decoder")
        for i in range(architecture.n_layers)
    }
    assert decayed == matrices
    assert kept == set(views) - matrices


def test_writing_to_the_vector_moves_the_network_and_back():
    architecture = build()
    vae = random_network(architecture)
    twin = random_network(architecture, seed=5)
    x = rows(5, 4)
    vae.flat.copy_(twin.flat)
    assert torch.equal(vae.encode(x)[0], twin.encode(x)[0])
    assert torch.equal(vae.decode(x[:, :3]), twin.decode(x[:, :3]))
    for name, part in vae.parts.items():
        part.fill_(3.0)
        assert (architecture.views(vae.flat)[name] == 3).all()
    assert (vae.flat == 3).all()


def test_a_copy_moves_by_itself():
    vae = random_network(build())
    x, before = rows(5, 4), vae.flat.clone()
    copied, encoded = vae.copy(), vae.encode(x)[0]
    assert copied.architecture is vae.architecture
    assert torch.equal(copied.encode(x)[0], encoded)
    copied.flat.fill_(3.0)
    assert torch.equal(vae.flat, before)
    assert torch.equal(vae.encode(x)[0], encoded)
    other = vae.with_flat(copied.flat)
    copied.flat.fill_(2.0)
    assert (other.parts["decoder_0_weight"] == 2).all()  # it is what it was given


def test_in_another_precision_it_is_the_same_network():
    double = random_network(build())
    single = double.to(torch.float32)
    x = rows(5, 4)
    assert (double.dtype, single.dtype) == (torch.float64, torch.float32)
    assert double.to(torch.float64) is double
    np.testing.assert_allclose(single.encode(x.float())[0], double.encode(x)[0], 1e-3)


def test_set_linear_part_leaves_the_mlps_alone():
    architecture, linear = build(), random_linear()
    flat = random_network(architecture).flat
    before = {n: v.clone() for n, v in architecture.views(flat).items()}
    set_linear_part(architecture, flat, linear)
    after = architecture.views(flat)
    for name in before:
        if "linear" not in name:
            assert torch.equal(after[name], before[name])
    assert_close(after["encoder_linear_bias"][:3], linear.encoder_bias)
    assert_close(after["encoder_linear_bias"][3:], linear.log_var)
    assert_close(after["encoder_linear_weight"], linear.encoder)
    assert_close(after["decoder_linear_bias"], linear.output_map[0])
    assert_close(after["decoder_linear_weight"], linear.output_map[1:])


# ------------------------------------------------------------------- symmetries


@each_depth
@pytest.mark.parametrize("order", [[0, 1, 2], [1, 2, 0], [2, 1, 0]])
@pytest.mark.parametrize("signs", [[1, 1, 1], [-1, 1, -1]])
def test_permuting_components_is_exact(depth, order, signs):
    architecture = build(depth)
    vae = random_network(architecture)
    x, z = rows(20, 4), 4 * rows(20, 3)
    mean, log_var = (t.clone() for t in vae.encode(x))
    decoded = vae.decode(z)
    signs = torch.tensor(signs, dtype=torch.float64)
    before, permuted = vae.flat.clone(), vae.permuted(torch.tensor(order), signs)
    assert torch.equal(vae.flat, before)
    new_mean, new_log_var = permuted.encode(x)
    assert_close(new_mean, mean[:, order] * signs)
    assert_close(new_log_var, log_var[:, order])
    assert_close(permuted.decode(z[:, order] * signs), decoded)


# -------------------------------------------------------------------- gradients


def negative_elbo(vae, x, noise, beta):
    variance = torch.tensor([0.5, 1.0, 2.0, 0.7], dtype=torch.float64)
    return -elbo(vae, Gaussian(variance), x, noise, beta)[0].mean()


def gradient_of(vae, x, noise, beta):
    """By autograd, of the flat vector: (n_parameters,)."""
    flat = vae.flat.clone().requires_grad_()
    loss = negative_elbo(vae.with_flat(flat), x, noise, beta)
    return torch.autograd.grad(loss, flat)[0]


@each_activation
@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.parametrize("beta", [0, 0.5, 1])
def test_gradient_of_the_elbo_is_that_of_finite_differences(depth, activation, beta):
    architecture = build(depth, activation)
    vae = random_network(architecture)
    x, noise = rows(3, 4), rows(3, 3, seed=2)
    gradient = gradient_of(vae, x, noise, beta)
    step, numerical = 1e-6, torch.empty_like(gradient)
    for i in range(len(gradient)):
        here = float(vae.flat[i])
        vae.flat[i] = here + step
        above = negative_elbo(vae, x, noise, beta)
        vae.flat[i] = here - step
        below = negative_elbo(vae, x, noise, beta)
        vae.flat[i] = here
        numerical[i] = (above - below) / (2 * step)
    scale = float(gradient.abs().max())
    assert_close(gradient / scale, numerical / scale, atol=1e-7)


@each_activation
@each_depth
def test_every_parameter_gets_a_gradient(depth, activation):
    vae = random_network(build(depth, activation))
    gradient = gradient_of(vae, rows(30, 4), rows(30, 3, seed=2), 1.0)
    for name, of_part in vae.architecture.views(gradient).items():
        assert of_part.abs().max() > 0, name


# -------------------------------------------------------------------- randomness


def test_the_generator_is_the_only_randomness():
    architecture, linear = build(), random_linear()
    state = torch.get_rng_state()
    first = initial_parameters(architecture, linear, seeded(1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(initial_parameters(architecture, linear, seeded(1)), first)
    assert not torch.equal(initial_parameters(architecture, linear, seeded(2)), first)


@pytest.mark.parametrize("n_components", [1, 2, 3, 4, 9])
def test_few_components_meet_steeper_weights(n_components):
    architecture = Architecture(50, n_components, (200, 2_000), "silu")
    linear = random_linear(50, n_components)
    views = architecture.views(initial_parameters(architecture, linear, seeded()))
    z = torch.randn(2_000, n_components, generator=seeded())
    spread = (z @ views["decoder_0_weight"]).square().mean() ** 0.5
    steep = n_components <= FEW_COMPONENTS
    assert float(spread) == pytest.approx(FEW_GAIN if steep else 1.0, rel=0.05)


def test_hidden_layers_are_uniform_in_proportion_to_their_fan_in():
    architecture = Architecture(50, 20, (200, 100), "silu")
    flat = initial_parameters(architecture, random_linear(50, 20), seeded())
    views = architecture.views(flat)
    gains = []
    for name in ("encoder_0", "encoder_1", "decoder_0", "decoder_1"):
        weight, bias = views[f"{name}_weight"], views[f"{name}_bias"]
        largest = float(weight.abs().max())
        assert float(weight.std()) == pytest.approx(largest / 3**0.5, rel=0.03)
        assert 0.9 * largest < float(bias.abs().max()) <= 1.01 * largest
        gains.append(largest * weight.shape[0] ** 0.5)
    np.testing.assert_allclose(gains, gains[0], rtol=0.02)
    for name in ("encoder_2", "decoder_2"):
        assert not views[f"{name}_weight"].any()
