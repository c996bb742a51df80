"""What transform, inverse_transform, score_samples and sample cost beside arithmetic.

``python benchmarks/verbs.py`` prints their times over those of their bare matrix
products, the memory they take beyond input and output, and a single row's latency.
"""

import argparse
import statistics
import time
import warnings
from itertools import pairwise
from threading import Event, Thread

import numpy as np
import torch
from step import spread

from skvae import VAETransformer
from skvae._numerics.threads import one_thread

HEADER = """\
{rows:,} rows of 50 columns, 8 components, the default network, one thread, float64: the
median of {rounds} rounds in which verb and products take turns, (smallest..largest).

products  the products of the layers that the verb passes through, chunks of 1,024 rows;
          for score_samples those of the decoder for 128 draws a row
memory    most that the process grew by during the call, less what the call returns
"""


def sizes(d, k, hidden=(256, 128)):
    """Shapes of the layers of the encoder and of the decoder."""
    encoder = [(d, k), *pairwise((d, *hidden, 2 * k))]
    decoder = [(k, d), *pairwise((k, *hidden[::-1], d))]
    return encoder, decoder


def products(layers, n_rows, chunk=1024):
    """Return a function that multiplies, layer by layer, as many rows."""
    work = [
        (torch.randn(chunk, n_in).double(), torch.randn(n_in, n_out).double())
        for n_in, n_out in layers
    ]
    work = [(h, w, torch.empty(chunk, w.shape[1], dtype=h.dtype)) for h, w in work]

    def run():
        with torch.inference_mode(), one_thread():
            for _ in range(n_rows // chunk):
                for h, weight, out in work:
                    torch.mm(h, weight, out=out)

    return run


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def growth(function):
    """Return the most bytes that the process grew by, less those of the result."""
    done, peak = Event(), [resident()]
    before = peak[0]

    def watch():
        while not done.wait(0.001):
            peak[0] = max(peak[0], resident())

    watcher = Thread(target=watch)
    watcher.start()
    result = function()
    done.set()
    watcher.join()
    return max(peak[0] - before - result.nbytes, 0)


def resident():
    """Bytes of the process in memory (Linux)."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_352)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    X = np.tanh(rng.normal(size=(args.rows, 8)) @ rng.normal(size=(8, 50)))
    X += 0.1 * rng.normal(size=X.shape)
    vae = VAETransformer(8, random_state=0, max_iter=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vae.fit(X[:5000])
    if vae.best_iter_ == 0:
        raise SystemExit("the network was not kept: nothing to measure")
    Z = vae.transform(X)
    few = X[: args.rows // 20]
    encoder, decoder = sizes(50, 8)
    draws = len(few) * 128
    cases = {
        "transform": (lambda: vae.transform(X), products(encoder, len(X))),
        "inverse_transform": (
            lambda: vae.inverse_transform(Z),
            products(decoder, len(X)),
        ),
        "sample": (lambda: vae.sample(len(X)), products(decoder, len(X))),
        f"score_samples of {len(few):,}": (
            lambda: vae.score_samples(few),
            products(decoder, draws),
        ),
    }
    print(HEADER.format(**vars(args)))
    print(f"{'':>24}{'seconds':>22}{'over products':>20}{'memory, MB':>12}")
    for name, (verb, bare) in cases.items():
        verb(), bare()
        times = [(seconds(verb), seconds(bare)) for _ in range(args.rounds)]
        ratios = [a / b for a, b in times]
        print(
            f"{name:>24}{spread([a for a, _ in times], '.3f'):>22}"
            f"{spread(ratios, '.2f'):>20}{growth(verb) / 1e6:>12.0f}",
            flush=True,
        )
    latency(vae, X[:1])


def latency(vae, row, n=2000):
    from sklearn.utils.validation import validate_data

    def validate():
        options = {"dtype": [np.float64, np.float32], "ensure_all_finite": False}
        validate_data(vae, row, reset=False, **options)

    def microseconds(function):
        return 1e6 * seconds(lambda: [function() for _ in range(n)]) / n

    both = [
        (microseconds(lambda: vae.transform(row)), microseconds(validate))
        for _ in range(7)
    ]
    whole, validated = (statistics.median(times) for times in zip(*both, strict=True))
    print(
        f"\ntransform of one row: {whole:.0f} us, validate_data {validated:.0f} of it"
    )


if __name__ == "__main__":
    main()
