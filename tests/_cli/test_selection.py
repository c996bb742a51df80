import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skvae._cli.selection import select
from skvae._cli.terminal import CommandError

N = 200
OTHER = "not numeric, datetime, timedelta or categorical"


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
        ([3, 5] * 100, "numeric"),
        (pd.array([3, 5, None, 4] * 50, dtype="Int64"), "numeric"),
        (np.array([0.5, 2] * 100, dtype=np.float32), "numeric"),
        (["1.5", "2"] * 100, "numeric"),
        (with_values(10), "numeric"),
        ([True, False] * 100, "categorical"),
        (pd.array([True, False] * 100, dtype="boolean"), "categorical"),
        (np.array([True, False] * 100, dtype=object), "categorical"),
        (["x", "y"] * 100, "categorical"),
        ([f"category {i % 40}" for i in range(N)], "categorical"),
        ([f"category {i // 9 * (i // 100)}" for i in range(N)], "categorical"),
        (pd.Categorical([f"name {i // 5}" for i in range(N)]), "categorical"),
        (["2020-01-02", "2020-01-05"] * 100, "datetime"),
        (pd.date_range("2020-01-01", periods=N), "datetime"),
        (pd.to_timedelta(np.arange(N) % 7, unit="h"), "timedelta"),
    ],
)
def test_columns_of_all_kinds_are_used(values, kind):
    selection = select_from(column=values)
    assert selection.kinds == {"some": "numeric", "column": kind}
    assert list(selection.X.columns) == ["some", "column"]
    assert list(selection.is_categorical) == [False, kind == "categorical"]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (
            [f"name {i}" for i in range(N)],
            "text with 200 distinct values, such as 'name 0'",
        ),
        (
            pd.Categorical([f"name {i}" for i in range(N)]),
            "text with 200 distinct values, such as 'name 0'",
        ),
        (
            [f"name {i % 101}" for i in range(N)],
            "text with 101 distinct values, such as 'name",
        ),
        ([1 + 2j, 3 - 1j] * 100, f"{OTHER}, such as (1+2j)"),
        ([[1], [2, 3]] * 100, f"{OTHER}, such as [1]"),
        ([np.nan] * N, "no values"),
        ([None] * N, "no values"),
        (with_values(9), "only 9 values"),
        (with_values(1), "only 1 value"),
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
    message = r"t has no column that can be fitted \(a: row numbers; b: constant\)"
    with pytest.raises(CommandError, match=message):
        select("t", table)
