"""The report on a user's table: which columns, and how well they come back.

PCA is given standardised columns, as skvae standardises inside: the columns of a table
have units of their own.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.linalg import LinAlgError, LinAlgWarning
from scipy.stats import ks_2samp, rankdata
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae import _plotting
from skvae._table import LARGEST_VALUE
from skvae._terminal import CommandError, format_table, number
from skvae._vae import VAETransformer

MIN_ROWS = 10
MAX_HELD_OUT = 10_000
N_LISTED = 10
# A column is given up rather than more than this share of the rows.
MAX_INCOMPLETE = 0.25
FEW_HELD_OUT = 30


@dataclass
class Selection:
    """The part of a table that can be fitted, and what is left out of it."""

    X: pd.DataFrame  # complete rows of the used columns
    y: pd.Series | None  # their labels
    index: pd.Index  # of the whole table
    complete: np.ndarray  # (n_rows,): which of its rows X has
    left_out: dict[str, list[str]]  # reason -> columns


@dataclass
class Evaluation:
    """Held-out figures of PCA and skvae; each dict has one value per method."""

    n_train: int
    n_held_out: int
    n_pca: int  # PCA's components: a narrow table has fewer than asked for
    r2: dict[str, float]
    log_likelihood: dict[str, float | None]
    neighbors: dict[str, float]  # empty without a label
    neighbors_measure: str
    X_test: np.ndarray
    reconstructed: dict[str, np.ndarray]
    drawn: dict[str, "Distances"]
    notes: list[str] = field(default_factory=list)


@dataclass
class Distances:
    """How far rows are from the held-out, as a distribution."""

    by_column: np.ndarray  # (n_features,): Kolmogorov-Smirnov distances
    correlations: float  # mean absolute difference of two columns' rank correlation


def select(name, table, label_column=None):
    """Choose the columns and rows of a table that can be fitted.

    Numbers and booleans are used. A column with missing values is used as long as at
    least 75 % of the rows are complete; the other rows are not fitted.

    Parameters
    ----------
    name : str
        The table's name, for messages.

    table : pandas.DataFrame
        The table.

    label_column : str, default=None
        A column that is not fitted, but compared with the embedding.

    Returns
    -------
    Selection
    """
    if label_column is not None and label_column not in table.columns:
        raise CommandError(
            f"{name}: no column {label_column!r}; the columns are "
            f"{_listed(table.columns)}"
        )
    if len(table) < MIN_ROWS:
        raise CommandError(
            f"{name}: {len(table)} rows; the least that can be split into a part to "
            f"fit and a part to hold out is {MIN_ROWS}"
        )
    left_out: dict[str, list[str]] = {}
    columns = {}
    for column in table.columns:
        values, reason = None, "label"
        if column != label_column:
            values, reason = _as_numbers(table[column])
        if values is None:
            left_out.setdefault(reason, []).append(column)
        else:
            columns[column] = values
    complete = _drop_incomplete(columns, left_out, len(table))
    _drop_constant(columns, left_out, complete)
    if not columns:
        reasons = "; ".join(f"{_listed(c)}: {reason}" for reason, c in left_out.items())
        raise CommandError(f"{name}: no numeric column to fit ({reasons})")
    return Selection(
        X=pd.DataFrame(columns, index=table.index)[complete],
        y=None if label_column is None else table[label_column][complete],
        index=table.index,
        complete=complete,
        left_out=left_out,
    )


def _as_numbers(column):
    """Return a column as floats, missing and infinite as NaN; or None and why not."""
    if column.isna().all():
        return None, "no value"
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind not in ("boolean", "integer", "floating", "decimal", "mixed-integer-float"):
        return None, _why_not_numeric(column, kind)
    dtype = np.float32 if column.dtype in ("float32", "float16") else np.float64
    values = column.to_numpy(dtype=dtype, na_value=np.nan, copy=True)
    values[~np.isfinite(values)] = np.nan
    if float(np.nanmax(np.abs(values), initial=0)) > LARGEST_VALUE:
        return None, f"values beyond {LARGEST_VALUE:g}"
    counts = np.arange(len(values))
    if np.array_equal(values, counts) or np.array_equal(values, counts + 1):
        return None, "row numbers"
    return values, ""


def _why_not_numeric(column, kind):
    """Name the text that keeps a column of numbers from being one."""
    if kind != "string":
        return f"not numeric ({kind.replace('64', '')})"
    text = column.dropna()
    odd = text[pd.to_numeric(text, errors="coerce").isna()]
    if len(odd) > len(text) / 10:
        return "not numeric (text)"
    return f"not numeric (text in {len(odd):,} rows, first {odd.iloc[0]!r})"


def _drop_incomplete(columns, left_out, n_rows):
    """Move columns with many missing values to ``left_out``; return complete rows."""
    missing = {column: np.isnan(values) for column, values in columns.items()}
    complete = np.ones(n_rows, dtype=bool)
    for column in sorted(missing, key=lambda column: missing[column].sum()):
        if (complete & ~missing[column]).sum() >= (1 - MAX_INCOMPLETE) * n_rows:
            complete &= ~missing[column]
        else:
            del columns[column]
            n_missing = missing[column].sum()
            reason = (
                f"{n_missing:,} missing values, with which fewer than "
                f"{1 - MAX_INCOMPLETE:.0%} of the rows would be complete; fill them in "
                "to use it"
            )
            left_out.setdefault(reason, []).append(column)
    return complete


def _drop_constant(columns, left_out, complete):
    for column, values in list(columns.items()):
        kept = values[complete]
        if len(kept) and kept.min() == kept.max():
            del columns[column]
            left_out.setdefault("constant", []).append(column)


def evaluate(selection, n_components, scaling, random_state, progress):
    """Fit PCA and skvae on most rows and measure the others.

    Parameters
    ----------
    selection : Selection
        Output of `select`.

    n_components : int
        Of skvae, and of PCA as far as the table has so many.

    scaling : str or None
        Of skvae.

    random_state : int
        Seed of the split and of both methods.

    progress : callable
        Called with the name of each task as it starts.

    Returns
    -------
    Evaluation
    """
    X, y = selection.X, selection.y
    n_held_out = min(int(np.ceil(0.2 * len(X))), MAX_HELD_OUT)
    train, test = train_test_split(
        np.arange(len(X)), test_size=n_held_out, random_state=random_state
    )
    X_train, X_test = X.iloc[train], X.iloc[test]
    n_pca = min(n_components, *X_train.shape)
    methods = {
        "PCA": make_pipeline(StandardScaler(), PCA(n_pca, random_state=random_state)),
        "skvae": VAETransformer(
            n_components, scaling=scaling, random_state=random_state
        ),
    }
    progress(f"fitting PCA and skvae on {len(train):,} rows")
    for method in methods.values():
        method.fit(X_train)
    progress(f"measuring {len(test):,} held-out rows")
    embeddings, back = {}, {}
    for name, method in methods.items():
        Z_test = method.transform(X_test)
        embeddings[name] = np.asarray(method.transform(X_train)), np.asarray(Z_test)
        back[name] = np.asarray(method.inverse_transform(Z_test))
    n_drawn = min(len(train), MAX_HELD_OUT)
    drawn = methods["skvae"].sample(n_drawn, random_state=random_state)
    scale = methods["PCA"][0].scale_
    measure, neighbors = _measure_neighbors(y, train, test, embeddings)
    return Evaluation(
        n_train=len(train),
        n_held_out=len(test),
        n_pca=n_pca,
        r2={
            name: r2_score(X_test / scale, x / scale, multioutput="variance_weighted")
            for name, x in back.items()
        },
        log_likelihood={
            "PCA": _pca_score(methods["PCA"], X_test),
            "skvae": float(methods["skvae"].score(X_test)),
        },
        neighbors=neighbors,
        neighbors_measure=measure,
        X_test=X_test.to_numpy(),
        reconstructed=back,
        drawn={
            "training rows": _distances(X_train.to_numpy()[:n_drawn], X_test),
            "skvae": _distances(drawn, X_test),
        },
        notes=_notes(len(test), methods["skvae"]),
    )


def _notes(n_held_out, vae):
    notes = []
    if vae.best_iter_ == 0:
        notes.append(
            "No network beat the linear model on rows kept out of its training: skvae "
            "is PCA here, its\nnoise measured on rows left out (hence other nats)."
        )
    if n_held_out < FEW_HELD_OUT:
        notes.append(f"{n_held_out} held-out rows tell little: take the figures so.")
    return notes


def _distances(rows, held_out):
    held_out = held_out.to_numpy()
    pairs = zip(rows.T, held_out.T, strict=True)
    gaps = np.abs(rank_correlations(rows) - rank_correlations(held_out))
    return Distances(
        by_column=np.array([ks_2samp(a, b).statistic for a, b in pairs]),
        correlations=gaps.mean() if gaps.size else 0.0,
    )


def rank_correlations(X):
    """Of every two columns; 0 with one that is constant."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.corrcoef(rankdata(X, axis=0), rowvar=False)
    return np.nan_to_num(np.atleast_2d(found))[np.triu_indices(X.shape[1], 1)]


