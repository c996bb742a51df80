"""The same `random_state` gives the same bits, whatever the process is up to."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import joblib
import numpy as np
import pytest
import torch

from skvae import VAETransformer

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")

LINEAR = {"hidden_layer_sizes": ()}


def test_same_seed_same_bits_in_concurrent_threads(make_vae, curve, predictions):
    def fit(seed):
        vae = VAETransformer(**make_vae(max_iter=4, random_state=seed).get_params())
        return predictions(vae.fit(curve), curve)

    seeds = [0, 1, 2, 3]
    alone = [joblib.hash(fit(seed)) for seed in seeds]
    assert len(set(alone)) == 4
    with ThreadPoolExecutor(8) as pool:
        together = [joblib.hash(found) for found in pool.map(fit, seeds * 2)]
    assert together == alone * 2


WHATEVER_THE_PROCESS = """
import joblib, numpy as np, torch, warnings
from threadpoolctl import threadpool_limits
from skvae import VAETransformer

warnings.simplefilter("ignore")
X = np.random.RandomState(0).normal(size=(400, 160))
X[:, 80:] = np.sin(X[:, :80])

for n_threads in (1, 2, 4):
    torch.set_num_threads(n_threads)
    torch.manual_seed(n_threads)
    np.random.seed(n_threads)
    with threadpool_limits(n_threads, user_api="blas"):
        vae = VAETransformer(early_stopping=False, max_iter=1, random_state=0).fit(X)
        linear = VAETransformer(hidden_layer_sizes=(), random_state=0).fit(X[:100])
        Z = vae.transform(X)
        back, scores = vae.inverse_transform(Z), vae.score_samples(X[:100])
    print(joblib.hash((vae, linear, Z, back, scores)))
    assert torch.get_num_threads() == n_threads
"""


def test_same_seed_same_bits_whatever_the_threads_and_the_global_generators():
    ran = subprocess.run(
        [sys.executable, "-c", WHATEVER_THE_PROCESS],
        capture_output=True,
        text=True,
        check=True,
    )
    hashes = ran.stdout.split()
    assert len(hashes) == 3
    assert len(set(hashes)) == 1


META = torch.device("meta")  # torch's default device while it is a context


@contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    "switch", [torch.no_grad, torch.inference_mode, default_dtype, lambda: META]
)
@pytest.mark.parametrize("parameters", [{}, {"early_stopping": False}, LINEAR])
def test_torchs_switches_change_no_bit(
    switch, parameters, make_vae, curve, predictions
):
    def fit():
        vae = make_vae(max_iter=3, **parameters).fit(curve)
        return joblib.hash((vae.__getstate__(), predictions(vae, curve)))

    expected = fit()
    with switch():
        assert fit() == expected


def test_no_random_state_is_fresh_entropy(make_vae, curve):
    # conftest.py checks that the global generators stay where they are, so that two
    # fits that differ cannot have drawn from them.
    parameters = {"early_stopping": False, "max_iter": 2, "random_state": None}
    first, second = (make_vae(**parameters) for _ in range(2))
    assert first.fit(curve).score(curve) != second.fit(curve).score(curve)
    assert not np.array_equal(first.sample(), first.sample())


def test_a_random_state_instance_moves_on(make_vae, curve):
    def scores():
        random = np.random.RandomState(0)
        vae = make_vae(early_stopping=False, max_iter=2, random_state=random)
        return [vae.fit(curve).score(curve) for _ in range(2)]

    first, second = scores()
    assert first != second
    assert scores() == [first, second]
