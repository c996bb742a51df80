"""Text that is safe to show, whatever it is made of."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skvae import VAETransformer
from skvae._printable import printable, quote, width

any_character = st.characters(codec=None, exclude_categories=[])
SURROGATES = st.sampled_from("\ud800\udfff")
texts = st.text(any_character | SURROGATES)
# What a terminal obeys, hides, turns round or cannot encode.
HOSTILE = (
    *map(chr, [*range(32), *range(127, 160)]),
    *"\u200b\u200d\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\ud800",
)


@given(texts, st.integers(10, 60))
def test_what_is_shown_can_be_seen_and_encoded_and_fits(text, most):
    shown = printable(text, most)
    assert shown.isprintable()
    shown.encode("utf-8")
    assert width(shown) <= most


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=20))
def test_other_text_is_left_alone(text):
    assert printable(text) == text


@pytest.mark.parametrize("character", HOSTILE)
def test_hostile_characters_are_escaped_as_in_a_repr(character):
    assert printable(f"a{character}b") == repr(f"a{character}b")[1:-1]


def test_the_middle_of_a_long_text_is_left_out():
    assert printable("0123456789" * 9, 20) == "012345678901...56789"
    assert printable("水" * 9, 12) == "水水水...水"  # two places each
    assert printable("e" + "\u0301" * 9_999).count("\u0301") < 40


def test_quote_is_a_short_repr():
    assert quote("it's") == repr("it's")
    assert quote(np.float64(2.5)) == repr(np.float64(2.5))
    assert quote(np.eye(2)) == "array([[1., 0.], [0., 1.]])"
    assert quote(10**9999) == "<int too long to show>"
    assert quote("a" * 10**6).endswith("aaa'")
    assert width(quote(["a" * 10**6])) == 80


N = 40
UNUSABLE = {
    "infinity": lambda name: {name: [np.inf, *range(N - 1)]},
    "nothing": lambda name: {name: [np.nan] * N},
    "mixed": lambda name: {"b": [name, 1.5] * (N // 2), "c": [[name]] * N},
    "complex": lambda name: {name: [1j] * N},
    "parameter": lambda name: {"b": range(N)},
}


@pytest.mark.parametrize("name", ["\x1b[2J\u202e", "b" * 10**5])
@pytest.mark.parametrize("columns", UNUSABLE.values(), ids=UNUSABLE)
def test_errors_quote_names_and_values(columns, name):
    X = pd.DataFrame({"a": range(N)} | columns(name))
    is_usable = set(X) == {"a", "b"} and X["b"].dtype == int
    vae = VAETransformer(1, noise=name if is_usable else "auto")
    with pytest.raises((ValueError, TypeError)) as raised:
        vae.fit(X)
    message = str(raised.value)
    assert message.isprintable()
    assert len(message) < 500
    assert quote(name)[:5] in message


def test_warnings_quote_names_and_values():
    X = pd.DataFrame({"\x1b": ["u", "v"] * N, "b": range(2 * N)})
    vae = VAETransformer(1, hidden_layer_sizes=()).fit(X)
    with pytest.warns(UserWarning, match="did not see") as raised:
        vae.transform(X.replace("u", "\x07" + "w" * 10**5))
    message = str(raised[0].message)
    assert message.isprintable()
    assert len(message) < 300
