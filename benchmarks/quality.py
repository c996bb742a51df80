"""Are the defaults better than PCA, factor analysis and UMAP, on held-out rows?

``python benchmarks/quality.py`` runs every table and writes the figures to
``benchmarks/results/quality.txt`` (about an hour on two cores); with any option it only
prints them, unless ``--output`` names a file.
"""

import judges
import numpy as np
import rivals
import runner
import tables

UMAP_INVERSE_MAX_ROWS = 2_000  # of the table
UMAP_INVERSE_TEST_ROWS = 100

ABOUT = f"""\
Held-out quality at the defaults.

Defaults were chosen looking at one half of the tables; no decision was taken on the
other. Each table is split 80/20 once per seed; every column is standardised by the
training rows, and each method sees the same rows. "skvae" is
VAETransformer(n_components=k, random_state=seed), "diag" the same with noise="diag";
"PCA", "FA" (FactorAnalysis) and "UMAP" get k and the seed and nothing else. A
method's figure is its median over the seeds. A difference is taken seed by seed: its
median, then (smallest..largest).
A star marks a k cut to one less than the table's columns.
Columns constant in the training rows have no unit; they are only centred, or left out
by --drop-constant.

R2    1 - squared residuals of inverse_transform(transform(X_test)) / squared deviations
      from the training mean, over all entries. FA: transform(X) @ components_ + mean_.
      UMAP: k=2 and tables under {UMAP_INVERSE_MAX_ROWS:,} rows only, \
{UMAP_INVERSE_TEST_ROWS} test rows each.
nats  log-likelihood per row of the standardised table: score. FA's noise is floored at
      {rivals.NOISE_FLOOR:g} of a column's variance; PCA's is taken as it is. UMAP has \
none.
10-NN accuracy (or R2, where the target is a number) of 10 nearest neighbours in the
      training rows' embedding. Blank where a table has no target.
time  seconds of fit, and of transform per 1,000 rows (the test rows, in one call).

As many jobs run at a time as there are cores, each on one thread; UMAP after toys for
numba to compile."""

# figure -> title, (ours, theirs) pairs, and the difference that counts as a tie
FIGURES = {
    "r2": ("R2", (("skvae", "PCA"), ("diag", "FA")), 0.005),
    "nats": ("nats", (("skvae", "PCA"), ("diag", "FA")), 0.1),
    "knn": ("10-NN", (("skvae", "PCA"), ("skvae", "UMAP")), 0.005),
}
OURS = {"skvae": {}, "diag": {"noise": "diag"}}


# The measure


def measure(job):
    table = tables.load(job.table, job.args.rows)
    n, d = table.X.shape
    if job.repeats(d):
        return None
    split = tables.split(table, job.seed, drop_constant=job.args.drop_constant)
    model = make(job, d, n)
    fit, _ = runner.seconds_of(model.fit, split.X_train)
    transform, Z_test = runner.seconds_of(model.transform, split.X_test)
    figures = {
        "n": n,
        "d": d,
        "used": job.n_components(d),
        "fit": fit,
        "transform": transform / len(Z_test) * 1000,
        "r2": r2(job, model, split.X_test, Z_test, n),
        "nats": model.score(split.X_test) if hasattr(model, "score") else np.nan,
    }
    if table.task is not None:
        figures["knn"] = judges.neighbors_score(
            model.transform(split.X_train),
            split.y_train,
            Z_test,
            split.y_test,
            table.task == "classification",
        )
    return figures


def make(job, d, n):
    if job.method in OURS:
        return job.vae(d, **OURS[job.method])
    if job.method == "UMAP":
        rivals.warm_up_umap(n)
    make = rivals.make("embed", job.method)
    return make(n_components=job.n_components(d), random_state=job.seed)


def r2(job, model, X, Z, n_rows):
    if job.method == "UMAP":
        if Z.shape[1] != 2 or n_rows >= UMAP_INVERSE_MAX_ROWS:
            return np.nan
        X, Z = X[:UMAP_INVERSE_TEST_ROWS], Z[:UMAP_INVERSE_TEST_ROWS]
    return judges.r2_of_entries(X, model.inverse_transform(Z))


