"""What training rows would flatter, chosen by rows that were not trained on.

The noise and how it varies, the prior of z, the posteriors' width and the weight of the
network in the density. Each step takes a candidate and returns one; some are fitted to
all rows in the end, see `refit_prior` and `refit_dispersion`.
"""

from dataclasses import replace
from math import log

import torch

from skvae._fitting.candidate import (
    PRIOR_DRAWS,
    as_noise,
    draw_posteriors,
    typical_share,
)
from skvae._fitting.comparison import COMPARED_ROWS, SUMMARY_ROWS, exceeds_chance
from skvae._likelihoods.dispersion import RIDGES, fit_dispersion
from skvae._likelihoods.gaussian import Gaussian
from skvae._linear.moments import observed_mean
from skvae._model.bounds import elbo, kl_divergence, standard_normal
from skvae._model.density import stacking_weight
from skvae._model.margins import match_quantiles, match_shares
from skvae._model.prior import fit_mixture, likeliest_mixture
from skvae._numerics.chunks import map_chunks, slices
from skvae._training.evaluation import mean_error

COMPARED_DRAWS = 32
FEW_DRAWS = 16
LEAST_SHARE = 0.01  # that the fallback is supposed to have in the density
COMPARED_AT_A_TIME = 64
INTERVAL_FACTORS = -2, 2, 41  # powers of ten, and how many are tried
POSTERIOR_SCALES = 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 12.0
MOST_DECODED = 250_000  # entries, about, that the dispersion is fitted to


def calibrate(candidate, split, steps):
    """Return a candidate with all that validation rows choose.

    Parameters
    ----------
    candidate : Candidate
    split : Split
    steps : sequence of callable

    Returns
    -------
    Candidate
    """
    for step in steps:
        candidate = step(candidate, split)
    return candidate


def measure_noise(candidate, split):
    """Choose a noise that holds on unseen rows.

    Validation rows are few; training rows are many, and flatter the model. So all rows
    give the noise, training rows with their errors raised to the validation rows'
    level. Columns that hardly vary in the validation rows keep the noise of the start,
    as if one more row had shown it.
    """
    network, start = candidate.network, candidate.start
    share = len(split.validation) / len(split.x)
    parts = [split.inside[:SUMMARY_ROWS], split.training[:SUMMARY_ROWS]]
    errors = (
        mean_error(network, start.likelihood, start.rows(x), split.draws(x))
        for x in parts
    )
    unseen, seen = map(split.numeric, errors)
    validation, training = map(split.numeric, parts)
    inflation = max(1.0, float(unseen.sum() / seen.sum().clamp(min=1e-12)))
    error = share * unseen + (1 - share) * inflation * seen
    evidence = validation.double().square().nan_to_num(0.0).sum(dim=0)
    evidence /= observed_mean(training.double().square()).clamp(min=1e-12)
    evidence.nan_to_num_(0.0)  # where no training row has an entry
    error = (evidence * error + start.likelihood.variance) / (evidence + 1)
    factor = interval_factor(network, start.fill, split)
    variance = as_noise(error, split) * factor
    return candidate.with_first(
        likelihood=candidate.first.likelihood.with_noise(variance)
    )


@torch.no_grad()
def interval_factor(coder, fill, split):
    """Return the factors of the noise by which intervals are likeliest.

    Errors are those of one value in each interval; the noise speaks of all of it.

    Parameters
    ----------
    coder : VAE or LinearCoder
    fill : callable
        Fills the gaps of rows.
    split : Split

    Returns
    -------
    Tensor of shape (n_numeric,), or 1.0
    """
    if not (split.first_rows.has_intervals and split.by_column):
        return 1.0
    intervals = split.numeric(split.first_rows.observed)
    x = split.x[: len(intervals)].to(coder.dtype)
    mean, log_var = coder.encode(fill(x))
    decoded = coder.decode(mean + (0.5 * log_var).exp() * split.draws(x))
    decoded, x = (split.numeric(a).double() for a in (decoded, x))
    error = observed_mean((x - decoded).square())
    factors = torch.logspace(*INTERVAL_FACTORS, dtype=torch.float64, device="cpu")
    fits = []
    for factor in factors:
        likelihood = Gaussian((factor * error).maximum(split.least_noise))
        fits.append(likelihood.log_prob(intervals, decoded).sum(dim=0))
    low, high = intervals.unbind(dim=1)
    found = factors[torch.stack(fits).argmax(dim=0)]
    return torch.where((high > low).any(dim=0), found, 1.0)


def measure_share(candidate, split):
    """Measure the share of what complete rows tell of z that the rows tell."""
    share = typical_share(candidate.start.linear, split)
    coder = replace(candidate.first.coder, typical_share=share)
    return candidate.with_first(coder=coder)


def choose_dispersion(candidate, split):
    """Choose how the noise varies with z, if validation rows would have it vary."""
    if not split.gains_columns:
        return candidate
    compared, first = split.inside[:COMPARED_ROWS], candidate.first
    likelihood, z = first.likelihood, _drawn(candidate, compared, split)
    rows = split.first_rows[: z.shape[1]]
    decoded = _decoded(z, first.coder.decode)
    kl = kl_divergence(*first.coder.encode(rows.x)).sum(dim=1)
    of_fallback = candidate.density.parts[1].log_density(rows, FEW_DRAWS)

    def score(*dispersion):
        """Return each row's bound: no row may cost more than in the density."""
        noise = likelihood.with_noise(likelihood.variance, *dispersion).given(z)
        bound = noise.log_prob(rows.observed, decoded).sum(dim=2).mean(dim=0) - kl
        return torch.logaddexp(bound, of_fallback + log(LEAST_SHARE))

    best_score, found = score(), None
    seen_z, error = _errors_at(candidate, split.training, split)
    for ridge in RIDGES:
        found = fit_dispersion(seen_z, error, ridge, found, split.recipe.n_waves)
        found_score = score(found)
        if not exceeds_chance(found_score - best_score):
            break
        best_score = found_score
        likelihood = likelihood.with_noise(likelihood.variance, found)
    return candidate.with_first(likelihood=likelihood)


