"""Are missing values filled in better than by the usual imputers, and how fast?

``python benchmarks/imputation.py`` hides entries of numeric and of mixed tables, has
every method fill them in and writes the figures to
``benchmarks/results/imputation.txt``; with any option it only prints them, unless
``--output`` names a file.
"""

import argparse

import judges
import mixed_tables
import numpy as np
import pandas as pd
import rivals
import runner
import tables
from mixed_tables import kinds, plain
from scipy import special
from scipy.optimize import brentq
from sklearn.preprocessing import StandardScaler

from skvae import VAEImputer

SHARES = 0.1, 0.3, 0.5
N_DRAWS = 50
STEEPNESS = 2.0  # of hiding at random: the logistic's slope, per standard deviation
TIMED_SHAPES = "5000x20", "20000x20"
TIMED = "imputer", "skvae", "linear", "iterative"

NUMERIC = "boston wine autompg breast_cancer iris segments body".split()
NUMERIC += "olive glass athletes gilgais computers weather card".split()
MIXED = "credit salaries stones titanic penguins wages survey mortgages".split()

ABOUT = f"""\
Imputation of missing values.

A mixed table's target is a column like the others, a numeric one's is left out. The
given share of the entries is hidden, once per seed, and figures are medians:

MCAR      completely at random
MAR       at random: two random columns without missing values stay whole; the chance
          of hiding an entry of the others is a logistic of the two, another one for
          each column, of slope {STEEPNESS:g} per standard deviation

MNAR      by value: the chance of hiding an entry is a logistic of the entry itself,
          of the same slope, up in some columns and down in others

Entries that are missing from the start stay so and are not measured.

imputer   VAEImputer().fit(X).transform(X): 8 components, or one less than columns, and
          30 trees; it gets the table as it is, as the next three do
skvae     VAETransformer(k).fit(X).impute(X), or one component less than columns
redraw    the same with redraw=True: other draws, what is filled in is the same
diag      the same with noise="diag", as `python -m skvae TABLE --impute` has it
linear    the same with hidden_layer_sizes=(): PCA, in closed form if all is numeric
mean      of the column; the most frequent category
KNN       KNNImputer(), defaults
iterative IterativeImputer(), defaults: BayesianRidge
trees     IterativeImputer(ExtraTreesRegressor({rivals.EXTRA_TREES}, \
max_features=.5), max_iter=4)
boosting  the same with HistGradientBoostingRegressor()
          These five get numeric columns standardised and categories one-hot, all of
          a column's dummies missing where it is (iterative: but for the first); the
          highest of them is the imputed category.
forest    missForest: each column in turn by {rivals.FOREST_TREES} ExtraTrees, \
{rivals.FOREST_ROUNDS} rounds

RMSE      over hidden numeric entries, in standard deviations of the whole column
errors    share of wrong ones among hidden categorical entries
in 50%    share of hidden numeric entries in the central 50 % (90 %) of {N_DRAWS} draws
time      seconds of fit and impute, one thread"""

OURS = {
    "skvae": {},
    "redraw": {"redraw": True},
    "diag": {"noise": "diag"},
    "linear": {"hidden_layer_sizes": ()},
}
ALL_OURS = "imputer", *OURS
FIGURES = ["RMSE", "errors", "in 50%", "in 90%", "time"]
TIMED_FIGURES = ["time", "RMSE"]


# Hiding entries


def completely_at_random(frame, share, rng):
    return rng.random(frame.shape) < share


def at_random(frame, share, rng):
    """Hide entries by a logistic of two columns, which stay whole."""
    whole = rng.permutation(np.flatnonzero(frame.notna().all()))[:2]
    x = np.column_stack([codes(frame.iloc[:, j]) for j in whole])
    angle = rng.uniform(0, 2 * np.pi, frame.shape[1])
    slopes = STEEPNESS * np.stack([np.cos(angle), np.sin(angle)])
    logits = StandardScaler().fit_transform(x) @ slopes[: len(whole)]
    for j in np.setdiff1d(np.arange(frame.shape[1]), whole):
        logits[:, j] += offset(logits[:, j], share)
    logits[:, whole] = -np.inf
    return rng.random(frame.shape) < special.expit(logits)


def by_value(frame, share, rng):
    """Hide entries by a logistic of themselves, which an imputer cannot know of."""
    x = StandardScaler().fit_transform(
        np.column_stack([codes(c) for _, c in frame.items()])
    )
    logits = STEEPNESS * rng.choice([-1.0, 1.0], frame.shape[1]) * np.nan_to_num(x)
    for j in range(frame.shape[1]):
        logits[:, j] += offset(logits[:, j], share)
    return rng.random(frame.shape) < special.expit(logits)


def offset(logits, share):
    """What to add to logits for their probabilities to average to a share."""
    return brentq(lambda offset: special.expit(logits + offset).mean() - share, -50, 50)


def codes(column):
    if kinds(column.to_frame())[0]:
        return plain(column.to_frame()).iloc[:, 0]
    return pd.factorize(column, sort=True)[0]


HIDINGS = {"MCAR": completely_at_random, "MAR": at_random, "MNAR": by_value}


# The measure


def measure(job):
    how, share = job.case["how"], job.case["share"]
    is_timed = job.table in TIMED_SHAPES
    if is_timed:
        if job.method not in TIMED or how != "MCAR" or share != 0.3 or job.seed:
            return None
        frame = sheet(*map(int, job.table.split("x")))
    else:
        frame = load(job.table, job.args.rows)
    rng = np.random.default_rng(job.seed)
    hidden = HIDINGS[how](frame, share, rng) & frame.notna().to_numpy()
    seconds, (completed, draw) = runner.seconds_of(fill, job, frame.mask(hidden))
    return {"time": seconds} | judge(frame, completed, hidden, draw)


