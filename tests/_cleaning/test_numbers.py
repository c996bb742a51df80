import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skvae._cleaning.numbers import NumberFormat, find_number_format, to_integers

quickly = settings(max_examples=60, deadline=None)

SCRIPTS = {  # digits that Python takes for numbers, and that are not written
    name: str.maketrans({str(i): chr(zero + i) for i in range(10)})
    for name, zero in (
        ("Arabic-Indic", 0x660),
        ("Persian", 0x6F0),
        ("Devanagari", 0x966),
        ("fullwidth", 0xFF10),
    )
}


def find(texts, decimal=None):
    return find_number_format(dict.fromkeys(texts, 1), decimal)


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        ("1|2|-3", [1, 2, -3]),
        ("1.50|2.25|-3.00", [1.5, 2.25, -3]),
        ("1.5|2.25|3", [1.5, 2.25, 3]),
        ("1,5|2,25|3", [1.5, 2.25, 3]),
        (".5|-.25|.125", [0.5, -0.25, 0.125]),
        ("0.5|-0.25|0.125", [0.5, -0.25, 0.125]),
        ("+54|-3|+7", [54, -3, 7]),
        ("\u221254|3|7", [-54, 3, 7]),
        ("1,234.5|12.0|123,456.7", [1234.5, 12, 123456.7]),
        ("1.234,5|12,0|123.456,7", [1234.5, 12, 123456.7]),
        ("1 234,5|12,0|123 456,7", [1234.5, 12, 123456.7]),
        ("1\u202f234,5|12,0|123\u202f456,7", [1234.5, 12, 123456.7]),
        ("1'234.5|12.0|123'456.7", [1234.5, 12, 123456.7]),
        ("1,234,567|12|123", [1234567, 12, 123]),
        ("1.234.567|12|123", [1234567, 12, 123]),
        ("$1,234.50|$12.00|-$3.25", [1234.5, 12, -3.25]),
        ("$1.50|$-3.25", [1.5, -3.25]),
        ("1.234,50 €|12,00 €|-3,25 €", [1234.5, 12, -3.25]),
        ("CHF 12|CHF 13", [12, 13]),
        ("12 EUR|13 EUR", [12, 13]),
        ("5.1%|12%|-3%", [5.1, 12, -3]),
        ("5,1 %|12,0 %|-3,5 %", [5.1, 12, -3.5]),
        ("(1,234.5)|12.0|3.0", [-1234.5, 12, 3]),
        ("($1,234.5)|$12.0|$3.0", [-1234.5, 12, 3]),
        ("($5.50)|$6.25|$7.00", [-5.5, 6.25, 7]),
        ("1.531e+05|-2.000e-03|3.100e+00", [153100, -0.002, 3.1]),
        ("1.5E5|2E3|3.25E-2", [150000, 2000, 0.0325]),
        ("0|1|0", [0, 1]),
        ("2019|2020|2021", [2019, 2020, 2021]),
        ("123456789012345|2", [123456789012345, 2]),
        ("0.1234567890123456789|0.2", [0.12345678901234568, 0.2]),
    ],
)
def test_numbers_are_read_and_written_as_they_were(texts, values):
    texts = pd.Series(list(dict.fromkeys(texts.split("|"))))
    form, note = find(texts)
    assert note == ""
    assert form.parse(texts).tolist() == values
    if "789" not in texts[0]:
        assert form.write(pd.Series(values, dtype=float)).tolist() == texts.tolist()


