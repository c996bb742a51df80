"""Mixed columns: are skvae's embedding, inverse and drawn rows better than the usual?

``python benchmarks/mixed.py`` runs every table of ``mixed_tables.py`` and writes the
figures to ``benchmarks/results/mixed.txt``; with any option it only prints them, unless
``--output`` names a file. FAMD needs ``pip install prince``, TVAE ``pip install ctgan
"numpy<2.4"``; what is not installed is left out. TVAE can be run in an environment of
its own: there ``--methods TVAE --save tvae.json``, here ``--load tvae.json``.
"""

from itertools import product

import judges
import mixed_tables
import rivals
import runner
from sklearn.model_selection import train_test_split

DRAWN_ROWS = 2_000
MOST_MISSING = 0.1  # share of a column's entries, for it to be drawn

ABOUT = f"""\
Mixed columns: numeric, categorical, boolean, strings, datetime; missing values.

Each table is split 80/20 once per seed; figures are medians over splits. A table of few
columns gets one component less than it has columns.

skvae     VAETransformer(k) on the table as it is; "quantile": scaling="quantile";
          "alpha=3": VAETransformer(k, alpha=3), whose network is nearer to linear
PCA       PCA(k) of numeric columns filled by the median and standardised, beside
          categorical ones filled by the most frequent and one-hot; datetimes as numbers
FAMD      prince.FAMD(k), filled likewise, categories it has not seen too
table     the columns given to PCA, all of them

linear    accuracy (or R2) on the 20 %, of LogisticRegression or Ridge on the embedding
boosted   the same, of HistGradientBoosting
R2        of the inverse, over numeric entries of the 20 % in units of their column
categories
          accuracy of the inverse, over categorical entries of the 20 % (PCA: the
          highest of a column's dummies), minus that of the most frequent
time      seconds of fit, one thread

Drawing: the target is a column like the others. Columns that miss more than \
{MOST_MISSING:.0%} are
left out, then incomplete rows; {DRAWN_ROWS:,} random rows are split 75/25. A method
sees the 75 % and draws as many rows. AUC is that of boosted trees told to separate
drawn rows from the 25 %, shuffled folds: .5 is chance, and less is better. Split: the
first.

CART      synthpop's: column after column from the leaf of a DecisionTree of the
          columns before it
TVAE      ctgan.TVAE, defaults (300 epochs)
real      training rows, as if they had been drawn"""

EMBEDDINGS = {"skvae": {}, "alpha=3": {"alpha": 3.0}}
DRAWS = {
    "skvae": {},
    "quantile": {"scaling": "quantile"},
    "redraw": {"scaling": "quantile", "redraw": True},
}
RIVAL_DRAWS = "CART", "TVAE", "real"
PARTS = "embedding", "drawing"
FIGURES = ["linear", "boosted", "R2", "categories", "time"]


def measure(job):
    table = mixed_tables.load(job.table, job.args.rows)
    if job.case["part"] == "embedding":
        if job.method in (*EMBEDDINGS, *rivals.RIVALS["embed mixed"]):
            return embedding(job, table)
    elif job.seed == 0 and job.method in (*DRAWS, *RIVAL_DRAWS):
        return drawing(job, table)
    return None


def embedding(job, table):
    is_class = table.task == "classification"
    train, test, y_train, y_test = train_test_split(
        table.X,
        table.y,
        test_size=0.2,
        random_state=job.seed,
        stratify=table.y if is_class else None,
    )
    seconds, (transform, inverse) = runner.seconds_of(embed, job, train)
    Z_train, Z_test = transform(train), transform(test)
    figures = judges.supervised_scores(Z_train, y_train, Z_test, y_test, is_class)
    if inverse is not None:
        figures |= judges.quality_of_inverse(train, test, inverse(Z_test))
    return figures | {"time": seconds}


