"""The estimator on tables of numeric, datetime, boolean and categorical columns."""

from itertools import product

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import (
    CITIES,
    as_polars,
    make_people,
    with_missing,
)
from scipy.integrate import trapezoid
from scipy.stats import entropy, norm
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skvae import VAETransformer

pytestmark = [
    pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended"),
    pytest.mark.filterwarnings("ignore:No component carries more"),
]


# ---------------------------------------------------------------------------- densities


@pytest.mark.parametrize("hidden_layer_sizes", [(), (16,)])
@pytest.mark.parametrize("n_categories", [(3, 4), (2, 2), (2, 3), (5, 1)])
def test_probabilities_of_all_rows_add_up_to_one(
    n_categories, hidden_layer_sizes, make_vae
):
    rng = np.random.default_rng(0)
    t = rng.random(400)
    codes = [
        np.clip((t + 0.2 * rng.normal(size=400)) * n, 0, n - 1).astype(int)
        for n in n_categories
    ]
    X = np.stack(codes, axis=1)
    vae = make_vae(
        n_components=1,
        hidden_layer_sizes=hidden_layer_sizes,
        categorical_features=[0, 1],
    ).fit(X)
    every = np.array(list(product(*map(range, n_categories))))
    found = np.exp(vae.score_samples(every))
    assert found.sum() == pytest.approx(1, abs=0.01)
    # The oracle: how often each is there.
    share = (X == every[:, None]).all(axis=2).mean(axis=1)
    np.testing.assert_allclose(found, share, atol=0.06)
    partly = every.astype(float)
    partly[:, 1] = np.nan
    of_one = np.exp(vae.score_samples(partly))
    in_sum = [found[every[:, 0] == category].sum() for category in every[:, 0]]
    np.testing.assert_allclose(of_one, in_sum, atol=0.02)


@pytest.mark.parametrize(
    "parameters",
    [{}, {"hidden_layer_sizes": ()}, {"scaling": "quantile"}, {"noise": "diag"}],
)
def test_the_density_of_a_number_and_a_boolean_integrates_to_one(parameters, make_vae):
    rng = np.random.default_rng(0)
    boolean = rng.random(400) < 0.3
    number = 5 + 3 * boolean + np.where(boolean, 0.5, 1) * rng.normal(size=400)
    X = pd.DataFrame({"number": number, "boolean": boolean})
    vae = make_vae(n_components=1, **parameters).fit(X)
    points = np.linspace(-12, 22, 801)
    mass = [
        trapezoid(
            np.exp(
                vae.score_samples(pd.DataFrame({"number": points, "boolean": value}))
            ),
            points,
        )
        for value in (False, True)
    ]
    assert sum(mass) == pytest.approx(1, abs=0.01)
    assert mass[1] == pytest.approx(boolean.mean(), abs=0.03)


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


def test_dependent_columns_score_more_than_their_marginals(fitted, people):
    shuffled = people.copy()
    for i, name in enumerate(people):
        shuffled[name] = people[name].sample(frac=1, random_state=i).to_numpy()
    assert fitted.score(make_people(300, seed=1)) > fitted.score(shuffled) + 1


# ------------------------------------------------------ what must not make a difference


def test_no_row_depends_on_those_beside_it(fitted, people):
    incomplete = with_missing(people.iloc[:100])
    whole = [f(incomplete) for f in (fitted.transform, fitted.score_samples)]
    order = np.random.default_rng(0).permutation(100)
    for rows in (order, [17], range(64)):
        rows = list(rows)
        part = incomplete.iloc[rows]
        for found, method in zip(
            whole, (fitted.transform, fitted.score_samples), strict=True
        ):
            np.testing.assert_allclose(method(part), found[rows], rtol=0, atol=1e-12)
        full = fitted.impute(incomplete).iloc[rows]
        pd.testing.assert_frame_equal(fitted.impute(part), full)


def test_same_seed_same_bits(make_vae, fitted, people, assert_same_bits):
    assert_same_bits(make_vae(n_components=1).fit(people), fitted, people)
    incomplete = with_missing(people)
    found, expected = (make_vae(n_components=1).fit(incomplete) for _ in range(2))
    assert_same_bits(found, expected, incomplete)


