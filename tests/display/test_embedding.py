import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score

from skvae import VAETransformer
from skvae.display import EmbeddingDisplay, ReconstructionDisplay
from skvae.display.drawing import (
    as_labels,
    best_and_worst,
    draw_image_rows,
    is_continuous,
    new_figure,
)

# Two epochs are quick, and not meant to converge.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


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
def digits():
    return load_digits().data


@pytest.fixture(scope="module")
def vae(iris):
    return VAETransformer(hidden_layer_sizes=(4,), max_iter=2).fit(iris[0])


def drawn_points(ax):
    return np.vstack([points.get_offsets() for points in ax.collections])


def legend_texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def row_labels(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


# --- EmbeddingDisplay ----------------------------------------------------------------


def test_embedding_from_estimator_draws_transform_in_classes(plt, vae, iris):
    X, y = iris
    display = EmbeddingDisplay.from_estimator(vae, X, y=y)
    Z = vae.transform(X)
    for points, label in zip(display.ax_.collections, np.unique(y), strict=True):
        assert_allclose(points.get_offsets(), Z[y == label])
    assert legend_texts(display.ax_) == ["0", "1", "2"]
    assert display.ax_.get_xlabel() == vae.get_feature_names_out()[0]
    assert display.ax_.get_ylabel() == vae.get_feature_names_out()[1]
    assert display.figure_ is display.ax_.figure


def test_embedding_on_given_axes_again(ax, plt, vae, iris):
    display = EmbeddingDisplay.from_estimator(vae, iris[0], ax=ax)
    assert display.ax_ is ax
    other = plt.subplots()[1]
    assert display.plot(ax=other) is display
    assert_array_equal(drawn_points(other), drawn_points(ax))


def test_embedding_accepts_pandas_output(ax, iris):
    X, y = iris
    pca = PCA(2).set_output(transform="pandas").fit(X)
    EmbeddingDisplay.from_estimator(pca, X, y=y, ax=ax)
    assert_allclose(drawn_points(ax), pca.transform(X))


def test_embedding_shows_the_components_asked_for(ax, iris):
    pca = PCA(4).fit(iris[0])
    EmbeddingDisplay.from_estimator(pca, iris[0], components=(3, 1), ax=ax)
    assert_allclose(drawn_points(ax), pca.transform(iris[0])[:, [3, 1]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("pca3", "pca1")


def test_values_are_coloured_on_a_bar(ax):
    Z = np.arange(60.0).reshape(30, 2)
    values = np.linspace(5, 7, 30)
    display = EmbeddingDisplay(Z, y=values).plot(ax=ax)
    (points,) = ax.collections
    assert_array_equal(points.get_array(), values)
    assert len(display.figure_.axes) == 2
    assert ax.get_legend() is None


def test_no_legend(ax):
    EmbeddingDisplay(np.eye(3), y=list("abc")).plot(ax=ax, legend=False)
    assert ax.get_legend() is None
    assert len(ax.figure.axes) == 1


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (["b", "a", "b"], ["a", "b"]),
        ([10, 9, 10], ["9", "10"]),
        ([True, False, True], ["False", "True"]),
        ([2.0, 1.0, np.nan], ["1", "2", "missing"]),
        (["b", None, "a"], ["a", "b", "missing"]),
        (pd.Series(["b", None, "a"]), ["a", "b", "missing"]),
        (pd.Categorical(["b", "a", "a"]), ["a", "b"]),
        (pd.Series([10, None, 9], dtype="Int64"), ["9", "10", "missing"]),
        (pd.Series([True, None, True], dtype="boolean"), ["True", "missing"]),
        ([0.5, 1_234_567, 0.5], ["0.5", "1234567"]),
    ],
)
def test_names_of_classes(ax, y, names):
    EmbeddingDisplay(np.eye(3), y=y).plot(ax=ax)
    assert legend_texts(ax) == names
    assert len(drawn_points(ax)) == 3


def test_rare_classes_are_drawn_together(ax):
    y = np.repeat([f"c{i:02}" for i in range(30)], np.arange(30, 0, -1))
    EmbeddingDisplay(np.zeros((len(y), 2)), y=y).plot(ax=ax)
    assert legend_texts(ax) == [f"c{i:02}" for i in range(19)] + ["other"]
    assert len(ax.collections[-1].get_offsets()) == sum(range(1, 12))


@pytest.mark.parametrize("y", [None, ["a", "b"] * 20, np.arange(40.0)])
def test_one_component_is_drawn_as_its_distribution(ax, y):
    column = np.linspace(0, 1, 40)[:, None]
    EmbeddingDisplay(column, y=y, feature_names=["only"]).plot(ax=ax)
    assert sum(bar.get_height() for bar in ax.patches) == 40
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("only", "rows")


@pytest.mark.parametrize(
    ("y", "continuous"),
    [
        (np.arange(20), False),
        (np.arange(21), True),
        (np.linspace(0, 1, 21), True),
        ([str(i) for i in range(50)], False),
    ],
)
def test_is_continuous(y, continuous):
    assert is_continuous(as_labels(y)) == continuous


# --- ReconstructionDisplay -----------------------------------------------------------


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


def test_image_rows_share_one_grey_scale(ax):
    draw_image_rows(ax, {"real": np.full((1, 6), 4.0), "new": np.ones((2, 6))}, (2, 3))
    (image,) = ax.images
    assert image.get_clim() == (0, 4)
    sheet = image.get_array()
    assert sheet.shape == (5, 7)
    assert np.ma.masked_invalid(sheet[:2, 4:]).mask.all()  # no second real image


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


@pytest.mark.parametrize(
    ("n", "max_items", "expected"),
    [(5, 10, [0, 1, 2, 3, 4]), (5, 4, [0, 1, 3, 4]), (5, 3, [0, 1, 4]), (0, 3, [])],
)
def test_best_and_worst(n, max_items, expected):
    assert list(best_and_worst(-np.arange(n), max_items)) == expected


# --- both ----------------------------------------------------------------------------


@pytest.mark.parametrize("display", [EmbeddingDisplay, ReconstructionDisplay])
def test_unfitted_estimator(display, iris):
    with pytest.raises(NotFittedError):
        display.from_estimator(VAETransformer(), iris[0])


@pytest.mark.parametrize(
    "draw",
    [
        EmbeddingDisplay(np.eye(3)).plot,
        ReconstructionDisplay(np.eye(3), {"same": np.eye(3)}).plot,
        lambda: new_figure((4, 3)),
    ],
)
def test_without_matplotlib_the_error_says_how_to_install_it(monkeypatch, draw):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "skvae\[plot\]"'):
        draw()


def test_figure_is_not_shown_by_pyplot(plt):
    figure = new_figure((4, 3))
    assert plt.get_fignums() == []
    assert tuple(figure.get_size_inches()) == (4, 3)