def embed(job, train):
    """Return transform, and its inverse if there is one."""
    d = train.shape[1]
    if job.method in EMBEDDINGS:
        vae = job.vae(d, **EMBEDDINGS[job.method]).fit(train)
        return vae.transform, vae.inverse_transform
    make = rivals.make("embed mixed", job.method)
    return make(train, job.n_components(d), job.seed)


def drawing(job, table):
    train, test = train_test_split(
        complete(table), test_size=0.25, random_state=job.seed
    )
    seconds, drawn = runner.seconds_of(draw, job, train.reset_index(drop=True))
    drawn = drawn.sample(len(test), random_state=job.seed)
    return {"time": seconds, "AUC": judges.two_sample_auc(drawn, test)}


def complete(table):
    """Columns of few missing values, the target among them; some complete rows."""
    frame = table.with_target()
    frame = frame.loc[:, frame.isna().mean() <= MOST_MISSING].dropna()
    return frame.sample(min(DRAWN_ROWS, len(frame)), random_state=0)


def draw(job, train):
    """Draw as many rows as train."""
    if job.method in DRAWS:
        vae = job.vae(train.shape[1], **DRAWS[job.method]).fit(train)
        return vae.sample(len(train), random_state=job.seed)
    return rivals.make("draw", job.method)(train, len(train), job.seed)


def report(runs, args):
    runs = runs.reindex(columns=[*dict.fromkeys([*runs, *FIGURES, "AUC"])])
    parts = []
    for title, its in runner.by_half(runs):
        by_table = runner.medians(its, ["part", "table", "method"], [*FIGURES, "AUC"])
        parts.append("\n\n".join([title, *summary(by_table, args)]))
    by_table = runner.medians(runs, ["part", "table", "method"], [*FIGURES, "AUC"])
    for figure in ["linear", "boosted", "R2", "categories", "AUC"]:
        its = by_table[figure].dropna().droplevel("part")
        if len(its):
            parts.append(f"{figure}\n\n{runner.show(runner.table_of(its, args))}")
    return parts


def summary(by_table, args):
    """Lines on one half: medians, skvae beside its peers, AUCs."""
    lines, parts = [], by_table.index.get_level_values("part")
    if "embedding" in parts:
        its = by_table.loc["embedding"]
        over_tables = its[FIGURES].groupby("method").median()
        over_tables = runner.rows_in_order(over_tables, args)
        lines.append(f"medians over tables\n{runner.show(over_tables)}")
        lines += gaps_to_peers(its)
    if "drawing" in parts:
        aucs = runner.table_of(by_table.loc["drawing", "AUC"], args).median()
        lines.append("median AUC of drawn rows\n" + aucs.round(3).to_string())
    return lines


def gaps_to_peers(by_table):
    score = {
        "mean": by_table[["linear", "boosted"]].mean(axis=1, skipna=False).unstack(),
        "linear": by_table["linear"].unstack(),
        "boosted": by_table["boosted"].unstack(),
    }
    return [
        beside(f"{figure}, {ours}", scores[ours] - scores[peer], peer)
        for ours, peer in product(EMBEDDINGS, ("PCA", "FAMD"))
        for figure, scores in score.items()
        if {ours, peer} <= {*scores}
    ]


def beside(what, gaps, peer):
    gaps = gaps.dropna()
    if gaps.empty:
        return f"{what} beside {peer}: none"
    return (
        f"{what} above {peer}: {(gaps > 0).sum()} of {len(gaps)} tables, "
        f"median {gaps.median():+.3f}, worst {gaps.min():+.3f} ({gaps.idxmin()})"
    )


BENCHMARK = runner.Benchmark(
    name="mixed",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=mixed_tables.NAMES,
    methods=tuple(
        dict.fromkeys(
            [*EMBEDDINGS, *rivals.RIVALS["embed mixed"], *DRAWS, *RIVAL_DRAWS]
        )
    ),
    needs=rivals.needs("embed mixed", "draw"),
    seeds=3,
    rows=mixed_tables.MAX_ROWS,
    cases=lambda args: [{"part": part} for part in PARTS],
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