def test_an_unseen_category_counts_as_missing_and_is_warned_of_once(fitted, people):
    rows = people.iloc[:20].astype({"city": object})
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
    pd.testing.assert_frame_equal(full, unseen)  # the user's own is not missing


def test_columns_are_chosen_by_name_by_index_or_by_mask(
    make_vae, people, assert_same_bits
):
    X = people.assign(
        city=people["city"].cat.codes, smokes=people["smokes"].astype(int)
    )
    vaes = [
        make_vae(max_iter=3, categorical_features=chosen).fit(X)
        for chosen in (["smokes", "city"], [3, 2], [False, False, True, True, False])
    ]
    assert_same_bits(vaes[1], vaes[0], X)
    assert_same_bits(vaes[2], vaes[0], X)
    by_dtype = make_vae(max_iter=3).fit(people)
    np.testing.assert_array_equal(vaes[0].transform(X), by_dtype.transform(people))
    np.testing.assert_array_equal(
        vaes[0].score_samples(X), by_dtype.score_samples(people)
    )


def test_an_array_of_numbers_may_have_chosen_columns(make_vae, people):
    X = people.assign(
        city=people["city"].cat.codes, since=people["since"].dt.day_of_year
    ).astype(float)
    vae = make_vae(max_iter=3, categorical_features=[2, 3])
    of_array, of_frame = clone(vae).fit(X.to_numpy()), clone(vae).fit(X)
    np.testing.assert_array_equal(
        of_array.transform(X.to_numpy()), of_frame.transform(X)
    )
    assert set(of_array.sample(50, random_state=0)[:, 3]) == {0, 1, 2}
    assert of_array.sample().dtype == np.float64


def test_the_order_of_the_categories_hardly_shows(fitted, people, make_vae):
    for order in (["Graz", "Bonn", "Lyon"], ["Lyon", "Graz", "Bonn"]):
        X = people.assign(city=people["city"].cat.reorder_categories(order))
        vae = make_vae(n_components=1).fit(X)
        assert vae.score(X) == pytest.approx(fitted.score(people), abs=0.1)
        np.testing.assert_allclose(
            abs(np.corrcoef(vae.transform(X)[:, 0], fitted.transform(people)[:, 0])),
            1,
            atol=0.02,
        )


@pytest.mark.parametrize("value", ["x", True, 7, pd.Timestamp("2020-01-01")])
def test_a_constant_column_tells_nothing(value, make_vae, people):
    X = people.assign(more=value)
    vae = make_vae(max_iter=5, n_components=1).fit(X)
    assert (vae.inverse_transform(vae.transform(X))["more"] == value).all()
    incomplete = with_missing(X.astype({"more": object}), 0.5)
    assert (vae.impute(incomplete)["more"] == value).all()
    if vae._codec.schema.n_categories[
        -1
    ]:  # its probability is 1; a number has some noise
        assert (vae.sample(20, random_state=0)["more"] == value).all()
        nothing_of_it = vae.score(X.assign(more=None))
        assert nothing_of_it == pytest.approx(vae.score(X), abs=0.02)


def test_a_table_may_come_in_another_container(make_vae, people):
    people = people.assign(city=people["city"].cat.as_ordered())  # as an Enum is
    incomplete = with_missing(people)
    for X in (people, incomplete):
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


# --------------------------------------------------------------------------- odd tables


@pytest.mark.parametrize("hidden_layer_sizes", [(), (16,)])
def test_a_table_of_booleans(hidden_layer_sizes, make_vae):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1)) + rng.normal(size=(300, 5)) > 0.5
    vae = make_vae(hidden_layer_sizes=hidden_layer_sizes, n_components=1).fit(X)
    drawn = vae.sample(2000, random_state=0)
    assert drawn.dtype == bool
    np.testing.assert_allclose(drawn.mean(axis=0), X.mean(axis=0), atol=0.08)
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.corrcoef(X.T), atol=0.2)
    assert (vae.inverse_transform(vae.transform(X)) == X).mean() > 0.7
    assert vae.score(X) > sum(-entropy([p, 1 - p]) for p in X.mean(axis=0)) + 0.1


