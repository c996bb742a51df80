"""The estimator's contract: what whoever knows scikit-learn counts on."""

import copy
import re
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from operator import attrgetter

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
from scipy import sparse
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

import skvae._fitting.fit
import skvae._vae
from skvae import VAETransformer
from skvae._training.gradient import ByHand

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")

NAMES = ["a", "b", "c", "d"]  # of the columns of `curve`
METHODS = ["transform", "posterior", "score_samples", "score"]
LINEAR = {"hidden_layer_sizes": ()}
NOISES = ["auto", "spherical", "diag"]


@pytest.fixture(scope="module")
def frame(curve):
    return pd.DataFrame(curve, columns=NAMES, index=np.arange(200)[::-1])


@pytest.fixture(scope="module")
def linear(make_vae, curve):
    return make_vae(**LINEAR).fit(curve)


def state(vae):
    """The whole state, as a hash."""
    return joblib.hash(vae.__getstate__())


def test_training_mattered(trained, linear, curve):
    # Else most of this file would only see the closed form.
    assert trained.best_iter_ > 0
    assert trained.score(curve) > linear.score(curve) + 0.5


# ------------------------------------------------------------ scikit-learn's machinery


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


@pytest.fixture
def fits(monkeypatch):
    """The keyword arguments of every fit, in a list that grows."""
    calls = []
    original = skvae._vae.fit_vae

    def counted(*args, **kwargs):
        calls.append(kwargs)
        return original(*args, **kwargs)

    monkeypatch.setattr(skvae._vae, "fit_vae", counted)
    return calls


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


# -------------------------------------------------------------------- starting afresh


def test_a_second_fit_starts_afresh(make_vae, curve, trained, assert_same_bits):
    vae = make_vae(random_state=3).fit(curve[:50, :3] ** 2)
    vae.set_params(random_state=0).fit(curve)
    assert_same_bits(vae, trained, curve)
    assert state(vae) == state(trained)


def test_warm_start_continues(make_vae, curve):
    vae = make_vae(max_iter=10, warm_start=True).fit(curve)
    afresh, before = vae.score(curve), vae.best_validation_score_
    vae.fit(curve)
    assert vae.score(curve) > afresh + 0.05
    assert vae.best_validation_score_ > before


def test_warm_start_stays_where_nothing_is_left_to_learn(make_vae, curve):
    vae = make_vae(warm_start=True).fit(curve)
    Z, score = vae.transform(curve), vae.score(curve)
    vae.set_params(max_iter=1, learning_rate_init=1e-12).fit(curve)
    np.testing.assert_allclose(vae.transform(curve), Z, atol=1e-6)
    assert vae.score(curve) > score - 0.1


def test_warm_start_keeps_the_scaling(make_vae, curve):
    vae = make_vae(max_iter=2, warm_start=True).fit(curve)
    mean, scale = vae.mean_, vae.scale_
    vae.fit(2 * curve + 1)
    np.testing.assert_array_equal(vae.mean_, mean)
    np.testing.assert_array_equal(vae.scale_, scale)


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_components": 3},
        {"hidden_layer_sizes": (8, 4)},
        {"activation": "tanh"},
        {"noise": "diag", "hidden_layer_sizes": ()},
    ],
)
def test_warm_start_of_another_network_starts_afresh(
    parameters, make_vae, curve, assert_same_bits
):
    vae = make_vae(max_iter=2, warm_start=True).fit(curve)
    vae.set_params(**parameters).fit(curve)
    assert_same_bits(vae, make_vae(max_iter=2, **parameters).fit(curve), curve)


def test_warm_start_with_other_columns_starts_afresh(make_vae, curve, assert_same_bits):
    vae = make_vae(max_iter=2, warm_start=True).fit(curve)
    narrow = curve[:, :3]
    assert_same_bits(vae.fit(narrow), make_vae(max_iter=2).fit(narrow), narrow)


def test_warm_start_with_other_names_starts_afresh(make_vae, frame, assert_same_bits):
    vae = make_vae(max_iter=2, warm_start=True).fit(frame)
    turned = frame[NAMES[::-1]]
    assert_same_bits(vae.fit(turned), make_vae(max_iter=2).fit(turned), turned)


def test_warm_start_with_another_scaling_starts_afresh(
    make_vae, curve, assert_same_bits
):
    vae = make_vae(max_iter=2, warm_start=True).fit(curve).set_params(scaling=None)
    afresh = make_vae(max_iter=2, scaling=None).fit(curve)
    assert_same_bits(vae.fit(curve), afresh, curve)


def test_warm_start_names_rows_far_from_those_of_the_last_fit(make_vae, curve):
    vae = make_vae(max_iter=2, warm_start=True).fit(curve)
    before = state(vae)
    with pytest.raises(ValueError, match="in column 0, a value too large"):
        vae.fit(curve * [1e20, 1, 1, 1])
    assert state(vae) == before


def test_a_warm_start_of_the_linear_model_is_the_closed_form_again(make_vae, curve):
    vae = make_vae(warm_start=True, **LINEAR).fit(curve)
    before = state(vae)
    assert state(vae.fit(curve)) == before


# ------------------------------------------------------------------------- randomness


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


META = torch.device("meta")  # torch's default device while it is a context


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


