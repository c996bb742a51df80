"""Rules for what a file holds: each checks a value, and an error names its field.

Whoever wrote a file may have meant harm, or a disk may have failed. So nothing is made
of a value before it keeps its rule. A rule is a function of a value and of its path in
the file. Types are compared exactly: a subclass may have methods of its own.
"""

import re
from math import inf

import numpy as np

INTEGERS = {int, *(np.dtype(code).type for code in np.typecodes["AllInteger"])}
FLOATS = {float, np.float32, np.float64}
ARRAYS = np.ndarray, np.memmap  # joblib maps the latter from a file
MOST_SHOWN = 40  # characters of a text
MOST_SEEN = 2**20  # entries of an array, for an error


def broken(path, rule, value):
    """Return the error for a value that breaks its rule."""
    return ValueError(
        f"corrupt or hostile artefact: {path} must be {rule}. Got {show(value)}."
    )


def require(is_kept, path, rule, value):
    """Raise the error for a value that breaks its rule, if it does."""
    if not is_kept:
        raise broken(path, rule, value)


def show(value):
    """Return a short text for any value, without control characters."""
    kind = type(value)
    if value is None or kind in (bool, float):
        return repr(value)
    if kind is int:
        bits = value.bit_length()
        return str(value) if bits <= 64 else f"an integer of {bits} bits"
    if kind in (str, bytes):
        more = "" if len(value) <= MOST_SHOWN else f"... of length {len(value)}"
        return ascii(value[:MOST_SHOWN]) + more
    if kind in ARRAYS:
        text = f"an array of {value.dtype.str} of shape {value.shape}"
        if value.dtype.kind in "iuf" and 0 < value.size <= MOST_SEEN:
            text += f" from {value.min():.6g} to {value.max():.6g}"
        return text
    of = f" of length {len(value)}" if kind in (list, tuple, dict) else ""
    return f"a value of class {ascii(kind.__name__[:MOST_SHOWN])[1:-1]}{of}"


def made(path, make, *arguments):
    """Return what a function makes of values that keep their rules.

    The last word is the library's that they are handed to: a date may look like one and
    have 30 days in February.
    """
    try:
        return make(*arguments)
    except ImportError:  # of an optional library
        raise
    except Exception as error:  # of any class, with any text of the file in it
        kind = type(error).__name__
        raise broken(path, "what a table can be made of", kind) from None


def anything(value, path):
    """Any value at all."""


def number(low=-inf, high=inf):
    """Return the rule for a number within limits, which NaN is not."""
    rule = f"a number from {low:g} to {high:g}"

    def check(value, path):
        known = float(value) if type(value) in FLOATS else value  # not of 32 bits
        is_number = type(value) in INTEGERS | FLOATS
        require(is_number and low <= known <= high, path, rule, value)

    return check


def any_float(value, path):
    """Check that a value is a float, which may be infinite or NaN."""
    require(type(value) in FLOATS, path, "a float", value)


def integer(low, high):
    """Return the rule for an integer within limits."""
    rule = f"an integer from {low} to {high}"

    def check(value, path):
        require(type(value) in INTEGERS and low <= value <= high, path, rule, value)

    return check


def flag(value, path):
    """Check that a value is True or False."""
    require(type(value) is bool, path, "True or False", value)


def text(pattern=r"(?s:.*)", rule="a text", most=None):
    """Return the rule for a text of a pattern, and of at most so many characters."""
    is_one = re.compile(pattern, re.ASCII).fullmatch
    if most is not None:
        rule = f"{rule} of at most {most} characters"

    def check(value, path):
        is_short = type(value) is str and (most is None or len(value) <= most)
        require(is_short and is_one(value), path, rule, value)

    return check


def one_of(*options):
    """Return the rule for one of some texts, numbers or None."""
    rule = ("one of " if len(options) > 1 else "") + ", ".join(map(repr, options))

    def check(value, path):
        known = any(type(value) is type(one) and value == one for one in options)
        require(known, path, rule, value)

    return check


def maybe(rule):
    """Return the rule for what may be None."""

    def check(value, path):
        if value is not None:
            rule(value, path)

    return check


def both(*rules):
    """Return the rule for what keeps several, of which each may trust those before."""

    def check(value, path):
        for rule in rules:
            rule(value, path)

    return check


