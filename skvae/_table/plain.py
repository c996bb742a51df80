"""Labels, categories and dtypes as plain data, which any file can hold, and back.

Plain data are numbers, strings, booleans, None, bytes, their arrays, lists and dicts.
"""

import datetime as dt
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pandas as pd

from skvae._printable import quote
from skvae._rules import (
    ARRAYS,
    Optional,
    each,
    flag,
    integer,
    maybe,
    one_of,
    record,
    require,
    row,
    text,
)
from skvae._table.values import localize, objects, zone_name, zone_named

MOST_NESTED = 8  # tuples in tuples
MOST_SCHEMA = 2**16  # bytes of a dtype of pyarrow

UNIT, UNITS = one_of("s", "ms", "us", "ns"), "(s|ms|us|ns)"
# Not dateutil/..., which pandas takes for the path of a file.
ZONES = (
    r"(?!dateutil/)[A-Za-z][\w+-]*(/[\w+-]+){0,3}|tzlocal\(\)"
    r"|(UTC)?[+-]\d\d:?\d\d(:\d\d)?"
)
ZONE = text(ZONES, "the name of a time zone", 64)
FREQUENCY = text(r"-?(\d{0,6}[A-Za-z]{1,6}){1,4}(-[A-Z]{3}){0,2}", "a frequency", 32)
DATE_TIME = r"[+-]?\d{4,12}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?"
OFFSET = r"(Z|[+-]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?"
TIME = r"\d\d:\d\d:\d\d(\.\d{1,6})?" + OFFSET
DURATION = r"-?P-?\d{1,9}DT-?\d{1,2}H-?\d{1,2}M-?\d{1,2}(\.\d{1,9})?S"
# Numbers beyond those of decimal128, or of 300 digits, may take minutes to convert.
DECIMAL = (
    r"-?(\d{1,6144}(\.\d{0,6144})?|\.\d{1,6144})"
    r"(E[+-]?([0-5]?\d{1,3}|6[01]\d\d))?|-?Infinity"
)
FRACTION = r"-?\d{1,300}(/0*[1-9]\d{0,299})?"
MOST_BITS = 1024  # of an integer, as a float has


def label(value, path, depth=0):
    """Check that a value is what `pack` makes of one that is in no array."""
    kind = type(value)
    if value is None or kind in (bool, float, bytes):
        return
    if kind is int:
        rule = f"an integer of at most {MOST_BITS} bits"
        return require(value.bit_length() <= MOST_BITS, path, rule, value)
    is_packed = kind is list and value and type(value[0]) is str
    is_packed = is_packed and value[0] in CLASSES and depth < MOST_NESTED
    rule = f"a plain value, or the name of one of {', '.join(CLASSES)} and plain values"
    require(is_packed, path, rule, value)
    known, *plain = value
    if known == "tuple":
        for i, one in enumerate(plain):
            label(one, f"{path}[{i + 1}]", depth + 1)
    else:
        row(*PACKED[CLASSES[known]].rules)(plain, path)


class Packed(NamedTuple):
    """How the instances of a class are packed."""

    dump: Callable  # from an instance to a list of plain data
    rules: list[Callable]  # of its elements
    load: Callable  # from its elements to the instance


def _nested(value, path):
    """Check an end of an interval, which is no interval itself."""
    is_interval = type(value) is list and value[:1] == ["Interval"]
    require(not is_interval, path, "no interval", value)
    label(value, path, MOST_NESTED - 1)


def _with_zone(iso, zone):
    """Return what ISO 8601 says of a time, and of its zone more than the offset."""
    name = zone_name(zone)
    return [iso] if name in (None, "UTC") else [iso, name]


def _in_zone(value, name):
    """Return the same instant in a time zone, or the same time of day."""
    if name is None:
        return value
    if isinstance(value, dt.time):
        return value.replace(tzinfo=zone_named(name))
    if value.tzinfo is None:  # and what was meant would be the machine's own zone
        raise ValueError("a date and time without the offset of its zone")
    return value.astimezone(zone_named(name))


