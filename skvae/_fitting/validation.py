"""What rows kept out of the training tell of a model.

Whether it beats another, and, once it is chosen, what training rows would flatter: the
noise and how it varies, the prior of z, the posteriors' width and the network's weight
in the density.
"""

from functools import cached_property
from math import inf

import numpy as np
import torch

from skvae._likelihoods.dispersion import RIDGES, fit_dispersion
from skvae._likelihoods.gaussian import Gaussian, IntervalGaussian, VaryingGaussian
from skvae._linear.moments import least_noise
from skvae._linear.readout import fit_readout
from skvae._model.bounds import elbo, spread_normal, standard_normal
from skvae._model.density import FittedVAE, stacking_weight
from skvae._model.network import VAE
from skvae._model.prior import likeliest_mixture
from skvae._training.loop import evaluate, mean_error

CHUNK_ROWS = 2048
SUMMARY_ROWS = 20_000  # that the noise, the ordering and the read-out look at
CAUTION = 8.0  # standard errors, over the number of rows: few rows tell little
R2_TOLERANCE = 1e-3
TELLING_ROWS = 1_000  # of the held-out, whose densities are compared
TELLING_DRAWS = 32
TELLING_ROWS_AT_A_TIME = 64
LEAST_RANGE_ROWS = 10
INTERVAL_FACTORS = -2, 2, 41  # powers of ten, and how many are tried
WIDENINGS = 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 12.0
PRIOR_DRAWS = 3_000  # of z, at least, that its prior is fitted to
MOST_DECODED = 1_000_000  # entries, about, that the dispersion is fitted to


