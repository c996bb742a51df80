"""skvae's defaults against PCA, factor analysis and UMAP, on held-out rows.

``python benchmarks/quality.py`` runs every table and writes the figures to
``benchmarks/results/quality.txt``; with any option it only prints them, unless
``--output`` names a file. The printed header says what is measured and how.
"""

import argparse
import copy
import importlib.metadata
import platform
import sys
import textwrap
import time
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler
from tables import MAX_ROWS, NAMES, load
from threadpoolctl import threadpool_limits

import skvae
from skvae import VAETransformer

OUTPUT = Path(__file__).parent / "results" / "quality.txt"
NOISE_FLOOR = 1e-4  # of a column's variance, which is 1 here
UMAP_INVERSE_MAX_ROWS = 2_000  # of the table
UMAP_INVERSE_TEST_ROWS = 100
WIDTH = 98

HEADER = """\
Held-out quality at the defaults.

Defaults were chosen looking at one half of the tables; no decision was taken on the
other. Each table is split 80/20 once per seed; every column is standardised by the
training rows, and each method sees the same rows. "skvae" is
VAETransformer(n_components=k, random_state=seed), "diag" the same with noise="diag";
"PCA", "FA" (FactorAnalysis) and "UMAP" get k and the seed and nothing else. A
method's figure is its median over the seeds. A difference is taken seed by seed: its
median, then (smallest..largest).
A star marks a k cut to one less than the table's columns.
Columns constant in the training rows have no unit; they are {constant}.

R2    1 - squared residuals of inverse_transform(transform(X_test)) / squared deviations
      from the training mean, over all entries. FA: transform(X) @ components_ + mean_.
      UMAP: k=2 and tables under {table_rows:,} rows only, {test_rows} test rows each.
nats  log-likelihood per row of the standardised table: score. FA's noise is floored at
      {floor:g} of a column's variance; PCA's is taken as it is. UMAP has none.
10-NN accuracy (or R2, where the target is a number) of 10 nearest neighbours in the
      training rows' embedding. Blank where a table has no target.
time  seconds of fit, and of transform per 1,000 rows (the test rows, in one call).

Tables are cut to {rows:,} random rows. As many tables run at a time as there are cores,
each on one thread; UMAP after toys for numba to compile."""

# metric -> title, (ours, theirs) pairs, and the difference that counts as a tie
METRICS = {
    "r2": ("R2", (("skvae", "PCA"), ("diag", "FA")), 0.005),
    "nats": ("nats", (("skvae", "PCA"), ("diag", "FA")), 0.1),
    "knn": ("10-NN", (("skvae", "PCA"), ("skvae", "UMAP")), 0.005),
}

FIGURES = (*METRICS, "fit", "transform")


def main():
    parser = argument_parser()
    args = parser.parse_args()
    if args.output is None and args == parser.parse_args([]):
        args.output = OUTPUT
    methods = [m for m in MODELS if m != "UMAP" or args.umap]
    runs, warned, failed = run_all(args, methods)
    text = report(runs, warned, failed, methods, args)
    print(text)
    if args.output is not None:
        write_whole(args.output, text + "\n")


def argument_parser():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--tables", type=table_names, default=NAMES, help="names separated by commas"
    )
    parser.add_argument("--k", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--seeds", type=int, default=5, help="how many splits")
    parser.add_argument("--no-umap", dest="umap", action="store_false")
    parser.add_argument(
        "--drop-constant",
        action="store_true",
        help="leave out the columns that are constant in the training rows",
    )
    parser.add_argument("--output", type=Path, help="file to write the report to")
    return parser


def table_names(text):
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"no table {', '.join(unknown)}; choose from {', '.join(NAMES)}"
        )
    return names


# The methods: how each is made, rebuilds rows and scores them.


def _umap(**options):
    from umap import UMAP  # 2 s, and --no-umap does without the package

    return UMAP(**options)


MODELS = {
    "skvae": VAETransformer,
    "diag": lambda **options: VAETransformer(noise="diag", **options),
    "PCA": PCA,
    "FA": FactorAnalysis,
    "UMAP": _umap,
}


def warm_up_umap():
    """Let numba compile before anything is timed."""
    for n in 200, 4_200:  # from 4,096 rows on, UMAP searches neighbours otherwise
        X = np.random.default_rng(0).normal(size=(n, 5))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _umap(random_state=0).fit(X).transform(X[:20] + 0.1)


def reconstruction(model, Z):
    if isinstance(model, FactorAnalysis):
        return Z @ model.components_ + model.mean_
    return model.inverse_transform(Z)


