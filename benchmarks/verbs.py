"""What do transform, inverse_transform, score_samples and sample cost?

``python benchmarks/verbs.py`` writes their times over those of their bare matrix
products, the memory they take beyond input and output, and a single row's latency to
``benchmarks/results/verbs.txt``; with any option it only prints them, unless
``--output`` names a file.
"""

from itertools import pairwise
from threading import Event, Thread

import numpy as np
import pandas as pd
import runner
import torch
from sklearn.utils.validation import validate_data

SIZE = "100352x50"
ROUNDS = 5
CHUNK_ROWS = 1_024
DRAWS = 128  # of z, for each row that score_samples scores
FIT_ROWS = 5_000
LATENCY_CALLS = 2_000

ABOUT = f"""\
What the verbs cost, in float64: the median of rounds in which verb and products take
turns, (smallest..largest). The network is the default one, after a few epochs.

products  the products of the layers that the verb passes through, chunks of \
{CHUNK_ROWS:,}
          rows; for score_samples those of the decoder for {DRAWS} draws a row
memory    most MB that the process grew by during the call, less what it returns
one row   microseconds of transform, and of validate_data within it"""


def measure(job):
    """Return a record for each verb and round, and for each round of single rows."""
    n, d = map(int, job.table.split("x"))
    rng = np.random.default_rng(0)
    X = np.tanh(rng.normal(size=(n, 8)) @ rng.normal(size=(8, d)))
    X += 0.1 * rng.normal(size=X.shape)
    vae = job.vae(d, max_iter=3, early_stopping=False).fit(X[:FIT_ROWS])
    records = []
    for name, (verb, bare) in cases(vae, X).items():
        verb(), bare()
        for i in range(job.args.rounds):
            seconds, products = (runner.seconds_of(f)[0] for f in (verb, bare))
            figures = {"seconds": seconds, "over products": seconds / products}
            records.append({"verb": name, "round": i} | figures)
        records[-1]["memory"] = growth(verb) / 1e6
    few = {"verb": "one row"}
    return records + [few | latency(vae, X[:1], job) for _ in range(job.args.rounds)]


def cases(vae, X):
    """Return each verb, and a function that multiplies as much as it has to."""
    Z, few = vae.transform(X), X[: max(len(X) // 20, 1)]
    hidden = tuple(vae.hidden_layer_sizes)
    encoder, decoder = layers(X.shape[1], vae.n_components_, hidden)
    n_draws = len(few) * DRAWS
    return {
        "transform": (lambda: vae.transform(X), products(encoder, len(X))),
        "inverse_transform": (
            lambda: vae.inverse_transform(Z),
            products(decoder, len(X)),
        ),
        "sample": (lambda: vae.sample(len(X)), products(decoder, len(X))),
        f"score_samples of {len(few):,}": (
            lambda: vae.score_samples(few),
            products(decoder, n_draws),
        ),
    }


def layers(d, k, hidden):
    """Shapes of the layers of the encoder and of the decoder."""
    encoder = [(d, k), *pairwise((d, *hidden, 2 * k))]
    decoder = [(k, d), *pairwise((k, *hidden[::-1], d))]
    return encoder, decoder


def products(layers, n_rows):
    """Return a function that multiplies, layer by layer, as many rows."""
    work = []
    for n_in, n_out in layers:
        h, weight = torch.randn(CHUNK_ROWS, n_in), torch.randn(n_in, n_out)
        out = torch.empty(CHUNK_ROWS, n_out)
        work.append((h.double(), weight.double(), out.double()))

    def run():
        with torch.inference_mode():
            for _ in range(max(n_rows // CHUNK_ROWS, 1)):
                for h, weight, out in work:
                    torch.mm(h, weight, out=out)

    return run


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


def latency(vae, row, job):
    """Return microseconds of transform of a row, and of the validation within."""

    def validate():
        options = {"dtype": [np.float64, np.float32], "ensure_all_finite": False}
        validate_data(vae, row, reset=False, **options)

    def microseconds(function):
        n = job.args.calls
        seconds, _ = runner.seconds_of(lambda: [function() for _ in range(n)])
        return 1e6 * seconds / n

    transform = microseconds(lambda: vae.transform(row))
    return {"transform": transform, "validate_data": microseconds(validate)}


def report(runs, args):
    rows = {}
    is_one_row = runs["verb"] == "one row"
    for verb, its in runs[~is_one_row].groupby("verb", sort=False):
        rows[verb] = {
            "seconds": runner.spread(its["seconds"], ".3f"),
            "over products": runner.spread(its["over products"], ".2f"),
            "memory": f"{its['memory'].max():.0f}",
        }
    one = runs.loc[is_one_row, ["transform", "validate_data"]].median()
    return [
        f"skvae\n{pd.DataFrame(rows).T.to_string()}\n\n"
        f"one row: transform {one['transform']:.0f} us, validate_data "
        f"{one['validate_data']:.0f} of it"
    ]


def add_options(parser):
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--calls", type=int, default=LATENCY_CALLS, help="for one row")


BENCHMARK = runner.Benchmark(
    name="verbs",
    doc=__doc__,
    about=ABOUT,
    measure=measure,
    report=report,
    tables=(SIZE,),
    more_tables=None,
    seeds=None,
    workers=1,
    add_options=add_options,
)


if __name__ == "__main__":
    runner.main(BENCHMARK)
