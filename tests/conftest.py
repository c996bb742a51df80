"""What the tests share: a guard over the process's state, tables and estimators."""

import os

# Before anything imports scipy: estimator checks of array API input need it.
os.environ["SCIPY_ARRAY_API"] = "1"

import random
import signal
import warnings

import numpy as np
import pytest
import sympy  # noqa: F401  (torch imports it late, which changes warning filters)
import torch
from threadpoolctl import threadpool_limits

from skvae import VAETransformer

# A shell that runs tests in the background has them ignore Ctrl-C, and nohup that the
# terminal goes; some tests send these signals.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

pytest.register_assert_rewrite("helpers", "likelihoods")

# Two pytest workers share two cores. When four threads of OpenBLAS do, a factor
# analysis of five columns takes a second instead of 30 ms.
torch.set_num_threads(1)
threadpool_limits(1, user_api="blas")

# Enough for a small network to leave PCA far behind on `curve`, in a quarter second.
QUICK = {
    "hidden_layer_sizes": (16,),
    "learning_rate_init": 1e-2,
    "max_iter": 20,
    "random_state": 0,
}


def process_state():
    """Everything global that the library could disturb, by name."""
    return {
        "numpy's global generator": repr(np.random.get_state(legacy=False)),  # noqa: NPY002
        "torch's global generator": torch.get_rng_state().tolist(),
        "Python's global generator": random.getstate(),
        "numpy's handling of floating point errors": np.geterr(),
        "torch's number of threads": torch.get_num_threads(),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's grad mode": torch.is_grad_enabled(),
        "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
        "warnings.filters": list(warnings.filters),
    }


# A hook and not a fixture: pytest resets the warning filters between the phases of a
# test, so that a fixture's teardown sees none that the call left behind.
@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    before = process_state()
    result = yield
    after = process_state()
    changed = [name for name in before if after[name] != before[name]]
    assert not changed, f"The test changed {', '.join(changed)}."
    return result


@pytest.fixture(scope="session")
def make_vae():
    """Build an estimator that trains in a quarter second."""

    def make_vae(**parameters):
        return VAETransformer(**{**QUICK, **parameters})

    return make_vae


@pytest.fixture(scope="session")
def curve():
    """Rows along a bent curve, (200, 4), each column in its own unit; read-only."""
    rng = np.random.default_rng(0)
    t = rng.uniform(-2, 2, 200)
    x = np.column_stack([t, t**2, np.abs(t), np.cos(2 * t)])
    x += 0.03 * rng.normal(size=x.shape)
    x = x * [1, 10, 0.1, 5] + [0, 50, -3, 100]
    x.flags.writeable = False
    return x


@pytest.fixture(scope="session")
def trained(make_vae, curve):
    """A network whose training mattered. Not to be refitted: all tests share it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_vae().fit(curve)


@pytest.fixture(scope="session")
def predictions():
    """Everything that a fitted estimator says, by name of the method."""

    def predictions(vae, X):
        Z = vae.transform(X)
        return {
            "transform": Z,
            "posterior": vae.posterior(X)[1],
            "inverse_transform": vae.inverse_transform(Z),
            "score_samples": vae.score_samples(X),
            "sample": vae.sample(5, random_state=0),
        }

    return predictions


@pytest.fixture(scope="session")
def assert_same_bits(predictions):
    """Assert that two fitted estimators say the same of rows, to the bit."""

    def assert_same_bits(found, expected, X):
        expected = predictions(expected, X)
        for name, values in predictions(found, X).items():
            assert type(values) is type(expected[name]), name
            values, oracle = np.asarray(values), np.asarray(expected[name])
            np.testing.assert_array_equal(values, oracle, err_msg=name)
            assert values.dtype == oracle.dtype, name

    return assert_same_bits
