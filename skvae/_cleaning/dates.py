"""Text that stands for dates: how a column writes them."""

import datetime as dt
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

N_TRIED = 100  # distinct texts whose possible formats are tried
NAME = r"[A-Za-z]{3,9}\.?"
DATE = re.compile(
    rf"(?P<weekday>[A-Za-z]{{3,9}},? )?"
    rf"(?:(?P<a>\d{{1,4}})(?P<s>[-/. ]|\. )(?P<b>\d{{1,2}}|{NAME})"
    rf"(?P<t>[-/. ]|\. |, )(?P<c>\d{{1,4}})"
    rf"|(?P<name>{NAME}) (?P<day>\d{{1,2}})(?P<u>,? )(?P<year>\d{{4}})"
    rf"|(?P<d>\d{{1,2}})(?P<m>[A-Za-z]{{3}})(?P<y>\d{{2,4}}))",
    re.ASCII,  # digits, as these are written
)
TIME = re.compile(
    r"(?P<gap>[T ]|, )(?P<hour>\d{1,2}):\d\d"
    r"(?P<seconds>:\d\d(?P<fraction>[.,]\d{1,9})?)?"
    r"(?P<half> ?[AaPp][Mm])?(?P<zone> ?(?:Z|UTC|[+-]\d\d(?::?\d\d)?))?",
    re.ASCII,
)
LOOSE = re.compile(
    r"\d{4}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}.*|\d{1,2}:\d\d(:\d\d)?.*"
    r"|.*\d{1,2}.*(19|20)\d\d.*"
)
DIGITS = {6: "%Y%m", 8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
PLAUSIBLE_YEARS = 1900, 2100  # of dates that are written as one number
FEWEST = 3  # different numbers that must all be dates, to be taken for such
# Dates that stand for none, as databases have them: the first and the last days of such
# years, and the first of Unix. Not all of these years are within pandas' nanoseconds.
EARLY, LATE, EPOCH = 1901, 2099, np.datetime64("1970-01-01")
MOST_PLACEHOLDERS = 4  # in a column; more are a list of years
PLACEHOLDER = re.compile(r"(?<!\d)(?:0001|2999|3000|9999)(?!\d)")
PLACEHOLDER_DIGITS = re.compile(r"(\d)\1*|\d{4}(?:0101|123[01])(?:0+|2359(?:59)?)?")


@dataclass
class DateFormat:
    """How a column of text, or of whole numbers such as 20210325, writes its dates.

    Attributes
    ----------
    form : str
        The format, as `strftime` has it.

    iso : bool
        Whether the texts are as ISO 8601 has it, with or without a time of day.

    padded : bool
        Whether days, months and hours below ten have two digits.

    digits : int
        How many digits the fraction of a second has.

    zone : str
        The zone of most texts, such as ``Z`` or ``+02:00``.

    case : {"", "upper", "lower"}
        How names of months, and AM and PM, are written.

    numbers : bool
        Whether dates are numbers.
    """

    form: str
    iso: bool = False
    padded: bool = True
    digits: int = 0
    zone: str = ""
    case: str = ""
    numbers: bool = False

    kind = "datetime"

    @property
    def is_digits(self):
        """Whether the dates are digits alone, so that numbers can be dates, too."""
        return self.form in DIGITS.values()

    def parse(self, texts):
        """Return the dates that texts, or numbers, stand for, NaT where one is none."""
        if pd.api.types.is_numeric_dtype(texts.infer_objects()):
            texts = _as_digits(texts)
        codes, distinct = pd.factorize(texts.to_numpy(object))
        distinct = pd.Series(distinct, dtype=object)
        dates = _parse(distinct, self.form, self.iso, bool(self.zone))
        return dates.iloc[codes].set_axis(texts.index)

    def write(self, dates):
        """Return dates as this column writes them."""
        if self.zone:
            dates = dates.dt.tz_convert(_offset(self.zone))
        form = self.form if self.padded else _unpadded(self.form)
        if self.digits:
            dates = dates.dt.floor(f"{10 ** (9 - self.digits)}ns")
        texts = [self._write(date, form) for date in dates]
        if self.numbers:
            return pd.Series([int(text) for text in texts], dates.index)
        return pd.Series(texts, dates.index, object)

    def describe(self):
        """Return how dates are written, unless as ISO 8601 has it."""
        return "" if self.iso else f"dates written {self.form}"

    def _write(self, date, form):
        for directive, value in (
            ("%f", f"{date.nanosecond + 1000 * date.microsecond:09d}"[: self.digits]),
            ("%-d", str(date.day)),
            ("%-m", str(date.month)),
            ("%-H", str(date.hour)),
            ("%-I", str((date.hour + 11) % 12 + 1)),
            ("%z", self.zone),
        ):
            form = form.replace(directive, value)
        text = date.strftime(form)
        return getattr(text, self.case)() if self.case else text


def find_date_format(counts):
    """Return how dates are written, or None and why the texts are not read as such.

    Parameters
    ----------
    counts : dict of str to int
        How often a column has each text.

    Returns
    -------
    format : DateFormat or None
        The one in which most of the texts are dates; others are less than a tenth.

    note : str
        What the texts look like if they look like dates and are not read.
    """
    texts, weights = (
        pd.Series(list(counts), dtype=object),
        np.array(list(counts.values())),
    )
    weights[texts.str.contains(PLACEHOLDER).to_numpy(bool)] = 0
    if found := find_digits(texts):
        return found, ""
    parts = [split for text in texts[:N_TRIED] if (split := _split(text))]
    forms = {form for split in parts for form in _forms(*split)}
    zoned = any(time and time["zone"] for _, time in parts)
    iso = [form for form in forms if form.startswith("%Y-%m-%d")]
    if iso:  # read with or without a time of day, which may be mixed
        forms = {max(iso, key=len)}
    read = {
        form: weights[_parse(texts, form, bool(iso), zoned).notna().to_numpy()].sum()
        for form in sorted(forms)
    }
    most = max(read.values(), default=0)
    best = _prefer([form for form, n in read.items() if n == most])
    if most > 0.9 * weights.sum() and len(best) == 1:
        return _make_format(best[0], bool(iso), parts, counts), ""
    if most > 0.9 * weights.sum():
        return None, (
            f"text that looks like dates, such as {texts[0]!r}, not read: day and "
            "month cannot be told apart"
        )
    tried = list(counts)[:N_TRIED]
    like = [text for text in tried if LOOSE.fullmatch(text)]
    if len(like) > 0.9 * len(tried):
        return None, f"text that looks like dates, such as {like[0]!r}, not read"
    return None, ""


def find_digits(values):
    """Return the format of dates such as 20210325, or None if too many are none.

    Parameters
    ----------
    values : pandas.Series
        Different texts, or whole numbers.
    """
    numbers = values.dtype.kind in "iuf"
    texts = _as_digits(values) if numbers else values
    lengths = texts[:N_TRIED].str.len().value_counts()
    form = DIGITS.get(lengths.index[0]) if len(lengths) else None
    if form is None:
        return None
    digits = texts[texts.map(lambda text: text.isascii() and text.isdigit())]
    dates = _parse(digits, form, False, False)
    are_dates = dates.dt.year.between(*PLAUSIBLE_YEARS)
    others = texts.drop(are_dates.index[are_dates])
    n_dates, n_others = int(are_dates.sum()), len(others)
    if 10 * n_others >= len(texts):
        n_others -= sum(map(bool, map(PLACEHOLDER_DIGITS.fullmatch, others)))
    if n_dates < FEWEST or n_dates <= 9 * n_others:
        return None
    return DateFormat(form, numbers=numbers)


def find_placeholders(times):
    """Return the days that stand for no date, such as 9999-12-31.

    They are further from all other days than these are from each other.

    Parameters
    ----------
    times : ndarray of datetime64

    Returns
    -------
    ndarray of datetime64[D]

    Examples
    --------
    >>> import numpy as np
    >>> from skvae._cleaning.dates import find_placeholders
    >>> days = "1900-01-01 2021-03-25 2021-03-26 2021-05-01 9999-12-31".split()
    >>> find_placeholders(np.array(days, "M8[s]")).tolist()
    [datetime.date(1900, 1, 1), datetime.date(9999, 12, 31)]
    """
    days = np.unique(times.astype("M8[D]"))
    year = days.astype("M8[Y]")
    day = (days - year).astype(int) + 1
    is_last = (days + 2).astype("M8[Y]") > year
    number = year.astype(int) + 1970
    suspect = ((day == 1) | is_last) & ((number <= EARLY) | (number >= LATE))
    suspect |= days == EPOCH
    suspects, others = days[suspect], days[~suspect]
    if len(others) < FEWEST or len(suspects) > MOST_PLACEHOLDERS:
        return suspects[:0]
    apart = np.maximum(others[0] - suspects, suspects - others[-1])
    return suspects[apart > others[-1] - others[0]]


def _as_digits(numbers):
    """Return whole numbers as text, and others as none."""
    texts = [f"{n:.0f}" if n % 1 == 0 else "" for n in numbers]
    return pd.Series(texts, numbers.index, object)


def _parse(texts, form, iso, zoned):
    if iso:
        return pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=zoned)
    if "%Y%m" in form:  # of which pandas would also read parts
        texts = texts.where(texts.str.len() == len(pd.Timestamp(0).strftime(form)))
    return pd.to_datetime(texts, errors="coerce", format=form, utc=zoned)


