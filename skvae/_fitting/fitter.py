"""The ways to fit: from rows to a trial, and from a trial to a fitted model."""

from dataclasses import dataclass, replace
from math import inf

import numpy as np
import torch

from skvae._fitting.calibration import (
    STEPS,
    calibrate,
    choose_dispersion,
    choose_prior,
    choose_weight,
    interval_factor,
)
from skvae._fitting.candidate import as_noise, fallback_vae, make_candidate
from skvae._fitting.comparison import has_diverged, is_better
from skvae._fitting.dimension import explained_by
from skvae._fitting.finish import finish
from skvae._fitting.split import Split
from skvae._fitting.start import (
    Start,
    fit_linear,
    start_from_density,
    start_from_linear,
    tracked,
)
from skvae._likelihoods.noise import Tracked
from skvae._linear.cross_fit import CrossFit
from skvae._model.coder import Coder, LinearCoder
from skvae._model.density import Density, stacking_weight
from skvae._model.map_coder import MapCoder
from skvae._model.network import VAE
from skvae._model.parts import linear_part
from skvae._training.loop import Progress, train

ACTIVE_NATS = 0.01  # a component that carries less counts as empty
LAST_ROUND = 0.3  # epochs of all rows at the end, as a share of those that helped


@dataclass(frozen=True)
class Solution:
    """A fitted model, and how the fit went."""

    density: Density
    component_kl: torch.Tensor  # (k,): nats that each component carries
    progress: Progress  # of the training that found it
    explained: np.ndarray  # (k,): what each adds to the validation rows' R2

    @property
    def is_map(self):
        """Whether it is a map of neighbours."""
        return isinstance(self.density.parts[0].coder, MapCoder)

    @property
    def n_active(self):
        """Number of components that carry more than next to nothing."""
        return int((self.component_kl > ACTIVE_NATS).sum())


@dataclass(frozen=True)
class Trial:
    """What came of the rows that do not validate."""

    start: Start
    network: VAE | LinearCoder  # that of the start where nothing was better
    likelihood: Tracked
    progress: Progress


