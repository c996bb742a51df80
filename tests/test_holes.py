"""Rows with missing entries: the exact linear model, and the estimator on top of it."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

from skvae import VAETransformer
from skvae._fitting.validation import encode_some
from skvae._likelihoods.dispersion import fit_dispersion
from skvae._linear import anchor as anchor_module
from skvae._linear.anchor import CrossFit, fit_linear_vae
from skvae._model.density import Parameters, widen
from skvae._table import scaling as scaling_module

NOISES = ["spherical", "diag"]
LINEAR = {"n_components": 2, "hidden_layer_sizes": ()}


def factor_table(n=800, d=6, k=2, seed=0, draw=0):
    """Draw from a factor model; `seed` is the model's."""
    rng = np.random.default_rng(seed)
    loadings, center = rng.normal(size=(k, d)), rng.normal(size=d)
    noise = np.linspace(0.3, 1.0, d)
    rng = np.random.default_rng([seed, draw])
    x = rng.normal(size=(n, k)) @ loadings + noise * rng.normal(size=(n, d))
    return x + center


def bow(n=1200, seed=0):
    """Rows on a curve in five columns."""
    rng = np.random.default_rng(seed)
    t = rng.normal(size=n)
    x = np.c_[t, t**2, np.sin(2 * t), t - t**2, np.cos(t)]
    return x + 0.1 * rng.normal(size=x.shape)


def with_holes(x, share=0.3, seed=0):
    holed = x.copy()
    holed[np.random.default_rng(seed).random(x.shape) < share] = np.nan
    return holed


def covariance(linear):
    return linear.decoder.T @ linear.decoder + np.diag(linear.noise_variance)


# ------------------------------------------------------------------ the linear model


@pytest.mark.parametrize("noise", NOISES)
def test_what_is_observed_conditions_as_in_the_textbook(noise):
    x = factor_table()
    linear = fit_linear_vae(x, 2, noise, 1e-9)
    holed = with_holes(x[:40], 0.5)
    holed[0] = np.nan
    filled, log_density = linear.fill(holed), linear.log_density(holed)
    squares = linear.expected_squares(holed)
    for i, row in enumerate(holed):
        o = ~np.isnan(row)
        center, cov = linear.decoder_bias, covariance(linear)
        gain = cov[:, o] @ np.linalg.inv(cov[np.ix_(o, o)])
        expected = center + gain @ (row[o] - center[o])
        np.testing.assert_allclose(filled[i][~o], expected[~o], rtol=1e-9)
        np.testing.assert_array_equal(filled[i][o], row[o])
        if o.any():
            oracle = multivariate_normal(center[o], cov[np.ix_(o, o)])
            assert log_density[i] == pytest.approx(oracle.logpdf(row[o]))
        assert np.isnan(squares[i][~o]).all()
    assert log_density[0] == 0
    np.testing.assert_allclose(linear.encode(holed)[0], 0, atol=1e-12)


def test_rows_without_holes_are_the_same_beside_rows_with_some():
    x = factor_table(100)
    linear = fit_linear_vae(x, 2, "diag", 1e-9)
    mixed = np.r_[x, with_holes(x)]
    for method in (linear.encode, linear.log_density, linear.expected_squares):
        np.testing.assert_allclose(method(mixed)[:100], method(x), rtol=1e-9)
    np.testing.assert_array_equal(linear.informed(x), 1)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_no_small_change_makes_a_fit_to_holes_likelier(noise, share):
    x = with_holes(factor_table(2000), share)
    linear = fit_linear_vae(x, 2, noise, 1e-9)
    best = linear.log_density(x).mean()
    rng = np.random.default_rng(0)
    for _ in range(20):
        changed = type(linear)(
            encoder=linear.encoder,
            encoder_bias=linear.encoder_bias,
            log_var=linear.log_var,
            decoder=linear.decoder + 0.03 * rng.normal(size=linear.decoder.shape),
            decoder_bias=linear.decoder_bias + 0.03 * rng.normal(size=6),
            noise_variance=linear.noise_variance * np.exp(0.05 * rng.normal()),
        )
        assert changed.log_density(x).mean() < best