# The report


def report(runs, args):
    runs = runs.reindex(columns=[*dict.fromkeys([*runs, *FIGURES])])
    parts = []
    for title, its in runner.by_half(runs):
        differences = all_differences(its, args.methods)
        parts += [f"{title}\n{'=' * len(title)}"]
        parts += [bars(its, differences), summary(differences)]
    differences = all_differences(runs, args.methods)
    parts += [section(figure, runs, args.methods, differences) for figure in FIGURES]
    return [*parts, times(runs, args.methods)]


def all_differences(runs, methods):
    return {
        (figure, pair): difference(runs, figure, pair)
        for figure, (_, pairs, _) in FIGURES.items()
        for pair in pairs
        if set(pair) <= set(methods) & set(runs["method"])
    }


def difference(runs, figure, pair):
    """Ours minus theirs per table and k: median, range, standard error over seeds."""
    wide = runs.pivot(index=["table", "k", "seed"], columns="method", values=figure)
    gap = (wide[pair[0]] - wide[pair[1]]).dropna()
    return gap.groupby(level=["table", "k"]).agg(["median", "min", "max", "sem"])


def bars(runs, differences):
    """What is promised of the defaults, passed or not."""
    rows = [("bar, held-out rows, defaults", "figure", "wanted", "")]
    rows += [row for bar in PAIRED_BARS for row in paired_bars(differences, *bar)]
    rows += neighbor_bars(differences)
    for k, figure, sign, bar in DIGITS_BARS:
        mine = runs.query("table == 'digits' and k == @k and method == 'skvae'")
        if len(mine):
            what = f"digits k={k}: " + ("R2" if figure == "r2" else "seconds of fit")
            rows.append(verdict(what, mine[figure].median(), sign, bar))
    return "BARS\n" + aligned(rows, "lrrl")


# figure, pair, the least difference of a table and that of the median one
PAIRED_BARS = [
    ("r2", ("skvae", "PCA"), -0.002, 0.08),
    ("nats", ("skvae", "PCA"), 0.0, 3.0),
    ("nats", ("diag", "FA"), 0.0, 3.0),
]
DIGITS_BARS = [
    (2, "r2", ">=", 0.58),
    (8, "r2", ">=", 0.83),
    (2, "fit", "<", 4.0),
    (8, "fit", "<", 4.0),
]


def paired_bars(differences, figure, pair, least, typical):
    gaps = differences.get((figure, pair), ())
    if not len(gaps):
        return []
    what = f"{FIGURES[figure][0]}, {' minus '.join(pair)}: "
    worst, note = gaps["median"], ""
    if figure == "nats":  # as far as the splits tell
        worst, note = worst + 2 * gaps["sem"].fillna(0), " plus 2 std. errors"
    where = "{} k={}".format(*worst.idxmin())
    return [
        verdict(f"{what}worst{note}, {where}", worst.min(), ">=", least),
        verdict(f"{what}median", gaps["median"].median(), ">=", typical),
    ]


def neighbor_bars(differences):
    rows = []
    for peer in "PCA", "UMAP":
        if ("knn", ("skvae", peer)) not in differences:
            continue
        gaps = differences["knn", ("skvae", peer)].query("k == 8")["median"]
        if len(gaps) and peer == "PCA":
            what, share = "share of tables at least PCA's", gaps >= -FIGURES["knn"][2]
            rows.append(verdict(f"10-NN, k=8: {what}", share.mean(), ">=", 0.8))
        elif len(gaps):
            what = "10-NN, k=8, skvae minus UMAP: median"
            rows.append(verdict(what, gaps.median(), ">=", 0.0))
    return rows


def verdict(what, figure, sign, bar):
    passed = figure >= bar if sign == ">=" else figure < bar
    return what, f"{figure:.3f}", f"{sign} {bar:g}", "pass" if passed else "FAIL"


