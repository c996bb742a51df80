import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skvae import VAETransformer
from skvae._cli.selection import describe_selection, embed, impute, sample, select
from skvae._cli.terminal import CommandError

N = 200


def some_column(seed=0):
    return np.random.default_rng(seed).normal(size=N)


def select_from(label_column=None, **columns):
    table = pd.DataFrame({"some": some_column()} | columns)
    return select("t.csv", table, label_column)


def with_values(n_values):
    values = np.full(N, np.nan)
    values[:n_values] = some_column(1)[:n_values]
    return values


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([3, 5] * 100, "numbers"),
        (pd.array([3, 5, None, 4] * 50, dtype="Int64"), "numbers"),
        (np.array([0.5, 2] * 100, dtype=np.float32), "numbers"),
        (["1.5", "2"] * 100, "numbers"),
        (with_values(10), "numbers"),
        ([True, False] * 100, "levels"),
        (pd.array([True, False] * 100, dtype="boolean"), "levels"),
        (np.array([True, False] * 100, dtype=object), "levels"),
        (["x", "y"] * 100, "levels"),
        ([f"level {i % 100}" for i in range(N)], "levels"),
        (pd.Categorical([f"name {i}" for i in range(N)]), "levels"),
        (["2020-01-02", "2020-01-05"] * 100, "times"),
        (pd.date_range("2020-01-01", periods=N), "times"),
    ],
)
def test_columns_of_all_kinds_are_used(values, kind):
    selection = select_from(column=values)
    assert selection.kinds == {"some": "numbers", "column": kind}
    assert list(selection.X.columns) == ["some", "column"]
    assert list(selection.is_level) == [False, kind == "levels"]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([f"name {i}" for i in range(N)], "200 different texts, such as 'name 0'"),
        ([f"name {i % 101}" for i in range(N)], "101 different texts, such as 'name"),
        ([1 + 2j, 3 - 1j] * 100, "no numbers, dates or levels, such as (1+2j)"),
        ([[1], [2, 3]] * 100, "no numbers, dates or levels, such as [1]"),
        ([np.nan] * N, "no value"),
        ([None] * N, "no value"),
        (with_values(9), "9 values"),
        (with_values(1), "1 value"),
        ([7.5] * N, "constant"),
        (["x", None] * 100, "constant"),
        (np.arange(N), "row numbers"),
        (np.arange(1, N + 1), "row numbers"),
        ([1e300, -1e300] * 100, "values beyond 1e+100"),
    ],
)
def test_column_is_left_out_for_a_reason(values, reason):
    selection = select_from(column=values)
    ((given, columns),) = selection.left_out.items()
    assert given.startswith(reason)
    assert columns == ["column"]
    assert list(selection.X.columns) == list(selection.kinds) == ["some"]


def test_long_example_is_cut():
    remarks = [f"{i}, and whatever else there is to say of it" for i in range(N)]
    ((reason, _),) = select_from(column=remarks).left_out.items()
    assert reason.endswith("such as '0, and whatever else there is to say...")


def test_infinity_is_a_missing_value():
    values = some_column(1)
    values[7] = np.inf
    X = select_from(column=values).X
    assert_array_equal(np.flatnonzero(X["column"].isna()), [7])
    assert np.isinf(values[7])


def test_label_is_left_out_and_all_rows_have_theirs():
    labels = [f"class {i % 3}" for i in range(N)]
    selection = select_from("label", gap=with_values(100), label=labels)
    assert selection.left_out == {"label": ["label"]}
    assert list(selection.y) == labels


def test_all_reasons_are_named_when_nothing_is_left():
    table = pd.DataFrame({"a": range(20), "b": 1.0})
    message = r"t: no column to fit \(a: row numbers; b: constant\)"
    with pytest.raises(CommandError, match=message):
        select("t", table)


def test_description_names_kinds_and_what_is_missing():
    table = pd.DataFrame(
        {
            "some": with_values(150),
            "odd": ["1", "2.5"] * 99 + ["?", "1"],
            "day": pd.date_range("2020-01-01", periods=N),
            "colour": ["red", "blue"] * 100,
            "id": range(N),
        }
    )
    selection = select("t.csv", table)
    assert describe_selection("t.csv", table, selection).splitlines() == [
        "t.csv: 200 rows, 5 columns",
        "",
        "numbers   2 columns: some, odd",
        "dates     1 column: day",
        "levels    1 column: colour",
        "missing   51 entries, 6.4% of these columns",
        "          odd: text in 1 row, first '?', taken for missing",
        "left out  id: row numbers",
    ]


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


def test_imputed_table_has_the_estimators_values_in_its_holes(fitted):
    table, selection, vae = fitted
    before = table.copy()
    filled = impute(table, selection, vae)
    expected = vae.impute(selection.X)
    pd.testing.assert_frame_equal(table, before)
    assert list(filled.columns) == list(table.columns)
    assert_array_equal(filled.index, table.index)
    assert_array_equal(filled["some"], expected["some"])
    assert_array_equal(filled["colour"], expected["colour"])
    assert_array_equal(filled["text"], expected["text"].astype(str))
    for copied in "name", "empty", "constant":
        pd.testing.assert_series_equal(filled[copied], table[copied])


def test_drawn_rows_are_the_estimators(fitted):
    table, selection, vae = fitted
    drawn = sample(7, table, selection, vae, 5)
    expected = vae.sample(7, random_state=5)
    assert list(drawn.columns) == ["some", "text", "constant", "colour"]
    assert_array_equal(drawn["some"], expected["some"])
    assert_array_equal(drawn["text"], expected["text"].astype(str))
    assert_array_equal(drawn["colour"], expected["colour"])
    assert (drawn["constant"] == 3).all()
    assert_array_equal(drawn.index, range(7))
