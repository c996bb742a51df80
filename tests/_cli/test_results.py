import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skvae import VAETransformer
from skvae._cli.results import embed, fill, impute, sample
from skvae._cli.selection import select

N = 200


def some_column(seed=0):
    return np.random.default_rng(seed).normal(size=N)


@pytest.fixture(scope="module")
def fitted():
    """A table, its selection, and an estimator of it; rows share an index."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "name": [f"name {i}" for i in range(N)],
            "some": np.where(rng.random(N) < 0.1, np.inf, some_column()),
            "text": np.where(rng.random(N) < 0.05, "?", rng.integers(9, size=N)),
            "empty": None,
            "constant": pd.array([3, None] * 100, dtype="Int64"),
            "colour": rng.choice(["red", "blue", None], size=N),
        },
        index=np.arange(N) // 2,
    )
    selection = select("t.csv", table)
    vae = VAETransformer(2, hidden_layer_sizes=(), random_state=0)
    return table, selection, vae.fit(selection.X)


def test_rows_are_embedded_in_their_order(fitted):
    _, selection, vae = fitted
    embedding = embed(selection, vae)
    assert list(embedding.columns) == list(vae.get_feature_names_out())
    assert_array_equal(embedding.index, selection.X.index)
    assert_allclose(embedding, vae.transform(selection.X))


class SomeFile:
    kind = "parquet"

    def __init__(self, frame):
        self.frame = frame


def test_imputed_table_has_the_estimators_values_where_it_had_none(fitted):
    table, selection, vae = fitted
    before = table.copy()
    entries = impute(selection, vae)
    imputed = fill(SomeFile(table), selection, entries)
    expected = vae.impute(selection.X)
    pd.testing.assert_frame_equal(table, before)
    assert list(imputed.columns) == list(table.columns)
    assert_array_equal(imputed.index, table.index)
    assert_array_equal(imputed["colour"], expected["colour"])
    assert_array_equal(imputed["text"], expected["text"].astype(str))
    assert sorted(entries) == ["colour", "text"]
    for copied in "name", "empty", "constant", "some":  # infinity is an entry
        pd.testing.assert_series_equal(imputed[copied], table[copied])


def test_sampled_rows_are_the_estimators(fitted):
    table, selection, vae = fitted
    sampled = sample(7, table, selection, vae, 5)
    expected = vae.sample(7, random_state=5)
    assert list(sampled.columns) == ["some", "text", "constant", "colour"]
    for column in "some", "text":  # within the range that it had
        low, high = selection.X[column].min(), selection.X[column].max()
        expected[column] = expected[column].clip(low, high)
    assert_array_equal(sampled["some"], expected["some"])
    assert_array_equal(sampled["text"], expected["text"].astype(str))
    assert_array_equal(sampled["colour"], expected["colour"])
    assert (sampled["constant"] == 3).all()
    assert_array_equal(sampled.index, range(7))


@pytest.mark.parametrize("scaling", ["standard", "quantile"])
def test_sampled_and_imputed_values_keep_to_the_range_of_their_column(scaling):
    """A normal waiting time is below 0 now and then, and a past day in the future."""
    rng = np.random.default_rng(0)
    hours = rng.exponential(size=N)
    days = pd.Timestamp("2026-01-01") - pd.to_timedelta((24 * hours).round(), unit="h")
    table = pd.DataFrame(
        {
            "hours": hours,
            "count": rng.poisson(hours),
            "text": [f"{hour:.1f}" for hour in rng.permutation(hours)],
            "day": days,
            "written": [f"{day:%Y-%m-%d}" for day in days],
        }
    ).mask(rng.random((N, 5)) < 0.1)
    selection = select("t.csv", table)
    vae = VAETransformer(2, hidden_layer_sizes=(), scaling=scaling, random_state=0)
    vae.fit(selection.X)
    if scaling == "standard":
        assert vae.sample(2000, random_state=0)["hours"].min() < 0
    sampled = select("s.csv", sample(2000, table, selection, vae, 0)).X
    filled = fill(SomeFile(table), selection, impute(selection, vae))
    imputed = select("i.csv", filled).X
    for column, observed in selection.X.items():
        for found in sampled[column], imputed[column]:
            assert found.min() >= observed.min()
            assert found.max() <= observed.max()