def test_many_categories_take_parameters_in_proportion(make_vae):
    counts = []
    for n_categories in (50, 100, 200):
        categories = np.tile(np.arange(n_categories), 5)
        rng = np.random.default_rng(0)
        X = pd.DataFrame(
            {
                "category": pd.Categorical(categories),
                "number": categories / n_categories
                + 0.1 * rng.normal(size=len(categories)),
            }
        )
        vae = make_vae(max_iter=2, n_components=1).fit(X)
        assert np.isfinite(vae.score_samples(X[:20])).all()
        assert set(vae.sample(100, random_state=0)["category"]) <= set(categories)
        assert abs(vae.transform(X)).max() < 10
        counts.append(vae._density.parts[0].coder.network.flat.numel())
    assert counts[2] - counts[1] == 2 * (counts[1] - counts[0])


@pytest.mark.parametrize("at_fit", [False, True])
def test_a_row_without_any_entry_has_the_prior(at_fit, make_vae, people):
    incomplete = with_missing(people)
    vae = make_vae(n_components=1).fit(incomplete if at_fit else people)
    nothing = incomplete.iloc[:2].mask(np.full((2, 5), True))
    mean, std = vae.posterior(nothing)
    np.testing.assert_array_equal(mean, 0)
    np.testing.assert_array_equal(std, 1)
    np.testing.assert_allclose(vae.score_samples(nothing), 0, atol=0.01)
    full = vae.impute(nothing)
    assert full.dtypes.tolist() == nothing.dtypes.tolist()
    assert full["size"].iloc[0] == pytest.approx(people["size"].mean(), abs=0.4)
    assert full["age"].iloc[0] == pytest.approx(people["age"].mean(), abs=2)
    away = abs(full["since"] - people["since"].mean())
    assert (away < pd.Timedelta(20, "D")).all()
    assert not full["smokes"].iloc[0]
    shares = people["city"].value_counts(normalize=True)
    assert shares[full["city"].iloc[0]] > shares.max() - 0.1


def test_two_rows_are_a_table(make_vae, people):
    two = people.iloc[[0, 7]]
    vae = make_vae(n_components=2).fit(two)
    assert np.isfinite(vae.score_samples(two)).all()
    assert vae.sample(2, random_state=0).dtypes.equals(people.dtypes)


# ----------------------------------------------------------------------- there and back


def test_rows_with_missing_values_are_encoded_nearer_than_mean_filled_ones(
    fitted, people
):
    fresh = make_people(300, seed=1)
    incomplete = with_missing(fresh, 0.4, seed=1)
    filled = incomplete.astype({"age": float})
    for name in ("size", "age", "since"):
        filled[name] = filled[name].fillna(people[name].mean())
    for name in ("smokes", "city"):
        filled[name] = filled[name].fillna(people[name].mode()[0])
    whole = fitted.transform(fresh)
    found, naive = (
        abs(fitted.transform(X) - whole).mean() for X in (incomplete, filled)
    )
    assert found < 0.85 * naive


def test_frames_come_back_with_their_index(fitted, people, make_vae):
    vae = make_vae(max_iter=2).set_output(transform="pandas").fit(people)
    Z = vae.transform(people)
    assert Z.index.equals(people.index)
    back = vae.inverse_transform(Z)
    pd.testing.assert_index_equal(back.index, people.index)
    pd.testing.assert_index_equal(vae.impute(people).index, people.index)
    assert back.dtypes.equals(people.dtypes)
    assert back["city"].cat.categories.tolist() == CITIES
    of_array = fitted.inverse_transform(fitted.transform(people))
    pd.testing.assert_index_equal(of_array.index, pd.RangeIndex(len(people)))


def test_reconstructions_are_near_the_rows(fitted, people):
    back = fitted.inverse_transform(fitted.transform(people)).set_axis(people.index)
    assert np.corrcoef(back["size"], people["size"])[0, 1] > 0.85
    times = [X["since"].astype("int64") for X in (back, people)]
    assert np.corrcoef(*times)[0, 1] > 0.85
    assert (back["city"] == people["city"]).mean() > 0.65
    assert (back["smokes"] == people["smokes"]).mean() > 0.75