@pytest.mark.parametrize("noise", NOISES)
def test_a_fit_to_holes_is_nearly_that_of_the_complete_rows(noise):
    x, fresh = factor_table(2000), factor_table(2000, draw=1)
    complete = fit_linear_vae(x, 2, noise, 1e-9).log_density(fresh).mean()
    holed = with_holes(x)
    found = fit_linear_vae(holed, 2, noise, 1e-9).log_density(fresh).mean()
    means = np.where(np.isnan(holed), np.nanmean(holed, axis=0), holed)
    naive = fit_linear_vae(means, 2, noise, 1e-9).log_density(fresh).mean()
    assert complete - found < 0.05
    assert complete - naive > 0.1


@pytest.mark.parametrize(
    ("n", "d", "share"), [(20, 100, 0.3), (40, 200, 0.3), (40, 200, 0.5)]
)
def test_fewer_rows_than_columns_may_have_holes(n, d, share):
    rows = factor_table(n + 100, d=d)
    rows, fresh = np.split(rows, [n])
    x = with_holes(rows, share)
    found = fit_linear_vae(x, 2, "spherical", 1e-6).log_density(fresh).mean()
    means = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    naive = fit_linear_vae(means, 2, "spherical", 1e-6).log_density(fresh).mean()
    assert found > naive


@pytest.mark.parametrize("noise", NOISES)
def test_columns_seen_once_or_constant_have_a_density(noise):
    x = with_holes(factor_table(12, d=40), 0.6)
    x[:, 0] = np.where(np.isnan(x[:, 0]), np.nan, 3.0)
    x[:, 1] = np.nan
    x[4, 1] = 1.0
    linear = fit_linear_vae(x, 2, noise, 1e-4)
    assert np.isfinite(linear.log_density(x)).all()


def test_a_step_that_overruns_is_not_kept(monkeypatch):
    x = with_holes(factor_table(12, d=30), 0.5)
    scores = []
    for steps in (1, 2, 100):
        monkeypatch.setattr(anchor_module, "MOST_STEPS", steps)
        scores.append(fit_linear_vae(x, 2, "spherical", 1e-6).log_density(x).mean())
    assert scores == sorted(scores)


def test_the_honest_noise_is_of_what_is_observed():
    x = factor_table(3000)
    linear = fit_linear_vae(x, 2, "diag", 1e-9)
    holed = with_holes(x)
    errors = [CrossFit(rows, linear, "diag", 1e-9).error for rows in (x, holed)]
    np.testing.assert_allclose(errors[1], errors[0], rtol=0.4)
    assert errors[1].sum() > errors[0].sum()  # less tells of z


@pytest.mark.parametrize("noise", NOISES)
def test_rows_of_a_fold_with_holes_are_no_likelier_than_fresh_ones(noise):
    k = 4 if noise == "diag" else 6  # more than factors
    holed = with_holes(factor_table(300, d=12), 0.5)
    fresh = with_holes(factor_table(3000, d=12, draw=1), 0.5, seed=1)
    linear = fit_linear_vae(holed, k, noise, 1e-4)
    of_fresh = linear.log_density(fresh).mean()
    flattery = linear.log_density(holed).mean() - of_fresh
    _, left_out = CrossFit(holed, linear, noise, 1e-4).log_densities(1.0)
    assert flattery > 0.2
    assert left_out.mean() - of_fresh < 0.25 * flattery


def test_folds_of_a_long_table_with_holes_are_of_some_of_its_rows(monkeypatch):
    monkeypatch.setattr(anchor_module, "HIDDEN_ROWS", 100)
    x = factor_table(400)
    linear = fit_linear_vae(x, 2, "diag", 1e-9)
    for rows, n in ((x, 400), (with_holes(x), 100)):
        folds = CrossFit(rows, linear, "diag", 1e-9).folds
        assert sum(len(of_fold) for of_fold, _ in folds) == n


