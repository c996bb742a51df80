"""How fit and transform grow with rows and columns: seconds and memory.

``python benchmarks/scale.py`` prints every size with the fitted exponents of growth;
``--output FILE.png`` draws them. Each size runs in a process of its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings

import numpy as np

HEADER = """\
VAETransformer({k}, random_state=0) on a float32 table whose columns are smooth
functions of six factors plus noise; fit, then transform of all rows. Memory is the most
that the process grew by, the table and what a fit of 2,000 rows had loaded left out.
"""

COLUMNS = 50  # while the rows vary
ROWS = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000]
ROWS_WIDE = 3_000  # while the columns vary
WIDTHS = [10, 30, 100, 300, 1_000]


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


def measure(n, d, k):
    """Print one size's figures as JSON: run in a fresh process."""
    from skvae import VAETransformer

    warnings.simplefilter("ignore")
    X = table(n, d)
    VAETransformer(k, max_iter=2, random_state=0).fit(X[:2000]).transform(X[:2000])
    before = peak()
    start = time.perf_counter()
    vae = VAETransformer(k, random_state=0).fit(X)
    fitted = time.perf_counter()
    vae.transform(X)
    done = time.perf_counter()
    figures = {
        "fit": fitted - start,
        "transform": done - fitted,
        "memory": (peak() - before) / 1e6,
        "n_iter": vae.n_iter_,
    }
    print(json.dumps(figures))


def peak():
    """Most bytes that the process has held (Linux counts kilobytes, macOS bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--columns", type=int, nargs="+", default=WIDTHS)
    parser.add_argument("--output", help="PNG to draw")
    parser.add_argument("--measure", type=int, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(*args.measure, args.k)
        return
    print(HEADER.format(k=args.k))
    by_rows = [run(n, COLUMNS, args.k) for n in args.rows]
    print_growth("rows", args.rows, by_rows)
    by_columns = [run(ROWS_WIDE, d, args.k) for d in args.columns]
    print_growth("columns", args.columns, by_columns)
    if args.output:
        draw(args, by_rows, by_columns)


def run(n, d, k):
    command = [sys.executable, __file__, "--measure", str(n), str(d), "--k", str(k)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    figures = json.loads(found.stdout.splitlines()[-1])
    print(
        f"{n:>9,} x {d:>5,}: fit {figures['fit']:7.2f} s in {figures['n_iter']:>3} "
        f"epochs, transform {figures['transform']:6.3f} s, "
        f"memory {figures['memory']:4.0f} MB",
        flush=True,
    )
    return figures


def print_growth(name, sizes, found):
    exponents = ", ".join(
        f"{what} ~ {name}^{exponent(sizes, [f[what] for f in found]):.2f}"
        for what in ("fit", "transform")
    )
    print(f"{exponents}\n", flush=True)


def exponent(sizes, values):
    """Slope of the least-squares line through the logarithms."""
    return np.polyfit(np.log(sizes), np.log(values), 1)[0]


def draw(args, by_rows, by_columns):
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(8, 3.5), layout="constrained")
    for ax, name, other, sizes, found in (
        (axes[0], "rows", f"{COLUMNS} columns", args.rows, by_rows),
        (axes[1], "columns", f"{ROWS_WIDE:,} rows", args.columns, by_columns),
    ):
        for what in ("fit", "transform"):
            values = [f[what] for f in found]
            label = f"{what} ({name}^{exponent(sizes, values):.2f})"
            ax.loglog(sizes, values, marker="o", label=label)
        ax.set(xlabel=name, ylabel="seconds", title=other)
        ax.legend(frameon=False)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(args.output, dpi=150)


if __name__ == "__main__":
    main()
