"""Are missing entries filled better than by the usual imputers, and how fast?

``python benchmarks/imputation.py`` hides entries of numeric and of mixed tables, has
every method fill them and writes the figures to ``benchmarks/results/imputation.txt``;
with any option it only prints them, unless ``--output`` names a file.
"""

import argparse
import time
import warnings
from functools import partial
from pathlib import Path

import joblib
import mixed_tables
import numpy as np
import pandas as pd
import tables
import torch
from mixed import add_options, gather, kinds, plain, show
from sampling import argument_parser, finish
from scipy import special
from scipy.optimize import brentq
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.preprocessing import StandardScaler
from tables import HALVES
from threadpoolctl import threadpool_limits

from skvae import VAETransformer

OUTPUT = Path(__file__).parent / "results" / "imputation.txt"
MAX_ROWS = 2_000
N_COMPONENTS = 8
SHARES = 0.1, 0.3, 0.5
N_DRAWS = 50
ROUNDS = 10  # of missForest
STEEPNESS = 2.0  # of hiding at random: the logistic's slope, per standard deviation
OURS = "skvae", "diag", "linear"
TIMED = *OURS, "iterative"
TIMED_SHAPES = (5_000, 20), (20_000, 20)

NUMERIC = "boston wine autompg breast_cancer iris segments body".split()
NUMERIC += "olive glass athletes gilgais computers weather card".split()
MIXED = "credit salaries stones titanic penguins wages survey mortgages".split()

HEADER = """\
Filling what is missing.

Tables are cut to {rows:,} random rows; a mixed table's target is a column like the
others, a numeric one's is left out. The given share of the entries is hidden, {seeds}
times, and figures are medians:

MCAR      completely at random
MAR       at random: two columns without holes, random ones, stay whole; the chance of
          hiding an entry of the others is a logistic of the two, another one for each
          column, of slope {steepness:g} per standard deviation

Entries that are missing from the start stay so and are not measured.

skvae     VAETransformer({k}).fit(X).impute(X), or one component less than columns;
          it gets the table as it is
diag      the same with noise="diag", as `python -m skvae TABLE --impute` has it
linear    the same with hidden_layer_sizes=(): PCA, in closed form if all is numbers
mean      of the column; the most frequent of categories
KNN       KNNImputer(), defaults
iterative IterativeImputer(), defaults: BayesianRidge
          These three get numbers standardised and categories one-hot, all of a
          column's dummies missing where it is (iterative: but for the first); the
          highest of them is the imputed category.
forest    missForest: each column in turn by ExtraTrees, 100 of them, {rounds} rounds

RMSE      over hidden numeric entries, in standard deviations of the whole column
errors    share of wrong ones among hidden categorical entries
in 50%    share of hidden numeric entries in the central 50 % (90 %) of {draws} draws
time      seconds of fit and impute, one thread"""


