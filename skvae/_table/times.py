"""Columns of times: datetimes, dates, timedeltas and times of day, as whole ticks."""

import datetime as dt

import numpy as np
import pandas as pd

from skvae._printable import quote
from skvae._rules import both, integer, maybe, one_of, record, require
from skvae._table.kinds import TIMES, all_are, classes_of, kind_of, misfit
from skvae._table.plain import ZONE
from skvae._table.values import (
    float_within,
    is_missing,
    localize,
    objects,
    uncategorized,
    zone_name,
    zone_named,
    zone_of,
)

# What the values of a column are, as artefacts have it, and as errors call them.
NAIVE, AWARE = "times without a time zone", "times of a time zone"
TIMEDELTAS = "durations"
IN_ERRORS = {
    NAIVE: "datetimes without a time zone",
    AWARE: "datetimes with a time zone",
    TIMEDELTAS: "timedeltas",
}
ENTRIES = "Timestamp", "datetime", "date", "Timedelta", "timedelta", "time"
MIDNIGHT = dt.datetime.min  # of any day
TICKS = {  # units of numpy, longest first: their lengths in nanoseconds
    "D": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}


INSTANT = integer(-(2**63), 2**63 - 1)


def _limits_in_order(value, path):
    """Check that a time's origin lies within its limits."""
    ordered = value["low"] <= value["origin"] <= value["high"]
    rule = f"from low={value['low']} to high={value['high']}"
    require(ordered, f"{path}.origin", rule, value["origin"])


