"""`impute`: the expected entries, and draws of them."""

import numpy as np
import pandas as pd
import pytest
from helpers import (
    CITIES,
    as_polars,
    assert_only_missing_are_filled,
    bow,
    make_people,
    with_missing,
)

from skvae import VAETransformer

pytestmark = [
    pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended"),
    pytest.mark.filterwarnings("ignore:No component carries more"),
]

LINEAR = {"n_components": 2, "hidden_layer_sizes": ()}


@pytest.mark.parametrize("scaling", ["standard", "quantile", None])
def test_complete_rows_are_imputed_as_they_are(scaling):
    X = bow(100)
    vae = VAETransformer(**LINEAR, scaling=scaling).fit(X)
    full = vae.impute(X)
    np.testing.assert_array_equal(full, X)
    assert not np.shares_memory(full, X)
    incomplete = with_missing(X)
    before = incomplete.copy()
    assert np.isfinite(vae.impute(incomplete)).all()
    np.testing.assert_array_equal(incomplete, before)


@pytest.mark.parametrize("n_draws", [0, -1, 1.5, True, "2"])
def test_draws_are_counted_from_one(n_draws):
    vae = VAETransformer(**LINEAR).fit(bow(50))
    with pytest.raises((ValueError, TypeError), match="n_draws must be an integer of"):
        vae.impute(bow(5), n_draws=n_draws)


