"""A decoder in closed form: random features of z, and a ridge regression on them.

Hidden layers stay as they were drawn (Rahimi & Recht 2007: random features); the last
layer is solved for. On a map, with few dimensions, that reaches what training reaches
in many epochs.
"""

from dataclasses import dataclass, replace

import torch

from skvae._numerics.activations import pass_layers

FREQUENCY = 4.0  # of the first layer's weights: a map bends often
STRENGTHS = 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2  # of the ridge, in mean squares
LEAST_LEFT = 1e-9  # of what a row's own leverage leaves to others
MOST_LEFT_OUT = 5000  # rows, one by one, whose errors choose the strengths


@dataclass(frozen=True)
class Features:
    """Functions of z: hidden layers as they were drawn, z itself, and 1.

    Parameters
    ----------
    layers : tuple of pairs of Tensor
        Weights, (n_in, n_out), and biases, (n_out,).
    activation : str
    """

    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    activation: str

    @classmethod
    def draw(cls, n_components, sizes, activation, generator):
        """Draw hidden layers of some sizes."""
        layers, n_in, frequency = [], n_components, FREQUENCY
        for n_out in sizes:
            bound = frequency * (3 / n_in) ** 0.5  # variance 1 / n_in, first more
            both = torch.empty(n_in + 1, n_out, dtype=torch.float32, device="cpu")
            both = both.uniform_(-bound, bound, generator=generator).double()
            layers.append((both[:-1], both[-1]))
            n_in, frequency = n_out, 1.0
        return cls(tuple(layers), activation)

    def __call__(self, z):  # (n, k) -> (n, n_features)
        """Return the features of z."""
        return self._along(z, [])[0]

    def with_slopes(self, z):  # (n, k) -> (n, m), list of k (n, m)
        """Return the features of z, and their slopes along each component."""
        directions = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
        return self._along(z, [one.expand_as(z) for one in directions])

    def _along(self, z, directions):
        """Return the features of z, and their slopes in some directions."""
        hidden, slopes = pass_layers(z, directions, self.layers, self.activation)
        if not self.layers:  # z itself comes anyway
            hidden, slopes = (z[:, :0], [slope[:, :0] for slope in slopes])
        own, none = torch.ones_like(z[:, :1]), torch.zeros_like(z[:, :1])
        return torch.cat([hidden, z, own], dim=1), [
            torch.cat([slope, direction, none], dim=1)
            for slope, direction in zip(slopes, directions, strict=True)
        ]

    def permuted(self, order, signs):
        """Return the features of z whose components are in an order, and turned."""
        if not self.layers:
            return self
        (weight, bias), *others = self.layers
        first = weight[order] * signs[:, None], bias
        return replace(self, layers=(first, *others))


@dataclass(frozen=True)
class MapDecoder:
    """What decodes z: features times weights.

    Parameters
    ----------
    features : Features
    weights : Tensor of shape (n_features, d)
    """

    features: Features
    weights: torch.Tensor

    def __call__(self, z):  # (n, k) -> (n, d)
        """Return what parametrises p(x|z)."""
        return self.features(z) @ self.weights

    def with_slopes(self, z):  # (n, k) -> (n, d), (n, k, d)
        """Return what z decodes to, and the slopes along each component."""
        features, slopes = self.features.with_slopes(z)
        slopes = torch.stack([slope @ self.weights for slope in slopes], dim=1)
        return features @ self.weights, slopes

    def permuted(self, order, signs):
        """Return the decoder of z whose components are in an order, and turned."""
        k, weights = len(order), self.weights.clone()
        weights[-1 - k : -1] = weights[-1 - k : -1][order] * signs[:, None]
        return MapDecoder(self.features.permuted(order, signs), weights)

    def with_offset(self, offset):  # (d,)
        """Return the decoder that decodes so much more."""
        weights = self.weights.clone()
        weights[-1] += offset
        return replace(self, weights=weights)


def fit_ridge(features, x):
    """Regress columns on features, each with a strength by leave-one-out errors.

    Parameters
    ----------
    features : list of Tensor of shape (n, m)
        Of some draws of z; errors are those at the first.
    x : Tensor of shape (n, d)

    Returns
    -------
    weights : Tensor of shape (m, d)
    error : Tensor of shape (min(n, MOST_LEFT_OUT), d)
        What the entries of the first rows, at the first draw, are from what all else
        makes of them: the other rows, and the row at its other draws. With these left
        out too, ridges are stronger and less comes back of unseen rows.
    """
    n_rows = len(x) * len(features)
    gram = sum(h.T @ h for h in features) / n_rows
    moment = sum(h.T @ x for h in features) / n_rows
    values, vectors = torch.linalg.eigh(gram)
    values = values.clamp(min=0)
    x, few = x[:MOST_LEFT_OUT], features[0][:MOST_LEFT_OUT]
    turned, projected = few @ vectors, vectors.T @ moment
    best = torch.full_like(x[0], torch.inf)
    error, shrunk = torch.empty_like(x), torch.empty_like(projected)
    for strength in STRENGTHS:
        factor = 1 / (values + strength * gram.diagonal().mean())
        leverage = turned.square() @ factor / n_rows
        coefficients = factor[:, None] * projected
        left = (x - turned @ coefficients) / (1 - leverage).clamp(min=LEAST_LEFT)[
            :, None
        ]
        mean = left.square().mean(dim=0)
        is_better = mean < best
        best = torch.where(is_better, mean, best)
        error[:, is_better] = left[:, is_better]
        shrunk[:, is_better] = coefficients[:, is_better]
    return vectors @ shrunk, error
