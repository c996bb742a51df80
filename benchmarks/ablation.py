"""Do two mechanisms of a fit pay: what is held-out nats and imputation without them?

``python benchmarks/ablation.py`` runs every table with and without each mechanism and
writes the differences to ``benchmarks/results/ablation.txt``; with any option it only
prints them, unless ``--output`` names a file.
"""

from contextlib import contextmanager

import numpy as np
import pandas as pd
import runner
import tables

from skvae._fitting import start
from skvae._fitting.fitter import Fitter

MISSING = 0.3

ABOUT = """\
Differences that a mechanism makes, with it less without it, at the defaults; 20 % of
the rows are held out.

refining  of the closed form, where that is kept: a prior and a dispersion of its own;
          nats of held-out rows
filler    the factor analysis by which missing entries are filled in for the encoder,
          30 % of the entries missing at random; nats of held-out rows, and RMSE of what
          impute fills in, in standard deviations"""


@contextmanager
def without(owner, name, replacement):
    """Replace a function of the package for a while."""
    original = getattr(owner, name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        setattr(owner, name, original)


def measure(job):
    table = tables.load(job.table, job.args.rows)
    d = table.X.shape[1]
    if job.repeats(d):
        return None
    split = tables.split(table, seed=job.seed)
    rng = np.random.default_rng(job.seed)
    hidden = rng.random(split.X_test.shape) < MISSING
    incomplete = np.where(
        rng.random(split.X_train.shape) < MISSING, np.nan, split.X_train
    )

    def nats_of_complete():
        return job.vae(d).fit(split.X_train).score(split.X_test)

    def nats_and_error():
        vae = job.vae(d).fit(incomplete)
        test = np.where(hidden, np.nan, split.X_test)
        error = ((vae.impute(test) - split.X_test) / split.X_train.std(axis=0))[hidden]
        return vae.score(test), np.sqrt(np.mean(error**2))

    refined, filled = nats_of_complete(), nats_and_error()
    with without(Fitter, "_refined", lambda self, closed_form, start: closed_form):
        plain = nats_of_complete()
    with without(start, "fit_filler", lambda x, linear, split: linear):
        unfilled = nats_and_error()
    return {
        "used": job.n_components(d),
        "refining, nats": refined - plain,
        "filler, nats": filled[0] - unfilled[0],
        "filler, RMSE": filled[1] - unfilled[1],
    }


def report(runs, args):
    columns = ["refining, nats", "filler, nats", "filler, RMSE"]
    parts = []
    for title, its in runner.by_half(runs):
        means = its.groupby(["table", "used"], sort=False)[columns].mean()
        changed = means.where(means.abs() > 1e-6)
        summary = pd.DataFrame(
            {
                "changed": changed.notna().sum(),
                "higher": (changed > 0).sum(),
                "median of these": changed.median(),
                "mean of all": means.mean(),
                "worst": means.min(),
                "best": means.max(),
            }
        ).fillna(0.0)
        parts.append(
            f"{title}\n\n{means.round(4).to_string()}\n\n{summary.round(4).to_string()}"
        )
    return parts


BENCHMARK = runner.Benchmark(
    name="ablation",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=tables.NAMES,
    k=(2, 8),
    seeds=2,
    rows=2_000,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
