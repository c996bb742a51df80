"""Mixed columns: are skvae's embedding, inverse and drawn rows better than the usual?

``python benchmarks/mixed.py`` runs every table of ``mixed_tables.py`` and writes the
figures to ``benchmarks/results/mixed.txt``; with any option it only prints them, unless
``--output`` names a file. FAMD needs ``pip install prince``, TVAE ``pip install ctgan
"numpy<2.4"``; what is not installed is left out. TVAE can be run in an environment of
its own: there ``--methods TVAE --save tvae.json``, here ``--load tvae.json``.
"""

import json
import time
import warnings
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from mixed_tables import NAMES, kinds, levels, load, numbers
from sampling import argument_parser, few_levels, finish, run_all
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier as BoostedClassifier
from sklearn.ensemble import HistGradientBoostingRegressor as BoostedRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    StratifiedKFold,
    cross_val_predict,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tables import HALVES
from threadpoolctl import threadpool_limits

from skvae import VAETransformer

OUTPUT = Path(__file__).parent / "results" / "mixed.txt"
N_COMPONENTS = 8
DRAWN_ROWS = 2_000
MOST_MISSING = 0.1  # share of a column's entries, for it to be drawn
MOST_LEVELS = 200  # boosted trees take 255

HEADER = """\
Mixed columns: numbers, categories, flags, strings, dates, holes.

Each table is cut to 5,000 random rows and split 80/20, {seeds} times; figures are
medians over splits. k = {k}, or one less than a smaller table has columns.

skvae     VAETransformer(k) on the table as it is; "quantile": scaling="quantile";
          "alpha=3": VAETransformer(k, alpha=3), whose network is nearer to linear
PCA       PCA(k) of numbers filled by the median and standardised, beside categories
          filled by the most frequent and one-hot; dates as numbers
FAMD      prince.FAMD(k), filled likewise, levels it has not seen too
table     the columns given to PCA, all of them

linear    accuracy (or R2) on the 20 %, of LogisticRegression or Ridge on the embedding
boosted   the same, of HistGradientBoosting
R2        of the inverse, over numeric entries of the 20 % in units of their column
levels    accuracy of the inverse, over categorical entries of the 20 % (PCA: the
          highest of a column's dummies), minus that of the column's commonest level
time      seconds of fit, one thread

Drawing: the target is a column like the others. Columns more than {missing:.0%} missing
are left out, then incomplete rows; {rows:,} random rows are split 75/25. A method sees
the 75 % and draws as many rows. AUC is that of boosted trees told to separate drawn
rows from the 25 %, shuffled folds: .5 is chance, and less is better. Split: the first.

TVAE      ctgan.TVAE, defaults (300 epochs)
real      training rows, as if they had been drawn"""


def main():
    parser = add_options(argument_parser(__doc__), METHODS)
    parser.set_defaults(tables=NAMES, seeds=3)
    args = parser.parse_args()
    if args.output is None and args == parser.parse_args([]):
        args.output = OUTPUT
    methods = [m for m in args.methods if is_installed(m)]
    jobs = [
        joblib.delayed(run)(name, seed, methods)
        for name in args.tables
        for seed in range(args.seeds)
        if methods
    ]
    rows = gather(jobs, args, ["table", "seed", "part", "method"])
    finish(report(rows, args), args.output)


def add_options(parser, methods):
    """Add what lets several runs, in several environments, make one report."""
    parser.add_argument(
        "--methods",
        type=lambda text: text.split(",") if text else [],
        default=tuple(methods),
        help='comma-separated; "" runs none and only reports what is loaded',
    )
    parser.add_argument("--save", type=Path, help="JSON file for what was run")
    parser.add_argument(
        "--load", type=Path, nargs="+", default=[], help="JSON files to report as well"
    )
    return parser


def gather(jobs, args, keys):
    """Run jobs and save their rows; return them after those that are loaded.

    Of rows with the same keys the last counts.
    """
    ran = run_all(jobs)
    if args.save is not None:
        ran.to_json(args.save, orient="records", indent=0)
    files = [pd.DataFrame(json.loads(file.read_text())) for file in args.load]
    rows = pd.concat([frame for frame in [*files, ran] if len(frame)])
    return rows.drop_duplicates(keys, keep="last").reset_index(drop=True)


# The embeddings: training rows, k, a seed -> transform, and inverse_transform if any.


def skvae(train, k, seed, **options):
    vae = VAETransformer(k, random_state=seed, **options).fit(train)
    return vae.transform, vae.inverse_transform


def pca(train, k, seed):
    coder = one_hot(train)
    model = PCA(k, random_state=seed).fit(coder.transform(plain(train)))
    return (
        lambda rows: model.transform(coder.transform(plain(rows))),
        lambda Z: decoded(coder, model.inverse_transform(Z)),
    )


def famd(train, k, seed):
    import prince

    fill = filled(train)
    model = prince.FAMD(n_components=k, random_state=seed).fit(fill(train))
    return lambda rows: model.transform(fill(rows)).to_numpy(), None


