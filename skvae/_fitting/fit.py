"""From standardised rows to a fitted VAE: who trains, who vouches, what is kept.

Rows are split, the closed form starts the network, training improves it, and where
nothing beats the closed form on held-out rows, that of all rows is the result. Else the
held-out rows have told the noise and what else training rows flatter, and join the
training for a last while. Then components are put in order and the read-out is fitted.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from skvae._fitting.link import with_link
from skvae._fitting.validation import (
    SUMMARY_ROWS,
    HeldOut,
    by_chunks,
    draw_posteriors,
    encode_some,
)
from skvae._likelihoods.gaussian import Gaussian, interval_variance, make_likelihood
from skvae._linear.anchor import MOST_EXACT, fit_linear_vae, fit_wide_linear_vae
from skvae._linear.cross_fit import CrossFit
from skvae._linear.moments import least_noise, observed_mean
from skvae._linear.readout import fit_readout
from skvae._model.bounds import kl_divergence
from skvae._model.density import (
    FittedVAE,
    Parameters,
    linear_network,
    stacking_weight,
    widen,
)
from skvae._model.network import VAE, initial_parameters, permute_components
from skvae._model.prior import fit_mixture
from skvae._numerics.missing import have_missing
from skvae._numerics.threads import one_thread
from skvae._training.loop import Record, Settings, train

__all__ = ["Settings", "Solution", "fit_vae"]

# The least noise variance as a share of a column's variance. Where columns depend
# exactly on each other a density has no upper bound; the floor is the bound.
NOISE_FLOOR = {"spherical": 1e-6, "diag": 1e-4}
LAST_ROUND = 0.5  # epochs of all rows at the end, as a share of those that helped
INTERVAL_SHARE = 0.1  # of the variance within intervals, that training knows of
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


def fit_vae(*args, **options):
    """Fit a VAE to standardised rows.

    Parameters
    ----------
    *args, **options
        As of `_Fitter`.

    Returns
    -------
    Solution
    """
    # Whatever the caller switched off.
    with one_thread(), torch.inference_mode(False), torch.enable_grad():
        fitter = _Fitter(*args, **options)
        if fitter.closed_form_is_best():
            solution = fitter.closed_form()
        elif fitter.settings.patience:
            solution = fitter.early_stopped()
        else:
            solution = fitter.all_rows()
        _put_in_order(fitter.x, solution, fitter.held_out)
        return solution


class _Fitter:
    """What the ways to fit share.

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
        kept the closed form, this one starts from it too; with indicators always from
        its weights.
    intervals : ndarray of shape (at least n_held_out, 2, d), optional
        Least and largest value that each entry of the first rows stands for.
    blocks : Blocks, optional
        Of the columns; without it all are numbers.
    """

    def __init__(
        self,
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
        blocks=None,
    ):
        self.blocks = blocks
        self.n_numbers = x.shape[1] if blocks is None else blocks.n_numbers
        self.x, self.architecture, self.settings = x, architecture, settings
        self.noise = "diag" if noise == "diag" else "spherical"  # while training
        self.floor = NOISE_FLOOR[self.noise]
        linear_was_best = start is not None and start.architecture != architecture
        self.start = None if linear_was_best else start
        self.seed, self.device = seed, torch.device(device)
        self.rows = torch.from_numpy(x)
        self.tensor = self.rows.to(self.device)
        self.intervals = None if intervals is None else torch.from_numpy(intervals)
        is_pca = architecture.n_layers == 0 and intervals is None and blocks is None
        self.held_out = HeldOut(
            self.tensor,
            n_held_out,
            by_column=noise == "diag" or (noise == "auto" and not is_pca),
            floor=self.floor,
            beta=settings.beta,
            seed=seed,
            intervals=self.intervals,
            blocks=blocks,
        )
        self.gains_columns = self.held_out.by_column and self.noise == "spherical"

    def closed_form_is_best(self):
        """Whether training could only find its way back to the closed form."""
        is_linear = not self.architecture.hidden_layer_sizes
        return is_linear and self.settings.beta == 1 and self.blocks is None

    def closed_form(self):
        """Return the linear VAE of all rows, beside itself with a cross-fitted noise.

        A few far rows make that noise too large for the others, so both are mixed.
        """
        linear = self._fit_linear(self.rows)
        cross_fit = CrossFit(self.rows, linear, self.noise, self.floor)
        honest = linear.with_noise(cross_fit.noise_variance)
        noise_variance = honest.noise_variance
        if self.gains_columns:
            noise = self.held_out.as_noise(cross_fit.error.numpy())
            noise_variance = torch.from_numpy(noise)
        weight = stacking_weight(*cross_fit.log_densities(noise_variance))
        vae = linear_network(honest, self.architecture)
        noise_variance = noise_variance.numpy() * self.held_out.interval_factor(vae)
        architecture = replace(self.architecture, hidden_layer_sizes=())
        flat = initial_parameters(architecture, honest, None).numpy()
        parameters = Parameters(
            architecture, flat, noise_variance, linear, linear, weight
        )
        parameters.filler = self._fit_filler(self.rows)
        return Solution(parameters)

    def early_stopped(self):
        """Train until held-out rows improve no more; keep what suited them best."""
        start = self._start(self.held_out.rest)
        record = self._train(start, self.held_out.rest, self.held_out.inside)
        may_fall_back = self.start is None and self.settings.beta == 1
        if may_fall_back and not self._improves(start, record):
            record.best_epoch, record.best_score = 0, record.start_score
            return _with_history(self._fallen_back(start, record), record)
        solution = self._solution(start, record)
        solution.parameters.fallback = self._fallback(
            self._fit_linear(self.rows), self.rows
        )
        n_epochs = round(LAST_ROUND * record.best_epoch)
        if n_epochs:
            best = replace(start, flat=record.flat, likelihood=record.likelihood)
            changes = {"max_epochs": n_epochs, "patience": None, "kl_warmup": False}
            last = self._train(best, self.tensor, report=None, **changes)
            solution.parameters.flat = last.flat.cpu().numpy()
            if last.stopped == "diverged":
                record.stopped = "diverged"
        return _with_history(solution, record)

    def _fallen_back(self, start, record):
        """Return the closed form, or with indicators what training starts from."""
        if self.blocks is not None:
            solution = self._solution(start, replace(record, flat=start.flat))
            every = self._start(self.tensor)
            solution.parameters.flat = every.flat.cpu().numpy()
            solution.parameters.linear = every.linear
            solution.parameters.filler = every.filler
            solution.parameters.fallback = self._fallback(every.linear, self.rows)
            return solution
        solution = self.closed_form()
        if self.gains_columns:
            self._refine(solution.parameters, start)
        return solution

    def all_rows(self):
        """Train all rows; the noise is that of a rehearsal without the held-out."""
        start = self._start(self.held_out.rest)
        rows = self.held_out.rest, self.held_out.rows
        rehearsal = self._train(start, *rows, report=None)
        solution = self._solution(start, rehearsal)
        start = self._start(self.tensor)
        record = self._train(start, self.tensor)
        solution.parameters.flat = record.flat.cpu().numpy()
        solution.parameters.linear = start.linear
        solution.parameters.filler = start.filler
        solution.parameters.fallback = self._fallback(
            self._fit_linear(self.rows), self.rows
        )
        return _with_history(solution, record)

    def _start(self, x):
        """Return where training on some rows starts."""
        rows = x.cpu()
        if self.start is None:
            linear = self._fit_linear(rows)
            generator = torch.Generator().manual_seed(self.seed)
            flat = initial_parameters(self.architecture, linear, generator)
            variance = linear.noise_variance.numpy()
        else:
            linear, variance = self.start.linear, self.start.noise_variance
            if self.noise == "spherical" and variance.size:
                variance = np.full_like(variance, variance.mean())
            flat = torch.from_numpy(self.start.flat.copy())
        likelihood = self._likelihood(variance[: self.n_numbers])
        filler = self._fit_filler(rows)
        return _Start(flat.to(self.device), likelihood, linear, filler)

    def _likelihood(self, variance):
        """Return p(x|z) with some noise of the numbers, as training has it."""
        numbers = self.rows[:, : self.n_numbers]
        least = least_noise(numbers, self.noise, self.floor)
        variance, least = (
            values.float().to(self.device)
            for values in (torch.from_numpy(variance), least)
        )
        shared, within = self.noise == "spherical", None
        if self.intervals is not None:
            intervals = self.intervals[..., : self.n_numbers]
            within = interval_variance(intervals).mean(dim=0)
            within = INTERVAL_SHARE * within.float().to(self.device)
            variance = variance + (within.mean() if shared else within)
        options = {"floor": least, "shared": shared, "within": within}
        share = self._observed_share()
        options["share"] = None if share is None else share[: self.n_numbers]
        gaussian = Gaussian(variance, **options)
        return make_likelihood(gaussian, self.blocks, share)

    def _observed_share(self):
        """Share of each column's entries that are observed; None if all are."""
        if not have_missing(self.x):
            return None
        return 1 - self.tensor.isnan().float().mean(dim=0)

    def _fit_linear(self, x):
        k = self.architecture.n_components
        if self.blocks is None:
            return fit_linear_vae(x, k, self.noise, self.floor)
        n_dependent = len(self.blocks.sizes)
        if x.shape[1] > MOST_EXACT:
            linear = fit_wide_linear_vae(x, k, self.floor, n_dependent)
        else:
            linear = fit_linear_vae(x, k, self.noise, self.floor, n_dependent)
        return with_link(linear, x, self.blocks)

    def _fit_filler(self, x):
        """Return the factor analysis that fills holes; None: the linear VAE does.

        Columns that are nearly exact tell more of the others than PCA has it.
        """
        if not (self.gains_columns and have_missing(x)) or x.shape[1] > MOST_EXACT:
            return None
        k, floor = self.architecture.n_components, NOISE_FLOOR["diag"]
        return fit_linear_vae(x, k, "diag", floor)

    def _fallback(self, linear, x):
        """Return what the density falls back on: the linear VAE fitted to x.

        With indicators the noise is an average over them, and numbers need their own.
        """
        if self.blocks is None:
            return linear
        numbers = slice(self.n_numbers)
        squares = linear.expected_squares(x[:SUMMARY_ROWS])
        noise_variance = linear.noise_variance.clone()
        error = observed_mean(squares[:, numbers]).numpy()
        noise_variance[numbers] = torch.from_numpy(self.held_out.as_noise(error))
        return replace(linear, noise_variance=noise_variance)

    def _network(self, start, flat):
        return VAE(self.architecture, flat, start.filler or start.linear)

    def _train(self, start, x, held_out=None, **changes):
        vae = self._network(start, start.flat.clone())
        likelihood = start.likelihood
        generator = torch.Generator(self.device).manual_seed(self.seed)
        held_out = x[:0] if held_out is None else held_out
        settings = replace(self.settings, **changes)
        return train(vae, likelihood.clone(), x, held_out, settings, generator)

    def _improves(self, start, record):
        """Whether held-out rows favour the record; in R2 too, where PCA counts."""
        if record.best_epoch == 0:
            return False
        after, before = (
            (self._network(start, model.flat), model.likelihood)
            for model in (record, start)
        )
        return self.held_out.favour(after, before, in_r2=self.noise == "spherical")

    def _solution(self, start, record):
        """Attach to the weights what held-out rows tell of them."""
        vae = self._network(start, record.flat)
        noise_variance = self.held_out.noise(vae, start.likelihood)
        parameters = self._parameters(start, record.flat, noise_variance)
        if have_missing(self.x):
            parameters.informed = _informed(parameters, self.x)
        if self.gains_columns:
            parameters.dispersion = self.held_out.dispersion(parameters)
        parameters.prior = self.held_out.prior(parameters)
        parameters.widening = self.held_out.widening(FittedVAE(parameters))
        parameters.network_weight = self.held_out.weight(parameters)
        return Solution(parameters)

    def _refine(self, closed_form, start):
        """Let the closed form's copy have a prior and a dispersion, if they help.

        Held-out rows see the linear VAE of the rest; both are then fitted to all rows.
        """
        of_rest = self._parameters(start, start.flat, closed_form.noise_variance)
        of_rest.dispersion = self.held_out.dispersion(of_rest)
        of_rest.prior = self.held_out.prior(of_rest)
        if of_rest.dispersion is not None or of_rest.prior is not None:
            closed_form.dispersion = of_rest.dispersion
            closed_form.prior = of_rest.prior
            closed_form.network_weight = self.held_out.weight(of_rest)

    @torch.no_grad()
    def _parameters(self, start, flat, noise_variance):
        """Return those of a network that has not seen the held-out rows."""
        parameters = Parameters(
            architecture=self.architecture,
            flat=flat.cpu().numpy(),
            noise_variance=noise_variance,
            linear=start.linear,
            filler=start.filler,
            fallback=self._fallback(start.linear, self.held_out.rest.cpu()),
            blocks=self.blocks,
        )
        _set_ranges(parameters, self.x, *encode_some(parameters, self.x)[1:])
        return parameters


