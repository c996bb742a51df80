"""Text that stands for numbers: how a column writes them."""

import functools
import itertools
import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

# Digits are ASCII's in all that is read, as they are in what is written.
CURRENCY = (
    r"(?:(?:US|CA|AU|NZ|HK|R)?\$|[€£¥₹₽₩₪₺₴₫฿¢]|Fr\.|kr\.?|zł|Kč|Ft"
    r"|USD|EUR|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|CAD|AUD|NZD|BRL|MXN|ZAR)"
)
BLANK = r"[ \u00a0\u202f]?"
# Between thousands, by the decimal mark; spaces of three widths, apostrophes of two.
THOUSANDS = {".": r"[,'\u2019 \u00a0\u202f]", ",": r"[.'\u2019 \u00a0\u202f]"}
SIGN, MINUS = r"[-+\u2212]?", "-\u2212"
MOST_DIGITS = 15  # that a float can tell apart
N_TRIED = 1000  # distinct texts that decide whether a column is numeric at all


def _pattern(decimal, groups):
    """Return the pattern of a number with this decimal mark, with or without groups."""
    d = re.escape(decimal)
    whole = r"(?P<group>(?!))?\d+"
    if groups:
        mark = THOUSANDS[decimal]
        whole = rf"[1-9]\d{{,2}}(?P<group>{mark})\d{{3}}(?:(?P=group)\d{{3}})*"
    return re.compile(
        rf"(?P<open>\()?(?P<sign>{SIGN})(?P<prefix>(?:{CURRENCY}{BLANK})?)"
        rf"(?P<inner>{SIGN})"
        rf"(?:(?P<whole>{whole})(?:{d}(?P<part>\d*))?|{d}(?P<bare>\d+))"
        rf"(?P<exponent>[eE][+-]?\d+)?"
        rf"(?P<suffix>(?:{BLANK}(?:%|{CURRENCY}))?)(?P<close>\))?",
        re.ASCII,
    )


PATTERNS = {
    decimal: (_pattern(decimal, groups=False), _pattern(decimal, groups=True))
    for decimal in ".,"
}
# All texts of a column at once, a line each: most columns are of such numbers.
PLAIN = {
    mark: re.compile(
        rf"(?>-?(?:0|[1-9]\d{{,14}})(?:{re.escape(mark)}\d+)?(?:[eE][-+]?\d+)?\n)*+",
        re.ASCII,
    )
    for mark in ".,"
}
READABLE = re.compile(r"(?>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\n)*+", re.ASCII)
INFINITY = re.compile(r"[-+]?inf(?:inity)?", re.IGNORECASE | re.ASCII)
CODE = re.compile(r"[-+]?0\d+")
# What only looks like numbers may have the digits and marks of any script.
LOOSE = re.compile(
    r"[^\d\w]*\d[\d.,'\u2019 \u00a0\u202f\u066b\u066c]*"
    r"(?:[^\w\s]+|\s?[^\W\d]{1,4}\.?)?"
)


