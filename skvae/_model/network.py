"""The variational autoencoder's network: a linear VAE plus MLPs that start at zero.

    mean(x)    = x A + a + f(x)
    log_var(x) = min(2,  c + s(x))
    decode(z)  = z B + b + g(z)

``(f, s)`` is one MLP, ``g`` is another, and both end in a layer of zeros, so that the
network starts exactly at the linear VAE ``(A, a, c, B, b)`` that it is given.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import torch
from torch import nn

from skvae._numerics.activations import pass_layers

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "elu": nn.functional.elu,
    "gelu": nn.functional.gelu,
    "relu": nn.functional.relu,
    "silu": nn.functional.silu,
    "tanh": torch.tanh,
}

# Beyond this many standard deviations the MLPs see an entry grow as its root only: an
# outlier moves along the linear part, as in PCA, not along an MLP's extrapolation.
MLP_RANGE = 5.0

# No posterior is much wider than the prior, however far the row; somewhat wider may be
# right, where distant z explain a row as well.
MAX_LOG_VAR = 2.0

# Of the hidden layers' uniform weights: variance 1 / n_in (LeCun et al. 1998).
INIT_GAIN = 3**0.5

# A decoder of few components has to bend often along each: its first layer starts with
# so many times the weights.
FEW_COMPONENTS, FEW_GAIN = 3, 3.0


@dataclass(frozen=True)
class Architecture:
    """The sizes of a network, and the layout of its flat parameter vector."""

    n_features: int
    n_components: int
    hidden_layer_sizes: tuple[int, ...]
    activation: str

    @property
    def shapes(self):
        """Name and shape of every parameter, in their order in the flat vector.

        The MLPs' weight matrices come first: they alone are decayed.
        """
        d, k = self.n_features, self.n_components
        encoder = _layer_sizes(d, self.hidden_layer_sizes, 2 * k)
        decoder = _layer_sizes(k, self.hidden_layer_sizes[::-1], d)
        encoder = [(f"encoder_{i}", sizes) for i, sizes in enumerate(encoder)]
        decoder = [(f"decoder_{i}", sizes) for i, sizes in enumerate(decoder)]
        layers, hidden = encoder + decoder, encoder[:-1] + decoder[:-1]
        return (
            {f"{name}_weight": (n_in, n_out) for name, (n_in, n_out) in layers}
            | {f"{name}_bias": (n_out,) for name, (_, n_out) in hidden}
            | {
                "encoder_linear_weight": (d, k),
                "encoder_linear_bias": (2 * k,),
                "decoder_linear_weight": (k, d),
                "decoder_linear_bias": (d,),
            }
        )

    @property
    def n_layers(self):
        """Number of layers of each MLP; the linear model has none."""
        return len(self.hidden_layer_sizes) + 1 if self.hidden_layer_sizes else 0

    @property
    def n_parameters(self):
        return sum(prod(shape) for shape in self.shapes.values())

    @property
    def n_decayed(self):
        return sum(
            prod(shape) for name, shape in self.shapes.items() if _is_decayed(name)
        )

    def views(self, flat):
        """Name every parameter's part of a flat vector; the parts share its memory."""
        sizes = [prod(shape) for shape in self.shapes.values()]
        parts = torch.split(flat, sizes)
        return {
            name: part.view(shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }


def _layer_sizes(n_in, hidden_layer_sizes, n_out):
    if not hidden_layer_sizes:
        return []
    return list(pairwise((n_in, *hidden_layer_sizes, n_out)))


def _is_decayed(name):
    return name.endswith("_weight") and "linear" not in name


class VAE:
    """Encoder and decoder over one flat parameter vector.

    Parameters
    ----------
    architecture : Architecture
    flat : Tensor of shape (architecture.n_parameters,)
        Every parameter of the network is a view of it: writing to it moves the network.
    """

    def __init__(self, architecture, flat):
        self.architecture, self.flat = architecture, flat
        self.parts = architecture.views(flat)
        self._activation = ACTIVATIONS[architecture.activation]

    def with_flat(self, flat):
        """Return the same network with other parameters."""
        return VAE(self.architecture, flat)

    def copy(self):
        """Return the same network with parameters of its own."""
        return self.with_flat(self.flat.clone())

    def to(self, *args):
        """Return the network on another device or in another dtype, or itself."""
        flat = self.flat.to(*args)
        return self if flat is self.flat else self.with_flat(flat)

    def permuted(self, order, signs):
        """Return the network whose component ``i`` is ``order[i]`` times its sign.

        Exact: p(x) stays what it was, because the prior is symmetric.
        """
        permuted, k = self.copy(), self.architecture.n_components
        views, signs = permuted.parts, signs.to(self.dtype)
        linear = views["encoder_linear_weight"]
        linear.copy_(linear[:, order] * signs)
        for name in ("decoder_linear_weight", "decoder_0_weight"):
            if name in views:
                views[name].copy_(views[name][order] * signs[:, None])
        last = self.architecture.n_layers - 1
        for name in (f"encoder_{last}_weight", "encoder_linear_bias"):
            if name in views:
                view = views[name]
                f, s = view[..., :k][..., order] * signs, view[..., k:][..., order]
                view.copy_(torch.cat([f, s], dim=-1))
        return permuted

    @property
    def dtype(self):
        """Precision of the parameters."""
        return self.flat.dtype

    def encode(self, x):  # (n, d) -> (n, k), (n, k)
        """Return the mean and the log-variance of q(z|x), of rows without gaps."""
        bias = self.parts["encoder_linear_bias"]
        mean, log_var = self._mlp("encoder", x, bias).chunk(2, dim=1)
        mean = mean + x @ self.parts["encoder_linear_weight"]
        return mean, log_var.clamp(max=MAX_LOG_VAR)

    def decode(self, z):  # (n, k) -> (n, d)
        """Return what parametrises p(x|z): means, and logits of indicators."""
        bias = self.parts["decoder_linear_bias"]
        return self._mlp("decoder", z, bias) + z @ self.parts["decoder_linear_weight"]

    def with_slopes(self, z):  # (n, k) -> (n, d), (n, k, d)
        """Return what z decodes to, and its slopes along each component."""
        parts, last = self.parts, self.architecture.n_layers - 1
        bias, linear = parts["decoder_linear_bias"], parts["decoder_linear_weight"]
        decoded = torch.addmm(bias, z, linear)
        slopes = linear.expand(len(z), *linear.shape)
        if last < 0:
            return decoded, slopes
        scale = squash_scale(z)
        directions = torch.diag_embed((scale + scale**5) / 2).unbind(dim=1)
        layers = [
            (parts[f"decoder_{i}_weight"], parts[f"decoder_{i}_bias"])
            for i in range(last)
        ]
        given = z * scale, directions, layers, self.architecture.activation
        hidden, along = pass_layers(*given)
        weight = parts[f"decoder_{last}_weight"]
        bent = torch.stack([slope @ weight for slope in along], dim=1)
        return decoded + hidden @ weight, slopes + bent

    def _mlp(self, name, h, bias):
        """Return an MLP whose last layer has the bias of the linear part."""
        last = self.architecture.n_layers - 1
        if last < 0:
            return bias.expand(len(h), -1)
        h = squash(h)
        for i in range(last):
            weight = self.parts[f"{name}_{i}_weight"]
            h = torch.addmm(self.parts[f"{name}_{i}_bias"], h, weight)
            h = self._activation(h)
        return torch.addmm(bias, h, self.parts[f"{name}_{last}_weight"])


def squash(h):
    """Return what an MLP sees of its input: all of it near 0, far out its root."""
    return h * squash_scale(h)


def squash_scale(h):
    """Return by what an MLP sees its input scaled."""
    return (1 + (h / MLP_RANGE).square()) ** -0.25


def initial_parameters(architecture, linear, generator, dtype=torch.float32):
    """Return the flat vector of a network that computes the linear VAE `linear`.

    Hidden layers are drawn from `generator`, each MLP's last layer is zero, so that the
    weights of the others change nothing yet.
    """
    flat = torch.zeros(architecture.n_parameters, dtype=dtype, device="cpu")
    views = architecture.views(flat)
    for mlp in ("encoder", "decoder"):
        for i in range(architecture.n_layers - 1):
            weight, bias = views[f"{mlp}_{i}_weight"], views[f"{mlp}_{i}_bias"]
            bound = INIT_GAIN * weight.shape[0] ** -0.5
            if (mlp, i) == ("decoder", 0) and len(weight) <= FEW_COMPONENTS:
                bound *= FEW_GAIN
            weight.uniform_(-bound, bound, generator=generator)
            bias.uniform_(-bound, bound, generator=generator)
    set_linear_part(architecture, flat, linear)
    return flat


def set_linear_part(architecture, flat, linear):
    """Write the linear VAE `linear` over that of a flat vector, in place."""
    views = architecture.views(flat)
    views["encoder_linear_weight"].copy_(linear.encoder)
    views["encoder_linear_bias"].copy_(torch.cat([linear.encoder_bias, linear.log_var]))
    views["decoder_linear_bias"].copy_(linear.output_map[0])
    views["decoder_linear_weight"].copy_(linear.output_map[1:])