def _pca_score(pipeline, X):
    """PCA's log-likelihood in the table's units; None where its covariance is singular.

    The columns' scales turn the density of standardised rows into that of the table's.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", LinAlgWarning)
        try:
            value = pipeline.score(X) - np.log(pipeline[0].scale_).sum()
        except (LinAlgError, LinAlgWarning):
            return None
    return float(value) if np.isfinite(value) else None


def _measure_neighbors(y, train, test, embeddings):
    """Predict the held-out labels from the 10 nearest rows of each embedding."""
    if y is None:
        return "", {}
    labels = _plotting.as_labels(y)
    train_has, test_has = (~pd.isna(labels[rows]) for rows in (train, test))
    if train_has.sum() < 10 or not test_has.any():
        return "", {}
    if _plotting.is_continuous(labels):
        measure, neighbors = f"10-NN R2 of {y.name}", KNeighborsRegressor(10)
    else:
        measure, neighbors = f"10-NN accuracy of {y.name}", KNeighborsClassifier(10)
        labels = labels.astype(str)
    figures = {}
    for name, (Z_train, Z_test) in embeddings.items():
        neighbors.fit(Z_train[train_has], labels[train][train_has])
        figures[name] = neighbors.score(Z_test[test_has], labels[test][test_has])
    return measure, figures


def describe_selection(name, table, selection):
    """Return what is used and what is left out, and why, as text."""
    n_used = selection.X.shape[1]
    lines = [["used", f"{n_used:,} columns: {_listed(selection.X.columns)}"]]
    for reason, columns in selection.left_out.items():
        lines.append(["left out", f"{_listed(columns)}: {reason}"])
    n_skipped = len(table) - len(selection.X)
    if n_skipped:
        lines.append(
            [
                "left out",
                f"{n_skipped:,} rows: missing or infinite values; fill them in to use "
                f"{'it' if n_skipped == 1 else 'them'}",
            ]
        )
    title = f"{name}: {len(table):,} rows, {table.shape[1]:,} columns"
    return f"{title}\n\n{format_table(lines, '<<')}"


def describe_evaluation(evaluation, columns, n_components):
    """Return the held-out figures as text."""
    rows = [["", "PCA", "skvae"]]
    for title, figures, digits in (
        ("R2 of the inverse", evaluation.r2, 3),
        ("log-likelihood, nats", evaluation.log_likelihood, 2),
        (evaluation.neighbors_measure, evaluation.neighbors, 3),
    ):
        if figures:
            rows.append([title, *(number(figures[m], digits) for m in rows[0][1:])])
    r2 = {
        method: r2_score(evaluation.X_test, back, multioutput="raw_values")
        for method, back in evaluation.reconstructed.items()
    }
    order = _plotting.best_and_worst(r2["skvae"], 2 * N_LISTED)
    by_column = [["R2 of each column", "PCA", "skvae"]]
    for j in order:
        by_column.append([columns[j], number(r2["PCA"][j]), number(r2["skvae"][j])])
    heading = f"{evaluation.n_train:,} rows fitted, {evaluation.n_held_out:,} held out"
    if evaluation.n_pca < n_components:
        heading += f"; PCA has {evaluation.n_pca} of the {n_components} components"
    skipped = len(columns) - len(order)
    if skipped:
        by_column.insert(N_LISTED + 1, [f"({skipped:,} columns between)", "", ""])
    gap = ["", "", ""]
    parts = [*rows, gap, *by_column, gap, *_describe_drawn(evaluation.drawn, columns)]
    lines = format_table(parts, "<>>")
    return "\n".join(["", heading, "", lines, *("\n" + n for n in evaluation.notes)])


def _describe_drawn(drawn, columns):
    farthest = int(drawn["skvae"].by_column.argmax())
    rows = [["drawn rows, distance to held-out", "training rows", "skvae"]]
    for title, figure in (
        ("columns, mean", lambda distances: distances.by_column.mean()),
        (
            f"farthest: {columns[farthest]}",
            lambda distances: distances.by_column[farthest],
        ),
        ("correlations, mean", lambda distances: distances.correlations),
    ):
        rows.append([title, *(number(figure(drawn[name])) for name in rows[0][1:])])
    return rows


def embed(selection, estimator):
    """Return one row of components per row of the table, empty where not fitted."""
    names = list(estimator.get_feature_names_out())
    embedding = pd.DataFrame(np.nan, index=selection.index, columns=names)
    embedding.loc[selection.complete] = np.asarray(estimator.transform(selection.X))
    return embedding


def draw(name, selection, evaluation, embedding):
    """Return the picture: the embedding, and each column's R2.

    Parameters
    ----------
    name : str
        The table's name.

    selection : Selection
        Output of `select`.

    evaluation : Evaluation
        Output of `evaluate`.

    embedding : pandas.DataFrame
        Output of `embed`.

    Returns
    -------
    matplotlib Figure
    """
    n_columns = min(selection.X.shape[1], 2 * N_LISTED)
    figure = _plotting.new_figure((13, max(5, 0.28 * n_columns + 1.5)))
    left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
    _plotting.EmbeddingDisplay(
        embedding[selection.complete].to_numpy(),
        y=selection.y,
        feature_names=list(embedding.columns),
    ).plot(ax=left)
    left.set_title(f"{name}: {len(selection.X):,} rows")
    _plotting.ReconstructionDisplay(
        evaluation.X_test,
        evaluation.reconstructed,
        feature_names=list(selection.X.columns),
    ).plot(ax=right, max_items=2 * N_LISTED)
    right.set_title(f"{evaluation.n_held_out:,} held-out rows", loc="left")
    return figure


def _listed(names, most=8):
    names = [str(name) for name in names]
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")
