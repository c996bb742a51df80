"""`transform`, `posterior` and `inverse_transform`."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from helpers import bow, draw_factor_model, with_missing
from sklearn.exceptions import ConvergenceWarning

from skvae import VAETransformer

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")

LINEAR = {"hidden_layer_sizes": ()}


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


def test_float32_that_holds_categories_keeps_its_dtype(make_vae, curve):
    X = curve.astype(np.float32)
    X[:, 3] = X[:, 3] > 100
    vae = make_vae(max_iter=1, categorical_features=[3]).fit(X)
    assert vae.inverse_transform(vae.transform(X)).dtype == np.float32


def test_what_float32_cannot_hold_comes_back_as_its_largest(make_vae):
    X = np.float32([[-3e38, 1], [3e38, 2], [3e38, 3], [-3e38, 1], [1e38, 0]])
    vae = make_vae(max_iter=1).fit(X)
    back = vae.inverse_transform(np.float32([[9, 9], [-9, -9]]))
    oracle = vae.inverse_transform([[9, 9], [-9, -9]])
    limits = np.finfo(np.float32)
    np.testing.assert_array_equal(back, np.float32(oracle.clip(limits.min, limits.max)))
    assert np.abs(oracle).max() > limits.max


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
    # The aggregate posterior is the prior, or the latent space has empty regions.
    np.testing.assert_allclose(mean.var(axis=0) + (std**2).mean(axis=0), 1, atol=0.3)


# ----------------------------------------------------------------------- missing values


@pytest.mark.parametrize("scaling", ["standard", "quantile"])
@pytest.mark.parametrize("at_fit", [True, False])
def test_rows_with_missing_values_are_encoded_near_the_complete_rows(at_fit, scaling):
    X, fresh = bow(), bow(300, seed=1)
    vae = VAETransformer(1, scaling=scaling, random_state=0)
    vae.fit(with_missing(X) if at_fit else X)
    incomplete = with_missing(fresh, 0.2)
    whole, found = vae.transform(fresh)[:, 0], vae.transform(incomplete)[:, 0]
    assert np.corrcoef(whole, found)[0, 1] > 0.85
    _, std = vae.posterior(incomplete)
    missing = np.isnan(incomplete).sum(axis=1)
    assert std[missing >= 2].mean() > 1.1 * std[missing == 0].mean()


def test_rows_with_missing_values_are_encoded_nearer_than_mean_filled_ones():
    X, fresh = draw_factor_model(), draw_factor_model(300, draw=1)
    incomplete = with_missing(fresh)
    filled = np.where(np.isnan(incomplete), X.mean(axis=0), incomplete)
    vae = VAETransformer(2, max_iter=30, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        vae.fit(X)
    whole = vae.transform(fresh)
    found, naive = (
        np.square(vae.transform(x) - whole).mean() for x in (incomplete, filled)
    )
    assert found < 0.85 * naive


def test_a_row_without_any_entry_gives_the_prior():
    X = bow()
    nothing = np.full((2, 5), np.nan)
    for rows in (X, with_missing(X)):
        vae = VAETransformer(2, random_state=0).fit(rows)
        mean, std = vae.posterior(nothing)
        np.testing.assert_array_equal(mean, 0)
        np.testing.assert_array_equal(std, 1)
        score = vae.score_samples(nothing)  # a bound on the logarithm of 1
        assert score == pytest.approx([0, 0], abs=0.1)


def test_missing_values_of_a_frame_may_be_nan_or_na():
    X = pd.DataFrame(with_missing(bow(200)), columns=list("abcde"))
    vae = VAETransformer(**LINEAR).fit(X)
    found = vae.transform(X.astype("Float64"))
    np.testing.assert_array_equal(found, vae.transform(X))