class TimeColumn:
    """A column of datetimes, whose codes are ticks since the first; or of timedeltas.

    A tick is a day, an hour, a minute, ... or a nanosecond: the longest of which all
    values in fit are multiples. So times come back as rounded as they were. The codes
    are exact, as float64, for nanoseconds within a hundred days of the first value, and
    for seconds within any time. Of timedeltas the codes are ticks since the shortest.
    Dates are datetimes at midnight, times of day are timedeltas since midnight.

    Parameters
    ----------
    what : {"times without a time zone", "times of a time zone", "durations"}
        What the values are, in the words of artefacts: datetimes or timedeltas.
    tick : str
        One of the units in `TICKS`.
    origin : int
        The least value in fit, in ticks; those of a datetime are since 1970.
    low, high : int
        The limits of the values that `from_codes` returns, in the same ticks.
    entry : str
        The class of the entries, if the column comes back with dtype object.
    zone : str or None
        The time zone of those entries.
    """

    kinds = ("time",)
    likelihood, n_categories = "gaussian", 0
    rule = both(
        record(
            {
                "what": one_of(*IN_ERRORS),
                "tick": one_of(*TICKS),
                "origin": INSTANT,
                "low": INSTANT,
                "high": INSTANT,
                "entry": one_of(*ENTRIES),
                "zone": maybe(ZONE),
            }
        ),
        _limits_in_order,
    )

    def __init__(self, what, tick, origin, low, high, entry, zone):
        self.what, self.tick, self.entry, self.zone = what, tick, entry, zone
        self.origin, self.low, self.high = origin, low, high
        self.is_aware = what == AWARE

    @staticmethod
    def fit(observed, name):
        """Return the arguments of the class for a column with these values."""
        times, what = read_times(observed, name)
        unit = np.datetime_data(times.dtype)[0]
        instants, length = times.view(np.int64), TICKS[unit]
        whole = (t for t in TICKS if TICKS[t] % length == 0)
        tick = next(t for t in whole if not (instants % (TICKS[t] // length)).any())
        first, last = int(instants.min()), int(instants.max())
        entry, zone = _entry_and_zone(observed)
        low, high = _limits(unit, what, entry)
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

    def to_codes(self, series, name):  # (n,) -> (n,), []
        """Return ticks, NaN where missing, and no unseen values."""
        series, missing = uncategorized(series), is_missing(series)
        codes = np.full(len(series), np.nan)
        if missing.all():
            return codes, []
        observed = series[~missing]
        if kind_of(observed, name) != "time":
            raise misfit(observed, name, IN_ERRORS[self.what], TIMES)
        times, what = read_times(observed, name)
        if what != self.what:
            raise ValueError(
                f"Input X contains {quote(observed.iloc[0])} in {name}, which held "
                f"{IN_ERRORS[self.what]} in fit, and now holds {IN_ERRORS[what]}. "
                "Convert it, for example with pandas' dt.tz_localize."
            )
        codes[~missing] = self._since_origin(times)
        return codes, []

    def from_codes(self, codes):  # (n,) -> (n,), None
        """Return one value for each row, as datetime64 in UTC or as timedelta64."""
        low, high = self.low - self.origin, self.high - self.origin
        ticks = np.clip(
            np.round(codes.astype(np.float64)), float_within(low), float_within(high)
        )
        half = np.floor(ticks / 2)  # ticks may be too long for int64, their half is not
        rest = (ticks - 2 * half).astype(np.int64)
        half = half.astype(np.int64)
        instants = self.origin + half + half + rest
        kind = "m8" if self.what == TIMEDELTAS else "M8"
        return instants.view(f"{kind}[{self.tick}]"), None

    def to_objects(self, values):
        """Return the values as an array of Python objects."""
        if self.entry == "date":
            return values.astype("M8[D]").astype(object)
        if self.entry in ("timedelta", "time"):
            values = values.astype("m8[us]").astype(object)
            if self.entry == "time":
                zone = zone_named(self.zone)
                values = [(MIDNIGHT + v).time().replace(tzinfo=zone) for v in values]
            return objects(values)
        values = localize(values, self.zone)
        if self.entry == "datetime":
            return objects(values.to_pydatetime())
        return objects(values)

    def _since_origin(self, times):
        """Return times as ticks since the origin, rounded once.

        The differences may be more than an int64 can hold, so they are floats.
        """
        instants, length = times.view(np.int64), TICKS[np.datetime_data(times.dtype)[0]]
        if length >= TICKS[self.tick]:
            ratio = length // TICKS[self.tick]
            origin, rest = divmod(self.origin, ratio)
            return _difference(instants, origin) * ratio - rest
        ratio = TICKS[self.tick] // length
        ticks, rest = np.divmod(instants, ratio)
        return _difference(ticks, self.origin) + rest / ratio


def read_times(observed, name):
    """Return times as datetime64 in UTC or timedelta64, and which of them they are.

    Parameters
    ----------
    observed : Series
        Of kind "time", without missing values.
    name : str
        What errors call the column.

    Returns
    -------
    times : ndarray
    what : {"times without a time zone", "times of a time zone", "durations"}
    """
    dtype = observed.dtype
    if dtype.kind == "O":
        return _read_time_objects(observed, name)
    if isinstance(dtype, pd.ArrowDtype):
        unit = getattr(dtype.pyarrow_dtype, "unit", "s")  # pyarrow's dates have none
        zone = getattr(dtype.pyarrow_dtype, "tz", None)
        long = "timedelta64" if dtype.kind == "m" else "datetime64"
        dtype = f"{long}[{unit}]" if zone is None else f"{long}[{unit}, {zone}]"
        observed = observed.astype(dtype)
    if observed.dtype.kind == "m":
        index = pd.TimedeltaIndex(observed)
        return index.asi8.view(f"m8[{index.unit}]"), TIMEDELTAS
    index = pd.DatetimeIndex(observed)
    return index.asi8.view(f"M8[{index.unit}]"), _what(index.tz)


def _read_time_objects(observed, name):
    """Do the same for a column of dtype object."""
    indices, values = pd.factorize(observed.to_numpy(dtype=object))
    if all_are(observed, dt.time):
        # By identity, as some cannot be hashed; of all, as 9:00 equals 9:00 of a zone.
        zones = {id(v.tzinfo): v.tzinfo for v in observed}
        if len({zone_name(zone) for zone in zones.values()}) > 1:
            raise ValueError(
                f"Input X mixes times of day of different time zones in {name}, which "
                "cannot be told from each other without a date. Make it one column of "
                "each."
            )
        days = [dt.datetime.combine(MIDNIGHT, v.replace(tzinfo=None)) for v in values]
        times, what = np.array(days, "M8[us]") - np.datetime64(MIDNIGHT), {TIMEDELTAS}
    elif all_are(observed, (dt.timedelta, np.timedelta64)):
        times, what = np.array([pd.Timedelta(v).asm8 for v in values]), {TIMEDELTAS}
    elif all_are(observed, (dt.date, np.datetime64)):
        stamps = [pd.Timestamp(value) for value in values]
        times, what = np.array([s.asm8 for s in stamps]), {_what(s.tz) for s in stamps}
    else:
        raise ValueError(
            f"Input X mixes times of day, datetimes and timedeltas in {name}. Make it "
            "one column of each, or drop it."
        )
    if len(what) > 1:
        raise ValueError(
            f"Input X mixes datetimes with and without a time zone in {name}. Convert "
            "them, for example with pandas' to_datetime(..., utc=True)."
        )
    return times[indices], what.pop()


def _what(zone):
    return NAIVE if zone is None else AWARE


def _entry_and_zone(observed):
    """Return the name of the entries' class, and the name of their time zone."""
    if observed.dtype.kind != "O":
        return "Timestamp", zone_of(observed.dtype)
    zones = [getattr(value, "tzinfo", None) for value in observed]
    # By identity, as dateutil's cannot be hashed.
    names = {zone_name(zone) for zone in {id(zone): zone for zone in zones}.values()}
    zone = names.pop() if len(names) == 1 else "UTC"
    for known in dt.time, pd.Timestamp, dt.datetime, pd.Timedelta, dt.timedelta:
        if all_are(observed, known):
            return known.__name__, zone
    return "date" if _are_dates(observed) else "Timestamp", zone


def _are_dates(observed):
    """Return whether all entries are dates and none a datetime, a subclass of date."""
    classes = classes_of(observed)
    return all(issubclass(c, dt.date) > issubclass(c, dt.datetime) for c in classes)


def _limits(unit, what, entry):
    """Return the least and the greatest value that Python and the unit can hold."""
    if entry == "time":
        return 0, TICKS["D"] // TICKS[unit] - 1
    if what == TIMEDELTAS:
        most = min(2**62, 10**8 * TICKS["D"] // TICKS[unit])
        return -most, most
    days = (
        ("1678", "2262") if unit == "ns" else ("0001-01-02", "9999")
    )  # in any time zone
    return tuple(np.array(days, dtype=f"M8[{unit}]").view(np.int64).tolist())


def _difference(instants, origin):
    """Return ``instants - origin`` as floats, also where an int64 would overflow."""
    low, high = instants & 0xFFFFFFFF, instants >> 32
    return (high - (origin >> 32)) * 2.0**32 + (low - (origin & 0xFFFFFFFF))