@dataclass
class _Start:
    """Where training starts, and the linear VAE that the model falls back on."""

    flat: torch.Tensor
    likelihood: Gaussian
    linear: object
    filler: object  # of holes; None: `linear`


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
def _put_in_order(x, solution, held_out):
    """Order components by their nats, sign them; fit to all rows what goes with them.

    A component's sign makes it grow with the column that it covaries with most.
    """
    parameters = solution.parameters
    rows, mean, log_var = encode_some(parameters, x)
    component_kl = kl_divergence(mean, widen(log_var, parameters.widening))
    component_kl = component_kl.mean(dim=0).double().numpy()
    order = np.argsort(-component_kl, kind="stable")
    filled = parameters.filling.fill(rows)
    covariance = ((mean - mean.mean(dim=0)).T.double() @ filled)[order].numpy()
    strongest = np.abs(covariance).argmax(axis=1)
    signs = np.where(covariance[np.arange(len(order)), strongest] < 0, -1.0, 1.0)
    permute_components(
        parameters.architecture,
        torch.from_numpy(parameters.flat),
        torch.from_numpy(order),
        torch.from_numpy(signs).float(),
    )
    parameters.linear = parameters.linear.permuted(
        *map(torch.from_numpy, (order, signs))
    )
    if parameters.informed is not None:
        parameters.informed = _informed(parameters, x)
    solution.component_kl = component_kl[order]
    mean, log_var = mean[:, order].double() * torch.from_numpy(signs), log_var[:, order]
    _set_ranges(parameters, x, mean, log_var)
    model = FittedVAE(parameters)
    (expected,) = by_chunks(lambda z: (model.mean(z),), mean)
    parameters.readout = fit_readout(mean, rows - expected).numpy()
    if parameters.prior is not None:
        generator = torch.Generator().manual_seed(held_out.seed)
        z = draw_posteriors(parameters, x, generator).flatten(0, 1)
        size = len(parameters.prior[0]) - 1  # N(0, I) is the last
        parameters.prior = fit_mixture(z, size, generator).arguments()
    if parameters.dispersion is not None:
        parameters.dispersion = held_out.refit_dispersion(parameters)


def _informed(parameters, x):
    """Return the share of what whole rows tell of z that rows tell on average."""
    return parameters.linear.informed_share(torch.from_numpy(x)).mean(dim=0).numpy()


def _set_ranges(parameters, x, mean, log_var):
    """Remember where the training rows and their posteriors were.

    A linear network is at home everywhere.
    """
    reach = Z_REACH * (0.5 * log_var).exp()
    z = torch.cat([mean - reach, mean + reach]).double().numpy()
    for name, values in (("x_range", x), ("z_range", z)):
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        bounds = np.stack([low, high]).astype(np.float64)
        if not parameters.architecture.n_layers:
            bounds[:] = [[-np.inf], [np.inf]]
        setattr(parameters, name, bounds)