def load(name, rows):
    """Return a frame of numeric, datetime and categorical columns."""
    if name in mixed_tables.HALF_OF:
        frame = mixed_tables.load(name, rows).with_target()
        booleans = frame.select_dtypes("bool").columns  # which cannot be missing
        frame = frame.astype(dict.fromkeys(booleans, "category"))
    else:
        frame = pd.DataFrame(tables.load(name, rows).X).add_prefix("c")
    return frame.loc[:, frame.nunique() > 1]


def sheet(n_samples, n_features):
    """Return a bent sheet with noise."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n_samples, 5))
    x = np.tanh(z @ rng.normal(size=(5, n_features)))
    return pd.DataFrame(x + 0.3 * rng.normal(size=x.shape)).add_prefix("c")


def fill(job, frame):
    """Return the complete frame, and a function that draws some, or None."""
    if job.method == "imputer":
        return VAEImputer(random_state=job.seed).fit(frame).transform(frame), None
    if job.method not in OURS:
        return rivals.make("fill", job.method)(frame, job.seed), None
    vae = job.vae(frame.shape[1], **OURS[job.method]).fit(frame)
    draws = {"n_draws": N_DRAWS, "random_state": job.seed}
    return vae.impute(frame), lambda: vae.impute(frame, **draws)


def judge(truth, completed, hidden, draw):
    figures = {}
    hidden = pd.DataFrame(hidden, columns=truth.columns)
    truth, completed = plain(truth), plain(completed)
    numeric, categorical = kinds(truth)
    here = hidden[numeric].to_numpy()
    if here.any():
        x = truth[numeric]
        figures["RMSE"] = judges.rmse_of_entries(x, completed[numeric], here)
        if draw is not None:
            drawn = [plain(frame)[numeric].to_numpy()[here] for frame in draw()]
            covered = judges.coverage_of_draws(np.stack(drawn), x.to_numpy()[here])
            figures |= {f"in {share:.0%}": found for share, found in covered.items()}
    here = hidden[categorical].to_numpy()
    if here.any():
        figures["errors"] = judges.errors_of_categories(
            truth[categorical], completed[categorical], here
        )
    return figures


# The report


def report(runs, args):
    runs = runs.reindex(columns=[*dict.fromkeys([*runs, *FIGURES])])
    keys = ["how", "share", "table", "method"]
    parts = []
    for title, its in runner.by_half(runs):
        by_table = runner.medians(its, keys, FIGURES)
        parts.append("\n\n".join([title, *summary(by_table, args)]))
    timed = runs["table"].isin(TIMED_SHAPES)
    by_table = runner.medians(runs[~timed], keys, FIGURES)
    for (how, share), its in by_table.groupby(["how", "share"]):
        for figure in "RMSE", "errors", "time":
            found = its[figure].dropna().droplevel(["how", "share"])
            if len(found):
                shown = runner.show(runner.table_of(found, args))
                parts.append(f"{figure}, {share:.0%} {how}\n\n{shown}")
    if timed.any():
        its = runs[timed].pivot(index="table", columns="method", values=TIMED_FIGURES)
        parts.append(f"TIME, 30% MCAR\n\n{runner.show(its)}")
    return parts


def summary(by_table, args):
    """Medians over tables, and on how many of them ours are below each peer."""
    lines = []
    for figure in FIGURES:
        its = by_table[figure].dropna().unstack("method")
        if its.empty:
            continue
        medians = runner.in_order(its.groupby(["how", "share"]).median(), args)
        lines.append(f"{figure}, median\n{runner.show(medians)}")
        if figure in ("RMSE", "errors"):
            lines += [below(its, ours, figure) for ours in ("imputer", "skvae")]
        if figure in ("RMSE", "errors", "time"):
            lines.append(over_trees(its, figure))
    return [line for line in lines if line]


def over_trees(figures, figure):
    """A figure of ours over that of the trees: median and worst over tables."""
    ours = [name for name in ALL_OURS if name in figures]
    if "trees" not in figures or not ours:
        return ""
    ratios = figures[ours].div(figures["trees"], axis=0)
    by_setting = ratios.groupby(["how", "share"])
    both = pd.concat({"median": by_setting.median(), "worst": by_setting.max()}, axis=1)
    return f"{figure} over that of trees\n{runner.show(both)}"


def below(figures, ours, figure):
    """On how many tables ours is below each peer, of those that both were run on."""
    peers = figures.drop(columns=[*ALL_OURS], errors="ignore")
    if ours not in figures or not len(peers.columns):
        return ""
    settings = ["how", "share"]
    counts = peers.gt(figures[ours], axis=0).groupby(settings).sum()
    counts = counts.where(peers.groupby(settings).count() > 0)
    counts["of"] = figures.groupby(settings).size()
    shown = counts.to_string(na_rep="", float_format="%.0f")
    return f"{figure}, tables on which {ours} is below\n{shown}"


def add_options(parser):
    parser.add_argument("--shares", type=shares, default=SHARES, help="such as .1,.3")
    parser.add_argument(
        "--how", type=runner.names_of(tuple(HIDINGS)), default=tuple(HIDINGS)
    )


def shares(text):
    try:
        return tuple(float(share) for share in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no list of shares") from error


def cases(args):
    return [{"how": how, "share": share} for how in args.how for share in args.shares]


BENCHMARK = runner.Benchmark(
    name="imputation",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=(*NUMERIC, *MIXED, *TIMED_SHAPES),
    methods=(*ALL_OURS, *rivals.RIVALS["fill"]),
    needs=rivals.needs("fill"),
    rows=2_000,
    more_tables=TIMED_SHAPES,
    add_options=add_options,
    cases=cases,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
