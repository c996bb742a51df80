"""Pipelines, searches, clones and outputs: what scikit-learn makes of the estimator."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae import VAETransformer

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")

NAMES = ["a", "b", "c", "d"]  # of the columns of `curve`
LINEAR = {"hidden_layer_sizes": ()}


def test_pipeline(make_vae, curve):
    scaled = StandardScaler().fit_transform(curve)
    oracle = make_vae().fit(scaled)
    pipe = make_pipeline(StandardScaler(), make_vae())
    Z = pipe.fit_transform(curve)
    np.testing.assert_array_equal(Z, oracle.transform(scaled))
    assert pipe.score(curve) == oracle.score(scaled)
    back = pipe[0].inverse_transform(oracle.inverse_transform(Z))
    np.testing.assert_array_equal(pipe.inverse_transform(Z), back)
    assert list(pipe.get_feature_names_out()) == ["vaetransformer0", "vaetransformer1"]


def test_column_transformer(make_vae, frame):
    both = ColumnTransformer(
        [("vae", make_vae(), ["b", "c", "d"]), ("rest", "passthrough", ["a"])]
    )
    found = both.set_output(transform="pandas").fit_transform(frame)
    oracle = make_vae().fit_transform(frame[["b", "c", "d"]])
    np.testing.assert_array_equal(found, np.c_[oracle, frame["a"]])
    expected = ["vae__vaetransformer0", "vae__vaetransformer1", "rest__a"]
    assert list(found.columns) == expected


def test_feature_union(make_vae, curve):
    union = FeatureUnion([("pca", PCA(2)), ("vae", make_vae())])
    oracle = PCA(2).fit_transform(curve), make_vae().fit_transform(curve)
    np.testing.assert_array_equal(union.fit_transform(curve), np.hstack(oracle))


@pytest.mark.parametrize(
    ("output", "container"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)]
)
def test_set_output(output, container, make_vae, frame, curve):
    X = frame if output == "pandas" else pl.DataFrame(curve, schema=NAMES)
    vae = make_vae().set_output(transform=output)
    oracle = make_vae().fit_transform(curve)
    for found in (vae.fit_transform(X), vae.transform(X)):
        assert isinstance(found, container)
        np.testing.assert_allclose(found, oracle, rtol=1e-9)
        assert list(found.columns) == ["vaetransformer0", "vaetransformer1"]
        if output == "pandas":
            assert found.index.equals(frame.index)


def test_feature_names_out_count_the_components(make_vae, curve):
    vae = make_vae(n_components=11, **LINEAR).fit(curve)
    names = [f"vaetransformer{i}" for i in range(11)]
    np.testing.assert_array_equal(vae.get_feature_names_out(), names)


def test_a_clone_is_unfitted_and_fits_alike(trained, curve, assert_same_bits):
    copied = clone(trained)
    assert vars(copied) == copied.get_params()
    assert_same_bits(copied.fit(curve), trained, curve)


def test_grid_search_needs_no_scorer(make_vae, curve):
    grid = {"n_components": [1, 2], "hidden_layer_sizes": [(), (8,)]}
    split = np.arange(0, 200, 2), np.arange(1, 200, 2)
    search = GridSearchCV(make_vae(), grid, cv=[split], n_jobs=2).fit(curve)
    oracle = [
        clone(search.estimator)
        .set_params(**parameters)
        .fit(curve[split[0]])
        .score(curve[split[1]])
        for parameters in search.cv_results_["params"]
    ]
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], oracle)
    assert np.isfinite(oracle).all()
    assert search.best_score_ == max(oracle)


def test_halving_search_spends_epochs(make_vae, curve):
    search = HalvingGridSearchCV(
        make_vae(),
        {"n_components": [1, 2, 3, 4]},
        resource="max_iter",
        min_resources=2,
        max_resources=8,
        factor=2,
        cv=2,
        random_state=0,
    ).fit(curve)
    assert search.n_resources_ == [2, 4, 8]
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.n_iter_ <= 8


def test_pipeline_memory_hits_the_cache(tmp_path, make_vae, curve, fits):
    def embed(seed):
        vae = make_vae(random_state=seed)
        pipe = make_pipeline(vae, StandardScaler(), memory=str(tmp_path))
        return pipe.fit(curve).transform(curve)

    first, second = embed(0), embed(0)
    assert len(fits) == 1
    np.testing.assert_array_equal(first, second)
    embed(1)
    assert len(fits) == 2


@pytest.mark.parametrize(
    "y", [["x"] * 200, [1.0, 2.0], np.full(200, np.nan), object(), "anything"]
)
def test_y_is_ignored(y, make_vae, curve, linear, assert_same_bits):
    assert_same_bits(make_vae(**LINEAR).fit(curve, y), linear, curve)
    found = make_vae(**LINEAR).fit_transform(curve, y)
    np.testing.assert_array_equal(found, linear.transform(curve))
    assert linear.score(curve, y) == linear.score(curve)


def test_nothing_is_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        vae = VAETransformer()
        assert not [name for name in dir(vae) if re.fullmatch("set_.*_request", name)]