@dataclass
class NumberFormat:
    """How a column of text writes its numbers.

    Attributes
    ----------
    decimal, group : str
        The decimal mark, and what stands between thousands.

    decimals : int
        The most digits after the decimal mark.

    fixed : bool
        Whether all numbers have as many.

    prefix, suffix : str
        Such as a currency or a percent sign.

    minus : str
        The sign of negative numbers; "(" where they stand in brackets.

    plus, bare : bool
        Whether positive numbers have a sign, and whether 0.5 is written .5.

    exponent : str
        Such as ``e+05``, if most numbers have an exponent.

    whole : bool
        Whether all numbers are integers.

    doubt : bool
        Whether the decimal mark may stand between thousands instead, or the reverse.
    """

    decimal: str = "."
    group: str = ""
    decimals: int = 0
    fixed: bool = True
    prefix: str = ""
    suffix: str = ""
    minus: str = "-"
    sign_first: bool = True
    plus: bool = False
    bare: bool = False
    exponent: str = ""
    whole: bool = True
    doubt: bool = False

    kind = "numeric"

    def parse(self, texts):
        """Return the numbers that texts stand for, NaN where one is none."""
        numbers = pd.Series(self._values(texts.tolist()), texts.index, float)
        return to_integers(numbers) if self.whole else numbers

    def write(self, numbers):
        """Return numbers as this column writes them."""
        values = numbers.to_numpy(np.float64)
        return pd.Series(
            [self._write(v) for v in values.tolist()], numbers.index, object
        )

    def describe(self):
        """Return what is special about these numbers, or nothing."""
        parts = []
        if self.decimal == "," and self.decimals:
            other = " (or between thousands: nothing tells)" if self.doubt else ""
            parts.append(f"decimal commas{other}")
        if self.group:
            other = " (or before decimals: nothing tells)" if self.doubt else ""
            parts.append(f"{self.group!r} between thousands{other}")
        parts += [repr(affix.strip()) for affix in (self.prefix, self.suffix) if affix]
        return f"numbers with {', '.join(parts)}" if parts else ""

    def _values(self, texts):
        """Return numbers; all at once if nothing stands beside digits and mark."""
        if self.decimal == "." or not any("." in text for text in texts):
            plain = [text.replace(self.decimal, ".") for text in texts]
            if _are(plain, READABLE):
                return list(map(float, plain))
        read = {text: self._value(text) for text in set(texts)}
        return [read[text] for text in texts]

    def _value(self, text):
        if INFINITY.fullmatch(text):
            return float(text)
        return _value(self._match(text))

    def _match(self, text):
        match = _match(text, self.decimal, grouped=bool(self.group))
        if match is None or (match["suffix"].strip() == "%") != (
            self.suffix.strip() == "%"
        ):
            return None
        affixes = {match["prefix"].strip(), match["suffix"].strip()} - {""}
        return match if affixes <= {self.prefix.strip(), self.suffix.strip()} else None

    def _write(self, value):
        negative = value < 0 or (value == 0 and np.signbit(value))
        text = self._digits(abs(value))
        if not text.strip("0.,") and negative:
            negative = False
        if self.minus == "(" and negative:
            return f"({self.prefix}{text}{self.suffix})"
        sign = self.minus if negative else "+" if self.plus and value > 0 else ""
        if not self.sign_first:
            return f"{self.prefix}{sign}{text}{self.suffix}"
        return f"{sign}{self.prefix}{text}{self.suffix}"

    def _digits(self, value):
        if self.exponent:
            return self._scientific(value)
        text = f"{value:{',' if self.group else ''}.{self.decimals}f}"
        whole, _, part = text.partition(".")
        if not self.fixed:
            part = part.rstrip("0")
        if self.bare and whole == "0" and part:
            whole = ""
        whole = whole.replace(",", self.group)
        return f"{whole}{self.decimal}{part}" if part else whole

    def _scientific(self, value):
        mantissa, _, power = f"{value:.{self.decimals}e}".partition("e")
        if not self.fixed and "." in mantissa:
            mantissa = mantissa.rstrip("0").rstrip(".")
        sign = "-" if power[0] == "-" else "+" if "+" in self.exponent else ""
        width = len(self.exponent.lstrip("eE+-"))
        digits = str(abs(int(power))).zfill(width)
        return f"{mantissa.replace('.', self.decimal)}{self.exponent[0]}{sign}{digits}"