def log_likelihood(model, X):
    if isinstance(model, FactorAnalysis):
        model = copy.copy(model)
        model.noise_variance_ = np.maximum(model.noise_variance_, NOISE_FLOOR)
    return model.score(X) if hasattr(model, "score") else np.nan


# The runs


@dataclass(frozen=True)
class Split:
    """A table's standardised halves."""

    X_train: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray
    task: str | None

    @classmethod
    def of(cls, table, seed, drop_constant):
        y = np.zeros(len(table.X)) if table.y is None else table.y
        X_train, X_test, y_train, y_test = train_test_split(
            table.X, y, test_size=0.2, random_state=seed
        )
        if drop_constant:
            varies = np.ptp(X_train, axis=0) > 0
            X_train, X_test = X_train[:, varies], X_test[:, varies]
        scaler = StandardScaler().fit(X_train)
        X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
        return cls(X_train, X_test, y_train, y_test, table.task)


def run_all(args, methods):
    """Return one row per run, a count of warnings, and the runs that failed."""
    start = time.perf_counter()
    jobs = (joblib.delayed(run_table)(name, args, methods) for name in args.tables)
    parallel = joblib.Parallel(joblib.cpu_count(), return_as="generator", batch_size=1)
    runs, warned, failed = [], Counter(), []
    for i, (name, found) in enumerate(zip(args.tables, parallel(jobs), strict=True), 1):
        runs += found[0]
        warned += found[1]
        failed += found[2]
        seconds = time.perf_counter() - start
        progress = f"{seconds:5.0f} s, {i}/{len(args.tables)} tables, up to {name}"
        print(progress, file=sys.stderr, flush=True)
    return pd.DataFrame(runs), warned, failed


def run_table(name, args, methods):
    """Run every method on every split of a table, on one thread."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        if "UMAP" in methods:
            warm_up_umap()
        table = load(name)
        n, d = table.X.shape
        runs, warned, failed = [], Counter(), []
        for seed in range(args.seeds):
            split = Split.of(table, seed, args.drop_constant)
            for asked, k in effective_ks(args.k, d).items():
                for method in methods:
                    run = {"table": name, "n": n, "d": d, "asked": asked, "k": k}
                    run |= {"seed": seed, "method": method}
                    run |= {"half": table.half}
                    run |= dict.fromkeys(FIGURES, np.nan)
                    try:
                        run |= measure(method, split, k, seed, warned)
                    except Exception as error:
                        failed.append(run | {"error": repr(error)})
                    runs.append(run)
    return runs, warned, failed


def effective_ks(ks, n_features):
    """Map each k asked for to the k used, at most one below the columns."""
    used = {}
    for k in ks:
        if min(k, n_features - 1) not in used.values():
            used[k] = min(k, n_features - 1)
    return used


def measure(method, split, k, seed, warned):
    """Fit one method on one split and return its figures."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = MODELS[method](n_components=k, random_state=seed)
        start = time.perf_counter()
        model.fit(split.X_train)
        fitted = time.perf_counter()
        Z_test = model.transform(split.X_test)
        transformed = time.perf_counter()
        figures = {
            "fit": fitted - start,
            "transform": (transformed - fitted) / len(Z_test) * 1000,
            "r2": r2(model, split, Z_test),
            "nats": log_likelihood(model, split.X_test),
            "knn": knn(model.transform(split.X_train), Z_test, split),
        }
    warned.update((method, warning.category.__name__) for warning in caught)
    return figures


def r2(model, split, Z):
    X = split.X_test
    if type(model).__name__ == "UMAP":
        if Z.shape[1] != 2 or len(X) + len(split.X_train) >= UMAP_INVERSE_MAX_ROWS:
            return np.nan
        X, Z = X[:UMAP_INVERSE_TEST_ROWS], Z[:UMAP_INVERSE_TEST_ROWS]
    residual = X - reconstruction(model, Z)
    return 1 - (residual**2).sum() / (X**2).sum()  # the training mean is 0


def knn(Z_train, Z_test, split):
    if split.task is None:
        return np.nan
    classes = split.task == "classification"
    model = KNeighborsClassifier(10) if classes else KNeighborsRegressor(10)
    return model.fit(Z_train, split.y_train).score(Z_test, split.y_test)


# The report


def report(runs, warned, failed, methods, args):
    parts = [header(args), machine(args)]
    for half, its_runs in runs.groupby("half", sort=False):
        differences = all_differences(its_runs, methods)
        title = f"{half.upper()}, {its_runs['table'].nunique()} tables"
        parts += [f"{title}\n{'=' * len(title)}"]
        its_failed = [run for run in failed if run["half"] == half]
        parts += [bars(its_runs, differences, its_failed), summary(differences)]
    differences = all_differences(runs, methods)
    parts += [section(metric, runs, methods, differences) for metric in METRICS]
    parts += [times(runs, methods), incidents(warned, failed)]
    return "\n\n\n".join(parts)


