"""The kind of a column, and errors that name the column."""

import datetime as dt
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from skvae._table.kinds import kind_of

NAME = "column 'a'"


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        ([1.5, 2], "float16", "numeric"),
        ([1, 2], "uint8", "numeric"),
        ([1, 2], "Int8", "numeric"),
        ([1, 2.5], object, "numeric"),
        ([1, np.float32(2), Decimal(3)], object, "numeric"),
        ([True, False], "bool", "boolean"),
        ([True, False], "boolean", "boolean"),
        ([True, np.True_], object, "boolean"),
        (["3.5", "4"], object, "text"),
        (["a", "b"], "string", "text"),
        ([b"a"], object, "text"),
        (["a", 1, 2.5, True], object, "text"),
        ([True, 2], object, "text"),
        ([dt.date(2020, 1, 1), "a"], object, "text"),
        ([1, 2], "category", "category"),
        (["a"], pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string())), "category"),
        ([dt.date(2020, 1, 1)], object, "time"),
        ([dt.datetime(2020, 1, 1)], object, "time"),
        ([dt.timedelta(1)], object, "time"),
        ([dt.time(1)], object, "time"),
        (["2020-01-01"], "datetime64[s]", "time"),
        (["2020-01-01"], "datetime64[ns, Asia/Tokyo]", "time"),
        ([1], "timedelta64[ms]", "time"),
    ],
)
def test_the_dtype_and_the_classes_say_the_kind(values, dtype, kind):
    assert kind_of(pd.Series(values, dtype=dtype), NAME) == kind


@pytest.mark.parametrize(
    "value", [{"foo": "bar"}, [1], (1,), {1}, np.ones(2), object(), pd.Interval(0, 1)]
)
def test_nested_entries_are_named(value):
    values = np.empty(3, dtype=object)
    values[:2], values[2] = "a", value
    with pytest.raises(
        TypeError, match=r"argument must be .* string.* number"
    ) as caught:
        kind_of(pd.Series(values, dtype=object), NAME)
    assert f"Input X contains {value!r} in column 'a'" in str(caught.value)


@pytest.mark.parametrize(
    ("values", "dtype", "message"),
    [
        ([1j], "complex", "Complex data not supported: input X contains"),
        ([1j, 1], object, "Complex data not supported: input X contains"),
        (["2020"], "period[D]", "contains Period('2020-01-01', 'D') in column 'a', of"),
        (
            [pd.Interval(0, 1)],
            "interval",
            "must be of numbers, datetimes, timedeltas, booleans or text",
        ),
    ],
)
def test_other_dtypes_are_refused(values, dtype, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        kind_of(pd.Series(values, dtype=dtype), NAME)
