"""Seconds of a whole default fit, beside those of PCA, UMAP and other VAEs.

``python benchmarks/fit.py`` runs what is installed and names what is not; the header
says what is measured.
"""

import argparse
import contextlib
import io
import statistics
import tempfile
import time
import warnings
from importlib.util import find_spec

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from step import PlainVAE, plain_step, spread
from tables import load
from torch.utils.data import DataLoader, TensorDataset

from skvae import VAETransformer

HEADER = """\
Seconds of a fit with k={k} at each library's defaults, all threads: the median of
{rounds} rounds in which the methods take turns, (smallest..largest). 80 % of at most
{rows:,} rows train, standardised; R2 is of the rows held out, rebuilt from their
embedding. "times" is a method's seconds over skvae's, round by round. A rival that
skvae's R2 does not reach is marked: it may have needed the time.

notebook  the usual nn.Module, DataLoader and Adam, 100 epochs in batches of 128
skorch    the same module under skorch.NeuralNet with Adam, its 10 epochs
pyod      pyod.models.vae.VAE, 30 epochs in batches of 32
pythae    pythae's VAE and BaseTrainer, 100 epochs in batches of 64, on columns scaled
          to [0, 1], as its decoder ends in a sigmoid
umap      after a toy for numba to compile ({compiled:.0f} s); R2 left out
"""

TABLES = "digits,wine,diamonds,randhie,shuttle,caravan,mnist,bfi"


def skvae(X, k, seed):
    vae = VAETransformer(k, random_state=seed).fit(X)
    return lambda X: vae.inverse_transform(vae.transform(X))


def pca(X, k, seed):
    pca = PCA(k, random_state=seed).fit(X)
    return lambda X: pca.inverse_transform(pca.transform(X))


def umap(X, k, seed):
    from umap import UMAP

    UMAP(n_components=k).fit(X)  # without a seed it may use all threads


def notebook(X, k, seed, epochs=100):
    model, x = PlainVAE(X.shape[1], (128, 64), k), tensor(X)
    optimizer = torch.optim.Adam(model.parameters())
    loader = DataLoader(TensorDataset(x), batch_size=128, shuffle=True)
    for _ in range(epochs):
        for (batch,) in loader:
            plain_step(model, optimizer, batch)
    return lambda X: rebuilt(model, X)


def skorch(X, k, seed):
    from skorch import NeuralNet

    class Loss(torch.nn.Module):
        def forward(self, output, x):
            decoded, mean, log_var = output
            error = (x - decoded).square().sum(dim=1)
            kl = (mean.square() + log_var.exp() - log_var - 1).sum(dim=1)
            return 0.5 * (error + kl).mean()

    net = NeuralNet(
        PlainVAE,
        Loss,
        module__d=X.shape[1],
        module__hidden=(128, 64),
        module__k=k,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        iterator_train__shuffle=True,
        verbose=0,
    )
    x = X.astype(np.float32)
    net.fit(x, x)
    return lambda X: rebuilt(net.module_, X)


def pyod(X, k, seed):
    from pyod.models.vae import VAE

    vae = VAE(latent_dim=k, random_state=seed, verbose=0).fit(X)
    vae.model.eval()
    scale = StandardScaler().fit(X)  # as it does within

    def rebuild(X):
        with torch.no_grad():
            decoded = vae.model(tensor(scale.transform(X)))[0]
        return scale.inverse_transform(decoded.numpy())

    return rebuild


def pythae(X, k, seed):
    from pythae.models import VAE, VAEConfig
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig

    scale = MinMaxScaler().fit(X)
    with tempfile.TemporaryDirectory() as folder:
        model = VAE(VAEConfig(input_dim=(X.shape[1],), latent_dim=k))
        config = BaseTrainerConfig(output_dir=folder, num_epochs=100, no_cuda=True)
        x = scale.transform(X).astype(np.float32)
        TrainingPipeline(model=model, training_config=config)(x)

    def rebuild(X):
        with torch.no_grad():
            decoded = model.decoder(model.encoder(tensor(scale.transform(X))).embedding)
        return scale.inverse_transform(decoded.reconstruction.numpy())

    return rebuild


def rebuilt(model, X):
    x = tensor(X)
    with torch.no_grad():
        return model.decoder(model.mean(model.encoder(x))).numpy()


def tensor(X):
    return torch.from_numpy(X.astype(np.float32))


METHODS = {f.__name__: f for f in (skvae, pca, umap, notebook, skorch, pyod, pythae)}
NEEDS = {"umap": "umap", "skorch": "skorch", "pyod": "pyod", "pythae": "pythae"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", default=TABLES)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--k", type=int, default=2)
    args = parser.parse_args()
    asked = args.methods.split(",")
    missing = [name for name in asked if not find_spec(NEEDS.get(name, "torch"))]
    methods = [name for name in asked if name not in missing]
    compiled = seconds(umap, np.eye(50), 2, 0)[0] if "umap" in methods else 0.0
    print(HEADER.format(compiled=compiled, **vars(args)))
    if missing:
        print("not installed:", ", ".join(missing), "\n")
    rows = [run(table, methods, args) for table in args.tables.split(",")]
    print("times skvae's seconds, median over tables:")
    for name in methods:
        ratios = [row[name] for row in rows]
        print(f"{name:>10} {spread(ratios, '.2f')}", flush=True)


def run(name, methods, args):
    """Print a table's figures; return the median ratio of each method."""
    X = load(name, max_rows=args.rows).X
    times, scores = {m: [] for m in methods}, {m: [] for m in methods}
    for seed in range(args.rounds):
        train, test = train_test_split(X, test_size=0.2, random_state=seed)
        scale = StandardScaler().fit(train)
        train, test = scale.transform(train), scale.transform(test)
        for method in methods:
            spent, rebuild = seconds(METHODS[method], train, args.k, seed)
            times[method].append(spent)
            if rebuild:
                residual = test - rebuild(test)
                scores[method].append(1 - (residual**2).sum() / (test**2).sum())
    print(f"{name}: {len(train):,} rows, {train.shape[1]} columns")
    medians = {}
    for method in methods:
        ratios = [a / b for a, b in zip(times[method], times["skvae"], strict=True)]
        medians[method] = statistics.median(ratios)
        line = f"{method:>10}{spread(times[method], '.2f'):>24} s"
        line += f"{spread(ratios, '.2f'):>24} times"
        if scores[method]:
            r2 = statistics.median(scores[method])
            ahead = r2 > statistics.median(scores["skvae"])
            line += f"   R2 {r2:6.3f}{' not reached' if ahead else ''}"
        print(line, flush=True)
    print()
    return medians


def seconds(fit, *args):
    """Return the seconds that a fit takes, and what it returns; silence the rest."""
    quiet = contextlib.redirect_stdout(io.StringIO())
    with quiet, contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        found = fit(*args)
        return time.perf_counter() - start, found


if __name__ == "__main__":
    main()
