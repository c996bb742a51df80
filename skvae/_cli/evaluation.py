"""The held-out figures: how well rows come back, are filled in, and are drawn.

Columns are compared as numbers, times as ticks and levels as codes, NaN where an entry
is missing; no figure counts an entry that is.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.linalg import LinAlgError, LinAlgWarning
from scipy.stats import ks_2samp, rankdata
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from skvae._table.schema import Schema, fit_schema
from skvae.display.drawing import as_labels, is_continuous

MAX_HELD_OUT = 10_000
# Every entry of so many held-out rows is hidden once, a tenth of them at a time.
N_HIDINGS, MAX_HOLED = 10, 200
FEW_HELD_OUT = 30


@dataclass
class Evaluation:
    """Held-out figures of PCA and skvae; each dict has one value per method."""

    n_train: int
    n_held_out: int
    n_pca: int  # PCA's components: a narrow table has fewer than asked for
    back: dict[str, "Quality"]  # of the inverse
    majority: np.ndarray  # (n_features,): how often a level is the commonest one
    filled: dict[str, "Quality"]  # of entries that were hidden
    log_likelihood: dict[str, float | None]
    neighbors: dict[str, float]  # empty without a label
    neighbors_measure: str
    drawn: dict[str, "Distances"]
    notes: list[str] = field(default_factory=list)


@dataclass
class Quality:
    """How near entries are to the true ones; NaN where there are none."""

    by_column: np.ndarray  # (n_features,): R2, or the share of right levels
    r2: float  # of all numbers and dates, standardised
    accuracy: float  # mean of the levels'


@dataclass
class Distances:
    """How far rows are from the held-out, as a distribution."""

    by_column: np.ndarray  # (n_features,): Kolmogorov-Smirnov's, or total variation
    correlations: float  # mean absolute difference of two columns' rank correlation


def evaluate(selection, estimator, progress):
    """Fit PCA and skvae on most rows and measure the others.

    Parameters
    ----------
    selection : Selection
        The table.

    estimator : VAETransformer
        It stays as it is. PCA has its number of components, as far as the table has so
        many, and its `random_state` is the split's, too.

    progress : callable
        Called with the name of each task as it starts.

    Returns
    -------
    Evaluation
    """
    random_state = estimator.random_state
    split = _split(selection, random_state)
    pca = TablePCA(estimator.n_components, split.schema.n_levels, random_state)
    vae = clone(estimator)
    progress(f"fitting PCA and skvae on {len(split.train):,} rows")
    pca.fit(split.known)
    vae.fit(split.X.iloc[split.train])
    progress(f"measuring {len(split.test):,} held-out rows")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Input X has values that fit did not see")
        return _measure(selection, split, pca, vae, random_state)


class TablePCA:
    """PCA of any table as one prepares it by hand.

    Numbers and dates are filled with their median and standardised, levels are filled
    with the commonest and become a column of 0 and 1 each.

    Parameters
    ----------
    n_components : int
        The most components.

    n_levels : ndarray of shape (n_features,)
        0 for numbers and dates.

    random_state : int
        Of PCA.
    """

    def __init__(self, n_components, n_levels, random_state):
        self.n_components = n_components
        self.n_levels = n_levels
        self.random_state = random_state

    def fit(self, codes):
        """Fit to numbers and codes, NaN where missing."""
        self.typical = np.nanmedian(codes, axis=0)
        for j in np.flatnonzero(self.n_levels):
            seen = codes[~np.isnan(codes[:, j]), j].astype(np.intp)
            self.typical[j] = np.bincount(seen).argmax()
        numbers = self._fill(codes)[:, self.n_levels == 0]
        self.mean, self.scale = numbers.mean(axis=0), numbers.std(axis=0)
        self.scale[self.scale == 0] = 1
        prepared = self._prepare(codes)
        n_components = min(self.n_components, *prepared.shape)
        self.pca = PCA(n_components, random_state=self.random_state).fit(prepared)
        return self

    def transform(self, codes):
        """Return components."""
        return self.pca.transform(self._prepare(codes))

    def inverse_transform(self, Z):
        """Return numbers, and codes of the levels whose column is the largest."""
        prepared = self.pca.inverse_transform(Z)
        widths = [len(self.mean), *self.n_levels[self.n_levels > 0]]
        numbers, *levels = np.split(prepared, np.cumsum(widths)[:-1], axis=1)
        codes = np.empty((len(Z), len(self.n_levels)))
        codes[:, self.n_levels == 0] = numbers * self.scale + self.mean
        for j, columns in zip(np.flatnonzero(self.n_levels), levels, strict=True):
            codes[:, j] = columns.argmax(axis=1)
        return codes

    def score(self, codes):
        """Return the log-likelihood of numbers in their units; None if singular.

        The columns' scales turn the density of standardised rows into that of the
        table's.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("error", LinAlgWarning)
            try:
                value = self.pca.score(self._prepare(codes)) - np.log(self.scale).sum()
            except (LinAlgError, LinAlgWarning):
                return None
        return float(value) if np.isfinite(value) else None

    def _fill(self, codes):
        return np.where(np.isnan(codes), self.typical, codes)

    def _prepare(self, codes):  # (n, d) -> (n, numbers + levels)
        filled, is_level = self._fill(codes), self.n_levels > 0
        parts = [(filled[:, ~is_level] - self.mean) / self.scale]
        for j in np.flatnonzero(is_level):
            parts.append(filled[:, [j]] == np.arange(self.n_levels[j]))
        return np.hstack(parts)


