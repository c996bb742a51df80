"""How many components: the fewest that give back a share of the variance."""

import numpy as np
import torch

from skvae._fitting.comparison import SUMMARY_ROWS
from skvae._linear.closed_form import principal_axes
from skvae._linear.moments import observed_mean, scatter
from skvae._linear.readout import fit_readout
from skvae._numerics.chunks import map_chunks
from skvae._numerics.threads import one_thread


def fewest_components(x, share, n_validation, fit):
    """Return the fewest components whose R2 on validation rows reaches a share.

    As many as PCA needs are fitted first. The components of a fit are ordered by what
    they carry: where the first few suffice, the others held at their mean, one less
    than those is fitted next, until a fit falls short. Where even the first does, as
    noise by column or `beta` may have it, half as many again are fitted next.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        In single precision and random order: the first rows validate.
    share : float
        Between 0 and 1.
    n_validation : int
    fit : callable
        Maps rows and a number of components to a fitted `Density`.

    Returns
    -------
    int
    """
    validation, training = x[:n_validation].double(), x[n_validation:]
    most = min(training.shape)

    def fitted_r2(k):
        return _truncated_r2(fit(training, k), training[:SUMMARY_ROWS], validation)

    with one_thread(), torch.inference_mode():
        k = _first(_r2_of_pca(training.double(), validation) >= share)
        if len(training) == 1:
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


def _r2_of_pca(training, validation):  # -> (min(n, d),)
    """Return the R2 of the validation rows, by number of components."""
    # What is missing counts as the mean.
    training, validation = training.nan_to_num(0.0), validation.nan_to_num(0.0)
    center = observed_mean(training)
    directions = principal_axes(scatter(training, center, len(training)))[1]
    centred = validation - center
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


def _truncated_r2(density, training, validation):
    """Return a function: the validation rows' R2 of the first components alone."""

    def encode(x):
        return (density.encode(x)[0],)

    (z_training,), (z_validation,) = (
        map_chunks(encode, rows.double()) for rows in (training, validation)
    )
    center = z_training.mean(dim=0)
    deviations = validation - observed_mean(training)
    total = float(deviations.nan_to_num(0.0).square().sum())

    def r2(k):
        def decode(z):
            z = torch.cat([z[:, :k], center[k:].expand(len(z), -1)], dim=1)
            (decoded,) = map_chunks(lambda z: (density.mean(z),), z)
            return decoded

        readout = fit_readout(z_training[:, :k], training - decode(z_training))
        residual = validation - decode(z_validation)
        residual -= readout[0] + z_validation[:, :k] @ readout[1:]
        return _r2(float(residual.nan_to_num(0.0).square().sum()), total)

    return r2


def _r2(residual, total):
    """Where nothing varies nothing is left to explain."""
    return 1 - residual / max(total, np.finfo(np.float64).tiny)
