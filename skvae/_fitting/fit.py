"""From rows to a fitted model: who trains, who validates, what is kept.

Rows are split, the closed form starts the network, training improves it, and where
nothing beats the closed form on validation rows, that of all rows is the result. Else
the validation rows choose the noise and what else training rows would flatter, and join
the training for a last while. Then components are put in order and the read-out is
fitted.
"""

from dataclasses import dataclass, replace

import torch

from skvae._fitting.calibration import (
    calibrate,
    choose_dispersion,
    choose_prior,
    choose_weight,
    interval_factor,
)
from skvae._fitting.candidate import as_noise, fallback_vae, make_candidate
from skvae._fitting.comparison import has_diverged, is_better
from skvae._fitting.finish import finish
from skvae._fitting.split import Split
from skvae._fitting.start import (
    Start,
    fit_linear,
    start_from_density,
    start_from_linear,
    tracked,
)
from skvae._linear.cross_fit import CrossFit
from skvae._model.coder import Coder, LinearCoder
from skvae._model.density import Density, stacking_weight
from skvae._model.parts import linear_part
from skvae._numerics.threads import one_thread
from skvae._training.events import SILENT, EpochPrinter, Listener
from skvae._training.loop import Progress, train

__all__ = ["EpochPrinter", "Listener", "Solution", "fit_vae"]

LAST_ROUND = 0.5  # epochs of all rows at the end, as a share of those that helped


@dataclass(frozen=True)
class Solution:
    """A fitted model, and how the fit went."""

    density: Density
    component_kl: torch.Tensor  # (k,): nats that each component carries
    progress: Progress  # of the training that found it


def fit_vae(x, first_rows, recipe, start=None):
    """Fit a VAE to rows.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Scaled rows in single precision and random order; the first validate.
    first_rows : Rows
        What the likelihood is told of the first rows, in double precision.
    recipe : Recipe
    start : Density, optional
        Of a fit with the same architecture to continue from, instead of the closed
        form. Where that fit kept the closed form, this one starts from it too; with
        indicators always from its weights.

    Returns
    -------
    Solution
    """
    # The caller's inference mode, grad mode and threads change no bit.
    with one_thread(), torch.inference_mode(False), torch.no_grad():
        fitter = _Fitter(x, first_rows, recipe, start)
        if recipe.is_closed_form:
            candidate, progress = fitter.closed_form()
        elif recipe.training.patience:
            candidate, progress = fitter.early_stopped()
        else:
            candidate, progress = fitter.all_rows()
        density, component_kl = finish(candidate, fitter.split)
        return Solution(density, component_kl, progress)


