"""Values as numpy, pandas and Python have them: which are missing, and casts."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd


def is_missing(series):
    """Where a column has None, NaN, NA or NaT."""
    if series.dtype.kind == "f":  # a nullable one may have NA and NaN
        return np.isnan(series.to_numpy(dtype=np.float64, na_value=np.nan))
    return series.isna().to_numpy(dtype=bool)


def without_category(series):
    is_category = isinstance(series.dtype, pd.CategoricalDtype)
    return series.astype(object) if is_category else series


def cast(values, dtype):
    """Return floats as a dtype of numpy's, rounded and clipped to what that can hold.

    Other values are cast as numpy does.
    """
    if values.dtype.kind != "f" or dtype.kind not in "iuf" or dtype == np.float64:
        return values.astype(dtype)
    values = values.astype(np.float64)
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    low, high = float_within(info.min), float_within(info.max)
    if dtype.kind == "f":
        return np.clip(values, low, high).astype(dtype)
    rounded = np.clip(np.round(values), low, high).astype(dtype)
    rounded[values > high] = info.max  # which a float cannot be
    return rounded


def float_within(limit):
    """Return the float next to a whole number, on the side of 0."""
    nearest = float(limit)
    return nearest if abs(int(nearest)) <= abs(int(limit)) else np.nextafter(nearest, 0)


def to_decimals(values, precision, scale):
    """Return numbers as decimals of so many digits, and so many after the point."""
    most = Decimal(10**precision - 1).scaleb(-scale)
    exact = (Decimal(f"{value:.{scale}f}") for value in values.tolist())
    return [min(max(value, -most), most) for value in exact]


def localize(values, zone):
    """Return datetime64 in UTC as an index of a zone's times, or timedelta64 as one."""
    if values.dtype.kind == "m":
        return pd.TimedeltaIndex(values)
    index = pd.DatetimeIndex(values)
    return index if zone is None else index.tz_localize("UTC").tz_convert(zone)


def zone_name(zone):
    """Return a name that pandas knows a time zone by, or None."""
    if zone is None:
        return None
    try:
        pd.DatetimeTZDtype("ns", str(zone))
    except Exception:  # of any class, and no name: pytz has such fixed offsets
        offset = zone.utcoffset(None)
        return "UTC" if offset is None else str(dt.timezone(offset))
    return str(zone)


def objects(values):
    """Return an array of objects, whatever they are."""
    objects = np.empty(len(values), dtype=object)
    objects[:] = list(values)
    return objects


def shorten(values, most):
    """Return the first of the values as text, and how many more there are."""
    text = ", ".join(map(repr, values[:most]))
    return text if len(values) <= most else f"{text} and {len(values) - most} more"