def all_differences(runs, methods):
    return {
        (metric, pair): difference(runs, metric, pair)
        for metric, (_, pairs, _) in METRICS.items()
        for pair in pairs
        if set(pair) <= set(methods)
    }


def header(args):
    return HEADER.format(
        constant="left out" if args.drop_constant else "kept, only centred",
        floor=NOISE_FLOOR,
        table_rows=UMAP_INVERSE_MAX_ROWS,
        test_rows=UMAP_INVERSE_TEST_ROWS,
        rows=MAX_ROWS,
    )


def machine(args):
    packages = ["torch", "scikit-learn", "numpy"] + ["umap-learn"] * args.umap
    versions = [f"{p} {importlib.metadata.version(p)}" for p in packages]
    return "\n".join(
        [
            ", ".join([f"skvae {skvae.__version__}", *versions]),
            f"python {platform.python_version()}, {platform.system()} "
            f"{platform.machine()}, {joblib.cpu_count()} cores",
            f"{len(args.tables)} tables, k = {' and '.join(map(str, args.k))}, "
            f"seeds: {args.seeds}" + ("" if args.umap else ", without UMAP"),
        ]
    )


def difference(runs, metric, pair):
    """Ours minus theirs per table and k: median, range, standard error over seeds."""
    wide = runs.pivot(index=["table", "asked", "seed"], columns="method", values=metric)
    gap = (wide[pair[0]] - wide[pair[1]]).dropna()
    by_table = gap.groupby(level=["table", "asked"])
    return by_table.agg(["median", "min", "max", "sem"])


def bars(runs, differences, failed):
    """What is promised of the defaults, passed or not."""
    rows = [("bar, held-out rows, defaults", "figure", "wanted", "")]

    for metric, pair, least, typical in [
        ("r2", ("skvae", "PCA"), -0.002, 0.08),
        ("nats", ("skvae", "PCA"), 0.0, 3.0),
        ("nats", ("diag", "FA"), 0.0, 3.0),
    ]:
        gaps = differences[metric, pair]
        what = f"{METRICS[metric][0]}, {' minus '.join(pair)}: "
        figure, note = gaps["median"], ""
        if metric == "nats":  # as far as the splits tell
            figure, note = figure + 2 * gaps["sem"].fillna(0), " plus 2 std. errors"
        worst = "{} k={}".format(*figure.idxmin()) if len(gaps) else "none"
        rows.append(verdict(f"{what}worst{note}, {worst}", figure.min(), ">=", least))
        typically = gaps["median"].median()
        rows.append(verdict(f"{what}median", typically, ">=", typical))
    _, _, tie = METRICS["knn"]
    gaps = differences["knn", ("skvae", "PCA")].query("asked == 8")["median"]
    if len(gaps):
        share = (gaps >= -tie).mean()
        what = "10-NN, k=8: share of tables at least PCA's"
        rows.append(verdict(what, share, ">=", 0.8))
    if ("knn", ("skvae", "UMAP")) in differences:
        gaps = differences["knn", ("skvae", "UMAP")].query("asked == 8")["median"]
        what = "10-NN, k=8, skvae minus UMAP: median"
        rows.append(verdict(what, gaps.median(), ">=", 0.0))
    for k, metric, sign, bar in [
        (2, "r2", ">=", 0.58),
        (8, "r2", ">=", 0.83),
        (2, "fit", "<", 4.0),
        (8, "fit", "<", 4.0),
    ]:
        mine = runs.query("table == 'digits' and asked == @k and method == 'skvae'")
        if len(mine):
            what = f"digits k={k}: " + ("R2" if metric == "r2" else "seconds of fit")
            rows.append(verdict(what, mine[metric].median(), sign, bar))
    ours = sum(run["method"] in ("skvae", "diag") for run in failed)
    passed = "FAIL" if ours else "pass"
    rows.append(("runs of ours that failed", f"{ours}", "0", passed))
    return "BARS\n" + aligned(rows, "lrrl")


def verdict(what, figure, sign, bar):
    passed = figure >= bar if sign == ">=" else figure < bar
    return what, f"{figure:.3f}", f"{sign} {bar:g}", "pass" if passed else "FAIL"


