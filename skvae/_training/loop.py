"""Fit a VAE to rows: batches, gradients, averaging, held-out noise, stopping.

The loop knows the network by its flat vector and the likelihood by its verbs; it takes
tensors and returns a record.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, isfinite, nan

import torch

from skvae._model.bounds import kl_divergence
from skvae._numerics.missing import have_missing
from skvae._training.gradient import gradient_of

# Shares of the way that the averaged weights and the running noise move in a step.
AVERAGING = 0.01
NOISE_TRACKING = 0.05
LR_WARMUP_STEPS = 100
KL_WARMUP_START = 0.1
KL_WARMUP_EPOCHS = 25
KL_WARMUP_STEPS = 500
ADAM_BETAS = 0.9, 0.999
ADAM_EPS = 1e-16  # under the root
MIN_PATIENCE_STEPS = 200  # on a small table an epoch is but a few steps
EVALUATION_ROWS = 2048  # at a time: bounds the memory of an evaluation
RESTART_SLOWDOWN = 0.1
HIDDEN_SHARE = 0.15  # of the entries of a table with holes, that an epoch leaves out


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
    report: Callable[[int, float, float | None], None] | None = None


@dataclass
class Record:
    """What training found, and how it went."""

    flat: torch.Tensor  # the best weights
    likelihood: object  # with the noise that held-out rows measured
    best_score: float
    start_score: float
    n_epochs: int = 0
    best_epoch: int = 0  # 0: nothing beat the start
    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    stopped: str = ""  # "patience", "max_epochs" or "diverged"


def train(vae, likelihood, x, held_out, settings, generator):
    """Maximise the ELBO of some rows until that of others improves no more.

    Parameters
    ----------
    vae : VAE
        Starts where it stands and is left at the last step.
    likelihood : Gaussian or Mixed
        Starts with its noise, and is left at the last step's running estimate.
    x : Tensor of shape (n, d)
        NaN where an entry is missing.
    held_out : Tensor of shape (n_held_out, d)
        Without any the last averaged weights are the best.
    settings : Settings
    generator : torch.Generator
        Of batches and draws.

    Returns
    -------
    Record
    """
    return _Trainer(vae, likelihood, x, settings, generator).run(held_out)


def evaluate(vae, likelihood, x, noise, beta=1.0):
    """Score rows by their ELBO at their own best noise.

    The plain ELBO at the training noise is no stopping rule: one outlier in a
    near-constant column decides it.

    Returns
    -------
    score : float
        In nats a row.
    likelihood : Gaussian or Mixed
        With the noise that these rows measure.
    """
    error, kl = _error_and_kl(vae, likelihood, x, noise)
    fitted = likelihood.refit(error.to(x.dtype))
    return float(fitted.expected_log_prob(error) - beta * kl), fitted


def mean_error(vae, likelihood, x, noise):
    """Mean error of each column, (d,), float64, after one draw of z a row.

    Of its observed entries; 0 where there are none.
    """
    return _error_and_kl(vae, likelihood, x, noise)[0]


def _error_and_kl(vae, likelihood, x, noise):
    error = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
    kl = torch.zeros((), dtype=torch.float64, device=x.device)
    have_holes = bool(x.isnan().any())
    parts = zip(x.split(EVALUATION_ROWS), noise.split(EVALUATION_ROWS), strict=True)
    with torch.no_grad():
        for rows, eps in parts:
            mean, log_var = vae.encode(rows)
            decoded = vae.decode(mean + (0.5 * log_var).exp() * eps)
            errors = likelihood.errors(rows, decoded)
            error += errors.nansum(dim=0) if have_holes else errors.sum(dim=0)
            kl += kl_divergence(mean, log_var).sum()
    if not have_holes:
        return error / len(x), kl / len(x)
    n_observed = len(x) - x.isnan().sum(dim=0)
    return error / n_observed.clamp(min=1), kl / len(x)


class _Trainer:
    """One training run: the moving parts that its steps share."""

    def __init__(self, vae, likelihood, x, settings, generator):
        self.vae, self.likelihood, self.x = vae, likelihood, x
        self.settings, self.generator = settings, generator
        self.averaged = vae.with_flat(vae.flat.clone())
        self.batch_size = min(settings.batch_size, len(x))
        self.steps_per_epoch = len(x) // self.batch_size
        self.have_holes = have_missing(x)
        self.filled = self.target = x  # with holes other ones in each epoch
        self.gradient = gradient_of(vae, self.batch_size, self.have_holes)
        self.error, self.kl = x.new_zeros(x.shape[1]), x.new_zeros(())
        self.decayed = vae.flat[: vae.architecture.n_decayed]
        self.epsilon = vae.flat.new_tensor(ADAM_EPS)
        self.n_steps = 0
        self._start_optimizer(settings.learning_rate)

    def run(self, held_out):
        settings, is_validated = self.settings, bool(len(held_out))
        noise = self._draw(len(held_out))
        score, fitted = -inf, self.likelihood.clone()
        if is_validated:
            score, fitted = self._evaluate(held_out, noise)
        record = Record(self.averaged.flat.clone(), fitted, score, score)
        warmup, patience = self._kl_warmup_steps(), self._patience_epochs()
        last_improvement = restarts = 0
        for epoch in range(1, settings.max_epochs + 1):
            loss = self.epoch(warmup)
            score, fitted = -loss, self.likelihood
            if is_validated:
                score, fitted = self._evaluate(held_out, noise)
                record.validation_scores.append(score)
            record.loss_curve.append(loss)
            record.n_epochs = epoch
            if settings.report:
                settings.report(epoch, loss, score if is_validated else None)
            if not (isfinite(loss) and isfinite(score) and self._weights_are_finite()):
                if restarts:
                    record.stopped = "diverged"
                    break
                restarts += 1
                self._restart_from(record)
                continue
            if score > record.best_score or not settings.patience:
                if score > record.best_score + settings.tol:
                    last_improvement = epoch
                record.flat.copy_(self.averaged.flat)
                record.likelihood = fitted.clone()
                record.best_score, record.best_epoch = score, epoch
            if self.n_steps < warmup:
                last_improvement = epoch  # a falling weight of the KL hides progress
            elif patience and epoch - last_improvement >= patience:
                record.stopped = "patience"
                break
        else:
            record.stopped = "max_epochs"
        return record

    def epoch(self, kl_warmup_steps):
        """Visit the rows once in random order; return the mean loss in nats a row."""
        device, n_batches = self.x.device, self.steps_per_epoch
        order = torch.randperm(len(self.x), generator=self.generator, device=device)
        self.error.zero_()
        self.kl.zero_()
        if self.have_holes:
            self._hide_some()
        with torch.inference_mode(not self.gradient.uses_autograd):
            for rows in order.split(self.batch_size)[:n_batches]:
                beta = self.settings.beta * self._kl_share(kl_warmup_steps)
                self._step(rows, beta)
        error, kl = self.error / n_batches, self.kl / n_batches
        return float(beta * kl - self.likelihood.expected_log_prob(error))

    def _hide_some(self):
        """Let more entries be missing, others in each epoch, and fill them in."""
        shape = len(self.x), self.likelihood.n_entries
        chance = torch.rand(shape, generator=self.generator, device=self.x.device)
        hidden = self.likelihood.of_columns(chance < HIDDEN_SHARE)
        self.target = self.x.masked_fill(hidden, nan)
        self.filled = self.vae.fill(self.target)

    def _step(self, rows, beta):
        """Follow the gradient of some rows."""
        torch.index_select(self.filled, 0, rows, out=self.gradient.x)
        if self.have_holes:
            torch.index_select(self.target, 0, rows, out=self.gradient.target)
        if self.settings.beta:
            self.gradient.noise.normal_(generator=self.generator)
        error, kl = self.gradient(self.likelihood, beta)
        self.error.add_(error)
        self.kl.add_(kl)
        self.likelihood.track(error, NOISE_TRACKING)
        self._update_weights()

    def _update_weights(self):
        """AdamW on the flat vector (Loshchilov & Hutter 2019), then the average."""
        self.n_steps += 1
        self.n_optimizer_steps += 1
        t = self.n_optimizer_steps
        rate = self.learning_rate * min(1.0, t / LR_WARMUP_STEPS)
        beta1, beta2 = ADAM_BETAS
        gradient = self.gradient.flat
        self.first_moment.lerp_(gradient, 1 - beta1)
        torch.addcmul(self.epsilon, gradient, gradient, out=self.scale)
        self.second_moment.lerp_(self.scale, 1 - beta2)
        torch.pow(self.second_moment, -0.5, out=self.scale)
        self.decayed.sub_(self.decayed, alpha=rate * self.settings.weight_decay)
        rate *= (1 - beta2**t) ** 0.5 / (1 - beta1**t)
        self.vae.flat.addcmul_(self.first_moment, self.scale, value=-rate)
        self.averaged.flat.lerp_(self.vae.flat, AVERAGING)

    def _weights_are_finite(self):
        return bool(self.averaged.flat.isfinite().all())

    def _evaluate(self, x, noise):
        beta = self.settings.beta
        return evaluate(self.averaged, self.likelihood, x, noise, beta)

    def _draw(self, n):
        """Draw standard normal noise for z; zeros for the autoencoder, beta = 0."""
        k, device = self.vae.architecture.n_components, self.x.device
        noise = torch.zeros(n, k, dtype=torch.float32, device=device)
        return noise.normal_(generator=self.generator) if self.settings.beta else noise

    def _patience_epochs(self):
        """As many as asked for, and enough for a small table to move."""
        if not self.settings.patience:
            return None
        return max(
            self.settings.patience, -(-MIN_PATIENCE_STEPS // self.steps_per_epoch)
        )

    def _kl_share(self, kl_warmup_steps):
        """Weight of the KL as a share of beta: rises to 1 within the warm-up."""
        if self.n_steps >= kl_warmup_steps:
            return 1.0
        ahead = 1 - self.n_steps / kl_warmup_steps
        return 1 - (1 - KL_WARMUP_START) * ahead

    def _kl_warmup_steps(self):
        """At most half of the run, however short."""
        longest = min(KL_WARMUP_EPOCHS, self.settings.max_epochs // 2)
        steps = min(KL_WARMUP_STEPS, longest * self.steps_per_epoch)
        return steps if self.settings.kl_warmup else 0

    def _start_optimizer(self, learning_rate):
        self.learning_rate = learning_rate
        self.n_optimizer_steps = 0
        self.first_moment = torch.zeros_like(self.vae.flat)
        self.second_moment = torch.zeros_like(self.vae.flat)
        self.scale = torch.empty_like(self.vae.flat)

    def _restart_from(self, record):
        self.vae.flat.copy_(record.flat)
        self.averaged.flat.copy_(record.flat)
        self.likelihood = record.likelihood.clone()
        self._start_optimizer(self.learning_rate * RESTART_SLOWDOWN)
