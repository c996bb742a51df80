"""Maps of neighbours: what holds of every estimator holds with `n_neighbors` too."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import skops.io
from helpers import assert_only_missing_are_filled, make_people, with_missing
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

from skvae import VAETransformer

IRIS, SPECIES = load_iris(return_X_y=True)
HALF = np.random.default_rng(0).permutation(150)
TRAINED, NEW = HALF[:100], HALF[100:]


def make_map(n_components=2, **parameters):
    fixed = {"n_neighbors": 15, "hidden_layer_sizes": (32, 16), "random_state": 0}
    return VAETransformer(n_components, **fixed | parameters)


def fit_quietly(vae, X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return vae.fit(X)


@pytest.fixture(scope="module")
def mapped():
    """A map of two thirds of iris. Not to be refitted."""
    return make_map().fit(IRIS[TRAINED])


@pytest.fixture(scope="module")
def people_map():
    return fit_quietly(make_map(), make_people(200))


def positions(vae):
    """Places of the rows of the layout, in its order, and the rows."""
    look_up = vae._density.parts[0].coder.look_up
    return look_up.reference, look_up.positions


# ------------------------------------------------------------------------ transform


def test_new_rows_are_among_their_like(mapped):
    """As near as a map of all columns has them, and nearer than PCA's axes."""
    Z = mapped.transform(IRIS)
    classifier = KNeighborsClassifier(10).fit(Z[TRAINED], SPECIES[TRAINED])
    assert classifier.score(Z[NEW], SPECIES[NEW]) >= 0.9
    assert trustworthiness(IRIS[NEW], Z[NEW], n_neighbors=5) > 0.95


def test_fit_transform_is_transform_of_the_training_rows():
    vae = make_map()
    np.testing.assert_array_equal(vae.fit_transform(IRIS), vae.transform(IRIS))


def test_a_training_row_is_beside_where_the_layout_has_it(mapped):
    rows, places = positions(mapped)
    coder = mapped._density.parts[0].coder
    z, _ = coder.encode(rows)
    gaps = (z - places).norm(dim=1)
    assert float(gaps.median()) < 0.1
    assert float(gaps.max()) < 0.5  # where the layout's root mean square is 1
    assert float(places.square().mean()) == pytest.approx(1)


@pytest.mark.parametrize("size", [1, 7])
def test_no_row_depends_on_others(mapped, size, predictions):
    X = IRIS[NEW]
    whole = predictions(mapped, X)
    parts = [X[i : i + size] for i in range(0, len(X), size)]
    for name in "transform", "score_samples":
        found = np.concatenate([getattr(mapped, name)(part) for part in parts])
        np.testing.assert_allclose(found, whole[name], rtol=1e-10, atol=1e-10)
    found = np.concatenate([mapped.reconstruct(part) for part in parts])
    np.testing.assert_allclose(found, mapped.reconstruct(X), rtol=1e-10)


def test_rows_unlike_all_others_stay_beside_the_map(mapped):
    Z = mapped.transform(IRIS[NEW])
    far = np.concatenate([IRIS[NEW] * 1e3, IRIS[NEW] * -1e6, IRIS[NEW] * 1e12])
    found = mapped.transform(far)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 2 * np.abs(Z).max() + 1
    assert (mapped.score_samples(far) < mapped.score_samples(IRIS[NEW]).min()).all()
    assert np.isfinite(mapped.inverse_transform(found)).all()


@pytest.mark.parametrize("k", [1, 3, 8])
def test_any_number_of_components(k):
    vae = make_map(k).fit(IRIS[TRAINED])
    Z = vae.transform(IRIS[NEW])
    assert Z.shape == (50, k)
    back = vae.inverse_transform(Z)
    assert 1 - ((back - IRIS[NEW]) ** 2).sum() / IRIS[NEW].var(axis=0).sum() / 50 > 0.8
    assert np.isfinite(vae.score_samples(IRIS[NEW])).all()
    assert vae.sample(3, random_state=0).shape == (3, 4)


# ----------------------------------------------------------------------- the density


