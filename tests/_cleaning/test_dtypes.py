"""Whatever later rows come as, a cleaned column is as it was in fit, or an error."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest

from skvae import TableCleaner

DAYS = pd.date_range("2021-03-25 10:30", periods=6, freq="37h")
NATIVE = {
    "floats": pd.Series([0.5, 1.25, -3.0, 2.0, 7.5, 8.0]),
    "integers": pd.Series([3, 1, 4, 1, 5, 9]),
    "booleans": pd.Series([True, False, True, True, False, False]),
    "datetimes": pd.Series(DAYS),
    "zoned": pd.Series(DAYS.tz_localize("Asia/Tokyo")),
    "timedeltas": pd.Series(DAYS - DAYS[0] + pd.Timedelta("1h")),
    "text": pd.Series(["red", "blue", "red", "green", "blue", "red"]),
}
KINDS = list(NATIVE)
CODES = pd.Series(["0123", "0456", "0123", "0456", "0789", "0789"])


def as_text(values):
    return values.astype(str).astype(object)


FORMS = {
    "native": lambda values: values,
    "text": as_text,
    "str": lambda values: as_text(values).astype("string"),
    "object": lambda values: values.astype(object),
    "categories": lambda values: as_text(values).astype("category"),
}


def clean(fitted, later):
    """Return what fit's rows and later rows become."""
    cleaner = TableCleaner(drop_identifiers=False).fit(pd.DataFrame({"it": fitted}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return tuple(
            cleaner.transform(pd.DataFrame({"it": rows}))["it"]
            for rows in (fitted, later)
        )


@pytest.mark.parametrize(
    ("kind", "fitted", "later"),
    [
        (kind, fitted, later)
        for kind in KINDS
        for fitted, later in itertools.permutations(FORMS, 2)
        if fitted != "categories"
        # Text of timedeltas is text in fit.
        and not (kind == "timedeltas" and fitted in ("text", "str"))
    ],
)
def test_later_rows_have_the_values_and_dtype_of_fit(kind, fitted, later):
    values = NATIVE[kind]
    if later == "categories" and kind != "text":
        values = values.astype("category")
    else:
        values = FORMS[later](values)
    expected, found = clean(FORMS[fitted](NATIVE[kind]), values)
    pd.testing.assert_series_equal(found, expected, check_dtype=False)
    if fitted != "object":  # of which the dtype says nothing
        assert found.dtype == expected.dtype


@pytest.mark.parametrize("form", ["native", "text", "str", "object"])
def test_later_text_has_the_categories_of_fit(form):
    values = NATIVE["text"]
    expected, found = clean(values.astype("category"), FORMS[form](values))
    pd.testing.assert_series_equal(found, expected)
    _, more = clean(values.astype("category"), FORMS[form](values + "dish"))
    assert list(more.cat.categories[:3]) == list(expected.cat.categories)
    assert more.tolist() == (values + "dish").tolist()


@pytest.mark.parametrize(
    ("fitted", "later"),
    [
        pair
        for pair in itertools.permutations(KINDS, 2)
        if {*pair} != {"floats", "integers"}
    ],
)
def test_another_kind_is_an_error_that_names_the_column(fitted, later):
    cleaner = TableCleaner(drop_identifiers=False)
    cleaner.fit(pd.DataFrame({"it": NATIVE[fitted]}))
    later = pd.DataFrame({"it": NATIVE[later]})
    if later["it"].equals(NATIVE["text"]):
        with pytest.warns(UserWarning, match=r"'it' \(6 of 6 rows, such as 'red'\)"):
            found = cleaner.transform(later)["it"]
        assert found.isna().all()
        assert found.dtype == clean(NATIVE[fitted], pd.Series([None] * 6))[1].dtype
        return
    with pytest.raises(ValueError, match=r"in column 'it', which held .* in fit"):
        cleaner.transform(later)


def test_codes_that_come_as_numbers_are_an_error():
    with pytest.raises(ValueError, match="123 in column 'it', which held text in fit"):
        clean(CODES, CODES.astype(int))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_without_a_value_are_of_the_kind(kind):
    expected, found = clean(NATIVE[kind], pd.Series([None] * 6, dtype=object))
    assert found.isna().all()
    if kind != "text":
        assert found.dtype.kind == expected.dtype.kind


def test_whole_floats_of_later_rows_are_integers_and_others_stay():
    expected, found = clean(NATIVE["integers"], pd.Series([2.0, 3.0]))
    assert found.dtype == expected.dtype == np.int64
    _, found = clean(NATIVE["integers"], pd.Series([2.0, None]))
    assert found.dtype == "Int64"
    _, found = clean(NATIVE["integers"], pd.Series([2.5, 3.0]))
    assert found.tolist() == [2.5, 3.0]


@pytest.mark.parametrize("unit", ["s", "ns"])
def test_a_unit_or_a_zone_is_converted_and_a_lost_zone_is_an_error(unit):
    for kind in "datetimes", "zoned":
        expected, found = clean(NATIVE[kind], NATIVE[kind].dt.as_unit(unit))
        pd.testing.assert_series_equal(found, expected)
    expected, found = clean(NATIVE["zoned"], NATIVE["zoned"].dt.tz_convert("UTC"))
    pd.testing.assert_series_equal(found, expected)
    with pytest.raises(ValueError, match="'it', which held datetimes with a time zone"):
        clean(NATIVE["zoned"], NATIVE["zoned"].dt.tz_localize(None))


def test_text_of_digits_and_numbers_are_the_same_dates():
    days = pd.Series([20210325, 20210401, 20201231, 20190630])
    for one, other in itertools.permutations([days, days.astype(str)]):
        expected, found = clean(one, other)
        assert expected.dtype.kind == "M"
        pd.testing.assert_series_equal(found, expected)
    later = pd.Series([20210325.0, 20210325.5, np.nan, np.inf])
    assert clean(days, later)[1].isna().tolist() == [False, True, True, True]