PACKED: dict[type, Packed] = {
    pd.Timestamp: Packed(
        lambda v: [str(v.asm8), v.unit, zone_name(v.tz)],
        [text(DATE_TIME, "a date and time"), UNIT, maybe(ZONE)],
        lambda utc, unit, zone: localize(np.array([utc], f"M8[{unit}]"), zone)[0],
    ),
    pd.Timedelta: Packed(
        lambda v: [v.isoformat(), v.unit],
        [text(DURATION, "a duration"), UNIT],
        lambda iso, unit: pd.Timedelta(iso).as_unit(unit),
    ),
    pd.Interval: Packed(
        lambda v: [_pack(v.left), _pack(v.right), v.closed],
        [_nested, _nested, one_of("left", "right", "both", "neither")],
        lambda left, right, closed: pd.Interval(_unpack(left), _unpack(right), closed),
    ),
    pd.Period: Packed(
        lambda v: [str(v), v.freqstr],
        [text(r"-?\d[\dQ/:. T-]{0,48}", "a period"), FREQUENCY],
        pd.Period,
    ),
    tuple: Packed(
        lambda v: [_pack(x) for x in v],
        [],
        lambda *v: tuple(_unpack(x) for x in v),
    ),
    dt.datetime: Packed(
        lambda v: _with_zone(v.isoformat(), v.tzinfo),
        [text(DATE_TIME + OFFSET, "a date and time"), Optional(ZONE)],
        lambda iso, zone=None: _in_zone(dt.datetime.fromisoformat(iso), zone),
    ),
    dt.date: Packed(
        lambda v: [v.isoformat()],
        [text(r"\d{4}-\d\d-\d\d", "a date")],
        dt.date.fromisoformat,
    ),
    dt.time: Packed(
        lambda v: _with_zone(v.isoformat(), v.tzinfo),
        [text(TIME, "a time of day"), Optional(ZONE)],
        lambda iso, zone=None: _in_zone(dt.time.fromisoformat(iso), zone),
    ),
    dt.timedelta: Packed(
        lambda v: [v.days, v.seconds, v.microseconds],
        [integer(-(10**9) + 1, 10**9 - 1), integer(0, 86_399), integer(0, 999_999)],
        dt.timedelta,
    ),
    Decimal: Packed(lambda v: [str(v)], [text(DECIMAL, "a decimal number")], Decimal),
    Fraction: Packed(lambda v: [str(v)], [text(FRACTION, "a fraction")], Fraction),
    # Not str(v), which a subclass may have another of, as enumerations do.
    str: Packed(lambda v: [str.__str__(v)], [text()], str),
}
CLASSES = {c.__name__: c for c in PACKED}


def labels(value, path):
    """Check that a value is what `pack` returns."""
    if type(value) not in ARRAYS:
        return each(label)(value, path)
    code, unit = (
        value.dtype.kind,
        np.datetime_data(value.dtype)[0] if (value.dtype.kind in "mM") else "s",
    )
    fits = value.ndim == 1 and code in "biufUmM" and value.dtype.isnative
    fits = fits and unit in ("s", "ms", "us", "ns")
    if fits and code == "U" and value.size and value.itemsize:
        points = np.ascontiguousarray(value).view(np.uint32)
        fits = bool(points.max() <= sys.maxunicode)
    require(fits, path, "a list, or a flat array of numbers, texts or times", value)


def pack(values):
    """Return an array as plain data: an array, or a list if it has objects.

    Parameters
    ----------
    values : ndarray
        Objects are None, or of a class in `PACKED`, or bool, int, float or bytes.
    """
    if values.dtype != object:
        return values
    if {str}.issuperset(map(type, values)) and not any(v[-1:] == "\0" for v in values):
        return values.astype(str)  # which would drop a last \0
    return [_pack(value) for value in values]


def unpack(values):
    """Return the array that `pack` was given."""
    if isinstance(values, np.ndarray):
        return values.astype(object) if values.dtype.kind == "U" else values
    return objects([_unpack(value) for value in values])


def _pack(value):
    if isinstance(value, np.generic):
        value = pd.Series([value]).astype(object)[0]
    if value is pd.NaT:  # an instance of datetime, too
        return None
    if value is None or type(value) in (bool, int, float, bytes):
        return value
    for known, packed in PACKED.items():
        if isinstance(value, known):
            return [known.__name__, *packed.dump(value)]
    raise TypeError(
        f"X has a label {quote(value)} of {type(value)}, which no file can hold. "
        "Rename it, for example to a string."
    )


def _unpack(value):
    if not isinstance(value, list):
        return value
    known, *plain = value
    return PACKED[CLASSES[known]].load(*plain)


POINTS = rf"datetime64\[{UNITS}(, ({ZONES}))?\]"
INTERVALS = rf"u?int\d{{1,2}}|float\d{{2}}|{POINTS}|timedelta64\[{UNITS}\]"
PANDAS_NAMES = (
    rf"U?Int(8|16|32|64)|Float(32|64)|boolean|{POINTS}|period\[[\w-]{{1,24}}\]"
    rf"|interval\[({INTERVALS}), (left|right|both|neither)\]"
)
NUMPY_NAMES = (
    r"[<>|=](b1|[iu][1248]|f(2|4|8|12|16)|O|[US]\d{1,5}"
    r"|[mM]8\[([YMWDhms]|ms|us|ns)\])"
)
POLARS_NAMES = {  # with the arguments of each
    **{f"{sign}Int{n}": {} for sign in ("", "U") for n in (8, 16, 32, 64, 128)},
    **{f"Float{n}": {} for n in (16, 32, 64)},
    **{n: {} for n in ("Boolean", "String", "Binary", "Categorical", "Date", "Time")},
    **{n: {} for n in ("Null", "Object")},
    "Datetime": {"time_unit": UNIT, "time_zone": maybe(ZONE)},
    "Duration": {"time_unit": UNIT},
    "Decimal": {"precision": maybe(integer(1, 38)), "scale": integer(0, 38)},
    "Enum": {"categories": labels},
}
STORAGES = "python", "pyarrow", "pyarrow_numpy"  # the last in pandas 2 alone


