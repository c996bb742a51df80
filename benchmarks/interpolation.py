"""Does the line between two rows in latent space keep to where rows are?

``python benchmarks/interpolation.py`` runs every table and writes to
``benchmarks/results/interpolation.txt`` how much likelier the decoded middle of two
rows' latent positions is than the middle of the rows themselves, and how much nearer to
the closest training row; with any option it only prints, unless ``--output`` names a
file. ``--figure FILE.png`` draws both lines between rows on a curve; with
``--tables ""`` it does only that.
"""

import judges
import numpy as np
import runner
import tables

from skvae import VAETransformer

N_PAIRS = 200
FIGURES = ["share", "nats", "distance"]

ABOUT = f"""\
The latent middle of {N_PAIRS} pairs of held-out rows beside their own, at the defaults.

Each table is split 75/25 and its columns are standardised.

share     of the pairs whose latent middle is at least as likely
nats      by how much it is likelier, median
distance  to the closest training row, as a share of the other's"""


def measure(job):
    table = tables.load(job.table, job.args.rows)
    split = tables.split(table, job.seed, test_size=0.25)
    vae = job.vae(table.X.shape[1]).fit(split.X_train)
    rng = np.random.default_rng(job.seed)
    first, second = split.X_test[rng.integers(0, len(split.X_test), (2, N_PAIRS))]
    middle = (vae.transform(first) + vae.transform(second)) / 2
    latent, straight = vae.inverse_transform(middle), (first + second) / 2
    gain = vae.score_samples(latent) - vae.score_samples(straight)
    distance = [
        judges.distances_to_nearest(rows, split.X_train).mean()
        for rows in (latent, straight)
    ]
    return {
        "share": (gain >= -1e-6).mean(),
        "nats": np.median(gain),
        "distance": distance[0] / distance[1],
    }


def report(runs, args):
    parts = []
    for title, its in runner.by_half(runs):
        by_table = runner.medians(its, ["table"], FIGURES).round(2)
        medians = by_table.median().round(2).to_string()
        parts.append(f"{title}: medians\n\n{medians}\n\n{by_table.to_string()}")
    return parts


def draw(runs):
    """Draw lines on a curve of its own, whatever the tables."""
    from matplotlib.figure import Figure

    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 1.5 * np.pi, 1_500)
    X = np.column_stack([np.cos(angle), np.sin(angle)])
    X += 0.05 * rng.normal(size=X.shape)
    vae = VAETransformer(1, random_state=0).fit(X)
    pairs = X[[(np.abs(angle - a)).argmin() for a in (0.2, 2.2, 2.6, 4.5)]]
    figure = Figure(figsize=(4.5, 4.2), layout="constrained")
    ax = figure.subplots()
    ax.scatter(*X.T, s=3, color="0.75", label="rows")
    for i, (first, second) in enumerate(pairs.reshape(2, 2, 2)):
        share = np.linspace(0, 1, 50)[:, None]
        ends = vae.transform(np.array([first, second]))
        line = vae.inverse_transform((1 - share) * ends[:1] + share * ends[1:])
        labels = ("straight line", "latent line") if i == 0 else (None, None)
        ax.plot(*np.array([first, second]).T, "C1--", label=labels[0])
        ax.plot(*line.T, "C0", linewidth=2, label=labels[1])
        ax.plot(*np.array([first, second]).T, "ko", markersize=4)
    ax.set(aspect="equal", title="from row to row, one component")
    ax.legend(loc="lower right")
    return figure


BENCHMARK = runner.Benchmark(
    name="interpolation",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=tables.NAMES,
    rows=3_000,
    draw=draw,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