def test_a_dispersion_of_errors_with_holes_is_that_of_the_others():
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.normal(size=(1, 4000, 1)))
    error = z.exp() * torch.from_numpy(rng.normal(size=(1, 4000, 2)) ** 2)
    holed = error.clone()
    holed[0, ::2, 1] = torch.nan
    found = fit_dispersion(z, holed, 3.0).factor(z)
    np.testing.assert_allclose(
        found[..., 0], fit_dispersion(z, error, 3.0).factor(z)[..., 0]
    )
    half = fit_dispersion(z[:, 1::2], error[:, 1::2], 3.0).factor(z)
    assert float((found[..., 1] / half[..., 1]).log().abs().mean()) < 0.1


# ------------------------------------------------------------------- the estimator


def test_scores_are_exact_marginals_with_the_linear_model():
    X = factor_table()
    vae = VAETransformer(**LINEAR, scaling=None, random_state=0).fit(X)
    pca = PCA(2).fit(X)
    holed = with_holes(X[:30])
    holed[0] = np.nan
    found = vae.score_samples(holed)
    network = vae._model.likelihood.variance.numpy() * vae.scale_**2
    for row, score in zip(holed, found, strict=True):
        o = np.flatnonzero(~np.isnan(row))
        if not len(o):
            assert score == pytest.approx(0, abs=1e-9)
            continue
        signal = pca.get_covariance() - pca.noise_variance_ * np.eye(6)
        parts = [
            multivariate_normal(
                pca.mean_[o], (signal + np.diag(noise))[np.ix_(o, o)]
            ).logpdf(row[o])
            for noise in (network, np.full(6, pca.noise_variance_))
        ]
        w = vae.network_weight_
        assert score == pytest.approx(logsumexp(parts, b=[w, 1 - w]), abs=0.02)


@pytest.mark.parametrize("scaling", ["standard", "quantile"])
@pytest.mark.parametrize("at_fit", [True, False])
def test_rows_with_holes_are_encoded_near_the_whole_rows(at_fit, scaling):
    X, fresh = bow(), bow(300, seed=1)
    vae = VAETransformer(1, scaling=scaling, random_state=0)
    vae.fit(with_holes(X) if at_fit else X)
    holed = with_holes(fresh, 0.2)
    whole, found = vae.transform(fresh)[:, 0], vae.transform(holed)[:, 0]
    assert np.corrcoef(whole, found)[0, 1] > 0.85
    _, std = vae.posterior(holed)
    missing = np.isnan(holed).sum(axis=1)
    assert std[missing >= 2].mean() > 1.1 * std[missing == 0].mean()


def test_a_row_without_any_entry_gives_the_prior():
    X = bow()
    nothing = np.full((2, 5), np.nan)
    for rows in (X, with_holes(X)):
        vae = VAETransformer(2, random_state=0).fit(rows)
        mean, std = vae.posterior(nothing)
        np.testing.assert_array_equal(mean, 0)
        np.testing.assert_array_equal(std, 1)
        score = vae.score_samples(nothing)  # a bound on the logarithm of 1
        assert score == pytest.approx([0, 0], abs=0.1)


def test_a_fit_to_holes_improves_on_the_linear_model():
    X, fresh = with_holes(bow()), bow(500, seed=1)
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
@pytest.mark.parametrize("noise", ["auto", *NOISES])
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("scaling", ["standard", "quantile", None])
def test_every_way_to_fit_takes_holes(noise, early_stopping, scaling):
    X = with_holes(bow(200))
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
    scaled = (X - vae.mean_) / vae.scale_
    expected = vae._model.linear.informed(scaled).mean(axis=0)
    np.testing.assert_allclose(vae._model.informed, expected, rtol=1e-5)


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_a_column_may_have_all_its_entries_among_the_held_out(seed, early_stopping):
    X = bow(60)
    X[1:, 2] = np.nan  # for some seeds its only entry is held out
    options = {"hidden_layer_sizes": (8,), "max_iter": 40, "random_state": seed}
    vae = VAETransformer(2, early_stopping=early_stopping, **options)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "max_iter")
        vae.fit(X)
    assert np.isfinite(vae.score_samples(X)).all()
    assert np.isfinite(vae.noise_variance_).all()


