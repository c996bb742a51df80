"""Does the line between two rows in latent space keep to where rows are?

``python benchmarks/interpolation.py`` prints, for every table, how much likelier the
decoded middle of two rows' latent positions is than the middle of the rows themselves,
and how much nearer to the closest training row.
``--output FILE.png`` draws both lines between rows on a curve.
"""

import argparse
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler
from tables import HALVES, NAMES, load
from threadpoolctl import threadpool_limits

from skvae import VAETransformer

MAX_ROWS = 3_000
N_COMPONENTS = 8
N_PAIRS = 200


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", type=lambda text: text.split(","), default=NAMES)
    parser.add_argument("--output", type=Path, help="picture to write")
    args = parser.parse_args()
    if args.output:
        draw().savefig(args.output, dpi=75)
        return
    jobs = [joblib.delayed(run)(name) for name in args.tables]
    runs = pd.DataFrame(joblib.Parallel(joblib.cpu_count())(jobs))
    print(report(runs))


def run(name):
    """Return how many latent middles are at least as likely, on one thread."""
    torch.set_num_threads(1)
    table = load(name, MAX_ROWS)
    scaler = StandardScaler()
    train, test = train_test_split(table.X, test_size=0.25, random_state=0)
    train, test = scaler.fit_transform(train), scaler.transform(test)
    with threadpool_limits(1):
        vae = VAETransformer(min(N_COMPONENTS, train.shape[1] - 1), random_state=0)
        vae.fit(train)
    pairs = np.random.default_rng(0).integers(0, len(test), (2, N_PAIRS))
    first, second = test[pairs]
    middle = (vae.transform(first) + vae.transform(second)) / 2
    latent, straight = vae.inverse_transform(middle), (first + second) / 2
    gain = vae.score_samples(latent) - vae.score_samples(straight)
    search = NearestNeighbors(n_neighbors=1).fit(train)
    distance = [search.kneighbors(rows)[0].mean() for rows in (latent, straight)]
    return {
        "table": name,
        "half": table.half,
        "share": (gain >= -1e-6).mean(),
        "nats": np.median(gain),
        "distance": distance[0] / distance[1],
    }


def report(runs):
    parts = [
        f"The latent middle of {N_PAIRS} pairs of held-out rows beside their own, "
        f"VAETransformer({N_COMPONENTS}),\nstandardised columns. share: at least as "
        "likely; nats: by how much, median; distance: to\nthe closest training row, as "
        "a share of the other's."
    ]
    for half in HALVES:
        its = runs[runs["half"] == half].drop(columns="half").set_index("table")
        if len(its):
            medians = its.median().round(2).to_string()
            parts.append(f"{half}, {len(its)} tables: medians\n{medians}")
            parts.append(its.round(2).to_string())
    return "\n\n".join(parts)


def draw():
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


if __name__ == "__main__":
    main()
