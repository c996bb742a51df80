"""The report on a user's table: how well held-out rows come back, are filled in, drawn.

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

from skvae._cli.terminal import format_table, number
from skvae._table.schema import fit_schema
from skvae.display import EmbeddingDisplay, drawing

MAX_HELD_OUT = 10_000
# Every entry of so many held-out rows is hidden once, a tenth of them at a time.
N_HIDINGS, MAX_HOLED = 10, 200
N_LISTED = 10
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
    schema = fit_schema(selection.X)
    codes = schema.encode(selection.X)
    X, is_level = _for_figures(selection, codes), selection.is_level
    random_state = estimator.random_state
    n_held_out = min(int(np.ceil(0.2 * len(X))), MAX_HELD_OUT)
    train, test = train_test_split(
        np.arange(len(X)), test_size=n_held_out, random_state=random_state
    )
    X_test, known, truth = X.iloc[test], codes[train], codes[test].astype(np.float64)
    pca = TablePCA(estimator.n_components, schema.n_levels, random_state)
    vae = clone(estimator)
    progress(f"fitting PCA and skvae on {len(train):,} rows")
    pca.fit(known)
    vae.fit(X.iloc[train])
    progress(f"measuring {len(test):,} held-out rows")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Input X has values that fit did not see")
        Z = {"PCA": pca.transform(codes), "skvae": np.asarray(vae.transform(X))}
        log_likelihood = float(vae.score(X_test))
        filled = _fill(vae, X_test, truth, schema, random_state)
    back = {
        "PCA": pca.inverse_transform(Z["PCA"][test]),
        "skvae": schema.encode(vae.inverse_transform(Z["skvae"][test])),
    }
    n_drawn = min(len(train), MAX_HELD_OUT)
    drawn = schema.encode(vae.sample(n_drawn, random_state=random_state))
    drawn = schema.encode(schema.decode(drawn))  # integers rounded, as in a file
    scale = np.nanstd(known, axis=0, dtype=np.float64)
    commonest = np.where(is_level, pca.typical, np.nan)
    measure, neighbors = _measure_neighbors(selection.y, train, test, Z)
    has_pca_density = set(selection.kinds.values()) == {"numbers"}
    has_pca_density &= not np.isnan(codes).any()
    return Evaluation(
        n_train=len(train),
        n_held_out=len(test),
        n_pca=pca.pca.n_components_,
        back={of: _quality(truth, x, is_level, scale) for of, x in back.items()},
        majority=_quality(truth, commonest, is_level, scale).by_column,
        filled={
            of: _quality(truth[: len(filled)], x, is_level, scale)
            for of, x in (("skvae", filled), ("majority", commonest))
        },
        log_likelihood={
            "PCA": pca.score(codes[test]) if has_pca_density else None,
            "skvae": log_likelihood,
        },
        neighbors=neighbors,
        neighbors_measure=measure,
        drawn={
            "training": distances(known[:n_drawn], truth, is_level),
            "skvae": distances(drawn, truth, is_level),
        },
        notes=_notes(len(test), vae, is_level.any()),
    )


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


def _distance(a, b, is_level):
    if not (len(a) and len(b)):
        return np.nan
    if not is_level:
        return ks_2samp(a, b).statistic
    most = int(max(a.max(), b.max())) + 1
    shares = [np.bincount(x.astype(np.intp), minlength=most) / len(x) for x in (a, b)]
    return 0.5 * np.abs(shares[0] - shares[1]).sum()


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


def _measure_neighbors(y, train, test, embeddings):
    """Predict the held-out labels from the 10 nearest rows of each embedding."""
    if y is None:
        return "", {}
    labels = drawing.as_labels(y)
    train_has, test_has = (~pd.isna(labels[rows]) for rows in (train, test))
    if train_has.sum() < 10 or not test_has.any():
        return "", {}
    if drawing.is_continuous(labels):
        measure, neighbors = f"10-NN R2 of {y.name}", KNeighborsRegressor(10)
    else:
        measure, neighbors = f"10-NN accuracy of {y.name}", KNeighborsClassifier(10)
        labels = labels.astype(str)
    figures = {}
    for name, Z in embeddings.items():
        neighbors.fit(Z[train][train_has], labels[train][train_has])
        figures[name] = neighbors.score(Z[test][test_has], labels[test][test_has])
    return measure, figures


def describe_evaluation(evaluation, selection, n_components):
    """Return the held-out figures as text."""
    methods, columns = list(evaluation.back), list(selection.X.columns)
    is_level = selection.is_level
    heading = f"{evaluation.n_train:,} rows fitted, {evaluation.n_held_out:,} held out"
    if evaluation.n_pca < n_components:
        heading += f"; PCA has {evaluation.n_pca} of the {n_components} components"
    parts = [["", *methods, ""], *_describe_back(evaluation, is_level)]
    for title, figures, digits in (
        ("log-likelihood, nats", evaluation.log_likelihood, 2),
        (evaluation.neighbors_measure, evaluation.neighbors, 3),
    ):
        if figures:
            parts.append([title, *(number(figures[m], digits) for m in methods), ""])
    for title, chosen, majority in (
        ("R2 of each column", ~is_level, None),
        ("accuracy of each column", is_level, evaluation.majority),
    ):
        if chosen.any():
            of_columns = evaluation.back, columns, chosen, majority
            parts += [[""] * 4, *_describe_columns(title, *of_columns)]
    parts += [[""] * 4, *_describe_filled(evaluation.filled, is_level)]
    parts += [[""] * 4, *_describe_drawn(evaluation.drawn, columns)]
    lines = format_table(parts, "<>>>")
    return "\n".join(["", heading, "", lines, *("\n" + n for n in evaluation.notes)])


def _describe_back(evaluation, is_level):
    back = list(evaluation.back.values())
    rows = []
    if not is_level.all():
        rows.append(["R2 of the inverse", *(number(q.r2) for q in back), ""])
    if is_level.any():
        majority = np.nanmean(evaluation.majority[is_level])
        accuracies = [number(q.accuracy) for q in back]
        gains = [number(q.accuracy - majority) for q in back]
        rows.append(["accuracy of the inverse", *accuracies, ""])
        rows.append(["  above the majority's", *gains, ""])
    return rows


def _describe_columns(title, back, columns, chosen, majority=None):
    """List the best and worst columns of a kind, by what is above the majority's."""
    base = np.zeros(len(columns)) if majority is None else majority
    places = np.flatnonzero(chosen & ~np.isnan(back["skvae"].by_column))
    gains = (back["skvae"].by_column - base)[places]
    order = drawing.best_and_worst(gains, 2 * N_LISTED)
    rows = [[title, *back, "" if majority is None else "majority"]]
    for j in places[order]:
        figures = [number(quality.by_column[j]) for quality in back.values()]
        last = "" if majority is None else number(majority[j])
        rows.append([columns[j], *figures, last])
    skipped = len(places) - len(order)
    if skipped:
        rows.insert(N_LISTED + 1, [f"({skipped:,} columns between)", "", "", ""])
    return rows


