"""Where training starts: the linear VAE of some rows, or a fitted density."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from fits import NOISES, curved_table, fit, linear_table, make_split, without_some
from helpers import with_missing
from models import mixed_rows
from sklearn.exceptions import ConvergenceWarning

from skvae import VAETransformer
from skvae._fitting import start as start_module
from skvae._fitting.candidate import encode_some
from skvae._fitting.recipe import NOISE_FLOOR
from skvae._fitting.start import (
    Start,
    fit_filler,
    fit_linear,
    start_from_density,
    start_from_linear,
    tracked,
)
from skvae._linear.anchor import fit_linear_vae, fit_wide_linear_vae
from skvae._training.loop import HIDDEN_SHARE

X = linear_table()


def assert_same_linear(found, expected):
    for name, value in vars(expected).items():
        np.testing.assert_allclose(getattr(found, name), value, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("hidden", [(), (16,)])
def test_the_network_starts_as_the_linear_vae_of_the_rows(noise, hidden):
    split = make_split(X, noise=noise, hidden=hidden, k=3)
    start = start_from_linear(split.training, split)
    of_linear = "diag" if noise == "diag" else "spherical"
    expected = fit_linear_vae(split.training, 3, of_linear, NOISE_FLOOR[of_linear])
    assert_same_linear(start.linear, expected)
    x = X[:9]
    mean, log_var = start.network.encode(x)
    np.testing.assert_allclose(mean, expected.posterior_mean(x), atol=1e-5)
    np.testing.assert_allclose(log_var, expected.log_var.expand(9, 3), atol=1e-5)
    decoded = start.network.decode(mean)
    np.testing.assert_allclose(decoded, expected.decode(mean.double()), atol=1e-5)
    np.testing.assert_allclose(start.likelihood.variance, expected.noise_variance, 1e-6)
    assert start.likelihood.shared == (of_linear == "spherical")
    assert start.network.dtype == start.likelihood.variance.dtype == torch.float32
    assert start.filler is start.linear


def test_hidden_layers_are_of_the_seed():
    flats = [
        start_from_linear(X, make_split(X, seed=seed)).network.flat
        for seed in (0, 0, 1)
    ]
    assert torch.equal(flats[0], flats[1])
    assert not torch.equal(flats[0], flats[2])


def test_with_indicators_it_starts_at_the_logits():
    layout, x = mixed_rows(200)
    split = make_split(x.float(), layout=layout)
    linear = fit_linear(x.float(), split.recipe)
    start = start_from_linear(x.float(), split)
    assert_same_linear(start.linear, linear)
    decoded = start.network.decode(torch.zeros(1, 2))[0]
    np.testing.assert_allclose(decoded, linear.output_map[0], atol=1e-6)
    assert len(start.likelihood.variance) == 2
    z = start.network.encode(x.float())[0]  # the mean indicators are about the rows'
    mean = start.likelihood.likelihood.mean(start.network.decode(z)).mean(dim=0)
    np.testing.assert_allclose(mean, np.zeros(12), atol=0.05)


def test_a_table_of_many_categories_gets_the_fast_linear_vae(monkeypatch):
    layout, x = mixed_rows(200)
    recipe = make_split(x.float(), layout=layout).recipe
    monkeypatch.setattr(start_module, "MOST_EXACT", 5)
    found = fit_linear(x.float(), recipe)
    expected = fit_wide_linear_vae(x.float(), 2, recipe.floor, 3)
    np.testing.assert_allclose(found.encoder, expected.encoder, rtol=1e-9)
    assert not torch.equal(found.output_map, expected.output_map)


# ---------------------------------------------------------------------- missing values


def test_what_is_missing_is_filled_for_the_encoder_alone():
    x = without_some(X)
    start = start_from_linear(x, make_split(x, noise="spherical"))
    rows = start.rows(x)
    np.testing.assert_array_equal(rows.observed, x)
    assert rows.x.dtype == torch.float32
    np.testing.assert_allclose(rows.x, start.linear.fill(x), rtol=1e-6)
    assert torch.equal(rows.x[~x.isnan()], x[~x.isnan()])
    complete = start.rows(X)
    assert complete.x is complete.observed is X


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_the_filler_is_a_factor_analysis_where_the_noise_becomes_one_by_column(
    noise, missing
):
    x = without_some(X, missing)
    split = make_split(x, noise=noise)
    linear = fit_linear(x, split.recipe)
    found = fit_filler(x, linear, split)
    if missing and noise == "auto":
        expected = fit_linear_vae(x, 2, "diag", NOISE_FLOOR["diag"])
        assert_same_linear(found, expected)
    else:
        assert found is linear


def test_a_wide_table_is_filled_by_its_own_linear_vae(monkeypatch):
    x = without_some(X)
    split = make_split(x, noise="auto")
    linear = fit_linear(x, split.recipe)
    monkeypatch.setattr(start_module, "MOST_EXACT", 4)
    assert fit_filler(x, linear, split) is linear


def uneven_table(n=1000, draw=0):
    """Rows of two factors; half of the columns are nearly exact, the others are not."""
    loadings = np.random.default_rng(0).normal(size=(2, 8))
    noise = np.repeat([0.1, 1.5], 4)
    rng = np.random.default_rng([1, draw])
    return rng.normal(size=(n, 2)) @ loadings + noise * rng.normal(size=(n, 8))


def test_a_network_reads_what_factor_analysis_expects():
    X, fresh = uneven_table(), uneven_table(draw=1)
    scale, incomplete = fresh.std(axis=0), with_missing(fresh)
    errors = {}
    for noise in ("auto", "spherical"):
        vae = VAETransformer(2, noise=noise, random_state=0, max_iter=20)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            vae.fit(with_missing(X, seed=1))
        scaled = torch.from_numpy((incomplete - vae.mean_) / vae.scale_)
        filled = vae._density.parts[0].coder.filler.fill(scaled).numpy() * vae.scale_
        residual = (filled + vae.mean_ - fresh)[np.isnan(incomplete)]
        residual /= np.broadcast_to(scale, fresh.shape)[np.isnan(incomplete)]
        errors[noise] = np.sqrt(np.square(residual).mean())
    oracle = fit_linear_vae(torch.from_numpy(X / scale), 2, "diag", 1e-9)
    filled = oracle.fill(torch.from_numpy(incomplete / scale)).numpy()
    residual = (filled - fresh / scale)[np.isnan(incomplete)]
    best = np.sqrt(np.square(residual).mean())
    assert errors["auto"] < 1.1 * best
    assert errors["auto"] < 0.97 * errors["spherical"]


@pytest.mark.parametrize(
    ("with_categories", "parameters"),
    [
        (True, {"early_stopping": False}),
        (True, {"max_iter": 1, "learning_rate_init": 1e-9}),
        (False, {"early_stopping": False}),
    ],
)
def test_the_filler_is_of_all_rows_where_the_start_is(with_categories, parameters):
    X = pd.DataFrame(with_missing(uneven_table(200))).add_prefix("x")
    if with_categories:
        X["sign"] = np.where(X["x0"] > 0, "+", "-")
    parameters = {"max_iter": 3} | parameters
    vae = VAETransformer(2, hidden_layer_sizes=(8,), random_state=0, **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        vae.fit(X)
    x = torch.from_numpy(vae._codec.scaled(vae._validate(X)))
    expected = fit_linear_vae(x.float(), 2, "diag", 1e-4)
    coder = vae._density.parts[0].coder
    for rows in (x, x[:5]):
        np.testing.assert_allclose(
            coder.filler.fill(rows), expected.fill(rows), atol=1e-3
        )
    # Training, calibration and the fitted model read the same.
    linear = coder.linear
    network = coder.network.to(torch.float32)
    start = Start(network, None, linear, coder.filler, fallback=linear)
    _, *found = encode_some(start.network, start, x.float())
    encoded = coder.network.encode(coder.filler.fill(x))
    for a, b in zip(found, encoded, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


# --------------------------------------------------------------------- what is tracked


@pytest.mark.parametrize("noise", NOISES)
def test_the_noise_of_training_knows_of_intervals_and_of_what_is_missing(noise):
    x = without_some(X)
    half = torch.linspace(0, 1, 5)
    split = make_split(x, torch.stack([x - half, x + half], dim=1), noise=noise)
    variance = torch.linspace(0.2, 0.6, 5).double()
    found = tracked(variance, split)
    within = split.within
    assert (within[1:] > 0).all()
    added = within if noise == "diag" else within.mean()
    np.testing.assert_allclose(found.variance, variance + added, rtol=1e-6)
    assert torch.equal(found.within, within)
    assert torch.equal(found.share, split.observed_share)
    assert found.likelihood.incomplete
    assert found.hidden_share == HIDDEN_SHARE
    assert found.shared == (noise != "diag")
    least = split.least_noise_of(split.recipe.training_noise)
    np.testing.assert_allclose(found.floor, least, rtol=1e-6)


# ------------------------------------------------------------------------- warm starts


@pytest.mark.parametrize("noise", NOISES)
def test_it_goes_on_where_a_density_stands(noise):
    x = curved_table()
    density = fit(x, noise=noise, max_epochs=10).density
    other = curved_table(seed=1)
    split = make_split(other, noise=noise)
    start = start_from_density(density, other, split)
    first = density.parts[0]
    flat = first.coder.network.flat
    np.testing.assert_array_equal(start.network.flat, flat.float())
    assert start.linear is first.coder.linear
    variance = first.likelihood.variance
    if noise != "diag":
        variance = variance.mean().expand(5)
    np.testing.assert_allclose(start.likelihood.variance, variance, rtol=1e-6)
    start.network.flat.fill_(0)
    start.likelihood.variance.fill_(0)
    assert flat.any()
    assert first.likelihood.variance.all()


def test_a_warm_start_fills_with_what_the_new_rows_tell():
    x = without_some(curved_table())
    density = fit(x, noise="auto", max_epochs=10, patience=None).density
    other = without_some(curved_table(seed=1), seed=1)
    start = start_from_density(density, other, make_split(other, noise="auto"))
    expected = fit_linear_vae(other, 2, "diag", NOISE_FLOOR["diag"])
    assert_same_linear(start.filler, expected)
    moved = replace(start, filler=start.linear)
    assert not torch.equal(moved.fill(other), start.fill(other))
