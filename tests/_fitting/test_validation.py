"""The validation rows: what they may be, and how rows of missing values are encoded."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import bow, with_missing
from sklearn.exceptions import ConvergenceWarning

from skvae import VAETransformer
from skvae._fitting.validation import encode_some
from skvae._linear.anchor import fit_linear_vae
from skvae._model.density import Parameters


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_a_column_may_have_all_its_entries_among_the_validation_rows(
    seed, early_stopping
):
    X = bow(60)
    X[1:, 2] = np.nan  # for some seeds its only entry is in a validation row
    options = {"hidden_layer_sizes": (8,), "max_iter": 40, "random_state": seed}
    vae = VAETransformer(2, early_stopping=early_stopping, **options)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "max_iter")
        vae.fit(X)
    assert np.isfinite(vae.score_samples(X)).all()
    assert np.isfinite(vae.noise_variance_).all()


def uneven_table(n=1000, draw=0):
    """Rows of two factors; half of the columns are nearly exact, the others are not."""
    loadings = np.random.default_rng(0).normal(size=(2, 8))
    noise = np.repeat([0.1, 1.5], 4)
    rng = np.random.default_rng([1, draw])
    return rng.normal(size=(n, 2)) @ loadings + noise * rng.normal(size=(n, 8))


@pytest.mark.parametrize("n", [1000, 40])  # with and without a network in the end
def test_the_encoder_reads_what_factor_analysis_expects(n):
    X, fresh = uneven_table(n), uneven_table(draw=1)
    scale, incomplete = fresh.std(axis=0), with_missing(fresh)
    errors = {}
    for noise in ("auto", "spherical"):
        vae = VAETransformer(2, noise=noise, random_state=0, max_iter=20)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            vae.fit(with_missing(X, seed=1))
        filled = vae._model.network.fill(vae._scale(incomplete)).numpy() * vae.scale_
        residual = (filled + vae.mean_ - fresh)[np.isnan(incomplete)]
        residual /= np.broadcast_to(scale, fresh.shape)[np.isnan(incomplete)]
        errors[noise] = np.sqrt(np.square(residual).mean())
    oracle = fit_linear_vae(X / scale, 2, "diag", 1e-9)
    residual = (oracle.fill(incomplete / scale) - fresh / scale)[np.isnan(incomplete)]
    best = np.sqrt(np.square(residual).mean())
    assert errors["auto"] < 1.1 * best
    assert errors["auto"] < 0.97 * errors["spherical"]


@pytest.mark.parametrize(
    "parameters",
    [{"early_stopping": False}, {"max_iter": 1, "learning_rate_init": 1e-9}],
)
@pytest.mark.parametrize("with_categories", [True, False])
def test_the_filler_is_of_all_rows_where_the_start_is(parameters, with_categories):
    X = pd.DataFrame(with_missing(uneven_table(200))).add_prefix("x")
    if with_categories:
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