# -------------------------------------------------------------------------- transform


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_row_depends_on_the_batch(dtype, trained, curve):
    X = np.tile(curve, (6, 1)).astype(dtype)  # more than a chunk of rows
    Z = trained.transform(X)
    rows = [0, 1, 511, 1022, 1023, 1024, 1025, 1198, 1199]

    def check(method, given):
        together = method(given)
        alone = np.concatenate([method(given[[row]]) for row in rows])
        if dtype == np.float32 and together.dtype == dtype:
            np.testing.assert_array_equal(alone, together[rows])
        np.testing.assert_allclose(alone, together[rows], rtol=1e-10, atol=1e-10)

    check(trained.transform, X)
    check(lambda rows: trained.posterior(rows)[1], X)
    check(trained.score_samples, X)
    check(trained.inverse_transform, Z)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_floats_keep_their_dtype(dtype, trained, curve):
    X = curve.astype(dtype)
    Z = trained.transform(X)
    assert Z.dtype == dtype
    assert [values.dtype for values in trained.posterior(X)] == [dtype, dtype]
    assert trained.inverse_transform(Z).dtype == dtype
    assert trained.score_samples(X).dtype == np.float64


def test_float32_inverse_transform_is_that_of_float64_rounded(trained, curve):
    Z = trained.transform(curve.astype(np.float32))
    oracle = trained.inverse_transform(Z.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(trained.inverse_transform(Z), oracle)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float16])
def test_other_numbers_are_taken_for_float64(dtype, make_vae, assert_same_bits):
    X = np.random.RandomState(0).randint(0, 2, size=(60, 4)).astype(dtype)
    oracle = make_vae(max_iter=2).fit(X.astype(np.float64))
    found = make_vae(max_iter=2).fit(X)
    assert found.transform(X).dtype == np.float64
    for method in ("transform", "score_samples"):
        expected = getattr(oracle, method)(X)
        np.testing.assert_array_equal(getattr(found, method)(X), expected)
    expected = oracle.sample(9, random_state=0)
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        expected = expected.round().clip(limits.min, limits.max).astype(dtype)
    drawn = found.sample(9, random_state=0)
    np.testing.assert_array_equal(drawn, expected)
    assert drawn.dtype == expected.dtype


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "every other row of a larger array": lambda x: np.repeat(x, 2, axis=0)[::2],
    "columns of a larger array": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "from the last row to the first": lambda x: x[::-1].copy()[::-1],
    "big-endian": lambda x: x.astype(">f8"),
    "lists": np.ndarray.tolist,
    "polars": pl.DataFrame,
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_any_layout_of_the_rows_will_do(layout, linear, make_vae, curve):
    Z, back = linear.transform(curve), linear.inverse_transform(linear.transform(curve))
    X = layout(curve)
    np.testing.assert_allclose(linear.transform(X), Z, rtol=1e-12)
    np.testing.assert_allclose(make_vae(**LINEAR).fit_transform(X), Z, rtol=1e-10)
    np.testing.assert_allclose(linear.inverse_transform(layout(Z)), back, rtol=1e-12)


def test_read_only_rows_are_neither_written_nor_complained_of(trained, curve):
    assert not curve.flags.writeable
    Z = trained.transform(curve)
    Z.flags.writeable = False
    torch.set_warn_always(True)  # torch says it once a process, else
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            trained.transform(curve)
            trained.score_samples(curve)
            trained.inverse_transform(Z)
    finally:
        torch.set_warn_always(False)


def test_posterior_is_the_mean_and_how_sure_of_it(trained, curve):
    mean, std = trained.posterior(curve)
    np.testing.assert_array_equal(mean, trained.transform(curve))
    assert std.shape == mean.shape == (200, 2)
    assert std.min() > 0
    assert std.max() < 1.1
    # The aggregate posterior is the prior, or the latent space has holes.
    np.testing.assert_allclose(mean.var(axis=0) + (std**2).mean(axis=0), 1, atol=0.3)


# ------------------------------------------------------------------------------ score


def test_score_is_the_mean_as_a_float(trained, curve):
    scores = trained.score_samples(curve)
    assert scores.shape == (200,)
    assert type(trained.score(curve)) is float
    assert trained.score(curve) == scores.mean()


@pytest.mark.parametrize("noise", NOISES)
def test_the_unit_of_a_column_shifts_the_scores_by_its_logarithm(
    noise, make_vae, curve
):
    unit = np.array([1, 1000, 1, 1])
    metres, millimetres = (make_vae(noise=noise).fit(X) for X in (curve, curve * unit))
    Z = metres.transform(curve)
    np.testing.assert_allclose(millimetres.transform(curve * unit), Z, atol=1e-9)
    np.testing.assert_allclose(
        millimetres.score_samples(curve * unit),
        metres.score_samples(curve) - np.log(1000),
        rtol=0,
        atol=1e-8,
    )
    np.testing.assert_allclose(
        millimetres.inverse_transform(Z), metres.inverse_transform(Z) * unit, rtol=1e-9
    )
    np.testing.assert_allclose(
        millimetres.sample(9, random_state=0),
        metres.sample(9, random_state=0) * unit,
        rtol=1e-9,
    )
    for name, factor in [("mean_", 1), ("scale_", 1), ("noise_variance_", 2)]:
        given = attrgetter(name)
        np.testing.assert_allclose(
            given(millimetres), given(metres) * unit**factor, rtol=1e-9
        )
    for name, shift in [("loss_curve_", 1), ("validation_scores_", -1)]:
        given = attrgetter(name)
        np.testing.assert_allclose(
            given(millimetres), given(metres) + shift * np.log(1000), atol=1e-6
        )


