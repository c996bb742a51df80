"""What a benchmark measures with: every figure of the reports is a function here.

Rows are numeric arrays or frames of mixed columns. Whether more is better stands in
the docstring, where it does not go without saying.
"""

import numpy as np
import pandas as pd
from mixed_tables import kinds, plain
from scipy.spatial.distance import cdist
from scipy.stats import ks_2samp, norm, rankdata
from sklearn.cluster import HDBSCAN
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import (
    adjusted_rand_score,
    average_precision_score,
    roc_auc_score,
)
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    NearestNeighbors,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

MOST_CATEGORIES = 200  # of a column; boosted trees take 255
N_NEIGHBORS = 10
N_JUDGES = 20  # neighbours that tell drawn rows from real ones
LEAST_CLUSTER = 15  # rows
LEAST_DISTANCE = 1e-3  # which stands for none: a ratio of distances stays finite


# What comes back


def r2_of_entries(truth, rebuilt, center=0.0, scale=1.0):
    """R2 over all observed entries, columns in units of `scale`.

    Deviations are taken from `center`: 0 for columns standardised by training rows.
    """
    residual, deviation = (truth - rebuilt) / scale, (truth - center) / scale
    known = np.isfinite(truth)
    return 1 - (residual[known] ** 2).sum() / (deviation[known] ** 2).sum()


def accuracy_of_categories(truth, rebuilt):
    """Share of the observed categorical entries that come back right."""
    known = pd.notna(truth)
    return (truth == rebuilt)[known].mean()


def quality_of_inverse(train, test, rebuilt):
    """Return both of the above for a mixed table: "R2" and "categories".

    Numeric columns are in units of their training standard deviation; the accuracy is
    that above guessing each column's most frequent training category.
    """
    train, test, rebuilt = plain(train), plain(test), plain(rebuilt)
    numeric, categorical = kinds(test)
    figures = {}
    if numeric:
        x = test[numeric].to_numpy()
        scale = train[numeric].std().replace(0, 1).to_numpy()
        center = np.nanmean(x, axis=0)
        figures["R2"] = r2_of_entries(x, rebuilt[numeric].to_numpy(), center, scale)
    if categorical:
        x = test[categorical].to_numpy(object)
        commonest = train[categorical].mode().iloc[0].to_numpy(object)
        figures["categories"] = accuracy_of_categories(
            x, rebuilt[categorical].to_numpy(object)
        ) - accuracy_of_categories(x, np.broadcast_to(commonest, x.shape))
    return figures


# What an embedding is worth


def neighbors_score(Z_train, y_train, Z_test, y_test, is_class):
    """Accuracy, or R2 of a numeric target, of 10 nearest neighbours on an embedding."""
    model = KNeighborsClassifier if is_class else KNeighborsRegressor
    return model(N_NEIGHBORS).fit(Z_train, y_train).score(Z_test, y_test)