def _split(text):
    """Return the parts of a text that may be a date with a time of day, or None."""
    date = DATE.match(text)
    if date is None:
        return None
    if date.end() == len(text):
        return date, None
    time = TIME.fullmatch(text, date.end())
    return (date, time) if time else None


def _forms(date, time):
    """Return the formats that a text may have, with day and month in either order."""
    return [form + _time_form(time) for form in _date_forms(date)]


def _date_forms(date):
    if date["weekday"]:
        name = date["weekday"].rstrip(", ")
        start = "%a" if len(name) == 3 else "%A"
        start += date["weekday"][len(name) :]
    else:
        start = ""
    if date["name"]:
        return [f"{start}{_month(date['name'])} %d{date['u']}%Y"]
    if date["m"]:
        return [f"{start}%d%b{'%Y' if len(date['y']) == 4 else '%y'}"]
    a, b, c, s, t = (date[part] for part in "abcst")
    if not b[0].isdigit():
        middle = _month(b)
        if len(a) == 4:
            return [f"{start}%Y{s}{middle}{t}%d"]
        return [f"{start}%d{s}{middle}{t}{'%Y' if len(c) == 4 else '%y'}"]
    if len(a) == 4:
        return [f"{start}%Y{s}%m{t}%d", f"{start}%Y{s}%d{t}%m"]
    year = {4: "%Y", 2: "%y"}.get(len(c))
    forms = [f"{start}%d{s}%m{t}{year}", f"{start}%m{s}%d{t}{year}"] if year else []
    if len(a) == 2 and len(c) <= 2:
        forms.append(f"{start}%y{s}%m{t}%d")
    return forms