def choose_prior(candidate, split):
    """Choose the mixture of z that validation rows favour over N(0, I), if any."""
    generator = torch.Generator().manual_seed(split.recipe.seed)
    network, start = candidate.network, candidate.start
    seen, unseen = (
        draw_posteriors(network, start, rows, generator)
        for rows in (split.training, split.validation)
    )
    z = unseen.flatten(0, 1)
    mixture = likeliest_mixture(seen.flatten(0, 1), z, generator)
    gain = mixture.log_prob(z) - standard_normal(z)
    gain = gain.reshape(unseen.shape[:2]).mean(dim=0)  # of each row
    if not exceeds_chance(gain):
        return candidate
    return candidate.with_first(prior=mixture)


def choose_posterior_scale(candidate, split):
    """Choose the width of posteriors by which the validation rows' ELBO is largest."""
    if not split.recipe.training.beta:
        return candidate
    x = split.validation[:COMPARED_ROWS].double()
    draws, first = split.draws(x), candidate.first

    def score(scale):
        coder = replace(first.coder, posterior_scale=scale)
        return float(elbo(coder, first.likelihood, x, draws)[0].mean())

    best = max(POSTERIOR_SCALES, key=score)
    return candidate.with_first(coder=replace(first.coder, posterior_scale=best))


def match_margins(candidate, split):
    """Let each part distribute columns as the table has them.

    Categories have their shares. Of numeric columns the distribution is known where
    they are normal scores.
    """
    layout, parts = split.recipe.layout, candidate.density.parts
    if not layout.is_numeric:
        parts = tuple(map(match_shares, parts))
    if split.recipe.of_scores:
        parts = tuple(match_quantiles(part, layout.n_numeric) for part in parts)
    return replace(candidate, density=replace(candidate.density, parts=parts))


def choose_weight(candidate, split):
    """Choose the weight of the network in the density that suits validation rows."""
    first_rows = split.first_rows[: len(split.validation)]
    of_network, of_fallback = (
        torch.cat(
            [
                part.log_density(first_rows[rows], COMPARED_DRAWS)
                for rows in slices(len(first_rows), COMPARED_AT_A_TIME)
            ]
        )
        for part in candidate.density.parts
    )
    weight = stacking_weight(of_network, of_fallback)
    density = replace(candidate.density, weights=(weight, 1 - weight))
    return replace(candidate, density=density)


def refit_prior(candidate, split):
    """Fit the prior, if one was chosen, to all rows."""
    if not candidate.first.prior.is_fitted:
        return candidate
    generator = torch.Generator().manual_seed(split.recipe.seed)
    network, start = candidate.network, candidate.start
    z = draw_posteriors(network, start, split.x, generator).flatten(0, 1)
    size = len(candidate.first.prior.weights) - 1  # N(0, I) is the last
    return candidate.with_first(prior=fit_mixture(z, size, generator))


def refit_dispersion(candidate, split):
    """Fit the dispersion, if one was chosen, to all rows.

    They may be flattered: it is its shape that counts.
    """
    likelihood = candidate.first.likelihood
    if not likelihood.dispersion.is_fitted:
        return candidate
    parts = (part[:PRIOR_DRAWS] for part in (split.inside, split.training))
    z, error = _errors_at(candidate, torch.cat(list(parts)), split)
    ridge, n_waves = likelihood.dispersion.ridge, split.recipe.n_waves
    found = fit_dispersion(z, error, ridge, n_waves=n_waves)
    return candidate.with_first(
        likelihood=likelihood.with_noise(likelihood.variance, found)
    )


def _errors_at(candidate, x, split):
    """Draw z; return them and the squared errors there, none below the floor."""
    z, decode = _drawn(candidate, x, split), candidate.first.coder.decode
    decoded = _decoded(z, lambda z: split.numeric(decode(z)))
    x = split.numeric(x[: z.shape[1]])
    return z, (x - decoded).square_().maximum(split.least_noise)


def _drawn(candidate, x, split):
    """Draw z of some rows, (n_draws, n, k), of few rows more than once."""
    n_draws = min(max(MOST_DECODED // x.shape[1], 1), PRIOR_DRAWS)
    generator = torch.Generator().manual_seed(split.recipe.seed)
    given = candidate.network, candidate.start, x, generator, n_draws
    return draw_posteriors(*given)


def _decoded(z, decode):
    """Return what z decode to, some at a time."""
    (decoded,) = map_chunks(lambda z: (decode(z),), z.flatten(0, 1))
    return decoded.unflatten(0, z.shape[:2])


STEPS = (
    measure_noise,
    measure_share,
    choose_dispersion,
    choose_prior,
    choose_posterior_scale,
    choose_weight,
)
MAP_STEPS = tuple(step for step in STEPS if step is not measure_share)
