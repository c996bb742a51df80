"""From standardised rows to a fitted VAE: who trains, who vouches, what is kept.

Rows are split, the closed form starts the network, training improves it, and where
nothing beats the closed form on held-out rows, that of all rows is the result. Else the
held-out rows have told the noise and the network's weight in the density, and join the
training for a last while. Then components are put in order and the read-out is fitted.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from skvae._anchor import CrossFit, fit_linear_vae, fit_readout, least_noise
from skvae._bounds import elbo, kl_divergence, spread_normal, standard_normal
from skvae._likelihoods import Gaussian, IntervalGaussian, interval_variance
from skvae._model import (
    FittedVAE,
    Parameters,
    linear_network,
    stacking_weight,
    widen,
)
from skvae._network import VAE, initial_parameters, permute_components
from skvae._prior import fit_mixture, likeliest_mixture
from skvae._threads import one_thread
from skvae._training import Record, evaluate, mean_squared_error, train

# The least noise variance as a share of a column's variance. Where columns depend
# exactly on each other a density has no upper bound; the floor is the bound.
NOISE_FLOOR = {"spherical": 1e-6, "diag": 1e-4}
CHUNK_ROWS = 2048
SUMMARY_ROWS = 20_000  # that the noise, the ordering and the read-out look at
CAUTION = 8.0  # standard errors, over the number of rows: few rows tell little
R2_TOLERANCE = 1e-3
TELLING_ROWS = 1_000  # of the held-out, whose densities are compared
TELLING_DRAWS = 32
TELLING_ROWS_AT_A_TIME = 64
LAST_ROUND = 0.5  # epochs of all rows at the end, as a share of those that helped
INTERVAL_SHARE = 0.1  # of the variance within intervals, that training knows of
INTERVAL_FACTORS = -2, 2, 41  # powers of ten, and how many are tried
WIDENINGS = 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 12.0
PRIOR_DRAWS = 3_000  # of z, that its prior is fitted to; about half if rows are fewer
Z_REACH = 3.0  # standard deviations of the posteriors that the decoder has seen


@dataclass
class Solution:
    """The parameters of a fitted VAE, and how the fit went."""

    parameters: Parameters
    component_kl: np.ndarray | None = None  # (k,)
    n_epochs: int = 1
    best_epoch: int = 0
    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    best_score: float | None = None
    stopped: str = "closed form"


def fit_vae(
    x,
    architecture,
    settings,
    *,
    noise,
    n_held_out,
    seed,
    device,
    start=None,
    intervals=None,
):
    """Fit a VAE to standardised rows.

    Parameters
    ----------
    x : ndarray of shape (n, d), float32
        In random order: the first rows are the held-out.
    architecture : Architecture
    settings : Settings
        Without `patience` all rows train.
    noise : {"auto", "spherical", "diag"}
        "auto" trains as "spherical", and then gives each column its own. Without
        hidden layers it is "spherical".
    n_held_out : int
        Number of rows that stop the training and measure the noise.
    seed : int
    device : str
    start : Parameters, optional
        Of a fitted VAE to continue from, instead of the closed form. Where that fit
        kept the closed form, this one starts from it too.
    intervals : ndarray of shape (at least n_held_out, 2, d), optional
        Least and largest value that each entry of the first rows stands for.

    Returns
    -------
    Solution
    """
    # Whatever the caller switched off.
    with one_thread(), torch.inference_mode(False), torch.enable_grad():
        given = noise, seed, device, start, intervals
        fitter = _Fitter(x, architecture, settings, *given)
        if fitter.closed_form_is_best():
            solution = fitter.closed_form()
        elif settings.patience:
            solution = fitter.early_stopped(n_held_out)
        else:
            solution = fitter.all_rows(n_held_out)
        _put_in_order(x, solution, seed)
        return solution


class _Fitter:
    """What the ways to fit share."""

    def __init__(
        self, x, architecture, settings, noise, seed, device, start, intervals
    ):
        self.x, self.architecture, self.settings = x, architecture, settings
        self.noise = "diag" if noise == "diag" else "spherical"  # while training
        is_pca = architecture.n_layers == 0 and intervals is None
        self.by_column = noise == "diag" or (noise == "auto" and not is_pca)  # after it
        self.floor = NOISE_FLOOR[self.noise]
        linear_was_best = start is not None and start.architecture != architecture
        self.start = None if linear_was_best else start
        self.device = torch.device(device)
        self.tensor = torch.from_numpy(x).to(self.device)
        self.seed = seed
        self.intervals = None if intervals is None else torch.from_numpy(intervals)

    def closed_form_is_best(self):
        """Whether training could only find its way back to the closed form."""
        return not self.architecture.hidden_layer_sizes and self.settings.beta == 1

    def closed_form(self):
        """Return the linear VAE of all rows, beside itself with a cross-fitted noise.

        A few far rows make that noise too large for the others, so both are mixed.
        """
        linear = self._fit_linear(self.x)
        cross_fit = CrossFit(self.x, linear, self.noise, self.floor)
        honest = linear.with_noise(cross_fit.noise_variance)
        noise_variance = honest.noise_variance
        if self.by_column and self.noise == "spherical":
            noise_variance = self._as_noise(cross_fit.error)
        weight = stacking_weight(*cross_fit.log_densities(noise_variance))
        vae = linear_network(honest, self.architecture)
        noise_variance = noise_variance * self._interval_factor(vae)
        architecture = replace(self.architecture, hidden_layer_sizes=())
        flat = initial_parameters(architecture, honest, None).numpy()
        return Solution(
            Parameters(architecture, flat, noise_variance, linear, linear, weight)
        )

    def early_stopped(self, n_held_out):
        """Train until held-out rows improve no more; keep what suited them best."""
        held_out, rest = self.tensor[:n_held_out], self.tensor[n_held_out:]
        start = self._start(self.x[n_held_out:])
        record = self._train(start, rest, held_out)
        may_fall_back = self.start is None and self.settings.beta == 1
        if may_fall_back and not self._improves(start, record, rest, held_out):
            record.best_epoch, record.best_score = 0, record.start_score
            solution = self.closed_form()
            if self.by_column and self.noise == "spherical":
                self._give_prior(solution.parameters, start, rest, held_out)
            return _with_history(solution, record)
        solution = self._solution(start, record, rest, held_out)
        solution.parameters.fallback = self._fit_linear(self.x)
        n_epochs = round(LAST_ROUND * record.best_epoch)
        if n_epochs:
            best = _Start(record.flat, record.likelihood, start.linear)
            changes = {"max_epochs": n_epochs, "patience": None, "kl_warmup": False}
            last = self._train(best, self.tensor, held_out[:0], report=None, **changes)
            solution.parameters.flat = last.flat.cpu().numpy()
            if last.stopped == "diverged":
                record.stopped = "diverged"
        return _with_history(solution, record)

    @torch.no_grad()
    def _give_prior(self, parameters, start, rest, held_out):
        """Let the closed form have a prior too, if held-out rows favour it.

        They see the linear VAE of the rest; the prior is then fitted to all rows.
        """
        of_rest = replace(
            parameters,
            architecture=self.architecture,
            flat=start.flat.cpu().numpy(),
            linear=start.linear,
            fallback=start.linear,
        )
        of_rest.prior = self._prior(of_rest, rest, held_out)
        if of_rest.prior is None:
            return
        _set_ranges(of_rest, self.x, *_encode_some(of_rest, self.x)[1:])
        densities = self._held_out_densities(FittedVAE(of_rest), held_out)
        parameters.network_weight = stacking_weight(*densities)
        parameters.prior = of_rest.prior

    def all_rows(self, n_held_out):
        """Train all rows; the noise is that of a rehearsal without the held-out."""
        held_out, rest = self.tensor[:n_held_out], self.tensor[n_held_out:]
        start = self._start(self.x[n_held_out:])
        rehearsal = self._train(start, rest, held_out, report=None)
        solution = self._solution(start, rehearsal, rest, held_out)
        start = self._start(self.x)
        record = self._train(start, self.tensor, held_out[:0])
        solution.parameters.flat = record.flat.cpu().numpy()
        solution.parameters.linear = start.linear
        solution.parameters.fallback = self._fit_linear(self.x)
        return _with_history(solution, record)

    def _start(self, x):
        """Return where training on some rows starts."""
        if self.start is None:
            linear = self._fit_linear(x)
            generator = torch.Generator().manual_seed(self.seed)
            flat = initial_parameters(self.architecture, linear, generator)
            variance = linear.noise_variance
        else:
            linear, variance = self.start.linear, self.start.noise_variance
            if self.noise == "spherical":
                variance = np.full_like(variance, variance.mean())
            flat = torch.from_numpy(self.start.flat.copy())
        variance, least = (
            torch.from_numpy(values).float().to(self.device)
            for values in (variance, least_noise(self.x, self.noise, self.floor))
        )
        shared, within = self.noise == "spherical", None
        if self.intervals is not None:
            within = interval_variance(self.intervals).mean(dim=0)
            within = INTERVAL_SHARE * within.float().to(self.device)
            variance = variance + (within.mean() if shared else within)
        likelihood = Gaussian(variance, floor=least, shared=shared, within=within)
        return _Start(flat.to(self.device), likelihood, linear)

    def _fit_linear(self, x):
        k = self.architecture.n_components
        return fit_linear_vae(x, k, self.noise, self.floor)

    def _train(self, start, x, held_out, **changes):
        vae, likelihood = VAE(self.architecture, start.flat.clone()), start.likelihood
        generator = torch.Generator(self.device).manual_seed(self.seed)
        settings = replace(self.settings, **changes)
        return train(vae, likelihood.clone(), x, held_out, settings, generator)

    def _improves(self, start, record, rest, held_out):
        """Whether held-out rows favour the record by more than they can tell.

        In nats, and where PCA is the yardstick, in squared error too.
        """
        telling = held_out[:TELLING_ROWS]
        if record.best_epoch == 0:
            return False
        noise = self._draw(len(telling))
        before, after = (self._row_bounds(m, telling, noise) for m in (start, record))
        gains = _exceeds_chance(after - before)
        if not gains or self.noise == "diag":
            return gains
        before, after = (
            self._row_errors(m.flat, rest, telling) for m in (start, record)
        )
        slack = R2_TOLERANCE * _squares(telling).sum(dim=1).mean()
        return _exceeds_chance(before - after + slack)

    @torch.no_grad()
    def _row_errors(self, flat, rest, held_out):
        """Squared error of rows decoded from their posterior means."""
        vae = VAE(self.architecture, flat)

        def decode(x):
            mean, _ = vae.encode(x)
            return mean.double(), (x - vae.decode(mean)).double()

        few = _by_chunks(decode, rest[:SUMMARY_ROWS])
        fitted_on = (values.cpu().numpy() for values in few)
        readout = torch.from_numpy(fit_readout(*fitted_on)).to(self.device)
        mean, residual = decode(held_out)
        return (residual - readout[0] - mean @ readout[1:]).square().sum(dim=1)

    def _row_bounds(self, model, x, noise):
        vae, beta = VAE(self.architecture, model.flat), self.settings.beta
        _, fitted = evaluate(vae, model.likelihood, x, noise, beta)
        with torch.no_grad():
            return elbo(vae, fitted, x, noise, beta)[0]

    @torch.no_grad()
    def _solution(self, start, record, rest, held_out):
        """Attach to the weights what held-out rows say of the noise and the density."""
        parameters = Parameters(
            architecture=self.architecture,
            flat=record.flat.cpu().numpy(),
            noise_variance=self._honest_noise(start, record, rest, held_out),
            linear=start.linear,
            fallback=start.linear,
        )
        _set_ranges(parameters, self.x, *_encode_some(parameters, self.x)[1:])
        parameters.prior = self._prior(parameters, rest, held_out)
        parameters.widening = self._widening(FittedVAE(parameters), held_out)
        densities = self._held_out_densities(FittedVAE(parameters), held_out)
        parameters.network_weight = stacking_weight(*densities)
        return Solution(parameters)

    def _widening(self, model, held_out):
        """Return the widening of posteriors by which held-out rows' ELBO is largest."""
        x = held_out[:TELLING_ROWS].cpu().double()
        noise = self._draw(len(x)).cpu().double()

        def score(widening):
            model.widening = widening
            return float(elbo(model, model.likelihood, x, noise)[0].mean())

        return max(WIDENINGS, key=score)

    def _held_out_densities(self, model, held_out):
        """Log-densities of some held-out rows under the network and its fallback."""
        noise = spread_normal(TELLING_DRAWS, self.architecture.n_components)
        telling = held_out[:TELLING_ROWS].cpu().double()
        parts: tuple[list, list] = ([], [])
        for start in range(0, len(telling), TELLING_ROWS_AT_A_TIME):
            rows = slice(start, start + TELLING_ROWS_AT_A_TIME)
            intervals = None if self.intervals is None else self.intervals[rows]
            given = telling[rows], noise, intervals
            parts[0].append(model.network_log_density(*given))
            parts[1].append(model.fallback_log_density(*given))
        return [torch.cat(part).numpy() for part in parts]

    def _prior(self, parameters, rest, held_out):
        """Return the mixture of z that held-out rows favour over N(0, I), or None."""
        generator = torch.Generator().manual_seed(self.seed)
        seen, unseen = (
            _draw_posteriors(parameters, rows.cpu().numpy(), generator)
            for rows in (rest, held_out)
        )
        z = unseen.flatten(0, 1)
        mixture = likeliest_mixture(seen.flatten(0, 1), z, generator)
        gain = mixture.log_prob(z) - standard_normal(z)
        gain = gain.reshape(unseen.shape[:2]).mean(dim=0)  # of each row
        return _arguments(mixture) if _exceeds_chance(gain) else None

    def _honest_noise(self, start, record, rest, held_out):
        """Return a noise that holds on unseen rows.

        Held-out rows are few; training rows are many, and flatter the model. So all
        rows give the noise, training rows with their errors raised to the held-out
        rows' level. What held-out rows hardly vary in they cannot vouch for: there
        the noise goes back to the start's, as if one more row had shown that.
        """
        vae = VAE(self.architecture, record.flat)
        share = len(held_out) / len(self.x)
        held_out, rest = held_out[:SUMMARY_ROWS], rest[:SUMMARY_ROWS]
        unseen, seen = (
            mean_squared_error(vae, part, self._draw(len(part)))
            for part in (held_out, rest)
        )
        inflation = max(1.0, float(unseen.sum() / seen.sum().clamp(min=1e-12)))
        error = share * unseen + (1 - share) * inflation * seen
        evidence = _squares(held_out).sum(dim=0)
        evidence /= _squares(rest).mean(dim=0).clamp(min=1e-12)
        error = (evidence * error + start.likelihood.variance) / (evidence + 1)
        return self._as_noise(error.cpu().numpy()) * self._interval_factor(vae)

    def _as_noise(self, error):
        """Return mean squared errors as the noise variance that they make."""
        if not self.by_column:
            error = np.full_like(error, error.mean())
        shape = "diag" if self.by_column else "spherical"
        return np.maximum(error, least_noise(self.x, shape, self.floor))

    @torch.no_grad()
    def _interval_factor(self, vae):
        """Return the factors of the noise by which intervals are likeliest.

        Errors are those of one value in each interval; the noise speaks of all of it.
        """
        if self.intervals is None or not self.by_column:
            return 1.0
        x = self.tensor[: len(self.intervals)]
        mean, log_var = vae.encode(x.to(vae.flat.dtype))
        z = mean + (0.5 * log_var).exp() * self._draw(len(x))
        decoded, x = vae.decode(z).cpu().double(), x.cpu().double()
        error = (x - decoded).square().mean(dim=0)
        least = torch.from_numpy(least_noise(self.x, "diag", self.floor))
        factors = torch.logspace(*INTERVAL_FACTORS, dtype=torch.float64, device="cpu")
        fits = []
        for factor in factors:
            likelihood = IntervalGaussian((factor * error).maximum(least))
            fits.append(likelihood.log_prob(self.intervals, decoded).sum(dim=0))
        low, high = self.intervals.unbind(dim=1)
        found = factors[torch.stack(fits).argmax(dim=0)]
        return torch.where((high > low).any(dim=0), found, 1.0).numpy()

    def _draw(self, n):
        """Draw standard normal noise for z, the same each time."""
        generator = torch.Generator(self.device).manual_seed(self.seed)
        noise = self.tensor.new_zeros(n, self.architecture.n_components)
        return noise.normal_(generator=generator) if self.settings.beta else noise


