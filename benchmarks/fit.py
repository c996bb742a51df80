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
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from step import PlainVAE, plain_step, spread
from tables import load
from torch.utils.data import DataLoader, TensorDataset

from skvae import VAETransformer

HEADER = """\
Seconds of a fit with k={k} at each library's defaults, all threads: the median of
{rounds} rounds in which the methods take turns, (smallest..largest). 80 % of at most
{rows:,} rows train, standardised; R2 is of the rows held out, rebuilt from their
embedding. Imports and first calls are left out: each fits a toy first. "times" is a
method's seconds over skvae's, round by round; "to its R2", over those of the shortest
of skvae's fits that is as good on the same rows: the closed form, max_iter=1, 2, 5, 10,
20, 50, or the default. A rival that none of them reaches is marked.

notebook  the usual nn.Module, DataLoader and Adam, 100 epochs in batches of 128
skorch    the same module under skorch.NeuralNet with Adam, its 10 epochs
pyod      pyod.models.vae.VAE, 30 epochs in batches of 32
pythae    pythae's VAE and BaseTrainer, 100 epochs in batches of 64, on columns scaled
          to [0, 1], as its decoder ends in a sigmoid
umap      its toy took {compiled:.0f} s, for numba to compile; R2 left out
seeded    umap with a random_state: reproducible, as skvae is, and so on one thread
"""

TABLES = "digits,diamonds,randhie,shuttle,caravan,mnist"


def skvae(X, k, seed, **options):
    vae = VAETransformer(k, random_state=seed, **options).fit(X)
    return lambda X: vae.inverse_transform(vae.transform(X))


def seconds_to_reach(r2, train, test, k, seed):
    """Return the seconds of the shortest fit that is as good, or None."""
    shorter = [{"hidden_layer_sizes": ()}, *({"max_iter": m} for m in SHORTER), {}]
    for options in shorter:
        spent, rebuild = seconds(skvae, train, k, seed, **options)
        if score(rebuild, test) >= r2:
            return spent
    return None


def score(rebuild, X):
    """R2 over all entries of standardised rows."""
    return 1 - ((X - rebuild(X)) ** 2).sum() / (X**2).sum()


def pca(X, k, seed):
    pca = PCA(k, random_state=seed).fit(X)
    return lambda X: pca.inverse_transform(pca.transform(X))


def umap(X, k, seed, **options):
    from umap import UMAP

    UMAP(n_components=k, **options).fit(X)


def seeded(X, k, seed):
    umap(X, k, seed, random_state=seed)


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


FITS = skvae, pca, umap, seeded, notebook, skorch, pyod, pythae
METHODS = {fit.__name__: fit for fit in FITS}
PACKAGES = {"pca": "sklearn", "seeded": "umap", "notebook": "torch"}  # else the name
SHORTER = 1, 2, 5, 10, 20, 50  # epochs


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", default=TABLES)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--k", type=int, default=2)
    args = parser.parse_args()
    asked = args.methods.split(",")
    missing = [name for name in asked if not find_spec(PACKAGES.get(name, name))]
    methods = [name for name in asked if name not in missing]
    toy = np.random.default_rng(0).normal(size=(100, 5))
    warm = {name: seconds(METHODS[name], toy, 2, 0)[0] for name in methods}
    print(HEADER.format(compiled=warm.get("umap", 0.0), **vars(args)))
    if missing:
        print("not installed:", ", ".join(missing), "\n")
    rows = [run(table, methods, args) for table in args.tables.split(",")]
    print("median over tables:")
    for name in methods:
        line = f"{name:>10}{spread([row[name][0] for row in rows], '.2f'):>24} times"
        reached = [row[name][1] for row in rows if row[name][1]]
        if reached:
            line += f"{spread(reached, '.1f'):>24} times to its R2"
        print(line, flush=True)
    ratios = [two_beside_one(load(TABLES.partition(",")[0]).X) for _ in range(5)]
    found = spread(ratios, ".2f")
    print(f"two fits under GridSearchCV(n_jobs=2) over one: {found} times")


def two_beside_one(X):
    """Return the seconds of two fits in two processes over those of one in one."""
    one, two = (
        GridSearchCV(
            VAETransformer(),
            {"random_state": [0] * n_fits},
            cv=[(np.arange(len(X)), np.arange(len(X)))],
            refit=False,
            n_jobs=n_fits,
        )
        for n_fits in (1, 2)
    )
    two.fit(X)  # starts the processes
    alone, _ = seconds(one.fit, X)
    together, _ = seconds(two.fit, X)
    return together / alone


def run(name, methods, args):
    """Print a table's figures; return each method's two ratios, medians of rounds."""
    X = load(name, max_rows=args.rows).X
    times, scores, reached = ({m: [] for m in methods} for _ in range(3))
    for seed in range(args.rounds):
        train, test = train_test_split(X, test_size=0.2, random_state=seed)
        scale = StandardScaler().fit(train)
        train, test = scale.transform(train), scale.transform(test)
        for method in methods:
            spent, rebuild = seconds(METHODS[method], train, args.k, seed)
            times[method].append(spent)
            if rebuild:
                scores[method].append(score(rebuild, test))
        for method in methods:
            if method == "skvae" or not scores[method]:
                continue
            r2 = scores[method][-1]
            ours = seconds_to_reach(r2, train, test, args.k, seed)
            reached[method].append(times[method][-1] / ours if ours else 0.0)
    print(f"{name}: {len(train):,} rows, {train.shape[1]} columns")
    medians = {}
    for method in methods:
        ratios = [a / b for a, b in zip(times[method], times["skvae"], strict=True)]
        line = f"{method:>10}{spread(times[method], '.2f'):>22} s"
        line += f"{spread(ratios, '.2f'):>23} times"
        to_its_r2 = None
        if scores[method]:
            line += f"   R2 {statistics.median(scores[method]):6.3f}"
        if reached[method]:
            to_its_r2 = statistics.median(reached[method])
            line += f"{spread(reached[method], '.1f'):>26} times to its R2"
            line += "" if to_its_r2 else " (not reached)"
        medians[method] = statistics.median(ratios), to_its_r2
        print(line, flush=True)
    print(flush=True)
    return medians


def seconds(fit, *args, **options):
    """Return the seconds that a fit takes, and what it returns; silence the rest."""
    quiet = contextlib.redirect_stdout(io.StringIO())
    with quiet, contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        found = fit(*args, **options)
        return time.perf_counter() - start, found


if __name__ == "__main__":
    main()