def find_number_format(counts, decimal=None, usual="."):
    """Return how numbers are written, or None and why the texts are not read as such.

    Parameters
    ----------
    counts : dict of str to int
        How often a column has each text.

    decimal : {".", ","}, default=None
        The decimal mark of other columns, for text such as ``1,234`` that may have it
        or not; `None` if they do not tell.

    usual : {".", ","}, default="."
        The decimal mark where nothing tells. The format is then in doubt, unless a
        decimal point is read as such.

    Returns
    -------
    format : NumberFormat or None
        The numbers that it cannot read are less than a tenth.

    note : str
        What the texts look like if they look like numbers and are not read.
    """
    tried = _first(counts)
    n_read = {mark: _n_read(tried, mark) for mark in ".,"}
    most = max(n_read.values())
    if most <= 0.9 * sum(tried.values()):
        return None, _looks_like(tried)
    best = [mark for mark in ".," if n_read[mark] == most]
    likely = decimal or usual
    mark = likely if likely in best else best[0]
    if _are(counts, PLAIN[mark]):
        with_exponent = [text for text in counts if "e" in text or "E" in text]
        if 2 * sum(counts[text] for text in with_exponent) <= sum(counts.values()):
            found = _make_plain_format(counts, with_exponent, mark)
            return _doubted(found, decimal is None and len(best) > 1), ""
    if len(best) > 1 and len(counts) > len(tried):  # others may tell
        n_read = {mark: _n_read(counts, mark) for mark in best}
        best = [mark for mark in best if n_read[mark] == max(n_read.values())]
        mark = likely if likely in best else best[0]
    matches = {text: _match(text, mark, grouped=True) for text in counts}
    found = {text: match for text, match in matches.items() if match}
    if any(_is_code(match) for match in found.values()):
        return None, "codes, as some begin with 0"
    if any(_is_long(match) for match in found.values()):
        return None, f"identifiers, as they have more than {MOST_DIGITS} digits"
    if sum(counts[text] for text in found) <= 0.9 * sum(counts.values()):
        return None, _looks_like(tried)
    affixes = {m["prefix"].strip() or m["suffix"].strip() for m in found.values()}
    if len(affixes - {""}) > 1 or ("%" in affixes and len(affixes) > 1):
        marks = ", ".join(sorted(filter(None, affixes)))
        return None, f"numbers of several units ({marks}), not read"
    found = _make_format(found, counts, mark)
    return _doubted(found, decimal is None and len(best) > 1), ""


def decimal_mark(counts):
    """Return the decimal mark that a column of text must have, or None if it may not.

    Examples
    --------
    >>> from skvae._cleaning.numbers import decimal_mark
    >>> decimal_mark({"3,14": 1, "2": 9}), decimal_mark({"1,234": 1})
    (',', None)
    """
    tried = _first(counts)
    n_read = {mark: _n_read(tried, mark) for mark in ".,"}
    if n_read["."] == n_read[","] or max(n_read.values()) <= 0.9 * sum(tried.values()):
        return None
    return max(n_read, key=n_read.__getitem__)


def to_integers(column):
    """Return a column of floats as integers if all are whole, else as it is."""
    if column.dtype.kind != "f" or column.isna().all():
        return column
    whole = column.isna() | (column % 1 == 0) & (column.abs() < 2**53)
    if not whole.all():
        return column
    return column.astype("Int64" if column.isna().any() else "int64")


def _first(counts):
    return dict(itertools.islice(counts.items(), N_TRIED))


def _are(texts, pattern):
    """Whether a pattern of lines matches all texts."""
    return bool(pattern.fullmatch("".join(f"{text}\n" for text in texts)))


def _make_plain_format(counts, with_exponent, mark):
    """Return the format of numbers that are digits and a decimal mark, nearly all."""
    seldom = set(with_exponent)
    parts = [text.partition(mark)[2] for text in counts if text not in seldom]
    lengths = set(map(len, parts))
    others = [float(text.replace(mark, ".")) for text in with_exponent]
    return NumberFormat(
        decimal=mark,
        decimals=max(lengths),
        fixed=len(lengths) == 1,
        whole=not any(part.strip("0") for part in parts) and _are_whole(others),
    )


