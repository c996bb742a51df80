"""What skvae is compared with, by what it does: one table, `RIVALS`, at the end.

Each task's rivals are called alike. What does not come with skvae is imported only when
it is used; `needs` says what that is.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from mixed_tables import kinds, plain
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    IsolationForest,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import nn

NOISE_FLOOR = 1e-4  # of FactorAnalysis, as a share of a standardised column's variance
MIXTURE_SIZES = 1, 2, 5, 10, 20, 50
UMAP_EXACT_ROWS = 4_096  # from these on, UMAP searches neighbours otherwise
TSNE_PERPLEXITY = 30  # openTSNE's default, and the most where rows are few
FEW_VALUES = 10  # a column of no more is discrete to TVAE and the adversarial forest
CART_LEAF = 5  # rows, at least
EXTRA_TREES = 30  # in each round of IterativeImputer
FOREST_TREES, FOREST_ROUNDS = 100, 10  # of missForest


# Embeddings of numeric tables: k, a seed -> an estimator.


class FactorAnalysisWithInverse(FactorAnalysis):
    """FactorAnalysis that rebuilds rows, and whose noise has a floor in `score`."""

    def inverse_transform(self, Z):
        return Z @ self.components_ + self.mean_

    def score(self, X, y=None):
        kept = self.noise_variance_
        self.noise_variance_ = np.maximum(kept, NOISE_FLOOR)
        try:
            return super().score(X)
        finally:
            self.noise_variance_ = kept


def umap(**options):
    from umap import UMAP

    return UMAP(**options)


def warm_up_umap(n_rows):
    """Let numba compile before UMAP is timed on so many rows."""
    _compile_umap(n_rows > UMAP_EXACT_ROWS)


@cache
def _compile_umap(is_large):
    n = UMAP_EXACT_ROWS + 100 if is_large else 200
    X = np.random.default_rng(0).normal(size=(n, 5))
    umap(random_state=0).fit(X).transform(X[:20] + 0.1)


# Maps: rows, k, a seed -> a Map.


@dataclass(frozen=True)
class Map:
    """What a fitted map does, and the training rows' places if the fit gives them."""

    transform: Callable
    inverse: Callable | None = None
    score: Callable | None = None  # nats, the mean over rows
    places: np.ndarray | None = None


def pca_map(X, k, seed):
    model = PCA(k, random_state=seed).fit(X)
    return Map(model.transform, model.inverse_transform, model.score)


def umap_map(X, k, seed):
    model = umap(n_components=k, random_state=seed, n_jobs=1).fit(X)
    return Map(model.transform, model.inverse_transform, places=model.embedding_)


def threaded_umap_map(X, k, seed):
    model = umap(n_components=k).fit(X)
    return Map(model.transform, places=model.embedding_)


def pacmap_map(X, k, seed):
    from pacmap import PaCMAP

    model = PaCMAP(n_components=k, random_state=seed)
    places = model.fit_transform(X)
    return Map(lambda rows: model.transform(rows, basis=X), places=places)


def tsne_map(X, k, seed):
    from openTSNE import TSNE

    perplexity = min(TSNE_PERPLEXITY, (len(X) - 1) / 3)
    model = TSNE(k, perplexity=perplexity, random_state=seed, n_jobs=1).fit(X)
    return Map(lambda rows: np.asarray(model.transform(rows)), places=np.asarray(model))


# Embeddings of mixed tables: a frame, k, a seed -> transform, and its inverse if any.


def one_hot_pca(frame, k, seed):
    coder = one_hot(frame)
    model = PCA(k, random_state=seed).fit(coder.transform(plain(frame)))
    return (
        lambda rows: model.transform(coder.transform(plain(rows))),
        lambda Z: from_one_hot(coder, model.inverse_transform(Z)),
    )


def famd(frame, k, seed):
    import prince

    fill = fill_in(frame)
    model = prince.FAMD(n_components=k, random_state=seed).fit(fill(frame))
    return lambda rows: model.transform(fill(rows)).to_numpy(), None


def all_columns(frame, k, seed):
    coder = one_hot(frame)
    return lambda rows: coder.transform(plain(rows)), None


