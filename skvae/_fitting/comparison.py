"""Whether a network is better than its start: validation rows say, beyond chance."""

import torch
from scipy.special import ndtri, stdtrit

from skvae._linear.readout import fit_readout
from skvae._model.bounds import elbo
from skvae._numerics.chunks import map_chunks
from skvae._training.evaluation import evaluate

SUMMARY_ROWS = 20_000  # that the noise, the ordering and the read-out look at
CAUTION = 8.0  # standard errors, over the number of rows: few rows tell little
CONFIDENCE = 0.995  # at which so few rows are taken for a sample of Student's
R2_TOLERANCE = 1e-3
MOST_WORSE = 1e4  # nats a column that training may lose without having diverged
COMPARED_ROWS = 1_000  # of the validation rows, whose densities are compared


def is_better(network, start, split):
    """Whether validation rows find a network better than the start that it came from.

    In nats, and where all columns have one noise in training, as PCA has it, in
    squared error, too: of all columns, in the units of that noise; and of the numeric
    ones, each in its own, which neither categories nor the largest may gain by.

    Parameters
    ----------
    network : VAE
        With the likelihood of `start`.
    start : Start
    split : Split

    Returns
    -------
    bool
    """
    rows = start.rows(split.inside[:COMPARED_ROWS])
    gain = _bounds(network, rows, start, split)
    gain -= _bounds(start.network, rows, start, split)
    if not exceeds_chance(gain) or split.recipe.training_noise == "diag":
        return exceeds_chance(gain)
    gain = _errors(start.network, rows, start, split)
    gain -= _errors(network, rows, start, split)
    squares = rows.observed.double().square().nan_to_num(0.0)
    gain += R2_TOLERANCE * squares.mean(dim=0)
    groups = [gain * split.recipe.units**2]
    if split.recipe.layout.n_numeric:
        groups.append(split.numeric(gain))
    return all(exceeds_chance(of_some.sum(dim=1)) for of_some in groups)


def has_diverged(network, start, split):
    """Whether training left a network that says next to nothing of rows.

    Weights may be finite and so large that what they make of rows is not; such a
    network is no candidate.

    Parameters
    ----------
    network : VAE
    start : Start
        That it came from.
    split : Split

    Returns
    -------
    bool
    """
    parts = [part[:SUMMARY_ROWS] for part in (split.inside, split.training)]
    rows = start.rows(torch.cat(parts))
    given = start.likelihood, rows, split.draws(rows.x), split.recipe.training.beta
    score, of_start = (evaluate(vae, *given)[0] for vae in (network, start.network))
    return not score > of_start - MOST_WORSE * rows.x.shape[1]


def exceeds_chance(gain):  # (n,) -> bool
    """Whether the mean gain of some rows is more than chance.

    Of few rows the standard error itself is hardly known, which Student's t makes up
    for: three rows have to gain ten of them.
    """
    n = len(gain)
    if n < 3:
        return False
    caution = CAUTION / n * float(stdtrit(n - 1, CONFIDENCE) / ndtri(CONFIDENCE))
    return bool(gain.mean() > caution * gain.std() / n**0.5)


def _bounds(network, rows, start, split):
    """Return the ELBO of each row at the rows' own best noise."""
    draws, beta = split.draws(rows.x), split.recipe.training.beta
    _, fitted = evaluate(network, start.likelihood, rows, draws, beta)
    return elbo(network, fitted.likelihood, rows.x, draws, beta, rows.observed)[0]


def _errors(network, rows, start, split):
    """Return squared errors of rows decoded from their posterior means, (n, d)."""
    likelihood = start.likelihood.likelihood

    def decode(x, observed):
        mean, _ = network.encode(x)
        residual = observed - likelihood.mean(network.decode(mean))
        return mean.double(), residual.double()

    few = start.rows(split.training[:SUMMARY_ROWS])
    readout = fit_readout(*map_chunks(decode, few.x, few.observed))
    mean, residual = decode(rows.x, rows.observed)
    residual = residual - readout[0] - mean @ readout[1:]
    return residual.nan_to_num(0.0).square()
