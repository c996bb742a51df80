"""How do fit and transform grow with rows, columns and categories, beside UMAP and PCA?

``python benchmarks/scale.py`` runs every size, each in a process of its own, and writes
the figures, with the fitted exponents of growth, to ``benchmarks/results/scale.txt``;
with any option it only prints them, unless ``--output`` names a file. ``--tables
1000x50,3000x50`` runs other sizes (rows x columns, or rows x columns x categories of
one more column), ``--figure FILE.png`` draws the growth. UMAP needs ``pip install
umap-learn``.
"""

import resource
import sys
from typing import NamedTuple

import numpy as np
import pandas as pd
import rivals
import runner
from sklearn.decomposition import PCA

COLUMNS = 50  # while the rows vary
ROWS_WIDE = 3_000  # while the columns vary
ROWS_WITH_CATEGORIES, OTHER_COLUMNS = 20_000, 9  # while the categories vary
SIZES = (
    *(f"{n}x{COLUMNS}" for m in (1, 10, 100, 1_000) for n in (1_000 * m, 3_000 * m)),
    f"10000000x{COLUMNS}",
    *(f"{ROWS_WIDE}x{d}" for d in (10, 30, 100, 300, 1_000, 3_000, 10_000)),
    *(f"{ROWS_WITH_CATEGORIES}x{OTHER_COLUMNS}x{c}" for c in (10, 100, 1_000, 10_000)),
)
MOST_NEW = 20_000  # rows that are transformed
OURS = {"skvae": {}, "all cores": {"n_jobs": -1}}
MOST_ROWS = {"UMAP": 100_000}  # that a method is given
NUMBERS_ALONE = "UMAP", "PCA"
VERBS = "fit", "transform"
TOY_ROWS = 2_000

ABOUT = f"""\
Growth with rows, columns and categories, at the defaults. The columns of a table are
smooth functions of six factors plus noise, in float32; a column of categories cuts one
of these at its quantiles. Fit, then transform of as many new rows, but at most
{MOST_NEW:,}.

skvae      VAETransformer(k), on one thread; all cores: with n_jobs=-1
UMAP, PCA  on all threads, UMAP after numba has compiled; of numbers alone

memory     MB by which the process grew at most, the table and what a fit of \
{TOY_ROWS:,}
           rows had loaded left out"""


class Size(NamedTuple):
    """Rows and columns of a table, and the categories of one more column, or 0."""

    rows: int
    columns: int
    categories: int = 0


def measure(job):
    size = Size(*map(int, job.table.split("x")))
    is_too_much = size.rows > MOST_ROWS.get(job.method, size.rows)
    if is_too_much or (size.categories and job.method in NUMBERS_ALONE):
        return None
    n_new = min(size.rows, MOST_NEW)
    X = table(size._replace(rows=size.rows + n_new))
    old, new = X[: size.rows], X[size.rows :]
    if job.method == "UMAP":
        rivals.warm_up_umap(size.rows)
    fit(job, old[:TOY_ROWS]).transform(new[:TOY_ROWS])
    before = peak()
    seconds, model = runner.seconds_of(fit, job, old)
    transform, _ = runner.seconds_of(model.transform, new)
    memory = (peak() - before) / 1e6
    figures = {"fit": seconds, "transform": transform, "memory": memory}
    return {**size._asdict(), "epochs": getattr(model, "n_iter_", np.nan)} | figures


def fit(job, X):
    if job.method in OURS:
        return job.vae(X.shape[1], **OURS[job.method]).fit(X)
    if job.method == "PCA":
        return PCA(job.n_components(X.shape[1]), random_state=job.seed).fit(X)
    return rivals.make("fit", job.method)(X, job.n_components(X.shape[1]), job.seed)


