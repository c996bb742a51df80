"""What does a training step cost beside plain torch and bare matrix products?

``python benchmarks/step.py`` runs every shape and writes microseconds to
``benchmarks/results/step.txt``; with any option it only prints them, unless
``--output`` names a file. A shape is columns:hidden:k:batch, such as 64:256-128:2:64.
"""

import time
from itertools import pairwise

import pandas as pd
import rivals
import runner
import torch
from torch.utils.data import DataLoader, TensorDataset

ABOUT = """\
A training step in microseconds: the median of rounds in which every method runs for the
same time, then (smallest..largest); the ratios are taken round by round. A step gathers
the batch, finds the gradient, updates the weights.

skvae      what `fit` runs, its weights' average and its running noise included
plain      the usual nn.Module, DataLoader with shuffling, Adam
preloaded  the same module, one permutation an epoch, fused Adam
products   the matrix products of skvae's step, and nothing else"""

# columns, hidden layers, components, batch
SHAPES = (
    "10:32:2:64",
    "10:256-128:2:64",
    "30:64-32:4:64",
    "64:128-64:8:128",
    "64:256-128:2:64",
    "50:256-128:8:256",
    "784:512-256:16:256",
)
EPOCH_BATCHES = 20
ROUNDS, SECONDS = 5, 0.3


def skvae(x, hidden, k, batch):
    """Return a function that runs one epoch; all that knows the package's inside."""
    from skvae._likelihoods.gaussian import Gaussian
    from skvae._likelihoods.noise import Tracked
    from skvae._linear.vae import LinearVAE
    from skvae._model.network import VAE, Architecture, initial_parameters
    from skvae._model.rows import Rows
    from skvae._training.loop import Settings, Trainer

    d, generator = x.shape[1], torch.Generator().manual_seed(0)
    shapes = (d, k), k, k, (k, d), d, d, (k + 1, d)
    architecture = Architecture(d, k, hidden, "silu")
    linear = LinearVAE(*map(torch.zeros, shapes))
    vae = VAE(architecture, initial_parameters(architecture, linear, generator))
    floor, within = torch.full((d,), 1e-6), torch.zeros(d)
    options = {"floor": floor, "shared": True, "within": within}
    likelihood = Tracked(Gaussian(torch.ones(d)), share=torch.ones(d), **options)
    settings = Settings(batch, 1, 2e-3, 0.01, 1.0, None, 0.0)
    rows, none = Rows(x, x), Rows(x[:0], x[:0])
    trainer = Trainer(vae, likelihood, rows, none, settings, generator, None)
    return trainer.run_epoch


def plain(x, hidden, k, batch):
    model = rivals.PlainVAE(x.shape[1], hidden, k)
    optimizer = torch.optim.Adam(model.parameters())
    loader = DataLoader(TensorDataset(x), batch_size=batch, shuffle=True)

    def epoch():
        for (rows,) in loader:
            rivals.plain_step(model, optimizer, rows)

    return epoch


def preloaded(x, hidden, k, batch):
    model = rivals.PlainVAE(x.shape[1], hidden, k)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def epoch():
        for rows in torch.randperm(len(x)).split(batch):
            rivals.plain_step(model, optimizer, x[rows])

    return epoch


def products(x, hidden, k, batch):
    """The products of every layer; backwards two, but for those that see x."""
    d = x.shape[1]
    encoder, decoder = (d, *hidden, 2 * k), (k, *hidden[::-1], d)
    shapes = [(d, k), *pairwise(encoder), (k, d), *pairwise(decoder)]
    work = []
    for i, (n_in, n_out) in enumerate(shapes):
        h, weight = torch.randn(batch, n_in), torch.randn(n_in, n_out)
        grad = torch.randn(batch, n_out)
        work.append((h, weight, torch.empty_like(grad)))
        work.append((h.T, grad, torch.empty_like(weight)))
        if i > 1:
            work.append((grad, weight.T, torch.empty_like(h)))

    def epoch():
        for _ in range(EPOCH_BATCHES):
            for a, b, out in work:
                torch.mm(a, b, out=out)

    return epoch


METHODS = {f.__name__: f for f in (skvae, plain, preloaded, products)}
RATIOS = ("plain", "skvae"), ("preloaded", "skvae"), ("skvae", "products")


def measure(job):
    """Return microseconds a step, a record for each method and round."""
    d, hidden, k, batch = job.table.split(":")
    d, k, batch = int(d), int(k), int(batch)
    x = torch.randn(batch * EPOCH_BATCHES, d)
    hidden = tuple(map(int, hidden.split("-")))
    epochs = {m: METHODS[m](x, hidden, k, batch) for m in job.args.methods}
    for epoch in epochs.values():
        epoch()  # warm
    return [
        {"method": method, "round": i, "step": step(epoch, job.args.seconds)}
        for i in range(job.args.rounds)
        for method, epoch in epochs.items()
    ]


def step(epoch, seconds):
    """Run epochs for so many seconds; return microseconds a step."""
    n, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        epoch()
        n += EPOCH_BATCHES
    return 1e6 * elapsed / n


def report(runs, args):
    rows = {}
    for shape, its in runs.groupby("table", sort=False):
        times = its.pivot(index="round", columns="method", values="step")
        row = {m: runner.spread(times[m], ",.0f") for m in args.methods}
        for over, under in RATIOS:
            if {over, under} <= {*times}:
                ratio = times[over] / times[under]
                row[f"{over}/{under}"] = runner.spread(ratio, ".2f")
        rows[shape] = row
    return [pd.DataFrame(rows).T.to_string()]


def add_options(parser):
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="of a method and round"
    )


BENCHMARK = runner.Benchmark(
    name="step",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=SHAPES,
    more_tables=None,
    methods=tuple(METHODS),
    k=None,
    seeds=None,
    workers=1,
    in_turns=True,
    add_options=add_options,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
