"""Does a map keep neighbourhoods of rows that it was not fitted to?

``python benchmarks/maps.py`` runs every table with classes and writes the figures to
``benchmarks/results/maps.txt``; with any option it only prints them, unless
``--output`` names a file.
"""

import os
import time

import judges
import numpy as np
import pandas as pd
import rivals
import runner
import tables

os.environ.setdefault("NUMBA_NUM_THREADS", "1")  # before numba is imported

N_NEIGHBORS = 15
LEAST_ROWS = 300  # to train on, from which on the time of a fit has a bar
INVERSE_ROWS = 50  # new rows, as UMAP's inverse takes its time
ABOUT = f"""\
Maps of k dimensions, and how they place new rows.

Each table with classes is split 80/20 once per seed, and standardised by the training
rows. Every method is fitted to these and places the others; all have their defaults.

skvae map  VAETransformer(k, n_neighbors={N_NEIGHBORS}); skvae: the same without \
n_neighbors

10-NN       accuracy of {judges.N_NEIGHBORS} nearest neighbours on the map, new rows \
among training rows
trust       of new rows among training rows, {judges.N_NEIGHBORS} neighbours; \
continuity likewise
ARI         of the classes and HDBSCAN's clusters of the training rows, of at least \
{judges.LEAST_CLUSTER}
            rows whatever the table
R2          of the inverse of the new rows' places, over all entries; UMAP's of the
            first {INVERSE_ROWS} new rows, beside which the others' are R2 first
nats        log-likelihood of a new row
fit         seconds of processor time, on one thread, after numba has compiled;
            transform: seconds per 1,000 rows, the new rows in one call

The bar of the fit is that of tables with {LEAST_ROWS} training rows or more. A
method's figure of a table is its median over the seeds; a difference is taken seed by
seed."""

TABLES = tuple(name for name in tables.WITH_CLASSES if name != "bananas")  # 2 columns
FIGURES = "10-NN", "trust", "continuity", "ARI", "R2", "R2 first", "nats"
TIMES = "fit", "transform"
OURS = {"skvae map": {"n_neighbors": N_NEIGHBORS}, "skvae": {}}
MAP = next(iter(OURS))


def measure(job):
    split = tables.split(tables.load(job.table, job.args.rows), job.seed)
    n, d = split.X_train.shape
    warm_up(job.method, n)
    fit, fitted = seconds_of(make, job, split.X_train)
    seconds, Z_test = seconds_of(fitted.transform, split.X_test)
    places = fitted.places
    Z_train = fitted.transform(split.X_train) if places is None else places
    return {
        "n": n,
        "d": d,
        "10-NN": judges.neighbors_score(
            Z_train, split.y_train, Z_test, split.y_test, is_class=True
        ),
        **judges.kept_neighborhoods(split.X_train, Z_train, split.X_test, Z_test),
        "ARI": judges.agreement_of_clusters(Z_train, split.y_train),
        **quality_of_inverse(job, fitted, split.X_test, Z_test),
        "nats": fitted.score(split.X_test) if fitted.score else np.nan,
        "fit": fit,
        "transform": seconds / len(Z_test) * 1000,
    }


def make(job, X):
    if job.method in OURS:
        model = job.vae(X.shape[1], **OURS[job.method]).fit(X)
        return rivals.Map(model.transform, model.inverse_transform, model.score)
    k = job.n_components(X.shape[1])
    return rivals.make("map", job.method)(X, k, job.seed)


def quality_of_inverse(job, fitted, X, Z):
    if fitted.inverse is None:
        return {}
    if job.method != "UMAP":
        rebuilt = fitted.inverse(Z)
        first = judges.r2_of_entries(X[:INVERSE_ROWS], rebuilt[:INVERSE_ROWS])
        return {"R2": judges.r2_of_entries(X, rebuilt), "R2 first": first}
    rebuilt = fitted.inverse(Z[:INVERSE_ROWS])
    return {"R2 first": judges.r2_of_entries(X[:INVERSE_ROWS], rebuilt)}


def seconds_of(function, *args):
    """Return the processor's seconds that a call takes, and what it returns."""
    start = time.process_time()
    found = function(*args)
    return time.process_time() - start, found


def warm_up(method, n_rows):
    """Let numba compile before a map of so many rows is timed."""
    is_large = n_rows > rivals.UMAP_EXACT_ROWS
    if method not in OURS and (method, is_large) not in WARM:
        n = rivals.UMAP_EXACT_ROWS + 100 if is_large else 100
        X = np.random.default_rng(0).normal(size=(n, 5))
        rivals.make("map", method)(X, 2, 0).transform(X[:20] + 0.1)
        WARM.add((method, is_large))


