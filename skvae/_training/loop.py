"""Train a network on rows: batches, gradients, averaging, stopping.

The loop knows the network by its flat vector and the likelihood by its verbs; it takes
tensors and returns a record. All that goes on from one epoch to the next is in the
state of a `Trainer`, which can be saved and restored.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from math import inf, isfinite, nan

import torch

from skvae._likelihoods.noise import Tracked
from skvae._model.network import VAE
from skvae._numerics.chunks import map_chunks
from skvae._training.evaluation import evaluate
from skvae._training.events import SILENT, Listener
from skvae._training.gradient import Gradient
from skvae._training.optimizer import AdamW

# Shares of the way that the averaged weights and the running noise move in a step.
AVERAGING = 0.01
NOISE_TRACKING = 0.05
KL_WARMUP_START = 0.1
KL_WARMUP_EPOCHS = 25
KL_WARMUP_STEPS = 250
MIN_PATIENCE_STEPS = 200  # on a small table an epoch is but a few steps
RESTART_SLOWDOWN = 0.1
HIDDEN_SHARE = 0.15  # of the entries of an incomplete table, that an epoch leaves out


@dataclass(frozen=True)
class Settings:
    """How to train."""

    batch_size: int
    max_epochs: int
    learning_rate: float
    weight_decay: float
    beta: float
    patience: int | None  # epochs without improvement; None keeps the last epoch
    tol: float  # nats a row that count as an improvement
    kl_warmup: bool = True  # whether the weight of the KL rises to beta by and by
    listener: Listener = SILENT


@dataclass(frozen=True)
class Progress:
    """How training went so far, in numbers."""

    best_score: float = -inf
    start_score: float = -inf
    n_epochs: int = 0  # whose loss was finite
    best_epoch: int = 0  # 0: nothing beat the start
    last_improvement: int = 0  # the epoch that gained the tolerance on the last such
    score_to_gain_on: float = -inf  # of that epoch
    n_restarts: int = 0
    loss_curve: tuple[float, ...] = ()
    validation_scores: tuple[float, ...] = ()
    stopped: str = ""  # "patience", "max_epochs", "asked", "interrupted" or "diverged"

    @property
    def was_cut_short(self):
        """Whether someone would not wait for the end."""
        return self.stopped in ("asked", "interrupted")


@dataclass(frozen=True)
class _Standing:
    """What a run would give if it ended now: replaced as a whole, never changed.

    So an interrupt, which may come between any two steps, finds it consistent.
    """

    progress: Progress
    flat: torch.Tensor  # the best weights
    likelihood: Tracked  # with the noise that the validation rows measured there


@dataclass(frozen=True)
class Record:
    """What training found, and how it went."""

    network: VAE  # at its best weights
    likelihood: object  # with the noise that the validation rows measured there
    progress: Progress


def train(vae, likelihood, rows, validation, settings, generator, fill):
    """Maximise the ELBO of some rows until that of others improves no more.

    A KeyboardInterrupt ends the run as a listener may, with what it has found so far.

    Parameters
    ----------
    vae : VAE
        Starts where it stands and is left at the last step.
    likelihood : Tracked
        Starts with its noise, and is left at the last step's running estimate.
    rows : Rows
        To train on.
    validation : Rows
        To stop by. Without any the last averaged weights are the best.
    settings : Settings
    generator : torch.Generator
        Of batches and draws.
    fill : callable
        Fills the gaps of rows, for the encoder to read.

    Returns
    -------
    Record
    """
    arguments = vae, likelihood, rows, validation, settings, generator, fill
    return Trainer(*arguments).run()


class Trainer:
    """One training run, with the parameters of `train`."""

    def __init__(
        self,
        vae: VAE,
        likelihood,
        rows,
        validation,
        settings: Settings,
        generator: torch.Generator,
        fill: Callable,
    ):
        self._vae, self._likelihood, self._rows = vae, likelihood, rows
        self._validation, self._settings = validation, settings
        self._generator, self._fill = generator, fill
        self._averaged = vae.with_flat(vae.flat.clone())
        self._batch_size = min(settings.batch_size, len(rows))
        self._steps_per_epoch = len(rows) // self._batch_size
        self._gradient = Gradient(vae, self._batch_size, rows.has_missing)
        self._error, self._kl = rows.x.new_zeros(rows.x.shape[1]), rows.x.new_zeros(())
        self._optimizer = AdamW(
            vae.flat,
            vae.architecture.n_decayed,
            settings.learning_rate,
            settings.weight_decay,
        )
        self._n_steps, self._kl_warmup = 0, self._kl_warmup_steps()
        self._draws = self._draw(len(validation))
        self._best = _Standing(Progress(), vae.flat.clone(), likelihood.clone())

    def run(self):
        """Train from where this stands to the end; return the record."""
        try:
            self._settings.listener.begin(self._settings.max_epochs)
            if not self._progress.n_epochs and self._is_validated:
                self._score_start()
            while not self._progress.stopped:
                self.run_epoch()
        except KeyboardInterrupt:
            self._best = _with_progress(self._best, stopped="interrupted")
        best = self._best
        self._averaged.flat.copy_(best.flat)
        return Record(self._averaged, best.likelihood, best.progress)

    def run_epoch(self):
        """Visit the rows once, and take note of what that brought."""
        loss = self._visit_rows()
        score, fitted = -loss, self._likelihood
        if self._is_validated:
            score, fitted = self._evaluate()
        epoch = self._progress.n_epochs + 1
        self._best = best = self._judge(loss, score, fitted)
        shown = score if self._is_validated else None
        is_asked = self._settings.listener.epoch_end(epoch, loss, shown)
        if is_asked and best.progress.stopped != "diverged":
            self._best = _with_progress(best, stopped="asked")

    def state(self):
        """Return copies of all that the rest of the run depends on."""
        return {
            "flat": self._vae.flat.clone(),
            "averaged": self._averaged.flat.clone(),
            "optimizer": self._optimizer.state(),
            "variance": self._likelihood.variance.clone(),
            "best_flat": self._best.flat.clone(),
            "best_variance": self._best.likelihood.variance.clone(),
            "generator": self._generator.get_state(),
            "draws": self._draws.clone(),
            "n_steps": self._n_steps,
            "progress": asdict(self._progress),
        }

    def load(self, state):
        """Go on from what `state` returned."""
        self._vae.flat.copy_(state["flat"])
        self._averaged.flat.copy_(state["averaged"])
        self._optimizer.load(state["optimizer"])
        self._likelihood.variance.copy_(state["variance"])
        self._generator.set_state(state["generator"])
        self._draws.copy_(state["draws"])
        self._n_steps = state["n_steps"]
        # A run that was asked to stop can go on.
        progress = Progress(**state["progress"] | {"stopped": ""})
        best_likelihood = self._likelihood.clone()
        best_likelihood.variance.copy_(state["best_variance"])
        self._best = _Standing(progress, state["best_flat"].clone(), best_likelihood)

    @property
    def _progress(self):
        return self._best.progress

    @property
    def _is_validated(self):
        return bool(len(self._validation))

    def _score_start(self):
        """Let the validation rows say what there is to beat."""
        score, fitted = self._evaluate()
        known = ("start_score", "best_score", "score_to_gain_on")
        best = _with_progress(self._best, **dict.fromkeys(known, score))
        self._best = replace(best, likelihood=fitted)

    def _judge(self, loss, score, fitted):
        """Return how the run stands after an epoch."""
        before, best = self._progress, self._best
        scores = (score,) if self._is_validated else ()
        if isfinite(loss) and isfinite(score) and self._weights_are_finite():
            best = _with_progress(
                best,
                n_epochs=before.n_epochs + 1,
                loss_curve=(*before.loss_curve, loss),
                validation_scores=(*before.validation_scores, *scores),
            )
            best = self._better(best, score, fitted)
            stopped = self._reason_to_stop(best.progress)
        elif before.n_restarts:
            stopped = "diverged"
        else:  # an epoch that does not count
            stopped = ""
            self._restart()
            best = _with_progress(best, n_restarts=before.n_restarts + 1)
        if not stopped and best.progress.n_epochs >= self._settings.max_epochs:
            stopped = "max_epochs"
        return _with_progress(best, stopped=stopped)

    def _better(self, best, score, fitted):
        """Return the better of the best so far and the averaged weights."""
        progress, settings = best.progress, self._settings
        epoch, is_warming_up = progress.n_epochs, self._n_steps < self._kl_warmup
        # A falling weight of the KL hides progress. Small gains add up.
        if is_warming_up or score > progress.score_to_gain_on + settings.tol:
            now = {"last_improvement": epoch, "score_to_gain_on": score}
            best = _with_progress(best, **now)
        if score > progress.best_score or not settings.patience:
            best = _with_progress(best, best_score=score, best_epoch=epoch)
            flat = self._averaged.flat.clone()
            return replace(best, flat=flat, likelihood=fitted.clone())
        return best

    def _reason_to_stop(self, progress):
        """Return "patience" where it is at its end, else an empty string."""
        if not self._settings.patience:
            return ""
        # As many epochs as asked for, and enough for a small table to move.
        enough = -(-MIN_PATIENCE_STEPS // self._steps_per_epoch)
        patience = max(self._settings.patience, enough)
        is_over = progress.n_epochs - progress.last_improvement >= patience
        return "patience" if is_over else ""

    def _visit_rows(self):
        """Visit the rows in random order; return the mean loss in nats a row."""
        n_batches, rows = self._steps_per_epoch, self._rows
        order = torch.randperm(
            len(rows), generator=self._generator, device=rows.x.device
        )
        self._error.zero_()
        self._kl.zero_()
        if rows.has_missing:
            rows = self._hide_some()
        with torch.inference_mode():
            for some in order.split(self._batch_size)[:n_batches]:
                beta = self._settings.beta * self._kl_share()
                self._step(rows, some, beta)
        error, kl = self._error / n_batches, self._kl / n_batches
        return float(beta * kl - self._likelihood.expected_log_prob(error))

    def _hide_some(self):
        """Let more entries be missing, others in each epoch, and fill the gaps."""
        x, observed = map_chunks(self._hide, self._rows.observed)
        return replace(self._rows, x=x, observed=observed)

    def _hide(self, observed):  # (n, d) -> (n, d), (n, d)
        sizes = self._likelihood.sizes.to(observed.device)
        chance = torch.empty(
            len(observed), len(sizes), dtype=torch.float32, device=observed.device
        )
        hidden = chance.uniform_(generator=self._generator) < HIDDEN_SHARE
        if len(sizes) < observed.shape[1]:
            hidden = hidden.repeat_interleave(sizes, dim=1)
        target = observed.masked_fill(hidden, nan)
        return self._fill(target), target

    def _step(self, rows, some, beta):
        """Follow the gradient of some rows."""
        gradient = self._gradient
        torch.index_select(rows.x, 0, some, out=gradient.x)
        if rows.has_missing:
            torch.index_select(rows.observed, 0, some, out=gradient.target)
        if self._settings.beta:
            gradient.draws.normal_(generator=self._generator)
        error, kl = gradient(self._likelihood, beta)
        self._error.add_(error)
        self._kl.add_(kl)
        self._likelihood.track(error, NOISE_TRACKING)
        self._n_steps += 1
        self._optimizer.step(gradient.flat)
        self._averaged.flat.lerp_(self._vae.flat, AVERAGING)

    def _weights_are_finite(self):
        return bool(self._averaged.flat.isfinite().all())

    def _evaluate(self):
        beta, rows = self._settings.beta, self._validation
        return evaluate(self._averaged, self._likelihood, rows, self._draws, beta)

    def _draw(self, n):
        """Draw standard normal z; zeros for the autoencoder, beta = 0."""
        k, device = self._vae.architecture.n_components, self._rows.x.device
        draws = torch.zeros(n, k, dtype=torch.float32, device=device)
        return (
            draws.normal_(generator=self._generator) if self._settings.beta else draws
        )

    def _kl_share(self):
        """Return the weight of the KL as a share of beta: it rises to 1."""
        if self._n_steps >= self._kl_warmup:
            return 1.0
        return 1 - (1 - KL_WARMUP_START) * (1 - self._n_steps / self._kl_warmup)

    def _kl_warmup_steps(self):
        """Return the steps of the warm-up: at most half of the run, however short."""
        longest = min(KL_WARMUP_EPOCHS, self._settings.max_epochs // 2)
        steps = min(KL_WARMUP_STEPS, longest * self._steps_per_epoch)
        return steps if self._settings.kl_warmup else 0

    def _restart(self):
        """Go back to the best weights, at a lower rate."""
        self._vae.flat.copy_(self._best.flat)
        self._averaged.flat.copy_(self._best.flat)
        self._likelihood = self._best.likelihood.clone()
        self._optimizer.restart(RESTART_SLOWDOWN)


def _with_progress(standing, **changes):
    return replace(standing, progress=replace(standing.progress, **changes))
