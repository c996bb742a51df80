"""How far the distribution of some rows is from that of others."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp, rankdata


@dataclass
class Distances:
    """How far the distribution of some rows is from that of the held-out rows.

    Attributes
    ----------
    by_column : ndarray of shape (n_features,)
        Kolmogorov-Smirnov statistic, and of categorical columns the total variation
        distance.

    rank_correlations : float
        Mean absolute difference of the rank correlations, over all pairs of columns
        that are not categorical.
    """

    by_column: np.ndarray
    rank_correlations: float


def measure_distances(rows, held_out, is_categorical):
    """Return how far the distribution of rows is from that of the held-out rows.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Encoded rows.

    held_out : ndarray of shape (n_held_out, n_features)
        Encoded rows.

    is_categorical : ndarray of shape (n_features,)
        Boolean mask of the columns.

    Returns
    -------
    Distances
    """
    differences = rank_correlations(rows[:, ~is_categorical])
    differences = differences - rank_correlations(held_out[:, ~is_categorical])
    by_column = [
        _column_distance(a[~np.isnan(a)], b[~np.isnan(b)], is_one)
        for a, b, is_one in zip(rows.T, held_out.T, is_categorical, strict=True)
    ]
    return Distances(
        by_column=np.array(by_column),
        rank_correlations=np.abs(differences).mean() if differences.size else np.nan,
    )


def rank_correlations(X):
    """Return the rank correlation of every pair of columns.

    Missing values are left out. The correlation with a constant column is 0.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        NaN where a value is missing.

    Returns
    -------
    ndarray of shape (n_features * (n_features - 1) / 2,)
        In the order of the upper triangle of the correlation matrix.
    """
    missing = np.isnan(X)
    ranks = rankdata(X, axis=0, nan_policy="omit")
    n_observed = np.maximum((~missing).sum(axis=0), 1)
    ranks = np.where(missing, 0, ranks - np.nansum(ranks, axis=0) / n_observed)
    squares = (ranks**2).T @ ~missing
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = (ranks.T @ ranks) / np.sqrt(squares * squares.T)
    return np.nan_to_num(correlations)[np.triu_indices(X.shape[1], 1)]


def _column_distance(a, b, is_categorical):
    """Return the distance of two samples of a column, without missing values."""
    if not (len(a) and len(b)):
        return np.nan
    if not is_categorical:
        return ks_2samp(a, b).statistic
    n_categories = int(max(a.max(), b.max())) + 1
    counts = [np.bincount(x.astype(np.intp), minlength=n_categories) for x in (a, b)]
    return 0.5 * np.abs(counts[0] / len(a) - counts[1] / len(b)).sum()
