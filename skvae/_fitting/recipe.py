"""One fit's orders."""

from dataclasses import dataclass

from skvae._layout import Layout
from skvae._model.network import Architecture
from skvae._training.loop import Settings

# The least noise variance as a share of a column's variance. Where columns depend
# exactly on each other a density has no upper bound; the floor is the bound.
NOISE_FLOOR = {"spherical": 1e-6, "diag": 1e-4}


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

    @property
    def n_components(self):
        """Number of latent dimensions."""
        return self.architecture.n_components

    @property
    def training_noise(self):
        """The noise while training: "auto" trains as "spherical"."""
        return "diag" if self.noise == "diag" else "spherical"

    @property
    def floor(self):
        """The least noise variance, as a share of a column's variance."""
        return NOISE_FLOOR[self.training_noise]

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
