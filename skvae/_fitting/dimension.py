"""How many components: the fewest that give back a share of held-out rows' variance."""

import numpy as np
import torch

from skvae._fitting.validation import SUMMARY_ROWS, by_chunks
from skvae._linear.closed_form import principal_axes
from skvae._linear.moments import observed_mean, scatter
from skvae._linear.readout import fit_readout
from skvae._model.density import FittedVAE
from skvae._numerics.threads import one_thread


def fewest_components(x, share, n_held_out, fit):
    """Return the fewest components whose R2 on held-out rows reaches a share.

    As many as PCA needs are fitted first. The components of a fit are ordered by what
    they carry: where the first few suffice, the others held at their mean, one less
    than those is fitted next, until a fit falls short. Where even the first does, as
    noise by column or `beta` may have it, half as many again are fitted next.

    Parameters
    ----------
    x : ndarray of shape (n, d), float32
        In random order: the first rows are the held-out.
    share : float
        Between 0 and 1.
    n_held_out : int
    fit : callable
        Maps rows and a number of components to fitted `Parameters`.

    Returns
    -------
    int
    """
    held_out, rest = x[:n_held_out].astype(np.float64), x[n_held_out:]
    most = min(rest.shape)

    def fitted_r2(k):
        return _truncated_r2(FittedVAE(fit(rest, k)), rest[:SUMMARY_ROWS], held_out)

    with one_thread():
        k = _first(_r2_of_pca(rest, held_out) >= share)
        if len(rest) == 1:
            return k
        r2, short = fitted_r2(k), 0
        while r2(k) < share and k < most:
            short, k = k, min(k + k // 2 + 1, most)
            r2 = fitted_r2(k)
        enough = k
        while r2(k) >= share:
            enough = _fewest(r2, k, share)
            k = enough - 1
            if k <= short:
                break
            r2 = fitted_r2(k)
        return enough


def _r2_of_pca(rest, held_out):  # -> (min(n, d),)
    """R2 of the held-out rows, by number of components."""
    # What is missing counts as the mean.
    rest, held_out = (
        torch.from_numpy(rows).nan_to_num(0.0) for rows in (rest, held_out)
    )
    center = observed_mean(rest)
    directions = principal_axes(scatter(rest, center, len(rest)))[1]
    centred = held_out - center
    total = float(centred.square().sum())
    explained = (centred @ directions.T).square().sum(dim=0).cumsum(dim=0)
    return _r2(total - explained.numpy(), total)


def _first(is_enough):
    return int(np.argmax(is_enough)) + 1 if is_enough.any() else len(is_enough)


def _fewest(r2, k, share):
    """Return the least number from 1 to k whose r2 reaches a share, else k."""
    low, high = 0, k  # r2 grows with the number: too few, and enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if r2(middle) >= share else (middle, high)
    return high


@torch.inference_mode()
def _truncated_r2(model, rest, held_out):
    """Return a function: the held-out R2 of the first components alone."""
    z_rest, z_held_out = (_encode(model, rows) for rows in (rest, held_out))
    center = z_rest.mean(dim=0)
    deviations = _observed(held_out - observed_mean(torch.from_numpy(rest)).numpy())
    total = np.square(deviations).sum()

    def r2(k):
        def decode(z):
            z = torch.cat([z[:, :k], center[k:].expand(len(z), -1)], dim=1)
            (decoded,) = by_chunks(lambda z: (model.mean(z),), z)
            return decoded

        with torch.inference_mode():
            residual = torch.from_numpy(rest) - decode(z_rest)
            readout = fit_readout(z_rest[:, :k], residual)
            residual = torch.from_numpy(held_out) - decode(z_held_out)
            residual -= readout[0] + z_held_out[:, :k] @ readout[1:]
        return _r2(np.square(_observed(residual.numpy())).sum(), total)

    return r2


def _observed(residual):
    """Return residuals, 0 where an entry is missing."""
    return np.nan_to_num(residual)


def _r2(residual, total):
    """Where nothing varies nothing is left to explain."""
    return 1 - residual / max(total, np.finfo(np.float64).tiny)


def _encode(model, x):
    mean, _ = by_chunks(model.encode, torch.from_numpy(np.asarray(x, np.float64)))
    return mean
