"""Checks of the estimator's parameters, each error with value, rule and remedy."""

from collections.abc import Iterable, Sequence
from math import isfinite
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state

from skvae._choices import NOISES, SCALINGS
from skvae._model.network import ACTIVATIONS
from skvae._printable import quote


class InvalidParameterError(ValueError, TypeError):
    """A parameter has a value or a type outside its domain.

    Both a ValueError and a TypeError, as the error that scikit-learn's own estimators
    raise.
    """


def check_parameters(parameters):
    """Raise an InvalidParameterError for the first parameter outside its domain.

    Parameters
    ----------
    parameters : dict
        Every parameter of the estimator by name.
    """
    for name, (is_valid, rule) in _RULES.items():
        value = parameters[name]
        if not is_valid(value):
            raise InvalidParameterError(
                f"The {name!r} parameter of VAETransformer must be {rule}. "
                f"Got {quote(value)} instead."
            )
    _check_device(parameters["device"])
    n_components, n_neighbors = parameters["n_components"], parameters["n_neighbors"]
    if n_neighbors is not None and n_components < 1:
        raise InvalidParameterError(
            f"n_components={quote(n_components)} is a share of variance, and a map of "
            f"n_neighbors={quote(n_neighbors)} has no components by what they explain: "
            "give a number of components, such as 2, or n_neighbors=None."
        )


def hidden_sizes(hidden_layer_sizes):
    """Return the widths as a tuple; a single width may be given bare."""
    if isinstance(hidden_layer_sizes, Integral):
        return (int(hidden_layer_sizes),)
    return tuple(int(width) for width in hidden_layer_sizes)


def plain(value):
    """Return a text or a number as Python's own, and any other value as it is.

    Grids may be arrays of numpy, whose texts and short floats no file may hold.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return str(value) if isinstance(value, str) else value


def is_integer(value):
    """Whether a value is an integer, which a bool is not taken for."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def resolve_random_state(random_state):
    """As `check_random_state`, but None leaves numpy's global generator alone."""
    if random_state is None:
        return np.random.RandomState(np.random.SeedSequence().generate_state(8))
    return check_random_state(random_state)


def make_generators(random_state):
    """Return what makes torch's generator of the draws of some rows, by their first.

    So that rows may be drawn in any order.
    """
    seed = int(resolve_random_state(random_state).randint(2**31 - 1))
    return lambda first: torch.Generator().manual_seed(seed + first)


def check_count(name, value):
    """Return a count as an int; an error names it if it is not at least 1."""
    if is_integer(value) and value >= 1:
        return int(value)
    kind = ValueError if is_integer(value) else TypeError
    raise kind(f"{name} must be an integer of at least 1. Got {quote(value)}.")


def _is_positive_integer(value):
    return is_integer(value) and value >= 1


def is_real(value):
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def _is_share(value):
    return is_real(value) and 0 < value < 1


def _is_widths(value):
    if isinstance(value, str):
        return value == "auto"
    if _is_positive_integer(value):
        return True
    is_vector = isinstance(value, np.ndarray) and value.ndim == 1
    is_sequence = isinstance(value, Sequence) and not isinstance(value, bytes)
    return (is_vector or is_sequence) and all(map(_is_positive_integer, value))


def _is_choice(value):
    """Whether a value may choose columns; whether they exist only a table tells."""
    if isinstance(value, str):
        return value == "from_dtype"
    if isinstance(value, set | dict):  # without an order, or with more than it
        return False
    return isinstance(value, Iterable) and np.array(value, dtype=object).ndim == 1


def _is_flag(value):
    return isinstance(value, bool | np.bool_)


def _one_of(options):
    def is_valid(value):
        return (value is None or isinstance(value, str)) and value in options

    return is_valid, "one of " + ", ".join(map(repr, options))


def _is_seed(value):
    if value is None or value is np.random:
        return True
    if isinstance(value, np.random.RandomState):
        return True
    return is_integer(value) and 0 <= value < 2**32


_POSITIVE_INTEGER = (_is_positive_integer, "an integer of at least 1")
_POSITIVE_INTEGER_OR_AUTO = (
    lambda v: v == "auto" if isinstance(v, str) else _is_positive_integer(v),
    "'auto' or an integer of at least 1",
)
_NOT_NEGATIVE = (lambda v: is_real(v) and v >= 0, "a finite number of at least 0")
_FLAG = (_is_flag, "True or False")

_RULES = {
    "n_components": (
        lambda v: _is_positive_integer(v) or (not is_integer(v) and _is_share(v)),
        "an integer of at least 1, or a number between 0 and 1, both excluded",
    ),
    "hidden_layer_sizes": (
        _is_widths,
        "'auto' or a sequence of integers of at least 1, empty for the linear model",
    ),
    "activation": _one_of(ACTIVATIONS),
    "noise": _one_of(NOISES),
    "n_neighbors": (
        lambda v: v is None or _is_positive_integer(v),
        "None or an integer of at least 1",
    ),
    "scaling": _one_of(SCALINGS),
    "categorical_features": (
        lambda v: v is None or _is_choice(v),
        "'from_dtype', None, or a list of names, of indices or of a bool a column",
    ),
    "beta": _NOT_NEGATIVE,
    "alpha": _NOT_NEGATIVE,
    "batch_size": _POSITIVE_INTEGER_OR_AUTO,
    "learning_rate_init": (
        lambda v: is_real(v) and 0 < v <= 1e30,
        "a finite number greater than 0 and at most 1e30",
    ),
    "max_iter": _POSITIVE_INTEGER_OR_AUTO,
    "early_stopping": _FLAG,
    "validation_fraction": (
        _is_share,
        "a number between 0 and 1, both excluded",
    ),
    "n_iter_no_change": _POSITIVE_INTEGER,
    "tol": _NOT_NEGATIVE,
    "warm_start": _FLAG,
    "random_state": (
        _is_seed,
        f"None, an integer from 0 to {2**32 - 1}, a numpy.random.RandomState or "
        "numpy.random, the global one",
    ),
    "redraw": _FLAG,
    "n_jobs": (
        lambda v: v is None or (is_integer(v) and v != 0),
        "None or an integer other than 0",
    ),
    "verbose": (
        lambda v: _is_flag(v) or (is_integer(v) and v >= 0),
        "True, False or an integer of at least 0",
    ),
}


def _check_device(device):
    try:
        torch.zeros(1, dtype=torch.float64, device=torch.device(device)).cpu()
    except _TORCHS_ERRORS as error:
        raise InvalidParameterError(
            "The 'device' parameter of VAETransformer must be a device that torch can "
            "use here, in double precision too, such as 'cpu' or 'cuda'. "
            f"Got {quote(device)} instead{_why_not(device, error)}."
        ) from error


def _why_not(device, error):
    """Return why torch cannot use a device, in words that are not torch's own."""
    try:
        kind = torch.device(device).type
    except _TORCHS_ERRORS:
        return ", which names none"
    if kind in _UNUSABLE:
        return f": {_UNUSABLE[kind]}"
    if kind != "cuda":
        return ", which torch has no code for here"
    n = torch.cuda.device_count()
    if n == 0:
        return ", and torch finds no GPU"
    if (torch.device(device).index or 0) >= n:
        return f", and torch finds {n} GPU" + "s" * (n > 1)
    return f": {str(error).splitlines()[0].rstrip('.')}"


_TORCHS_ERRORS = RuntimeError, AssertionError, TypeError, ValueError, ImportError
_UNUSABLE = {
    "mps": "it has no double precision",
    "meta": "it has shapes and no numbers",
}
