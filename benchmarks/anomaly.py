"""Is a class that was not trained on less likely: skvae as an anomaly detector.

``python benchmarks/anomaly.py`` runs every table with classes and writes the figures to
``benchmarks/results/anomaly.txt``; with any option it only prints them, unless
``--output`` names a file.
"""

import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from sampling import (
    MIXTURE_SIZES,
    argument_parser,
    finish,
    likeliest_mixture,
    run_all,
)
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler
from tables import HALVES, WITH_CLASSES, load
from threadpoolctl import threadpool_limits

from skvae import VAETransformer

OUTPUT = Path(__file__).parent / "results" / "anomaly.txt"
MAX_ROWS = 3_000
N_COMPONENTS = 8
MOST_CLASSES, LEAST_ROWS = 3, 10

HEADER = """\
score_samples as an anomaly score.

Of each table with classes the {classes} rarest of at least {rows} rows are anomalies,
one at a time. 75 % of the other rows train; the rest and the anomalies are told apart,
and all columns are standardised by the training rows. Medians over classes and {seeds}
seeds; tables are cut to {max_rows:,} random rows.

skvae     VAETransformer({k}).score_samples; "quantile": with scaling="quantile";
          "k=2": two components
forest    IsolationForest(), defaults
PCA       squared error of PCA({k}); "PCA score": its log-likelihood
LOF       LocalOutlierFactor(novelty=True), defaults
mixture   GaussianMixture of {sizes} components, as suits a tenth of the rows best

AUC is the area under the ROC curve, AP the average precision: more is better."""


def main():
    parser = argument_parser(__doc__)
    parser.set_defaults(tables=WITH_CLASSES)
    args = parser.parse_args()
    if args.output is None and args == parser.parse_args([]):
        args.output = OUTPUT
    jobs = [joblib.delayed(run)(name, args.seeds) for name in args.tables]
    finish(report(run_all(jobs), args), args.output)


# The methods: training rows and a seed -> a function of rows, high for anomalies.


def skvae(x, seed, k=N_COMPONENTS, **options):
    k = min(k, x.shape[1] - 1)
    vae = VAETransformer(k, random_state=seed, **options).fit(x)
    return lambda new: -vae.score_samples(new)


def quantile(x, seed):
    return skvae(x, seed, scaling="quantile")


def two_components(x, seed):
    return skvae(x, seed, k=2)


def forest(x, seed):
    model = IsolationForest(random_state=seed).fit(x)
    return lambda new: -model.score_samples(new)


def pca(x, seed):
    model = PCA(min(N_COMPONENTS, x.shape[1] - 1), random_state=seed).fit(x)
    return lambda new: np.square(
        new - model.inverse_transform(model.transform(new))
    ).sum(axis=1)


def pca_score(x, seed):
    model = PCA(min(N_COMPONENTS, x.shape[1] - 1), random_state=seed).fit(x)
    return lambda new: -model.score_samples(new)


def lof(x, seed):
    model = LocalOutlierFactor(novelty=True).fit(x)
    return lambda new: -model.score_samples(new)


def mixture(x, seed):
    best = likeliest_mixture(x, seed)
    return lambda new: -best.score_samples(new)


METHODS = {
    "skvae": skvae,
    "quantile": quantile,
    "k=2": two_components,
    "forest": forest,
    "PCA": pca,
    "PCA score": pca_score,
    "LOF": lof,
    "mixture": mixture,
}


# The runs


def run(name, n_seeds):
    """Run every method on a table, on one thread."""
    torch.set_num_threads(1)
    table = load(name, MAX_ROWS)
    classes, counts = np.unique(table.y, return_counts=True)
    rare = classes[np.argsort(counts, kind="stable")]
    rare = rare[np.sort(counts) >= LEAST_ROWS][:MOST_CLASSES][: len(classes) - 1]
    rows = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for anomaly in rare:
            is_anomaly = table.y == anomaly
            for seed in range(n_seeds):
                train, inliers = train_test_split(
                    table.X[~is_anomaly], test_size=0.25, random_state=seed
                )
                scaler = StandardScaler().fit(train)
                new = scaler.transform(np.vstack([inliers, table.X[is_anomaly]]))
                truth = np.repeat([0, 1], [len(inliers), is_anomaly.sum()])
                for method, fit in METHODS.items():
                    score = fit(scaler.transform(train), seed)(new)
                    row = {"table": name, "half": table.half, "method": method}
                    row["AUC"] = roc_auc_score(truth, score)
                    row["AP"] = average_precision_score(truth, score)
                    rows.append(row)
    return rows


# The report


def report(runs, args):
    head = HEADER.format(
        classes=MOST_CLASSES,
        rows=LEAST_ROWS,
        seeds=args.seeds,
        max_rows=MAX_ROWS,
        k=N_COMPONENTS,
        sizes=", ".join(map(str, MIXTURE_SIZES)),
    )
    by_table = runs.groupby(["half", "table", "method"], sort=False)[["AUC", "AP"]]
    by_table = by_table.median()
    parts = [head]
    for half in HALVES:
        if half not in by_table.index:
            continue
        its = by_table.loc[half].unstack("table")
        n = its["AUC"].shape[1]
        table = pd.DataFrame(
            {
                "median AUC": its["AUC"].median(axis=1),
                "mean AUC": its["AUC"].mean(axis=1),
                "mean AP": its["AP"].mean(axis=1),
                "mean rank": its["AUC"].rank(ascending=False).mean(axis=1),
                "best": its["AUC"]
                .rank(ascending=False, method="min")
                .eq(1)
                .sum(axis=1),
            }
        ).loc[list(METHODS)]
        ahead = table.loc["skvae", "median AUC"] - table.loc["forest", "median AUC"]
        parts.append(f"{half.upper()}, {n} tables\n\n{table.round(3).to_string()}")
        parts.append(f"skvae, median AUC minus IsolationForest's: {ahead:+.3f} (> 0)")
    aucs = by_table["AUC"].droplevel("half").unstack()[list(METHODS)]
    parts.append(f"AUC\n\n{aucs.round(3).to_string()}")
    return "\n\n\n".join(parts)


if __name__ == "__main__":
    main()
