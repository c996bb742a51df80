"""From standardised rows to a fitted VAE: who trains, who vouches, what is kept.

Rows are split, the closed form starts the network, training improves it, and where
nothing beats the closed form on held-out rows, that of all rows is the result. Then
components are put in order and the read-out is fitted.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from skvae._anchor import fit_linear_vae, fit_readout, honest_noise, least_noise
from skvae._bounds import elbo, kl_divergence
from skvae._likelihoods import Gaussian
from skvae._network import VAE, initial_parameters, permute_components
from skvae._training import Record, evaluate, mean_squared_error, one_thread, train

# The least noise variance as a share of a column's variance. Where columns depend
# exactly on each other a density has no upper bound; the floor is the bound.
NOISE_FLOOR = {"spherical": 1e-6, "diag": 1e-4}
SUMMARY_ROWS = 20_000  # that the noise, the ordering and the read-out look at
CAUTION = 8.0
TELLING_ROWS = 1_000


@dataclass
class Solution:
    """A fitted VAE in plain arrays, and how the fit went."""

    flat: np.ndarray  # (n_parameters,), float32
    noise_variance: np.ndarray  # (d,)
    readout: np.ndarray | None = None  # (k + 1, d)
    component_kl: np.ndarray | None = None  # (k,)
    n_epochs: int = 1
    best_epoch: int = 0
    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    best_score: float | None = None
    stopped: str = "closed form"


def fit_vae(x, architecture, settings, *, noise, n_held_out, seed, device, start=None):
    """Fit a VAE to standardised rows.

    Parameters
    ----------
    x : ndarray of shape (n, d), float32
    architecture : Architecture
    settings : Settings
        Without `patience` all rows train.
    noise : {"spherical", "diag"}
    n_held_out : int
        Number of rows that stop the training and measure the noise.
    seed : int
    device : str
    start : tuple of ndarray, optional
        Flat weights and noise variance to continue from, instead of the closed form.

    Returns
    -------
    Solution
    """
    with one_thread():
        fitter = _Fitter(x, architecture, settings, noise, seed, device, start)
        if start is None and not architecture.hidden_layer_sizes and settings.beta == 1:
            solution = fitter.closed_form()
        elif settings.patience:
            solution = fitter.early_stopped(n_held_out)
        else:
            solution = fitter.all_rows(n_held_out)
        return _in_canonical_order(x, architecture, solution)


class _Fitter:
    """What the ways to fit share."""

    def __init__(self, x, architecture, settings, noise, seed, device, start):
        self.x, self.architecture, self.settings = x, architecture, settings
        self.noise, self.floor, self.start = noise, NOISE_FLOOR[noise], start
        self.device = torch.device(device)
        self.tensor = torch.from_numpy(x).to(self.device)
        self.seed = seed
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        self.order = order.to(self.device)

    def closed_form(self):
        """Return the linear VAE of all rows, its noise cross-fitted."""
        linear = self._fit_linear(self.x)
        noise_variance = honest_noise(self.x, linear, self.noise, self.floor)
        flat = self._initial_parameters(linear.with_noise(noise_variance))
        return Solution(flat.numpy(), noise_variance)

    def early_stopped(self, n_held_out):
        """Train until held-out rows improve no more; keep what suited them best."""
        held_out, rest = self.order[:n_held_out], self.order[n_held_out:]
        start = self._start(rest)
        record = self._train(start, rest, held_out)
        if self.start is None and not self._improves(start, record, held_out):
            record.best_epoch = 0
            solution = self.closed_form()
        else:
            solution = self._solution(start, record, rest, held_out)
        return _with_history(solution, record)

    def all_rows(self, n_held_out):
        """Train all rows; the noise is that of a rehearsal without the held-out."""
        held_out, rest = self.order[:n_held_out], self.order[n_held_out:]
        start = self._start(rest)
        rehearsal = self._train(start, rest, held_out, report=None)
        solution = self._solution(start, rehearsal, rest, held_out)
        record = self._train(self._start(self.order), self.order, held_out[:0])
        solution.flat = record.flat.cpu().numpy()
        return _with_history(solution, record)

    def _start(self, rows):
        """Return where training on some rows starts: flat weights and likelihood."""
        if self.start is None:
            linear = self._fit_linear(self.x[rows.cpu().numpy()])
            flat, variance = self._initial_parameters(linear), linear.noise_variance
        else:
            flat, variance = torch.from_numpy(self.start[0].copy()), self.start[1]
        variance, least = (
            torch.from_numpy(values).float().to(self.device)
            for values in (variance, least_noise(self.x, self.noise, self.floor))
        )
        likelihood = Gaussian(variance, floor=least, shared=self.noise == "spherical")
        return flat.to(self.device), likelihood

    def _fit_linear(self, x):
        return fit_linear_vae(x, self.architecture.n_components, self.noise, self.floor)

    def _initial_parameters(self, linear):
        generator = torch.Generator().manual_seed(self.seed)
        return initial_parameters(self.architecture, linear, generator)

    def _train(self, start, rows, held_out, **changes):
        flat, likelihood = start
        vae = VAE(self.architecture, flat.clone())
        generator = torch.Generator(self.device).manual_seed(self.seed)
        arguments = vae, likelihood.clone(), self.tensor, rows, held_out
        return train(*arguments, replace(self.settings, **changes), generator)

    def _improves(self, start, record, held_out):
        """Whether held-out rows favour the record by more than they can tell.

        Few rows tell little: the mean gain must exceed `CAUTION` / n of its standard
        errors.
        """
        n = min(len(held_out), TELLING_ROWS)
        if record.best_epoch == 0 or n == 1:
            return False
        rows = held_out[:n]
        noise = self._draw(n)
        start_bounds, bounds = (
            self._row_bounds(flat, likelihood, rows, noise)
            for flat, likelihood in (start, (record.flat, record.likelihood))
        )
        gain = bounds - start_bounds
        return bool(gain.mean() > CAUTION / n * gain.std() / n**0.5)

    def _row_bounds(self, flat, likelihood, rows, noise):
        vae, beta = VAE(self.architecture, flat), self.settings.beta
        _, fitted = evaluate(vae, likelihood, self.tensor, rows, noise, beta)
        with torch.no_grad():
            return elbo(vae, fitted, self.tensor[rows], noise, beta)[0]

    def _solution(self, start, record, rows, held_out):
        """Attach to the weights a noise that is honest about unseen rows.

        Held-out rows are few; training rows are many, and flatter the model. So all
        rows give the noise, training rows with their errors raised to the held-out
        rows' level. What held-out rows hardly vary in they cannot vouch for: there
        the noise goes back to the start's, as if one more row had shown that.
        """
        vae = VAE(self.architecture, record.flat)
        rows = rows[:SUMMARY_ROWS]
        unseen, seen = (
            mean_squared_error(vae, self.tensor, part, self._draw(len(part)))
            for part in (held_out, rows)
        )
        inflation = max(1.0, float(unseen.sum() / seen.sum().clamp(min=1e-12)))
        share = len(held_out) / len(self.order)
        error = share * unseen + (1 - share) * inflation * seen
        evidence = self._squares(held_out).sum(dim=0)
        evidence /= self._squares(rows).mean(dim=0).clamp(min=1e-12)
        error = (evidence * error + start[1].variance) / (evidence + 1)
        variance = record.likelihood.refit(error.float()).variance
        return Solution(record.flat.cpu().numpy(), variance.cpu().double().numpy())

    def _squares(self, rows):
        return self.tensor[rows].double().square()

    def _draw(self, n):
        """Draw standard normal noise for z, the same each time."""
        generator = torch.Generator(self.device).manual_seed(self.seed)
        noise = torch.zeros(n, self.architecture.n_components, device=self.device)
        return noise.normal_(generator=generator) if self.settings.beta else noise


def _with_history(solution, record: Record):
    for name in (
        "n_epochs",
        "best_epoch",
        "loss_curve",
        "validation_scores",
        "stopped",
    ):
        setattr(solution, name, getattr(record, name))
    solution.best_score = record.best_score if record.validation_scores else None
    return solution


def _in_canonical_order(x, architecture, solution):
    """Order components by their nats, sign them, and fit the read-out.

    A component's sign makes it grow with the column that it covaries with most.
    """
    rows = torch.from_numpy(x[:: -(-len(x) // SUMMARY_ROWS)])
    vae = VAE(architecture, torch.from_numpy(solution.flat))
    with torch.no_grad():
        mean, log_var = vae.encode(rows)
        component_kl = kl_divergence(mean, log_var).mean(dim=0).double().numpy()
        residual = (rows - vae.decode(mean)).double().numpy()
    order = np.argsort(-component_kl, kind="stable")
    z = mean.double().numpy()[:, order]
    covariance = (z - z.mean(axis=0)).T @ rows.double().numpy()
    strongest = np.abs(covariance).argmax(axis=1)
    signs = np.where(covariance[np.arange(len(order)), strongest] < 0, -1.0, 1.0)
    permute_components(
        architecture, vae.flat, torch.from_numpy(order), torch.from_numpy(signs).float()
    )
    solution.component_kl = component_kl[order]
    solution.readout = fit_readout(z * signs, residual)
    return solution