def test_samples_are_distributed_as_the_rows(fitted, people):
    drawn = fitted.sample(3000, random_state=0)
    assert drawn.dtypes.equals(people.dtypes)
    for name in ("size", "age"):
        error = 5 * people[name].std() / len(people) ** 0.5
        assert drawn[name].mean() == pytest.approx(people[name].mean(), abs=error)
        assert drawn[name].std() == pytest.approx(people[name].std(), rel=0.15)
    shares, expected = (X["city"].value_counts(normalize=True) for X in (drawn, people))
    np.testing.assert_allclose(shares[CITIES], expected[CITIES], atol=0.08)
    for X in (drawn, people):  # what depends on each other still does
        means = X.groupby("city", observed=True)["size"].mean()
        assert means["Graz"] - means["Bonn"] > 1.5


# ------------------------------------------------------------- scikit-learn's machinery


def test_a_grid_search_takes_a_frame_and_no_scorer(make_vae, people):
    search = GridSearchCV(make_vae(max_iter=3), {"n_components": [1, 2]}, cv=2)
    search.fit(people)
    best = search.best_estimator_
    assert search.score(people) == best.score(people)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert best.transform(people).shape == (
        len(people),
        search.best_params_["n_components"],
    )


def test_a_pipeline_and_a_clone(make_vae, people, assert_same_bits):
    vae = make_vae(max_iter=3, categorical_features=["age"]).fit(people)
    copied = clone(vae)
    assert not hasattr(copied, "n_components_")
    assert_same_bits(copied.fit(people), vae, people)
    pipe = make_pipeline(FunctionTransformer(), clone(vae)).fit(people)
    np.testing.assert_array_equal(pipe.transform(people), vae.transform(people))
    pd.testing.assert_frame_equal(
        pipe[-1:].inverse_transform(pipe.transform(people)),
        vae.inverse_transform(vae.transform(people)),
    )


# --------------------------------------------------- rare categories and missing values


def rare_and_missing(n=90, share=0.25, seed=0):
    """Four numeric columns of two factors, three of many categories, gaps in all."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    numbers = z @ rng.normal(size=(2, 4)) + 0.3 * rng.normal(size=(n, 4))
    frame = pd.DataFrame(numbers).add_prefix("x")
    for j in range(3):
        score = z @ rng.normal(size=2) + 0.7 * rng.normal(size=n)
        edges = np.quantile(score, 1 - np.geomspace(0.8, 0.01, 25))
        frame[f"c{j}"] = pd.Categorical(np.digitize(score, edges).astype(str))
    gaps = rng.random(frame.shape) < [share, 0.6, share, share, share, share, share]
    return frame.mask(gaps)


def r2_of_numbers(frame, numbers):
    """R2 of four numeric columns, over what is observed of them."""
    truth = frame.iloc[:, :4].to_numpy()
    squares = np.square(truth - numbers)
    deviations = np.square(truth - np.nanmean(truth, axis=0))
    return 1 - np.nansum(squares, axis=0) / np.nansum(deviations, axis=0)


def by_pca(train, test, k):
    """Return the numeric columns of rows, by PCA of one-hot rows filled with means."""
    mean, std = train.iloc[:, :4].mean(), train.iloc[:, :4].std(ddof=0)
    rows = []
    for frame in train, test:
        dummies = [
            pd.get_dummies(frame[name], dtype=float).mask(frame[name].isna())
            for name in frame.columns[4:]
        ]
        rows.append(np.c_[(frame.iloc[:, :4] - mean) / std, *dummies])
    x, new = (np.nan_to_num(x - np.nanmean(rows[0], axis=0)) for x in rows)
    pca = PCA(k).fit(x)
    back = pca.inverse_transform(pca.transform(new))[:, :4]
    return back * std.to_numpy() + mean.to_numpy()


@pytest.mark.parametrize("seed", range(3))
def test_numbers_beside_rare_categories_come_back_as_by_pca(seed):
    frame = rare_and_missing(seed=seed)
    train, test = frame[:68], frame[68:]
    oracle = r2_of_numbers(test, by_pca(train, test, 5))
    # One epoch of tiny steps: the start is kept.
    parameters = {"max_iter": 1, "learning_rate_init": 1e-9, "random_state": 0}
    vae = VAETransformer(5, hidden_layer_sizes=(4,), **parameters).fit(train)
    back = vae.inverse_transform(vae.transform(test))
    found = r2_of_numbers(test, back.iloc[:, :4].to_numpy())
    assert (found > oracle - 0.03).all()
