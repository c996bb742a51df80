"""One fit's orders."""

from dataclasses import dataclass, field, replace

import torch
from joblib import effective_n_jobs

from skvae._layout import Layout
from skvae._likelihoods.dispersion import WAVES
from skvae._map.layout import MAX_STEPS
from skvae._model.network import Architecture
from skvae._parameters import hidden_sizes
from skvae._training.loop import Settings

# The least noise variance as a share of a column's variance. Where columns depend
# exactly on each other a density has no upper bound; the floor is the bound.
NOISE_FLOOR = {"spherical": 1e-6, "diag": 1e-4}


BATCHES, BATCH_MIN, BATCH_MAX = 12, 16, 256  # of the rows, and rows of one
WIDTH_MIN, WIDTH_MAX = 128, 256  # of the first hidden layer; the second has half
WIDTH_A_FEATURE, WIDTH_A_COMPONENT = 2, 24
MAP_WIDTHS = 256, 128  # the more features, the better a map is decoded
MOST_EPOCHS, MOST_VISITS = 500, 4_000_000
MOST_MAPPED = 20_000  # rows that a map is of
MIN_VALIDATION = 3  # rows, as fewer tell nothing


@dataclass(frozen=True)
class Recipe:
    """What a fit is to do, whatever the rows."""

    architecture: Architecture
    layout: Layout
    noise: str  # "auto", "spherical" or "diag"
    training: Settings  # without `patience` all rows train
    n_validation: int  # rows that stop the training and measure the noise
    seed: int
    device: str = "cpu"
    n_threads: int = 1
    n_neighbors: int | None = None  # of a map
    widths_are_automatic: bool = False  # so that they change with the components
    of_scores: bool = False  # whether numeric columns are normal scores
    # (n_columns,), or 1: that columns are multiplied by where they share one noise.
    units: torch.Tensor | float = field(default=1.0, compare=False)

    @property
    def n_components(self):
        """Number of latent dimensions."""
        return self.architecture.n_components

    def with_components(self, n_components):
        """Return the same orders for another number of latent dimensions."""
        architecture = replace(self.architecture, n_components=n_components)
        if self.widths_are_automatic:
            widths = choose_widths("auto", self.layout.n_features, n_components)
            architecture = replace(architecture, hidden_layer_sizes=widths)
        return replace(self, architecture=architecture)

    @property
    def training_noise(self):
        """The noise while training: "auto" trains as "spherical"."""
        return "diag" if self.noise == "diag" else "spherical"

    @property
    def floor(self):
        """The least noise variance, as a share of a column's variance."""
        return NOISE_FLOOR[self.training_noise]

    @property
    def n_waves(self):
        """Number of waves of z in the dispersion: a map has some, see `Dispersion`."""
        return 0 if self.n_neighbors is None else WAVES

    @property
    def is_linear(self):
        """Whether there is no hidden layer."""
        return not self.architecture.hidden_layer_sizes

    @property
    def is_closed_form(self):
        """Whether training could only find its way back to the closed form."""
        return self.is_linear and self.training.beta == 1 and self.layout.is_numeric

    def has_noise_by_column(self, has_intervals):
        """Whether each column has a noise of its own in the end.

        With one for all, a linear model of numeric columns is PCA.
        """
        is_pca = self.is_linear and self.layout.is_numeric and not has_intervals
        return self.noise == "diag" or (self.noise == "auto" and not is_pca)


def make_recipe(parameters, n_rows, n_components, *, layout, seed, listener, units=1.0):
    """Resolve the parameters of the estimator for a fit to so many rows.

    Parameters
    ----------
    parameters : dict
        Of a `VAETransformer`, checked.
    n_rows, n_components : int
    layout : Layout
    seed : int
    listener : Listener
    units : Tensor of shape (n_columns,) or float, default=1.0

    Returns
    -------
    Recipe
    """
    n_neighbors = parameters["n_neighbors"]
    if n_neighbors is not None:
        n_rows = min(n_rows, MOST_MAPPED)
    batch_size = parameters["batch_size"]
    if batch_size == "auto":
        batch_size = min(max(n_rows // BATCHES, BATCH_MIN), BATCH_MAX)
    max_epochs = parameters["max_iter"]
    if max_epochs == "auto":
        max_epochs = _most_epochs(n_rows, n_neighbors)
    is_stopped_early = parameters["early_stopping"]
    training = Settings(
        batch_size=int(batch_size),
        max_epochs=int(max_epochs),
        learning_rate=parameters["learning_rate_init"],
        weight_decay=parameters["alpha"],
        beta=parameters["beta"],
        patience=parameters["n_iter_no_change"] if is_stopped_early else None,
        tol=parameters["tol"],
        listener=listener,
    )
    widths, size = parameters["hidden_layer_sizes"], (layout.n_features, n_components)
    is_map = n_neighbors is not None
    architecture = Architecture(
        n_features=layout.n_columns,
        n_components=int(n_components),
        hidden_layer_sizes=choose_widths(widths, *size, is_map),
        activation=parameters["activation"],
    )
    n_validation = max(
        round(parameters["validation_fraction"] * n_rows), MIN_VALIDATION
    )
    return Recipe(
        architecture=architecture,
        layout=layout,
        noise=parameters["noise"],
        training=training,
        n_validation=min(n_validation, n_rows - 1),
        seed=seed,
        device=parameters["device"],
        n_threads=effective_n_jobs(parameters["n_jobs"]),
        n_neighbors=n_neighbors,
        widths_are_automatic=isinstance(widths, str) and not is_map,
        of_scores=parameters["scaling"] == "quantile",
        units=units,
    )


def choose_widths(hidden_layer_sizes, n_features, n_components, is_map=False):
    """Return the widths of the encoder's hidden layers.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, int or "auto"
        As the estimator has it.
    n_features, n_components : int
        Of the table: a category of many asks for no wider layers.
    is_map : bool, default=False

    Returns
    -------
    tuple of int
    """
    if not isinstance(hidden_layer_sizes, str):
        return hidden_sizes(hidden_layer_sizes)
    if is_map:
        return MAP_WIDTHS
    wanted = max(WIDTH_A_FEATURE * n_features, WIDTH_A_COMPONENT * n_components)
    first = int(min(max(wanted, WIDTH_MIN), WIDTH_MAX))
    return first, first // 2


def _most_epochs(n_rows, n_neighbors):
    """Return the most epochs of so many rows, or steps of a map's layout."""
    if n_neighbors is not None:
        return MAX_STEPS
    return min(max(MOST_VISITS // n_rows, 1), MOST_EPOCHS)