def all_columns(train, k, seed):
    coder = one_hot(train)
    return lambda rows: coder.transform(plain(rows)), None


EMBEDDINGS = {
    "skvae": skvae,
    "alpha=3": partial(skvae, alpha=3.0),
    "PCA": pca,
    "FAMD": famd,
    "table": all_columns,
}


def plain(frame):
    """Return a frame of floats and, after them, objects; NaN where missing."""
    numeric, categorical = kinds(frame)
    return pd.concat([numbers(frame[numeric]), levels(frame[categorical])], axis=1)


def one_hot(frame):
    """Fit the columns that a user would make for PCA."""
    numeric, categorical = kinds(frame)
    coder = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric),
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"),
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            ),
            categorical,
        ),
    )
    return coder.fit(plain(frame))


def decoded(coder, x):
    """Turn rows of numbers and dummies, or what comes near, back to a plain frame."""
    (_, scale, numeric), (_, encode, categorical), *_ = coder.transformers_
    columns = {}
    if numeric:
        values = scale[-1].inverse_transform(x[:, : len(numeric)])
        columns |= dict(zip(numeric, values.T, strict=True))
    if categorical:
        start = len(numeric)
        for name, found in zip(categorical, encode[-1].categories_, strict=True):
            best = x[:, start : start + len(found)].argmax(axis=1)
            columns[name] = np.asarray(found, dtype=object)[best]
            start += len(found)
    return pd.DataFrame(columns)


def filled(frame):
    """Return a function that fills holes, and levels that this frame does not have."""
    numeric, categorical = kinds(frame)
    known = plain(frame)
    values = known[numeric].median().to_dict()
    values |= {name: known[name].mode()[0] for name in categorical}

    def fill(rows):
        rows = plain(rows)
        for name in categorical:
            rows[name] = rows[name].where(rows[name].isin(known[name]))
        return rows.fillna(values)

    return fill


# The draws: training rows, how many rows to draw, a seed -> drawn rows.


def skvae_draws(frame, n, seed, **options):
    k = n_components(frame)
    vae = VAETransformer(k, random_state=seed, **options).fit(frame)
    return vae.sample(n, random_state=seed)


def quantile_draws(frame, n, seed):
    return skvae_draws(frame, n, seed, scaling="quantile")


def tvae_draws(frame, n, seed):
    from ctgan import TVAE

    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002, it draws from the global generator
    numeric, categorical = kinds(frame)
    whole = frame.select_dtypes("integer").columns  # which it rounds
    frame = plain(frame).astype(dict.fromkeys(whole, int))
    model = TVAE(enable_gpu=False)
    model.fit(frame, discrete_columns=[*few_levels(frame[numeric]), *categorical])
    return model.sample(n)


def real(frame, n, seed):
    return frame.sample(n, random_state=seed)


DRAWS = {
    "skvae": skvae_draws,
    "quantile": quantile_draws,
    "TVAE": tvae_draws,
    "real": real,
}
METHODS = tuple({**EMBEDDINGS, **DRAWS})
NEEDS = {"TVAE": "ctgan", "FAMD": "prince"}


def is_installed(method):
    return method not in NEEDS or find_spec(NEEDS[method]) is not None


def n_components(frame):
    return min(N_COMPONENTS, frame.shape[1] - 1)


# The runs


def run(name, seed, methods):
    """Run every method on one split of a table, on one thread."""
    torch.set_num_threads(1)
    table = load(name)
    what = {"table": name, "half": table.half, "seed": seed}
    rows = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for measure, functions in (embedding, EMBEDDINGS), (drawing, DRAWS):
            if measure is drawing and seed > 0:
                continue
            for method in [m for m in functions if m in methods]:
                row = what | {"method": method, "part": measure.__name__}
                try:
                    row |= measure(functions[method], table, seed)
                except Exception as error:
                    row["error"] = repr(error)
                rows.append(row)
    return rows


def embedding(fit, table, seed):
    is_class = table.task == "classification"
    train, test, y_train, y_test = train_test_split(
        table.X,
        table.y,
        test_size=0.2,
        random_state=seed,
        stratify=table.y if is_class else None,
    )
    start = time.perf_counter()
    transform, inverse = fit(train, n_components(train), seed)
    figures = {"time": time.perf_counter() - start}
    Z_train, Z_test = transform(train), transform(test)
    linear = LogisticRegression(max_iter=1000) if is_class else Ridge()
    boosted = (BoostedClassifier if is_class else BoostedRegressor)(random_state=0)
    models = {"linear": make_pipeline(StandardScaler(), linear), "boosted": boosted}
    for figure, model in models.items():
        figures[figure] = model.fit(Z_train, y_train).score(Z_test, y_test)
    if inverse is not None:
        figures |= reconstruction(train, test, inverse(Z_test))
    return figures