def _describe_filled(filled, is_level):
    has_levels = is_level.any()
    rows = [
        ["hidden entries, filled in", "", "skvae", "majority" if has_levels else ""]
    ]
    if not is_level.all():
        rows.append(["R2", "", number(filled["skvae"].r2), ""])
    if has_levels:
        accuracies = [number(quality.accuracy) for quality in filled.values()]
        rows.append(["accuracy", "", *accuracies])
    return rows


def _describe_drawn(drawn, columns):
    farthest = int(np.nanargmax(drawn["skvae"].by_column))
    rows = [["drawn rows, distance to held-out", *drawn, ""]]
    for title, figure in (
        ("columns, mean", lambda distances: np.nanmean(distances.by_column)),
        (
            f"farthest: {columns[farthest]}",
            lambda distances: distances.by_column[farthest],
        ),
        ("correlations, mean", lambda distances: distances.correlations),
    ):
        rows.append([title, *(number(figure(of)) for of in drawn.values()), ""])
    return rows


def draw(name, selection, evaluation, embedding):
    """Return the picture: the embedding, and how well each column comes back.

    Parameters
    ----------
    name : str
        The table's name.

    selection : Selection
        The table.

    evaluation : Evaluation
        Output of `evaluate`.

    embedding : pandas.DataFrame
        Output of `embed`.

    Returns
    -------
    matplotlib Figure
    """
    is_level, columns = selection.is_level, np.array(selection.X.columns, dtype=object)
    kinds = [
        ("R² of the column", ~is_level, 0),
        ("accuracy above the majority's", is_level, evaluation.majority),
    ]
    kinds = [kind for kind in kinds if kind[1].any()]
    heights = [min(chosen.sum(), 2 * N_LISTED) + 2 for _, chosen, _ in kinds]
    figure = drawing.new_figure((13, max(5, 0.28 * sum(heights) + 1)))
    left, right = figure.subfigures(1, 2, width_ratios=[1.2, 1])
    ax = left.subplots()
    EmbeddingDisplay(
        embedding.to_numpy(), y=selection.y, feature_names=list(embedding.columns)
    ).plot(ax=ax)
    ax.set_title(f"{name}: {len(selection.X):,} rows")
    axes = right.subplots(len(kinds), 1, height_ratios=heights, squeeze=False)[:, 0]
    for ax, (title, chosen, base) in zip(axes, kinds, strict=True):
        figures = {
            method: (quality.by_column - base)[chosen]
            for method, quality in evaluation.back.items()
        }
        drawing.draw_bars(ax, figures, columns[chosen], 2 * N_LISTED, title)
    for ax in axes[1:]:
        ax.get_legend().remove()
    axes[0].set_title(f"{evaluation.n_held_out:,} held-out rows", loc="left")
    return figure