@pytest.mark.filterwarnings("ignore:No component carries more")
@pytest.mark.parametrize("n", [2, 3, 4, 6])
@pytest.mark.parametrize("noise", ["auto", *NOISES])
def test_a_few_rows_may_have_holes(n, noise):
    X = bow(n)
    X[0, :2] = X[1, 2:] = np.nan
    vae = VAETransformer(2, noise=noise, random_state=0).fit(X)
    assert np.isfinite(vae.score_samples(X)).all()


def test_a_column_may_begin_after_many_rows(monkeypatch):
    monkeypatch.setattr(scaling_module, "SCALER_ROWS", 50)
    monkeypatch.setattr(scaling_module, "MARGINAL_ROWS", 20)
    X = bow(400)
    X[:390, 2] = np.nan
    for scaling in ("standard", "quantile"):
        mean, scale, _ = scaling_module.fit_scaling(X, scaling)
        np.testing.assert_allclose(mean, np.nanmean(X, axis=0))
        np.testing.assert_allclose(scale, np.nanstd(X, axis=0))


def test_posteriors_narrow_only_where_a_row_tells_something():
    log_var = torch.tensor([[-1.0, 0.5, 2.0]]).double()
    found = widen(log_var, torch.full((1, 3), 0.3).double())
    assert float(found[0, 0]) < -1
    np.testing.assert_array_equal(found[0, 1:], log_var[0, 1:])
    np.testing.assert_array_equal(widen(log_var, 1.0), log_var)


def test_frames_say_it_their_way():
    X = pd.DataFrame(with_holes(bow(200)), columns=list("abcde"))
    vae = VAETransformer(**LINEAR).fit(X)
    found = vae.transform(X.astype("Float64"))
    np.testing.assert_array_equal(found, vae.transform(X))


@pytest.mark.parametrize("n_components", [2, 0.9])
def test_a_column_without_any_entry_is_named(n_components):
    X = pd.DataFrame(bow(50), columns=list("abcde"))
    X["c"] = np.nan
    with pytest.raises(
        ValueError, match=r"nothing but missing values in column 'c'.*Drop"
    ):
        VAETransformer(n_components).fit(X)


@pytest.mark.filterwarnings("ignore:max_iter")
def test_a_share_of_the_variance_is_found_beside_holes():
    vae = VAETransformer(0.8, max_iter=5, random_state=0).fit(with_holes(bow(400), 0.1))
    assert 1 <= vae.n_components_ <= 4


# ------------------------------------------------------------------------ imputation


def exact_conditionals(vae, row):
    """Return share, mean and covariance of the normals that a row's holes may be of.

    In the units of X; one for each linear VAE of the density.
    """
    o, h = ~np.isnan(row), np.isnan(row)
    scaled = (row - vae.mean_) / vae.scale_
    noise = vae._model.likelihood.variance.numpy()
    parts = replace(vae._model.linear, noise_variance=noise), vae._model.fallback
    shares = np.array([vae.network_weight_, 1 - vae.network_weight_])
    means, covariances = [], []
    for i, linear in enumerate(parts):
        shares[i] *= np.exp(linear.log_density(scaled[None])[0])
        means.append((linear.fill(scaled[None])[0] * vae.scale_ + vae.mean_)[h])
        cov = covariance(linear) * np.outer(vae.scale_, vae.scale_)
        gain = cov[np.ix_(h, o)] @ np.linalg.inv(cov[np.ix_(o, o)])
        covariances.append(cov[np.ix_(h, h)] - gain @ cov[np.ix_(o, h)])
    return shares / shares.sum(), np.array(means), np.array(covariances)