def _doubted(found, is_open):
    """Return a format, in doubt if its mark is open and is no decimal point."""
    has_mark = found.group in (".", ",") if found.group else found.decimals > 0
    is_plain = found.decimal == "." and not found.group
    return replace(found, doubt=is_open and has_mark and not is_plain)


def _are_whole(values):
    return all(value % 1 == 0 and abs(value) < 2**53 for value in values)


def _match(text, decimal, grouped):
    """Return the match of a number, or None."""
    plain, groups = PATTERNS[decimal]
    match = plain.fullmatch(text) or (groups.fullmatch(text) if grouped else None)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    if bool(match["open"]) + bool(match["sign"]) + bool(match["inner"]) > 1:
        return None
    if match["prefix"] and match["suffix"]:
        return None
    return match


def _n_read(counts, decimal):
    return sum(n for text, n in counts.items() if _match(text, decimal, grouped=True))


def _value(match):
    if match is None:
        return np.nan
    whole = match["whole"] or "0"
    if match["group"]:
        whole = whole.replace(match["group"], "")
    part = match["part"] or match["bare"] or ""
    value = float(f"{whole}.{part}{match['exponent'] or ''}")
    is_negative = match["open"] or {match["sign"], match["inner"]} & {*MINUS}
    return -value if is_negative else value


def _is_code(match):
    return bool(match["whole"] and CODE.match(match["whole"]))


def _is_long(match):
    is_integer = not (match["part"] or match["exponent"] or match["group"])
    return bool(is_integer and match["whole"] and len(match["whole"]) > MOST_DIGITS)


def _make_format(found, counts, decimal):
    """Return the format of numbers, by their texts and the matches of these."""
    matches, weights = list(found.values()), [counts[text] for text in found]
    most_frequent = functools.partial(_most_frequent, weights)
    values = [_value(match) for match in matches]
    exponents = [match["exponent"] or "" for match in matches]
    with_exponent = sum(w for w, e in zip(weights, exponents, strict=True) if e)
    scientific = 2 * with_exponent > sum(weights)
    parts = [match["part"] or match["bare"] or "" for match in matches]
    lengths = {
        len(part)
        for part, exponent in zip(parts, exponents, strict=True)
        if bool(exponent) == scientific
    }
    signs = [match["sign"] or match["inner"] for match in matches]
    minus = [s if s in MINUS else "" for s in signs]
    brackets = ["(" if match["open"] else "" for match in matches]
    ones = {m["whole"] for m in matches if m["part"]}
    return NumberFormat(
        decimal=decimal,
        group=most_frequent(m["group"] for m in matches),
        decimals=max(lengths, default=0),
        fixed=len(lengths) == 1,
        prefix=most_frequent(m["prefix"] for m in matches),
        suffix=most_frequent(m["suffix"] for m in matches),
        minus=most_frequent(brackets) or most_frequent(minus, "-"),
        sign_first=not any(m["inner"] for m in matches),
        plus=all(s == "+" for s, v in zip(signs, values, strict=True) if v > 0)
        and "+" in signs,
        bare=any(match["bare"] for match in matches) and "0" not in ones,
        exponent=most_frequent(exponents).replace("E-", "E").replace("e-", "e")
        if scientific
        else "",
        whole=_are_whole(values),
    )


def _most_frequent(weights, values, default=""):
    """Return the value of the largest weight in all, of those that are not empty."""
    tally: dict[str, int] = {}
    for value, weight in zip(values, weights, strict=True):
        if value:
            tally[value] = tally.get(value, 0) + weight
    return max(tally, key=tally.__getitem__) if tally else default


def _looks_like(counts):
    """Return that texts look like numbers, with an example, if nearly all do."""
    like = [text for text in counts if LOOSE.fullmatch(text)]
    if sum(counts[text] for text in like) > 0.9 * sum(counts.values()):
        return f"text that looks like numbers, such as {like[0]!r}, not read"
    return ""
