"""How well entries of encoded rows are predicted: R2 and accuracy, column by column."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Scores:
    """How well entries are predicted; NaN where there is nothing to predict.

    Attributes
    ----------
    by_column : ndarray of shape (n_features,)
        R2, and of categorical columns the accuracy.

    r2 : float
        Of all columns that have one, each standardised; NaN if none has.

    accuracy : float
        Mean over the categorical columns that have one; NaN if none has.
    """

    by_column: np.ndarray
    r2: float
    accuracy: float


def score(truth, predicted, is_categorical, scale):
    """Return the scores of encoded rows.

    `scale` standardises the columns; it is NaN where the training rows do not vary.
    """
    has_score = why_unscored(truth, is_categorical, scale) == ""
    observed = ~np.isnan(truth)
    n_observed = np.maximum(observed.sum(axis=0), 1)
    mean = np.nansum(truth, axis=0) / n_observed
    residual = np.where(observed, ((truth - predicted) / scale) ** 2, 0).sum(axis=0)
    total = np.where(observed, ((truth - mean) / scale) ** 2, 0).sum(axis=0)
    has_r2 = has_score & ~is_categorical & (total > 0)
    by_column = np.full(len(n_observed), np.nan)
    by_column[has_r2] = 1 - residual[has_r2] / total[has_r2]
    has_accuracy = has_score & is_categorical
    n_right = (truth == predicted).sum(axis=0)
    by_column[has_accuracy] = n_right[has_accuracy] / n_observed[has_accuracy]
    return Scores(
        by_column,
        r2=1 - residual[has_r2].sum() / total[has_r2].sum() if has_r2.any() else np.nan,
        accuracy=by_column[has_accuracy].mean() if has_accuracy.any() else np.nan,
    )


def why_unscored(truth, is_categorical, scale):
    """Return why each column has no R2 or accuracy; "" where it has."""
    is_empty = np.isnan(truth).all(axis=0)
    return np.select(
        [~is_categorical & np.isnan(scale), is_empty, ~is_categorical & ~vary(truth)],
        ["constant in the training rows", "missing in all {}", "constant in the {}"],
        default="",
    )


def vary(X):
    """Whether each column has two different values."""
    return np.fmin.reduce(X, axis=0) < np.fmax.reduce(X, axis=0)