def one_hot(frame):
    """Fit the columns that a user would make for PCA."""
    numeric, categorical = kinds(frame)
    of_numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    of_categories = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    coder = make_column_transformer((of_numbers, numeric), (of_categories, categorical))
    return coder.fit(plain(frame))


def from_one_hot(coder, x):
    """Turn one-hot columns, or what comes near to some, back into a plain frame."""
    (_, scale, numeric), (_, encode, categorical), *_ = coder.transformers_
    columns = {}
    if numeric:
        values = scale[-1].inverse_transform(x[:, : len(numeric)])
        columns |= dict(zip(numeric, values.T, strict=True))
    if categorical:
        start = len(numeric)
        for name, found in zip(categorical, encode[-1].categories_, strict=True):
            best = x[:, start : start + len(found)].argmax(axis=1)
            columns[name] = np.asarray(found, dtype=object)[best]
            start += len(found)
    return pd.DataFrame(columns)


def fill_in(frame):
    """Return a function that fills missing values, and categories that are new."""
    numeric, categorical = kinds(frame)
    known = plain(frame)
    values = known[numeric].median().to_dict()
    values |= {name: known[name].mode()[0] for name in categorical}

    def fill(rows):
        rows = plain(rows)
        for name in categorical:
            rows[name] = rows[name].where(rows[name].isin(known[name]))
        return rows.fillna(values)

    return fill


# Generators: a complete frame, how many rows to draw, a seed -> a frame.


def cart(frame, n, seed):
    """Draw column after column from the leaf of a tree of the columns before it.

    What synthpop does by default (Nowok, Raab & Dibben 2016).
    """
    frame, rng = plain(frame), np.random.default_rng(seed)
    categorical = kinds(frame)[1]
    codes = frame.assign(**{name: pd.factorize(frame[name])[0] for name in categorical})
    train = codes.to_numpy(float)
    rows = rng.integers(len(train), size=(n, frame.shape[1]))  # whose value is drawn
    drawn = train[rows, np.arange(frame.shape[1])]
    for j, name in enumerate(frame.columns[1:], 1):
        Tree = DecisionTreeClassifier if name in categorical else DecisionTreeRegressor
        tree = Tree(min_samples_leaf=CART_LEAF, random_state=seed)
        tree.fit(train[:, :j], train[:, j])
        leaves, found = tree.apply(train[:, :j]), tree.apply(drawn[:, :j])
        for leaf in np.unique(found):
            here = np.flatnonzero(found == leaf)
            rows[here, j] = rng.choice(np.flatnonzero(leaves == leaf), len(here))
        drawn[:, j] = train[rows[:, j], j]
    columns = {name: frame[name].to_numpy()[rows[:, j]] for j, name in enumerate(frame)}
    return pd.DataFrame(columns)


def mixture(frame, n, seed, scaler=None, sizes=MIXTURE_SIZES):
    scaler = (scaler or StandardScaler()).fit(frame.to_numpy())
    best = likeliest_mixture(scaler.transform(frame.to_numpy()), seed, sizes)
    drawn = scaler.inverse_transform(best.sample(n)[0])
    return pd.DataFrame(drawn, columns=frame.columns)


def likeliest_mixture(x, seed, sizes=MIXTURE_SIZES):
    """Fit mixtures to most rows; return the one that suits the others best."""
    seen, held_out = train_test_split(x, test_size=0.1, random_state=seed)
    fits = []
    for size in sizes:
        with contextlib.suppress(ValueError):  # more components than the rows allow
            fits.append(GaussianMixture(size, random_state=seed).fit(seen))
    return max(fits, key=lambda fit: fit.score(held_out))


def mixture_on_quantiles(frame, n, seed, sizes=MIXTURE_SIZES):
    n_quantiles = min(1000, len(frame))
    scaler = QuantileTransformer(n_quantiles=n_quantiles, output_distribution="normal")
    return mixture(frame, n, seed, scaler, sizes)


def copula(frame, n, seed):
    return mixture_on_quantiles(frame, n, seed, sizes=(1,))