def exact_moments(vae, row):
    """Mean and covariance of the mixture of those normals."""
    shares, means, covariances = exact_conditionals(vae, row)
    mean = shares @ means
    between = (means - mean).T @ (shares[:, None] * (means - mean))
    return mean, np.tensordot(shares, covariances, 1) + between


@pytest.mark.parametrize("scaling", ["standard", None])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("at_fit", [True, False])
def test_imputed_entries_are_the_conditional_means_of_the_linear_model(
    at_fit, noise, scaling
):
    X = factor_table()
    vae = VAETransformer(**LINEAR, noise=noise, scaling=scaling, random_state=0)
    vae.fit(with_holes(X) if at_fit else X)
    holed = with_holes(factor_table(60, draw=1), 0.4)
    full = vae.impute(holed)
    np.testing.assert_array_equal(full[~np.isnan(holed)], holed[~np.isnan(holed)])
    for row, found in zip(holed, full, strict=True):
        missing = np.isnan(row)
        if missing.any():
            mean, _ = exact_moments(vae, row)
            error = (found[missing] - mean) / X.std(axis=0)[missing]
            assert abs(error).max() < 1e-5


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("holes", [[0, 3], [1, 2, 4, 5], range(6)])
def test_draws_have_the_conditional_covariance_of_the_linear_model(holes, noise):
    X = factor_table()
    vae = VAETransformer(**LINEAR, noise=noise, random_state=0).fit(X)
    row = factor_table(1, draw=2)[0]
    row[list(holes)] = np.nan
    copies = np.tile(row, (2000, 1))  # as many draws at once
    drawn = np.concatenate(vae.impute(copies, n_draws=2, random_state=0))
    mean, cov = exact_moments(vae, row)
    std = np.sqrt(np.diag(cov))
    drawn = drawn[:, list(holes)]
    np.testing.assert_allclose((drawn.mean(axis=0) - mean) / std, 0, atol=0.1)
    error = (np.cov(drawn.T) - cov) / np.outer(std, std)
    np.testing.assert_allclose(error, 0, atol=0.15)


def test_imputed_entries_are_means_of_the_density():
    X, rows = bow(600), bow(20, seed=1)
    vae = VAETransformer(1, hidden_layer_sizes=(64,), random_state=0).fit(X)
    errors = []
    for i, row in enumerate(rows):
        j = i % 5
        points = np.linspace(X[:, j].min() - 3, X[:, j].max() + 3, 400)
        grid = np.tile(row, (400, 1))
        grid[:, j] = points
        density = np.exp(vae.score_samples(grid))
        holed = row.copy()
        holed[j] = np.nan
        found = vae.impute(holed[None])[0, j]
        errors.append((found - points @ density / density.sum()) / X[:, j].std())
    assert np.sqrt(np.square(errors).mean()) < 0.05


def uneven_table(n=1000, draw=0):
    """Rows of two factors; half of the columns are nearly exact, the others are not."""
    loadings = np.random.default_rng(0).normal(size=(2, 8))
    noise = np.repeat([0.1, 1.5], 4)
    rng = np.random.default_rng([1, draw])
    return rng.normal(size=(n, 2)) @ loadings + noise * rng.normal(size=(n, 8))


@pytest.mark.parametrize("n", [1000, 40])  # with and without a network in the end
def test_the_encoder_reads_what_factor_analysis_expects(n):
    X, fresh = uneven_table(n), uneven_table(draw=1)
    scale, holed = fresh.std(axis=0), with_holes(fresh)
    errors = {}
    for noise in ("auto", "spherical"):
        vae = VAETransformer(2, noise=noise, random_state=0, max_iter=20)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            vae.fit(with_holes(X, seed=1))
        filled = vae._model.network.fill(vae._scale(holed)).numpy() * vae.scale_
        residual = (filled + vae.mean_ - fresh)[np.isnan(holed)]
        residual /= np.broadcast_to(scale, fresh.shape)[np.isnan(holed)]
        errors[noise] = np.sqrt(np.square(residual).mean())
    oracle = fit_linear_vae(X / scale, 2, "diag", 1e-9)
    residual = (oracle.fill(holed / scale) - fresh / scale)[np.isnan(holed)]
    best = np.sqrt(np.square(residual).mean())
    assert errors["auto"] < 1.1 * best
    assert errors["auto"] < 0.97 * errors["spherical"]


