import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skvae._cleaning.dates import find_date_format, find_digits

quickly = settings(max_examples=60, deadline=None)


def find(texts):
    return find_date_format(dict.fromkeys(texts, 1))


@pytest.mark.parametrize(
    ("texts", "dates"),
    [
        ("2020-01-02|2020-03-04", "2020-01-02|2020-03-04"),
        ("2020-01-02 10:30:00|2020-03-04 00:00:00", "2020-01-02 10:30|2020-03-04"),
        (
            "2020-01-02T10:30:00Z|2020-01-03T10:30:00Z",
            "2020-01-02 10:30Z|2020-01-03 10:30Z",
        ),
        (
            "2020-01-02 10:30:00+02:00|2020-01-03 10:30:00+02:00",
            "2020-01-02 08:30Z|2020-01-03 08:30Z",
        ),
        (
            "2020-01-02 10:30:00.125|2020-01-02 10:30:00.250",
            "2020-01-02 10:30:00.125|2020-01-02 10:30:00.250",
        ),
        ("1/2/2020|13/2/2020", "2020-02-01|2020-02-13"),
        ("01/02/2020|02/13/2020", "2020-01-02|2020-02-13"),
        ("1.2.2020|31.12.2020", "2020-02-01|2020-12-31"),
        ("01. 02. 2020|31. 12. 2020", "2020-02-01|2020-12-31"),
        ("2020/01/02|2020/01/13", "2020-01-02|2020-01-13"),
        ("2020.01.02|2020.01.13", "2020-01-02|2020-01-13"),
        ("25/03/21|01/04/21", "2021-03-25|2021-04-01"),
        ("03/25/21|04/01/21", "2021-03-25|2021-04-01"),
        ("03/25/2021 12:00 AM|04/01/2021 01:30 PM", "2021-03-25|2021-04-01 13:30"),
        ("3/25/2021 9:05|4/1/2021 10:30", "2021-03-25 09:05|2021-04-01 10:30"),
        ("25.03.2021 09:05|01.04.2021 10:30", "2021-03-25 09:05|2021-04-01 10:30"),
        ("2-Jan-2020|13-Feb-2020", "2020-01-02|2020-02-13"),
        ("02-JAN-20|13-FEB-20", "2020-01-02|2020-02-13"),
        ("02JAN2020|13FEB2020", "2020-01-02|2020-02-13"),
        ("Jan 2, 2020|Feb 13, 2020", "2020-01-02|2020-02-13"),
        ("January 2, 2020|February 13, 2020", "2020-01-02|2020-02-13"),
        ("2 January 2020|13 February 2020", "2020-01-02|2020-02-13"),
        (
            "Thu, 02 Jan 2020 10:30:00|Thu, 13 Feb 2020 10:30:00",
            "2020-01-02 10:30|2020-02-13 10:30",
        ),
        ("20210325|20210401|20201231", "2021-03-25|2021-04-01|2020-12-31"),
        ("202103|202104|202012", "2021-03-01|2021-04-01|2020-12-01"),
        (
            "20210325093000|20210401093000|20201231093000",
            "2021-03-25 09:30|2021-04-01 09:30|2020-12-31 09:30",
        ),
    ],
)
def test_dates_are_read_and_written_as_they_were(texts, dates):
    texts = pd.Series(texts.split("|"))
    form, note = find(texts)
    assert note == ""
    found = form.parse(texts)
    expected = pd.Series(pd.to_datetime(dates.split("|"), format="ISO8601"))
    pd.testing.assert_series_equal(found, expected, check_dtype=False)
    assert form.write(found).tolist() == texts.tolist()


@pytest.mark.parametrize(
    ("texts", "note"),
    [
        (
            "1/2/2020|3/4/2020",
            "text that looks like dates, .*: day and month cannot be told",
        ),
        (
            "01/02/21|03/04/21",
            "text that looks like dates, .*: day and month cannot be told",
        ),
        ("2009-10|2010-11", "text that looks like dates, such as '2009-10', not read"),
        ("10:30|11:30", "text that looks like dates, such as '10:30', not read"),
        (
            "\u0661\u0663/\u0661/\u0662\u0660\u0662\u0660|\u0661/\u0662/\u0662\u0660\u0662\u0660",
            "text that looks like dates, .*, not read$",
        ),
        ("2020-01-02|soon", "$"),
        ("red|blue", "$"),
        ("May|June", "$"),
        ("1|2", "$"),
        ("1.5|2.25", "$"),
        ("20210325|20210399|20201231", "$"),
        ("10210325|20210325|20201231", "$"),
        ("20210325|20210326", "$"),  # two numbers may be dates by chance
    ],
)
def test_what_looks_like_dates_is_said(texts, note):
    form, found = find(texts.split("|"))
    assert form is None
    assert pd.Series([found]).str.match(note).all(), found


def test_mixed_iso_is_written_as_most_are():
    texts = pd.Series(["2020-01-02", "2020-01-03", "2020-01-04 10:30:00"])
    form, _ = find(texts)
    assert form.parse(texts)[2] == pd.Timestamp("2020-01-04 10:30")
    assert form.write(form.parse(texts[:2])).tolist() == texts[:2].tolist()


def test_whole_numbers_may_be_dates():
    numbers = pd.Series([20210325, 20210401, 20201231])
    form = find_digits(numbers)
    found = form.parse(numbers)
    assert found.dt.month.tolist() == [3, 4, 12]
    pd.testing.assert_series_equal(form.write(found), numbers)
    assert find_digits(pd.Series([20210325, 20210401, 20201331])) is None
    assert find_digits(pd.Series([1, 2, 3])) is None


FORMS = [
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%Y%m%d",
    "%d %b %Y",
    "%Y-%m-%d %H:%M",
    "%d/%m/%y %H:%M:%S",
]


@quickly
@given(
    st.lists(st.integers(0, 20_000), min_size=30, max_size=40, unique=True),
    st.sampled_from(FORMS),
)
def test_any_dates_of_a_format_come_back(days, form):
    days = pd.Series(pd.Timestamp("1980-01-01") + pd.to_timedelta(days, unit="D"))
    texts = days.dt.strftime(form)
    found, note = find(texts)
    if found is None:
        assert "cannot be told apart" in note
        return
    assert found.write(found.parse(texts)).tolist() == texts.tolist()
    assert found.form == form or "b" in form


@pytest.mark.parametrize("odd", ["99999999", "0", "20210231", "n/k"])
def test_one_odd_entry_leaves_the_others_dates(odd):
    days = pd.date_range("2019-01-01", periods=40, freq="17D").strftime("%Y%m%d")
    form = find_digits(pd.Series([*days, odd]))
    dates = form.parse(pd.Series([*days, odd]))
    assert dates.iloc[:40].dt.strftime("%Y%m%d").tolist() == list(days)
    assert find_digits(pd.Series([*days[:4], *(f"{i:08d}" for i in range(36))])) is None
