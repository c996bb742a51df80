"""`warm_start=True`: a fit goes on where the last one ended, or starts afresh."""

import numpy as np
import pandas as pd
import pytest
from helpers import state

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")

NAMES = ["a", "b", "c", "d"]  # of the columns of `curve`
LINEAR = {"hidden_layer_sizes": ()}


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


@pytest.mark.parametrize("widths", [(), (8, 4)])
def test_automatic_widths_are_no_warm_start_of_others(
    widths, make_vae, curve, assert_same_bits
):
    vae = make_vae(max_iter=2, warm_start=True, hidden_layer_sizes=widths).fit(curve)
    vae.set_params(hidden_layer_sizes="auto").fit(curve)
    fresh = make_vae(max_iter=2, hidden_layer_sizes="auto").fit(curve)
    assert_same_bits(vae, fresh, curve)


def test_a_warm_start_goes_on_with_automatic_widths(make_vae, curve):
    parameters = {"n_components": 0.9, "hidden_layer_sizes": "auto", "max_iter": 10}
    vae = make_vae(warm_start=True, **parameters).fit(curve)
    before = vae.best_validation_score_
    vae.set_params(max_iter=1, learning_rate_init=1e-12).fit(curve)
    assert vae.best_validation_score_ > before


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


def test_warm_start_goes_on_with_the_same_categories_only(
    make_vae, people, assert_same_bits
):
    vae = make_vae(warm_start=True).fit(people)
    Z = vae.transform(people)
    vae.set_params(max_iter=1, learning_rate_init=1e-12).fit(people)
    np.testing.assert_allclose(vae.transform(people), Z, atol=1e-6)
    fewer = people[people["city"] != "Graz"]
    vae.set_params(max_iter=3).fit(fewer)
    fresh = make_vae(max_iter=3, learning_rate_init=1e-12).fit(fewer)
    assert_same_bits(vae, fresh, fewer)


def test_warm_start_of_another_network_counts_times_afresh(make_vae, frame_of_times):
    days, minutes = frame_of_times
    parameters = {"max_iter": 2, "n_components": 1}
    vae = make_vae(max_iter=2, warm_start=True).fit(days)
    vae.set_params(**parameters).fit(minutes)
    fresh = make_vae(**parameters).fit(minutes)
    np.testing.assert_array_equal(vae.mean_, fresh.mean_)


@pytest.fixture
def frame_of_times(curve):
    steps = np.arange(len(curve))
    return [
        pd.DataFrame({"when": np.datetime64(start) + steps * step, "x": curve[:, 0]})
        for start, step in (
            ("2020-01-01T00:00:00", np.timedelta64(86400, "s")),
            ("2040-01-01T00:00:00", np.timedelta64(420, "s")),
        )
    ]


@pytest.mark.parametrize("scaling", ["standard", "quantile"])
def test_a_warm_start_draws_the_shares_of_its_own_rows(make_vae, scaling):
    def table(share, seed):
        rng = np.random.default_rng(seed)
        zeros = rng.exponential(size=800) * (rng.random(800) < share)
        text = np.where(rng.random(800) < share, "x", "y")
        return pd.DataFrame({"a": rng.normal(size=800), "b": zeros, "c": text})

    vae = make_vae(n_components=2, scaling=scaling, warm_start=True)
    vae.fit(table(0.6, 0)).fit(table(0.1, 1))
    drawn = vae.sample(20_000, random_state=0)
    assert (drawn["c"] == "x").mean() == pytest.approx(0.1, abs=0.03)
    if scaling == "quantile":
        assert (drawn["b"] > 0).mean() == pytest.approx(0.1, abs=0.03)
