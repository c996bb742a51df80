"""The domain of every parameter: what is outside is named, what is inside passes."""

import re

import numpy as np
import pytest
import torch

from skvae import VAETransformer
from skvae._model.network import ACTIVATIONS
from skvae._parameters import (
    InvalidParameterError,
    check_parameters,
    hidden_sizes,
)
from skvae._printable import quote

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")

X = np.random.RandomState(0).normal(size=(40, 3))

INTEGER = "an integer of at least 1"
INTEGER_OR_AUTO = "'auto' or an integer of at least 1"
NOT_INTEGERS = [0, -1, 2.0, 1.5, np.nan, True, np.True_, "2", None, [2], np.array([2])]
OTHERS = [value for value in NOT_INTEGERS if value is not None]
NOT_NUMBERS = [np.nan, np.inf, -np.inf, True, "1", None, [1.0], 1j, 10**400]
NOT_FLAGS = [0, 1, None, "yes", 1.0, np.array([True, False])]
NO_WIDTHS = [
    *[0, -3, 2.5, True, None, "ab", b"ab", {3}, {3: 4}, np.array(3)],
    *[(0,), (4, -1), (4.0,), (True,), ("4",), (4, (2,)), np.array([[4]])],
    (width for width in (4, 2)),  # would be empty when read again
]

RULES = {
    "n_components": (
        "an integer of at least 1, or a number between 0 and 1",
        [0.0, 1.0, *NOT_INTEGERS],
    ),
    "hidden_layer_sizes": ("'auto' or a sequence of integers of at least 1", NO_WIDTHS),
    "activation": (
        "one of 'elu', 'gelu'",
        ["swish", "", None, torch.tanh, ["relu"], 1],
    ),
    "noise": ("one of 'auto', 'spherical', 'diag'", ["full", None, True, ["diag"]]),
    "scaling": (
        "one of 'standard', 'quantile', None",
        ["quantiles", False, 0, np.nan, "None"],
    ),
    "categorical_features": (
        "'from_dtype', None, or a list of names",
        ["all", "auto", 1, True, {"a"}, {"a": True}, [["a"]], np.eye(2)],
    ),
    "beta": ("a finite number of at least 0", [-1e-9, -1, *NOT_NUMBERS]),
    "alpha": ("a finite number of at least 0", [-1e-9, -1, *NOT_NUMBERS]),
    "batch_size": (INTEGER_OR_AUTO, ["all", *NOT_INTEGERS]),
    "learning_rate_init": (
        "a finite number greater than 0",
        [0, -1e-3, 1e31, *NOT_NUMBERS],
    ),
    "max_iter": (INTEGER_OR_AUTO, ["all", *NOT_INTEGERS]),
    "early_stopping": ("True or False", NOT_FLAGS),
    "validation_fraction": (
        "a number between 0 and 1, both excluded",
        [0, 1, 0.0, 1.0, -0.1, 1.1, 20, *NOT_NUMBERS],
    ),
    "n_iter_no_change": (INTEGER, NOT_INTEGERS),
    "tol": ("a finite number of at least 0", [-1e-9, *NOT_NUMBERS]),
    "warm_start": ("True or False", NOT_FLAGS),
    "random_state": (
        "None, an integer",
        [-1, 2**32, 0.5, "0", [1.5], np.random.default_rng(0), torch.Generator()],
    ),
    "device": (
        "a device that torch can use here",
        ["gpu", "", "cpu:x", "meta", None, 1.5, ["cpu"], "cuda:99", "mps", "hpu"],
    ),
    "n_neighbors": ("None or an integer of at least 1", OTHERS),
    "redraw": ("True or False", NOT_FLAGS),
    "n_jobs": ("None or an integer other than 0", [0, 1.5, True, "all"]),
    "verbose": ("True, False or an integer of at least 0", [-1, 0.5, None, "yes"]),
}


def case(name, value, *rule):
    # No addresses: pytest's workers have to agree on the names of the tests.
    shown = re.sub(" at 0x[0-9a-fA-F]+", "", repr(value))[:30]
    return pytest.param(name, value, *rule, id=f"{name}={shown}")


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [case(name, v, rule) for name, (rule, values) in RULES.items() for v in values],
)
def test_what_is_outside_the_domain_is_named_with_its_rule(name, value, rule):
    vae = VAETransformer(max_iter=1, hidden_layer_sizes=(4,)).set_params(
        **{name: value}
    )
    message = f"The {name!r} parameter of VAETransformer must be {rule}"
    with pytest.raises(InvalidParameterError, match=re.escape(message)) as raised:
        vae.fit(X)
    assert f"Got {quote(value)} instead" in str(raised.value)


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("gpu", ", which names none"),
        ("mps", ": it has no double precision"),
        ("meta", ": it has shapes and no numbers"),
        ("cuda:99", ", and torch finds "),
        ("xpu:77", ""),
    ],
)
def test_a_device_that_is_not_to_be_had_takes_one_sentence(device, reason):
    with pytest.raises(InvalidParameterError) as raised:
        VAETransformer(device=device).fit(X)
    message = str(raised.value)
    assert f"Got {device!r} instead{reason}" in message
    assert message.count(". ") == 1
    assert len(message) < 220
    assert "Facebook" not in message


@pytest.mark.parametrize("n", [0, 1, 2])
def test_gpus_that_torch_lacks_are_counted(n, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n)
    found = {0: "no GPU", 1: "1 GPU", 2: "2 GPUs"}[n]
    with pytest.raises(InvalidParameterError, match=rf"torch finds {found}\.$"):
        VAETransformer(device="cuda:99").fit(X)