@pytest.mark.parametrize("hidden_layer_sizes", [(), (16,)])
@pytest.mark.parametrize("scaling", ["standard", "quantile", None])
def test_equal_rows_are_completed_alike_wherever_they_stand(
    scaling, hidden_layer_sizes, make_vae
):
    X = bow(200)
    X[:, 4] = np.maximum(X[:, 4], 0).round(1)  # some values that many rows share
    options = {"hidden_layer_sizes": hidden_layer_sizes, "scaling": scaling}
    vae = make_vae(**options).fit(X)
    incomplete = with_missing(X[:100], 0.4)
    full, order = vae.impute(incomplete), np.random.default_rng(1).permutation(100)
    alone = np.concatenate([vae.impute(row[None]) for row in incomplete[:9]])
    for found, expected in (
        (vae.impute(incomplete[order]), full[order]),
        (vae.impute(np.repeat(incomplete, 6, axis=0)), np.repeat(full, 6, axis=0)),
        (alone, full[:9]),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_means_of_skewed_columns_are_those_of_many_draws(make_vae):
    """Of numbers, and not of their normal scores."""
    X = np.exp(bow(300) / 2)
    vae = make_vae(scaling="quantile").fit(X)
    incomplete = with_missing(X[:20], 0.4)
    drawn = np.array(vae.impute(incomplete, n_draws=2000, random_state=0))
    gap = (vae.impute(incomplete) - drawn.mean(axis=0)) / X.std(axis=0)
    assert np.abs(gap)[np.isnan(incomplete)].mean() < 0.1
    assert drawn.std(axis=0)[np.isnan(incomplete)].min() > 0


# ------------------------------------------------------------------------- mixed tables


WAYS = {
    "pandas": lambda X: X,
    "nullable": lambda X: X.astype({"size": "Float32", "age": "Int64"}),
    "string": lambda X: X.astype({"city": "string"}),
    "str": lambda X: X.astype({"city": "str"}),
    "zone": lambda X: X.assign(since=X["since"].dt.tz_localize("Asia/Tokyo")),
    "objects": lambda X: X.astype(object).where(X.notna(), None),
    "polars": as_polars,
    "array of objects": lambda X: X.astype(object).where(X.notna(), None).to_numpy(),
    "array of float32": lambda X: (
        X[["size", "age"]].astype("float32").to_numpy(na_value=np.nan)
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_observed_entries_keep_their_bits(way, make_vae, people):
    incomplete = way(with_missing(people))
    for vae in (
        make_vae(max_iter=3).fit(way(people)),
        make_vae(max_iter=3).fit(incomplete),
    ):
        for full in (
            vae.impute(incomplete),
            *vae.impute(incomplete, 2, random_state=0),
        ):
            assert_only_missing_are_filled(full, incomplete)
    whole = way(people)
    assert_only_missing_are_filled(vae.impute(whole), whole)


def test_imputed_integers_are_whole(make_vae, people):
    incomplete = with_missing(people).astype({"age": float})
    vae = make_vae(n_components=1).fit(people)
    missing = incomplete["age"].isna().to_numpy()
    as_floats = vae.impute(incomplete)["age"]  # its own dtype has fractions
    assert (as_floats[missing] % 1 > 0).any()
    whole = vae.impute(incomplete.astype({"age": "Int16"}))["age"]
    assert whole.dtype == "Int16"
    np.testing.assert_array_equal(whole, as_floats.round())


def test_draws_are_those_of_the_random_state(fitted, people):
    incomplete = with_missing(people.iloc[:50])
    first, other = fitted.impute(incomplete, n_draws=2, random_state=0)
    again = fitted.impute(incomplete, n_draws=2, random_state=0)
    pd.testing.assert_frame_equal(first, again[0])
    pd.testing.assert_frame_equal(other, again[1])
    assert not first.equals(other)
    missing = incomplete["size"].isna().to_numpy()
    assert (first["size"] != other["size"])[missing].all()
    assert not first.equals(fitted.impute(incomplete, 1, random_state=1)[0])
    pd.testing.assert_frame_equal(fitted.impute(incomplete), fitted.impute(incomplete))


def test_draws_average_to_what_is_expected(fitted, people):
    # So many copies of a row take as many draws at once.
    row = with_missing(people).iloc[[0]].mask(np.arange(5)[None] > 0).assign(size=4.0)
    copies = pd.concat([row] * 1000, ignore_index=True)
    copies = copies.astype({"age": float, "smokes": object})
    expected = fitted.impute(copies.iloc[:1])
    drawn = pd.concat(fitted.impute(copies, n_draws=4, random_state=0))
    error = drawn["age"].std() / len(drawn) ** 0.5
    assert drawn["age"].mean() == pytest.approx(expected["age"][0], abs=6 * error)
    assert drawn["age"].std() > 3
    # The oracle: Bayes' rule, with the densities that the model has of each category.
    for name, categories in (("city", CITIES), ("smokes", [False, True])):
        rows = pd.concat([row] * len(categories), ignore_index=True).astype(
            {name: object}
        )
        rows[name] = categories
        joint = np.exp(fitted.score_samples(rows))
        shares = drawn[name].value_counts(normalize=True)
        found = [shares.get(category, 0) for category in categories]
        np.testing.assert_allclose(found, joint / joint.sum(), atol=0.04)
        assert expected[name][0] == categories[joint.argmax()]


@pytest.mark.parametrize(
    "known",
    [
        {"city": "Graz"},
        {"city": "Bonn", "smokes": True},
        {"since": pd.Timestamp("2019-08-01"), "city": "Graz"},
    ],
)
def test_imputed_numbers_are_means_of_the_density(known, fitted, people):
    row = with_missing(people).iloc[[0]].mask(np.full((1, 5), True))
    row = row.astype({"age": float}).assign(**known)
    points = np.linspace(-40, 120, 400)
    grid = pd.concat([row] * 400).assign(age=points)
    density = np.exp(fitted.score_samples(grid))
    expected = points @ density / density.sum()
    (drawn,) = fitted.impute(pd.concat([row] * 1000), n_draws=1, random_state=0)
    for found in (fitted.impute(row)["age"].iloc[0], drawn["age"].mean()):
        assert found == pytest.approx(expected, abs=0.12 * people["age"].std())


@pytest.mark.parametrize("scaling", ["standard", "quantile"])
@pytest.mark.parametrize("at_fit", [False, True])
def test_imputed_entries_are_nearer_than_the_mean_and_the_mode(
    at_fit, scaling, make_vae, people
):
    fresh = make_people(300, seed=1)
    incomplete = with_missing(fresh, seed=1)
    vae = make_vae(n_components=1, scaling=scaling)
    vae.fit(with_missing(people, seed=2) if at_fit else people)
    full = vae.impute(incomplete)
    missing = incomplete.isna().to_numpy()
    for j, name in enumerate(("size", "age")):
        rows = missing[:, j]
        error = (full[name] - fresh[name])[rows].astype(float).std()
        assert error < 0.75 * fresh[name][rows].std()
    rows = missing[:, 4]
    error = (full["since"] - fresh["since"])[rows].dt.days.std()
    assert error < 0.75 * fresh["since"][rows].std() / pd.Timedelta(1, "D")
    for j, name in ((2, "smokes"), (3, "city")):
        rows = missing[:, j]
        right = (full[name][rows] == fresh[name][rows]).mean()
        assert right > 0.1 + people[name].value_counts(normalize=True).max()