def distances(rows, held_out, is_level):
    """Return how far rows are from others, as a distribution."""
    gaps = rank_correlations(rows[:, ~is_level])
    gaps = np.abs(gaps - rank_correlations(held_out[:, ~is_level]))
    return Distances(
        by_column=np.array(
            [
                _distance(a[~np.isnan(a)], b[~np.isnan(b)], is_one)
                for a, b, is_one in zip(rows.T, held_out.T, is_level, strict=True)
            ]
        ),
        correlations=gaps.mean() if gaps.size else np.nan,
    )


def rank_correlations(X):
    """Of every two columns, where both have entries; 0 with one that is constant."""
    missing = np.isnan(X)
    ranks = rankdata(X, axis=0, nan_policy="omit")
    n = np.maximum((~missing).sum(axis=0), 1)
    ranks = np.where(missing, 0, ranks - np.nansum(ranks, axis=0) / n)
    squares = (ranks**2).T @ ~missing
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (ranks.T @ ranks) / np.sqrt(squares * squares.T)
    return np.nan_to_num(found)[np.triu_indices(X.shape[1], 1)]


@dataclass
class _Split:
    """A table's rows and which of them are fitted."""

    X: pd.DataFrame
    schema: Schema
    codes: np.ndarray  # (n_rows, n_features): X encoded
    train: np.ndarray  # places of the rows that are fitted
    test: np.ndarray  # and of those held out

    @property
    def known(self):
        """The encoded rows that are fitted."""
        return self.codes[self.train]

    @property
    def truth(self):
        """The encoded held-out rows."""
        return self.codes[self.test].astype(np.float64)


def _split(selection, random_state):
    schema = fit_schema(selection.X)
    codes = schema.encode(selection.X)
    n_held_out = min(int(np.ceil(0.2 * len(codes))), MAX_HELD_OUT)
    train, test = train_test_split(
        np.arange(len(codes)), test_size=n_held_out, random_state=random_state
    )
    return _Split(_for_figures(selection, codes), schema, codes, train, test)


def _for_figures(selection, codes):
    """Return the columns with integers as floats, which no inverse rounds.

    Levels are categories, of which no part of the rows can have too many.
    """
    X = selection.X.copy()
    for j, (column, kind) in enumerate(selection.kinds.items()):
        if kind == "numbers":
            X.isetitem(j, codes[:, j])
        elif kind == "levels":
            X.isetitem(j, X[column].astype("category"))
    return X


def _measure(selection, split, pca, vae, random_state):
    """Return the figures of two fitted methods on the held-out rows."""
    truth, is_level, test = split.truth, selection.is_level, split.test
    scale = np.nanstd(split.known, axis=0, dtype=np.float64)
    commonest = np.where(is_level, pca.typical, np.nan)
    embeddings = {
        "PCA": pca.transform(split.codes),
        "skvae": np.asarray(vae.transform(split.X)),
    }
    back = {
        "PCA": pca.inverse_transform(embeddings["PCA"][test]),
        "skvae": split.schema.encode(vae.inverse_transform(embeddings["skvae"][test])),
    }
    filled = _fill(vae, split.X.iloc[test], truth, split.schema, random_state)
    hidden = truth[: len(filled)]
    neighbors_measure, neighbors = _measure_neighbors(
        selection.y, split.train, test, embeddings
    )
    return Evaluation(
        n_train=len(split.train),
        n_held_out=len(test),
        n_pca=pca.pca.n_components_,
        back={of: _quality(truth, x, is_level, scale) for of, x in back.items()},
        majority=_quality(truth, commonest, is_level, scale).by_column,
        filled={
            "skvae": _quality(hidden, filled, is_level, scale),
            "majority": _quality(hidden, commonest, is_level, scale),
        },
        log_likelihood=_log_likelihoods(selection, split, pca, vae),
        neighbors=neighbors,
        neighbors_measure=neighbors_measure,
        drawn=_measure_drawn(split, vae, is_level, random_state),
        notes=_notes(len(test), vae, is_level.any()),
    )


