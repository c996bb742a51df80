"""Cells are those that Python's csv module finds, and their bytes are the text."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skvae._files.cells import UnclosedQuote, _split_one_by_one, split

quickly = settings(max_examples=60, deadline=None)

texts = st.text('ab",\n\r é', max_size=30)


def unquote(cell):
    cell = cell.lstrip(" ")
    if not cell.startswith('"'):
        return cell
    inner, place = "", 1
    while True:
        close = cell.index('"', place)
        inner += cell[place:close]
        if cell[close + 1 : close + 2] != '"':
            return inner + cell[close + 1 :]
        inner, place = f'{inner}"', close + 2


def lines_of(text, cells):
    found = [text[i:j].decode() for i, j in zip(cells.starts, cells.ends, strict=True)]
    edges = zip(cells.first[:-1], cells.first[1:], strict=True)
    return [[unquote(cell) for cell in found[i:j]] for i, j in edges]


@quickly
@given(texts)
def test_cells_are_those_of_csv(text):
    content = text.encode()
    try:
        cells = split(content, b",")
    except UnclosedQuote:
        return
    rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    expected = [row or [""] for row in rows]
    assert lines_of(content, cells) == expected


@quickly
@given(texts)
def test_both_ways_to_split_agree(text):
    """The quick way gives up where quotes do not stand at the edges of cells."""
    content = text.encode()
    try:
        slow = _split_one_by_one(content, b",", b'"')
    except UnclosedQuote:
        with pytest.raises(UnclosedQuote):
            split(content, b",")
        return
    quick = split(content, b",")
    for name in "starts", "ends", "first":
        assert getattr(quick, name).tolist() == getattr(slow, name).tolist()


def test_quote_that_never_closes_is_found_where_it_opens():
    with pytest.raises(UnclosedQuote) as error:
        split(b'a,b\n1,"2\n', b",")
    assert error.value.args == (6,)