def main():
    parser = add_options(argument_parser(__doc__), METHODS)
    parser.set_defaults(tables=(*NUMERIC, *MIXED))
    parser.add_argument("--shares", type=shares, default=SHARES, help="such as .1,.3")
    parser.add_argument("--how", type=lambda t: t.split(","), default=tuple(HIDINGS))
    parser.add_argument("--k", type=int, default=N_COMPONENTS)
    parser.add_argument("--timing", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    if args.output is None and args == parser.parse_args([]):
        args.output = OUTPUT
    jobs = [
        joblib.delayed(run)(name, how, share, seed, args.methods, args.k)
        for seed in range(args.seeds)
        for how in args.how
        for share in args.shares
        for name in args.tables
        if args.methods
    ]
    if args.timing:
        timed = [method for method in TIMED if method in args.methods]
        jobs += [joblib.delayed(clock)(*shape, timed, args.k) for shape in TIMED_SHAPES]
    rows = gather(jobs, args, ["table", "how", "share", "seed", "method"])
    finish(report(rows, args), args.output)


def shares(text):
    return [float(share) for share in text.split(",")]


# The tables


def load(name):
    """Return a frame of floats, ints, dates and categories, and the table's half."""
    if name in MIXED:
        table = mixed_tables.load(name, MAX_ROWS)
        frame = table.with_target()
        flags = frame.select_dtypes("bool").columns  # a bool has no missing value
        frame = frame.astype(dict.fromkeys(flags, "category"))
    else:
        table = tables.load(name, MAX_ROWS)
        frame = pd.DataFrame(table.X).add_prefix("c")
    return frame.loc[:, frame.nunique() > 1], table.half


def completely_at_random(frame, share, rng):
    return rng.random(frame.shape) < share


def at_random(frame, share, rng):
    """Mask entries by a logistic of two columns, which stay whole."""
    whole = rng.permutation(np.flatnonzero(frame.notna().all()))[:2]
    x = np.column_stack([codes(frame.iloc[:, j]) for j in whole])
    angle = rng.uniform(0, 2 * np.pi, frame.shape[1])
    slopes = STEEPNESS * np.stack([np.cos(angle), np.sin(angle)])
    logits = StandardScaler().fit_transform(x) @ slopes
    for j in np.setdiff1d(np.arange(frame.shape[1]), whole):
        logits[:, j] += offset(logits[:, j], share)
    logits[:, whole] = -np.inf
    return rng.random(frame.shape) < special.expit(logits)


def offset(logits, share):
    """What to add to logits for their probabilities to average to a share."""
    return brentq(lambda offset: special.expit(logits + offset).mean() - share, -50, 50)


HIDINGS = {"MCAR": completely_at_random, "MAR": at_random}


def codes(column):
    if kinds(column.to_frame())[0]:
        return plain(column.to_frame()).iloc[:, 0]
    return pd.factorize(column, sort=True)[0]


# The methods: a frame with holes, a seed, k -> the frame without, and draws if any.


def skvae(frame, seed, k, **options):
    k = min(k, frame.shape[1] - 1)
    vae = VAETransformer(k, random_state=seed, **options).fit(frame)
    return vae.impute(frame), lambda: vae.impute(
        frame, n_draws=N_DRAWS, random_state=seed
    )


def mean(frame, seed, k):
    return by(SimpleImputer(), frame), None


def knn(frame, seed, k):
    return by(KNNImputer(), frame), None


def iterative(frame, seed, k):
    # Of dummies that sum to 1 each would be predicted from the others' initial guess.
    return by(IterativeImputer(random_state=seed), frame, drop_first=True), None


def forest(frame, seed, k):
    """Impute as missForest does: column by column, again and again, by trees."""
    known = plain(frame)
    filled = by(SimpleImputer(), frame)
    numeric, _ = kinds(known)
    holes = known.isna()
    for _ in range(ROUNDS):
        for name in holes.sum().sort_values(kind="stable").index:
            here = holes[name].to_numpy()
            if not here.any():
                continue
            x = pd.get_dummies(filled.drop(columns=name)).to_numpy(float)
            Trees = ExtraTreesRegressor if name in numeric else ExtraTreesClassifier
            trees = Trees(100, random_state=seed)
            trees.fit(x[~here], known[name][~here].to_list())
            filled.loc[here, name] = trees.predict(x[here])
    return filled, None


METHODS = {
    "skvae": skvae,
    "diag": partial(skvae, noise="diag"),
    "linear": partial(skvae, hidden_layer_sizes=()),
    "mean": mean,
    "KNN": knn,
    "iterative": iterative,
    "forest": forest,
}


def by(imputer, frame, drop_first=False):
    """Impute standardised numbers beside dummies; return the frame that they make."""
    frame = plain(frame)
    numeric, categorical = kinds(frame)
    scaler = StandardScaler().fit(frame[numeric])
    blocks = [dummies(frame[name])[:, int(drop_first) :] for name in categorical]
    x = np.hstack([scaler.transform(frame[numeric]), *blocks])
    stops = np.cumsum([len(numeric), *(block.shape[1] for block in blocks)])
    x, *blocks = np.split(imputer.fit_transform(x), stops[:-1], axis=1)
    completed = dict(zip(numeric, scaler.inverse_transform(x).T, strict=True))
    for name, block in zip(categorical, blocks, strict=True):
        if drop_first:
            block = np.column_stack([1 - block.sum(axis=1), block])
        found = np.sort(frame[name].dropna().unique())
        completed[name] = found[block.argmax(axis=1)]
    return pd.DataFrame(completed)


def dummies(column):
    """Zeros and a one for each level, in their order; NaN where it is missing."""
    found = pd.get_dummies(column, dtype=float)
    return found.where(column.notna(), np.nan).to_numpy()


# The runs


def run(name, how, share, seed, methods, k):
    """Have every method fill a table's hidden entries, on one thread."""
    frame, half = load(name)
    rng = np.random.default_rng(seed)
    hidden = HIDINGS[how](frame, share, rng) & frame.notna().to_numpy()
    what = {"table": name, "half": half, "how": how, "share": share, "seed": seed}
    return [
        what | {"method": method} | attempt(method, frame, hidden, seed, k)
        for method in methods
    ]


def attempt(method, frame, hidden, seed, k):
    torch.set_num_threads(1)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return measure(METHODS[method], frame, hidden, seed, k)
        except Exception as error:
            return {"error": repr(error)}


def measure(impute, frame, hidden, seed, k):
    start = time.perf_counter()
    completed, draw = impute(frame.mask(hidden), seed, k)
    figures = {"time": time.perf_counter() - start}
    truth, completed = plain(frame), plain(completed)
    numeric, categorical = kinds(truth)
    hidden = pd.DataFrame(hidden, columns=frame.columns)
    here = hidden[numeric].to_numpy()
    if here.any():
        gaps = (completed[numeric] - truth[numeric]) / truth[numeric].std()
        figures["RMSE"] = np.sqrt(np.square(gaps.to_numpy()[here]).mean())
        if draw is not None:
            values = np.stack(
                [plain(drawn)[numeric].to_numpy()[here] for drawn in draw()]
            )
            figures |= coverage(values, truth[numeric].to_numpy()[here])
    here = hidden[categorical].to_numpy()
    if here.any():
        wrong = completed[categorical].to_numpy() != truth[categorical].to_numpy()
        figures["errors"] = wrong[here].mean()
    return figures


def coverage(draws, truth):
    """Shares of the truth within central intervals of the draws: 50 % and 90 %."""
    found = {}
    for share in 0.5, 0.9:
        low, high = np.quantile(draws, [(1 - share) / 2, (1 + share) / 2], axis=0)
        found[f"in {share:.0%}"] = np.mean((low <= truth) & (truth <= high))
    return found


def clock(n_samples, n_features, methods, k):
    """Time methods on a bent sheet with noise, 30 % of it missing."""
    rng = np.random.default_rng(0)
    sheet = rng.normal(size=(n_samples, 5))
    x = np.tanh(sheet @ rng.normal(size=(5, n_features)))
    frame = pd.DataFrame(x + 0.3 * rng.normal(size=x.shape)).add_prefix("c")
    hidden = completely_at_random(frame, 0.3, rng)
    what = {"table": f"{n_samples:,} x {n_features}", "how": "MCAR", "share": 0.3}
    return [
        what | {"seed": 0, "method": method} | attempt(method, frame, hidden, 0, k)
        for method in methods
    ]


# The report

FIGURES = ["RMSE", "errors", "in 50%", "in 90%", "time"]


def report(runs, args):
    runs = runs.reindex(columns=[*dict.fromkeys([*runs, *FIGURES, "half", "error"])])
    parts = [
        HEADER.format(
            rows=MAX_ROWS,
            seeds=args.seeds,
            steepness=STEEPNESS,
            k=args.k,
            draws=N_DRAWS,
            rounds=ROUNDS,
        )
    ]
    keys = ["half", "how", "share", "table", "method"]
    by_table = runs.groupby(keys)[FIGURES].median()
    for half in HALVES:
        if half in by_table.index:
            its = by_table.loc[half]
            n = its.index.get_level_values("table").nunique()
            parts.append("\n\n".join([f"{half.upper()}, {n} tables", *summary(its)]))
    for (how, share), its in by_table.groupby(["how", "share"]):
        for figure in "RMSE", "errors", "time":
            found = its[figure].dropna().droplevel(["half", "how", "share"]).unstack()
            if len(found):
                parts.append(f"{figure}, {share:.0%} {how}\n\n{show(ordered(found))}")
    timed = runs[runs["half"].isna()]
    if len(timed):
        seconds = timed.pivot(index="table", columns="method", values=["time", "RMSE"])
        parts.append(f"ONE TABLE, 30% MCAR\n\n{show(seconds)}")
    failed = runs.dropna(subset="error")
    if len(failed):
        failed = failed[["table", "how", "share", "seed", "method", "error"]]
        parts.append(f"FAILED\n\n{failed.to_string(index=False)}")
    return "\n\n\n".join(parts)


def summary(by_table):
    """Medians over tables, and on how many of them ours are below each peer."""
    lines = []
    for figure in FIGURES:
        its = by_table[figure].dropna().unstack("method")
        if its.empty:
            continue
        settings = its.groupby(["how", "share"])
        lines.append(f"{figure}, median\n{show(ordered(settings.median()))}")
        peers = its.drop(columns=[*OURS], errors="ignore")
        for ours in ("skvae", "diag"):
            if figure in ("RMSE", "errors") and ours in its:
                below = peers.gt(its[ours], axis=0).groupby(["how", "share"]).sum()
                below = below.where(peers.groupby(["how", "share"]).count() > 0)
                below["of"] = settings.size()
                counts = below.to_string(na_rep="", float_format="%.0f")
                lines.append(f"{figure}, tables on which {ours} is below\n{counts}")
    return lines


def ordered(columns):
    return columns[[m for m in METHODS if m in columns]]


if __name__ == "__main__":
    main()
