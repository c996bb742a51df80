"""Do intervals cover what they say: the decoder's noise and the posterior's width.

``python benchmarks/calibration.py`` prints how many of the tables' held-out entries lie
within the decoder's 50 % and 90 % intervals, and how often the posterior's hold the z
that a row was drawn from. ``--output FILE.png`` draws it.
"""

import argparse
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from scipy.stats import norm
from sklearn.model_selection import train_test_split
from tables import HALVES, NAMES, load
from threadpoolctl import threadpool_limits

from skvae import VAETransformer

MAX_ROWS = 3_000
N_COMPONENTS = 8
LEVELS = np.linspace(0.05, 0.95, 19)
TOLD = 0.5, 0.9


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", type=lambda text: text.split(","), default=NAMES)
    parser.add_argument("--output", type=Path, help="picture to write")
    args = parser.parse_args()
    jobs = [joblib.delayed(run)(name) for name in args.tables]
    runs = pd.DataFrame(joblib.Parallel(joblib.cpu_count())(jobs))
    print(report(runs))
    if args.output:
        draw(runs).savefig(args.output, dpi=75)


def run(name):
    """Return the share covered at each level, on one thread."""
    torch.set_num_threads(1)
    table = load(name, MAX_ROWS)
    train, test = train_test_split(table.X, test_size=0.25, random_state=0)
    k = min(N_COMPONENTS, table.X.shape[1] - 1)
    with threadpool_limits(1):
        vae = VAETransformer(k, random_state=0).fit(train)
        found = {"entries": entries(vae, test), "z": latents(vae)}
    return {"table": name, "half": table.half} | {
        what: coverage(distances) for what, distances in found.items()
    }


def entries(vae, X):
    """Return how far held-out entries are from what a draw of their z decodes to.

    In standard deviations of the noise.
    """
    mean, std = vae.posterior(X)
    z = mean + std * np.random.default_rng(0).normal(size=mean.shape)
    x = (X - vae.mean_) / vae.scale_
    with torch.inference_mode():
        error = x - vae._model.decode(torch.from_numpy(z)).numpy()
        noise = vae._model.likelihood.given(torch.from_numpy(z))
    return error / np.sqrt(noise.variance.numpy())


def latents(vae, n=2_000):
    """Return how far the network's own z are from their posteriors' means."""
    model, generator = vae._model, torch.Generator().manual_seed(0)
    with torch.inference_mode():
        z = torch.randn(n, vae.n_components_, generator=generator, dtype=torch.float64)
        if model.prior:
            z = model.prior.sample(n, generator)
        x = model.likelihood.given(z).sample(model.decode(z), generator)
        mean, log_var = model.encode(x)
    return ((z - mean) / (0.5 * log_var).exp()).numpy()


def coverage(distances):
    within = norm.ppf(0.5 + LEVELS / 2)
    return np.array([(np.abs(distances) <= bound).mean() for bound in within])


def report(runs):
    lines = [f"Share covered, VAETransformer({N_COMPONENTS}), held-out rows", ""]
    at = {level: int(np.abs(LEVELS - level).argmin()) for level in TOLD}
    for half in HALVES:
        its = runs[runs["half"] == half]
        if its.empty:
            continue
        lines.append(f"{half}, {len(its)} tables: median (quartiles)")
        for what in "entries", "z":
            shares = np.stack(its[what].to_numpy())
            for level, i in at.items():
                low, middle, high = np.quantile(shares[:, i], [0.25, 0.5, 0.75])
                found = f"{middle:.3f} ({low:.3f}..{high:.3f})"
                lines.append(f"  {what:8} within {level:.0%}: {found}")
    lines += ["", f"{'':16}entries 50 %, 90 %      z 50 %, 90 %"]
    for _, row in runs.iterrows():
        shares = [row[what][i] for what in ("entries", "z") for i in at.values()]
        lines.append(f"{row['table']:16}" + "".join(f"{s:10.3f}" for s in shares))
    return "\n".join(lines)


def draw(runs):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    titles = {
        "entries": "held-out entries, decoder's noise",
        "z": "z of drawn rows, posterior",
    }
    for ax, (what, title) in zip(figure.subplots(1, 2), titles.items(), strict=True):
        shares = np.stack(runs[what].to_numpy())
        ax.plot(LEVELS, shares.T, color="C0", alpha=0.2, linewidth=1)
        ax.plot(LEVELS, np.median(shares, axis=0), color="C0", label="median table")
        ax.plot([0, 1], [0, 1], color="k", linestyle=":", label="calibrated")
        ax.set(title=title, xlabel="level of the interval", ylabel="share covered")
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        ax.legend(loc="lower right")
    return figure


if __name__ == "__main__":
    main()