class HeldOut:
    """The rows kept out of the training, beside the rest.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        All rows, the held-out first.
    n_held_out : int
    by_column : bool
        Whether each column has a noise of its own.
    floor : float
        The least noise variance, as a share of a column's variance.
    beta : float
    seed : int
    intervals : Tensor of shape (at least n_held_out, 2, d) or None
        Least and largest value that each entry of the first rows stands for.
    blocks : Blocks or None
        Of the columns; None: all are numbers.
    """

    def __init__(
        self, x, n_held_out, *, by_column, floor, beta, seed, intervals, blocks=None
    ):
        self.n_numbers = x.shape[1] if blocks is None else blocks.n_numbers
        self.x, self.rows, self.rest = x, x[:n_held_out], x[n_held_out:]
        # Beyond the range of training rows the fitted model is linear whatever the
        # network, so one far row does not speak of it. A few rows have no range.
        self.inside = self.rows
        if len(self.rest) >= LEAST_RANGE_ROWS:
            self.inside = self.rows.clamp(*_range(self.rest))
        self.by_column, self.floor = by_column, floor
        self.beta, self.seed = beta, seed
        self.intervals = intervals
        self.intervals_of_numbers = None
        if intervals is not None:
            self.intervals_of_numbers = self._numbers(intervals)

    def _numbers(self, x):
        """Return the columns of numbers."""
        return x[..., : self.n_numbers]

    # ------------------------------------------------------------------ better or not

    def favour(self, after, before, in_r2):
        """Whether these rows favour one model over another by more than chance.

        In nats, and where `in_r2`, in squared error too.

        Parameters
        ----------
        after, before : pair of VAE and likelihood
        in_r2 : bool
        """
        telling = self.inside[:TELLING_ROWS]
        noise = self._draw(telling, after[0])
        gain = self._bounds(after, telling, noise)
        gain -= self._bounds(before, telling, noise)
        if not _exceeds_chance(gain) or not in_r2:
            return _exceeds_chance(gain)
        gain = self._errors(before, telling) - self._errors(after, telling)
        slack = R2_TOLERANCE * _squares(telling).sum(dim=1).mean()
        return _exceeds_chance(gain + slack)

    def _bounds(self, model, x, noise):
        vae, likelihood = model
        _, fitted = evaluate(vae, likelihood, x, noise, self.beta)
        with torch.no_grad():
            return elbo(vae, fitted, x, noise, self.beta)[0]

    @torch.no_grad()
    def _errors(self, model, x):
        """Squared error of rows decoded from their posterior means."""
        vae, likelihood = model

        def decode(x):
            mean, _ = vae.encode(x)
            residual = x - likelihood.mean(vae.decode(mean))
            return mean.double(), residual.double()

        few = by_chunks(decode, self.rest[:SUMMARY_ROWS])
        readout = fit_readout(*(values.cpu() for values in few)).to(x.device)
        mean, residual = decode(x)
        residual = residual - readout[0] - mean @ readout[1:]
        return residual.nan_to_num(0.0).square().sum(dim=1)

    # ---------------------------------------------------------------------- the noise

    @torch.no_grad()
    def noise(self, vae, likelihood):
        """Return a noise that holds on unseen rows.

        Held-out rows are few; training rows are many, and flatter the model. So all
        rows give the noise, training rows with their errors raised to the held-out
        rows' level. What held-out rows hardly vary in they cannot vouch for: there
        the noise goes back to that of `likelihood`, as if one more row had shown it.
        """
        share = len(self.rows) / len(self.x)
        held_out, rest = self.inside[:SUMMARY_ROWS], self.rest[:SUMMARY_ROWS]
        unseen, seen = (
            self._numbers(mean_error(vae, likelihood, part, self._draw(part, vae)))
            for part in (held_out, rest)
        )
        held_out, rest = self._numbers(held_out), self._numbers(rest)
        inflation = max(1.0, float(unseen.sum() / seen.sum().clamp(min=1e-12)))
        error = share * unseen + (1 - share) * inflation * seen
        evidence = _squares(held_out).sum(dim=0)
        evidence /= _mean(rest.double().square()).clamp(min=1e-12)
        evidence.nan_to_num_(0.0)  # where the rest has no entry
        error = (evidence * error + likelihood.variance) / (evidence + 1)
        return self.as_noise(error.cpu().numpy()) * self.interval_factor(vae)

    def as_noise(self, error):
        """Return mean squared errors as the noise variance that they make."""
        if not self.by_column and error.size:
            error = np.full_like(error, error.mean())
        return np.maximum(error, self._least_noise)

    @cached_property
    def _least_noise(self):
        shape = "diag" if self.by_column else "spherical"
        return least_noise(self._numbers(self.x).cpu(), shape, self.floor).numpy()

    @torch.no_grad()
    def interval_factor(self, vae):
        """Return the factors of the noise by which intervals are likeliest.

        Errors are those of one value in each interval; the noise speaks of all of it.
        """
        intervals = self.intervals_of_numbers
        if intervals is None or not self.by_column:
            return 1.0
        x = self.x[: len(intervals)].to(vae.flat)
        mean, log_var = vae.encode(x)
        decoded = vae.decode(mean + (0.5 * log_var).exp() * self._draw(x, vae))
        decoded, x = (self._numbers(a).cpu().double() for a in (decoded, x))
        error = _mean((x - decoded).square())
        least = torch.from_numpy(self._least_noise)
        factors = torch.logspace(*INTERVAL_FACTORS, dtype=torch.float64, device="cpu")
        fits = []
        for factor in factors:
            likelihood = IntervalGaussian((factor * error).maximum(least))
            fits.append(likelihood.log_prob(intervals, decoded).sum(dim=0))
        low, high = intervals.unbind(dim=1)
        found = factors[torch.stack(fits).argmax(dim=0)]
        return torch.where((high > low).any(dim=0), found, 1.0).numpy()

    @torch.no_grad()
    def dispersion(self, parameters):
        """Return how these rows would have the noise vary with z; None: not at all."""
        z, decoded, x = self._decoded(parameters, self.inside[:TELLING_ROWS])
        variance = torch.from_numpy(parameters.noise_variance)
        intervals = self.intervals_of_numbers

        def score(likelihood):
            observed = x
            if intervals is not None:
                likelihood, observed = likelihood.of_intervals(), intervals[: len(x)]
            log_prob = likelihood.given(z).log_prob(observed, decoded)
            return log_prob.sum(dim=2).mean(dim=0)  # of each row

        best, best_score, found = None, score(Gaussian(variance)), None
        seen_z, error = self._errors_at(parameters, self.rest)
        for ridge in RIDGES:
            found = fit_dispersion(seen_z, error, ridge, start=found)
            found_score = score(VaryingGaussian(variance, found))
            if not _exceeds_chance(found_score - best_score):
                break
            best, best_score = found, found_score
        return None if best is None else best.arguments()

    @torch.no_grad()
    def refit_dispersion(self, parameters):
        """Return it fitted to all rows, which may be flattered: its shape counts."""
        _, ridge = parameters.dispersion
        rows = torch.cat([part[:PRIOR_DRAWS] for part in (self.inside, self.rest)])
        z, error = self._errors_at(parameters, rows)
        return fit_dispersion(z, error, ridge).arguments()

    def _errors_at(self, parameters, rows):
        """Draw z; return them and the squared errors there, none below the floor."""
        z, decoded, x = self._decoded(parameters, rows)
        least = torch.from_numpy(self._least_noise)
        return z, (x - decoded).square_().maximum(least)

    def _decoded(self, parameters, rows):
        """Draw z of some rows; return them, the numbers they decode to, the rows'."""
        x = rows.cpu().numpy()
        n_draws = min(max(MOST_DECODED // x.shape[1], 1), PRIOR_DRAWS)
        generator = torch.Generator().manual_seed(self.seed)
        z = draw_posteriors(parameters, x, generator, n_draws)
        decode = FittedVAE(parameters).decode
        (decoded,) = by_chunks(lambda z: (self._numbers(decode(z)),), z.flatten(0, 1))
        x = self._numbers(torch.from_numpy(x[: z.shape[1]]))
        return z, decoded.unflatten(0, z.shape[:2]), x

    # -------------------------------------------------------------------- the density

    @torch.no_grad()
    def prior(self, parameters):
        """Return the mixture of z that these rows favour over N(0, I), or None."""
        generator = torch.Generator().manual_seed(self.seed)
        seen, unseen = (
            draw_posteriors(parameters, rows.cpu().numpy(), generator)
            for rows in (self.rest, self.rows)
        )
        z = unseen.flatten(0, 1)
        mixture = likeliest_mixture(seen.flatten(0, 1), z, generator)
        gain = mixture.log_prob(z) - standard_normal(z)
        gain = gain.reshape(unseen.shape[:2]).mean(dim=0)  # of each row
        return mixture.arguments() if _exceeds_chance(gain) else None

    @torch.no_grad()
    def widening(self, model):
        """Return the widening of posteriors by which these rows' ELBO is largest."""
        x = self.rows[:TELLING_ROWS].cpu().double()
        noise = self._draw(x, model.network)

        def score(widening):
            model.widening = widening
            return float(elbo(model, model.likelihood, x, noise)[0].mean())

        return max(WIDENINGS, key=score) if self.beta else 1.0

    @torch.no_grad()
    def weight(self, parameters):
        """Return the weight of the network in the density that suits these rows."""
        model = FittedVAE(parameters)
        noise = spread_normal(TELLING_DRAWS, parameters.architecture.n_components)
        telling = self.rows[:TELLING_ROWS].cpu().double()
        of_network, of_fallback = [], []
        for start in range(0, len(telling), TELLING_ROWS_AT_A_TIME):
            rows = slice(start, start + TELLING_ROWS_AT_A_TIME)
            intervals = None if self.intervals is None else self.intervals[rows]
            given = telling[rows], noise, intervals
            of_network.append(model.network_log_density(*given))
            of_fallback.append(model.fallback_log_density(*given))
        return stacking_weight(torch.cat(of_network), torch.cat(of_fallback))

    def _draw(self, x, vae):
        """Draw standard normal noise for the z of rows, the same each time."""
        generator = torch.Generator(x.device).manual_seed(self.seed)
        k = vae.architecture.n_components
        noise = torch.zeros(len(x), k, dtype=torch.float32, device=x.device)
        return noise.normal_(generator=generator) if self.beta else noise


def encode_some(parameters, x):
    """Return some rows, and the means and log-variances that the network gives them."""
    rows = torch.from_numpy(x[:SUMMARY_ROWS])
    flat = torch.from_numpy(parameters.flat)
    vae = VAE(parameters.architecture, flat, parameters.filling)
    return rows, *by_chunks(vae.encode, rows)


def draw_posteriors(parameters, x, generator, n_draws=PRIOR_DRAWS):
    """Draw z of some rows, (n_times, n, k); more than once where they are few."""
    _, mean, log_var = encode_some(parameters, x[:n_draws])
    n_times = -(-n_draws // len(mean))
    noise = torch.empty(n_times, *mean.shape, dtype=torch.float64, device="cpu")
    noise.normal_(generator=generator)
    return mean.double() + (0.5 * log_var.double()).exp() * noise


def by_chunks(function, x):
    """Apply a function to some rows at a time; join each of the tensors it returns."""
    parts = zip(*map(function, x.split(CHUNK_ROWS)), strict=True)
    return [torch.cat(part) for part in parts]


def _range(x):
    """Least and largest entry of each column, without bounds where it has none."""
    low, high = x.amin(dim=0), x.amax(dim=0)  # NaN where a column has a hole
    if low.isnan().any():
        missing = x.isnan()
        low = x.masked_fill(missing, inf).amin(dim=0)
        high = x.masked_fill(missing, -inf).amax(dim=0)
        unknown = missing.all(dim=0)
        low[unknown], high[unknown] = -inf, inf
    return low, high


def _squares(x):
    squares = x.double().square()
    return squares.nan_to_num(0.0) if squares.isnan().any() else squares


def _mean(x):
    """Mean of each column's entries that are not missing."""
    return x.nanmean(dim=0) if x.isnan().any() else x.mean(dim=0)


def _exceeds_chance(gain):  # (n,) -> bool
    if len(gain) < 3:
        return False
    return bool(gain.mean() > CAUTION / len(gain) * gain.std() / len(gain) ** 0.5)