def reconstruction(train, test, rebuilt):
    """R2 of the numbers, and accuracy of the levels above the commonest's."""
    train, test, rebuilt = plain(train), plain(test), plain(rebuilt)
    numeric, categorical = kinds(test)
    figures = {}
    if numeric:
        scale = train[numeric].std().replace(0, 1).to_numpy()
        x = test[numeric].to_numpy() / scale
        known = np.isfinite(x)
        residuals = x - rebuilt[numeric].to_numpy() / scale
        deviations = x - np.nanmean(x, axis=0)
        figures["R2"] = (
            1 - (residuals[known] ** 2).sum() / (deviations[known] ** 2).sum()
        )
    if categorical:
        commonest = train[categorical].mode().iloc[0].to_numpy(object)
        x = test[categorical].to_numpy(object)
        known = test[categorical].notna().to_numpy()
        right = x == rebuilt[categorical].to_numpy(object)
        figures["levels"] = right[known].mean() - (x == commonest)[known].mean()
    return figures


def drawing(draw, table, seed):
    train, test = train_test_split(complete(table), test_size=0.25, random_state=seed)
    start = time.perf_counter()
    drawn = draw(train.reset_index(drop=True), len(train), seed)
    seconds = time.perf_counter() - start
    drawn = drawn.sample(len(test), random_state=seed)
    return {"time": seconds, "AUC": auc(drawn, test)}


def complete(table):
    """Columns with few holes, the target among them; of their complete rows, some."""
    frame = table.with_target()
    frame = frame.loc[:, frame.isna().mean() <= MOST_MISSING].dropna()
    return frame.sample(min(DRAWN_ROWS, len(frame)), random_state=0)


def auc(drawn, real):
    """Of trees that take categories as such and tell one frame from the other."""
    both = pd.concat([plain(drawn)[list(plain(real))], plain(real)], ignore_index=True)
    for name in kinds(real)[1]:
        column = both[name].astype(str)
        common = column.value_counts().index[:MOST_LEVELS]
        both[name] = column.where(column.isin(common), "rare").astype("category")
    is_real = np.repeat([False, True], [len(drawn), len(real)])
    folds = StratifiedKFold(shuffle=True, random_state=0)
    model = BoostedClassifier(categorical_features="from_dtype", random_state=0)
    share = cross_val_predict(model, both, is_real, cv=folds, method="predict_proba")
    return roc_auc_score(is_real, share[:, 1])


# The report

FIGURES = ["linear", "boosted", "R2", "levels", "time"]


def report(runs, args):
    head = HEADER.format(
        seeds=args.seeds, k=N_COMPONENTS, missing=MOST_MISSING, rows=DRAWN_ROWS
    )
    runs = runs.reindex(columns=[*dict.fromkeys([*runs, *FIGURES, "AUC", "error"])])
    by_table = runs.groupby(["half", "part", "table", "method"])
    by_table = by_table[[*FIGURES, "AUC"]].median()
    parts = [head]
    for half in HALVES:
        if half in by_table.index:
            its = by_table.loc[half]
            n = its.index.get_level_values("table").nunique()
            parts.append("\n\n".join([f"{half.upper()}, {n} tables", *summary(its)]))
    for figure in ["linear", "boosted", "R2", "levels", "AUC"]:
        its = by_table[figure].dropna().droplevel(["half", "part"]).unstack()
        if len(its):
            its = its[[m for m in METHODS if m in its]]
            parts.append(f"{figure}\n\n{show(its)}")
    failed = runs.dropna(subset="error")
    if len(failed):
        failed = failed[["table", "seed", "method", "part", "error"]]
        parts.append(f"FAILED\n\n{failed.to_string(index=False)}")
    return "\n\n\n".join(parts)


def summary(by_table):
    """Lines on one half: medians, skvae beside its peers, AUCs."""
    lines = []
    if "embedding" in by_table.index:
        its = by_table.loc["embedding"]
        methods = [m for m in METHODS if m in its.index.get_level_values("method")]
        medians = its[FIGURES].groupby("method").median().loc[methods]
        lines.append(f"medians over tables\n{show(medians)}")
        score = {
            "mean": its[["linear", "boosted"]].mean(axis=1, skipna=False).unstack(),
            "linear": its["linear"].unstack(),
            "boosted": its["boosted"].unstack(),
        }
        pairs = product(("skvae", "alpha=3"), ("PCA", "FAMD"))
        for ours, peer in [pair for pair in pairs if {*pair} <= {*methods}]:
            for figure, scores in score.items():
                gaps = scores[ours] - scores[peer]
                lines.append(beside(f"{figure}, {ours}", gaps, peer))
    if "drawing" in by_table.index:
        aucs = by_table.loc["drawing", "AUC"].unstack()
        aucs = aucs[[m for m in METHODS if m in aucs]].median()
        lines.append("median AUC of drawn rows\n" + aucs.round(3).to_string())
    return lines


def beside(what, gaps, peer):
    gaps = gaps.dropna()
    if gaps.empty:
        return f"{what} beside {peer}: none"
    return (
        f"{what} above {peer}: {(gaps > 0).sum()} of {len(gaps)} tables, "
        f"median {gaps.median():+.3f}, worst {gaps.min():+.3f} ({gaps.idxmin()})"
    )


def show(frame):
    return frame.round(3).to_string(na_rep="")


if __name__ == "__main__":
    main()
