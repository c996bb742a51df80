"""Two components of an embedding as points, or one as a distribution."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.manifold import Isomap
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae import VAETransformer
from skvae.display import EmbeddingDisplay

# Two epochs are quick, and not meant to converge.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def drawn_points(ax):
    return np.vstack([points.get_offsets() for points in ax.collections])


def legend_texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


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


@pytest.fixture(scope="module")
def of_neighbors(iris):
    return VAETransformer(n_neighbors=15, max_iter=20, random_state=0).fit(iris[0])


def test_map_has_one_scale_and_no_ticks(plt, of_neighbors, vae, iris):
    pipe = make_pipeline(StandardScaler(), Isomap(n_neighbors=15)).fit(iris[0])
    for estimator in of_neighbors, pipe:
        display = EmbeddingDisplay.from_estimator(estimator, iris[0])
        assert display.is_map
        assert display.ax_.get_aspect() == 1
        assert len(display.ax_.get_xticks()) == len(display.ax_.get_yticks()) == 0
    display = EmbeddingDisplay.from_estimator(vae, iris[0])
    assert not display.is_map
    assert display.ax_.get_aspect() == "auto"
    assert len(display.ax_.get_xticks()) > 0


def test_all_rows_of_a_map_are_within_its_axes(ax, of_neighbors, iris):
    EmbeddingDisplay.from_estimator(of_neighbors, iris[0], ax=ax)
    ax.figure.canvas.draw()
    limits = np.transpose([ax.get_xlim(), ax.get_ylim()])
    points = drawn_points(ax)
    assert ((limits[0] < points) & (points < limits[1])).all()


def test_names_stand_on_the_rows_of_their_class(ax):
    rng = np.random.default_rng(0)
    y = np.repeat(["far", "near"], 40)
    Z = rng.normal(size=(80, 2)) + np.where(y == "far", 50, 0)[:, None]
    Z[:15] += 300  # a part of a class that is apart
    EmbeddingDisplay(Z, y=y).plot(ax=ax, legend="on data")
    assert ax.get_legend() is None
    names = {text.get_text(): text.get_position() for text in ax.texts}
    assert_allclose(names["far"], (50, 50), atol=1)
    assert_allclose(names["near"], (0, 0), atol=1)


def test_unknown_legend(ax):
    with pytest.raises(ValueError, match=r"True, False or 'on data'\. Got 'on rows'\."):
        EmbeddingDisplay(np.eye(3), y=list("abc")).plot(ax=ax, legend="on rows")


def test_embedding_of_an_unfitted_estimator(iris):
    with pytest.raises(NotFittedError):
        EmbeddingDisplay.from_estimator(VAETransformer(), iris[0])