def table(size):
    rng, d = np.random.default_rng(0), size.columns + (size.categories > 0)
    loadings = rng.normal(size=(6, d)).astype(np.float32)
    X = np.empty((size.rows, d), np.float32)
    for start in range(0, len(X), 10_000):
        rows = X[start : start + 10_000]
        z = rng.normal(size=(len(rows), 6)).astype(np.float32)
        rows[:] = np.tanh(z @ loadings) + 0.5 * np.sin(2 * z @ loadings[::-1])
        rows += 0.2 * rng.standard_normal(rows.shape, np.float32)
    if not size.categories:
        return X
    frame = pd.DataFrame(X)
    cut = pd.qcut(frame[d - 1], size.categories, labels=False, duplicates="drop")
    frame[d - 1] = cut.astype(str)
    return frame


def peak():
    """Most bytes that the process has held (Linux counts kilobytes, macOS bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


# The report


def report(runs, args):
    return [
        "\n".join([*map(line, its.to_dict("records")), *growth(its, varying, args)])
        for varying, its in series(runs)
    ]


def line(run):
    size = f"{run['rows']:>10,} x {run['columns']:>6,}"
    if run["categories"]:
        size += f" and {run['categories']:>6,} categories"
    epochs = "" if np.isnan(run["epochs"]) else f"in {run['epochs']:.0f} epochs, "
    return (
        f"{size}: {run['method']:9}  fit {run['fit']:8.2f} s {epochs:15}"
        f"transform {run['transform']:7.3f} s, memory {run['memory']:5.0f} MB"
    )


def series(runs):
    """Yield what varies and its records: the rows at the usual width, the others."""
    is_usual = (runs["columns"] == COLUMNS) & (runs["categories"] == 0)
    for varying, its in (
        ("rows", runs[is_usual]),
        ("columns", runs[~is_usual & (runs["categories"] == 0)]),
        ("categories", runs[runs["categories"] > 0]),
    ):
        if len(its):
            yield varying, its


def growth(runs, varying, args):
    for method in args.methods:
        its = runs[runs["method"] == method]
        if its[varying].nunique() > 1:
            found = (f"{v} ~ {varying}^{exponent(its, varying, v)}" for v in VERBS)
            yield f"{method}: {', '.join(found)}"


def exponent(runs, varying, verb):
    """Slope of the least-squares line through the logarithms."""
    return f"{np.polyfit(np.log(runs[varying]), np.log(runs[verb]), 1)[0]:.2f}"


def draw(runs):
    """Draw the seconds of fits (lines) and of transforms (dashes), on log scales."""
    from matplotlib.figure import Figure

    titles = {
        "rows": f"{COLUMNS} columns",
        "columns": f"{ROWS_WIDE:,} rows",
        "categories": f"{ROWS_WITH_CATEGORIES:,} rows, {OTHER_COLUMNS} other columns",
    }
    found = dict(series(runs))
    figure = Figure(figsize=(3.7 * len(found), 3.8), layout="constrained")
    axes = figure.subplots(1, len(found), squeeze=False, sharey=True)[0]
    colors = {method: f"C{i}" for i, method in enumerate(BENCHMARK.methods)}
    for ax, (varying, its) in zip(axes, found.items(), strict=True):
        for method, of_method in its.groupby("method", sort=False):
            for verb, style in zip(VERBS, ("-", ":"), strict=True):
                label = method if verb == "fit" else None
                look = {"color": colors[method], "linestyle": style, "label": label}
                ax.loglog(of_method[varying], of_method[verb], marker=".", **look)
        ax.set(xlabel=varying, title=titles[varying])
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("seconds: fit, and transform (dotted)")
    names = axes[0].get_legend_handles_labels()
    figure.legend(*names, loc="outside lower center", ncols=4, frameon=False)
    return figure


BENCHMARK = runner.Benchmark(
    name="scale",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=SIZES,
    more_tables=None,
    methods=(*OURS, "UMAP", "PCA"),
    needs={"UMAP": "umap"},
    k=(2,),
    workers=1,
    threads=0,
    seeds=None,
    fresh=True,
    draw=draw,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
