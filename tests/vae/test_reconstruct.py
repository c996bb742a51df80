"""`reconstruct`: rows encoded and decoded, in one call and beside their own index."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import with_missing
from pandas.testing import assert_frame_equal

from skvae import VAETransformer


def round_trip(vae, X):
    return vae.inverse_transform(vae.transform(X))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_of_an_array_it_is_the_round_trip_to_the_bit(trained, curve, dtype):
    X = curve.astype(dtype)
    found, expected = trained.reconstruct(X), round_trip(trained, X)
    np.testing.assert_array_equal(found, expected)
    assert type(found) is np.ndarray
    assert found.dtype == expected.dtype == dtype


@pytest.mark.parametrize("scaling", ["standard", "quantile", None])
def test_of_every_scaling_it_is_the_round_trip(scaling, make_vae, curve):
    vae = make_vae(scaling=scaling, hidden_layer_sizes=()).fit(curve)
    np.testing.assert_array_equal(vae.reconstruct(curve), round_trip(vae, curve))


INDICES = {
    "descending": lambda n: np.arange(n)[::-1],
    "duplicates": lambda n: np.arange(n) // 3,
    "names": lambda n: [f"row {i}" for i in range(n)],
    "times": lambda n: pd.date_range("2020", periods=n, name="day"),
    "multi": lambda n: pd.MultiIndex.from_arrays(
        [np.arange(n) % 7, np.arange(n)], names=["group", None]
    ),
}


@pytest.mark.parametrize("make_index", INDICES.values(), ids=INDICES)
def test_a_data_frame_keeps_its_index_and_its_columns(fitted, people, make_index):
    X = people.set_axis(make_index(len(people)), axis=0)
    found = fitted.reconstruct(X)
    pd.testing.assert_index_equal(found.index, X.index, exact=True)
    assert_frame_equal(found.reset_index(drop=True), round_trip(fitted, people))
    pd.testing.assert_series_equal(found.dtypes, X.dtypes)


def test_rows_pair_with_themselves(frame, make_vae):
    vae = make_vae(hidden_layer_sizes=()).fit(frame)
    error = (frame - vae.reconstruct(frame)).to_numpy()
    expected = frame.to_numpy() - round_trip(vae, frame).to_numpy()
    np.testing.assert_array_equal(error, expected)


def test_set_output_changes_nothing(make_vae, frame):
    vae = make_vae(hidden_layer_sizes=()).fit(frame)
    before = vae.reconstruct(frame)
    for container in "pandas", "polars", "default":
        assert_frame_equal(
            vae.set_output(transform=container).reconstruct(frame), before
        )
    assert_frame_equal(round_trip(vae.set_output(transform="pandas"), frame), before)


def test_it_comes_in_the_container_that_fit_saw(fitted, people, make_vae, curve):
    of_polars = fitted.reconstruct(pl.from_pandas(people))
    assert_frame_equal(of_polars, fitted.reconstruct(people.reset_index(drop=True)))
    X = pl.DataFrame(curve, schema=list("abcd"))
    vae = make_vae(hidden_layer_sizes=()).fit(X)
    found = vae.reconstruct(X)
    assert isinstance(found, pl.DataFrame)
    assert found.schema == X.schema
    np.testing.assert_array_equal(found.to_numpy(), round_trip(vae, X).to_numpy())


def test_missing_entries_are_filled_in(make_vae, curve):
    X = with_missing(np.array(curve), 0.2)
    X[5] = np.nan
    vae = make_vae(hidden_layer_sizes=()).fit(X)
    found = vae.reconstruct(X)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, round_trip(vae, X))
    # A row of which nothing is known is the mean row.
    np.testing.assert_allclose(found[5], np.nanmean(X, axis=0), rtol=0.1)


def test_with_all_components_it_is_the_table_itself(curve):
    vae = VAETransformer(4, hidden_layer_sizes=()).fit(curve)
    np.testing.assert_allclose(vae.reconstruct(curve), curve, rtol=1e-5, atol=1e-5)


def test_no_row_depends_on_its_neighbours(trained, curve):
    whole = trained.reconstruct(curve)
    alone = np.concatenate([trained.reconstruct(curve[[i]]) for i in range(20)])
    np.testing.assert_allclose(alone, whole[:20], rtol=1e-12)


def test_it_leaves_what_it_is_given_alone(fitted, people):
    before = people.copy(deep=True)
    fitted.reconstruct(people)
    assert_frame_equal(people, before)
