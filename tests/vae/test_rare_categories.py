"""Columns of many categories: the rare ones are pooled, and all of them come back."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import cross_val_score

from skvae._table.groupings import LEAST_ROWS, MOST

pytestmark = [
    pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended"),
    pytest.mark.filterwarnings("ignore:No component carries more"),
]

FREQUENT, RARE = 4, 40  # categories of the column; a frequent one has as many rows


@pytest.fixture(scope="module")
def towns():
    """Four frequent towns, each with its own sizes, and forty of one row each."""
    rng = np.random.default_rng(0)
    town = [f"town {i}" for i in range(FREQUENT) for _ in range(60)]
    town += [f"village {i}" for i in range(RARE)]
    size = np.repeat([*range(FREQUENT), FREQUENT], [*FREQUENT * [60], RARE])
    X = pd.DataFrame({"town": town, "size": size + 0.1 * rng.normal(size=len(size))})
    return X.sample(frac=1, random_state=0, ignore_index=True)


@pytest.fixture(scope="module")
def fitted(make_vae, towns):
    return make_vae(n_components=1, max_iter=60, random_state=2).fit(towns)


def every_town(size):
    towns = [f"town {i}" for i in range(FREQUENT)]
    towns += [f"village {i}" for i in range(RARE)]
    return pd.DataFrame({"town": [*towns, "another"], "size": float(size)})


# ----------------------------------------------------------------------------- density


def test_probabilities_of_all_categories_and_of_another_add_up_to_one(fitted):
    for size in 0, 2, 4:
        rows = every_town(size)
        with pytest.warns(UserWarning, match="'another'. They count among its rare"):
            joint = np.exp(fitted.score_samples(rows))
        alone = np.exp(fitted.score_samples(rows.assign(town=None))[0])
        assert joint.sum() == pytest.approx(alone, rel=0.05)
        villages = joint[FREQUENT:]
        np.testing.assert_allclose(villages, villages[0])  # each has one row


def test_a_rare_category_is_where_rare_ones_are(fitted):
    """At the sizes of villages, not at those of any town."""
    rows = pd.concat([every_town(size)[:-1] for size in range(FREQUENT + 1)])
    best = rows.assign(score=fitted.score_samples(rows)).groupby("town")["score"]
    sizes = rows.set_index(np.arange(len(rows)))["size"]
    found = sizes[best.apply(lambda score: int(np.argmax(score))) * (FREQUENT + RARE)]
    assert found.to_numpy()[:FREQUENT].tolist() == [0, 1, 2, 3]
    assert (found.to_numpy()[FREQUENT:] == FREQUENT).all()


# --------------------------------------------------------------------- and back again


def test_the_most_probable_category_is_of_all_categories(fitted, towns):
    back = fitted.inverse_transform(fitted.transform(towns))
    is_town = towns["town"].str.startswith("town")
    assert (back["town"] == towns["town"])[is_town].mean() > 0.9
    # Where only villages are, the most frequent of them; of equals the first.
    assert (back["town"][~is_town] == "village 0").mean() > 0.9
    full = fitted.impute(towns.assign(town=None))
    assert (full["town"] == towns["town"])[is_town].mean() > 0.9
    assert (
        full["town"][~is_town] == "village 0"
    ).mean() > 0.7  # some towns are as large


def test_all_categories_are_drawn_as_often_as_they_were_there(fitted, towns):
    drawn = fitted.sample(8000, random_state=0)["town"].value_counts()
    expected = towns["town"].value_counts() / len(towns)
    assert set(drawn.index) == set(expected.index)
    shares = (drawn / 8000).reindex(expected.index)
    np.testing.assert_allclose(shares[:FREQUENT], expected[:FREQUENT], atol=0.06)
    np.testing.assert_allclose(shares[FREQUENT:], expected[FREQUENT:], atol=0.004)


def test_draws_of_missing_entries_have_all_rare_categories(fitted, towns):
    is_village = towns["town"].str.startswith("village")
    tables = fitted.impute(towns[is_village].assign(town=None), 20, random_state=0)
    drawn = pd.concat(tables)["town"]
    assert drawn.str.startswith("village").mean() > 0.9
    assert drawn.nunique() > 0.9 * RARE
    assert drawn.value_counts().iloc[0] < 0.1 * len(drawn)


@pytest.mark.parametrize("dtype", ["category", object, "polars"])
def test_the_table_comes_back_as_it_was(dtype, make_vae, towns):
    X = towns.astype({"town": object if dtype == "polars" else dtype})
    X = pl.DataFrame(X.to_dict("list")) if dtype == "polars" else X
    vae = make_vae(n_components=1, max_iter=2).fit(X)
    drawn = vae.sample(50, random_state=0)
    dtypes = dict(zip(X.columns, X.dtypes, strict=True))
    assert dict(zip(drawn.columns, drawn.dtypes, strict=True)) == dtypes
    assert set(drawn["town"]) <= set(X["town"])
    np.testing.assert_array_equal(vae.transform(X), vae.transform(X))


def test_a_file_has_all_categories(fitted, towns):
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(
        copy.score_samples(towns), fitted.score_samples(towns)
    )
    pd.testing.assert_frame_equal(
        copy.sample(50, random_state=0), fitted.sample(50, random_state=0)
    )


def test_a_warm_start_goes_on_with_rows_of_other_shares(make_vae, towns):
    vae = make_vae(n_components=1, max_iter=2, warm_start=True).fit(towns)
    more = pd.concat([towns, towns[:30]], ignore_index=True)
    widths, network = vae._codec.layout.widths, vae._density.parts[0].coder
    vae.set_params(learning_rate_init=1e-12).fit(more)
    assert vae._codec.layout.widths == widths
    after = vae._density.parts[0].coder
    assert type(after) is type(network)


# --------------------------------------------------------------- which text is accepted


@pytest.mark.filterwarnings("ignore:Input X has values that fit did not see")
@pytest.mark.filterwarnings("ignore:X has values that are all rare")
@pytest.mark.parametrize("n_texts", [31, 37, 83])
def test_every_fold_of_an_accepted_table_has_a_score(n_texts, make_vae):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"height": rng.normal(size=83), "mass": rng.normal(size=83)})
    X["world"] = [f"world {i % n_texts}" for i in range(83)]
    scores = cross_val_score(make_vae(max_iter=3), X, cv=3)
    assert np.isfinite(scores).all()


def test_names_alone_are_as_likely_as_each_other(make_vae):
    X = pd.DataFrame({"name": [f"name {i}" for i in range(50)]})
    with pytest.warns(UserWarning, match="values that are all rare, in column 'name'"):
        vae = make_vae(max_iter=3).fit(X)
    # Of 51 chances one is another name's.
    np.testing.assert_allclose(vae.score_samples(X), -np.log(51), atol=5e-3)
    np.testing.assert_allclose(vae.transform(X), 0, atol=1e-6)
    assert vae.sample(500, random_state=0)["name"].nunique() > 45


def test_names_change_nothing_of_the_other_columns(make_vae, curve):
    X = pd.DataFrame(curve, columns=list("abcd"))
    names = X.assign(name=[f"name {i}" for i in range(len(X))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vae, other = (
            make_vae(hidden_layer_sizes=()).fit(table) for table in (X, names)
        )
    back = vae.inverse_transform(vae.transform(X))
    of_names = other.inverse_transform(other.transform(names))[list("abcd")]
    deviation = (back - of_names).std() / X.std()
    assert (deviation < 0.1).all()


# -------------------------------------------------------------------------------- cost


@pytest.mark.parametrize("ordered", [False, True])
def test_a_column_has_so_many_indicators_at_most(ordered, make_vae):
    values = np.arange(2 * MOST)
    X = pd.DataFrame({"value": pd.Categorical(values, ordered=ordered)})
    X["number"] = values + np.random.default_rng(0).normal(size=len(X))
    X = pd.concat([X] * LEAST_ROWS, ignore_index=True)
    vae = make_vae(n_components=1, hidden_layer_sizes=(8,), max_iter=2).fit(X)
    assert vae._codec.layout.n_columns == 1 + (MOST - 1 if ordered else MOST + 1)
    some = X[::50]
    assert np.isfinite(vae.score_samples(some)).all()
    back = vae.inverse_transform(vae.transform(some))["value"].to_numpy(int)
    if ordered:
        assert np.median(abs(back - some["value"].to_numpy(int))) < 0.1 * len(values)