def tvae(frame, n, seed):
    from ctgan import TVAE

    numeric, categorical = kinds(frame)
    whole = frame.select_dtypes("integer").columns  # which it rounds
    frame = plain(frame).astype(dict.fromkeys(whole, int))
    model = TVAE(enable_gpu=False)
    model.fit(frame, discrete_columns=[*of_few_values(frame[numeric]), *categorical])
    return model.sample(n)


def adversarial_forest(frame, n, seed):
    from arfpy import arf

    coded = frame.astype(dict.fromkeys(of_few_values(frame), str))
    model = arf.arf(x=coded, verbose=False)
    model.forde()
    return model.forge(n=n)[frame.columns].astype(float)


def real(frame, n, seed):
    """Training rows, as if they had been drawn."""
    return frame.sample(n, random_state=seed)


def of_few_values(frame):
    return [name for name in frame if frame[name].nunique() <= FEW_VALUES]


# Imputers: a frame with missing values, a seed -> the plain frame without.


def by_mean(frame, seed):
    return by(SimpleImputer(), frame)


def by_neighbors(frame, seed):
    return by(KNNImputer(), frame)


def by_regression(frame, seed):
    # Of dummies that sum to 1 each would be predicted from the others' initial guess.
    return by(IterativeImputer(random_state=seed), frame, drop_first=True)


def by_extra_trees(frame, seed):
    trees = ExtraTreesRegressor(EXTRA_TREES, max_features=0.5, random_state=seed)
    return by(IterativeImputer(trees, max_iter=4, random_state=seed), frame)


def by_boosting(frame, seed):
    trees = HistGradientBoostingRegressor(random_state=seed)
    return by(IterativeImputer(trees, max_iter=4, random_state=seed), frame)


def by_miss_forest(frame, seed):
    """Impute as missForest does: column by column, again and again, by trees."""
    known, filled = plain(frame), by_mean(frame, seed)
    numeric, _ = kinds(known)
    missing = known.isna()
    for _ in range(FOREST_ROUNDS):
        for name in missing.sum().sort_values(kind="stable").index:
            here = missing[name].to_numpy()
            if not here.any():
                continue
            x = pd.get_dummies(filled.drop(columns=name)).to_numpy(float)
            Trees = ExtraTreesRegressor if name in numeric else ExtraTreesClassifier
            trees = Trees(FOREST_TREES, random_state=seed)
            trees.fit(x[~here], known[name][~here].to_list())
            filled.loc[here, name] = trees.predict(x[here])
    return filled


def by(imputer, frame, drop_first=False):
    """Impute standardised numeric columns beside dummies; return the frame of both."""
    frame = plain(frame)
    numeric, categorical = kinds(frame)
    scaler = StandardScaler().fit(frame[numeric])
    blocks = [dummies(frame[name])[:, int(drop_first) :] for name in categorical]
    x = np.hstack([scaler.transform(frame[numeric]), *blocks])
    stops = np.cumsum([len(numeric), *(block.shape[1] for block in blocks)])
    x, *blocks = np.split(imputer.fit_transform(x), stops[:-1], axis=1)
    completed = dict(zip(numeric, scaler.inverse_transform(x).T, strict=True))
    for name, block in zip(categorical, blocks, strict=True):
        if drop_first:
            block = np.column_stack([1 - block.sum(axis=1), block])
        found = np.sort(frame[name].dropna().unique())
        completed[name] = found[block.argmax(axis=1)]
    return pd.DataFrame(completed)


def dummies(column):
    """Zeros and a one for each category, in their order; NaN where it is missing."""
    found = pd.get_dummies(column, dtype=float)
    return found.where(column.notna(), np.nan).to_numpy()


# Anomaly detectors: numeric rows, k, a seed -> a function of rows, high for anomalies.


def isolation_forest(x, k, seed):
    return minus_score(IsolationForest(random_state=seed).fit(x))


def pca_error(x, k, seed):
    model = PCA(k, random_state=seed).fit(x)

    def squared_error(rows):
        rebuilt = model.inverse_transform(model.transform(rows))
        return np.square(rows - rebuilt).sum(axis=1)

    return squared_error


def pca_score(x, k, seed):
    return minus_score(PCA(k, random_state=seed).fit(x))


