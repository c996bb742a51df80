"""Pipelines, searches, clones and outputs: what scikit-learn makes of the estimator."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

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


def test_the_html_links_to_the_documentation_and_explains_parameters():
    vae = VAETransformer(3)
    link = vae._get_doc_link()
    assert Path(unquote(urlparse(link).path)).name == "_vae.py"
    html = vae._repr_html_()
    assert f'href="{link}"' in html
    if parse_version(sklearn.__version__) >= parse_version("1.9"):
        assert "Number of latent dimensions" in html
        assert html.count('class="param-doc-link"') >= len(vae.get_params())


def test_latent_rows_with_columns_in_another_order_are_refused(make_vae, frame):
    vae = make_vae(**LINEAR).fit(frame).set_output(transform="pandas")
    Z = vae.transform(frame)
    expected = vae.inverse_transform(Z.to_numpy())
    np.testing.assert_array_equal(vae.inverse_transform(Z), expected)
    renamed = Z.set_axis(["x", "y"], axis=1)
    np.testing.assert_array_equal(vae.inverse_transform(renamed), expected)
    for swapped in Z.iloc[:, ::-1], Z.set_axis([1, 0], axis=1):
        with pytest.raises(ValueError, match="must be in the same order as they were"):
            vae.inverse_transform(swapped)
    polars = pl.DataFrame(Z.to_numpy(), schema=list(Z.columns)[::-1])
    with pytest.raises(ValueError, match="must be in the same order as they were"):
        vae.inverse_transform(polars)


@pytest.mark.parametrize(
    "verb", ["transform", "posterior", "score_samples", "score", "impute"]
)
def test_columns_without_names_in_another_order_are_refused(verb, make_vae, curve):
    X = pd.DataFrame(curve)
    vae = make_vae(**LINEAR).fit(X)
    with pytest.raises(ValueError, match="must be in the same order as they were"):
        getattr(vae, verb)(X[[3, 2, 1, 0]])


def test_masked_entries_are_missing_ones(make_vae, curve):
    mask = np.random.default_rng(0).random(curve.shape) < 0.2
    X, masked = np.where(mask, np.nan, curve), np.ma.array(curve, mask=mask)
    oracle, vae = make_vae(**LINEAR).fit(X), make_vae(**LINEAR).fit(masked)
    Z = oracle.transform(X)
    np.testing.assert_array_equal(vae.transform(masked), Z)
    filled = vae.impute(masked)
    assert type(filled) is np.ndarray
    np.testing.assert_array_equal(filled, oracle.impute(X))
    np.testing.assert_array_equal(filled[~mask], curve[~mask])
    with pytest.raises(ValueError, match=r"contains NaN in component 1 \(row 0\)"):
        vae.inverse_transform(np.ma.array(Z, mask=[[False, True]] * len(Z)))


@pytest.mark.filterwarnings("error")
def test_tensors_are_taken_as_arrays(make_vae, curve):
    X = torch.from_numpy(
        np.where(curve > np.quantile(curve, 0.9, axis=0), np.nan, curve)
    )
    X = X.requires_grad_()
    array = X.detach().numpy()
    vae = make_vae(**LINEAR).fit(X)
    Z = vae.transform(array)
    np.testing.assert_array_equal(vae.transform(X), Z)
    np.testing.assert_array_equal(vae.posterior(X)[0], Z)
    np.testing.assert_array_equal(vae.impute(X), vae.impute(array))
    latent = torch.from_numpy(Z)
    found = vae.inverse_transform(latent)
    np.testing.assert_array_equal(found, vae.inverse_transform(Z))


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.8"),
    reason="scikit-learn then needs array_api_compat, which is not installed",
)
def test_tensors_are_taken_under_array_api_dispatch():
    code = (
        "import numpy as np, sklearn, torch; from skvae import VAETransformer\n"
        "X = torch.from_numpy(np.random.default_rng(0).normal(size=(30, 3)))\n"
        "vae = VAETransformer(1, hidden_layer_sizes=())\n"
        "with sklearn.config_context(array_api_dispatch=True):\n"
        "    Z = vae.fit_transform(X)\n"
        "    vae.impute(X), vae.inverse_transform(torch.from_numpy(Z))\n"
        "np.testing.assert_array_equal(Z, vae.transform(X.numpy()))"
    )
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_a_table_of_pyarrow_is_told_what_to_do(make_vae, frame):
    vae, table = make_vae(**LINEAR), pa.Table.from_pandas(frame)
    with pytest.raises(TypeError, match=r"pyarrow\.lib\.Table.* Use X\.to_pandas\(\)"):
        vae.fit(table)
    vae.fit(frame)
    for verb in vae.transform, vae.impute, vae.score, vae.inverse_transform:
        with pytest.raises(TypeError, match=r"Use X\.to_pandas\(\)"):
            verb(table)