@dataclass
class _Start:
    """Where training starts, and the linear VAE that the model falls back on."""

    flat: torch.Tensor
    likelihood: Gaussian
    linear: object


def _squares(x):
    return x.double().square()


def _exceeds_chance(gain):  # (n,) -> bool
    if len(gain) < 3:
        return False
    return bool(gain.mean() > CAUTION / len(gain) * gain.std() / len(gain) ** 0.5)


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


@torch.no_grad()
def _put_in_order(x, solution, seed):
    """Order components by their nats, sign them; fit the read-out and the prior.

    A component's sign makes it grow with the column that it covaries with most.
    """
    parameters = solution.parameters
    rows, mean, log_var = _encode_some(parameters, x)
    component_kl = kl_divergence(mean, widen(log_var, parameters.widening))
    component_kl = component_kl.mean(dim=0).double().numpy()
    order = np.argsort(-component_kl, kind="stable")
    covariance = ((mean - mean.mean(dim=0)).T.double() @ rows.double())[order].numpy()
    strongest = np.abs(covariance).argmax(axis=1)
    signs = np.where(covariance[np.arange(len(order)), strongest] < 0, -1.0, 1.0)
    permute_components(
        parameters.architecture,
        torch.from_numpy(parameters.flat),
        torch.from_numpy(order),
        torch.from_numpy(signs).float(),
    )
    parameters.linear = parameters.linear.permuted(order, signs)
    solution.component_kl = component_kl[order]
    mean, log_var = mean[:, order].double() * torch.from_numpy(signs), log_var[:, order]
    _set_ranges(parameters, x, mean, log_var)
    decode = FittedVAE(parameters).decode
    (decoded,) = _by_chunks(lambda z: (decode(z),), mean)
    residual = rows - decoded
    parameters.readout = fit_readout(mean.numpy(), residual.numpy())
    if parameters.prior is not None:
        generator = torch.Generator().manual_seed(seed)
        z = _draw_posteriors(parameters, x, generator).flatten(0, 1)
        size = len(parameters.prior[0]) - 1  # N(0, I) is the last
        parameters.prior = _arguments(fit_mixture(z, size, generator))


