"""The last steps of a fit: components in order, and what is fitted to all rows."""

from dataclasses import replace

import torch

from skvae._fitting.calibration import match_margins, refit_dispersion, refit_prior
from skvae._fitting.candidate import encode_some, make_coder, typical_share
from skvae._linear.readout import fit_readout
from skvae._model.bounds import kl_divergence
from skvae._model.coder import Coder, widen
from skvae._numerics.chunks import map_chunks


def finish(candidate, split):
    """Put the components in order and fit to all rows what goes with them.

    Parameters
    ----------
    candidate : Candidate
    split : Split

    Returns
    -------
    density : Density
    component_kl : Tensor of shape (k,)
        Nats that each component carries.
    """
    rows, mean, log_var = encode_some(candidate.network, candidate.start, split.x)
    component_kl = _component_kl(candidate, rows.observed, mean, log_var)
    order = component_kl.argsort(descending=True, stable=True)
    signs = _signs(mean, rows.x)[order]
    network, start = _reorder(candidate, order, signs)
    mean, log_var = mean[:, order].double() * signs, log_var[:, order]
    coder = make_coder(network, start, split.x, (mean, log_var))
    if isinstance(coder, Coder):
        share = typical_share(start.linear, split)
        scale = candidate.first.coder.posterior_scale
        coder = replace(coder, typical_share=share, posterior_scale=scale)
    candidate = replace(candidate, network=network, start=start)
    candidate = candidate.with_first(coder=coder)
    candidate = refit_dispersion(refit_prior(candidate, split), split)
    candidate = match_margins(candidate, split)
    (decoded,) = map_chunks(lambda z: (candidate.first.mean(z),), mean)
    readout = fit_readout(mean, rows.observed - decoded)
    return replace(candidate.density, readout=readout), component_kl[order]


def _component_kl(candidate, observed, mean, log_var):  # -> (k,)
    """Return the nats that each component carries, at the posteriors' true widths."""
    coder = candidate.first.coder
    if not isinstance(coder, Coder):
        mean, log_var = coder.encode(observed)
        return kl_divergence(mean, log_var).mean(dim=0)
    informed = coder.linear.informed_share(observed) / coder.typical_share
    mean = mean.double().where(informed > 0, 0.0)
    log_var = widen(log_var.double(), coder.posterior_scale / informed)
    return kl_divergence(mean, log_var).mean(dim=0)


def _signs(mean, x):  # -> (k,)
    """Return the signs that make each component grow with a column.

    That is the column that it covaries with most, in absolute value.
    """
    covariance = (mean - mean.mean(dim=0)).T.double() @ x.double()
    strongest = covariance.abs().argmax(dim=1, keepdim=True)
    of_strongest = covariance.gather(1, strongest).squeeze(1)
    return torch.where(of_strongest < 0, -1.0, 1.0).double()


def _reorder(candidate, order, signs):
    """Return the network and the start with their components in order."""
    start = candidate.start
    linear = start.linear.permuted(order, signs)
    filler = linear if start.filler is start.linear else start.filler
    start = replace(start, linear=linear, filler=filler)
    return candidate.network.permuted(order, signs), start
