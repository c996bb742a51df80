"""How long is a default fit to a table of over 2,000 rows, beside UMAP's?

``python benchmarks/fit.py`` runs what is installed and writes the seconds to
``benchmarks/results/fit.txt``; with any option it only prints them, unless ``--output``
names a file. ``--before DIR`` adds the version in another checkout. The others need
``pip install umap-learn pacmap``.
"""

import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import judges
import mixed_tables
import numpy as np
import pandas as pd
import rivals
import runner
import tables
from sklearn.model_selection import train_test_split

from skvae import VAETransformer

BETWEEN = 4_000, 16_000  # training rows of the tables that have a line of their own
MISSING = " missing"  # ends the name of a table of which some entries are removed
SHARE_MISSING = 0.3
SCORED_ROWS = 500
TOY_ROWS = 300
DEFAULT = "skvae"
OURS = {DEFAULT: {}, "all cores": {"n_jobs": -1}, "before": {}}
FIGURES = "fit", "transform", "R2", "nats"
TIMES = FIGURES[:2]

ABOUT = f"""\
Seconds of a fit at each library's defaults: 80 % of a table's rows train, the others
are transformed. The methods take turns, a seed is a round; a method's figure of a table
is its median over the rounds.

{DEFAULT:9}  VAETransformer(k), on one thread; all cores: with n_jobs=-1
before     {DEFAULT} as it is in the checkout that --before names, in its own process
UMAP       on all threads; seeded: with a random_state, as reproducible as skvae and so
           on one thread. Both after numba has compiled what a table of this size needs:
           from {rivals.UMAP_EXACT_ROWS:,} rows on neighbours are searched otherwise.
PaCMAP     on all threads

The others get numbers standardised, categories one-hot, and medians and the most
frequent categories where values are missing; skvae gets a table as it is, and
standardises it itself. Of a table called "...{MISSING}" {SHARE_MISSING:.0%} of the
entries are removed.

fit        seconds
transform  seconds of the rows left out, in one call
R2         of the rows left out, rebuilt from their embedding; of numeric tables
nats       log-likelihood of a row left out, the mean of the first {SCORED_ROWS}"""

NUMERIC = (
    *("swiss_roll", "mnist", "diamonds", "bfi", "cells", "ames", "caravan"),
    *("baseball", "fair", "randhie", "segments", "shuttle", "chicago", "weather"),
    *("lending", "check_times", "deliveries", "spam", "computers"),
)
INCOMPLETE = tuple(
    name + MISSING for name in ("segments", "cells", "baseball", "lending", "computers")
)
MIXED = (
    *("homes", "credit", "developers", "stones", "hotel"),
    *("loans", "churn", "wages", "mortgages", "youth", "birds"),
)


def measure(job):
    """Return a record for each method, which take turns."""
    table = {"kind": kind_of(job.table)}
    of_ours, of_others = rows_of(job)
    table["n"], table["d"] = of_ours[0].shape
    records = []
    for method in job.args.methods:
        if method == "before" and job.args.before is None:
            continue
        run = run_elsewhere if method == "before" else run_here
        found = run(job, method, *(of_ours if method in OURS else of_others))
        records.append({"method": method, **table, **found})
    return records


def kind_of(name):
    if name.endswith(MISSING):
        return "with missing values"
    return "mixed" if name in mixed_tables.HALF_OF else "numeric"


def rows_of(job):
    """Return the rows to train on and those left out, as skvae and others get them."""
    name, kind = job.table.removesuffix(MISSING), kind_of(job.table)
    if kind == "numeric":
        found = tables.split(tables.load(name, job.args.rows), job.seed)
        return [(found.X_train, found.X_test)] * 2
    load = mixed_tables.load if kind == "mixed" else tables.load
    frame = pd.DataFrame(load(name, job.args.rows).X)
    if kind != "mixed":
        chance = np.random.default_rng(job.seed).random(frame.shape)
        frame = frame.mask(chance < SHARE_MISSING)
    train, test = train_test_split(frame, test_size=0.2, random_state=job.seed)
    coder = rivals.one_hot(train)
    return (train, test), [
        coder.transform(rivals.plain(rows)) for rows in (train, test)
    ]


def run_here(job, method, train, test):
    warm_up(job, method, train, test)
    seconds, model = runner.seconds_of(fit, job, method, train)
    transform, Z = runner.seconds_of(model.transform, test)
    figures = {"fit": seconds, "transform": transform}
    return figures | (quality(model, test, Z) if method in OURS else {})


def fit(job, method, rows):
    if method in OURS:
        return job.vae(rows.shape[1], **OURS[method]).fit(rows)
    k = job.n_components(rows.shape[1])
    return rivals.make("fit", method)(rows, k, job.seed)