def _set_ranges(parameters, x, mean, log_var):
    """Remember where the training rows and their posteriors were.

    A linear network is at home everywhere.
    """
    reach = Z_REACH * (0.5 * log_var).exp()
    z = torch.cat([mean - reach, mean + reach]).double().numpy()
    for name, values in (("x_range", x), ("z_range", z)):
        bounds = np.stack([values.min(axis=0), values.max(axis=0)]).astype(np.float64)
        if not parameters.architecture.n_layers:
            bounds[:] = [[-np.inf], [np.inf]]
        setattr(parameters, name, bounds)


def _encode_some(parameters, x):
    rows = torch.from_numpy(x[:SUMMARY_ROWS])
    vae = VAE(parameters.architecture, torch.from_numpy(parameters.flat))
    return rows, *_by_chunks(vae.encode, rows)


def _draw_posteriors(parameters, x, generator):  # -> (n_times, n, k)
    """Draw z of some rows; more than once where they are few."""
    _, mean, log_var = _encode_some(parameters, x[:PRIOR_DRAWS])
    n_times = max(1, PRIOR_DRAWS // 2 // len(mean))
    noise = torch.empty(n_times, *mean.shape, dtype=torch.float64, device="cpu")
    noise.normal_(generator=generator)
    return mean.double() + (0.5 * log_var.double()).exp() * noise


def _arguments(mixture):
    parts = mixture.weights, mixture.means, mixture.covariances
    return tuple(part.numpy() for part in parts)


def _by_chunks(function, x):
    """Apply a function to some rows at a time; join each of the tensors it returns."""
    parts = zip(*map(function, x.split(CHUNK_ROWS)), strict=True)
    return [torch.cat(part) for part in parts]
