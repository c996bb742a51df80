"""How long is a whole default fit, beside those of PCA, UMAP and other VAEs?

``python benchmarks/fit.py`` runs what is installed and writes the seconds to
``benchmarks/results/fit.txt``; with any option it only prints them, unless ``--output``
names a file. The others need ``pip install umap-learn skorch pyod pythae``.
"""

import judges
import numpy as np
import pandas as pd
import rivals
import runner
import tables
from sklearn.model_selection import GridSearchCV

SHORTER = 1, 2, 5, 10, 20, 50  # epochs
PARTS = "fits", "two"
TABLES = "digits", "diamonds", "randhie", "shuttle", "caravan", "mnist"

ABOUT = f"""\
Seconds of a fit at each library's defaults, on all threads: the median of rounds in
which the methods take turns, one round for each seed, (smallest..largest). 80 % of the
rows train, standardised; R2 is of the rows held out, rebuilt from their embedding.
Imports and first calls are left out: each fits a toy first. "times" is a method's
seconds over skvae's, round by round; "to its R2", over those of the shortest of skvae's
fits that is as good on the same rows: the closed form, max_iter={SHORTER},
or the default. A rival that none of them reaches is marked by 0.

pca       scikit-learn's PCA
umap      UMAP; its toy waits for numba to compile; R2 left out
seeded    umap with a random_state: reproducible, as skvae is, and so on one thread
notebook  the usual nn.Module, DataLoader and Adam, {rivals.EPOCHS} epochs in batches \
of 128
skorch    the same module under skorch.NeuralNet with Adam, its 10 epochs
pyod      pyod.models.vae.VAE, 30 epochs in batches of 32
pythae    pythae's VAE and BaseTrainer, {rivals.EPOCHS} epochs in batches of 64, on \
columns
          scaled to [0, 1], as its decoder ends in a sigmoid"""


def measure(job):
    """Return a record for each method, which take turns; or one of two fits at once."""
    table = tables.load(job.table, job.args.rows)
    if job.case["part"] == "two":
        if job.table != job.args.tables[0]:
            return None
        return {"method": "skvae", "two over one": two_beside_one(job, table.X)}
    split = tables.split(table, job.seed)
    warm_up(job)
    records = [turn(job, method, split) for method in job.args.methods]
    for record in records:
        if record["method"] != "skvae" and "R2" in record:
            ours = seconds_to_reach(job, record["R2"], split)
            record["to its R2"] = record["seconds"] / ours if ours else 0.0
    return records


def warm_up(job):
    """Let imports and first calls pass before anything is timed."""
    toy = np.random.default_rng(0).normal(size=(100, 5))
    for method in job.args.methods:
        if method not in WARM:
            fit(job, method, toy)
            WARM.add(method)


WARM = set()  # in this process


def turn(job, method, split):
    seconds, rebuild = runner.seconds_of(fit, job, method, split.X_train)
    n, d = split.X_train.shape
    record = {"method": method, "n": n, "d": d, "seconds": seconds}
    return record | ({"R2": r2(rebuild, split.X_test)} if rebuild else {})


def fit(job, method, X, **options):
    """Fit and return a function that rebuilds rows, or None."""
    if method != "skvae":
        make = rivals.make("rebuild", method)
        return make(X, job.n_components(X.shape[1]), job.seed)
    vae = job.vae(X.shape[1], **options).fit(X)
    return lambda X: vae.inverse_transform(vae.transform(X))


def seconds_to_reach(job, r2_of_rival, split):
    """Return the seconds of the shortest fit that is as good, or None."""
    for options in [
        {"hidden_layer_sizes": ()},
        *({"max_iter": m} for m in SHORTER),
        {},
    ]:
        seconds, rebuild = runner.seconds_of(
            fit, job, "skvae", split.X_train, **options
        )
        if r2(rebuild, split.X_test) >= r2_of_rival:
            return seconds
    return None


def r2(rebuild, X):
    return judges.r2_of_entries(X, rebuild(X))


def two_beside_one(job, X):
    """Return the seconds of two fits in two processes over those of one in one."""
    everything = np.arange(len(X))
    one, two = (
        GridSearchCV(
            job.vae(X.shape[1]),
            {"random_state": [job.seed] * n_fits},
            cv=[(everything, everything)],
            refit=False,
            n_jobs=n_fits,
        )
        for n_fits in (1, 2)
    )
    two.fit(X)  # starts the processes
    alone, _ = runner.seconds_of(one.fit, X)
    together, _ = runner.seconds_of(two.fit, X)
    return together / alone


# The report


def report(runs, args):
    runs = runs.reindex(columns=[*dict.fromkeys([*runs, *FIGURES, "two over one"])])
    fits, two = runs[runs["part"] == "fits"], runs["two over one"].dropna()
    parts, found = [], {}
    for table, its in fits.groupby("table", sort=False):
        n, d = its[["n", "d"]].iloc[0].astype(int)
        found[table] = with_ratios(its)
        lines = [line(m, found[table]) for m in args.methods if m in set(its["method"])]
        parts.append("\n".join([f"{table}: {n:,} rows, {d} columns", *lines]))
    if found:
        parts.append(over_tables(found, args))
    if len(two):
        ratio = runner.spread(two, ".2f")
        what = "two fits under GridSearchCV(n_jobs=2) over one"
        parts.append(f"skvae, {what}: {ratio} times")
    return parts


FIGURES = "seconds", "times", "R2", "to its R2"


def with_ratios(runs):
    """Return a table's figures by method and seed, ratios of seconds among them."""
    wide = runs.pivot(
        index="seed", columns="method", values=["seconds", "R2", "to its R2"]
    )
    if "skvae" in wide["seconds"]:
        times = wide["seconds"].div(wide["seconds"]["skvae"], axis=0)
        wide = wide.join(pd.concat({"times": times}, axis=1))
    return wide


def line(method, found):
    text = f"{method:>10}"
    for figure, form, width, unit in FORMS:
        if (figure, method) in found and found[figure, method].notna().any():
            text += f"{runner.spread(found[figure, method], form):>{width}} {unit}"
    return text


FORMS = [
    ("seconds", ".2f", 24, "s"),
    ("times", ".2f", 23, "times"),
    ("R2", ".3f", 24, "R2"),
    ("to its R2", ".1f", 26, "times to its R2"),
]


def over_tables(found, args):
    """Lines of medians of the tables' medians."""
    medians = pd.DataFrame({table: its.median() for table, its in found.items()})
    lines = ["median over tables:"]
    for method in args.methods:
        text = f"{method:>10}"
        for figure, form, width, unit in FORMS[1::2]:
            if (figure, method) in medians.index:
                values = medians.loc[(figure, method)].replace(0, np.nan).dropna()
                if len(values):
                    text += f"{runner.spread(values, form):>{width}} {unit}"
        lines.append(text)
    return "\n".join(lines)


def add_options(parser):
    parser.add_argument("--parts", type=runner.names_of(PARTS), default=PARTS)


BENCHMARK = runner.Benchmark(
    name="fit",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=TABLES,
    methods=("skvae", *rivals.RIVALS["rebuild"]),
    needs=rivals.needs("rebuild"),
    k=(2,),
    seeds=3,
    rows=10_000,
    workers=1,
    threads=0,
    in_turns=True,
    add_options=add_options,
    cases=lambda args: [{"part": part} for part in args.parts],
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
