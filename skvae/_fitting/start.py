"""Where training starts: the linear VAE, the network and the noise that it makes."""

from dataclasses import dataclass

import torch

from skvae._fitting.logits import with_logits
from skvae._fitting.recipe import NOISE_FLOOR
from skvae._likelihoods.mixed import indicator_blocks, make_likelihood
from skvae._likelihoods.noise import Tracked
from skvae._linear.anchor import MOST_EXACT, fit_linear_vae, fit_wide_linear_vae
from skvae._linear.vae import LinearVAE
from skvae._model.coder import LinearCoder
from skvae._model.network import VAE, initial_parameters
from skvae._model.rows import Rows
from skvae._numerics.missing import have_missing
from skvae._training.loop import HIDDEN_SHARE


@dataclass(frozen=True)
class Start:
    """Where training starts, and the linear VAE that the model goes on along."""

    network: VAE | LinearCoder  # the latter in closed form
    likelihood: Tracked
    linear: LinearVAE
    filler: LinearVAE  # what missing entries are expected to be, for the encoder

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
    linear = fit_linear(x, recipe)
    generator = torch.Generator().manual_seed(recipe.seed)
    flat = initial_parameters(recipe.architecture, linear, generator)
    network, variance = VAE(recipe.architecture, flat), linear.noise_variance
    likelihood = tracked(split.numeric(variance), split)
    return Start(network, likelihood, linear, fit_filler(x, linear, split))


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
        variance = variance.mean().expand_as(variance)
    network = VAE(recipe.architecture, part.coder.network.flat.float())
    likelihood = tracked(variance, split)
    return Start(network, likelihood, linear, fit_filler(x, linear, split))


def fit_linear(x, recipe):
    """Return the linear VAE of some rows."""
    layout, k, noise = recipe.layout, recipe.n_components, recipe.training_noise
    if layout.is_numeric:
        return fit_linear_vae(x, k, noise, recipe.floor)
    n_dependent = sum(block.n_dependent for block in indicator_blocks(layout, x))
    if x.shape[1] > MOST_EXACT:
        linear = fit_wide_linear_vae(x, k, recipe.floor, n_dependent)
    else:
        linear = fit_linear_vae(x, k, noise, recipe.floor, n_dependent)
    return with_logits(linear, x, layout)


def fit_filler(x, linear, split):
    """Return what fills gaps: a factor analysis where the linear VAE has one noise.

    Columns that are nearly exact tell more of the others than PCA has it.
    """
    if not (split.gains_columns and have_missing(x)) or x.shape[1] > MOST_EXACT:
        return linear
    return fit_linear_vae(x, split.recipe.n_components, "diag", NOISE_FLOOR["diag"])


def tracked(variance, split):
    """Return p(x|z) as training has it, with some noise of the numeric columns."""
    recipe, within = split.recipe, split.within
    shared = recipe.training_noise == "spherical"
    variance = variance.float()
    variance = variance + (within.mean() if shared and len(within) else within)
    likelihood = make_likelihood(recipe.layout, variance, split.is_incomplete)
    return Tracked(
        likelihood,
        floor=split.least_noise_of(recipe.training_noise).float(),
        shared=shared,
        within=within,
        share=split.observed_share,
        hidden_share=HIDDEN_SHARE if split.is_incomplete else 0.0,
    )