def sequence(least=0, most=None):
    """Return the rule for a list or a tuple of a length."""
    rule = f"a list of {least} or more"
    if most is not None:
        rule = f"a list of {least} to {most}"

    def check(value, path):
        is_sequence = type(value) in (list, tuple)
        fits = is_sequence and least <= len(value)
        fits = fits and (most is None or len(value) <= most)
        require(fits, path, rule, value)

    return check


def each(rule, least=0, most=None):
    """Return the rule for a list or a tuple whose elements keep a rule."""

    def check_elements(value, path):
        for i, one in enumerate(value):
            rule(one, f"{path}[{i}]")

    return both(sequence(least, most), check_elements)


def row(*rules):
    """Return the rule for a list or a tuple with a rule for each place.

    It may lack the last ones, if their rules are `Optional`.
    """
    least = sum(not isinstance(rule, Optional) for rule in rules)

    def check_elements(value, path):
        for i, (rule, one) in enumerate(zip(rules, value, strict=False)):
            rule(one, f"{path}[{i}]")

    return both(sequence(least, len(rules)), check_elements)


class Optional:
    """The rule for a field that a record may lack, for files older than the field."""

    def __init__(self, rule):
        self._rule = rule

    def __call__(self, value, path):
        """Check the field where there is one."""
        self._rule(value, path)


def record(fields):
    """Return the rule for a dict with exactly these keys, each with its rule."""
    needed = {key for key, rule in fields.items() if not isinstance(rule, Optional)}

    def check(value, path):
        require(type(value) is dict, path, "a dict", value)
        for key in needed - value.keys():
            raise broken(f"{path}.{key}", "there", None)
        for key in value.keys() - fields.keys():
            raise broken(path, f"a dict with the keys {', '.join(fields)}", key)
        for key, one in value.items():
            fields[key](one, f"{path}.{key}")

    return check


def array(dtypes, shape, low=-inf, high=inf):
    """Return the rule for an array.

    Parameters
    ----------
    dtypes : str
        Those it may have, as a space-separated list.
    shape : tuple of int or None
        None where any length will do.
    low, high : float
        Limits of the entries; NaN is beyond them, and infinite ones unless they are.
    """
    known = [np.dtype(name) for name in dtypes.split()]
    lengths = ", ".join("any" if n is None else str(n) for n in shape)
    rule = f"an array of {' or '.join(dtypes.split())} of shape ({lengths})"
    if (low, high) != (-inf, inf):
        rule += f" from {low:g} to {high:g}"

    def check(value, path):
        fits = type(value) in ARRAYS and value.dtype in known
        fits = fits and len(shape) == value.ndim
        fits = fits and all(
            n in (None, found) for n, found in zip(shape, value.shape, strict=True)
        )
        if fits and value.size and value.dtype != object:  # NaN is beyond any limit
            fits = low <= float(value.min()) and float(value.max()) <= high
        require(fits, path, rule, value)

    return check


LARGEST = 1e100  # of weights: products of a few are finite in double precision
LEAST = 1e-300  # of what must be above 0


def weights(*shape, dtypes="float64"):
    """Return the rule for an array of finite numbers, by which rows are multiplied."""
    return array(dtypes, shape, -LARGEST, LARGEST)


def positive(*shape, dtypes="float64"):
    """Return the rule for an array of numbers above 0, such as variances."""
    return array(dtypes, shape, LEAST, 1 / LEAST)


def of_numeric(is_numeric, low, high):
    """Return the rule for an array with a number for each numeric column, else NaN."""
    rule = f"from {low:g} to {high:g} where a column is numeric, and NaN elsewhere"

    def check_entries(value, path):
        numbers, others = value[is_numeric].astype(float), value[~is_numeric]
        fits = (low <= numbers) & (numbers <= high)
        require(fits.all() and np.isnan(others).all(), path, rule, value)

    return both(vector(len(is_numeric)), check_entries)


def vector(length=None):
    """Return the rule for a flat array of floats, which may be infinite or NaN."""
    what = "any length" if length is None else f"length {length}"

    def check(value, path):
        fits = type(value) in ARRAYS and value.dtype in (np.float32, np.float64)
        fits = fits and value.ndim == 1 and length in (None, len(value))
        require(fits, path, f"a flat array of floats of {what}", value)

    return check


def shares(*shape):
    """Return the rule for an array of shares; as a sum one may be off by rounding."""
    return array("float64", shape, -1e-6, 1 + 1e-6)
