"""Tables of the internals, and the steps of a fit to them."""

from dataclasses import replace

import numpy as np
import torch

from skvae._fitting.comparison import COMPARED_ROWS
from skvae._fitting.fit import fit_vae
from skvae._fitting.recipe import Recipe
from skvae._fitting.split import Split
from skvae._fitting.start import start_from_linear
from skvae._layout import numeric_layout
from skvae._model.network import Architecture
from skvae._model.rows import Rows
from skvae._training.loop import Settings, train

NOISES = ["auto", "spherical", "diag"]
SETTINGS = Settings(
    batch_size=16,
    max_epochs=3,
    learning_rate=2e-3,
    weight_decay=0.01,
    beta=1.0,
    patience=10,
    tol=0.01,
)
RUINOUS = 1e3  # a learning rate


def standardised(x):
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return torch.from_numpy(x).float()


def linear_table(n=200, d=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) @ rng.normal(size=(2, d)) + rng.normal(size=(n, d)) / 2
    return standardised(x)


def curved_table(n=400, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    x = np.c_[z, z**2, z[:, 0] * z[:, 1]] + 0.1 * rng.normal(size=(n, 5))
    return standardised(x)


def without_some(x, share=0.2, seed=0):
    """Return a table some of whose entries are missing."""
    missing = np.random.default_rng(seed).random(x.shape) < share
    return x.masked_fill(torch.from_numpy(missing), torch.nan)


def make_recipe(
    x, hidden=(16,), k=2, noise="spherical", seed=0, layout=None, **changes
):
    n_validation = changes.pop("n_validation", max(1, len(x) // 10))
    return Recipe(
        architecture=Architecture(x.shape[1], k, hidden, "silu"),
        layout=layout or numeric_layout(x.shape[1]),
        noise=noise,
        training=replace(SETTINGS, **changes),
        n_validation=n_validation,
        seed=seed,
    )


def first_rows_of(x, intervals=None):
    """Return what the likelihood is told of a table's first rows."""
    first_rows = x[:COMPARED_ROWS].double()
    if intervals is None:
        return Rows(first_rows, first_rows)
    return Rows(first_rows, intervals[:COMPARED_ROWS].double())


def make_split(x, intervals=None, **options):
    return Split(x, first_rows_of(x, intervals), make_recipe(x, **options))


def fit(x, intervals=None, start=None, **options):
    return fit_vae(x, first_rows_of(x, intervals), make_recipe(x, **options), start)


def start_and_train(split):
    """Return where training starts, and the network that it ends at."""
    start, generator = start_from_linear(split.training, split), torch.Generator()
    record = train(
        start.network.copy(),
        start.likelihood.clone(),
        start.rows(split.training),
        start.rows(split.inside),
        split.recipe.training,
        generator.manual_seed(split.recipe.seed),
        start.fill,
    )
    return start, record.network


def first_of(solution):
    """Return the network's part of a fitted density."""
    return solution.density.parts[0]


def encode(solution, x):
    return solution.density.encode(x.double())


def decode_mean(solution, x):
    mean, _ = encode(solution, x)
    return solution.density.mean(mean)
