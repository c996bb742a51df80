"""Values of a column: where they are missing, and casts between dtypes."""

import datetime as dt
import re
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from skvae._printable import quote


def is_missing(series):
    """Return where a Series has None, NaN, NA or NaT, a mask."""
    if isinstance(series.dtype, np.dtype) and series.dtype.kind == "f":
        return np.isnan(series.to_numpy())
    if series.dtype.kind == "f":  # a nullable dtype may have both NA and NaN
        return np.isnan(series.to_numpy(dtype=np.float64, na_value=np.nan))
    return series.isna().to_numpy(dtype=bool)


def uncategorized(series):
    """Return a categorical Series with dtype object, and any other as it is."""
    is_category = isinstance(series.dtype, pd.CategoricalDtype)
    return series.astype(object) if is_category else series


def cast(values, dtype):
    """Return an array with a dtype of numpy; floats are rounded and clipped to it.

    Values other than floats are cast as numpy does it.
    """
    is_wide = dtype.kind == "f" and np.can_cast(values.dtype, dtype)
    if values.dtype.kind != "f" or dtype.kind not in "iuf" or is_wide:
        return values.astype(dtype)
    values = values.astype(np.float64)
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    low, high = float_within(info.min), float_within(info.max)
    if dtype.kind == "f":
        return np.clip(values, low, high).astype(dtype)
    rounded = np.clip(np.round(values), low, high).astype(dtype)
    rounded[values > high] = info.max  # which may be no float, such as 2**63 - 1
    return rounded


def float_within(limit):
    """Return the float nearest to an integer of those that are not further from 0."""
    nearest = float(limit)
    return nearest if abs(int(nearest)) <= abs(int(limit)) else np.nextafter(nearest, 0)


def to_decimals(values, precision, scale):
    """Return floats as Decimals, clipped to `precision` digits.

    Of the digits, `scale` are after the point.
    """
    # Arithmetic would round to the digits of the caller's context.
    nines = (9,) * precision
    low, high = (Decimal((sign, nines, -scale)) for sign in (1, 0))
    exact = (Decimal(f"{value:.{scale}f}") for value in values.tolist())
    return [min(max(value, low), high) for value in exact]


def localize(values, zone):
    """Return datetime64 in UTC as an Index in a time zone, or timedelta64 as one."""
    if values.dtype.kind == "m":
        return pd.TimedeltaIndex(values)
    index = pd.DatetimeIndex(values)
    return index if zone is None else index.tz_localize("UTC").tz_convert(zone)


def zone_name(zone):
    """Return a name by which pandas knows a time zone, or None if there is none."""
    if zone is None:
        return None
    try:
        pd.DatetimeTZDtype("ns", str(zone))
    except (
        Exception
    ):  # of any class: there is no such name, as for a fixed offset of pytz
        named = re.search(r"/zoneinfo/([\w+/-]+)'", str(zone))  # a file, of dateutil
        if named:
            return zone_name(ZoneInfo(named[1]))
        offset = zone.utcoffset(None)
        return "UTC" if offset is None else str(dt.timezone(offset))
    return str(zone)


def zone_of(dtype):
    """Return the name of the time zone of a dtype of pandas or pyarrow, or None."""
    return zone_name(getattr(getattr(dtype, "pyarrow_dtype", dtype), "tz", None))


def zone_named(name):
    """Return the time zone of a name that `zone_name` returned, None of None."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # an offset, or the local one
        return pd.DatetimeTZDtype("us", name).tz


def objects(values):
    """Return an array of dtype object; sequences in it stay its elements."""
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array


def shorten(values, most):
    """Return the first `most` values as text, and how many more there are."""
    text = ", ".join(map(quote, values[:most]))
    return text if len(values) <= most else f"{text} and {len(values) - most} more"
