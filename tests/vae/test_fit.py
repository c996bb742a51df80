"""What `fit` learns: the components, the noise, and of which tables."""

import warnings

import numpy as np
import pytest
import torch
from helpers import bow, state, with_missing
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from skvae import VAETransformer

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")

LINEAR = {"hidden_layer_sizes": ()}
NOISES = ["auto", "spherical", "diag"]


def test_training_mattered(trained, linear, curve):
    # Else most tests of this folder would only see the closed form.
    assert trained.best_iter_ > 0
    assert trained.score(curve) > linear.score(curve) + 0.5


def test_a_second_fit_starts_afresh(make_vae, curve, trained, assert_same_bits):
    vae = make_vae(random_state=3).fit(curve[:50, :3] ** 2)
    vae.set_params(random_state=0).fit(curve)
    assert_same_bits(vae, trained, curve)
    assert state(vae) == state(trained)


@pytest.mark.parametrize("seed", [0, 1, 2, 8, 12])
def test_six_rows_keep_the_closed_form(seed):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(6, 2))
    X = np.c_[z, z**2, z[:, 0] * z[:, 1]] + 0.1 * rng.normal(size=(6, 5))
    assert VAETransformer(random_state=seed).fit(X).best_iter_ == 0


# -------------------------------------------------------------------- fitted attributes


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
    ("fraction", "n", "n_validation"),
    [(1e-9, 200, 3), (0.1, 200, 20), (0.999999, 200, 199), (0.1, 2, 1), (0.9, 2, 1)],
)
def test_validation_fraction_leaves_a_row_to_each(
    fraction, n, n_validation, make_vae, curve, fits
):
    vae = make_vae(max_iter=2, validation_fraction=fraction).fit(curve[:n])
    assert fits[0].n_validation == n_validation
    assert np.isfinite(vae.score(curve))


# ----------------------------------------------------------------------------- collapse


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


def test_components_that_training_does_not_need_stay_nearly_empty(make_vae, curve):
    vae = make_vae(n_components=12).fit(curve)
    assert vae.component_kl_[4:].max() < 0.05
    _, std = vae.posterior(curve)
    np.testing.assert_allclose(std[:, 4:], 1, atol=0.15)


# --------------------------------------------------------------------------- odd tables


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
    # Where columns are scaled so that errors count alike, what is left is no more than
    # PCA leaves; with a noise by column, which has other aims, than the mean leaves.
    scale = vae.scale_.max() if vae.scaling is None else vae.scale_
    x = (X - vae.mean_) / scale
    left = ((x - (back - vae.mean_) / scale) ** 2).sum()
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


# ----------------------------------------------------------------------- missing values


def test_a_fit_with_missing_values_improves_on_the_linear_model():
    X, fresh = with_missing(bow()), bow(500, seed=1)
    vae = VAETransformer(1, random_state=0).fit(X)
    linear = VAETransformer(1, hidden_layer_sizes=(), random_state=0).fit(X)
    assert vae.best_iter_ > 0
    assert vae.score(fresh) > linear.score(fresh) + 1
    errors = [
        np.square(m.inverse_transform(m.transform(fresh)) - fresh).mean()
        for m in (vae, linear)
    ]
    assert errors[0] < 0.6 * errors[1]


@pytest.mark.filterwarnings("ignore:max_iter")
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("scaling", ["standard", "quantile", None])
def test_every_way_to_fit_takes_missing_values(noise, early_stopping, scaling):
    X = with_missing(bow(200))
    vae = VAETransformer(
        2,
        noise=noise,
        early_stopping=early_stopping,
        scaling=scaling,
        hidden_layer_sizes=(16,),
        max_iter=4,
        random_state=0,
    )
    vae.fit(X)
    for values in (vae.transform(X), *vae.posterior(X), vae.score_samples(X)):
        assert np.isfinite(values).all()
    assert np.isfinite(vae.sample(50, random_state=0)).all()


