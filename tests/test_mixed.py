"""The estimator on tables of numbers, times, truth values and levels."""

import os
import warnings
from itertools import product

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from scipy.stats import entropy, norm
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from strategies import tables
from test_containers import as_objects, missing_of

from skvae import VAETransformer
from skvae._table.containers import is_polars
from skvae._table.schema import fit_schema

pytestmark = [
    pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended"),
    pytest.mark.filterwarnings("ignore:No component carries more"),
]

# Random tables, of 0.16 s each; SKVAE_EXAMPLES=20000 pytest -k goes_through looks for
# what is rare.
EXAMPLES = int(os.environ.get("SKVAE_EXAMPLES", 500))
LARGEST = 1e30  # of their numbers
CITIES = ["Bonn", "Lyon", "Graz"]


def people(n=300, seed=0):
    """A table whose columns all tell of one thing."""
    rng = np.random.default_rng(seed)
    t = rng.normal(size=n)
    near = t[:, None] + 0.4 * rng.normal(size=(n, 3))
    return pd.DataFrame(
        {
            "size": 3 + 2 * near[:, 0],
            "age": np.round(40 + 10 * near[:, 1]).astype("int16"),
            "smokes": t + 0.4 * rng.logistic(size=n) > 0.5,
            "city": pd.Categorical.from_codes(
                np.digitize(t + 0.4 * rng.logistic(size=n), [-0.6, 0.6]), CITIES
            ),
            "since": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(np.round(100 * near[:, 2]), unit="D"),
        },
        index=np.arange(n)[::-1],
    )


def with_holes(X, share=0.3, seed=0):
    """As objects None would do; here each dtype has its own word for nothing."""
    holed = X.astype({"smokes": "boolean", "age": "Int16"})
    return holed.mask(np.random.default_rng(seed).random(X.shape) < share)


def state(vae):
    return joblib.hash(vae.__getstate__())


@pytest.fixture(scope="module")
def frame():
    return people()


