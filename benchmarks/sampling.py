"""Can drawn rows be told from real ones: skvae against other generators of tables.

``python benchmarks/sampling.py`` runs every table of at most 100 columns and writes the
figures to ``benchmarks/results/sampling.txt``; with any option it only prints them,
unless ``--output`` names a file. TVAE and the forest need ``pip install ctgan arfpy
"numpy<2.4"``; what is not installed is left out.
"""

import judges
import numpy as np
import pandas as pd
import rivals
import runner
import tables
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder

MAX_COLUMNS = 100

ABOUT = f"""\
Drawn rows beside real ones.

The target is a column like the others. Each table is split 75/25; a method sees the
75 % and draws as many rows. Tables of more than {MAX_COLUMNS} columns are left out.

skvae     VAETransformer(k, scaling="quantile", redraw=True)
quantile  VAETransformer(k, scaling="quantile")
standard  VAETransformer(k)
CART      synthpop's: column after column from the leaf, of at least \
{rivals.CART_LEAF} rows, of a
          DecisionTree of the columns before it
mixture   GaussianMixture of standardised columns, of \
{", ".join(map(str, rivals.MIXTURE_SIZES))} components,
          whichever suits a tenth of the rows best; "on quantiles": the same of columns
          mapped to normal scores by QuantileTransformer; "copula": 1 component there
TVAE      ctgan.TVAE, defaults (300 epochs)
forest    arfpy.arf, defaults: an adversarial random forest
real      training rows, as if they had been drawn

AUC       of boosted trees told to separate the drawn rows from the 25 %, shuffled
          folds: .5 is chance, and less is better
AUC 20-NN the same of {judges.N_JUDGES} nearest neighbours on normal scores
TSTR      accuracy (or R2, 0 at least) on the 25 % of boosted trees trained on drawn
          rows, minus that of trees trained on the real ones
KS        Kolmogorov-Smirnov distance of a column, mean over columns
corr      absolute difference of two columns' rank correlation, mean over pairs
DCR       median distance of a drawn row to the closest training row, over that of a
          held-out row (standardised columns): well below 1 is copying
copies    share of drawn rows that equal a training row, less that of held-out rows
time      seconds of fit and draw, one thread"""

OURS = {
    "skvae": {"scaling": "quantile", "redraw": True},
    "quantile": {"scaling": "quantile"},
    "standard": {},
}
PEERS = "CART", "mixture", "on quantiles", "TVAE", "forest"
FIGURES = "AUC", "AUC 20-NN", "TSTR", "KS", "corr", "DCR", "copies", "time"


def measure(job):
    table = tables.load(job.table, job.args.rows)
    if table.X.shape[1] > MAX_COLUMNS:
        return None
    is_class = table.task == "classification"
    train, test = train_test_split(
        with_target(table, is_class), test_size=0.25, random_state=job.seed
    )
    seconds, many = runner.seconds_of(draw, job, train)
    few = many[np.random.default_rng(job.seed).permutation(len(many))[: len(test)]]
    figures = {
        "AUC": judges.two_sample_auc(few, test),
        "AUC 20-NN": judges.neighbors_auc(few, test),
        "KS": judges.distance_of_columns(few, test),
        "corr": judges.distance_of_correlations(many, train),
        "DCR": judges.distance_to_training_rows(few, test, train),
        "copies": judges.share_of_copies(few, train)
        - judges.share_of_copies(test, train),
        "time": seconds,
    }
    if table.task is not None:
        figures["TSTR"] = judges.trained_on_drawn(many, train, test, is_class)
    return figures


def with_target(table, is_class):
    if table.y is None:
        return table.X
    y = LabelEncoder().fit_transform(table.y) if is_class else table.y
    return np.column_stack([table.X, y])


def draw(job, train):
    """Draw as many rows as train."""
    if job.method in OURS:
        vae = job.vae(train.shape[1], **OURS[job.method]).fit(train)
        return vae.sample(len(train), random_state=job.seed)
    frame = pd.DataFrame(train).add_prefix("c")
    drawn = rivals.make("draw", job.method)(frame, len(train), job.seed)
    return drawn.to_numpy(float)


def report(runs, args):
    runs = runs.reindex(columns=[*dict.fromkeys([*runs, *FIGURES])])
    parts = []
    for title, its in runner.by_half(runs):
        its = runner.medians(its, ["table", "method"], FIGURES)
        over_tables = its.groupby("method").median()
        over_tables = runner.rows_in_order(over_tables, args)
        parts.append(f"{title}: medians\n\n{runner.show(over_tables)}")
        if "skvae" in over_tables.index:
            parts.append(bars(its))
    aucs = runner.medians(runs, ["table", "method"], ["AUC"])["AUC"]
    return [*parts, f"AUC\n\n{runner.show(runner.table_of(aucs, args))}"]


def bars(medians):
    """Lines of what is wanted of skvae over the tables, and of what it is."""
    wide = {figure: medians[figure].unstack() for figure in FIGURES}
    aucs, ours = wide["AUC"], {figure: of["skvae"] for figure, of in wide.items()}
    lines = [
        f"skvae, median AUC {ours['AUC'].median():.3f} (wanted: <= .58)",
        f"least DCR of a table {ours['DCR'].min():.2f} (wanted: >= .95)",
        f"median AUC of 20-NN {ours['AUC 20-NN'].median():.3f} (wanted: <= .53)",
        f"median TSTR {ours['TSTR'].median():.3f} (wanted: >= -.02)",
    ]
    peers = [m for m in PEERS if m in aucs]
    if "CART" in peers:
        worst = (aucs["skvae"] - aucs["CART"]).max()
        lines.append(f"worst AUC minus CART's {worst:+.3f} (wanted: <= +.08)")
    if peers:
        below = (aucs["skvae"] <= aucs[peers].min(axis=1)).mean()
        what = f"tables on which AUC is below the best of {', '.join(peers)}"
        lines.append(f"{what}: {below:.0%} (wanted: 80 %)")
    return "\n".join(lines)


BENCHMARK = runner.Benchmark(
    name="sampling",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=tables.NAMES,
    methods=(*OURS, *rivals.RIVALS["draw"]),
    needs=rivals.needs("draw"),
    rows=2_000,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