def _month(name):
    end = "." if name.endswith(".") else ""
    is_full = len(name) - len(end) > 3
    return ("%B" if is_full else "%b") + end


def _time_form(time):
    if time is None:
        return ""
    hour = "%I" if time["half"] else "%H"
    seconds = "" if not time["seconds"] else ":%S"
    fraction = f"{time['fraction'][0]}%f" if time["fraction"] else ""
    half = f"{' ' if time['half'].startswith(' ') else ''}%p" if time["half"] else ""
    zone = f"{' ' if time['zone'].startswith(' ') else ''}%z" if time["zone"] else ""
    return f"{time['gap']}{hour}:%M{seconds}{fraction}{half}{zone}"


def _prefer(forms):
    """Return the formats without those that are seldom meant.

    A year of two digits stands last, and after a year of four the month.
    """
    for seldom in (r".*%y.%m.*%d.*", r".*%Y.%d.%m.*"):
        others = [form for form in forms if not re.match(seldom, form)]
        forms = others or forms
    return forms


def _make_format(form, iso, parts, counts):
    times = [time for _, time in parts if time]
    zones = [time["zone"].strip() for time in times if time["zone"]]
    fractions = [len(time["fraction"]) - 1 for time in times if time["fraction"]]
    if iso and 2 * len(times) < len(parts):  # most have no time of day
        form = form[: len("%Y-%m-%d")]
    texts = list(counts)[:N_TRIED]
    letters = "".join(
        re.findall("[A-Za-z]+", " ".join(text.split("T")[0] for text in texts))
    )
    case = "upper" if letters.isupper() else "lower" if letters.islower() else ""
    if "%b" not in form and "%p" not in form and "%B" not in form:
        case = ""
    single = re.compile(r"(?<!\d)\d(?!\d)")
    return DateFormat(
        form,
        iso,
        padded=not any(
            single.search(text.split(".")[0] if iso else text) for text in texts
        ),
        digits=max(fractions, default=0),
        zone=max(zones, key=zones.count) if zones else "",
        case=case,
    )


def _unpadded(form):
    for directive in "dmHI":
        form = form.replace(f"%{directive}", f"%-{directive}")
    return form


def _offset(zone):
    if zone in ("Z", "UTC"):
        return "UTC"
    hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > 3 else 0
    minutes += 60 * hours
    return dt.timezone(dt.timedelta(minutes=-minutes if zone[0] == "-" else minutes))