@pytest.mark.parametrize(
    ("texts", "note"),
    [
        ("02109|90210|10001", "codes, as some begin with 0"),
        ("007|8|9", "codes, as some begin with 0"),
        ("1234567890123456789|1", "identifiers, as they have more than 15 digits"),
        ("$12|€13|$14", r"numbers of several units \(\$, €\), not read"),
        ("5%|0.05|7%", r"numbers of several units \(%\), not read"),
        ("12 kg|13 kg", "text that looks like numbers, such as '12 kg', not read"),
        ("1.2.3|1.2.4", "text that looks like numbers, such as '1.2.3', not read"),
        (
            "1,23,456|2,34,567",
            "text that looks like numbers, such as '1,23,456', not read",
        ),
        ("$5 %|$6 %", "text that looks like numbers, such as '\\$5 %', not read"),
        *(
            (text.translate(digits), "text that looks like numbers, .*, not read")
            for digits in SCRIPTS.values()
            for text in ("10|21|32", "1.5|2.25|3.75", "1 234|2 345|3 456", "-1|-2|3")
        ),
        ("red|blue", "$"),
        ("person 1|person 2", "$"),
        ("x1|x2", "$"),
        ("1|one", "$"),
    ],
)
def test_what_looks_like_numbers_is_said(texts, note):
    form, found = find(texts.split("|"))
    assert form is None
    assert pd.Series([found]).str.match(note).all(), found


@pytest.mark.parametrize(
    ("decimal", "values"),
    [(None, [1234, 2345]), (".", [1234, 2345]), (",", [1.234, 2.345])],
)
def test_other_columns_decide_what_a_lone_comma_is(decimal, values):
    texts = pd.Series(["1,234", "2,345"])
    form, _ = find(texts, decimal)
    assert form.parse(texts).tolist() == values
    assert form.write(pd.Series(values, dtype=float)).tolist() == texts.tolist()
    assert form.doubt == (decimal is None)
    assert ("nothing tells" in form.describe()) == form.doubt


def test_a_tenth_may_be_other_text():
    texts = [str(i) for i in range(1, 11)]
    form, _ = find([*texts, "so"])
    np.testing.assert_array_equal(form.parse(pd.Series(["3", "so"])), [3, np.nan])
    assert find([*texts[:8], "so"])[0] is None


def test_infinity_is_a_number():
    form = NumberFormat()
    found = form.parse(pd.Series(["1", "-inf", "Infinity"]))
    np.testing.assert_array_equal(found, [1, -np.inf, np.inf])


def test_an_entry_of_another_unit_is_none():
    form, _ = find(["$1", "$2", "3"])
    found = form.parse(pd.Series(["$4", "5", "€6", "7%"]))
    np.testing.assert_array_equal(found, [4, 5, np.nan, np.nan])


@quickly
@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20),
    st.integers(0, 4),
    st.sampled_from([".", ","]),
    st.sampled_from(["", "'", " "]),
    st.sampled_from(["{}", "${}", "{} €", "{}%"]),
)
def test_any_numbers_of_a_style_come_back(numbers, decimals, mark, group, style):
    values = [number / 10**decimals for number in numbers]
    swap = str.maketrans({",": group, ".": mark})
    texts = [f"{abs(v):,.{decimals}f}".translate(swap) for v in values]
    signs = ["-" if v < 0 else "" for v in values]
    texts = pd.Series([s + style.format(t) for s, t in zip(signs, texts, strict=True)])
    form, _ = find(texts, mark)
    assert form.parse(texts).tolist() == values
    assert form.write(pd.Series(values)).tolist() == texts.tolist()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1.0, 2.0], "int64"),
        ([1.0, np.nan], "Int64"),
        ([1.5, np.nan], "float64"),
        ([1.0, 2.0**53], "float64"),
        ([np.nan, np.nan], "float64"),
    ],
)
def test_whole_floats_become_integers(values, dtype):
    assert to_integers(pd.Series(values)).dtype == dtype


@pytest.mark.parametrize("text", ["$5 %", "$5 €", "(-5)", "(5", "-$-5", "5)"])
def test_one_sign_and_one_unit_at_most(text):
    """As what is written has one of each, and is read alike."""
    form, _ = find(["$1", "$2", "-$3", "(4)"])
    assert form.parse(pd.Series([text])).isna().all()


@pytest.mark.parametrize("digits", SCRIPTS.values(), ids=list(SCRIPTS))
def test_digits_of_another_script_are_no_numbers_among_others(digits):
    form, _ = find([str(i) for i in range(30)])
    found = form.parse(pd.Series(["7", "12".translate(digits), "\u0131nf"]))
    np.testing.assert_array_equal(found, [7, np.nan, np.nan])
    assert find([str(i).translate(digits) for i in range(30)])[0] is None
