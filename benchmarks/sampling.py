"""Can drawn rows be told from real ones: skvae against other generators of tables.

``python benchmarks/sampling.py`` runs every table of at most 100 columns and writes the
figures to ``benchmarks/results/sampling.txt``; with any option it only prints them,
unless ``--output`` names a file. TVAE and the forest need ``pip install ctgan arfpy
"numpy<2.4"``; what is not installed is left out.
"""

import argparse
import contextlib
import io
import sys
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from scipy.stats import ks_2samp
from sklearn.ensemble import HistGradientBoostingClassifier as BoostedClassifier
from sklearn.ensemble import HistGradientBoostingRegressor as BoostedRegressor
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    StratifiedKFold,
    cross_val_predict,
    train_test_split,
)
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import LabelEncoder, QuantileTransformer, StandardScaler
from tables import HALVES, NAMES, load
from threadpoolctl import threadpool_limits

from skvae import VAETransformer
from skvae._cli.report import rank_correlations

OUTPUT = Path(__file__).parent / "results" / "sampling.txt"
MAX_ROWS, MAX_COLUMNS = 2_000, 100
N_COMPONENTS = 8
MIXTURE_SIZES = 1, 2, 5, 10, 20, 50
FEW_LEVELS = 10  # a column of no more distinct values is discrete to TVAE and forest

HEADER = """\
Drawn rows beside real ones.

Each table, its target a column like the others, is cut to {rows:,} random rows and
split 75/25. A method sees the 75 % and draws as many rows. Tables of more than
{columns} columns are left out. Splits: {seeds}.

skvae     VAETransformer({k}, scaling="quantile")
standard  VAETransformer({k})
mixture   GaussianMixture of standardised columns, of {sizes} components,
          whichever suits a tenth of the rows best; "on quantiles": the same of columns
          mapped to normal scores by QuantileTransformer; "copula": 1 component there
TVAE      ctgan.TVAE, defaults (300 epochs)
forest    arfpy.arf, defaults
real      training rows, as if they had been drawn

AUC       of boosted trees told to separate the drawn rows from the 25 %, shuffled
          folds: .5 is chance, and less is better
TSTR      accuracy (or R2, 0 at least) on the 25 % of boosted trees trained on drawn
          rows, minus that of trees trained on the real ones
KS        Kolmogorov-Smirnov distance of a column, mean over columns
corr      absolute difference of two columns' rank correlation, mean over pairs
DCR       median distance of a drawn row to the closest training row, over that of a
          held-out row (standardised columns): well below 1 is copying
time      seconds of fit and draw, one thread"""


def main():
    parser = argument_parser(__doc__)
    args = parser.parse_args()
    if args.output is None and args == parser.parse_args([]):
        args.output = OUTPUT
    methods = [m for m in METHODS if is_installed(m)]
    jobs = [
        joblib.delayed(run)(name, seed, methods)
        for name in args.tables
        for seed in range(args.seeds)
    ]
    finish(report(run_all(jobs), args), args.output)


