"""Labels, categories and dtypes as plain data, which any file can hold, and back.

Plain data are numbers, strings, booleans, None, bytes, their arrays, lists and dicts.
"""

import datetime as dt
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd

from skvae._printable import quote
from skvae._table.values import localize, objects, zone_name

PACKED = {  # class: from an instance to a list of plain data, and from its elements
    pd.Timestamp: (
        lambda v: [str(v.asm8), v.unit, zone_name(v.tz)],
        lambda utc, unit, zone: localize(np.array([utc], f"M8[{unit}]"), zone)[0],
    ),
    pd.Timedelta: (
        lambda v: [v.isoformat(), v.unit],
        lambda iso, unit: pd.Timedelta(iso).as_unit(unit),
    ),
    pd.Interval: (
        lambda v: [_pack(v.left), _pack(v.right), v.closed],
        lambda left, right, closed: pd.Interval(_unpack(left), _unpack(right), closed),
    ),
    pd.Period: (lambda v: [str(v), v.freqstr], pd.Period),
    tuple: (lambda v: [_pack(x) for x in v], lambda *v: tuple(_unpack(x) for x in v)),
    dt.datetime: (lambda v: [v.isoformat()], dt.datetime.fromisoformat),
    dt.date: (lambda v: [v.isoformat()], dt.date.fromisoformat),
    dt.time: (lambda v: [v.isoformat()], dt.time.fromisoformat),
    dt.timedelta: (lambda v: [v.days, v.seconds, v.microseconds], dt.timedelta),
    Decimal: (lambda v: [str(v)], Decimal),
    Fraction: (lambda v: [str(v)], Fraction),
    str: (lambda v: [str(v)], str),
}
CLASSES = {c.__name__: c for c in PACKED}


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
    if value is None or type(value) in (bool, int, float, bytes):
        return value
    for known, (to_plain, _) in PACKED.items():
        if isinstance(value, known):
            return [known.__name__, *to_plain(value)]
    raise TypeError(
        f"X has a label {quote(value)} of {type(value)}, which no file can hold. "
        "Rename it, for example to a string."
    )


def _unpack(value):
    if not isinstance(value, list):
        return value
    known, *plain = value
    return PACKED[CLASSES[known]][1](*plain)


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
        schema = sys.modules["pyarrow"].schema([("", dtype.pyarrow_dtype)])
        return {"arrow": schema.serialize().to_pybytes()}
    if isinstance(dtype, pd.DatetimeTZDtype):
        return {"pandas": f"datetime64[{dtype.unit}, {zone_name(dtype.tz)}]"}
    if isinstance(dtype, np.dtype):
        return {"numpy": dtype.str}
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        return {"pandas": str(dtype)}
    state = {"polars": class_name(dtype)}
    for argument in "time_unit", "time_zone", "precision", "scale":
        if hasattr(dtype, argument):
            state[argument] = getattr(dtype, argument)
    if class_name(dtype) == "Enum":
        state["categories"] = pack(objects(dtype.categories))
    return state


def load_dtype(state):
    """Return the dtype that `dump_dtype` was given."""
    match state:
        case {"categories": categories, "of": of, "ordered": ordered}:
            index = pd.Index(unpack(categories), dtype=load_dtype(of))
            return pd.CategoricalDtype(index, ordered)
        case {"string": storage, "is_nan": is_nan}:
            if is_nan and storage in ("python", "pyarrow"):
                return pd.StringDtype(storage, na_value=np.nan)
            return pd.StringDtype(storage)
        case {"arrow": schema}:
            import pyarrow as pa

            return pd.ArrowDtype(pa.ipc.read_schema(pa.py_buffer(schema)).field(0).type)
        case {"numpy": name}:
            return np.dtype(name)
        case {"pandas": name}:
            return pd.api.types.pandas_dtype(name)
    import polars as pl

    arguments = {key: state[key] for key in state if key != "polars"}
    if "categories" in arguments:
        arguments["categories"] = unpack(arguments["categories"]).tolist()
    return getattr(pl, state["polars"])(**arguments)


def class_name(dtype):
    """Return the name of a polars dtype's class."""
    return dtype.base_type().__name__
