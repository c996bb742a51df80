"""How do fit and transform grow with rows and columns, in seconds and memory?

``python benchmarks/scale.py`` runs every size, each in a process of its own, and writes
the figures, with the fitted exponents of growth, to ``benchmarks/results/scale.txt``;
with any option it only prints them, unless ``--output`` names a file.
``--tables 1000x50,3000x50`` runs other sizes, ``--figure FILE.png`` draws the growth.
"""

import resource
import sys

import numpy as np
import runner

COLUMNS = 50  # while the rows vary
ROWS = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000]
ROWS_WIDE = 3_000  # while the columns vary
WIDTHS = [10, 30, 100, 300, 1_000]
SIZES = [*((n, COLUMNS) for n in ROWS), *((ROWS_WIDE, d) for d in WIDTHS)]
WARM_UP_ROWS = 2_000
VERBS = "fit", "transform"

ABOUT = f"""\
Growth with rows and columns, at the defaults.

VAETransformer(k, random_state=0) on a float32 table whose columns are smooth functions
of six factors plus noise; fit, then transform of all rows. Memory is the most that the
process grew by, the table and what a fit of {WARM_UP_ROWS:,} rows had loaded left \
out."""


def measure(job):
    n, d = map(int, job.table.split("x"))
    X = table(n, d)
    few = X[:WARM_UP_ROWS]
    job.vae(d, max_iter=2).fit(few).transform(few)
    before = peak()
    vae = job.vae(d)
    fit, _ = runner.seconds_of(vae.fit, X)
    transform, _ = runner.seconds_of(vae.transform, X)
    memory = (peak() - before) / 1e6
    figures = {"fit": fit, "transform": transform, "memory": memory}
    return {"rows": n, "columns": d, "epochs": vae.n_iter_} | figures


def table(n, d):
    rng = np.random.default_rng(0)
    loadings = rng.normal(size=(6, d)).astype(np.float32)
    X = np.empty((n, d), np.float32)
    for start in range(0, n, 10_000):
        rows = X[start : start + 10_000]
        z = rng.normal(size=(len(rows), 6)).astype(np.float32)
        rows[:] = np.tanh(z @ loadings) + 0.5 * np.sin(2 * z @ loadings[::-1])
        rows += 0.2 * rng.standard_normal(rows.shape, np.float32)
    return X


def peak():
    """Most bytes that the process has held (Linux counts kilobytes, macOS bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def report(runs, args):
    return [
        "\n".join([*map(line, its.to_dict("records")), *growth(its, varying)])
        for varying, its in series(runs)
    ]


def line(run):
    return (
        f"{run['rows']:>9,} x {run['columns']:>5,}: {run['method']}, "
        f"fit {run['fit']:7.2f} s in {run['epochs']:>3} epochs, "
        f"transform {run['transform']:6.3f} s, memory {run['memory']:4.0f} MB"
    )


def series(runs):
    """Yield what varies and its records: the rows at the usual width, the columns."""
    is_usual = runs["columns"] == COLUMNS
    for varying, its in ("rows", runs[is_usual]), ("columns", runs[~is_usual]):
        if len(its):
            yield varying, its


def growth(runs, varying):
    exponents = [
        f"{verb} ~ {varying}^{exponent(runs, varying, verb)}" for verb in VERBS
    ]
    return [", ".join(exponents)] * (runs[varying].nunique() > 1)


def exponent(runs, varying, verb):
    """Slope of the least-squares line through the logarithms."""
    if runs[varying].nunique() < 2:
        return "?"
    return f"{np.polyfit(np.log(runs[varying]), np.log(runs[verb]), 1)[0]:.2f}"


def draw(runs):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.5), layout="constrained")
    titles = {"rows": f"{COLUMNS} columns", "columns": f"{ROWS_WIDE:,} rows"}
    found = dict(series(runs))
    for ax, varying in zip(
        figure.subplots(1, len(found), squeeze=False)[0], found, strict=True
    ):
        its = found[varying]
        for verb in VERBS:
            label = f"{verb} ({varying}^{exponent(its, varying, verb)})"
            ax.loglog(its[varying], its[verb], marker="o", label=label)
        ax.set(xlabel=varying, ylabel="seconds", title=titles[varying])
        ax.legend(frameon=False)
        ax.spines[["top", "right"]].set_visible(False)
    return figure


BENCHMARK = runner.Benchmark(
    name="scale",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=tuple(f"{n}x{d}" for n, d in SIZES),
    more_tables=None,
    workers=1,
    seeds=None,
    fresh=True,
    draw=draw,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
