"""Is a class that was not trained on less likely: skvae as an anomaly detector.

``python benchmarks/anomaly.py`` runs every table with classes and writes the figures to
``benchmarks/results/anomaly.txt``; with any option it only prints them, unless
``--output`` names a file.
"""

import judges
import numpy as np
import pandas as pd
import rivals
import runner
import tables
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

MOST_CLASSES, LEAST_ROWS = 3, 10

ABOUT = f"""\
score_samples as an anomaly score.

Of each table with classes the {MOST_CLASSES} rarest of at least {LEAST_ROWS} rows are \
anomalies,
one at a time. 75 % of the other rows train; the rest and the anomalies are told apart,
and all columns are standardised by the training rows. Medians over classes and seeds.

skvae     VAETransformer(k).score_samples; "quantile": with scaling="quantile";
          "k=2": two components
forest    IsolationForest(), defaults
PCA       squared error of PCA(k); "PCA score": its log-likelihood
neighbors mean distance to the 5 nearest training rows
LOF       LocalOutlierFactor(novelty=True), defaults
mixture   GaussianMixture of {", ".join(map(str, rivals.MIXTURE_SIZES))} components, \
as suits a tenth of the rows best

AUC is the area under the ROC curve, AP the average precision: more is better."""

OURS = {
    "skvae": {},
    "quantile": {"scaling": "quantile"},
    "k=2": {"n_components": 2},
}


def measure(job):
    """Return a record for each class that is held out of training."""
    table = tables.load(job.table, job.args.rows)
    records = []
    for anomaly in rare_classes(table.y):
        is_anomaly = table.y == anomaly
        train, inliers = train_test_split(
            table.X[~is_anomaly], test_size=0.25, random_state=job.seed
        )
        scaler = StandardScaler().fit(train)
        rows = scaler.transform(np.vstack([inliers, table.X[is_anomaly]]))
        truth = np.repeat([0, 1], [len(inliers), is_anomaly.sum()])
        score = detector(job, scaler.transform(train))(rows)
        records.append(judges.ranking_of_anomalies(truth, score))
    return records


def rare_classes(y):
    classes, counts = np.unique(y, return_counts=True)
    rare = classes[np.argsort(counts, kind="stable")]
    return rare[np.sort(counts) >= LEAST_ROWS][:MOST_CLASSES][: len(classes) - 1]


def detector(job, train):
    d = train.shape[1]
    if job.method not in OURS:
        return rivals.make("detect", job.method)(train, job.n_components(d), job.seed)
    return rivals.minus_score(job.vae(d, **OURS[job.method]).fit(train))


def report(runs, args):
    parts = []
    for title, its in runner.by_half(runs):
        its = runner.medians(its, ["table", "method"], ["AUC", "AP"])
        figures = runner.rows_in_order(over_tables(its.unstack("table")), args)
        parts.append(f"{title}\n\n{runner.show(figures)}")
        if {"skvae", "forest"} <= {*figures.index}:
            median = figures["median AUC"]
            ahead = median["skvae"] - median["forest"]
            what = "skvae, median AUC minus IsolationForest's"
            parts.append(f"{what}: {ahead:+.3f} (> 0)")
    aucs = runner.medians(runs, ["table", "method"], ["AUC"])["AUC"]
    return [*parts, f"AUC\n\n{runner.show(runner.table_of(aucs, args))}"]


def over_tables(figures):
    ranks = figures["AUC"].rank(ascending=False)
    best = figures["AUC"].rank(ascending=False, method="min").eq(1)
    return pd.DataFrame(
        {
            "median AUC": figures["AUC"].median(axis=1),
            "mean AUC": figures["AUC"].mean(axis=1),
            "mean AP": figures["AP"].mean(axis=1),
            "mean rank": ranks.mean(axis=1),
            "best": best.sum(axis=1),
        }
    )


BENCHMARK = runner.Benchmark(
    name="anomaly",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=tables.WITH_CLASSES,
    methods=(*OURS, *rivals.RIVALS["detect"]),
    needs=rivals.needs("detect"),
    rows=3_000,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
