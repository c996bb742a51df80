"""How much does the random_state matter: R2 and nats of one split under ten seeds.

``python benchmarks/seeds.py`` runs every table of more than 1,000 rows and writes the
figures to ``benchmarks/results/seeds.txt``; with any option it only prints them, unless
``--output`` names a file.
"""

import judges
import numpy as np
import runner
import tables

LEAST_ROWS = 1_000
BAR = 0.01

ABOUT = """\
Spread over the seeds of one split, at the defaults: standard deviation and range of R2
and of nats on the 20 % of the rows that are held out, standardised columns."""


def measure(job):
    table = tables.load(job.table, job.args.rows)
    n, d = table.X.shape
    if n <= job.args.least_rows or job.repeats(d):
        return None
    split = tables.split(table, seed=0)
    vae = job.vae(d).fit(split.X_train)
    back = vae.inverse_transform(vae.transform(split.X_test))
    return {
        "used": job.n_components(d),
        "R2": judges.r2_of_entries(split.X_test, back),
        "nats": vae.score(split.X_test),
    }


def report(runs, args):
    parts = []
    for title, its in runner.by_half(runs):
        by_table = its.groupby(["table", "used"], sort=False)[["R2", "nats"]]
        spread = by_table.agg(["std", np.ptp])
        r2 = spread["R2", "std"]
        parts.append(
            f"{title}\n\n{spread.round(4).to_string()}\n\n"
            f"standard deviation of R2, median {r2.median():.4f}, worst "
            f"{r2.max():.4f}; at most {BAR} on {(r2 <= BAR).mean():.0%} (wanted: all)"
        )
    return parts


def add_options(parser):
    parser.add_argument("--least-rows", type=int, default=LEAST_ROWS)


BENCHMARK = runner.Benchmark(
    name="seeds",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=tables.NAMES,
    k=(2, 8),
    seeds=10,
    rows=3_000,
    add_options=add_options,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