@pytest.mark.parametrize("scaling", ["standard", None])
def test_a_shift_changes_nothing_but_the_mean(scaling, make_vae, curve):
    shift = np.array([0, 300.0, -20, 1])
    here, there = (
        make_vae(scaling=scaling, max_iter=5).fit(X) for X in (curve, curve + shift)
    )
    Z = here.transform(curve)
    np.testing.assert_allclose(there.transform(curve + shift), Z, atol=1e-6)
    np.testing.assert_allclose(
        there.score_samples(curve + shift), here.score_samples(curve), atol=1e-5
    )
    np.testing.assert_allclose(
        there.inverse_transform(Z), here.inverse_transform(Z) + shift, atol=1e-5
    )


# --------------------------------------------------------------- scaling="quantile"


@pytest.fixture(scope="module")
def uneven():
    """Skewed, often zero, of four levels, integers, constant."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(600, 2))
    return np.column_stack(
        [
            np.exp(z[:, 0] + 0.3 * rng.normal(size=600)),
            np.maximum(z[:, 0] + z[:, 1] + 0.4, 0).round(2),
            np.digitize(z[:, 1] + 0.5 * rng.normal(size=600), [-1, 0, 1]),
            np.floor(50 * np.exp(z.sum(axis=1))),
            np.full(600, 7.0),
        ]
    )


@pytest.fixture(scope="module", params=[(), (16,)], ids=["linear", "network"])
def of_quantiles(request, make_vae, uneven):
    return make_vae(scaling="quantile", hidden_layer_sizes=request.param).fit(uneven)


def test_quantile_samples_have_the_columns_distributions(of_quantiles, uneven):
    drawn = of_quantiles.sample(20_000, random_state=0)
    for x, new in zip(uneven.T, drawn.T, strict=True):
        grid = np.unique(np.quantile(x, np.linspace(0.05, 0.95, 19)))
        below = [(new <= v).mean() - (x <= v).mean() for v in grid]
        assert np.abs(below).max() < 0.06
    zeros, share = (drawn[:, 1] == 0).mean(), (uneven[:, 1] == 0).mean()
    assert zeros == pytest.approx(share, abs=0.08)
    assert set(drawn[:, 2]) == {0, 1, 2, 3}
    np.testing.assert_array_equal(drawn[:, 3], drawn[:, 3].round())
    np.testing.assert_array_equal(drawn[:, 4], 7)
    is_outside = (drawn < uneven.min(axis=0)) | (drawn > uneven.max(axis=0))
    assert is_outside.mean(axis=0).max() < 6 / 600


def test_quantile_reconstructions_are_values_of_the_column(of_quantiles, uneven):
    back = of_quantiles.inverse_transform(of_quantiles.transform(uneven))
    assert set(back[:, 2]) <= {0, 1, 2, 3}
    np.testing.assert_array_equal(back[:, 3], back[:, 3].round())
    np.testing.assert_array_equal(back[:, 4], 7)
    assert np.mean(back[:, 1] == 0) > 0.1
    correlation = [spearmanr(back[:, j], uneven[:, j])[0] for j in range(4)]
    assert min(correlation) > 0.6


@pytest.mark.parametrize("hidden_layer_sizes", [(), (16,)])
def test_the_density_of_a_mixed_column_table_adds_up_to_one(
    make_vae, uneven, hidden_layer_sizes
):
    """A sum over cells of the discrete column, an integral over the other."""
    X = uneven[:, [1, 2]]
    vae = make_vae(scaling="quantile", hidden_layer_sizes=hidden_layer_sizes).fit(X)
    continuous = vae._scaling.marginals[0]
    assert continuous.has_points
    edges = continuous.edges
    tail = 30 * (edges[-1] - edges[0])
    nodes, weights = np.polynomial.legendre.leggauss(12)
    total = 0.0
    for a, b in pairwise([edges[0] - tail, edges[0] - 1, *edges, 9, edges[-1] + tail]):
        x = a + (b - a) * (nodes + 1) / 2
        rows = np.column_stack([np.repeat(x, 4), np.tile(np.arange(4.0), 12)])
        density = np.exp(vae.score_samples(rows)).reshape(12, 4).sum(axis=1)
        total += (b - a) / 2 * weights @ density
    assert total == pytest.approx(1, abs=0.02)


def test_quantile_scores_are_densities_in_the_tables_units(make_vae, curve):
    X = np.exp(curve / curve.std(axis=0))
    unit = np.array([1, 1000, 1, 1])
    metres, millimetres = (
        make_vae(scaling="quantile", max_iter=5).fit(X * u) for u in (1, unit)
    )
    Z = metres.transform(X)
    np.testing.assert_allclose(millimetres.transform(X * unit), Z, atol=1e-9)
    np.testing.assert_allclose(
        millimetres.score_samples(X * unit), metres.score_samples(X) - np.log(1000)
    )
    np.testing.assert_allclose(
        millimetres.best_validation_score_,
        metres.best_validation_score_ - np.log(1000),
    )
    assert metres.best_validation_score_ == pytest.approx(metres.score(X), abs=2)


def test_an_array_of_integers_comes_back_as_one(make_vae):
    X = np.random.default_rng(0).integers(0, 200, (300, 3)).astype(np.uint8)
    vae = make_vae(scaling="quantile", max_iter=3).fit(X)
    assert vae.sample(500, random_state=0).dtype == np.uint8
    assert vae.inverse_transform(vae.transform(X)).dtype == np.uint8
    assert vae.inverse_transform([[99.0, 0], [-99, 0]]).max() <= 255
    assert make_vae(max_iter=3).fit(X).sample(3).dtype == np.uint8
    assert vae.fit(X / 1).sample(3).dtype == np.float64


def test_the_largest_integers_do_not_turn_negative(make_vae):
    X = np.random.default_rng(0).integers(0, 100, (300, 2))
    X[:30, 0] = 2**63 - 1
    vae = make_vae(scaling="quantile", hidden_layer_sizes=(), n_components=1).fit(X)
    drawn = vae.sample(1000, random_state=0)[:, 0]
    assert drawn.min() >= 0
    assert drawn.max() > 2**62


@pytest.mark.filterwarnings("ignore:No component carries more")
def test_a_warm_start_takes_the_units_and_the_kind_of_its_rows(make_vae):
    X = np.exp(2 * np.random.default_rng(0).normal(size=(500, 2)))
    vae = make_vae(scaling="quantile", warm_start=True, n_components=1).fit(X)
    few = X[X[:, 0] < 0.3]
    vae.fit(few)
    assert vae.best_validation_score_ == pytest.approx(vae.score(few), abs=1)
    vae.fit(few.round().astype(int))
    assert vae.sample(2).dtype == int
    assert vae.fit(few).sample(2).dtype == float


def test_rows_beside_are_in_a_quantile_score_rounding_only(of_quantiles, uneven):
    together = of_quantiles.score_samples(uneven[:9])
    alone = [of_quantiles.score_samples(row[None])[0] for row in uneven[:9]]
    np.testing.assert_allclose(together, alone, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("noise", NOISES)
def test_quantile_warm_start_keeps_the_map(make_vae, uneven, noise):
    vae = make_vae(scaling="quantile", warm_start=True, max_iter=3, noise=noise)
    Z, other = vae.fit(uneven).transform(uneven), 2 * uneven[:300] + 3
    marginals = vae._scaling.marginals
    vae.set_params(learning_rate_init=1e-12).fit(uneven[::-1])
    np.testing.assert_allclose(vae.transform(uneven), Z, atol=1e-6)
    assert vae.fit(other)._scaling.marginals is marginals


# ----------------------------------------------------------------------------- sample


def test_sample_is_determined_by_its_random_state(trained):
    rows = trained.sample(7, random_state=3)
    assert rows.shape == (7, 4)
    assert rows.dtype == np.float64
    np.testing.assert_array_equal(trained.sample(7, random_state=3), rows)
    random = np.random.RandomState(3)
    np.testing.assert_array_equal(trained.sample(7, random_state=random), rows)
    assert not np.array_equal(trained.sample(7, random_state=random), rows)
    assert not np.array_equal(trained.sample(7, random_state=4), rows)


def test_sample_draws_one_row_unless_told(trained):
    assert trained.sample().shape == (1, 4)
    assert trained.sample(np.int32(3)).shape == (3, 4)


@pytest.mark.parametrize(
    ("n_samples", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (2.0, TypeError),
        (True, TypeError),
        ("3", TypeError),
        (None, TypeError),
    ],
)
def test_sample_wants_a_number_of_rows(n_samples, error, trained):
    message = f"n_samples must be an integer of at least 1. Got {n_samples!r}."
    with pytest.raises(error, match=re.escape(message)):
        trained.sample(n_samples)


# ------------------------------------------------------------------ fitted attributes


@pytest.mark.parametrize("parameters", [{}, LINEAR, {"noise": "diag"}])
def test_components_are_ordered_by_the_nats_they_carry(parameters, make_vae, curve):
    vae = make_vae(n_components=3, **parameters).fit(curve)
    mean, std = vae.posterior(curve)
    oracle = 0.5 * (mean**2 + std**2 - 2 * np.log(std) - 1).mean(axis=0)
    np.testing.assert_allclose(vae.component_kl_, oracle, atol=1e-4)
    assert (np.diff(vae.component_kl_) <= 0).all()
    assert vae.n_active_components_ == (oracle > 0.01).sum()


@pytest.mark.parametrize("parameters", [{}, LINEAR, {"noise": "diag"}])
@pytest.mark.parametrize("flip", [1, -1])
def test_components_grow_with_the_column_they_covary_with_most(
    parameters, flip, make_vae, curve
):
    X = flip * curve
    Z = make_vae(**parameters).fit_transform(X)
    covariance = (Z - Z.mean(axis=0)).T @ StandardScaler().fit_transform(X)
    strongest = np.abs(covariance).argmax(axis=1)
    assert (covariance[[0, 1], strongest] > 0).all()


@pytest.mark.parametrize("noise", NOISES)
def test_scaling_and_noise_are_told_in_the_users_units(noise, make_vae, curve):
    vae = make_vae(noise=noise).fit(curve)
    oracle = StandardScaler().fit(curve)
    np.testing.assert_allclose(vae.mean_, oracle.mean_)
    np.testing.assert_allclose(vae.scale_, oracle.scale_)
    share = vae.noise_variance_ / oracle.var_
    assert np.ptp(share) < 1e-9 if noise == "spherical" else np.ptp(share) > 1e-3
    decoded = vae.sample(4000, random_state=0)
    np.testing.assert_allclose(decoded.std(axis=0), oracle.scale_, rtol=0.25)


def test_the_curves_have_an_entry_an_epoch(trained):
    assert len(trained.loss_curve_) == trained.n_iter_
    assert len(trained.validation_scores_) == trained.n_iter_
    best = trained.validation_scores_[trained.best_iter_ - 1]
    assert trained.best_validation_score_ == best == max(trained.validation_scores_)


def test_where_nothing_improves_the_best_score_is_that_of_the_start(make_vae, curve):
    ruined = make_vae(learning_rate_init=100, max_iter=8).fit(curve)
    frozen = make_vae(learning_rate_init=1e-12, max_iter=1).fit(curve)
    assert ruined.best_iter_ == 0
    start = frozen.best_validation_score_
    assert ruined.best_validation_score_ == pytest.approx(start, abs=1e-5)


def test_without_early_stopping_the_last_epoch_is_kept(make_vae, curve):
    vae = make_vae(early_stopping=False, max_iter=3).fit(curve)
    assert vae.n_iter_ == vae.best_iter_ == len(vae.loss_curve_) == 3
    assert vae.validation_scores_ is None
    assert vae.best_validation_score_ is None


@pytest.mark.parametrize(
    ("fraction", "n", "n_held_out"),
    [(1e-9, 200, 3), (0.1, 200, 20), (0.999999, 200, 199), (0.1, 2, 1), (0.9, 2, 1)],
)
def test_validation_fraction_leaves_a_row_to_each(
    fraction, n, n_held_out, make_vae, curve, fits
):
    vae = make_vae(max_iter=2, validation_fraction=fraction).fit(curve[:n])
    assert fits[0]["n_held_out"] == n_held_out
    assert np.isfinite(vae.score(curve))


# --------------------------------------------------------------------------- collapse


def test_one_warning_tells_that_no_component_is_left(make_vae, curve):
    vae = make_vae(beta=100.0, max_iter="auto")
    with pytest.warns(
        UserWarning, match=r"No component carries .* Lower beta=100"
    ) as w:
        vae.fit(curve)
    assert len(w) == 1
    assert vae.n_active_components_ == 0
    assert np.isfinite(vae.component_kl_).all()
    assert np.isfinite(vae.score(curve))
    np.testing.assert_allclose(vae.transform(curve), 0, atol=0.1)


def test_unrelated_columns_leave_no_component(make_vae):
    X = np.random.default_rng(0).normal(size=(30_000, 3))
    with pytest.warns(UserWarning, match="may have nothing in common"):
        vae = make_vae(hidden_layer_sizes=(), n_components=1).fit(X)
    assert vae.component_kl_.max() < 0.01


def test_empty_components_do_not_hurt_the_others(make_vae):
    rng = np.random.default_rng(0)
    t = rng.normal(size=600)
    X = np.column_stack([t, t**2, np.abs(t)]) + 0.1 * rng.normal(size=(600, 3))
    X, new = X[:400], X[400:]
    few, many = (make_vae(n_components=k, max_iter=60).fit(X) for k in (1, 12))
    assert many.n_active_components_ < 6
    assert np.isfinite(many.transform(new)).all()
    assert many.score(new) > few.score(new) - 0.1
    r2 = [r2_score(new, m.inverse_transform(m.transform(new))) for m in (few, many)]
    assert r2[1] > r2[0] - 0.02


# ------------------------------------------------------------------------- odd tables


def odd_table(kind):
    rng = np.random.default_rng(0)
    t = rng.normal(size=40)
    x = np.column_stack([t, t**2, rng.normal(size=40)])
    return {
        "constant column": np.c_[x, np.full(40, 7.0)],
        "constant columns only": np.full((40, 3), 7.0),
        "near-constant column": np.c_[x, np.r_[np.zeros(39), 1e-3]],
        "near-constant column, far from 0": np.c_[x, 1e6 + 1e-6 * t],
        "duplicate columns": np.c_[x, x, x],
        "linearly dependent columns": np.c_[x, x.sum(axis=1)],
        "duplicate rows": np.repeat(x[:4], 10, axis=0),
        "more columns than rows": rng.normal(size=(10, 25)),
        "two rows": x[:2],
        "two equal rows": x[[0, 0]],
        "three rows": x[:3],
        "one column": x[:, :1],
        "one column, two rows": x[:2, :1],
        "small integers": np.round(x),
        "an outlier": np.r_[x, [[1e6, -1e6, 1e6]]],
        "tiny": x * 1e-200,
        "huge": x * 1e90,
        "units apart": x * [1e-30, 1, 1e30],
    }[kind]


ODD = [
    "constant column",
    "constant columns only",
    "near-constant column",
    "near-constant column, far from 0",
    "duplicate columns",
    "linearly dependent columns",
    "duplicate rows",
    "more columns than rows",
    "two rows",
    "two equal rows",
    "three rows",
    "one column",
    "one column, two rows",
    "small integers",
    "an outlier",
    "tiny",
    "huge",
    "units apart",
]
WAYS = [
    {},
    LINEAR,
    {"noise": "diag"},
    {"scaling": None},
    {"early_stopping": False, "noise": "diag"},
    {"n_components": 30},
    {"n_components": 30, "early_stopping": False},
    {"n_components": 30, "noise": "diag", "hidden_layer_sizes": ()},
]


@pytest.mark.parametrize("parameters", WAYS, ids=str)
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.filterwarnings("ignore:No component carries more")
@pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")
@pytest.mark.filterwarnings("error")
def test_odd_tables_give_sane_results(kind, parameters, make_vae):
    X = odd_table(kind)
    vae = make_vae(max_iter=5, **parameters).fit(X)
    Z = vae.transform(X)
    back = vae.inverse_transform(Z)
    for values in (Z, back, vae.score_samples(X), vae.sample(50, random_state=0)):
        assert np.isfinite(values).all()
    assert (vae.posterior(X)[1] > 0).all()
    assert vae.noise_variance_.min() > 0
    # On the scale of the network, what is left is no more than PCA leaves; with a
    # noise by column, which has other aims, no more than the mean leaves.
    x = (X - vae.mean_) / vae.scale_
    left = ((x - (back - vae.mean_) / vae.scale_) ** 2).sum()
    total = (x**2).sum()
    pca = (np.linalg.svd(x, compute_uv=False)[vae.n_components_ :] ** 2).sum()
    bound = total if vae.noise == "diag" else pca + 0.05 * total
    assert left <= bound + 1e-9


@pytest.mark.parametrize("noise", NOISES)
def test_a_new_value_in_a_constant_column_is_unlikely_not_impossible(noise, make_vae):
    X = odd_table("constant column")
    vae = make_vae(max_iter=5, noise=noise).fit(X)
    odd = X[:1] + np.eye(4)[3] * 5
    assert -1e9 < vae.score(odd) < vae.score(X[:1]) - 10
    np.testing.assert_allclose(vae.inverse_transform(vae.transform(X))[:, 3], 7.0)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("kind", ["linearly dependent columns", "two rows", "huge"])
def test_components_beyond_the_rank_stay_empty(kind, noise, make_vae):
    X = odd_table(kind)
    vae = make_vae(n_components=9, noise=noise, **LINEAR).fit(X)
    rank = np.linalg.matrix_rank((X - X.mean(axis=0)) / X.std(axis=0))
    np.testing.assert_allclose(vae.component_kl_[rank:], 0, atol=1e-4)
    np.testing.assert_allclose(vae.transform(X)[:, rank:], 0, atol=1e-2)
    assert vae.n_active_components_ <= rank


def test_components_that_training_does_not_need_stay_nearly_empty(make_vae, curve):
    vae = make_vae(n_components=12).fit(curve)
    assert vae.component_kl_[4:].max() < 0.05
    _, std = vae.posterior(curve)
    np.testing.assert_allclose(std[:, 4:], 1, atol=0.15)


# ------------------------------------------------------------------ plain autoencoder


def test_beta_0_reconstructs_at_least_as_well(make_vae, curve):
    def r2(beta):
        vae = make_vae(beta=beta, early_stopping=False).fit(curve)
        return r2_score(curve, vae.inverse_transform(vae.transform(curve)))

    assert r2(0.0) == r2(0.0)
    assert r2(0.0) >= r2(1.0)


@pytest.mark.parametrize("parameters", [{}, LINEAR])
@pytest.mark.filterwarnings("ignore:No component carries more")
def test_beta_is_obeyed_where_reconstruction_pays_for_it(parameters, make_vae, curve):
    nats = {
        beta: make_vae(beta=beta, max_iter=40, **parameters)
        .fit(curve)
        .component_kl_.sum()
        for beta in (1.0, 30.0)
    }
    assert nats[30.0] < nats[1.0] - 0.5


def test_more_beta_means_fewer_nats(make_vae, curve):
    nats = [
        make_vae(beta=beta, early_stopping=False).fit(curve).component_kl_.sum()
        for beta in (1.0, 4.0, 16.0)
    ]
    assert nats[0] > nats[1] > nats[2]


# ---------------------------------------------------------------- warnings and progress


def test_max_iter_that_ends_first_warns_once(make_vae, curve):
    message = "max_iter=2 epochs ended .* n_iter_no_change=10 epochs. Raise max_iter"
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        make_vae(max_iter=2).fit(curve)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "parameters",
    [{"max_iter": 500, "tol": 1.0}, {"early_stopping": False, "max_iter": 2}, LINEAR],
)
def test_a_fit_that_ends_as_it_should_warns_of_nothing(parameters, make_vae, curve):
    make_vae(**parameters).fit(curve)


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("learning_rate", [1e6, 1e30])
def test_a_learning_rate_that_diverges_warns_once_and_does_no_harm(
    learning_rate, early_stopping, make_vae, curve, linear
):
    vae = make_vae(learning_rate_init=learning_rate, early_stopping=early_stopping)
    message = re.escape(f"learning_rate_init={learning_rate!r}") + ".* Lower"
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        vae.fit(curve)
    assert len(caught) == 1
    assert vae.score(curve) > linear.score(curve) - 0.2
    assert np.isfinite(vae.sample(100, random_state=0)).all()


@pytest.fixture
def spoil_losses(monkeypatch):
    """Make the losses and gradients of some steps NaN."""

    def spoil(which):
        original, steps = ByHand.__call__, iter(range(10**9))

        def spoiled(self, *args):
            error, kl = original(self, *args)
            if which(next(steps)):
                self.flat.fill_(np.nan)
                kl.fill_(np.nan)
            return error, kl

        monkeypatch.setattr(ByHand, "__call__", spoiled)

    return spoil


def test_one_nan_loss_is_survived(spoil_losses, make_vae, curve, linear):
    spoil_losses(lambda step: step == 50)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "The loss became")
        vae = make_vae().fit(curve)
    assert vae.score(curve) > linear.score(curve)


def test_nan_losses_from_some_step_on_leave_the_best_before(
    spoil_losses, make_vae, curve, linear
):
    spoil_losses(lambda step: step > 150)
    with pytest.warns(ConvergenceWarning, match="The loss became infinite or NaN"):
        vae = make_vae().fit(curve)
    assert 0 < vae.best_iter_ < vae.n_iter_ < 20
    assert vae.score(curve) > linear.score(curve)


@pytest.mark.parametrize(("tables", "n_iter"), [(0, 1), (3, 3), (99, 4)])
def test_auto_visits_no_more_rows_than_it_may_and_does_not_warn(
    tables, n_iter, curve, monkeypatch
):
    monkeypatch.setattr(skvae._vae, "MOST_VISITS", tables * len(curve))
    monkeypatch.setattr(skvae._vae, "MOST_EPOCHS", 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vae = VAETransformer(random_state=0).fit(curve)
    assert vae.n_iter_ == n_iter


def test_verbose_prints_a_line_an_epoch(make_vae, curve, capsys):
    vae = make_vae(max_iter=3, verbose=True).fit(curve)
    expected = [
        f"Epoch {i}: loss {loss:.4f}, validation score {score:.4f}"
        for i, (loss, score) in enumerate(
            zip(vae.loss_curve_, vae.validation_scores_, strict=True), start=1
        )
    ]
    assert capsys.readouterr().out.splitlines() == expected


def test_verbose_prints_each_epoch_once_without_early_stopping(make_vae, curve, capsys):
    vae = make_vae(max_iter=3, verbose=1, early_stopping=False).fit(curve)
    expected = [f"Epoch {i}: loss {x:.4f}" for i, x in enumerate(vae.loss_curve_, 1)]
    assert capsys.readouterr().out.splitlines() == expected


def test_silent_unless_told(make_vae, curve, capsys):
    make_vae(max_iter=3).fit(curve)
    assert capsys.readouterr() == ("", "")


# ------------------------------------------------------------ failures leave no trace


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize(
    "place",
    [
        "skvae._fitting.fit.train",
        "skvae._fitting.fit.fit_readout",
        "skvae._vae.fit_vae",
    ],
)
def test_an_interrupted_fit_leaves_the_estimator_as_it_was(
    place, warm_start, make_vae, curve, predictions, monkeypatch
):
    vae = make_vae(max_iter=2, warm_start=warm_start).fit(curve)
    before = state(vae), joblib.hash(predictions(vae, curve))
    monkeypatch.setattr(place, interrupt)
    with pytest.raises(KeyboardInterrupt):
        vae.fit(2 * curve[:50] if warm_start else curve[:50, :3])
    assert (state(vae), joblib.hash(predictions(vae, curve))) == before


def test_an_interrupt_in_mid_training_leaves_a_warm_start_as_it_was(
    make_vae, curve, monkeypatch
):
    vae = make_vae(max_iter=2, warm_start=True).fit(curve)
    before = state(vae)
    original, steps = ByHand.__call__, iter(range(20))

    def interrupted(*args):
        return original(*args) if next(steps, None) is not None else interrupt()

    monkeypatch.setattr(ByHand, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        vae.fit(curve)
    assert state(vae) == before


@pytest.mark.parametrize("wrong", ["parameter", "entry", "warning"])
def test_a_fit_that_raises_leaves_the_estimator_as_it_was(wrong, make_vae, curve):
    vae = make_vae(max_iter=2).fit(curve)
    X = curve[:50, :3].copy()
    if wrong == "parameter":
        vae.set_params(beta=-1)
    if wrong == "entry":
        X[3, 1] = np.inf
    before = state(vae)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises((ValueError, ConvergenceWarning)):
            vae.fit(X)
    assert state(vae) == before


def test_a_first_fit_that_raises_leaves_the_estimator_unfitted(make_vae, frame):
    vae = make_vae()
    with pytest.raises(ValueError, match="infinity"):
        vae.fit(frame.mask(frame > 60, np.inf))
    assert vars(vae) == vae.get_params()


@pytest.mark.parametrize("method", [*METHODS, "inverse_transform"])
def test_a_failed_use_leaves_the_estimator_as_it_was(method, make_vae, curve):
    vae = make_vae(max_iter=2).fit(curve)
    before = copy.deepcopy(vae)
    with pytest.raises(ValueError, match="infinity"):
        getattr(vae, method)(np.full((3, 2 if "inverse" in method else 4), np.inf))
    assert state(vae) == state(before)


# -------------------------------------------------------------------------- bad input


def spoilt(curve, value, row=3, column=1):
    X = curve.copy()
    X[row, column] = value
    return X


BAD_ENTRIES = {
    "inf": (np.inf, r"contains infinity in column 1 \(row 3\).* finite number"),
    "-inf": (-np.inf, r"contains infinity in column 1 \(row 3\).* finite number"),
    "1e300": (1e300, r"contains 1e\+300 in column 1.* within .*Rescale"),
    "-1e300": (-1e300, r"contains -?1e\+300 in column 1.* within .*Rescale"),
}


@pytest.mark.parametrize(("value", "message"), BAD_ENTRIES.values(), ids=BAD_ENTRIES)
@pytest.mark.parametrize("method", ["fit", *METHODS])
def test_unusable_entries_are_named(method, value, message, linear, make_vae, curve):
    vae = make_vae() if method == "fit" else linear
    with pytest.raises(ValueError, match=message):
        getattr(vae, method)(spoilt(curve, value))


@pytest.mark.parametrize("method", ["fit", *METHODS])
def test_unusable_entries_of_a_frame_are_named_by_its_column(method, make_vae, frame):
    vae = make_vae(**LINEAR).fit(frame)
    bad = frame.copy()
    bad.iloc[3, 1] = np.inf
    with pytest.raises(ValueError, match=r"infinity in column 'b' \(row 3\)"):
        getattr(vae, method)(bad)


def test_entries_far_beyond_the_training_rows_are_named(linear, curve):
    far = linear.mean_[2] + 2e15 * linear.scale_[2]
    with pytest.raises(ValueError, match=r"in column 2, .*too large: .* within"):
        linear.transform(spoilt(curve, far, column=2))
    near = linear.mean_[2] + 1e14 * linear.scale_[2]
    assert np.isfinite(linear.transform(spoilt(curve, near, column=2))).all()


BAD_TABLES = {
    "no rows": (np.empty((0, 4)), ValueError, r"0 sample\(s\).*minimum of"),
    "complex": (np.ones((9, 4), complex), ValueError, "Complex data not supported"),
    "one dimension": (np.ones(4), ValueError, "Expected 2D array.*Reshape"),
    "three dimensions": (np.ones((9, 4, 1)), ValueError, "dim 3"),
    "array with a dict": (
        np.array([[1, {}, 3, 4]] * 9, dtype=object),
        TypeError,
        r"contains {} in column 1: .*argument must be .* string.* number",
    ),
    "sparse matrix": (sparse.csr_matrix((9, 4)), TypeError, r"[Ss]parse.*toarray"),
    "sparse array": (sparse.csr_array((9, 4)), TypeError, r"[Ss]parse.*toarray"),
}


@pytest.mark.parametrize(("X", "error", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
@pytest.mark.parametrize("method", ["fit", *METHODS])
def test_bad_tables(method, X, error, message, linear, make_vae):
    vae = make_vae() if method == "fit" else linear
    with pytest.raises(error, match=f"(?s){message}"):
        getattr(vae, method)(X)


NO_NUMBERS = {
    "strings": (["x"] * 9, "'x'"),
    "a string among numbers": ([1.0] * 8 + ["x"], "'x'"),
    "a category": (pd.Categorical(["x"] * 9), "'x'"),
    "dates": (pd.to_datetime(["2020-01-01"] * 9), "Timestamp"),
}


@pytest.mark.parametrize(("column", "value"), NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_what_no_longer_is_a_column_of_numbers_is_named(column, value, make_vae, frame):
    vae = make_vae(**LINEAR).fit(frame)
    message = f"contains {value}.* in column 'c', which held numbers in fit"
    with pytest.raises(ValueError, match=message):
        vae.transform(frame.iloc[:9].assign(c=column))


def test_fit_wants_two_rows_and_a_column(make_vae, curve):
    with pytest.raises(ValueError, match=r"1 sample\(s\).*minimum of 2 is required"):
        make_vae().fit(curve[:1])
    with pytest.raises(ValueError, match=r"0 feature\(s\).*minimum of 1 is required"):
        make_vae().fit(curve[:, :0])


@pytest.mark.parametrize("method", METHODS)
def test_another_number_of_columns(method, linear, curve):
    message = "X has 3 features, but VAETransformer is expecting 4 features"
    with pytest.raises(ValueError, match=message) as raised:
        getattr(linear, method)(curve[:, :3])
    assert raised.value.__cause__ is not raised.value


@pytest.mark.parametrize("method", METHODS)
def test_columns_of_other_names_or_in_another_order(method, make_vae, frame):
    vae = make_vae(**LINEAR).fit(frame)
    with pytest.raises(
        ValueError, match=r"(?s)feature names should match.*unseen.*- z"
    ):
        getattr(vae, method)(frame.rename(columns={"c": "z"}))
    with pytest.raises(ValueError, match=r"(?s)feature names .* in the same order"):
        getattr(vae, method)(frame[NAMES[::-1]])


@pytest.mark.parametrize(
    "use",
    [
        *[lambda vae, X, name=name: getattr(vae, name)(X) for name in METHODS],
        lambda vae, X: vae.inverse_transform(X[:, :2]),
        lambda vae, X: vae.sample(),
        lambda vae, X: vae.get_feature_names_out(),
    ],
    ids=[*METHODS, "inverse_transform", "sample", "get_feature_names_out"],
)
def test_use_before_fit(use, curve):
    with pytest.raises(NotFittedError, match=r"not fitted yet\. Call 'fit'"):
        use(VAETransformer(), curve)


BAD_LATENT = {
    "narrow": (np.ones((3, 1)), r"X has 1 columns, .* n_components_=2 columns"),
    "wide": (np.ones((3, 4)), r"X has 4 columns, .* n_components_=2 columns"),
    "NaN": (np.full((3, 2), np.nan), r"contains NaN in component 0 \(row 0\)"),
    "infinity": (np.full((3, 2), np.inf), "contains infinity in component 0"),
    "1e300": (np.full((3, 2), 1e300), r"contains 1e\+300 in component 0"),
    "strings": (np.array([["x", "y"]]), "could not convert string to float.*'x'"),
    "complex": (np.ones((3, 2), complex), "Complex data not supported"),
    "no rows": (np.ones((0, 2)), r"0 sample\(s\)"),
    "one dimension": (np.ones(2), "Expected 2D array"),
}


@pytest.mark.parametrize(("Z", "message"), BAD_LATENT.values(), ids=BAD_LATENT)
def test_inverse_transform_wants_latent_rows(Z, message, linear):
    with pytest.raises(ValueError, match=message):
        linear.inverse_transform(Z)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_six_rows_keep_the_closed_form(seed):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(6, 2))
    X = np.c_[z, z**2, z[:, 0] * z[:, 1]] + 0.1 * rng.normal(size=(6, 5))
    assert VAETransformer(random_state=seed).fit(X).best_iter_ == 0