@pytest.fixture(scope="module")
def moons():
    rng = np.random.default_rng(0)
    t = rng.uniform(0, np.pi, 300)
    side = rng.integers(0, 2, 300)
    X = np.c_[np.cos(t) + side, np.sin(t) * (1 - 2 * side) + 0.5 * side]
    return X + 0.1 * rng.normal(size=X.shape)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_density_integrates_to_1(moons, seed):
    """Also where rows are decoded between groups; the draws are fixed."""
    rng = np.random.default_rng(0)
    groups = 4 * np.array([[0, 0], [1, 0], [0, 1], [1, 1]]).repeat(50, axis=0)
    groups = groups + 0.3 * rng.normal(size=groups.shape)
    for X in (moons, groups):
        assert integral(X, seed) == pytest.approx(1, abs=0.015)


def integral(X, seed):
    vae = make_map(random_state=seed).fit(X)
    low, high = X.min(axis=0) - 1.5, X.max(axis=0) + 1.5
    edges = [np.linspace(a, b, 51) for a, b in zip(low, high, strict=True)]
    x, y = np.meshgrid(*edges)
    density = np.exp(vae.score_samples(np.c_[x.ravel(), y.ravel()]))
    return density.sum() * np.prod([edge[1] - edge[0] for edge in edges])


def test_scores_are_the_same_each_time_and_less_where_no_row_is(moons):
    vae = make_map().fit(moons)
    first, second = vae.score_samples(moons), vae.score_samples(moons)
    np.testing.assert_array_equal(first, second)
    assert vae.score(moons) == pytest.approx(first.mean())
    assert vae.score(moons) > vae.score(moons[:, ::-1]) + 0.5