def _fill(vae, X, truth, schema, random_state):
    """Hide each entry of some rows, a tenth at a time; return what is filled in."""
    X, filled = X[:MAX_HOLED], np.full(truth[:MAX_HOLED].shape, np.nan)
    turn = np.random.default_rng(random_state).integers(N_HIDINGS, size=filled.shape)
    for hidden in (turn == i for i in range(N_HIDINGS)):
        filled[hidden] = schema.encode(vae.impute(X.mask(hidden)))[hidden]
    return filled


def _quality(truth, given, is_level, scale):
    seen = ~np.isnan(truth)
    count = seen.sum(axis=0)
    mean = np.nansum(truth, axis=0) / np.maximum(count, 1)
    residual = np.where(seen, (truth - given) ** 2, 0).sum(axis=0)
    total = np.where(seen, (truth - mean) ** 2, 0).sum(axis=0)
    is_number = ~is_level & (total > 0)
    by_column = np.full(len(count), np.nan)
    by_column[is_number] = 1 - residual[is_number] / total[is_number]
    has_levels = is_level & (count > 0)
    n_right = (truth == given).sum(axis=0)
    by_column[has_levels] = n_right[has_levels] / count[has_levels]
    weight = 1 / scale[is_number] ** 2
    with np.errstate(invalid="ignore"):  # NaN without such columns
        r2 = 1 - (weight @ residual[is_number]) / (weight @ total[is_number])
        accuracy = by_column[has_levels].sum() / np.float64(has_levels.sum())
    return Quality(by_column, r2, accuracy)


def _measure_neighbors(y, train, test, embeddings):
    """Predict the held-out labels from the 10 nearest rows of each embedding."""
    if y is None:
        return "", {}
    labels = as_labels(y)
    train_has, test_has = (~pd.isna(labels[rows]) for rows in (train, test))
    if train_has.sum() < 10 or not test_has.any():
        return "", {}
    if is_continuous(labels):
        measure, neighbors = f"10-NN R2 of {y.name}", KNeighborsRegressor(10)
    else:
        measure, neighbors = f"10-NN accuracy of {y.name}", KNeighborsClassifier(10)
        labels = labels.astype(str)
    figures = {}
    for name, Z in embeddings.items():
        neighbors.fit(Z[train][train_has], labels[train][train_has])
        figures[name] = neighbors.score(Z[test][test_has], labels[test][test_has])
    return measure, figures


def _log_likelihoods(selection, split, pca, vae):
    has_pca_density = set(selection.kinds.values()) == {"numbers"}
    has_pca_density &= not np.isnan(split.codes).any()
    return {
        "PCA": pca.score(split.codes[split.test]) if has_pca_density else None,
        "skvae": float(vae.score(split.X.iloc[split.test])),
    }


def _measure_drawn(split, vae, is_level, random_state):
    """Return how far drawn rows are from those held out, and the fitted ones, too."""
    n_drawn = min(len(split.train), MAX_HELD_OUT)
    drawn = split.schema.encode(vae.sample(n_drawn, random_state=random_state))
    # Integers are rounded, as in a file.
    drawn = split.schema.encode(split.schema.decode(drawn))
    return {
        "training": distances(split.known[:n_drawn], split.truth, is_level),
        "skvae": distances(drawn, split.truth, is_level),
    }


def _notes(n_held_out, vae, has_levels):
    notes = []
    if vae.best_iter_ == 0:
        linear = "is PCA here, its\nnoise measured on rows left out (hence other nats)"
        if has_levels:
            linear = "is\nthat linear model here"
        notes.append(
            "No network beat the linear model on rows kept out of its training: skvae "
            f"{linear}."
        )
    if n_held_out < FEW_HELD_OUT:
        notes.append(f"{n_held_out} held-out rows tell little: take the figures so.")
    return notes


def _distance(a, b, is_level):
    if not (len(a) and len(b)):
        return np.nan
    if not is_level:
        return ks_2samp(a, b).statistic
    most = int(max(a.max(), b.max())) + 1
    shares = [np.bincount(x.astype(np.intp), minlength=most) / len(x) for x in (a, b)]
    return 0.5 * np.abs(shares[0] - shares[1]).sum()
