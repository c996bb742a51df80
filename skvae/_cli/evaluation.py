"""How well PCA and skvae reconstruct, impute and sample rows that they did not see.

Columns are compared as the schema of the table encodes them: numeric columns as they
are, datetimes and timedeltas as ticks, categories as codes; NaN is a missing value, and
no figure counts it.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from skvae._cli.baseline import TablePCA
from skvae._cli.distances import Distances, measure_distances
from skvae._cli.scores import Scores, score, vary, why_unscored
from skvae._cli.terminal import format_count, format_name, format_names
from skvae._table.schema import Schema, fit_schema
from skvae.display.drawing import as_labels, is_continuous

MAX_HELD_OUT = 10_000
MAP_NOTE = (
    "skvae is a map of {}: near rows are near each other on it, and\n"
    "the distances of far groups mean little. --neighbors none fits no map."
)
FEW_HELD_OUT = 30
# Every entry of so many held-out rows is hidden once, in so many rounds.
MAX_HIDDEN_ROWS, N_HIDING_ROUNDS = 200, 10
N_NEIGHBORS = 10
LINEAR_MODEL_NOTE = (
    "skvae is the linear model here, as its network did no better on validation rows."
)
PCA_NOTE = (
    "skvae is PCA here, as its network did no better on validation rows. Its noise\n"
    "variance is cross-validated, so its log-likelihood is not PCA's."
)


@dataclass
class Evaluation:
    """Figures of PCA and skvae on held-out rows; each dict has one value per method.

    Attributes
    ----------
    n_train, n_held_out : int
        Numbers of rows.

    n_pca_components : int
        PCA cannot have more components than columns, so these may be fewer than skvae
        has.

    reconstruction : dict of str to Scores
        Of ``inverse_transform(transform(X))``, for "PCA" and "skvae".

    most_frequent : ndarray of shape (n_features,)
        Accuracy of always predicting the category that is most frequent in the training
        rows; NaN for other columns.

    imputation : dict of str to Scores
        Of entries that were hidden, for "skvae" and "most frequent".

    log_likelihood : dict of str to float or None
        In nats per row; None where a method has none.

    neighbors_metric : str
        What `neighbors` are.

    neighbors : dict of str to float
        How well a row's label is predicted by its nearest neighbours in the embedding.
        Empty without labels.

    sampling : dict of str to Distances
        From the held-out rows, for the "training" rows and for rows that "skvae"
        sampled.

    notes : list of str
        What a reader of the figures should know.
    """

    n_train: int
    n_held_out: int
    n_pca_components: int
    reconstruction: dict[str, Scores]
    most_frequent: np.ndarray
    imputation: dict[str, Scores]
    log_likelihood: dict[str, float | None]
    neighbors_metric: str
    neighbors: dict[str, float]
    sampling: dict[str, Distances]
    notes: list[str] = field(default_factory=list)


def evaluate(selection, estimator, progress):
    """Fit PCA and skvae on most of the rows and measure both on the held-out rows.

    Parameters
    ----------
    selection : Selection
        The columns to fit.

    estimator : VAETransformer
        It is cloned, not fitted. PCA has the same number of components, if the table
        has so many columns. Its `random_state` also splits the rows.

    progress : callable
        Called with the name of each task as it starts.

    Returns
    -------
    Evaluation
    """
    random_state = estimator.random_state
    split = _split(selection, random_state)
    vae = clone(estimator)
    progress(f"fitting PCA and skvae on {len(split.train):,} rows")
    vae.fit(split.X.iloc[split.train])
    pca = TablePCA(vae.n_components_, split.schema.groupings, random_state)
    pca.fit(split.train_encoded)
    progress(f"measuring {len(split.held_out):,} held-out rows")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Input X has values that fit did not see")
        return _measure(selection, split, pca, vae, random_state)


@dataclass
class _Split:
    """A table, encoded and split into training and held-out rows."""

    X: pd.DataFrame
    schema: Schema
    encoded: np.ndarray  # (n_samples, n_features)
    train: np.ndarray  # indices of the training rows
    held_out: np.ndarray  # indices of the held-out rows

    @property
    def train_encoded(self):
        return self.encoded[self.train]

    @property
    def held_out_encoded(self):
        return self.encoded[self.held_out].astype(np.float64)


def _split(selection, random_state):
    schema = fit_schema(selection.X)
    encoded = schema.to_codes(selection.X)
    n_held_out = min(int(np.ceil(0.2 * len(encoded))), MAX_HELD_OUT)
    train, held_out = train_test_split(
        np.arange(len(encoded)), test_size=n_held_out, random_state=random_state
    )
    X = _prepare_for_figures(selection, encoded)
    return _Split(X, schema, encoded, train, held_out)


def _prepare_for_figures(selection, encoded):
    """Return the columns to fit, so that skvae's figures compare with PCA's.

    Integers become floats, which `inverse_transform` does not round. Text becomes
    categories, as of fewer rows it could have too many distinct values to be
    categorical.
    """
    X = selection.X.copy()
    for j, (column, kind) in enumerate(selection.kinds.items()):
        if kind == "numeric":
            X.isetitem(j, encoded[:, j])
        elif kind == "categorical":
            X.isetitem(j, X[column].astype("category"))
    return X


def _measure(selection, split, pca, vae, random_state):
    """Return the figures of two fitted methods on the held-out rows."""
    truth, is_categorical = split.held_out_encoded, selection.is_categorical
    train = split.train_encoded.astype(np.float64)
    scale = np.where(vary(train), np.nanstd(train, axis=0), np.nan)
    most_frequent = np.where(is_categorical, pca.fill_values, np.nan)
    embeddings = {
        "PCA": pca.transform(split.encoded),
        "skvae": np.asarray(vae.transform(split.X)),
    }
    reconstructed = _reconstruct(split, pca, vae, embeddings)
    X_held_out = split.X.iloc[split.held_out]
    imputed = _impute_hidden(vae, X_held_out, truth, split.schema, random_state)
    hidden = truth[: len(imputed)]
    neighbors_metric, neighbors = _score_neighbors(selection.y, split, embeddings)
    return Evaluation(
        n_train=len(split.train),
        n_held_out=len(split.held_out),
        n_pca_components=pca.pca.n_components_,
        reconstruction={
            method: score(truth, predicted, is_categorical, scale)
            for method, predicted in reconstructed.items()
        },
        most_frequent=score(truth, most_frequent, is_categorical, scale).by_column,
        imputation={
            "skvae": score(hidden, imputed, is_categorical, scale),
            "most frequent": score(hidden, most_frequent, is_categorical, scale),
        },
        log_likelihood=_score_log_likelihood(selection, split, pca, vae),
        neighbors_metric=neighbors_metric,
        neighbors=neighbors,
        sampling=_measure_sampling(split, vae, is_categorical, random_state),
        notes=[
            *_make_notes(len(split.held_out), vae, is_categorical.any()),
            *_tell_unscored(selection, truth, hidden, scale),
        ],
    )


def _reconstruct(split, pca, vae, embeddings):
    """Return the encoded held-out rows that each method makes of their embedding."""
    Z = {method: embedding[split.held_out] for method, embedding in embeddings.items()}
    return {
        "PCA": pca.inverse_transform(Z["PCA"]),
        "skvae": split.schema.to_codes(vae.inverse_transform(Z["skvae"])),
    }


def _impute_hidden(vae, X, truth, schema, random_state):
    """Hide each entry of some rows once, a part of them per round, and impute it."""
    X, imputed = X[:MAX_HIDDEN_ROWS], np.full(truth[:MAX_HIDDEN_ROWS].shape, np.nan)
    rng = np.random.default_rng(random_state)
    rounds = rng.integers(N_HIDING_ROUNDS, size=imputed.shape)
    for i in range(N_HIDING_ROUNDS):
        hidden = rounds == i
        imputed[hidden] = schema.to_codes(vae.impute(X.mask(hidden)))[hidden]
    return imputed


def _tell_unscored(selection, truth, hidden, scale):
    """Return notes that say which columns the scores leave out, and why."""
    columns = np.array(selection.X.columns, dtype=object)
    is_categorical, notes = selection.is_categorical, []
    is_told = np.zeros(len(columns), dtype=bool)
    for of, rows, encoded in (
        ("", "held-out rows", truth),
        (" of imputation", "rows with hidden entries", hidden),
    ):
        whys = why_unscored(encoded, is_categorical, scale)
        for figure, chosen in ("R2", ~is_categorical), ("accuracy", is_categorical):
            for why in np.unique(whys[chosen & ~is_told & (whys != "")]):
                names = format_names(columns[chosen & ~is_told & (whys == why)])
                why = why.format(rows)
                notes.append(f"The {figure}{of} leaves out {names}: {why}.")
        is_told |= whys != ""
    return notes


def _score_neighbors(y, split, embeddings):
    """Predict the held-out labels from the nearest training rows of each embedding."""
    if y is None:
        return "", {}
    labels = as_labels(y)
    is_number = labels.dtype.kind == "f"
    has_label = np.isfinite(labels) if is_number else ~pd.isna(labels)
    train = split.train[has_label[split.train]]
    held_out = split.held_out[has_label[split.held_out]]
    if len(train) < N_NEIGHBORS or not len(held_out):
        return "", {}
    if is_continuous(labels):
        if not vary(labels[held_out, None]).all():
            return "", {}
        metric, neighbors = "R2", KNeighborsRegressor(N_NEIGHBORS)
    else:
        metric, neighbors = "accuracy", KNeighborsClassifier(N_NEIGHBORS)
        labels = labels.astype(str)
    scores = {}
    for method, Z in embeddings.items():
        neighbors.fit(Z[train], labels[train])
        scores[method] = neighbors.score(Z[held_out], labels[held_out])
    return f"{N_NEIGHBORS}-NN {metric} of {format_name(y.name)}", scores


def _score_log_likelihood(selection, split, pca, vae):
    is_numeric = set(selection.kinds.values()) == {"numeric"}
    has_density = is_numeric and not np.isnan(split.encoded).any()
    return {
        "PCA": pca.score(split.encoded[split.held_out]) if has_density else None,
        "skvae": float(vae.score(split.X.iloc[split.held_out])),
    }


def _measure_sampling(split, vae, is_categorical, random_state):
    """Return the distances of training and of sampled rows from the held-out rows."""
    n_sampled = min(len(split.train), MAX_HELD_OUT)
    sampled = split.schema.to_codes(vae.sample(n_sampled, random_state=random_state))
    # Integers are rounded as in a file of sampled rows.
    sampled = split.schema.to_codes(split.schema.to_table(sampled))
    rows = {"training": split.train_encoded[:n_sampled], "skvae": sampled}
    return {
        name: measure_distances(some, split.held_out_encoded, is_categorical)
        for name, some in rows.items()
    }


def _make_notes(n_held_out, vae, has_categorical):
    notes = []
    if vae.n_neighbors is not None:
        notes.append(MAP_NOTE.format(format_count(vae.n_neighbors, "neighbour")))
    elif vae.best_iter_ == 0:
        notes.append(LINEAR_MODEL_NOTE if has_categorical else PCA_NOTE)
    if n_held_out < FEW_HELD_OUT:
        notes.append(
            f"With only {n_held_out} held-out rows, the figures depend much on which "
            "rows these are."
        )
    if vae.n_components < 1:
        n_components = format_count(vae.n_components_, "component")
        explained = vae.explained_variance_ratio_.sum()
        notes.append(
            f"For a share of {vae.n_components:g} skvae has {n_components}, with "
            f"{explained:.3f} of the variance of its validation rows."
        )
    return notes
