"""Fit a VAE to rows: batches, gradients, averaging, held-out noise, stopping.

The loop knows the network by its flat vector and the likelihood by its verbs; it takes
tensors and returns a record.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, isfinite

import torch

from skvae._bounds import kl_divergence
from skvae._gradient import gradient_of

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
EVALUATION_ROWS = 8192  # at a time: bounds the memory of an evaluation
RESTART_SLOWDOWN = 0.1


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


def train(vae, likelihood, x, train_rows, validation_rows, settings, generator):
    """Maximise the ELBO of some rows until that of others improves no more.

    Parameters
    ----------
    vae : VAE
        Starts where it stands and is left at the last step.
    likelihood : Gaussian
        Starts with its noise, and is left at the last step's running estimate.
    x : Tensor of shape (n, d)
    train_rows, validation_rows : Tensor of int64
        Without validation rows the last averaged weights are the best.
    settings : Settings
    generator : torch.Generator
        Of batches and draws.

    Returns
    -------
    Record
    """
    n_rows = len(train_rows)
    trainer = _Trainer(vae, likelihood, x, settings, generator, n_rows)
    return trainer.run(train_rows, validation_rows)


def evaluate(vae, likelihood, x, rows, noise, beta=1.0):
    """Score rows by their ELBO at their own best noise.

    The plain ELBO at the training noise is no stopping rule: one outlier in a
    near-constant column decides it.

    Returns
    -------
    score : float
        In nats a row.
    likelihood : Gaussian
        With the noise that these rows measure.
    """
    error, kl = _error_and_kl(vae, x, rows, noise)
    fitted = likelihood.refit(error.to(x.dtype))
    return float(fitted.expected_log_prob(error) - beta * kl), fitted


def mean_squared_error(vae, x, rows, noise):
    """Mean squared error of each column, (d,), float64, after one draw of z a row."""
    return _error_and_kl(vae, x, rows, noise)[0]


def _error_and_kl(vae, x, rows, noise):
    error = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
    kl = torch.zeros((), dtype=torch.float64, device=x.device)
    parts = zip(rows.split(EVALUATION_ROWS), noise.split(EVALUATION_ROWS), strict=True)
    with torch.no_grad():
        for part, eps in parts:
            mean, log_var = vae.encode(x[part])
            decoded = vae.decode(mean + (0.5 * log_var).exp() * eps)
            error += (x[part] - decoded).square().sum(dim=0)
            kl += kl_divergence(mean, log_var).sum()
    return error / len(rows), kl / len(rows)


class _Trainer:
    """One training run: the moving parts that its steps share."""

    def __init__(self, vae, likelihood, x, settings, generator, n_rows):
        self.vae, self.likelihood, self.x = vae, likelihood, x
        self.settings, self.generator = settings, generator
        self.averaged = type(vae)(vae.architecture, vae.flat.clone())
        size = min(settings.batch_size, n_rows)
        self.gradient = gradient_of(vae, size)
        self.error, self.kl = x.new_zeros(x.shape[1]), x.new_zeros(())
        self.decayed = vae.flat[: vae.architecture.n_decayed]
        self.epsilon = vae.flat.new_tensor(ADAM_EPS)
        self.n_steps = 0
        self._start_optimizer(settings.learning_rate)

    def run(self, train_rows, validation_rows):
        settings = self.settings
        held_out = bool(len(validation_rows))
        noise = self._draw(len(validation_rows))
        score, fitted = -inf, self.likelihood.clone()
        if held_out:
            score, fitted = self._evaluate(validation_rows, noise)
        record = Record(self.averaged.flat.clone(), fitted, score, score)
        warmup = self._kl_warmup_steps(len(train_rows))
        patience = self._patience_epochs(len(train_rows))
        last_improvement = restarts = 0
        for epoch in range(1, settings.max_epochs + 1):
            loss = self.epoch(train_rows, warmup)
            score, fitted = -loss, self.likelihood
            if held_out:
                score, fitted = self._evaluate(validation_rows, noise)
                record.validation_scores.append(score)
            record.loss_curve.append(loss)
            record.n_epochs = epoch
            if settings.report:
                settings.report(epoch, loss, score if held_out else None)
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

    def epoch(self, rows, kl_warmup_steps):
        """Visit the rows once in random order; return the mean loss in nats a row."""
        size = min(self.settings.batch_size, len(rows))
        n_batches = self._steps_per_epoch(len(rows))
        order = torch.randperm(len(rows), generator=self.generator, device=rows.device)
        self.error.zero_()
        self.kl.zero_()
        with torch.inference_mode(not self.gradient.uses_autograd):
            for batch in rows[order[: n_batches * size]].split(size):
                beta = self.settings.beta * self._kl_share(kl_warmup_steps)
                self._step(batch, beta)
        error, kl = self.error / n_batches, self.kl / n_batches
        return float(beta * kl - self.likelihood.expected_log_prob(error))

    def _step(self, rows, beta):
        """Follow the gradient of some rows."""
        torch.index_select(self.x, 0, rows, out=self.gradient.x)
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

    def _evaluate(self, rows, noise):
        return evaluate(
            self.averaged, self.likelihood, self.x, rows, noise, self.settings.beta
        )

    def _draw(self, n):
        """Draw standard normal noise for z; zeros for the autoencoder, beta = 0."""
        k, device = self.vae.architecture.n_components, self.x.device
        noise = torch.zeros(n, k, dtype=torch.float32, device=device)
        return noise.normal_(generator=self.generator) if self.settings.beta else noise

    def _patience_epochs(self, n_rows):
        """As many as asked for, and enough for a small table to move."""
        if not self.settings.patience:
            return None
        steps = self._steps_per_epoch(n_rows)
        return max(self.settings.patience, -(-MIN_PATIENCE_STEPS // steps))

    def _kl_share(self, kl_warmup_steps):
        """Weight of the KL as a share of beta: rises to 1 within the warm-up."""
        if self.n_steps >= kl_warmup_steps:
            return 1.0
        ahead = 1 - self.n_steps / kl_warmup_steps
        return 1 - (1 - KL_WARMUP_START) * ahead

    def _kl_warmup_steps(self, n_rows):
        """At most half of the run, however short."""
        longest = min(KL_WARMUP_EPOCHS, self.settings.max_epochs // 2)
        steps = min(KL_WARMUP_STEPS, longest * self._steps_per_epoch(n_rows))
        return steps if self.settings.kl_warmup else 0

    def _steps_per_epoch(self, n_rows):
        return n_rows // min(self.settings.batch_size, n_rows)

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