def test_samples_are_like_the_rows(moons):
    vae = make_map(hidden_layer_sizes=(64, 64)).fit(moons)
    samples = vae.sample(2000, random_state=0)
    np.testing.assert_allclose(samples.mean(axis=0), moons.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(np.cov(samples.T), np.cov(moons.T), atol=0.2)
    np.testing.assert_array_equal(samples, vae.sample(2000, random_state=0))


def test_posteriors_are_at_the_means_and_narrower_than_the_prior(mapped):
    mean, std = mapped.posterior(IRIS[NEW])
    np.testing.assert_array_equal(mean, mapped.transform(IRIS[NEW]))
    assert ((0 < std) & (std < 1)).all()


def test_reconstruct_is_the_inverse_of_transform(mapped):
    back = mapped.inverse_transform(mapped.transform(IRIS[NEW]))
    np.testing.assert_allclose(mapped.reconstruct(IRIS[NEW]), back, rtol=1e-10)
    left = ((back - IRIS[NEW]) ** 2).sum() / IRIS[NEW].var(axis=0).sum() / 50
    assert left < 0.1


# --------------------------------------------------------------------- other tables


@pytest.mark.parametrize("scaling", ["standard", "quantile", None])
def test_missing_entries_are_imputed_better_than_by_means(scaling):
    X = with_missing(IRIS, 0.2)
    vae = fit_quietly(make_map(scaling=scaling), X)
    full, missing = vae.impute(X), np.isnan(X)
    assert_only_missing_are_filled(full, X)
    by_means = np.where(missing, np.nanmean(X, axis=0), X)
    error, of_means = (np.mean((Y - IRIS)[missing] ** 2) for Y in (full, by_means))
    assert error < 0.5 * of_means
    draws = vae.impute(X, n_draws=3, random_state=0)
    assert len(draws) == 3
    for one in draws:
        assert_only_missing_are_filled(one, X)
    assert np.isfinite(vae.score_samples(X)).all()


def test_a_row_of_nothing_is_as_wide_as_the_prior():
    X = with_missing(IRIS, 0.2)
    vae = make_map().fit(X)
    _, std = vae.posterior(np.full((2, 4), np.nan))
    np.testing.assert_allclose(std, 1)


def test_categories_come_back_beside_numbers_and_dates(people_map):
    X = make_people(200)
    back = people_map.inverse_transform(people_map.transform(X))
    assert back.dtypes.tolist() == X.dtypes.tolist()
    for name in "smokes", "city":
        share = X[name].value_counts(normalize=True).max()
        assert (back[name].to_numpy() == X[name].to_numpy()).mean() > share
    sampled = people_map.sample(500, random_state=0)
    assert sampled.dtypes.tolist() == X.dtypes.tolist()
    assert sampled["smokes"].mean() == pytest.approx(X["smokes"].mean(), abs=0.1)
    incomplete = with_missing(X)
    vae = fit_quietly(make_map(), incomplete)
    assert_only_missing_are_filled(vae.impute(incomplete), incomplete)


def test_ordered_many_and_pooled_categories():
    rng = np.random.default_rng(0)
    t = rng.normal(size=250)
    ranks = np.digitize(t + 0.3 * rng.normal(size=250), [-1, 0, 1])
    names = np.where(rng.random(250) < 0.3, rng.integers(9, 99, 250), 1 + (t > 0))
    X = pd.DataFrame(
        {
            "number": t + 0.1 * rng.normal(size=250),
            "rank": pd.Categorical.from_codes(ranks, list("abcd"), ordered=True),
            "name": [f"n{i}" for i in names],
        }
    )
    vae = fit_quietly(make_map(), X)
    back = vae.inverse_transform(vae.transform(X))
    assert (back["rank"].cat.codes - ranks).abs().mean() < 0.5
    assert set(vae.sample(100, random_state=0)["name"]) <= set(X["name"])
    assert np.isfinite(vae.score(X))


def test_a_frame_goes_in_and_comes_out():
    X = pd.DataFrame(IRIS, columns=list("abcd"), index=np.arange(150)[::-1])
    vae = make_map().set_output(transform="pandas")
    Z = vae.fit_transform(X)
    assert Z.columns.tolist() == ["vaetransformer0", "vaetransformer1"]
    assert Z.index.equals(X.index)
    assert vae.inverse_transform(Z).columns.tolist() == list("abcd")


# ----------------------------------------------------------- tables without a map


TABLES = {
    "two rows": IRIS[::100],
    "three rows": IRIS[::60],
    "fewer rows than neighbours": IRIS[::12],
    "rows twenty times": np.repeat(IRIS[::10], 20, axis=0),
    "all rows alike": np.repeat(IRIS[:1], 30, axis=0),
    "one column": IRIS[:, :1],
    "a constant column": np.c_[IRIS, np.ones(150)],
    "far groups": np.r_[IRIS, IRIS + 1e4],
    "one far row": np.r_[IRIS, [[1e6] * 4]],
}


@pytest.mark.parametrize("name", TABLES)
def test_small_and_odd_tables_have_a_map(name):
    X = TABLES[name]
    vae = fit_quietly(make_map(), X)
    Z = vae.transform(X)
    assert np.isfinite(Z).all()
    assert np.abs(Z).max() < 15  # standard deviations of the layout
    assert np.isfinite(vae.score_samples(X)).all()
    assert np.isfinite(vae.sample(20, random_state=0)).all()
    back = vae.inverse_transform(Z)
    assert np.isfinite(back).all()
    if len(X) < 10:  # of so few a row tells nothing of another
        return
    low, high = X.min(axis=0), X.max(axis=0)
    assert (np.abs(back - (low + high) / 2) <= 1.5 * (high - low) + 1e-6).all()


def test_copies_of_rows_come_back():
    X = TABLES["rows twenty times"]
    vae = make_map().fit(X)
    np.testing.assert_allclose(vae.reconstruct(X), X, atol=0.5)
    Z = vae.transform(X).round(6)
    assert len(np.unique(Z, axis=0)) == len(np.unique(X, axis=0))


def test_far_groups_are_apart_and_come_back():
    X, group = TABLES["far groups"], np.repeat([0, 1], 150)
    vae = make_map().fit(X)
    Z = vae.transform(X)
    assert (
        KNeighborsClassifier(10).fit(Z[::2], group[::2]).score(Z[1::2], group[1::2])
        == 1
    )
    left = X - vae.reconstruct(X)
    assert np.sqrt((left**2).mean()) < 0.1 * 1e4


# ------------------------------------------------------------------------ parameters


def test_same_seed_same_bits(assert_same_bits, mapped):
    assert_same_bits(make_map().fit(IRIS[TRAINED]), mapped, IRIS[NEW])
    other = make_map(random_state=1).fit(IRIS[TRAINED])
    assert not np.array_equal(other.transform(IRIS), mapped.transform(IRIS))


@pytest.mark.parametrize("n_neighbors", [1, 99, 100, 10**9])
def test_neighbours_of_any_number(n_neighbors):
    vae = make_map(n_neighbors=n_neighbors).fit(IRIS[TRAINED])
    assert np.isfinite(vae.transform(IRIS[NEW])).all()
    assert np.isfinite(vae.score(IRIS[NEW]))


def test_more_neighbours_than_rows_are_all_of_them(assert_same_bits):
    every, more = (make_map(n_neighbors=n).fit(IRIS[:60]) for n in (59, 10**9))
    assert_same_bits(more, every, IRIS)


def test_without_hidden_layers_the_decoder_is_linear():
    vae = make_map(hidden_layer_sizes=()).fit(IRIS[TRAINED])
    Z = vae.transform(IRIS[NEW])
    middle = vae.inverse_transform((Z[:25] + Z[25:]) / 2)
    ends = vae.inverse_transform(Z[:25]) + vae.inverse_transform(Z[25:])
    np.testing.assert_allclose(middle, ends / 2, rtol=1e-8)


def test_a_warm_start_begins_anew(assert_same_bits, mapped):
    vae = make_map(warm_start=True).fit(IRIS[TRAINED])
    assert_same_bits(vae.fit(IRIS[TRAINED]), mapped, IRIS[NEW])
    network = vae.set_params(n_neighbors=None, max_iter=2, warm_start=True)
    fit_quietly(network, IRIS[TRAINED])
    fresh = fit_quietly(clone(network), IRIS[TRAINED])
    assert_same_bits(network, fresh, IRIS[NEW])


@pytest.mark.parametrize(
    "parameters",
    [
        {"early_stopping": False},
        {"alpha": 1.0, "batch_size": 3, "learning_rate_init": 0.5},
        {"n_iter_no_change": 1, "tol": 5.0},
    ],
)
def test_what_is_of_training_has_no_effect(parameters, assert_same_bits, mapped):
    found = make_map(**parameters).fit(IRIS[TRAINED])
    assert_same_bits(found, mapped, IRIS[NEW])


def test_steps_that_end_too_early_are_warned_of():
    message = "max_iter=3 steps ended before the layout of the map hardly changed"
    with pytest.warns(ConvergenceWarning, match=message):
        vae = make_map(max_iter=3).fit(IRIS)
    assert vae.n_iter_ == 3
    assert vae.loss_curve_ == []
    assert vae.validation_scores_ is None


def test_a_map_without_active_components_says_nothing_of_beta():
    with pytest.warns(UserWarning, match="No component carries") as warned:
        make_map(beta=4.0).fit(np.ones((30, 3)))
    assert "may have nothing in common" in str(warned[0].message)
    assert "beta" not in str(warned[0].message)


def test_an_interrupt_keeps_the_map(monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("skvae._map.layout._Schedule.note", interrupt)
    message = "fit was interrupted after step 5: the map so far is kept"
    with pytest.warns(ConvergenceWarning, match=message):
        vae = make_map().fit(IRIS)
    assert np.isfinite(vae.score(IRIS))


def test_verbose_tells_of_the_layout(capsys):
    vae = make_map(verbose=True).fit(IRIS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Laying out 150 rows by 15 neighbours (")
    assert lines[1].startswith("Step 50: divergence ")
    assert lines[-1].startswith("Kept the map: 2 of 2 components are active")
    assert lines[-2].startswith(f"The layout ended after step {vae.n_iter_}, as the ")


# ----------------------------------------------------------------------- persistence


def through_pickle(vae):
    return pickle.loads(pickle.dumps(vae))


def through_skops(vae):
    trusted = ["skvae._vae.VAETransformer"]
    return skops.io.loads(skops.io.dumps(vae), trusted=trusted)


@pytest.mark.parametrize("way", [through_pickle, through_skops])
def test_files_keep_every_bit(way, assert_same_bits, mapped, people_map):
    assert_same_bits(way(mapped), mapped, IRIS[NEW])
    X = make_people(200).iloc[::7]
    copied = way(people_map)
    np.testing.assert_array_equal(copied.transform(X), people_map.transform(X))
    pd.testing.assert_frame_equal(
        copied.sample(5, random_state=0), people_map.sample(5, random_state=0)
    )