def kept_neighborhoods(X_train, Z_train, X_test, Z_test):
    """Return "trust" and "continuity" of new rows among the training rows.

    Trustworthiness (Venna & Kaski 2001) is 1 less what rows cost that are among the 10
    nearest on the map and not in the table, by their rank in the table; continuity has
    table and map the other way round.
    """
    n, n_test = len(X_train), len(X_test)
    k = min(N_NEIGHBORS, n // 2 - 1)
    most = n_test * k * (2 * n - 3 * k - 1) / 2  # if all are the farthest
    in_table, on_map = (
        ranks_of_others(rows, others)
        for rows, others in ((X_test, X_train), (Z_test, Z_train))
    )
    return {
        "trust": 1 - np.maximum(in_table[on_map <= k] - k, 0).sum() / most,
        "continuity": 1 - np.maximum(on_map[in_table <= k] - k, 0).sum() / most,
    }


def ranks_of_others(rows, others):
    """Rank of each of the other rows by its distance from each row: 1 is nearest."""
    order = cdist(rows, others).argsort(axis=1, kind="stable")
    return order.argsort(axis=1) + 1


def agreement_of_clusters(Z, y):
    """Adjusted Rand index of HDBSCAN's clusters and the classes: 1 agrees, 0 chance.

    A cluster has at least 15 rows; those in none are one of their own.
    """
    clusters = HDBSCAN(min_cluster_size=min(LEAST_CLUSTER, len(Z)), copy=True)
    return adjusted_rand_score(y, clusters.fit_predict(Z))


def supervised_scores(Z_train, y_train, Z_test, y_test, is_class):
    """Return the same of a "linear" model and of "boosted" trees."""
    linear = LogisticRegression(max_iter=1000) if is_class else Ridge()
    models = {"linear": make_pipeline(StandardScaler(), linear)}
    models["boosted"] = boosted_trees(is_class)
    return {
        name: model.fit(Z_train, y_train).score(Z_test, y_test)
        for name, model in models.items()
    }


def boosted_trees(is_class):
    """Return scikit-learn's boosted trees, which take missing values as such."""
    if is_class:
        return HistGradientBoostingClassifier(random_state=0)
    return HistGradientBoostingRegressor(random_state=0)


# What drawn rows are worth


def two_sample_auc(drawn, real):
    """AUC of boosted trees that tell drawn rows from real ones: .5 cannot be told.

    Cross-validated, over shuffled folds. The trees see the 200 most frequent categories
    of a column, and of the others only that they are rare.
    """
    drawn, real = plain(pd.DataFrame(drawn)), plain(pd.DataFrame(real))
    both = pd.concat([drawn[list(real)], real], ignore_index=True)
    for name in kinds(real)[1]:
        column = both[name].astype(str)
        common = column.value_counts().index[:MOST_CATEGORIES]
        both[name] = column.where(column.isin(common), "rare").astype("category")
    is_real = np.repeat([False, True], [len(drawn), len(real)])
    return told_apart(boosted_trees(True), both, is_real)


def neighbors_auc(drawn, real):
    """AUC of nearest neighbours that tell drawn rows from real ones: a second judge.

    On normal scores of the columns, cross-validated over shuffled folds: where trees
    look at columns one by one, these look at all of them together.
    """
    both, is_real = np.vstack([drawn, real]), np.repeat([0, 1], [len(drawn), len(real)])
    judge = make_pipeline(
        QuantileTransformer(
            n_quantiles=min(len(both), 1_000), output_distribution="normal"
        ),
        KNeighborsClassifier(N_JUDGES),
    )
    return told_apart(judge, both, is_real)


def told_apart(judge, both, is_real):
    """AUC of a classifier that tells real rows from others, over shuffled folds."""
    folds = StratifiedKFold(shuffle=True, random_state=0)
    share = cross_val_predict(judge, both, is_real, cv=folds, method="predict_proba")
    return roc_auc_score(is_real, share[:, 1])


def share_of_copies(rows, train):
    """Share of rows that a training row equals, to the bit."""
    known = {row.tobytes() for row in np.ascontiguousarray(train, dtype=float)}
    copies = [row.tobytes() in known for row in np.ascontiguousarray(rows, dtype=float)]
    return np.mean(copies)


def trained_on_drawn(drawn, train, test, is_class):
    """Score of boosted trees trained on drawn rows, less that of trees trained on real.

    The last column is the target, the score an accuracy or an R2, 0 at least.
    """

    def score(rows):
        y = rows[:, -1].round() if is_class else rows[:, -1]
        if len(np.unique(y)) < 2:
            return 0.0
        model = boosted_trees(is_class).fit(rows[:, :-1], y)
        return max(model.score(test[:, :-1], test[:, -1]), 0.0)

    return score(drawn) - score(train)


def distance_of_columns(drawn, real):
    """Kolmogorov-Smirnov distance of a column, mean over columns: less is better."""
    pairs = zip(drawn.T, real.T, strict=True)
    return np.mean([ks_2samp(a, b).statistic for a, b in pairs])


def distance_of_correlations(drawn, real):
    """Absolute difference of two columns' rank correlation, mean over pairs."""
    return np.abs(rank_correlations(drawn) - rank_correlations(real)).mean()


def rank_correlations(X):
    """Spearman's correlation of every two columns; 0 with one that is constant."""
    ranks = rankdata(X, axis=0) - (len(X) + 1) / 2
    norms = np.sqrt(np.square(ranks).sum(axis=0))
    norms[norms == 0] = np.inf
    return ((ranks.T @ ranks) / np.outer(norms, norms))[np.triu_indices(X.shape[1], 1)]


def distance_to_training_rows(drawn, held_out, train):
    """Median distance to the closest training row, over that of held-out rows.

    Of standardised columns. Well below 1 is copying.
    """
    scaler = StandardScaler().fit(train)

    def distance(rows):
        nearest = distances_to_nearest(scaler.transform(rows), scaler.transform(train))
        return max(np.median(nearest), LEAST_DISTANCE)

    return distance(drawn) / distance(held_out)


def distances_to_nearest(rows, train):
    """Distance of each row to the closest training row."""
    search = NearestNeighbors(n_neighbors=1).fit(train)
    return search.kneighbors(rows)[0][:, 0]


# What is filled in for missing values


def rmse_of_entries(truth, filled, hidden):
    """RMSE over hidden numeric entries, in standard deviations of the whole column."""
    gaps = (filled - truth) / truth.std()
    return np.sqrt(np.square(gaps.to_numpy()[hidden]).mean())


def errors_of_categories(truth, filled, hidden):
    """Share of hidden categorical entries that are filled in wrong."""
    return (filled.to_numpy() != truth.to_numpy())[hidden].mean()


# What is said of uncertainty and likelihood


def coverage_of_draws(draws, truth, shares=(0.5, 0.9)):
    """Share of the truth in central intervals of its draws, by the interval's share."""
    found = {}
    for share in shares:
        low, high = np.quantile(draws, [(1 - share) / 2, (1 + share) / 2], axis=0)
        found[share] = np.mean((low <= truth) & (truth <= high))
    return found


def coverage_of_normal(distances, shares):
    """Share of distances in central intervals of a standard normal distribution."""
    within = np.abs(distances)
    return {share: (within <= norm.ppf(0.5 + share / 2)).mean() for share in shares}


def ranking_of_anomalies(is_anomaly, score):
    """Return the area under the ROC curve, "AUC", and the average precision, "AP"."""
    return {
        "AUC": roc_auc_score(is_anomaly, score),
        "AP": average_precision_score(is_anomaly, score),
    }
