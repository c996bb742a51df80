"""Images beside what came back of them, and the R2 of columns."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score

from skvae import VAETransformer
from skvae.display import ReconstructionDisplay

# Two epochs are quick, and not meant to converge.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def digits():
    return load_digits().data


def row_labels(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def test_images_stand_above_what_came_back(ax, digits):
    vae = VAETransformer(hidden_layer_sizes=(4,), max_iter=2).fit(digits[:200])
    X = digits[200:203]
    ReconstructionDisplay.from_estimator(vae, X, image_shape=(8, 8), ax=ax)
    sheet = ax.images[0].get_array()
    back = vae.inverse_transform(vae.transform(X))
    for j in range(3):
        left = slice(9 * j, 9 * j + 8)
        assert_array_equal(sheet[:8, left], X[j].reshape(8, 8))
        assert_array_equal(sheet[9:17, left], back[j].reshape(8, 8))
    assert row_labels(ax) == ["real", "VAETransformer"]


def test_no_more_images_than_asked_for(plt, digits):
    display = ReconstructionDisplay(digits, {"same": digits}, image_shape=(8, 8))
    assert display.plot().ax_.images[0].get_array().shape == (17, 10 * 9 - 1)
    display.plot(max_items=4)
    assert display.ax_.images[0].get_array().shape == (17, 4 * 9 - 1)


def test_bars_are_each_columns_r2_best_first(ax, vae, iris):
    X = iris[0]
    ReconstructionDisplay.from_estimator(vae, X, ax=ax)
    back = np.asarray(vae.inverse_transform(vae.transform(X)))
    r2 = r2_score(X, back, multioutput="raw_values")
    order = np.argsort(-r2)
    assert row_labels(ax) == list(X.columns[order])
    assert_allclose([bar.get_width() for bar in ax.patches], r2[order])


def test_columns_are_ordered_by_the_last_method(ax):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    noise = rng.normal(size=X.shape)
    first, last = X + noise * [0.1, 0.2, 0.3], X + noise * [0.3, 0.1, 0.2]
    ReconstructionDisplay(X, {"PCA": first, "skvae": last}).plot(ax=ax)
    assert row_labels(ax) == ["x1", "x2", "x0"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["PCA", "skvae"]


def test_worst_columns_stand_apart_when_some_are_left_out(ax):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 9))
    back = X + rng.normal(size=X.shape) * np.linspace(0.1, 0.9, 9)
    ReconstructionDisplay(X, {"skvae": back}).plot(ax=ax, max_items=4)
    assert row_labels(ax) == ["x0", "x1", "x7", "x8"]
    assert_array_equal(ax.get_yticks(), [0, 1, 3, 4])


def test_reconstruction_of_an_unfitted_estimator(iris):
    with pytest.raises(NotFittedError):
        ReconstructionDisplay.from_estimator(VAETransformer(), iris[0])
