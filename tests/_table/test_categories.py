"""Categorical columns: the order of the categories, and values that fit did not see."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from skvae._table.categories import CategoricalColumn

NAME = "column 'a'"


def fit(values, dtype=object):
    series = pd.Series(values, dtype=dtype)
    return CategoricalColumn(**CategoricalColumn.fit(series[series.notna()], NAME))


def encode(column, values, dtype=object):
    codes, unseen = column.to_codes(pd.Series(values, dtype=dtype), NAME)
    return codes.tolist(), unseen


@pytest.mark.parametrize("is_reversed", [False, True])
def test_categories_are_sorted_whatever_the_order_of_rows(is_reversed):
    mixed = ["b", 2.5, True, "a", dt.date(2020, 1, 1), None, 0, b"x"]
    expected = [b"x", dt.date(2020, 1, 1), 0, True, 2.5, "a", "b"]
    column = fit(mixed[::-1] if is_reversed else mixed)
    assert column.categories.tolist() == expected
    assert encode(column, expected)[0] == [0, 1, 2, 3, 4, 5, 6]


def test_the_categories_of_a_dtype_keep_their_order_and_count_if_seen():
    dtype = pd.CategoricalDtype(["high", "unused", "low"], ordered=True)
    column = fit(["low", "high", None, "low"], dtype)
    assert (column.categories.tolist(), column.n_categories) == (["high", "low"], 2)
    codes, unseen = encode(column, ["unused", "low"], dtype)
    np.testing.assert_array_equal(codes, [np.nan, 1])
    assert unseen == ["unused"]


def test_equal_values_are_one_category():
    column = fit([0, 1, 2], "int8")
    for given in ([True, 2.0, 0], [1.0, 2, False]):
        assert encode(column, given)[0] == [1, 2, 0]
    assert encode(column, [1, 2, 0], "Int64")[0] == [1, 2, 0]
    booleans = fit([True, False], "bool")
    assert encode(booleans, [0, 1.0, np.True_])[0] == [0, 1, 1]
    large = fit([2**62, 2**62 + 1], "int64")
    assert large.from_codes(np.array([1.0]))[0].tolist() == [2**62, 2**62 + 1]


def test_unseen_values_are_missing_and_returned():
    codes, unseen = encode(fit(["a", "b"]), ["c", "b", None, 1, "c"])
    np.testing.assert_array_equal(codes, [np.nan, 1, np.nan, np.nan, np.nan])
    assert unseen == ["c", 1]


def test_a_null_character_is_no_empty_text():
    column = fit(["\0", "", "\0"])
    assert column.n_categories == 2
    assert encode(column, ["", "\0"]) == ([0, 1], [])


def test_files_that_know_no_zone_have_times_in_UTC():
    stamps = pd.Series(pd.to_datetime(["2020", "2021"])).dt.tz_localize("Asia/Tokyo")
    state = CategoricalColumn.fit(stamps, NAME)
    assert state["zone"] == "Asia/Tokyo"
    del state["zone"]
    CategoricalColumn.rule(state, "column")
    column = CategoricalColumn(**state)
    assert encode(column, stamps, stamps.dtype)[0] == [0, 1]
    back = column.to_objects(column.categories)
    assert back.tolist() == stamps.tolist()
    assert {str(stamp.tz) for stamp in back} == {"UTC"}