class Fitter:
    """What the ways to fit share, with the parameters of `fit_vae`."""

    def __init__(self, x, first_rows, recipe, haste, start=None):
        self.recipe, self.split = recipe, Split(x, first_rows, recipe)
        self.haste, self.listener = haste, recipe.training.listener
        self._warm = start
        if start is not None:
            self._warm = start if isinstance(start.parts[0].coder, Coder) else None

    def trial(self):
        """Fit to the rows that do not validate."""
        split, tell = self.split, self.listener.phase
        tell(f"Fitting a linear model to {count(split.training)}")
        if self.recipe.is_closed_form:
            linear = fit_linear(split.training, self.recipe)
            likelihood = tracked(linear.noise_variance, split)
            start = Start(LinearCoder(linear), likelihood, linear, linear, linear)
            progress = Progress(n_epochs=1, stopped="closed form")
            return Trial(start, start.network, likelihood, progress)
        start = self._start(split.training)
        copied = replace(start, network=start.network.copy())
        n_rows = count(split.training)
        tell(f"Training on {n_rows}; {count(split.validation)} validate")
        record = self._train(copied, split.training, split.inside)
        network, progress = record.network, record.progress
        if self.haste.insist(has_diverged, network, start, split):
            history = {"best_epoch": 0, "best_score": progress.start_score}
            network = start.network
            progress = replace(progress, stopped="diverged", **history)
        if self.haste.insist(self._is_no_better, network, progress, start):
            history = {"best_epoch": 0, "best_score": progress.start_score}
            network, progress = start.network, replace(progress, **history)
        return Trial(start, network, record.likelihood, progress)

    def solution(self, trial):
        """Return what all rows make of a trial."""
        if self.recipe.is_closed_form:
            return self._finished(trial, self.closed_form(), trial.progress)
        kept = self.haste.insist(self._of_all_rows, trial)
        return self.haste.insist(self._finished, trial, *kept)

    def _of_all_rows(self, trial):
        """Return the candidate that all rows make of a trial, and how training went."""
        if trial.network is trial.start.network and self._warm is None:
            return self._fallen_back(trial.start), trial.progress
        if self.recipe.training.patience:
            return self.early_stopped(trial)
        return self.all_rows(trial)

    def _finished(self, trial, candidate, progress):
        density, component_kl = finish(candidate, self.split)
        shares = self.explained(trial, range(1, len(component_kl) + 1))
        if self.haste.reason and progress.stopped != "diverged":
            progress = replace(progress, stopped=self.haste.reason)
        return Solution(density, component_kl, progress, np.diff(shares, prepend=0.0))

    def _is_no_better(self, network, progress, start):
        """Whether the start is kept instead of a network."""
        training = self.recipe.training
        may_fall_back = self._warm is None and training.beta == 1 and training.patience
        if not may_fall_back:
            return False
        return not (progress.best_epoch and is_better(network, start, self.split))

    def explained(self, trial, counts):
        """Return the shares of the validation rows' variance that components explain.

        Parameters
        ----------
        trial : Trial
        counts : sequence of int
            How many components.

        Returns
        -------
        ndarray of shape (len(counts),)
        """
        split, start = self.split, trial.start
        variance = start.likelihood.variance.double()
        candidate = make_candidate(trial.network, start, variance, split, start.linear)
        given = candidate.first, split.training, split.validation, counts
        return explained_by(*given, self.recipe.units)

    def closed_form(self):
        """Return the linear VAE of all rows, beside itself with a cross-fitted noise.

        A few far rows make that noise too large for the others, so both are mixed.
        """
        split, recipe = self.split, self.recipe
        self.listener.phase(f"Fitting the linear model to all {count(split.x)}")
        linear = fit_linear(split.x, recipe)
        self.listener.phase("Measuring its noise on rows left out")
        given = split.x, linear, recipe.training_noise, recipe.floor
        cross_fit = CrossFit(*given, units=recipe.units)
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
        return replace(candidate, density=density)

    def early_stopped(self, trial):
        """Let the validation rows choose, then join the training."""
        split, start, progress = self.split, trial.start, trial.progress
        candidate = self._calibrated(trial.network, start)
        n_epochs = round(LAST_ROUND * progress.best_epoch)
        if n_epochs and not self.haste.reason:
            self.listener.phase(
                f"Training on all {count(split.x)} from the weights of epoch "
                f"{progress.best_epoch}"
            )
            network = trial.network.copy()
            best = replace(start, network=network, likelihood=trial.likelihood)
            changes = {"max_epochs": n_epochs, "patience": None, "kl_warmup": False}
            last = self._train(best, split.x, **changes)
            if not has_diverged(last.network, start, split):
                candidate = replace(candidate, network=last.network)
            if last.progress.stopped == "diverged":
                progress = replace(progress, stopped="diverged")
        return self._with_fallback_of_all(candidate), progress

    def all_rows(self, trial):
        """Train all rows; the noise is that of the trial, without the validation.

        The trial's network is kept where there is no time for that.
        """
        split = self.split
        candidate = self._calibrated(trial.network, trial.start)
        progress = replace(trial.progress, validation_scores=(), start_score=-inf)
        if not self.haste.reason:
            self.listener.phase(f"Training on all {count(split.x)} from the start")
            start = self._start(split.x)
            copied = replace(start, network=start.network.copy())
            record = self._train(copied, split.x)
        if self.haste.reason:
            return self._with_fallback_of_all(candidate), progress
        if has_diverged(record.network, start, split):
            progress = replace(progress, stopped="diverged", best_epoch=0)
            if self._warm is None:
                return self._fallen_back(trial.start), progress
            return self._with_fallback_of_all(candidate), progress
        progress = record.progress
        candidate = replace(candidate, network=record.network, start=start)
        if self._warm is None:
            return self._with_fallback(candidate, start.fallback), progress
        return self._with_fallback_of_all(candidate), progress

    def _fallen_back(self, start):
        """Return the closed form, or with indicators what training starts from."""
        if self.recipe.layout.is_numeric:
            return self._refined(self.closed_form(), start)
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
        if record.progress.was_cut_short:
            self.haste.reason = record.progress.stopped
        likelihood = record.likelihood.to("cpu")
        return replace(record, network=record.network.to("cpu"), likelihood=likelihood)

    def _calibrated(self, network, start, steps=STEPS):
        """Return the candidate of a network with what validation rows tell of it."""
        split = self.split
        self.listener.phase("Choosing the noise and the prior by the validation rows")
        fallback = fallback_vae(start.fallback, split.training, split)
        variance = start.likelihood.variance.double()
        candidate = make_candidate(network, start, variance, split, fallback)
        return calibrate(candidate, split, steps)

    def _with_fallback_of_all(self, candidate):
        return self._with_fallback(candidate, fit_linear(self.split.x, self.recipe))

    def _with_fallback(self, candidate, linear):
        """Let the density fall back on a linear VAE of all rows."""
        layout, first = self.recipe.layout, candidate.first
        linear = fallback_vae(linear, self.split.x, self.split)
        parts = first, linear_part(linear, layout)
        return replace(candidate, density=replace(candidate.density, parts=parts))


def count(rows):
    return f"{len(rows):,} row{'s' * (len(rows) != 1)}"
