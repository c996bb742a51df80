"""A backend that opens no window, and a fitted estimator to draw."""

import pytest
from sklearn.datasets import load_iris

from skvae import VAETransformer


@pytest.fixture
def plt():
    matplotlib = pytest.importorskip("matplotlib")
    backend = matplotlib.get_backend()
    matplotlib.use("agg")
    plt = pytest.importorskip("matplotlib.pyplot")
    yield plt
    plt.close("all")
    matplotlib.use(backend)


@pytest.fixture
def ax(plt):
    return plt.subplots()[1]


@pytest.fixture(scope="module")
def iris():
    return load_iris(as_frame=True, return_X_y=True)


@pytest.fixture(scope="module")
def vae(iris):
    return VAETransformer(hidden_layer_sizes=(4,), max_iter=2).fit(iris[0])