def summary(differences):
    rows = [
        ("difference", "k", "worst", "", "median", "best", "", "wins/ties/losses"),
    ]
    for (metric, pair), gaps in differences.items():
        title, _, tie = METRICS[metric]
        for k, gap in gaps["median"].groupby(level="asked"):
            if gap.empty:
                continue
            wins, losses = (gap > tie).sum(), (gap < -tie).sum()
            rows.append(
                (
                    f"{title}, {' minus '.join(pair)}",
                    f"{k}",
                    signed(gap.min(), metric),
                    gap.idxmin()[0],
                    signed(gap.median(), metric),
                    signed(gap.max(), metric),
                    gap.idxmax()[0],
                    f"{wins}/{len(gap) - wins - losses}/{losses}",
                )
            )
    ties = ", ".join(f"{title} {tie:g}" for title, _, tie in METRICS.values())
    return f"SUMMARY over the tables (a tie: within {ties})\n" + aligned(
        rows, "lrrlrrlr"
    )


def section(metric, runs, methods, differences):
    """One metric's table: the methods' medians, then the differences' spreads."""
    title, pairs, _ = METRICS[metric]
    pairs = [pair for pair in pairs if (metric, pair) in differences]
    medians = median_table(runs, metric)
    methods = [method for method in methods if medians[method].notna().any()]
    rows = [("table", "k", *methods)]
    rows[0] += tuple(f"{ours}-{theirs}" for ours, theirs in pairs)
    for (table, asked), figures in medians.iterrows():
        row = [table, label(runs, table, asked)]
        row += [number(figures[method], metric) for method in methods]
        for pair in pairs:
            gaps = differences[metric, pair]
            found = (table, asked) in gaps.index
            row.append(spread(gaps.loc[(table, asked)], metric) if found else "")
        rows.append(row)
    sides = "lr" + "r" * len(methods) + "l" * len(pairs)
    return f"{title}\n" + aligned(rows, sides, gap=1)


def times(runs, methods):
    rows = [["table", "rows", "cols", "k", *methods, "", *methods]]
    fit, transform = median_table(runs, "fit"), median_table(runs, "transform")
    shapes = runs.drop_duplicates("table").set_index("table")
    for key in fit.index:
        n, d = shapes.loc[key[0], ["n", "d"]]
        row = [key[0], f"{n:,}", f"{d}", label(runs, *key)]
        row += [seconds(fit.loc[key, method]) for method in methods] + ["|"]
        row += [seconds(transform.loc[key, method]) for method in methods]
        rows.append(row)
    title = "TIME: seconds of fit | seconds of transform per 1,000 rows\n"
    return title + aligned(rows, "l" + "r" * (len(rows[0]) - 1), gap=1)


def incidents(warned, failed):
    lines = ["WARNINGS, counted and not shown"]
    lines += [f"{m}: {count} {what}" for (m, what), count in sorted(warned.items())]
    lines += [] if warned else ["none"]
    lines += ["", "FAILED RUNS"]
    for run in failed:
        lines.append(
            f"{run['method']} on {run['table']} k={run['k']} seed {run['seed']}: "
            f"{run['error']}"
        )
    lines += [] if failed else ["none"]
    return "\n".join(textwrap.shorten(line, WIDTH) if line else "" for line in lines)


def median_table(runs, metric):
    """Medians over the seeds, one row per table and k, one column per method."""
    medians = runs.groupby(["table", "asked", "method"], sort=False)[metric].median()
    order = runs[["table", "asked"]].drop_duplicates()
    return medians.unstack("method").loc[list(order.itertuples(index=False, name=None))]


def label(runs, table, asked):
    """The k used, with a star where it is not the k asked for."""
    used = runs.query("table == @table and asked == @asked")["k"].iloc[0]
    return f"{used}" if used == asked else f"{used}*"


def number(value, metric):
    if np.isnan(value):
        return ""
    if metric != "nats":
        return f"{value:.3f}"
    form = ".2f" if abs(value) < 1e3 else ".0f" if abs(value) < 1e5 else ".1e"
    return f"{value:{form}}"


def signed(value, metric):
    text = number(value, metric)
    return text if text.startswith("-") else "+" + text


def spread(gap, metric):
    low, high = number(gap["min"], metric), number(gap["max"], metric)
    return f"{signed(gap['median'], metric)} ({low}..{high})"


def seconds(value):
    if np.isnan(value):
        return ""
    return f"{value:.3f}" if value < 1 else f"{value:.1f}"


def aligned(rows, sides, gap=2):
    """Columns padded to equal width; 'l' and 'r' say which side holds the text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if side == "l" else cell.rjust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        ]
        lines.append((" " * gap).join(cells).rstrip())
    return "\n".join(lines)


def write_whole(path, text):
    """Write next to the file, then rename: a reader never sees half a report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


if __name__ == "__main__":
    main()
