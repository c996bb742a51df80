import functools
import importlib.machinery
import sys
import types

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsClassifier

from skvae import VAETransformer
from skvae._cli import demo as demo_module

# Two epochs are quick, and not meant to converge.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class FakeUMAP(PCA):
    """UMAP's interface: no likelihood, an inverse; counts the rows it inverts."""

    n_inverted = 0
    score = property()

    def __init__(self, n_components, random_state, n_jobs):
        super().__init__(n_components, random_state=random_state)
        self.n_jobs = n_jobs

    def inverse_transform(self, Z):
        FakeUMAP.n_inverted += len(Z)
        return super().inverse_transform(Z)


@pytest.fixture(scope="module")
def comparison():
    umap = types.ModuleType("umap")
    umap.UMAP = FakeUMAP
    umap.__spec__ = importlib.machinery.ModuleSpec("umap", None)
    quick = functools.partial(VAETransformer, hidden_layer_sizes=(4,), max_iter=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "umap", umap)
        patch.setattr(demo_module, "VAETransformer", quick)
        return demo_module.compare_on_digits(0, lambda task: None)


def test_split_shows_one_of_each_digit_and_loses_none(comparison):
    assert_array_equal(comparison.y_test[:10], np.arange(10))
    rows = np.vstack([comparison.X_train, comparison.X_test])
    digits = load_digits().data
    assert len(rows) == len(digits)
    assert_array_equal(rows[np.lexsort(rows.T)], digits[np.lexsort(digits.T)])


def test_figures_are_those_of_pca_on_held_out_rows(comparison):
    X_test, y_test = comparison.X_test, comparison.y_test
    pca = PCA(2, random_state=0).fit(comparison.X_train)
    Z = pca.transform(X_test)
    neighbors = KNeighborsClassifier(10)
    neighbors.fit(pca.transform(comparison.X_train), comparison.y_train)
    result = comparison.results[0]
    assert result.name == "PCA"
    assert_allclose(
        result.r2,
        r2_score(X_test, pca.inverse_transform(Z), multioutput="variance_weighted"),
    )
    assert_allclose(result.accuracy, neighbors.score(Z, y_test))
    assert_allclose(result.log_likelihood, pca.score(X_test))


def test_pca_of_standardised_pixels_is_stated_too(comparison):
    """PCA's density of standardised rows, over the scales."""
    center, scale = (f(comparison.X_train, axis=0) for f in (np.mean, np.std))
    scale[scale == 0] = 1
    train, test = (
        (X - center) / scale for X in (comparison.X_train, comparison.X_test)
    )
    nats = PCA(2).fit(train).score(test) - np.log(scale).sum()
    (note,) = [note for note in comparison.notes if "standardised" in note]
    assert note.endswith(f"{nats:.1f} nats per row.")


def test_slow_inverse_is_measured_on_the_rows_that_are_named(comparison):
    umap = comparison.results[1]
    assert (umap.name, umap.log_likelihood) == ("UMAP", None)
    assert FakeUMAP.n_inverted == 50 + 2  # and two to warm up
    assert len(umap.reconstructed) == 50
    assert_allclose(
        umap.r2,
        r2_score(
            comparison.X_test[:50], umap.reconstructed, multioutput="variance_weighted"
        ),
    )
    text = demo_module.describe(comparison)
    assert "UMAP's R2 is of 50 of the 360 held-out rows" in text


def test_description_has_a_dash_where_a_method_has_no_figure(comparison):
    table = demo_module.describe(comparison).split("\n\n")[1]
    lines = {line.split("  ")[0]: line for line in table.splitlines()}
    assert lines["UMAP"].split()[-1] == "-"
    vae = comparison.results[2]
    assert lines["skvae"].split()[-1] == f"{vae.log_likelihood:.1f}"


def test_map_has_the_neighbors_that_its_note_names(comparison):
    plain, of_map = comparison.results[-2:]
    assert plain.estimator.n_neighbors is None
    assert of_map.estimator.n_neighbors == 15
    text = demo_module.describe(comparison)
    assert '"skvae, map" has n_neighbors=15' in text
    (line,) = [line for line in text.splitlines() if line.startswith("skvae, map")]
    assert line.split()[-1] == f"{of_map.log_likelihood:.1f}"


def test_picture_has_every_method_at_equal_size(comparison):
    pytest.importorskip("matplotlib")
    figure = demo_module.draw(comparison, random_state=0)
    figure.draw_without_rendering()
    *panels, images, _ = figure.axes
    labels = [label.get_text() for label in images.get_yticklabels()]
    words = "held-out PCA UMAP skvae map new".split()
    for label, word in zip(labels, words, strict=True):
        assert word in label
    sheet = images.images[0].get_array()
    assert sheet.shape == (6 * 9 - 1, 10 * 9 - 1)
    for i, result in enumerate(comparison.results, start=1):  # the sixth digit
        tile = sheet[9 * i : 9 * i + 8, 45:53]
        assert_array_equal(tile, result.reconstructed[5].reshape(8, 8))
    for ax, result in zip(panels, comparison.results, strict=True):
        name, accuracy = ax.get_title().split(": 10-NN accuracy ")
        assert (name, accuracy) == (result.name, f"{result.accuracy:.3f}")
        drawn = np.vstack([points.get_offsets() for points in ax.collections])
        assert len(drawn) == 360
        order = np.argsort(comparison.y_test, kind="stable")
        assert_allclose(drawn, result.embedding[order])
        names = sorted(text.get_text() for text in ax.texts)
        assert names[:10] == list("0123456789")
        assert_allclose(np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim()))
        assert_allclose(*ax.get_window_extent().size, rtol=1e-6)


def test_grid_shows_what_is_decoded_where_rows_are(comparison):
    pytest.importorskip("matplotlib")
    figure = demo_module.draw(comparison, random_state=0)
    (image,) = figure.axes[-1].images
    sheet, (left, right, bottom, top) = image.get_array(), image.get_extent()
    vae, X = comparison.results[-1].estimator, comparison.X_train
    Z, side = vae.transform(X), (right - left) / demo_module.N_TILES
    within = ((Z > (left, bottom)) & (Z < (right, top))).all(axis=1)
    columns = np.floor((Z[:, 0] - left) / side).astype(int)
    lines = np.floor((top - Z[:, 1]) / side).astype(int)
    occupied = set(zip(lines[within], columns[within], strict=True))
    for i in range(demo_module.N_TILES):
        for j in range(demo_module.N_TILES):
            tile = sheet[9 * i : 9 * i + 8, 9 * j : 9 * j + 8]
            if (i, j) not in occupied:
                assert (tile[..., 3] == 0).all()
                continue
            center = [left + (j + 0.5) * side, top - (i + 0.5) * side]
            digit = vae.inverse_transform([center])[0].reshape(8, 8) / X.max()
            assert_allclose(tile[..., 3], digit.clip(0, 1), atol=1e-6)


def test_limits_leave_out_only_rows_far_from_the_others():
    rows = np.random.default_rng(0).uniform(size=(200, 2))
    low, high = demo_module._axis_limits(rows)
    assert ((low < rows) & (rows < high)).all()
    assert_allclose(*(high - low))
    far = np.vstack([rows, [[9.0, 0.5]]])
    low, high = demo_module._axis_limits(far)
    outside = ((far < low) | (far > high)).any(axis=1)
    assert list(np.flatnonzero(outside)) == [200]