@pytest.fixture(scope="module")
def fitted(make_vae, frame):
    """Not to be refitted: all tests share it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_vae(n_components=1).fit(frame)


# ------------------------------------------------------------------------- densities


@pytest.mark.parametrize("hidden_layer_sizes", [(), (16,)])
@pytest.mark.parametrize("n_levels", [(3, 4), (2, 2), (2, 3), (5, 1)])
def test_probabilities_of_all_rows_add_up_to_one(
    n_levels, hidden_layer_sizes, make_vae
):
    rng = np.random.default_rng(0)
    t = rng.random(400)
    codes = [
        np.clip((t + 0.2 * rng.normal(size=400)) * n, 0, n - 1).astype(int)
        for n in n_levels
    ]
    X = np.stack(codes, axis=1)
    vae = make_vae(
        n_components=1,
        hidden_layer_sizes=hidden_layer_sizes,
        categorical_features=[0, 1],
    ).fit(X)
    every = np.array(list(product(*map(range, n_levels))))
    found = np.exp(vae.score_samples(every))
    assert found.sum() == pytest.approx(1, abs=0.01)
    # The oracle: how often each is there.
    share = (X == every[:, None]).all(axis=2).mean(axis=1)
    np.testing.assert_allclose(found, share, atol=0.06)
    partly = every.astype(float)
    partly[:, 1] = np.nan
    of_one = np.exp(vae.score_samples(partly))
    in_sum = [found[every[:, 0] == level].sum() for level in every[:, 0]]
    np.testing.assert_allclose(of_one, in_sum, atol=0.02)


@pytest.mark.parametrize(
    "parameters",
    [{}, {"hidden_layer_sizes": ()}, {"scaling": "quantile"}, {"noise": "diag"}],
)
def test_the_density_of_a_number_and_a_truth_value_integrates_to_one(
    parameters, make_vae
):
    rng = np.random.default_rng(0)
    truth = rng.random(400) < 0.3
    number = 5 + 3 * truth + np.where(truth, 0.5, 1) * rng.normal(size=400)
    X = pd.DataFrame({"number": number, "truth": truth})
    vae = make_vae(n_components=1, **parameters).fit(X)
    points = np.linspace(-12, 22, 801)
    mass = [
        trapezoid(
            np.exp(vae.score_samples(pd.DataFrame({"number": points, "truth": value}))),
            points,
        )
        for value in (False, True)
    ]
    assert sum(mass) == pytest.approx(1, abs=0.01)
    assert mass[1] == pytest.approx(truth.mean(), abs=0.03)


def test_independent_columns_have_the_score_of_their_entropies(make_vae):
    rng = np.random.default_rng(0)
    shares = [0.2, 0.5, 0.3]
    X = pd.DataFrame(
        {
            "a": rng.normal(5, 3, size=4000),
            "b": rng.random(4000) < 0.2,
            "c": rng.choice(list("xyz"), p=shares, size=4000),
        }
    )
    vae = make_vae(max_iter=3).fit(X)
    nats = norm(0, 3).entropy() + entropy([0.2, 0.8]) + entropy(shares)
    assert vae.score(X) == pytest.approx(-nats, abs=0.05)
    assert vae.score(X.iloc[:1000].assign(b=None)) == pytest.approx(
        vae.score(X.iloc[:1000]) + entropy([0.2, 0.8]), abs=0.05
    )


def test_dependent_columns_score_more_than_their_marginals(fitted, frame):
    shuffled = frame.copy()
    for i, name in enumerate(frame):
        shuffled[name] = frame[name].sample(frac=1, random_state=i).to_numpy()
    assert fitted.score(people(300, seed=1)) > fitted.score(shuffled) + 1


# ----------------------------------------------------- what must not make a difference


def test_no_row_depends_on_those_beside_it(fitted, frame):
    holed = with_holes(frame.iloc[:100])
    whole = [f(holed) for f in (fitted.transform, fitted.score_samples)]
    order = np.random.default_rng(0).permutation(100)
    for rows in (order, [17], range(64)):
        rows = list(rows)
        part = holed.iloc[rows]
        for found, method in zip(
            whole, (fitted.transform, fitted.score_samples), strict=True
        ):
            np.testing.assert_allclose(method(part), found[rows], rtol=0, atol=1e-12)
        full = fitted.impute(holed).iloc[rows]
        pd.testing.assert_frame_equal(fitted.impute(part), full)


def test_same_seed_same_bits(make_vae, fitted, frame, assert_same_bits):
    assert_same_bits(make_vae(n_components=1).fit(frame), fitted, frame)
    holed = with_holes(frame)
    found, expected = (make_vae(n_components=1).fit(holed) for _ in range(2))
    assert_same_bits(found, expected, holed)


def test_an_unseen_level_counts_as_missing_and_is_warned_of_once(fitted, frame):
    rows = frame.iloc[:20].astype({"city": object})
    unseen, missing = rows.copy(), rows.copy()
    unseen.iloc[[3, 4], 3] = "Oslo"
    missing.iloc[[3, 4], 3] = None
    for method in (fitted.transform, fitted.score_samples):
        with pytest.warns(UserWarning, match="'city': 'Oslo'") as caught:
            found = method(unseen)
        assert len(caught) == 1
        assert caught[0].filename == __file__
        np.testing.assert_array_equal(found, method(missing))
    with pytest.warns(UserWarning, match="treated as missing"):
        full = fitted.impute(unseen)
    pd.testing.assert_frame_equal(full, unseen)  # the user's own, no hole


def test_columns_are_chosen_by_name_by_index_or_by_mask(
    make_vae, frame, assert_same_bits
):
    X = frame.assign(city=frame["city"].cat.codes, smokes=frame["smokes"].astype(int))
    vaes = [
        make_vae(max_iter=3, categorical_features=chosen).fit(X)
        for chosen in (["smokes", "city"], [3, 2], [False, False, True, True, False])
    ]
    assert_same_bits(vaes[1], vaes[0], X)
    assert_same_bits(vaes[2], vaes[0], X)
    by_dtype = make_vae(max_iter=3).fit(frame)
    np.testing.assert_array_equal(vaes[0].transform(X), by_dtype.transform(frame))
    np.testing.assert_array_equal(
        vaes[0].score_samples(X), by_dtype.score_samples(frame)
    )


def test_an_array_of_numbers_may_have_chosen_columns(make_vae, frame):
    X = frame.assign(
        city=frame["city"].cat.codes, since=frame["since"].dt.day_of_year
    ).astype(float)
    vae = make_vae(max_iter=3, categorical_features=[2, 3])
    of_array, of_frame = clone(vae).fit(X.to_numpy()), clone(vae).fit(X)
    np.testing.assert_array_equal(
        of_array.transform(X.to_numpy()), of_frame.transform(X)
    )
    assert set(of_array.sample(50, random_state=0)[:, 3]) == {0, 1, 2}
    assert of_array.sample().dtype == np.float64


def test_the_order_of_the_levels_hardly_shows(fitted, frame, make_vae):
    for order in (["Graz", "Bonn", "Lyon"], ["Lyon", "Graz", "Bonn"]):
        X = frame.assign(city=frame["city"].cat.reorder_categories(order))
        vae = make_vae(n_components=1).fit(X)
        assert vae.score(X) == pytest.approx(fitted.score(frame), abs=0.1)
        np.testing.assert_allclose(
            abs(np.corrcoef(vae.transform(X)[:, 0], fitted.transform(frame)[:, 0])),
            1,
            atol=0.02,
        )


@pytest.mark.parametrize("value", ["x", True, 7, pd.Timestamp("2020-01-01")])
def test_a_constant_column_tells_nothing(value, make_vae, frame):
    X = frame.assign(more=value)
    vae = make_vae(max_iter=5, n_components=1).fit(X)
    assert (vae.inverse_transform(vae.transform(X))["more"] == value).all()
    holed = with_holes(X.astype({"more": object}), 0.5)
    assert (vae.impute(holed)["more"] == value).all()
    if vae._schema.n_levels[-1]:  # its probability is 1; a number has some noise
        assert (vae.sample(20, random_state=0)["more"] == value).all()
        nothing_of_it = vae.score(X.assign(more=None))
        assert nothing_of_it == pytest.approx(vae.score(X), abs=0.02)


# -------------------------------------------------------------------------- the edges


@pytest.mark.parametrize("hidden_layer_sizes", [(), (16,)])
def test_a_table_of_truth_values(hidden_layer_sizes, make_vae):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1)) + rng.normal(size=(300, 5)) > 0.5
    vae = make_vae(hidden_layer_sizes=hidden_layer_sizes, n_components=1).fit(X)
    drawn = vae.sample(2000, random_state=0)
    assert drawn.dtype == bool
    np.testing.assert_allclose(drawn.mean(axis=0), X.mean(axis=0), atol=0.08)
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.corrcoef(X.T), atol=0.2)
    assert (vae.inverse_transform(vae.transform(X)) == X).mean() > 0.7
    assert vae.score(X) > sum(-entropy([p, 1 - p]) for p in X.mean(axis=0)) + 0.1


def test_many_levels_take_parameters_in_proportion(make_vae):
    counts = []
    for n_levels in (125, 250, 500):
        levels = np.tile(np.arange(n_levels), 3)
        rng = np.random.default_rng(0)
        X = pd.DataFrame(
            {
                "level": pd.Categorical(levels),
                "number": levels / n_levels + 0.1 * rng.normal(size=len(levels)),
            }
        )
        vae = make_vae(max_iter=2, n_components=1).fit(X)
        assert np.isfinite(vae.score_samples(X[:20])).all()
        assert set(vae.sample(100, random_state=0)["level"]) <= set(levels)
        assert abs(vae.transform(X)).max() < 10
        counts.append(len(vae._parameters["flat"]))
    assert counts[2] - counts[1] == 2 * (counts[1] - counts[0])


@pytest.mark.parametrize("at_fit", [False, True])
def test_a_row_without_any_entry_has_the_prior(at_fit, make_vae, frame):
    holed = with_holes(frame)
    vae = make_vae(n_components=1).fit(holed if at_fit else frame)
    nothing = holed.iloc[:2].mask(np.full((2, 5), True))
    mean, std = vae.posterior(nothing)
    np.testing.assert_array_equal(mean, 0)
    np.testing.assert_array_equal(std, 1)
    np.testing.assert_allclose(vae.score_samples(nothing), 0, atol=0.01)
    full = vae.impute(nothing)
    assert full.dtypes.tolist() == nothing.dtypes.tolist()
    assert full["size"].iloc[0] == pytest.approx(frame["size"].mean(), abs=0.4)
    assert full["age"].iloc[0] == pytest.approx(frame["age"].mean(), abs=2)
    away = abs(full["since"] - frame["since"].mean())
    assert (away < pd.Timedelta(20, "D")).all()
    assert not full["smokes"].iloc[0]
    shares = frame["city"].value_counts(normalize=True)
    assert shares[full["city"].iloc[0]] > shares.max() - 0.1


def test_two_rows_are_a_table(make_vae, frame):
    two = frame.iloc[[0, 7]]
    vae = make_vae(n_components=2).fit(two)
    assert np.isfinite(vae.score_samples(two)).all()
    assert vae.sample(2, random_state=0).dtypes.equals(frame.dtypes)


# -------------------------------------------------------------------------- imputation


def as_polars(X):
    columns = {"city": X["city"].astype(object).where(X["city"].notna(), None)}
    X = X.assign(**columns).astype(object).where(X.notna(), None)
    return pl.DataFrame(
        {name: X[name].tolist() for name in X},
        schema_overrides={"age": pl.Int16, "city": pl.Enum(CITIES)},
    )


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
def test_observed_entries_keep_their_bits(way, make_vae, frame):
    holed = way(with_holes(frame))
    for vae in (make_vae(max_iter=3).fit(way(frame)), make_vae(max_iter=3).fit(holed)):
        for full in (vae.impute(holed), *vae.impute(holed, 2, random_state=0)):
            assert_only_holes_are_filled(full, holed)
    whole = way(frame)
    assert_only_holes_are_filled(vae.impute(whole), whole)


def test_imputed_integers_are_whole(make_vae, frame):
    holed = with_holes(frame).astype({"age": float})
    vae = make_vae(n_components=1).fit(frame)
    missing = holed["age"].isna().to_numpy()
    as_floats = vae.impute(holed)["age"]  # its own dtype has fractions
    assert (as_floats[missing] % 1 > 0).any()
    whole = vae.impute(holed.astype({"age": "Int16"}))["age"]
    assert whole.dtype == "Int16"
    np.testing.assert_array_equal(whole, as_floats.round())


def test_draws_are_those_of_the_random_state(fitted, frame):
    holed = with_holes(frame.iloc[:50])
    first, other = fitted.impute(holed, n_draws=2, random_state=0)
    again = fitted.impute(holed, n_draws=2, random_state=0)
    pd.testing.assert_frame_equal(first, again[0])
    pd.testing.assert_frame_equal(other, again[1])
    assert not first.equals(other)
    missing = holed["size"].isna().to_numpy()
    assert (first["size"] != other["size"])[missing].all()
    assert not first.equals(fitted.impute(holed, 1, random_state=1)[0])
    pd.testing.assert_frame_equal(fitted.impute(holed), fitted.impute(holed))


def test_draws_average_to_what_is_expected(fitted, frame):
    # So many copies of a row take as many draws at once.
    row = with_holes(frame).iloc[[0]].mask(np.arange(5)[None] > 0).assign(size=4.0)
    copies = pd.concat([row] * 1000, ignore_index=True)
    copies = copies.astype({"age": float, "smokes": object})
    expected = fitted.impute(copies.iloc[:1])
    drawn = pd.concat(fitted.impute(copies, n_draws=4, random_state=0))
    error = drawn["age"].std() / len(drawn) ** 0.5
    assert drawn["age"].mean() == pytest.approx(expected["age"][0], abs=6 * error)
    assert drawn["age"].std() > 3
    # The oracle: Bayes' rule, with the densities that the model has of each level.
    for name, levels in (("city", CITIES), ("smokes", [False, True])):
        rows = pd.concat([row] * len(levels), ignore_index=True).astype({name: object})
        rows[name] = levels
        joint = np.exp(fitted.score_samples(rows))
        shares = drawn[name].value_counts(normalize=True)
        found = [shares.get(level, 0) for level in levels]
        np.testing.assert_allclose(found, joint / joint.sum(), atol=0.04)
        assert expected[name][0] == levels[joint.argmax()]


@pytest.mark.parametrize(
    "known",
    [
        {"city": "Graz"},
        {"city": "Bonn", "smokes": True},
        {"since": pd.Timestamp("2019-08-01"), "city": "Graz"},
    ],
)
def test_imputed_numbers_are_means_of_the_density(known, fitted, frame):
    row = with_holes(frame).iloc[[0]].mask(np.full((1, 5), True))
    row = row.astype({"age": float}).assign(**known)
    points = np.linspace(-40, 120, 400)
    grid = pd.concat([row] * 400).assign(age=points)
    density = np.exp(fitted.score_samples(grid))
    expected = points @ density / density.sum()
    (drawn,) = fitted.impute(pd.concat([row] * 1000), n_draws=1, random_state=0)
    for found in (fitted.impute(row)["age"].iloc[0], drawn["age"].mean()):
        assert found == pytest.approx(expected, abs=0.12 * frame["age"].std())


@pytest.mark.parametrize("scaling", ["standard", "quantile"])
@pytest.mark.parametrize("at_fit", [False, True])
def test_imputed_entries_are_nearer_than_the_mean_and_the_mode(
    at_fit, scaling, make_vae, frame
):
    fresh = people(300, seed=1)
    holed = with_holes(fresh, seed=1)
    vae = make_vae(n_components=1, scaling=scaling)
    vae.fit(with_holes(frame, seed=2) if at_fit else frame)
    full = vae.impute(holed)
    missing = holed.isna().to_numpy()
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
        assert right > 0.1 + frame[name].value_counts(normalize=True).max()


def test_rows_with_holes_are_encoded_nearer_than_mean_filled_ones(fitted, frame):
    fresh = people(300, seed=1)
    holed = with_holes(fresh, 0.4, seed=1)
    filled = holed.astype({"age": float})
    for name in ("size", "age", "since"):
        filled[name] = filled[name].fillna(frame[name].mean())
    for name in ("smokes", "city"):
        filled[name] = filled[name].fillna(frame[name].mode()[0])
    whole = fitted.transform(fresh)
    found, naive = (abs(fitted.transform(X) - whole).mean() for X in (holed, filled))
    assert found < 0.85 * naive


# ------------------------------------------------------------- scikit-learn's machinery


BAD = {
    "free text": lambda X: X.assign(city=[f"No. {i}" for i in range(len(X))]),
    "nothing in it": lambda X: X.assign(city=None),
    "infinity": lambda X: X.assign(size=np.inf),
    "nested": lambda X: X.assign(city=[[1]] * len(X)),
    "complex": lambda X: X.assign(size=1j),
    "mixed names": lambda X: X.rename(columns={"city": 3}),
    "no rows": lambda X: X.iloc[:0],
    "one row": lambda X: X.iloc[:1],
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(
    spoil, warm_start, make_vae, frame
):
    vae = make_vae(max_iter=2, warm_start=warm_start).fit(frame)
    before, score = state(vae), vae.score_samples(frame)
    with pytest.raises((ValueError, TypeError)):
        vae.fit(spoil(frame))
    assert state(vae) == before
    np.testing.assert_array_equal(vae.score_samples(frame), score)


USES = {
    "other names": lambda X: X.rename(columns={"city": "town"}),
    "too few": lambda X: X.iloc[:, :3],
    "no number": lambda X: X.assign(size="x"),
    "no time": lambda X: X.assign(since=1.5),
    "infinity": lambda X: X.assign(size=np.inf),
    "no rows": lambda X: X.iloc[:0],
}


@pytest.mark.parametrize("spoil", USES.values(), ids=USES)
@pytest.mark.parametrize("method", ["transform", "score_samples", "impute"])
def test_a_use_that_fails_leaves_the_estimator_as_it_was(method, spoil, fitted, frame):
    before = state(fitted)
    with pytest.raises(ValueError, match=r"\w"):
        getattr(fitted, method)(spoil(frame))
    assert state(fitted) == before


def test_reordered_columns_are_scikit_learns_error(fitted, frame):
    with pytest.raises(ValueError, match="must be in the same order as they were in f"):
        fitted.transform(frame[frame.columns[::-1]])


def test_a_table_may_come_in_another_container(make_vae, frame):
    holed = with_holes(frame)
    for X in (frame, holed):
        vae = make_vae(max_iter=3).fit(X)
        other = make_vae(max_iter=3).fit(as_polars(X))
        for method in ("transform", "score_samples"):
            found = [
                getattr(one, method)(rows)
                for one, rows in product((vae, other), (X, as_polars(X)))
            ]
            for values in found[1:]:
                np.testing.assert_array_equal(values, found[0])
        assert isinstance(
            vae.inverse_transform(found[0][:, None] * [1, 1]), pd.DataFrame
        )
        assert isinstance(other.sample(), pl.DataFrame)
        assert isinstance(vae.impute(as_polars(X)), pl.DataFrame)


def test_frames_come_back_with_their_index(fitted, frame, make_vae):
    vae = make_vae(max_iter=2).set_output(transform="pandas").fit(frame)
    Z = vae.transform(frame)
    assert Z.index.equals(frame.index)
    back = vae.inverse_transform(Z)
    pd.testing.assert_index_equal(back.index, frame.index)
    pd.testing.assert_index_equal(vae.impute(frame).index, frame.index)
    assert back.dtypes.equals(frame.dtypes)
    assert back["city"].cat.categories.tolist() == CITIES
    of_array = fitted.inverse_transform(fitted.transform(frame))
    pd.testing.assert_index_equal(of_array.index, pd.RangeIndex(len(frame)))


def test_reconstructions_are_near_the_rows(fitted, frame):
    back = fitted.inverse_transform(fitted.transform(frame)).set_axis(frame.index)
    assert np.corrcoef(back["size"], frame["size"])[0, 1] > 0.85
    times = [X["since"].astype("int64") for X in (back, frame)]
    assert np.corrcoef(*times)[0, 1] > 0.85
    assert (back["city"] == frame["city"]).mean() > 0.65
    assert (back["smokes"] == frame["smokes"]).mean() > 0.75


def test_samples_are_distributed_as_the_rows(fitted, frame):
    drawn = fitted.sample(3000, random_state=0)
    assert drawn.dtypes.equals(frame.dtypes)
    for name in ("size", "age"):
        error = 5 * frame[name].std() / len(frame) ** 0.5
        assert drawn[name].mean() == pytest.approx(frame[name].mean(), abs=error)
        assert drawn[name].std() == pytest.approx(frame[name].std(), rel=0.15)
    shares, expected = (X["city"].value_counts(normalize=True) for X in (drawn, frame))
    np.testing.assert_allclose(shares[CITIES], expected[CITIES], atol=0.08)
    for X in (drawn, frame):  # what depends on each other still does
        means = X.groupby("city", observed=True)["size"].mean()
        assert means["Graz"] - means["Bonn"] > 1.5


def test_a_grid_search_takes_a_frame_and_no_scorer(make_vae, frame):
    search = GridSearchCV(make_vae(max_iter=3), {"n_components": [1, 2]}, cv=2)
    search.fit(frame)
    best = search.best_estimator_
    assert search.score(frame) == best.score(frame)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert best.transform(frame).shape == (
        len(frame),
        search.best_params_["n_components"],
    )


def test_a_pipeline_and_a_clone(make_vae, frame, assert_same_bits):
    vae = make_vae(max_iter=3, categorical_features=["age"]).fit(frame)
    copied = clone(vae)
    assert not hasattr(copied, "n_components_")
    assert_same_bits(copied.fit(frame), vae, frame)
    pipe = make_pipeline(FunctionTransformer(), clone(vae)).fit(frame)
    np.testing.assert_array_equal(pipe.transform(frame), vae.transform(frame))
    pd.testing.assert_frame_equal(
        pipe[-1:].inverse_transform(pipe.transform(frame)),
        vae.inverse_transform(vae.transform(frame)),
    )


def test_warm_start_goes_on_with_the_same_levels_only(
    make_vae, frame, assert_same_bits
):
    vae = make_vae(warm_start=True).fit(frame)
    Z = vae.transform(frame)
    vae.set_params(max_iter=1, learning_rate_init=1e-12).fit(frame)
    np.testing.assert_allclose(vae.transform(frame), Z, atol=1e-6)
    fewer = frame[frame["city"] != "Graz"]
    vae.set_params(max_iter=3).fit(fewer)
    fresh = make_vae(max_iter=3, learning_rate_init=1e-12).fit(fewer)
    assert_same_bits(vae, fresh, fewer)


# ----------------------------------------------------------------------- random tables


def assert_same_kind(table, X, floats=None):
    """Container, names and their order, dtypes and categories."""
    assert type(table) is type(X)
    assert table.shape[1] == X.shape[1]
    if is_polars(X):
        assert table.schema == X.schema
        return
    if isinstance(X, pd.DataFrame):
        pd.testing.assert_index_equal(table.columns, X.columns, exact="equiv")
        assert table.dtypes.tolist() == X.dtypes.tolist()
    elif X.dtype.kind == "f":
        assert table.dtype == (floats or X.dtype)
    else:
        assert table.dtype == X.dtype
    for before, after in zip(columns_of(X), columns_of(table), strict=True):
        if before.dtype == object:  # whose entries have the classes that they had
            observed = before[before.notna()]
            assert set(after.map(type)) <= set(observed.map(type))


def columns_of(X):
    X = pd.DataFrame(X)
    return [X.iloc[:, j] for j in range(X.shape[1])]


def assert_only_holes_are_filled(full, X):
    assert_same_kind(full, X)
    missing = missing_of(X)
    assert not missing_of(full).any()
    before, after = np.array(as_objects(X)).T, np.array(as_objects(full)).T
    np.testing.assert_array_equal(after[~missing], before[~missing])
    if isinstance(X, pd.DataFrame):
        pd.testing.assert_index_equal(full.index, X.index)


def with_names(X):
    """Return X with names as scikit-learn wants them: all strings or none; unique."""
    if not isinstance(X, pd.DataFrame) or isinstance(X.columns, pd.RangeIndex):
        return X
    return X.set_axis([f"{name} {j}" for j, name in enumerate(X.columns)], axis=1)


@pytest.mark.filterwarnings("error")
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(
    tables(holes=True),
    st.integers(1, 2),
    st.sampled_from(["standard", "quantile", None]),
)
def test_any_table_goes_through(X, n_components, scaling):
    if len(X) < 2:
        reject()
    X = with_names(X)
    codes = fit_schema(X).encode(X)
    if np.nanmax(abs(codes.astype(np.float64))) > LARGEST:
        reject()
    vae = VAETransformer(
        n_components,
        hidden_layer_sizes=(4,),
        max_iter=2,
        scaling=scaling,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No component carries|max_iter=2 epochs")
        vae.fit(X)
    Z = vae.transform(X)
    assert Z.shape == (len(X), n_components)
    assert np.isfinite(Z).all()
    assert np.isfinite(vae.score_samples(X)).all()
    back, drawn = vae.inverse_transform(Z), vae.sample(3, random_state=0)
    assert (len(back), len(drawn)) == (len(X), 3)
    assert_same_kind(back, X)
    assert_same_kind(drawn, X, floats=np.float64)
    for table in (back, drawn):
        assert not missing_of(table).any()
        vae._schema.encode(table)  # has no level that fit did not see: no warning
    for full in (vae.impute(X), *vae.impute(X, n_draws=2, random_state=0)):
        assert_only_holes_are_filled(full, X)
