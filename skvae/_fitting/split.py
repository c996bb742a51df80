"""The rows of a fit: those that train, and those that validate."""

from functools import cached_property

import torch

from skvae._likelihoods.gaussian import interval_variance
from skvae._linear.moments import least_noise
from skvae._numerics.draws import normal_draws
from skvae._numerics.missing import have_missing, observed_range

LEAST_RANGE_ROWS = 10
INTERVAL_SHARE = 0.1  # of the variance within intervals, that training knows of


class Split:
    """The rows of a fit, and what is known of them beforehand.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        All rows, in single precision and random order; the first validate.
    first_rows : Rows
        What the likelihood is told of the first rows, in double precision.
    recipe : Recipe

    Attributes
    ----------
    validation, training : Tensor
        The two parts of the rows.
    inside : Tensor
        The validation rows, clamped to the range of the training rows. Beyond it the
        fitted model is linear whatever the network, so that one far row does not speak
        of the network. A few rows have no range.
    by_column : bool
        Whether each column has a noise of its own in the end.
    gains_columns : bool
        Whether it has it in the end only: one noise for all trains.
    """

    def __init__(self, x, first_rows, recipe):
        self.x, self.first_rows, self.recipe = x, first_rows, recipe
        self.validation = self.inside = x[: recipe.n_validation]
        self.training = x[recipe.n_validation :]
        if len(self.training) >= LEAST_RANGE_ROWS:
            self.inside = self.validation.clamp(*observed_range(self.training))
        if recipe.n_neighbors:
            self.inside = self.validation
        self.by_column = recipe.has_noise_by_column(first_rows.has_intervals)
        self.gains_columns = self.by_column and recipe.training_noise == "spherical"

    @cached_property
    def units(self):
        """In which the numeric columns share one noise, where they do."""
        every = torch.ones(self.x.shape[1], dtype=torch.float64, device="cpu")
        return self.numeric(every * self.recipe.units)

    def numeric(self, x):
        """Return the numeric columns."""
        return x[..., : self.recipe.layout.n_numeric]

    def draws(self, x):
        """Return standard normal draws for z of rows, the same each time.

        Zeros for the autoencoder, beta = 0.
        """
        k, seed = self.recipe.n_components, self.recipe.seed
        draws = normal_draws(len(x), k, seed)
        return draws if self.recipe.training.beta else torch.zeros_like(draws)

    @cached_property
    def is_incomplete(self):
        """Whether entries are missing."""
        return have_missing(self.x)

    @cached_property
    def observed_share(self):
        """Share of each column's entries that are observed."""
        if not self.is_incomplete:
            return torch.ones_like(self.x[0])
        return 1 - self.x.isnan().float().mean(dim=0)

    @cached_property
    def within(self):
        """How far what an entry stands for is from it, that training knows of.

        The mean variance within the intervals of each numeric column; 0 without.
        """
        if not self.first_rows.has_intervals:
            return self.numeric(self.x[0]).new_zeros(self.recipe.layout.n_numeric)
        variance = interval_variance(self.numeric(self.first_rows.observed))
        return INTERVAL_SHARE * variance.mean(dim=0).float()

    @cached_property
    def least_noise(self):
        """The least noise variance of each numeric column, in the end."""
        return self.least_noise_of("diag" if self.by_column else "spherical")

    def least_noise_of(self, noise):
        """Return the least noise variance of each numeric column."""
        x, floor = self.numeric(self.x), self.recipe.floor
        return least_noise(x, noise, floor, self.units)