@pytest.mark.parametrize("early_stopping", [True, False])
def test_what_training_rows_told_goes_with_the_components(early_stopping):
    X = bow(300)
    X[::2, 1] = X[::3, 4] = np.nan
    vae = VAETransformer(
        3, early_stopping=early_stopping, max_iter=30, tol=0, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        vae.fit(X)
    scaled = torch.from_numpy((X - vae.mean_) / vae.scale_)
    coder = vae._density.parts[0].coder
    expected = coder.linear.informed_share(scaled).mean(dim=0)
    np.testing.assert_allclose(coder.typical_share, expected, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:No component carries more")
@pytest.mark.parametrize("n", [2, 3, 4, 6])
@pytest.mark.parametrize("noise", NOISES)
def test_a_few_rows_may_have_missing_values(n, noise):
    X = bow(n)
    X[0, :2] = X[1, 2:] = np.nan
    vae = VAETransformer(2, noise=noise, random_state=0).fit(X)
    assert np.isfinite(vae.score_samples(X)).all()


# --------------------------------------------------------------------------------- beta


def test_beta_0_reconstructs_better(make_vae, curve):
    def r2(beta):
        vae = make_vae(beta=beta, early_stopping=False).fit(curve)
        return r2_score(curve, vae.inverse_transform(vae.transform(curve)))

    assert r2(0.0) > r2(1.0)


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


# ------------------------------------------------------------ what may come to nothing


def assert_all_is_finite(vae, X):
    assert np.isfinite(vae.loss_curve_).all()
    if vae.validation_scores_ is not None:
        assert np.isfinite([*vae.validation_scores_, vae.best_validation_score_]).all()
        assert len(vae.validation_scores_) == vae.n_iter_
    assert len(vae.loss_curve_) in (0, vae.n_iter_)
    assert np.isfinite(vae.component_kl_).all()
    assert np.isfinite(vae.noise_variance_).all()
    Z = vae.transform(X)
    found = Z, vae.inverse_transform(Z), vae.score_samples(X), vae.impute(X)
    for part in (*found, *vae.posterior(X), vae.sample(9, random_state=0)):
        assert np.isfinite(part).all()


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"early_stopping": False},
        {"scaling": "quantile"},
        {"noise": "diag", "early_stopping": False},
        {"beta": 0.0},
    ],
    ids=str,
)
@pytest.mark.parametrize(("learning_rate", "alpha"), [(10, 1000), (1e3, 0), (1e30, 1)])
@pytest.mark.parametrize("n", [6, 80])
def test_a_fit_that_diverges_leaves_a_finite_model(parameters, learning_rate, alpha, n):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 2)) @ rng.normal(size=(2, 5)) + rng.normal(size=(n, 5))
    X[rng.random(X.shape) < 0.2] = np.nan
    X[0] = 1.0
    vae = VAETransformer(2, hidden_layer_sizes=(6,), max_iter=4, random_state=0)
    vae.set_params(learning_rate_init=learning_rate, alpha=alpha, **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        vae.fit(X)
    assert_all_is_finite(vae, X)


def test_all_rows_that_diverge_warn_and_leave_the_start():
    X = np.random.default_rng(0).normal(size=(60, 4)) * [1, 2, 3, 4]
    parameters = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0}
    vae = VAETransformer(2, early_stopping=False, **parameters)
    with pytest.warns(ConvergenceWarning, match="infinite or NaN"):
        vae.set_params(learning_rate_init=1e3, alpha=1e3).fit(X)
    start = VAETransformer(2, **parameters, learning_rate_init=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        start.fit(X)
    found, expected = (a.inverse_transform(a.transform(X)) for a in (vae, start))
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("scaling", ["standard", "quantile", None])
@pytest.mark.parametrize("value", [7e63, 1e36, 1e60, -1e100])
@pytest.mark.parametrize("spread", [0.0, 1e-16, 1e-15])
def test_rows_of_a_huge_nearly_constant_column_are_taken(value, spread, scaling):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    X[:, 1] = value * (1 - spread * rng.integers(0, 3, 40))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", RuntimeWarning)
        vae = VAETransformer(2, hidden_layer_sizes=(), scaling=scaling).fit(X)
        assert_all_is_finite(vae, X)
    back = vae.inverse_transform(vae.transform(X))
    np.testing.assert_allclose(back[:, 1], X[:, 1], rtol=1e-13)


@pytest.mark.parametrize("scaling", ["standard", "quantile", None])
@pytest.mark.parametrize("hidden", [(), (4,)])
@pytest.mark.parametrize("n_observed", [1, 2])
@pytest.mark.parametrize("n", [2, 3, 40])
def test_columns_of_few_entries_warn_of_nothing(n, n_observed, hidden, scaling):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    X[n_observed:, 1] = np.nan
    if n > 3:
        X[5] = np.nan
    parameters = {"max_iter": 2, "random_state": 0, "scaling": scaling}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", RuntimeWarning)
        vae = VAETransformer(1, hidden_layer_sizes=hidden, **parameters).fit(X)
        assert_all_is_finite(vae, X)