@pytest.mark.filterwarnings("ignore:No component")
def test_the_global_generator_is_used_if_it_is_given():
    state = np.random.get_state()  # noqa: NPY002
    found = []
    for _ in range(2):
        np.random.seed(0)  # noqa: NPY002
        vae = VAETransformer(hidden_layer_sizes=(), random_state=np.random).fit(X)
        drawn = vae.sample(3, random_state=np.random)
        X_incomplete = np.where(X > 1, np.nan, X)
        found.append([drawn, vae.impute(X_incomplete, 1, random_state=np.random)[0]])
    np.random.set_state(state)  # noqa: NPY002
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_every_parameter_has_a_rule():
    assert set(RULES) == set(VAETransformer().get_params())


def test_the_error_is_of_either_kind():
    for kind in (ValueError, TypeError):
        with pytest.raises(kind, match="'beta'"):
            VAETransformer(beta=-1).fit(X)


LEGAL = {
    "n_components": [1, 7, np.int8(2), np.uint64(2), 0.9, np.float32(0.5)],
    "hidden_layer_sizes": [
        *["auto", np.str_("auto"), 4, np.int64(4), (4,), [4, 3], (), [], range(2, 4)],
        *[np.array([4, 3]), np.array([], dtype=int), (np.int32(4), 3)],
    ],
    "activation": [*ACTIVATIONS, np.str_("relu")],
    "noise": ["auto", "spherical", "diag", np.str_("diag")],
    "scaling": ["standard", "quantile", None, np.str_("standard")],
    "categorical_features": [
        *["from_dtype", np.str_("from_dtype"), None, [], (1,), np.array([0, 2])],
        *[[True, False, False], np.array([False, False, True]), range(2)],
    ],
    "beta": [0, 0.0, 1, 2.5, np.float32(0.5), np.int64(2)],
    "alpha": [0, 0.5, np.float32(0.5), np.int64(1)],
    "batch_size": ["auto", 1, 7, 10**9, np.int64(8), np.uint8(8), np.str_("auto")],
    "learning_rate_init": [1, 1e-320, 0.5, np.float32(1e-3), np.int64(1)],
    "max_iter": [1, np.int16(2), "auto"],
    "early_stopping": [True, False, np.True_, np.False_],
    "validation_fraction": [1e-9, 0.5, 0.999, np.float32(0.1)],
    "n_iter_no_change": [1, np.int32(2), 10**9],
    "tol": [0, 0.5, 10, np.float32(0.1)],
    "warm_start": [True, False, np.True_],
    "random_state": [
        *[None, 0, 2**32 - 1, np.int64(3), np.random.RandomState(0)],
    ],
    "device": ["cpu", "cpu:0", torch.device("cpu"), np.str_("cpu")],
    "n_neighbors": [None, 1, 15, 10**9, np.int64(3), np.uint8(2)],
    "redraw": [True, False, np.True_],
    "n_jobs": [None, 1, 2, -1, np.int64(2)],
    "verbose": [True, False, 0, 3, np.True_, np.int64(1)],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [case(name, v) for name, values in LEGAL.items() for v in values],
)
@pytest.mark.filterwarnings("ignore:The loss became")  # of a rate of 1
def test_what_is_inside_the_domain_passes(name, value):
    # Every path of training once: early stopping takes only the first.
    defaults = {"max_iter": 2, "hidden_layer_sizes": (4,), "early_stopping": False}
    vae = VAETransformer(**{**defaults, name: value}).fit(X)
    assert np.isfinite(vae.score(X))
    assert vae.get_params()[name] is value


def test_a_map_has_no_components_by_what_they_explain():
    message = "n_components=0.9 is a share of variance, and a map of n_neighbors=15"
    with pytest.raises(InvalidParameterError, match=message):
        VAETransformer(0.9, n_neighbors=15).fit(X)


def test_every_parameter_has_legal_values():
    assert set(LEGAL) == set(VAETransformer().get_params())


@pytest.mark.parametrize(
    ("given", "widths"),
    [
        (5, (5,)),
        (np.int64(5), (5,)),
        ([], ()),
        ([3, 4], (3, 4)),
        (np.array([3, 4]), (3, 4)),
        (range(3, 5), (3, 4)),
    ],
)
def test_hidden_sizes_become_a_tuple_of_integers(given, widths):
    found = hidden_sizes(given)
    assert found == widths
    assert type(found) is tuple
    assert all(type(width) is int for width in found)


@pytest.mark.parametrize(
    ("given", "same"),
    [(5, (5,)), ([5, 3], (5, 3)), (np.array([5, 3]), (5, 3)), ([], ())],
)
def test_any_spelling_of_the_widths_is_the_same_network(given, same, assert_same_bits):
    def fit(widths):
        vae = VAETransformer(hidden_layer_sizes=widths, max_iter=2, random_state=0)
        return vae.fit(X)

    assert_same_bits(fit(given), fit(same), X)


def test_nothing_is_checked_before_fit():
    wrong = {name: values[0] for name, (_, values) in RULES.items()}
    assert VAETransformer(**wrong).get_params() == wrong


def test_the_first_wrong_parameter_is_the_one_named():
    parameters = VAETransformer().get_params() | {"noise": "full", "tol": -1}
    with pytest.raises(InvalidParameterError, match="'noise'"):
        check_parameters(parameters)
