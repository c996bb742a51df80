"""The class of a column, and what columns of every kind have in common."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from skvae._table.columns import COLUMNS, fit_column, make_column

NAME = "column 'a'"


def series(values, dtype=object):
    return pd.Series(values, dtype=dtype)


def fit(values, dtype=object, **kwargs):
    return make_column(**fit_column(series(values, dtype), NAME, **kwargs))


def encode(column, values, dtype=object):
    codes, unseen = column.to_codes(series(values, dtype), NAME)
    return codes.tolist(), unseen


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        ([1.5, 2], "float16", "numbers"),
        ([1, None, 2.5], object, "numbers"),
        ([True, None], "boolean", "levels"),
        (["a", "b"], "string", "levels"),
        ([1, 2], "category", "levels"),
        ([dt.date(2020, 1, 1), None], object, "times"),
        ([1], "timedelta64[ms]", "times"),
    ],
)
def test_a_column_has_the_class_of_its_kind(values, dtype, kind):
    assert fit_column(series(values, dtype), NAME)["kind"] == kind
    assert fit_column(series(values, dtype), NAME, is_chosen=True)["kind"] == "levels"
    assert type(fit(values, dtype)) is COLUMNS[kind]


@pytest.mark.parametrize("is_chosen", [False, True])
@pytest.mark.parametrize("value", [(1,), np.ones(2)])
def test_nested_entries_are_refused(value, is_chosen):
    values = np.empty(3, dtype=object)
    values[0], values[2] = "a", value
    message = "argument must be .* string.* number"
    with pytest.raises(TypeError, match=message):
        fit(values, is_chosen=is_chosen)
    for fitted in [1.5], ["a"], [dt.date(2020, 1, 1)]:
        with pytest.raises(TypeError, match=message):
            encode(fit(fitted), values)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([None, np.nan], object), ([pd.NaT, None], "datetime64[ns]"), ([], "float")],
)
def test_a_column_without_a_value_is_refused(values, dtype):
    message = (
        "contains nothing but missing values in column 'a': there is nothing to learn. "
        "Drop the column."
    )
    with pytest.raises(ValueError, match=message):
        fit(values, dtype)


@pytest.mark.parametrize("fitted", [[1.5], ["a"], [True], [dt.date(2020, 1, 1)]])
@pytest.mark.parametrize("dtype", [object, "float64", "Int64", "str", "datetime64[ns]"])
def test_missing_is_missing_in_any_dtype(fitted, dtype):
    codes, unseen = encode(fit(fitted), [None, None], dtype)
    assert np.isnan(codes).all()
    assert unseen == []
    assert encode(fit(fitted), [], dtype) == ([], [])


@pytest.mark.parametrize("n_rows", [40, 500])
@pytest.mark.parametrize("options", [{}, {"is_chosen": True}, {"dtype": "category"}])
def test_text_is_categorical_whatever_the_number_of_rows(n_rows, options):
    texts = [f"remark {i % 480}" for i in range(n_rows)]
    column = fit(texts, **options)
    assert column.n_categories == min(n_rows, 480)
    assert column.grouping.tells_nothing
    assert fit(np.arange(480), "int64").n_categories == 0


@pytest.mark.parametrize("is_chosen", [False, True])
@pytest.mark.parametrize("value", [1.5, True, "a", dt.date(2020, 1, 1), dt.time(1)])
def test_a_constant_is_fine(value, is_chosen):
    column = fit([value, None, value], is_chosen=is_chosen)
    codes, _ = encode(column, [value])
    values, places = column.from_codes(np.array(codes))
    entry = column.to_objects(values if places is None else values[places])
    assert (type(entry[0]), entry[0]) == (type(value), value)
