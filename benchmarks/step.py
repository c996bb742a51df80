"""Microseconds of a training step: skvae's beside plain torch and bare arithmetic.

``python benchmarks/step.py`` runs every shape; the header says what is measured.
"""

import argparse
import statistics
import time
from itertools import pairwise

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from skvae._likelihoods.gaussian import Gaussian
from skvae._linear.anchor import LinearVAE
from skvae._model.network import VAE, Architecture, initial_parameters
from skvae._training.loop import Settings, _Trainer

HEADER = """\
A training step in microseconds, on {threads} thread(s): the median of {rounds} rounds
in which every method runs {seconds:g} s, then (smallest..largest); the ratios are
taken round by round. A step gathers the batch, finds the gradient, updates the weights.

skvae      what `fit` runs, its weights' average and its running noise included
plain      the usual nn.Module, DataLoader with shuffling, Adam
preloaded  the same module, one permutation an epoch, fused Adam
products   the matrix products of skvae's step, and nothing else
"""

# columns, hidden layers, components, batch
SHAPES = [
    (10, (32,), 2, 64),
    (10, (256, 128), 2, 64),
    (30, (64, 32), 4, 64),
    (64, (128, 64), 8, 128),
    (64, (256, 128), 2, 64),
    (50, (256, 128), 8, 256),
    (784, (512, 256), 16, 256),
]
EPOCH_BATCHES = 20


class PlainVAE(nn.Module):
    """As written in most notebooks."""

    def __init__(self, d, hidden, k):
        super().__init__()
        self.encoder = mlp((d, *hidden))
        self.mean = nn.Linear(hidden[-1], k)
        self.log_var = nn.Linear(hidden[-1], k)
        self.decoder = nn.Sequential(mlp((k, *hidden[::-1])), nn.Linear(hidden[0], d))

    def forward(self, x):
        h = self.encoder(x)
        mean, log_var = self.mean(h), self.log_var(h)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        return self.decoder(z), mean, log_var


def mlp(sizes):
    layers = [(nn.Linear(n_in, n_out), nn.SiLU()) for n_in, n_out in pairwise(sizes)]
    return nn.Sequential(*(module for pair in layers for module in pair))


def plain_step(model, optimizer, x):
    decoded, mean, log_var = model(x)
    error = (x - decoded).square().sum(dim=1)
    kl = 0.5 * (mean.square() + log_var.exp() - log_var - 1).sum(dim=1)
    loss = (0.5 * error + kl).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def plain(x, hidden, k, batch):
    """Return a function that runs one epoch."""
    model = PlainVAE(x.shape[1], hidden, k)
    optimizer = torch.optim.Adam(model.parameters())
    loader = DataLoader(TensorDataset(x), batch_size=batch, shuffle=True)

    def epoch():
        for (rows,) in loader:
            plain_step(model, optimizer, rows)

    return epoch


def preloaded(x, hidden, k, batch):
    model = PlainVAE(x.shape[1], hidden, k)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def epoch():
        for rows in torch.randperm(len(x)).split(batch):
            plain_step(model, optimizer, x[rows])

    return epoch


def skvae(x, hidden, k, batch):
    d = x.shape[1]
    zeros = [torch.zeros(shape).numpy() for shape in ((d, k), k, k, (k, d), d, d)]
    architecture = Architecture(d, k, hidden, "silu")
    generator = torch.Generator().manual_seed(0)
    flat = initial_parameters(architecture, LinearVAE(*zeros), generator)
    likelihood = Gaussian(torch.ones(d), floor=1e-6, shared=True)
    settings = Settings(batch, 1, 2e-3, 0.01, 1.0, None, 0.0)
    vae = VAE(architecture, flat)
    trainer = _Trainer(vae, likelihood, x, settings, generator)
    return lambda: trainer.epoch(0)


def products(x, hidden, k, batch):
    """The products of every layer; backwards two, but for those that see x."""
    d = x.shape[1]
    encoder, decoder = (d, *hidden, 2 * k), (k, *hidden[::-1], d)
    shapes = [(d, k), *pairwise(encoder), (k, d), *pairwise(decoder)]
    work = []
    for i, (n_in, n_out) in enumerate(shapes):
        h, weight, grad = (
            torch.randn(*s) for s in ((batch, n_in), (n_in, n_out), (batch, n_out))
        )
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


def measure(shape, rounds, seconds):
    """Return microseconds a step, a list by method."""
    d, hidden, k, batch = shape
    x = torch.randn(batch * EPOCH_BATCHES, d)
    epochs = {name: make(x, hidden, k, batch) for name, make in METHODS.items()}
    for epoch in epochs.values():
        epoch()  # warm
    times = {name: [] for name in METHODS}
    for _ in range(rounds):
        for name, epoch in epochs.items():
            n, start = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - start) < seconds:
                epoch()
                n += EPOCH_BATCHES
            times[name].append(1e6 * elapsed / n)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="a method and round")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(HEADER.format(**vars(args)))
    print(f"{'d':>4} {'hidden':>10} {'k':>3} {'batch':>5}", end="")
    for name in METHODS:
        print(f"{name:>25}", end="")
    print("   plain/skvae  preloaded/skvae   skvae/products")
    for shape in SHAPES:
        times = measure(shape, args.rounds, args.seconds)
        d, hidden, k, batch = shape
        print(f"{d:>4} {','.join(map(str, hidden)):>10} {k:>3} {batch:>5}", end="")
        for values in times.values():
            print(f"{spread(values, ',.0f'):>25}", end="")
        for over, under in (
            ("plain", "skvae"),
            ("preloaded", "skvae"),
            ("skvae", "products"),
        ):
            ratios = [a / b for a, b in zip(times[over], times[under], strict=True)]
            print(f"   {spread(ratios, '.2f')}", end="")
        print(flush=True)


def spread(values, form):
    low, high = (format(edge(values), form) for edge in (min, max))
    return f"{format(statistics.median(values), form)} ({low}..{high})"


if __name__ == "__main__":
    main()