def run_all(jobs):
    """Run jobs, as many at a time as there are cores; return their rows."""
    parallel = joblib.Parallel(joblib.cpu_count(), return_as="generator", batch_size=1)
    start, rows = time.perf_counter(), []
    for i, found in enumerate(parallel(jobs), 1):
        rows += found
        seconds = time.perf_counter() - start
        print(f"{seconds:5.0f} s, {i}/{len(jobs)} runs", file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def finish(text, output):
    print(text)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")


def argument_parser(doc):
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument("--tables", type=lambda text: text.split(","), default=NAMES)
    parser.add_argument("--seeds", type=int, default=1, help="how many splits")
    parser.add_argument("--output", type=Path, help="file to write the report to")
    return parser


# The methods: training rows as a frame, how many rows to draw, a seed -> drawn rows.


def skvae(frame, n, seed, scaling="quantile"):
    k = min(N_COMPONENTS, frame.shape[1] - 1)
    vae = VAETransformer(k, scaling=scaling, random_state=seed).fit(frame.to_numpy())
    return vae.sample(n, random_state=seed)


def standard(frame, n, seed):
    return skvae(frame, n, seed, scaling="standard")


def mixture(frame, n, seed, scaler=None, sizes=MIXTURE_SIZES):
    scaler = (scaler or StandardScaler()).fit(frame.to_numpy())
    best = likeliest_mixture(scaler.transform(frame.to_numpy()), seed, sizes)
    return scaler.inverse_transform(best.sample(n)[0])


def likeliest_mixture(x, seed, sizes=MIXTURE_SIZES):
    """Fit mixtures to most rows; return the one that suits the others best."""
    seen, held_out = train_test_split(x, test_size=0.1, random_state=seed)
    fits = []
    for size in sizes:
        with contextlib.suppress(ValueError):  # more components than the rows allow
            fits.append(GaussianMixture(size, random_state=seed).fit(seen))
    return max(fits, key=lambda fit: fit.score(held_out))


def mixture_on_quantiles(frame, n, seed, sizes=MIXTURE_SIZES):
    scaler = QuantileTransformer(
        n_quantiles=min(1000, len(frame)), output_distribution="normal"
    )
    return mixture(frame, n, seed, scaler, sizes)


def copula(frame, n, seed):
    return mixture_on_quantiles(frame, n, seed, sizes=(1,))


def tvae(frame, n, seed):
    from ctgan import TVAE

    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002, it draws from the global generator
    model = TVAE(enable_gpu=False)
    model.fit(frame, discrete_columns=few_levels(frame))
    return model.sample(n).to_numpy()


def forest(frame, n, seed):
    from arfpy import arf

    np.random.seed(seed)  # noqa: NPY002, it draws from the global generator
    discrete = few_levels(frame)
    frame = frame.astype(dict.fromkeys(discrete, str))
    with contextlib.redirect_stdout(io.StringIO()):
        model = arf.arf(x=frame, verbose=False)
        model.forde()
        drawn = model.forge(n=n)
    return drawn[frame.columns].astype(float).to_numpy()


def real(frame, n, seed):
    return frame.sample(n, random_state=seed).to_numpy()


METHODS = {
    "skvae": skvae,
    "standard": standard,
    "mixture": mixture,
    "on quantiles": mixture_on_quantiles,
    "copula": copula,
    "TVAE": tvae,
    "forest": forest,
    "real": real,
}
NEEDS = {"TVAE": "ctgan", "forest": "arfpy"}
RIVALS = "mixture", "on quantiles", "TVAE", "forest"


def is_installed(method):
    return method not in NEEDS or find_spec(NEEDS[method]) is not None


def few_levels(frame):
    return [name for name in frame if frame[name].nunique() <= FEW_LEVELS]


# The runs


def run(name, seed, methods):
    """Run every method on one split of a table, on one thread."""
    torch.set_num_threads(1)
    table = load(name, MAX_ROWS)
    if table.X.shape[1] > MAX_COLUMNS:
        return []
    X, y_is_class = table.X, table.task == "classification"
    if table.y is not None:
        y = LabelEncoder().fit_transform(table.y) if y_is_class else table.y
        X = np.column_stack([X, y])
    train, test = train_test_split(X, test_size=0.25, random_state=seed)
    task = table.task and (train, test, y_is_class)
    rows = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in methods:
            row = {"table": name, "half": table.half, "seed": seed, "method": method}
            try:
                row |= measure(METHODS[method], train, test, task, seed)
            except Exception as error:
                row["error"] = repr(error)
            rows.append(row)
    return rows


def measure(draw, train, test, task, seed):
    frame = pd.DataFrame(train, columns=[f"c{j}" for j in range(train.shape[1])])
    start = time.perf_counter()
    many = np.asarray(draw(frame, len(train), seed), dtype=float)
    seconds = time.perf_counter() - start
    few = many[np.random.default_rng(seed).permutation(len(many))[: len(test)]]
    return {
        "time": seconds,
        "AUC": auc(few, test),
        "TSTR": np.nan if task is None else tstr(many, *task),
        "KS": np.mean(
            [ks_2samp(a, b).statistic for a, b in zip(few.T, test.T, strict=True)]
        ),
        "corr": np.abs(rank_correlations(many) - rank_correlations(train)).mean(),
        "DCR": closest(few, train) / closest(test, train),
    }


def auc(drawn, real):
    X = np.vstack([drawn, real])
    is_real = np.repeat([False, True], [len(drawn), len(real)])
    folds = StratifiedKFold(shuffle=True, random_state=0)
    model = BoostedClassifier(random_state=0)
    share = cross_val_predict(model, X, is_real, cv=folds, method="predict_proba")
    return roc_auc_score(is_real, share[:, 1])


def tstr(drawn, train, test, y_is_class):
    def score(rows):
        X, y = rows[:, :-1], rows[:, -1]
        if y_is_class:
            y = y.round()
        if len(np.unique(y)) < 2:
            return 0.0
        model = (BoostedClassifier if y_is_class else BoostedRegressor)(random_state=0)
        return max(model.fit(X, y).score(test[:, :-1], test[:, -1]), 0.0)

    return score(drawn) - score(train)


def closest(rows, train):
    scaler = StandardScaler().fit(train)
    search = NearestNeighbors(n_neighbors=1).fit(scaler.transform(train))
    distance, _ = search.kneighbors(scaler.transform(rows))
    return max(np.median(distance), 1e-3)


# The report


def report(runs, args):
    figures = "AUC", "TSTR", "KS", "corr", "DCR", "time"
    head = HEADER.format(
        rows=MAX_ROWS,
        columns=MAX_COLUMNS,
        seeds=args.seeds,
        k=N_COMPONENTS,
        sizes=", ".join(map(str, MIXTURE_SIZES)),
    )
    by_table = runs.groupby(["half", "table", "method"], sort=False)
    by_table = by_table[list(figures)].median()
    methods = [m for m in METHODS if m in set(runs["method"])]
    parts = [head]
    for half in HALVES:
        if half not in by_table.index:
            continue
        its = by_table.loc[half]
        medians = its.groupby("method").median().reindex(methods)
        n = its.index.get_level_values("table").nunique()
        parts.append(f"{half.upper()}, {n} tables: medians\n\n{show(medians, figures)}")
        parts.append(bars(its["AUC"].unstack()))
    aucs = by_table["AUC"].droplevel("half").unstack()[methods]
    parts.append(f"AUC\n\n{aucs.round(3).to_string()}")
    if "error" in runs:
        failed = runs.dropna(subset="error")[["table", "method", "error"]]
        parts.append(f"FAILED\n\n{failed.to_string(index=False)}")
    return "\n\n\n".join(parts)


def show(medians, figures):
    return medians[list(figures)].round(3).to_string()


def bars(aucs):
    rivals = [m for m in RIVALS if m in aucs]
    below = (aucs["skvae"] <= aucs[rivals].min(axis=1)).mean()
    lines = [
        f"skvae, median AUC {aucs['skvae'].median():.3f} (wanted: <= .60)",
        f"tables on which it is below the best of {', '.join(rivals)}: {below:.0%} "
        "(wanted: 80 %)",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
