"""Where training starts: the linear VAE, the network and the noise that it makes."""

from dataclasses import dataclass

import torch

from skvae._fitting.logits import with_logits
from skvae._fitting.recipe import NOISE_FLOOR
from skvae._likelihoods.mixed import indicator_blocks, make_likelihood
from skvae._likelihoods.noise import Tracked
from skvae._linear.anchor import MOST_EXACT, fit_linear_vae, fit_wide_linear_vae
from skvae._linear.moments import observed_mean, shared_noise
from skvae._linear.vae import LinearVAE
from skvae._model.coder import LinearCoder
from skvae._model.network import VAE, initial_parameters
from skvae._model.rows import Rows
from skvae._numerics.missing import have_missing
from skvae._training.loop import HIDDEN_SHARE

SINGLE = 1e-7  # roundings of numbers in single precision, that training can show
LEAST_ROWS_A_COLUMN = 3  # that tell each column's noise apart, for the encoder's sake


@dataclass(frozen=True)
class Start:
    """Where training starts, and the linear VAE that the model goes on along."""

    network: VAE | LinearCoder  # the latter in closed form
    likelihood: Tracked
    linear: LinearVAE
    filler: LinearVAE  # what missing entries are expected to be, for the encoder
    fallback: LinearVAE  # of the same rows, which the density falls back on

    def fill(self, x):
        """Return rows as the encoder reads them, without gaps."""
        return self.filler.fill(x.cpu()).to(x) if have_missing(x) else x

    def rows(self, x):
        """Return rows, and what the encoder reads of them."""
        return Rows(self.fill(x), x)


def start_from_linear(x, split):
    """Return the start from the linear VAE of some rows.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Some of the rows, in random order.
    split : Split

    Returns
    -------
    Start
    """
    recipe = split.recipe
    fallback = fit_linear(x, recipe)
    linear = fit_anchor(x, fallback, recipe)
    generator = torch.Generator().manual_seed(recipe.seed)
    flat = initial_parameters(recipe.architecture, linear, generator)
    network, variance = VAE(recipe.architecture, flat), linear.noise_variance
    likelihood = tracked(split.numeric(variance), split)
    filler = fit_filler(x, linear, split)
    return Start(network, likelihood, linear, filler, fallback)


def start_from_density(density, x, split):
    """Return the start from a fitted model, to go on with some rows.

    Parameters
    ----------
    density : Density
    x : Tensor of shape (n, d)
    split : Split

    Returns
    -------
    Start
    """
    recipe, part = split.recipe, density.parts[0]
    variance, linear = part.likelihood.variance, part.coder.linear
    if recipe.training_noise == "spherical" and len(variance):
        variance = shared_noise(variance, split.units)
    network = VAE(recipe.architecture, part.coder.network.flat.float())
    likelihood = tracked(variance, split)
    filler = fit_filler(x, linear, split)
    return Start(network, likelihood, linear, filler, fit_linear(x, recipe))


def fit_anchor(x, fallback, recipe):
    """Return the linear VAE that training starts from.

    With indicators that is the PCA of rows whose missing entries are at the mean. The
    linear VAE that is likeliest given what is observed takes indicators for numbers,
    whose noise is small where categories are rare: it leaves components that keep a
    numeric column to categories, and has these tell what is missing.

    Parameters
    ----------
    x : Tensor of shape (n, d)
    fallback : LinearVAE
        The likeliest.
    recipe : Recipe

    Returns
    -------
    LinearVAE
    """
    if recipe.layout.is_numeric or not have_missing(x):
        return fallback
    filled = torch.where(x.isnan(), observed_mean(x).to(x), x)
    return with_logits(_fit_components(filled, recipe), x, recipe.layout)


def fit_linear(x, recipe):
    """Return the linear VAE that is likeliest given what is observed of some rows."""
    linear = _fit_components(x, recipe)
    if recipe.layout.is_numeric:
        return linear
    return with_logits(linear, x, recipe.layout)


def _fit_components(x, recipe):
    layout, k, noise = recipe.layout, recipe.n_components, recipe.training_noise
    units = recipe.units
    if layout.is_numeric:
        return fit_linear_vae(x, k, noise, recipe.floor, 0, units)
    n_dependent = sum(block.n_dependent for block in indicator_blocks(layout, x))
    if x.shape[1] > MOST_EXACT:
        return fit_wide_linear_vae(x, k, recipe.floor, n_dependent, units)
    return fit_linear_vae(x, k, noise, recipe.floor, n_dependent, units)


def fit_filler(x, linear, split):
    """Return what fills gaps: a factor analysis where the linear VAE has one noise.

    Columns that are nearly exact tell more of the others than PCA has it; which are so
    takes some rows for each to tell.
    """
    n, d = x.shape
    is_told = d <= MOST_EXACT and n >= LEAST_ROWS_A_COLUMN * d
    if not (split.gains_columns and have_missing(x) and is_told):
        return linear
    return fit_linear_vae(x, split.recipe.n_components, "diag", NOISE_FLOOR["diag"])


def tracked(variance, split):
    """Return p(x|z) as training has it, with some noise of the numeric columns."""
    recipe, within = split.recipe, split.within
    shared = recipe.training_noise == "spherical"
    units = split.units.float()
    floor, variance = split.least_noise_of(recipe.training_noise), variance.float()
    if shared and len(units):  # one noise may be far below what the largest can show
        least = (SINGLE * units.max() / units).square()
        floor, variance = floor.maximum(least), variance.maximum(least)
    variance = variance + (within.mean() if shared and len(within) else within)
    likelihood = make_likelihood(recipe.layout, variance, split.is_incomplete)
    return Tracked(
        likelihood,
        floor=floor.float(),
        shared=shared,
        within=within,
        share=split.observed_share,
        hidden_share=HIDDEN_SHARE if split.is_incomplete else 0.0,
        units=units,
    )