def _arrow_schema(value, path):
    """Check the bytes of a dtype of pyarrow, and that none of its types runs code."""
    fits = type(value) is bytes and len(value) <= MOST_SCHEMA
    fits = fits and b"ARROW:extension" not in value
    require(fits, path, f"at most {MOST_SCHEMA} bytes, of no extension type", value)


def _of_polars(value, path):
    """Check a dtype of polars."""
    one_of(*POLARS_NAMES)(value["polars"], f"{path}.polars")
    arguments = POLARS_NAMES[value["polars"]]
    record({"polars": text(), **arguments})(value, path)


def _of_categories(value, path):
    """Check a categorical dtype, whose categories are of another one."""
    is_nested = type(value["of"]) is dict and "of" in value["of"]
    require(not is_nested, f"{path}.of", "no categorical dtype", value["of"])
    record({"categories": labels, "of": dtype_rule, "ordered": flag})(value, path)


DTYPES = {  # by the key that tells them apart
    "of": _of_categories,
    "polars": _of_polars,
    "string": record({"string": one_of(*STORAGES), "is_nan": flag}),
    "arrow": record({"arrow": _arrow_schema}),
    "numpy": record({"numpy": text(NUMPY_NAMES, "the name of a dtype of numpy")}),
    "pandas": record({"pandas": text(PANDAS_NAMES, "the name of a dtype of pandas")}),
}


def dtype_rule(value, path):
    """Check that a value is what `dump_dtype` returns."""
    require(type(value) is dict, path, "a dict", value)
    found = [rule for key, rule in DTYPES.items() if key in value]
    require(found, path, f"a dict with one of the keys {', '.join(DTYPES)}", value)
    found[0](value, path)


def dump_dtype(dtype):
    """Return a dtype of numpy, pandas, pyarrow or polars as plain data."""
    if isinstance(dtype, pd.CategoricalDtype):
        of = dtype.categories
        return {
            "categories": pack(of.to_numpy(dtype=object)),
            "of": dump_dtype(of.dtype),
            "ordered": bool(dtype.ordered),
        }
    if isinstance(dtype, pd.StringDtype):
        return {"string": dtype.storage, "is_nan": dtype.na_value is not pd.NA}
    if isinstance(dtype, pd.ArrowDtype):
        if _is_unusable(dtype.pyarrow_dtype):
            raise _no_file_holds(dtype)
        schema = sys.modules["pyarrow"].schema([("", dtype.pyarrow_dtype)])
        return {"arrow": schema.serialize().to_pybytes()}
    if isinstance(dtype, pd.DatetimeTZDtype):
        return {"pandas": f"datetime64[{dtype.unit}, {zone_name(dtype.tz)}]"}
    if isinstance(dtype, np.dtype):
        return {"numpy": dtype.str}
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        if not re.fullmatch(PANDAS_NAMES, str(dtype), re.ASCII):
            raise _no_file_holds(dtype)
        return {"pandas": str(dtype)}
    name = class_name(dtype)
    arguments = [key for key in POLARS_NAMES.get(name, {}) if key != "categories"]
    state = {"polars": name, **{key: getattr(dtype, key) for key in arguments}}
    if name == "Enum":
        state["categories"] = pack(objects(dtype.categories))
    return state


def load_dtype(state):
    """Return the dtype that `dump_dtype` was given, if the state keeps `dtype_rule`."""
    match state:
        case {"categories": categories, "of": of, "ordered": ordered}:
            index = pd.Index(unpack(categories), dtype=load_dtype(of))
            return pd.CategoricalDtype(index, ordered)
        case {"string": storage, "is_nan": is_nan}:
            if is_nan and storage in ("python", "pyarrow"):
                return pd.StringDtype(storage, na_value=np.nan)
            return pd.StringDtype(storage)
        case {"arrow": schema}:
            return pd.ArrowDtype(_load_arrow(schema))
        case {"numpy": name}:
            return np.dtype(name)
        case {"pandas": name}:
            return pd.api.types.pandas_dtype(name)
    import polars as pl

    name = next(name for name in POLARS_NAMES if name == state["polars"])
    arguments = {key: state[key] for key in state if key != "polars"}
    if "categories" in arguments:
        arguments["categories"] = unpack(arguments["categories"]).tolist()
    return getattr(pl, name)(**arguments)


def _load_arrow(schema):
    """Return a type of pyarrow from a schema's bytes."""
    import pyarrow as pa

    found = pa.ipc.read_schema(pa.py_buffer(schema)).field(0).type
    if isinstance(found, pa.BaseExtensionType) or _is_unusable(found):
        raise TypeError("a type that no column of a table of numbers and texts has")
    return found


def _is_unusable(arrow):
    """Return whether pandas cannot take rows of a type of pyarrow, or it is nested."""
    return arrow.num_fields > 0 or str(arrow) in ("string_view", "binary_view")


def _no_file_holds(dtype):
    """Return the error for a dtype that would not be known when a file is loaded."""
    return TypeError(
        f"X has the dtype {dtype}, which no file can hold. Convert it to one of numpy "
        "or pandas."
    )


def class_name(dtype):
    """Return the name of a polars dtype's class."""
    return dtype.base_type().__name__