def distance_to_neighbors(x, k, seed):
    search = NearestNeighbors(n_neighbors=5).fit(x)
    return lambda rows: search.kneighbors(rows)[0].mean(axis=1)


def local_outlier_factor(x, k, seed):
    return minus_score(LocalOutlierFactor(novelty=True).fit(x))


def mixture_score(x, k, seed):
    return minus_score(likeliest_mixture(x, seed))


def minus_score(model):
    return lambda rows: -model.score_samples(rows)


# Whole fits: numeric rows, k, a seed -> a function that rebuilds rows, if it can.


class PlainVAE(nn.Module):
    """A variational autoencoder as written in most notebooks."""

    def __init__(self, d, hidden, k):
        super().__init__()
        self.encoder = mlp((d, *hidden))
        self.mean = nn.Linear(hidden[-1], k)
        self.log_var = nn.Linear(hidden[-1], k)
        self.decoder = nn.Sequential(mlp((k, *hidden[::-1])), nn.Linear(hidden[0], d))

    def forward(self, x):
        h = self.encoder(x)
        mean, log_var = self.mean(h), self.log_var(h)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        return self.decoder(z), mean, log_var


class PlainLoss(nn.Module):
    """Minus the ELBO a row, at a noise variance of 1."""

    def forward(self, output, x):
        decoded, mean, log_var = output
        error = (x - decoded).square().sum(dim=1)
        kl = (mean.square() + log_var.exp() - log_var - 1).sum(dim=1)
        return 0.5 * (error + kl).mean()


def mlp(sizes):
    layers = [(nn.Linear(n_in, n_out), nn.SiLU()) for n_in, n_out in pairwise(sizes)]
    return nn.Sequential(*(module for pair in layers for module in pair))


def plain_step(model, optimizer, x, loss_of=PlainLoss()):  # noqa: B008, has no state
    loss = loss_of(model(x), x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# The table


@dataclass(frozen=True)
class Rival:
    """How a rival is made, and the module that it needs beside those of skvae."""

    make: Callable
    module: str | None = None


RIVALS = {
    "embed": {
        "PCA": Rival(PCA),
        "FA": Rival(FactorAnalysisWithInverse),
        "UMAP": Rival(umap, "umap"),
    },
    "map": {
        "PCA": Rival(pca_map),
        "UMAP": Rival(umap_map, "umap"),
        "PaCMAP": Rival(pacmap_map, "pacmap"),
        "openTSNE": Rival(tsne_map, "openTSNE"),
    },
    "fit": {
        "UMAP": Rival(threaded_umap_map, "umap"),
        "seeded": Rival(umap_map, "umap"),
        "PaCMAP": Rival(pacmap_map, "pacmap"),
    },
    "embed mixed": {
        "PCA": Rival(one_hot_pca),
        "FAMD": Rival(famd, "prince"),
        "table": Rival(all_columns),
    },
    "draw": {
        "CART": Rival(cart),
        "mixture": Rival(mixture),
        "on quantiles": Rival(mixture_on_quantiles),
        "copula": Rival(copula),
        "TVAE": Rival(tvae, "ctgan"),
        "forest": Rival(adversarial_forest, "arfpy"),
        "real": Rival(real),
    },
    "fill": {
        "mean": Rival(by_mean),
        "KNN": Rival(by_neighbors),
        "iterative": Rival(by_regression),
        "trees": Rival(by_extra_trees),
        "boosting": Rival(by_boosting),
        "forest": Rival(by_miss_forest),
    },
    "detect": {
        "forest": Rival(isolation_forest),
        "PCA": Rival(pca_error),
        "PCA score": Rival(pca_score),
        "neighbors": Rival(distance_to_neighbors),
        "LOF": Rival(local_outlier_factor),
        "mixture": Rival(mixture_score),
    },
}
PACKAGES = {"umap": "umap-learn"}  # of modules that are not called like theirs


def make(task, name):
    """Return the function that makes the rival."""
    return RIVALS[task][name].make


def needs(*tasks):
    """Return the modules that rivals need beside those of skvae, by the rival."""
    its = {name: rival.module for task in tasks for name, rival in RIVALS[task].items()}
    return {name: module for name, module in its.items() if module}