def quality(model, test, Z):
    """Return what shows that a faster fit is no worse."""
    figures = {"nats": model.score(test[:SCORED_ROWS])}
    if isinstance(test, np.ndarray):
        figures["R2"] = judges.r2_of_entries(test, model.inverse_transform(Z))
    return figures


def warm_up(job, method, train, test):
    """Let imports, compilers and first calls pass before anything is timed."""
    is_large = len(train) > rivals.UMAP_EXACT_ROWS
    if (method, is_large) not in WARM:
        if method in ("UMAP", "seeded"):
            rivals.warm_up_umap(len(train))
        fit(job, method, train[:TOY_ROWS]).transform(test[:TOY_ROWS])
        WARM.add((method, is_large))


WARM = set()  # in this process

ELSEWHERE = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
with open(sys.argv[2], "rb") as file:
    modules, parameters, train, test, rows = pickle.load(file)
sys.path.append(modules)
import fit, runner, skvae
assert skvae.__file__.startswith(sys.argv[1]), skvae.__file__
make = lambda: skvae.VAETransformer(**parameters)
make().fit(train[:rows]).transform(test[:rows])
seconds, model = runner.seconds_of(make().fit, train)
transform, Z = runner.seconds_of(model.transform, test)
figures = {"fit": seconds, "transform": transform, **fit.quality(model, test, Z)}
with open(sys.argv[2], "wb") as file:
    pickle.dump(figures, file)
"""


def run_elsewhere(job, method, train, test):
    """Run the version of another checkout, which needs a process of its own."""
    parameters = job.vae(train.shape[1]).get_params()
    default = VAETransformer().get_params()
    parameters = {n: v for n, v in parameters.items() if v is not default[n]}
    task = str(Path(__file__).parent), parameters, train, test, TOY_ROWS
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "job.pickle"
        file.write_bytes(pickle.dumps(task))
        given = str(job.args.before.resolve()), str(file)
        subprocess.run([sys.executable, "-c", ELSEWHERE, *given], check=True)
        return pickle.loads(file.read_bytes())


# The report


def report(runs, args):
    runs = runs.reindex(columns=[*dict.fromkeys([*runs, *FIGURES])])
    medians = runner.medians(runs, ["k", "table", "method"], FIGURES)
    of_table = runs.groupby(["k", "table"], sort=False)[["kind", "n", "d"]].first()
    parts = [summary(medians, of_table, args)]
    for figure in FIGURES:
        wide = of_table.join(runner.table_of(medians[figure], args))
        if len(wide.columns) > len(of_table.columns):
            parts.append(f"{figure}\n\n{runner.show(wide)}")
    return parts


def summary(medians, of_table, args):
    """How the methods' times are to ours, over the tables of each kind."""
    lines = []
    for figure in TIMES:
        wide = runner.table_of(medians[figure], args)
        if DEFAULT not in wide:
            continue
        over_ours = wide.div(wide[DEFAULT], axis=0).reindex(of_table.index)
        parts = {title: over_ours[its] for title, its in groups(of_table) if its.any()}
        spread = {title: its.apply(spread_of) for title, its in parts.items()}
        shown = pd.DataFrame(spread).T.drop(columns=DEFAULT)
        lines.append(
            f"{figure}: seconds over those of {DEFAULT}, the median over tables, "
            f"(least..most)\n\n{runner.show(shown)}"
        )
    return "\n\n".join(lines)


def groups(of_table):
    """Yield a title, and whether each (k, table) is among them."""
    k, kind, n = of_table.index.get_level_values("k"), of_table["kind"], of_table["n"]
    is_between = n.between(*BETWEEN)
    for one in dict.fromkeys(k):
        yield f"k={one}, all {sum(k == one)}", k == one
        few, many = (f"{rows:,}" for rows in BETWEEN)
        its = (k == one) & is_between
        yield f"k={one}, {few} to {many} rows, {its.sum()}", its
        for name in dict.fromkeys(kind):
            its = (k == one) & (kind == name)
            yield f"k={one}, {name}, {its.sum()}", its


def spread_of(values):
    values = values.dropna()
    return runner.spread(values, ".2f") if len(values) else ""


def add_options(parser):
    parser.add_argument("--before", type=Path, help="folder of another checkout")


BENCHMARK = runner.Benchmark(
    name="fit",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=(*NUMERIC, *INCOMPLETE, *MIXED),
    more_tables=INCOMPLETE,
    methods=(*OURS, *rivals.RIVALS["fit"]),
    needs=rivals.needs("fit"),
    k=(2, 8),
    seeds=2,
    rows=60_000,
    workers=1,
    threads=0,
    in_turns=True,
    add_options=add_options,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
