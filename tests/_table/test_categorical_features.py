"""The columns that the user calls categorical, by name, by index or by a mask."""

import re

import numpy as np
import pandas as pd
import pytest

from skvae._table.categorical_features import find_categorical

LABELS = ["age", "colour", "member", "since"]


@pytest.mark.parametrize(
    "chosen",
    [
        ["age"],
        [0],
        np.array([0]),
        [True, False, False, False],
        pd.Index(["age"]),
        np.array([True, False, False, False]),
    ],
)
def test_columns_are_chosen_in_any_way(chosen):
    mask = find_categorical(chosen, LABELS, 4)
    assert mask.tolist() == [True, False, False, False]


@pytest.mark.parametrize("chosen", ["from_dtype", None, [], (), [False] * 4])
def test_no_column_need_be_chosen(chosen):
    for labels in LABELS, None:
        assert find_categorical(chosen, labels, 4).tolist() == [False] * 4


def test_all_columns_of_a_name_are_chosen():
    assert find_categorical(["a"], ["a", "b", "a"], 3).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("chosen", "labels", "error", "message"),
    [
        ("age", LABELS, ValueError, "categorical_features='age' must be 'from_dtype',"),
        (0, LABELS, TypeError, "categorical_features=0 must be 'from_dtype', None"),
        (["age", 1], LABELS, TypeError, "categorical_features=['age', 1] must be"),
        ([0.0], LABELS, TypeError, "categorical_features=[0.0] must be"),
        ({"age": 1}, LABELS, TypeError, "categorical_features={'age': 1} must be"),
        (
            ["size"],
            LABELS,
            ValueError,
            "categorical_features has 'size', which must be a column of X; X has "
            "'age', 'colour', 'member', 'since'.",
        ),
        (
            ["age"],
            None,
            ValueError,
            "categorical_features=['age'] has names, and X, an array, has none. Give",
        ),
        (
            [4],
            LABELS,
            ValueError,
            "has the index 4, and X has 4 columns: an index must be at least 0 and",
        ),
        ([-1], LABELS, ValueError, "has the index -1, and X has 4 columns"),
        (
            [True],
            LABELS,
            ValueError,
            "is a mask of 1 columns, and X has 4. Give a bool for each",
        ),
    ],
)
def test_a_bad_choice_is_refused(chosen, labels, error, message):
    with pytest.raises(error, match=re.escape(message)):
        find_categorical(chosen, labels, 4)