WARM = set()  # in this process


def report(runs, args):
    runs = runs.reindex(columns=[*dict.fromkeys([*runs, *FIGURES, *TIMES])])
    parts = []
    for title, its in runner.by_half(runs):
        parts += [
            f"{title}\n{'=' * len(title)}\n\n{bars(its)}",
            summary(its, args),
            against(its, args),
        ]
    medians = runner.medians(runs, ["table", "method"], [*FIGURES, *TIMES])
    for figure in (*FIGURES, *TIMES):
        shown = runner.show(runner.table_of(medians[figure], args))
        parts.append(f"{figure}\n\n{shown}")
    return parts


# figure, rival, what of its differences (times: ratios) over the tables, bar
BARS = [
    ("10-NN", "UMAP", "median", ">=", 0.0),
    ("10-NN", "UMAP", "mean", ">=", 0.01),
    ("10-NN", "UMAP", "least", ">=", -0.03),
    ("10-NN", "openTSNE", "mean", ">=", -0.005),
    ("trust", "UMAP", "median", ">=", 0.003),
    ("R2 first", "UMAP", "least", ">=", 0.0),
    ("R2", "skvae", "median", ">=", 0.02),
    ("nats", "skvae", "median", ">=", 0.0),
    ("nats", "PCA", "least", ">=", 0.0),
    ("fit", "UMAP", "median", "<=", 1.0),
    ("transform", "UMAP", "most", "<=", 0.1),
]


def bars(runs):
    """What is promised of the map, passed or not."""
    rows = []
    for figure, rival, what, sign, bar in BARS:
        its = runs[runs["n"] >= LEAST_ROWS] if figure == "fit" else runs
        if {MAP, rival} <= set(its["method"]):
            value = spread_of(gaps_of(its, figure, MAP, rival))[what]
            passed = value >= bar if sign == ">=" else value <= bar
            between = "over" if figure in TIMES else "minus"
            name = f"{what} of {figure} {between} {rival}'s"
            verdict = "passed" if passed else "failed"
            rows.append((name, f"{value:.3f}", f"{sign} {bar:g}", verdict))
    frame = pd.DataFrame(rows, columns=["bar", "figure", "wanted", ""])
    return runner.show(frame.set_index("bar")) if rows else "There are no bars."


def gaps_of(runs, figure, ours, other):
    """Differences of two methods by table, of times ratios; medians over the seeds."""
    wide = runs.set_index(["table", "seed", "method"])[figure].unstack("method")
    combine = np.divide if figure in TIMES else np.subtract
    return combine(wide[ours], wide[other]).dropna().groupby("table").median()


def summary(runs, args):
    """Medians and means over the tables, and the spread over seeds."""
    medians = runner.medians(runs, ["table", "method"], [*FIGURES, *TIMES])
    over_tables = medians.groupby("method")
    spread = runs.groupby(["table", "method"])["10-NN"].std().groupby("method").median()
    frame = pd.DataFrame(
        {f"median {figure}": over_tables[figure].median() for figure in medians}
        | {"mean 10-NN": over_tables["10-NN"].mean(), "its std over seeds": spread}
    )
    return runner.show(runner.rows_in_order(frame, args).dropna(axis=1, how="all").T)


def against(runs, args):
    """Differences of ours to each rival, over the tables: worst, median, mean, best."""
    ours, *others = [m for m in args.methods if m in set(runs["method"])]
    rows = {}
    for other in others:
        for figure in (*FIGURES, *TIMES):
            gaps = gaps_of(runs, figure, ours, other)
            between = "over" if figure in TIMES else "minus"
            if len(gaps):
                rows[f"{figure}, {ours} {between} {other}"] = spread_of(gaps)
    return runner.show(pd.DataFrame(rows).T) if rows else "There is nothing to compare."


def spread_of(values):
    return {
        "least": values.min(),
        "median": values.median(),
        "mean": values.mean(),
        "most": values.max(),
    }


BENCHMARK = runner.Benchmark(
    name="maps",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=TABLES,
    methods=(*OURS, *rivals.RIVALS["map"]),
    needs=rivals.needs("map"),
    k=(2,),
    seeds=5,
    rows=tables.MAX_ROWS,
    workers=1,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