def summary(differences):
    rows = [("difference", "k", "worst", "", "median", "best", "", "wins/ties/losses")]
    for (figure, pair), gaps in differences.items():
        title, _, tie = FIGURES[figure]
        for k, gap in gaps["median"].groupby(level="k"):
            if gap.empty:
                continue
            wins, losses = (gap > tie).sum(), (gap < -tie).sum()
            rows.append(
                (
                    f"{title}, {' minus '.join(pair)}",
                    f"{k}",
                    signed(gap.min(), figure),
                    gap.idxmin()[0],
                    signed(gap.median(), figure),
                    signed(gap.max(), figure),
                    gap.idxmax()[0],
                    f"{wins}/{len(gap) - wins - losses}/{losses}",
                )
            )
    ties = ", ".join(f"{title} {tie:g}" for title, _, tie in FIGURES.values())
    return f"SUMMARY over the tables (a tie: within {ties})\n" + aligned(
        rows, "lrrlrrlr"
    )


def section(figure, runs, methods, differences):
    """One figure's table: the methods' medians, then the differences' spreads."""
    title, pairs, _ = FIGURES[figure]
    pairs = [pair for pair in pairs if (figure, pair) in differences]
    medians = median_table(runs, figure)
    methods = [method for method in methods if medians[method].notna().any()]
    rows = [("table", "k", *methods)]
    rows[0] += tuple(f"{ours}-{theirs}" for ours, theirs in pairs)
    for (table, asked), figures in medians.iterrows():
        row = [table, label(runs, table, asked)]
        row += [number(figures[method], figure) for method in methods]
        for pair in pairs:
            gaps = differences[figure, pair]
            found = (table, asked) in gaps.index
            row.append(spread(gaps.loc[(table, asked)], figure) if found else "")
        rows.append(row)
    sides = "lr" + "r" * len(methods) + "l" * len(pairs)
    return f"{title}\n" + aligned(rows, sides, gap=1)


def times(runs, methods):
    rows = [["table", "rows", "cols", "k", *methods, "", *methods]]
    fit, transform = median_table(runs, "fit"), median_table(runs, "transform")
    shapes = runs.drop_duplicates("table").set_index("table")
    for key in fit.index:
        n, d = shapes.loc[key[0], ["n", "d"]]
        row = [key[0], f"{n:,.0f}", f"{d:.0f}", label(runs, *key)]
        row += [seconds(fit.loc[key, method]) for method in methods] + ["|"]
        row += [seconds(transform.loc[key, method]) for method in methods]
        rows.append(row)
    title = "TIME: seconds of fit | seconds of transform per 1,000 rows\n"
    return title + aligned(rows, "l" + "r" * (len(rows[0]) - 1), gap=1)


def median_table(runs, figure):
    """Medians over the seeds, one row per table and k, one column per method."""
    medians = runs.groupby(["table", "k", "method"], sort=False)[figure].median()
    order = runs[["table", "k"]].drop_duplicates()
    return medians.unstack("method").loc[list(order.itertuples(index=False, name=None))]


def label(runs, table, asked):
    """The k used, with a star where it is not the k asked for."""
    used = runs.query("table == @table and k == @asked")["used"].iloc[0]
    return f"{used:.0f}" if used == asked else f"{used:.0f}*"


def number(value, figure):
    if np.isnan(value):
        return ""
    if figure != "nats":
        return f"{value:.3f}"
    form = ".2f" if abs(value) < 1e3 else ".0f" if abs(value) < 1e5 else ".1e"
    return f"{value:{form}}"


def signed(value, figure):
    text = number(value, figure)
    return text if text.startswith("-") else "+" + text


def spread(gap, figure):
    low, high = number(gap["min"], figure), number(gap["max"], figure)
    return f"{signed(gap['median'], figure)} ({low}..{high})"


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


def add_options(parser):
    parser.add_argument(
        "--drop-constant",
        action="store_true",
        help="leave out the columns that are constant in the training rows",
    )


BENCHMARK = runner.Benchmark(
    name="quality",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=tables.NAMES,
    methods=(*OURS, *rivals.RIVALS["embed"]),
    needs=rivals.needs("embed"),
    k=(2, 8),
    seeds=3,
    rows=tables.MAX_ROWS,
    add_options=add_options,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
