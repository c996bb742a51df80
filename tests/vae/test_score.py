"""`score` and `score_samples`."""

from operator import attrgetter

import numpy as np
import pytest
from helpers import draw_factor_model, with_missing
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA

from skvae import VAETransformer

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")

NOISES = ["auto", "spherical", "diag"]


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


def test_scores_are_exact_marginals_with_the_linear_model():
    X = draw_factor_model()
    vae = VAETransformer(
        n_components=2, hidden_layer_sizes=(), scaling=None, random_state=0
    ).fit(X)
    pca = PCA(2).fit(X)
    incomplete = with_missing(X[:30])
    incomplete[0] = np.nan
    found = vae.score_samples(incomplete)
    network = vae.noise_variance_
    for row, score in zip(incomplete, found, strict=True):
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
