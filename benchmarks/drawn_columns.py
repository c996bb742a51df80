"""Is each column of drawn rows distributed as it was: frequent values, deciles, shares?

``python benchmarks/drawn_columns.py`` runs 20 of the tables that were tuned on, numeric
and mixed, and writes to ``benchmarks/results/drawn_columns.txt`` how far the worst
share of each is from that of the training rows, in standard errors; with any option it
only prints, unless ``--output`` names a file.
"""

import mixed_tables
import numpy as np
import pandas as pd
import runner
import tables

N_DRAWN = 100_000
LEAST_SHARE = 0.01
DECILES = np.linspace(0.1, 0.9, 9)
MOST_ERRORS = 3
NUMERIC = """
    breast_cancer wine iris diabetes autompg boston diamonds crabs college bfi
    anes96 fair randhie segments
""".split()
MIXED = "homes credit titanic stones soup salaries".split()
METHODS = {
    "skvae": {},
    "linear": {"hidden_layer_sizes": ()},
    "standard": {"scaling": "standard"},
}

ABOUT = f"""\
Columns of drawn rows beside those of the rows that the model was fitted to.

Of a numeric column: the share of each value that at least {LEAST_SHARE:.0%} of its \
observed entries
have ("points"), and of what is at or below each decile ("deciles"). Of a categorical
column: the share of each category ("categories").

A figure is the largest difference of a table's shares, in standard errors
sqrt(p (1 - p) (1/n + 1/m)): p is the share of the n observed entries, m = {N_DRAWN:,}
rows are drawn. So it is what another sample of the same distribution would differ by:
above {MOST_ERRORS}, a share is wrong. Means and standard deviations are the largest \
gap of a numeric
column's, in standard errors of its mean, and as a factor.

skvae     VAETransformer(k, scaling="quantile")
linear    the same without hidden layers
standard  VAETransformer(k): given z numeric columns are normal, and have neither"""


def measure(job):
    frame = load(job.table, job.args.rows)
    options = {"scaling": "quantile"} | METHODS[job.method]
    vae = job.vae(frame.shape[1], **options).fit(frame)
    drawn = mixed_tables.plain(vae.sample(N_DRAWN, random_state=job.seed))
    frame = mixed_tables.plain(frame)
    numeric, categorical = mixed_tables.kinds(frame)
    pairs = [(frame[name].dropna(), drawn[name]) for name in numeric]
    pairs = [(x.to_numpy(), new.to_numpy()) for x, new in pairs]
    found = {
        "points": worst(shares_of_points, pairs),
        "deciles": worst(shares_of_deciles, pairs),
        "categories": worst(
            shares_of_categories, [(frame[name], drawn[name]) for name in categorical]
        ),
    }
    varied = [(x, new) for x, new in pairs if x.std() > 0]
    found["mean"] = max((mean_gap(*of) for of in varied), default=np.nan)
    found["std"] = max((factor_of_std(*of) for of in varied), default=np.nan)
    return found


def load(name, rows):
    if name in mixed_tables.HALF_OF:
        return mixed_tables.load(name, rows).X
    return pd.DataFrame(tables.load(name, rows).X).add_prefix("c")


def worst(shares, pairs):
    """Return the largest error of the shares of all columns, NaN if there are none."""
    errors = [standard_errors(*shares(*of)) for of in pairs]
    return max((float(of.max()) for of in errors if len(of)), default=np.nan)


def standard_errors(real, found, n):
    """How far shares are from those of n entries; none is surer than one entry."""
    variance = np.maximum(real * (1 - real), 1 / n) * (1 / n + 1 / N_DRAWN)
    return np.abs(found - real) / np.sqrt(variance)


def shares_of_points(x, drawn):
    values, counts = np.unique(x, return_counts=True)
    values = values[counts >= LEAST_SHARE * len(x)]
    real, found = ([np.mean(of == v) for v in values] for of in (x, drawn))
    return np.array(real), np.array(found), len(x)


def shares_of_deciles(x, drawn):
    deciles = np.quantile(x, DECILES, method="inverted_cdf")
    real, found = ([np.mean(of <= v) for v in deciles] for of in (x, drawn))
    return np.array(real), np.array(found), len(x)


def shares_of_categories(column, drawn):
    column = column.dropna()
    real = column.value_counts(normalize=True)
    found = drawn.value_counts(normalize=True).reindex(real.index).fillna(0)
    return real.to_numpy(), found.to_numpy(), len(column)


def mean_gap(x, drawn):
    return abs(drawn.mean() - x.mean()) / x.std() * len(x) ** 0.5


def factor_of_std(x, drawn):
    ratio = drawn.std() / x.std()
    return max(ratio, 1 / ratio)


def report(runs, args):
    figures = ["points", "deciles", "categories"]
    runs = runs.reindex(columns=[*dict.fromkeys([*runs, *figures])])
    runs["worst"] = runs[figures].max(axis=1)
    parts = []
    for method in args.methods:
        its = runs[runs["method"] == method]
        if not len(its):
            continue
        names = [*figures, "worst", "mean", "std"]
        by_table = runner.medians(its, ["table"], names)
        n_wrong = int((by_table["worst"] > MOST_ERRORS).sum())
        bar = (
            f"{method}: more than {MOST_ERRORS} errors on {n_wrong} of {len(by_table)}"
        )
        wanted = " (wanted: 0)" if method != "standard" else ""
        parts.append(f"{bar} tables{wanted}\n\n{runner.show(by_table)}")
    return parts


BENCHMARK = runner.Benchmark(
    name="drawn_columns",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=(*NUMERIC, *MIXED),
    methods=tuple(METHODS),
    rows=2_000,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