@pytest.mark.parametrize(
    "parameters",
    [{"early_stopping": False}, {"max_iter": 1, "learning_rate_init": 1e-9}],
)
@pytest.mark.parametrize("with_levels", [True, False])
def test_the_filler_is_of_all_rows_where_the_start_is(parameters, with_levels):
    X = pd.DataFrame(with_holes(uneven_table(200))).add_prefix("x")
    if with_levels:
        X["sign"] = np.where(X["x0"] > 0, "+", "-")
    parameters = {"max_iter": 3} | parameters
    vae = VAETransformer(2, hidden_layer_sizes=(8,), random_state=0, **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        vae.fit(X)
    x = vae._scale(vae._validate(X)).numpy()
    expected = fit_linear_vae(x.astype(np.float32), 2, "diag", 1e-4)
    for rows in (x, x[:5]):
        found = vae._model.network.fill(torch.from_numpy(rows)).numpy()
        np.testing.assert_allclose(found, expected.fill(rows), atol=1e-3)
    parameters = Parameters.from_dict(vae._parameters)
    with torch.no_grad():
        encoded = vae._model.network.encode(torch.from_numpy(x))
        _, *found = encode_some(parameters, x.astype(np.float32))
    for a, b in zip(found, encoded, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("at_fit", [True, False])
def test_a_network_imputes_better_than_the_linear_model_and_the_mean(at_fit):
    X, fresh = bow(600), bow(400, seed=1)
    holed = with_holes(fresh, 0.2)
    missing = np.isnan(holed)

    def error(filled):
        return np.sqrt(np.square((filled - fresh) / X.std(axis=0))[missing].mean())

    vaes = [
        VAETransformer(1, random_state=0, **parameters).fit(
            with_holes(X, 0.2, seed=2) if at_fit else X
        )
        for parameters in ({"hidden_layer_sizes": (64,)}, {"hidden_layer_sizes": ()})
    ]
    network, linear = (error(vae.impute(holed)) for vae in vaes)
    assert network < 0.85 * linear
    assert linear < error(np.where(missing, X.mean(axis=0), holed))
    drawn = vaes[0].impute(holed, n_draws=20, random_state=0)
    assert error(drawn[0]) > 1.1 * error(np.mean(drawn, axis=0))  # they have a spread
    assert error(np.mean(drawn, axis=0)) < 1.15 * network


def test_rows_with_holes_are_encoded_nearer_than_mean_filled_ones():
    X, fresh = factor_table(), factor_table(300, draw=1)
    holed = with_holes(fresh)
    filled = np.where(np.isnan(holed), X.mean(axis=0), holed)
    vae = VAETransformer(2, max_iter=30, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        vae.fit(X)
    whole = vae.transform(fresh)
    found, naive = (np.square(vae.transform(x) - whole).mean() for x in (holed, filled))
    assert found < 0.85 * naive


@pytest.mark.parametrize("scaling", ["standard", "quantile", None])
def test_imputed_entries_of_whole_rows_are_the_rows(scaling):
    X = bow(100)
    vae = VAETransformer(**LINEAR, scaling=scaling).fit(X)
    full = vae.impute(X)
    np.testing.assert_array_equal(full, X)
    assert not np.shares_memory(full, X)
    holed = with_holes(X)
    before = holed.copy()
    assert np.isfinite(vae.impute(holed)).all()
    np.testing.assert_array_equal(holed, before)


@pytest.mark.parametrize("n_draws", [0, -1, 1.5, True, "2"])
def test_draws_are_counted_from_one(n_draws):
    vae = VAETransformer(**LINEAR).fit(bow(50))
    with pytest.raises((ValueError, TypeError), match="n_draws must be an integer of"):
        vae.impute(bow(5), n_draws=n_draws)