class _Fitter:
    """What the ways to fit share, with the parameters of `fit_vae`."""

    def __init__(self, x, first_rows, recipe, start):
        self.recipe, self.split = recipe, Split(x, first_rows, recipe)
        self._warm = start
        if start is not None:
            self._warm = start if isinstance(start.parts[0].coder, Coder) else None

    def closed_form(self):
        """Return the linear VAE of all rows, beside itself with a cross-fitted noise.

        A few far rows make that noise too large for the others, so both are mixed.
        """
        split, recipe = self.split, self.recipe
        linear = fit_linear(split.x, recipe)
        cross_fit = CrossFit(split.x, linear, recipe.training_noise, recipe.floor)
        honest = linear.with_noise(cross_fit.noise_variance)
        variance = honest.noise_variance
        if split.gains_columns:
            variance = as_noise(cross_fit.error, split)
        weight = stacking_weight(*cross_fit.log_densities(variance))
        coder = LinearCoder(honest)
        variance = variance * interval_factor(coder, honest.fill, split)
        start = Start(coder, tracked(variance, split), honest, honest, linear)
        candidate = make_candidate(coder, start, variance, split, linear)
        density = replace(candidate.density, weights=(weight, 1 - weight))
        progress = Progress(n_epochs=1, stopped="closed form")
        return replace(candidate, density=density), progress

    def early_stopped(self):
        """Train until validation rows improve no more; keep what suited them best."""
        split = self.split
        start = self._start(split.training)
        copied = replace(start, network=start.network.copy())
        record = self._train(copied, split.training, split.inside)
        network, progress = record.network, record.progress
        if has_diverged(network, start, split):
            network = start.network
            history = {"best_epoch": 0, "best_score": progress.start_score}
            progress = replace(progress, stopped="diverged", **history)
        may_fall_back = self._warm is None and self.recipe.training.beta == 1
        if may_fall_back and not (
            progress.best_epoch and is_better(network, start, split)
        ):
            history = {"best_epoch": 0, "best_score": progress.start_score}
            return self._fallen_back(start), replace(progress, **history)
        candidate = self._calibrated(network, start)
        n_epochs = round(LAST_ROUND * progress.best_epoch)
        if n_epochs:
            likelihood = record.likelihood
            best = replace(start, network=network, likelihood=likelihood)
            changes = {"max_epochs": n_epochs, "patience": None, "kl_warmup": False}
            last = self._train(best, split.x, listener=SILENT, **changes)
            if not has_diverged(last.network, start, split):
                candidate = replace(candidate, network=last.network)
            if last.progress.stopped == "diverged":
                progress = replace(progress, stopped="diverged")
        return self._with_fallback_of_all(candidate), progress

    def all_rows(self):
        """Train all rows; the noise is that of a rehearsal without the validation."""
        split = self.split
        start = self._start(split.training)
        parts = split.training, split.validation
        copied = replace(start, network=start.network.copy())
        rehearsal = self._train(copied, *parts, listener=SILENT)
        network, of_rest = rehearsal.network, start
        start = self._start(split.x)
        copied = replace(start, network=start.network.copy())
        record = self._train(copied, split.x)
        trained, progress = record.network, record.progress
        if has_diverged(network, of_rest, split) or has_diverged(trained, start, split):
            network, trained = of_rest.network, start.network
            progress = replace(progress, stopped="diverged", best_epoch=0)
        candidate = self._calibrated(network, of_rest)
        candidate = replace(candidate, network=trained, start=start)
        if self._warm is None:
            return self._with_fallback(candidate, start.fallback), progress
        return self._with_fallback_of_all(candidate), progress

    def _fallen_back(self, start):
        """Return the closed form, or with indicators what training starts from."""
        if self.recipe.layout.is_numeric:
            candidate, _ = self.closed_form()
            return self._refined(candidate, start)
        candidate = self._calibrated(start.network, start)
        every = self._start(self.split.x)
        candidate = replace(candidate, network=every.network, start=every)
        return self._with_fallback(candidate, every.fallback)

    def _refined(self, closed_form, start):
        """Let the closed form have a prior and a dispersion, if they help.

        Validation rows see the linear VAE of the others; both are then fitted to all
        rows.
        """
        split, variance = self.split, closed_form.first.likelihood.variance
        if not split.gains_columns:
            return closed_form
        fallback = fallback_vae(start.fallback, split.training, split)
        of_rest = make_candidate(start.network, start, variance, split, fallback)
        chosen = choose_prior(choose_dispersion(of_rest, split), split).first
        if not (chosen.prior.is_fitted or chosen.likelihood.dispersion.is_fitted):
            return closed_form
        of_rest = of_rest.with_first(likelihood=chosen.likelihood, prior=chosen.prior)
        weights = choose_weight(of_rest, split).density.weights
        density = closed_form.density.with_first(
            likelihood=chosen.likelihood, prior=chosen.prior
        )
        return replace(closed_form, density=replace(density, weights=weights))

    def _start(self, x):
        """Return where training on some rows starts."""
        if self._warm is None:
            return start_from_linear(x, self.split)
        return start_from_density(self._warm, x, self.split)

    def _train(self, start, x, validation=None, **changes):
        """Train a start's network on some rows; its noise is left as it is."""
        recipe, device = self.recipe, torch.device(self.recipe.device)
        validation = x[:0] if validation is None else validation
        record = train(
            start.network.to(device),
            start.likelihood.clone().to(device),
            start.rows(x).to(device),
            start.rows(validation).to(device),
            replace(recipe.training, **changes),
            torch.Generator(device).manual_seed(recipe.seed),
            start.fill,
        )
        likelihood = record.likelihood.to("cpu")
        return replace(record, network=record.network.to("cpu"), likelihood=likelihood)

    def _calibrated(self, network, start):
        """Return the candidate of a network with what validation rows tell of it."""
        split = self.split
        fallback = fallback_vae(start.fallback, split.training, split)
        variance = start.likelihood.variance.double()
        candidate = make_candidate(network, start, variance, split, fallback)
        return calibrate(candidate, split)

    def _with_fallback_of_all(self, candidate):
        return self._with_fallback(candidate, fit_linear(self.split.x, self.recipe))

    def _with_fallback(self, candidate, linear):
        """Let the density fall back on a linear VAE of all rows."""
        layout, first = self.recipe.layout, candidate.first
        linear = fallback_vae(linear, self.split.x, self.split)
        parts = first, linear_part(linear, layout)
        return replace(candidate, density=replace(candidate.density, parts=parts))
