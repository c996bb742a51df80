"""One column to floats and back: numbers, times since the first, codes of levels.

A column is a pandas Series of any dtype, whatever table it comes from. The way back
ends with `values`, a numpy array of floats, of datetime64 in UTC, of timedelta64 or of
levels; `_containers.py` gives them the dtype that the table had. What is learnt of a
column is a dict of numbers, strings, lists and arrays, which any file can hold.
"""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd

from skvae._table.plain import localize, objects, pack, unpack, zone_name

MOST_TEXTS, MOST_DISTINCT = 30, 0.5  # distinct: so many, or this share of the rows
MIDNIGHT = dt.datetime.min  # of any day
TICKS = {  # in nanoseconds
    "D": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
INTEGERS = int, np.integer
NUMBERS = *INTEGERS, float, np.floating, Decimal, Fraction
TIMES = dt.date, np.datetime64, dt.timedelta, np.timedelta64, dt.time
BOOLEANS = bool, np.bool_
LEVELS = str, bytes, *BOOLEANS, *NUMBERS, *TIMES


def fit_column(series, name, is_chosen=False, may_choose="list it"):
    """Return what a column is.

    Parameters
    ----------
    series : Series
    name : str
        How errors call the column.
    is_chosen : bool
        Whether its values are levels, whatever the dtype.
    may_choose : str
        How the user has a column's values taken for levels.

    Returns
    -------
    dict
        To make a `Numbers`, `Times` or `Levels` of, by `make_column`.
    """
    observed = series[~is_missing(series)]
    if not len(observed):
        raise ValueError(
            f"Input X contains nothing but missing values in {name}: there is nothing "
            "to learn. Drop the column."
        )
    kind = _kind(observed, name)
    if kind == "number" and not is_chosen:
        return {"kind": "numbers"} | _number_entries(observed)
    if kind == "time" and not is_chosen:
        return {"kind": "times"} | _fit_times(observed, name)
    levels = _factorize(observed)[1]
    if not isinstance(series.dtype, pd.CategoricalDtype):
        levels = _sort(levels)
    n, n_levels = len(observed), len(levels)
    most = max(MOST_TEXTS, MOST_DISTINCT * n)
    if kind == "text" and not is_chosen and n_levels > most:
        raise ValueError(
            f"{name[0].upper()}{name[1:]} of X has {n_levels} different texts in {n} "
            f"rows, such as {levels[0]!r}; text of more than {most:.0f} is no category "
            f"but a name or a remark. Drop the column, or {may_choose} to have it all "
            "the same."
        )
    return {"kind": "levels", "levels": pack(levels)}


def make_column(kind, **state):
    """Return the column that `fit_column` found."""
    return {"numbers": Numbers, "times": Times, "levels": Levels}[kind](**state)


class Numbers:
    """Numbers as they are.

    Parameters
    ----------
    entry : {"int", "float", "Decimal"}
        What the entries of an object column are.
    decimals : int
        How many a Decimal has.
    """

    n_levels = 0

    def __init__(self, entry, decimals):
        self.entry, self.decimals = entry, decimals

    def encode(self, series, name):  # (n,) -> (n,), and no unseen values
        """Return floats; NaN where missing."""
        series, missing = _without_category(series), is_missing(series)
        if missing.all():
            return np.full(len(series), np.nan), []
        observed = series[~missing]
        is_number = _kind(observed, name) in ("number", "boolean")
        if not is_number and not _are(observed, (*NUMBERS, *BOOLEANS)):
            raise _misfit(observed, name, "numbers", NUMBERS)
        return _floats(series, missing), []

    def decode(self, codes):  # (n,) -> (n,), and no places
        """Return numbers, which the dtype may still round."""
        return codes, None

    def entries(self, values):
        """Return the values as Python has them."""
        if self.entry == "int":
            values = [round(value) for value in values.tolist()]
        if self.entry == "Decimal":
            values = [Decimal(f"{v:.{self.decimals}f}") for v in values.tolist()]
        return values.astype(object) if self.entry == "float" else objects(values)


class Times:
    """Ticks since the first instant, or of a duration since the shortest.

    A tick is a day, hour, minute, second ... or nanosecond: the longest of which all
    that fit saw are multiples. So nanoseconds are exact over a hundred days, seconds
    for ever, and times come back as rounded as they were.

    Parameters
    ----------
    what : {"times without a time zone", "times of a time zone", "durations"}
    tick : str
        Of `TICKS`.
    origin, low, high : int
        The first, the earliest and the latest that can be, in ticks since 1970.
    entry : str
        What the entries of an object column are.
    zone : str or None
        Where those are.
    """

    n_levels = 0

    def __init__(self, what, tick, origin, low, high, entry, zone):
        self.what, self.tick, self.entry, self.zone = what, tick, entry, zone
        self.origin, self.low, self.high = origin, low, high

    def encode(self, series, name):  # (n,) -> (n,), and no unseen values
        """Return ticks; NaN where missing."""
        series, missing = _without_category(series), is_missing(series)
        codes = np.full(len(series), np.nan)
        if missing.all():
            return codes, []
        observed = series[~missing]
        if _kind(observed, name) != "time":
            raise _misfit(observed, name, self.what, TIMES)
        times, what = _read_times(observed, name)
        if what != self.what:
            raise ValueError(
                f"Input X contains {observed.iloc[0]!r} in {name}, which held "
                f"{self.what} in fit, and now holds {what}. Convert it, for example "
                "with pandas' dt.tz_localize."
            )
        codes[~missing] = self._since_origin(times)
        return codes, []

    def _since_origin(self, times):
        """Return ticks, of any size and rounded once: longer than int64 can hold."""
        instants, length = times.view(np.int64), TICKS[np.datetime_data(times.dtype)[0]]
        if length >= TICKS[self.tick]:
            ratio = length // TICKS[self.tick]
            origin, rest = divmod(self.origin, ratio)
            return _difference(instants, origin) * ratio - rest
        ratio = TICKS[self.tick] // length
        ticks, rest = np.divmod(instants, ratio)
        return _difference(ticks, self.origin) + rest / ratio

    def decode(self, codes):  # (n,) -> (n,), and no places
        """Return datetime64 in UTC, or timedelta64."""
        low, high = self.low - self.origin, self.high - self.origin
        ticks = np.clip(np.round(codes.astype(np.float64)), _float(low), _float(high))
        half = np.floor(ticks / 2)  # ticks may be too long for int64, their half is not
        rest = (ticks - 2 * half).astype(np.int64)
        half = half.astype(np.int64)
        instants = self.origin + half + half + rest
        kind = "m8" if self.what == "durations" else "M8"
        return instants.view(f"{kind}[{self.tick}]"), None

    def entries(self, values):
        """Return the values as Python has them."""
        if self.entry == "date":
            return values.astype("M8[D]").astype(object)
        if self.entry in ("timedelta", "time"):
            values = values.astype("m8[us]").astype(object)
            if self.entry == "time":
                values = [(MIDNIGHT + value).time() for value in values]
            return objects(values)
        values = localize(values, self.zone)
        if self.entry == "datetime":
            return objects(values.to_pydatetime())
        return objects(values)


class Levels:
    """Codes of the distinct values that fit saw, in their order.

    Parameters
    ----------
    levels : ndarray of shape (n_levels,), or list
        As `pack` returns them.
    """

    def __init__(self, levels):
        self.levels = unpack(levels)
        self.n_levels = len(self.levels)

    def encode(self, series, name):  # (n,) -> (n,), and the unseen values
        """Return codes; NaN where missing or unseen."""
        observed = ~is_missing(series)
        codes = np.full(len(series), np.nan)
        if not observed.any():
            return codes, []
        _kind(series[observed], name)
        places, distinct = _factorize(series[observed])
        # As objects True is 1 and 1.0, which it is not to an Index of a dtype.
        distinct, levels = _hashable(distinct), _hashable(self.levels)
        code_of = levels.get_indexer(distinct)
        codes[observed] = np.where(code_of < 0, np.nan, code_of)[places]
        return codes, list(distinct[code_of < 0])

    def decode(self, codes):  # (n,) -> (n_levels,), (n,)
        """Return the levels, and where each row's stands."""
        return self.levels, np.round(codes).astype(np.intp)

    def entries(self, values):
        """Return the values as Python has them."""
        return objects(_hashable(values))


def is_missing(series):
    """Where a column has None, NaN, NA or NaT."""
    if series.dtype.kind == "f":  # a nullable one may have NA and NaN
        return np.isnan(series.to_numpy(dtype=np.float64, na_value=np.nan))
    return series.isna().to_numpy(dtype=bool)


def cast(values, dtype):
    """Return floats as a dtype of numpy's, rounded and clipped to what that can hold.

    Other values are cast as numpy does.
    """
    if values.dtype.kind != "f" or dtype.kind not in "iuf" or dtype == np.float64:
        return values.astype(dtype)
    values = values.astype(np.float64)
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    low, high = _float(info.min), _float(info.max)
    if dtype.kind == "f":
        return np.clip(values, low, high).astype(dtype)
    rounded = np.clip(np.round(values), low, high).astype(dtype)
    rounded[values > high] = info.max  # which a float cannot be
    return rounded


def _without_category(series):
    is_category = isinstance(series.dtype, pd.CategoricalDtype)
    return series.astype(object) if is_category else series


def _kind(observed, name):
    """Return "number", "time", "boolean", "text" or "category", or raise."""
    dtype = observed.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if isinstance(dtype, pd.PeriodDtype | pd.IntervalDtype):
        raise ValueError(
            f"Input X contains {observed.iloc[0]!r} in {name}, of dtype {dtype}; "
            "a column must be of numbers, times, truth values or text. Take its start, "
            "or make it a category, or drop the column."
        )
    if dtype.kind == "c":
        raise _complex(observed.iloc[0], name)
    if dtype.kind in "iufbmM":
        return {"b": "boolean", "m": "time", "M": "time"}.get(dtype.kind, "number")
    if str(dtype).startswith("dictionary<"):  # as pyarrow calls categories
        return "category"
    return "text" if isinstance(dtype, pd.StringDtype) else _kind_of(observed, name)


def _kind_of(observed, name):
    """Return the kind of a column of objects."""
    if _are(observed, BOOLEANS):
        return "boolean"
    for kind, known in (("number", NUMBERS), ("time", TIMES)):
        if _are(observed, known) and bool not in _classes(observed):
            return kind
    if _are(observed, LEVELS):
        return "text"
    value = next(value for value in observed if not isinstance(value, LEVELS))
    if isinstance(value, complex | np.complexfloating):
        raise _complex(value, name)
    raise TypeError(
        f"Input X contains {value!r} in {name}: the X argument must be a table whose "
        "entries are each a string, a time, a truth value or a number. Drop the "
        "column, or make columns of what it contains."
    )


def _are(observed, classes):
    """Whether all entries are of these classes."""
    return all(issubclass(c, classes) for c in _classes(observed))


def _are_dates(observed):
    """Whether all entries are dates, none a datetime, which is a date to Python."""
    classes = _classes(observed)
    return all(issubclass(c, dt.date) > issubclass(c, dt.datetime) for c in classes)


def _classes(observed):
    return set(map(type, observed.to_numpy(dtype=object)))


def _complex(value, name):
    return ValueError(
        f"Complex data not supported: input X contains {value!r} in {name}. Take its "
        "real and imaginary part as two columns, or drop it."
    )


def _misfit(observed, name, what, classes):
    """Return the error for a column that is no longer what fit saw."""
    wrong = (value for value in observed if not isinstance(value, classes))
    value = next(wrong, observed.iloc[0])
    return ValueError(
        f"Input X contains {value!r} in {name}, which held {what} in fit and must "
        "again. Convert the column, or fit anew."
    )


def _floats(series, missing):
    """Return numbers as floats, float32 if they are."""
    dtype = series.dtype
    if dtype == np.float32:
        return series.to_numpy()
    is_single = dtype.kind == "f" and getattr(dtype, "numpy_dtype", None) == np.float32
    if dtype.kind in "iufb":
        to = np.float32 if is_single else np.float64
        return series.to_numpy(dtype=to, na_value=np.nan)
    floats = np.full(len(series), np.nan)
    floats[~missing] = series[~missing].to_numpy(dtype=object).astype(np.float64)
    return floats


def _number_entries(observed):
    """Return what Python calls the numbers, and how many decimals they have."""
    is_object = observed.dtype.kind == "O"
    if observed.dtype.kind in "iu" or (is_object and _are(observed, INTEGERS)):
        return {"entry": "int", "decimals": 0}
    if not is_object or not _are(observed, Decimal):
        return {"entry": "float", "decimals": 0}
    exponents = [v.as_tuple().exponent for v in observed if v.is_finite()]
    return {"entry": "Decimal", "decimals": max(0, -min(exponents, default=0))}


def _fit_times(observed, name):
    """Return the arguments of a `Times`."""
    times, what = _read_times(observed, name)
    unit = np.datetime_data(times.dtype)[0]
    instants, length = times.view(np.int64), TICKS[unit]
    whole = (t for t in TICKS if TICKS[t] % length == 0)
    tick = next(t for t in whole if not (instants % (TICKS[t] // length)).any())
    first, last = int(instants.min()), int(instants.max())
    entry, zone = _time_entries(observed)
    low, high = _reach(unit, what, entry)
    ratio = TICKS[tick] // length
    return {
        "what": what,
        "tick": tick,
        "origin": first // ratio,
        "low": min(first, low) // ratio,
        "high": max(last, high) // ratio,
        "entry": entry,
        "zone": zone,
    }


def _reach(unit, what, entry):
    """Return the earliest and the latest time that a column may hold."""
    if entry == "time":
        return 0, TICKS["D"] // TICKS[unit] - 1
    if what == "durations":
        most = min(2**62, 10**8 * TICKS["D"] // TICKS[unit])
        return -most, most
    days = ("1678", "2262") if unit == "ns" else ("0001-01-02", "9999")  # in any zone
    return tuple(np.array(days, dtype=f"M8[{unit}]").view(np.int64).tolist())


def _read_times(observed, name):
    """Return datetime64 in UTC or timedelta64, and which of them they are."""
    dtype = observed.dtype
    if dtype.kind == "O":
        return _read_time_objects(observed, name)
    if isinstance(dtype, pd.ArrowDtype):
        unit = getattr(dtype.pyarrow_dtype, "unit", "s")  # which days have not
        zone = getattr(dtype.pyarrow_dtype, "tz", None)
        long = "timedelta64" if dtype.kind == "m" else "datetime64"
        dtype = f"{long}[{unit}]" if zone is None else f"{long}[{unit}, {zone}]"
        observed = observed.astype(dtype)
    if observed.dtype.kind == "m":
        index = pd.TimedeltaIndex(observed)
        return index.asi8.view(f"m8[{index.unit}]"), "durations"
    index = pd.DatetimeIndex(observed)
    return index.asi8.view(f"M8[{index.unit}]"), _what(index.tz)


def _what(zone):
    return "times without a time zone" if zone is None else "times of a time zone"


def _read_time_objects(observed, name):
    places, values = pd.factorize(observed.to_numpy(dtype=object))
    if _are(observed, dt.time):
        days = [dt.datetime.combine(MIDNIGHT, v.replace(tzinfo=None)) for v in values]
        times, what = np.array(days, "M8[us]") - np.datetime64(MIDNIGHT), {"durations"}
    elif _are(observed, (dt.timedelta, np.timedelta64)):
        times, what = np.array([pd.Timedelta(v).asm8 for v in values]), {"durations"}
    elif _are(observed, (dt.date, np.datetime64)):
        stamps = [pd.Timestamp(value) for value in values]
        times, what = np.array([s.asm8 for s in stamps]), {_what(s.tz) for s in stamps}
    else:
        raise ValueError(
            f"Input X mixes times of a day, dates and durations in {name}. Make it one "
            "column of each, or drop it."
        )
    if len(what) > 1:
        raise ValueError(
            f"Input X mixes times with and without a time zone in {name}. Convert "
            "them, for example with pandas' to_datetime(..., utc=True)."
        )
    return times[places], what.pop()


def _time_entries(observed):
    """Return what Python calls the times, and their zone."""
    dtype = getattr(observed.dtype, "pyarrow_dtype", observed.dtype)
    if observed.dtype.kind != "O":
        return "Timestamp", zone_name(getattr(dtype, "tz", None))
    zones = {getattr(value, "tzinfo", None) for value in observed}
    zone = zone_name(zones.pop()) if len(zones) == 1 else "UTC"
    for known in dt.time, pd.Timestamp, dt.datetime, pd.Timedelta, dt.timedelta:
        if _are(observed, known):
            return known.__name__, zone
    return "date" if _are_dates(observed) else "Timestamp", zone


def _difference(instants, origin):
    """Return ``instants - origin`` in floats, where int64 might be too short."""
    low, high = instants & 0xFFFFFFFF, instants >> 32
    return (high - (origin >> 32)) * 2.0**32 + (low - (origin & 0xFFFFFFFF))


def _float(limit):
    """Return the float next to a whole number, on the side of 0."""
    nearest = float(limit)
    return nearest if abs(int(nearest)) <= abs(int(limit)) else np.nextafter(nearest, 0)


def _factorize(observed):
    """Return the index of each row's level, and the levels, categories in order."""
    if isinstance(observed.dtype, pd.CategoricalDtype):
        seen, codes = np.unique(observed.cat.codes, return_inverse=True)
        return codes, _plain(observed.cat.categories[seen].to_series())
    # Of a Series of objects, pandas 2 would make the levels datetime64 where it can.
    is_numpy = isinstance(observed.dtype, np.dtype)
    codes, levels = pd.factorize(observed.to_numpy() if is_numpy else observed.array)
    return codes, _plain(pd.Series(levels, dtype=levels.dtype))


def _sort(levels):
    if levels.dtype != object:
        return np.sort(levels)
    return objects(sorted(levels, key=_sort_key))


def _sort_key(value):
    """Compare what Python does not, by the names of the classes."""
    if isinstance(value, NUMBERS):
        return "number", value
    if isinstance(value, dt.datetime):
        return f"datetime {value.tzinfo is not None}", value
    return type(value).__name__, value


def _plain(distinct):
    """Return values without missing ones as an array of numpy's."""
    dtype = distinct.dtype
    if dtype.kind in "mM":
        return _read_times(distinct, "")[0]
    if dtype.kind in "iufb":
        return distinct.to_numpy(dtype=getattr(dtype, "numpy_dtype", dtype))
    return distinct.to_numpy(dtype=object)


def _hashable(values):
    """Return an index of objects, of Timestamps for datetime64."""
    dtype = object if values.dtype == object else None  # else pandas 2 may find dates
    return pd.Index(pd.Series(values, dtype=dtype).astype(object), dtype=object)
