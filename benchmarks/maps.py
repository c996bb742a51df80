"""Does a map keep neighbourhoods of rows that it was not fitted to?

``python benchmarks/maps.py`` runs every table with classes and writes the figures to
``benchmarks/results/maps.txt``; with any option it only prints them, unless
``--output`` names a file. Seconds mean most with ``--workers 1``, and under
``NUMBA_NUM_THREADS=1``, as PaCMAP takes all threads that it gets.
"""

import judges
import numpy as np
import pandas as pd
import rivals
import runner
import tables
import torch
from sklearn.decomposition import PCA

from skvae._map.levels import map_rows
from skvae._map.look_up import LookUp

ABOUT = f"""\
Maps of k dimensions, and how they place new rows.

Each table with classes is split 80/20 once per seed, and standardised by the training
rows. Every method is fitted to these and places the others; all have their defaults.

layout  the layout of the training rows by their 15 nearest neighbours, and the look-up
        of new rows, without a network

10-NN       accuracy of {judges.N_NEIGHBORS} nearest neighbours on the map, new rows \
among training rows
trust       of new rows among training rows, {judges.N_NEIGHBORS} neighbours; \
continuity likewise
ARI         of the classes and HDBSCAN's clusters of the training rows, of at least \
{judges.LEAST_CLUSTER}
fit         seconds, on one thread, after numba has compiled; transform: seconds per
            1,000 rows, the new rows in one call

A method's figure of a table is its median over the seeds; a difference is taken seed by
seed."""

N_NEIGHBORS = 15
TABLES = tuple(name for name in tables.WITH_CLASSES if name != "bananas")  # 2 columns
FIGURES = "10-NN", "trust", "continuity", "ARI"
TIMES = "fit", "transform"


def measure(job):
    split = tables.split(tables.load(job.table, job.args.rows), job.seed)
    n, d = split.X_train.shape
    make = MAPS[job.method]
    warm_up(job.method, n)
    fit, (Z_train, transform) = runner.seconds_of(
        make, split.X_train, job.n_components(d), job.seed
    )
    seconds, Z_test = runner.seconds_of(transform, split.X_test)
    return {
        "n": n,
        "d": d,
        "10-NN": judges.neighbors_score(
            Z_train, split.y_train, Z_test, split.y_test, is_class=True
        ),
        **judges.kept_neighborhoods(split.X_train, Z_train, split.X_test, Z_test),
        "ARI": judges.agreement_of_clusters(Z_train, split.y_train),
        "fit": fit,
        "transform": seconds / len(Z_test) * 1000,
    }


def layout_map(X, k, seed):
    rows = torch.as_tensor(X)
    start = torch.as_tensor(PCA(k, random_state=seed).fit_transform(X))
    generator = torch.Generator().manual_seed(seed)
    layout = map_rows(rows, start, N_NEIGHBORS, generator)
    look_up = LookUp.of(rows, layout.positions)
    return look_up.positions.numpy(), lambda X: look_up(torch.as_tensor(X)).numpy()


MAPS = {"layout": layout_map} | {
    name: rival.make for name, rival in rivals.RIVALS["map"].items()
}


def warm_up(method, n_rows):
    """Let numba compile before a map of so many rows is timed."""
    is_large = n_rows > rivals.UMAP_EXACT_ROWS
    if (method, is_large) not in WARM:
        n = rivals.UMAP_EXACT_ROWS + 100 if is_large else 100
        X = np.random.default_rng(0).normal(size=(n, 5))
        MAPS[method](X, 2, 0)[1](X[:20] + 0.1)
        WARM.add((method, is_large))


WARM = set()  # in this process


def report(runs, args):
    parts = []
    for title, its in runner.by_half(runs):
        parts += [
            f"{title}\n\n{summary(its, args)}",
            f"{title}\n\n{against(its, args)}",
        ]
    medians = runner.medians(runs, ["table", "method"], [*FIGURES, *TIMES])
    for figure in (*FIGURES, *TIMES):
        shown = runner.show(runner.table_of(medians[figure], args))
        parts.append(f"{figure}\n\n{shown}")
    return parts


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
    wide = runs.set_index(["table", "seed", "method"])
    rows = {}
    for other in others:
        for figure in FIGURES:
            both = wide[figure].unstack("method")
            gaps = (both[ours] - both[other]).groupby("table").median()
            rows[f"{figure}, {ours} minus {other}"] = spread_of(gaps)
        for figure in TIMES:
            both = wide[figure].unstack("method")
            ratios = (both[ours] / both[other]).groupby("table").median()
            rows[f"{figure}, {ours} over {other}"] = spread_of(ratios)
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
    methods=tuple(MAPS),
    needs=rivals.needs("map"),
    k=(2,),
    seeds=5,
    rows=tables.MAX_ROWS,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
