"""Do intervals cover what they say: the decoder's noise and the posterior's width.

``python benchmarks/calibration.py`` runs every table and writes to
``benchmarks/results/calibration.txt`` how many of the held-out entries lie within the
decoder's intervals, and how often the posterior's hold the z that a row was drawn from;
with any option it only prints, unless ``--output`` names a file. ``--figure FILE.png``
draws it.
"""

import judges
import numpy as np
import runner
import tables
import torch
from sklearn.model_selection import train_test_split

SHARES = [f"{share:.2f}" for share in np.linspace(0.05, 0.95, 19)]
TOLD = ["0.50", "0.90"]
WHAT = {
    "entries": "held-out entries, decoder's noise",
    "z": "z of drawn rows, posterior",
}

ABOUT = """\
Share of what lies within central intervals, held-out rows, at the defaults.

Each table is split 75/25.

entries   of the held-out rows, within the intervals of the decoder's noise around what
          a draw of their z decodes to
z         of drawn rows, within the intervals of the posteriors of these rows"""


# The package's internals are used here and nowhere else.


def decode(vae, z):  # (n, k) -> (n, d), (n, d)
    """Return the mean and the noise variance of standardised rows at z."""
    network, z = vae._density.parts[0], torch.from_numpy(z)
    with torch.inference_mode():
        noise = network.likelihood.given(z)
        return network.coder.decode(z).numpy(), noise.variance.numpy()


def draw_z_and_posterior(vae, n):
    """Draw z and rows; return the z and what the network says of it from the rows."""
    network, generator = vae._density.parts[0], torch.Generator().manual_seed(0)
    with torch.inference_mode():
        z = network.prior.sample(n, generator)
        decoded = network.coder.decode(z)
        x = network.likelihood.given(z).sample(decoded, generator)
        mean, log_var = network.coder.encode(x)
    return z.numpy(), mean.numpy(), (0.5 * log_var).exp().numpy()


# The measure


def measure(job):
    """Return one record of entries and one of z: the share covered by interval."""
    table = tables.load(job.table, job.args.rows)
    train, test = train_test_split(table.X, test_size=0.25, random_state=job.seed)
    vae = job.vae(table.X.shape[1]).fit(train)
    distances = {"entries": distances_of_entries(vae, test), "z": distances_of_z(vae)}
    return [{"what": what} | covered(distance) for what, distance in distances.items()]


def covered(distances):
    found = judges.coverage_of_normal(distances, np.array(SHARES, dtype=float))
    return dict(zip(SHARES, found.values(), strict=True))


def distances_of_entries(vae, X):
    """From entries to their decoded z, in standard deviations of the noise."""
    mean, std = vae.posterior(X)
    z = mean + std * np.random.default_rng(0).normal(size=mean.shape)
    decoded, variance = decode(vae, z)
    return ((X - vae.mean_) / vae.scale_ - decoded) / np.sqrt(variance)


def distances_of_z(vae, n=2_000):
    """From the z of drawn rows to their posteriors' means, in standard deviations."""
    z, mean, std = draw_z_and_posterior(vae, n)
    return (z - mean) / std


# The report


def report(runs, args):
    parts = []
    for title, its in runner.by_half(runs):
        lines = [f"{title}: median (quartiles)"]
        for what, found in its.groupby("what", sort=False):
            for share in TOLD:
                low, middle, high = found[share].quantile([0.25, 0.5, 0.75])
                figures = f"{middle:.3f} ({low:.3f}..{high:.3f})"
                lines.append(f"  {what:8} within {float(share):.0%}: {figures}")
        parts.append("\n".join(lines))
    by_table = runner.medians(runs, ["table", "what"], TOLD).unstack("what")
    by_table = by_table.swaplevel(axis=1)[list(WHAT)]
    return [*parts, runner.show(by_table)]


def draw(runs):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    widths = [float(share) for share in SHARES]
    for ax, (what, title) in zip(figure.subplots(1, 2), WHAT.items(), strict=True):
        shares = runs.loc[runs["what"] == what, SHARES].to_numpy()
        ax.plot(widths, shares.T, color="C0", alpha=0.2, linewidth=1)
        ax.plot(widths, np.median(shares, axis=0), color="C0", label="median table")
        ax.plot([0, 1], [0, 1], color="k", linestyle=":", label="calibrated")
        ax.set(title=title, xlabel="share of the interval", ylabel="share covered")
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        ax.legend(loc="lower right")
    return figure


BENCHMARK = runner.Benchmark(
    name="calibration",
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
