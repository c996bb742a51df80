"""Bars, rows of images and labels, whatever picture they are in."""

import io
import re
import sys

import numpy as np
import pandas as pd
import pytest

from skvae.display import EmbeddingDisplay, ReconstructionDisplay
from skvae.display.drawing import (
    MAX_CLASSES,
    as_labels,
    as_text,
    best_and_worst,
    draw_bars,
    draw_image_rows,
    is_continuous,
    new_figure,
    split_classes,
)


@pytest.mark.parametrize(
    ("y", "continuous"),
    [
        (np.arange(20), False),
        (np.arange(21), True),
        (np.linspace(0, 1, 21), True),
        ([str(i) for i in range(50)], False),
    ],
)
def test_is_continuous(y, continuous):
    assert is_continuous(as_labels(y)) == continuous


def test_image_rows_share_one_grey_scale(ax):
    draw_image_rows(ax, {"real": np.full((1, 6), 4.0), "new": np.ones((2, 6))}, (2, 3))
    (image,) = ax.images
    assert image.get_clim() == (0, 4)
    sheet = image.get_array()
    assert sheet.shape == (5, 7)
    assert np.ma.masked_invalid(sheet[:2, 4:]).mask.all()  # no second real image


@pytest.mark.parametrize(
    ("n", "max_items", "expected"),
    [(5, 10, [0, 1, 2, 3, 4]), (5, 4, [0, 1, 3, 4]), (5, 3, [0, 1, 4]), (0, 3, [])],
)
def test_best_and_worst(n, max_items, expected):
    assert list(best_and_worst(-np.arange(n), max_items)) == expected


@pytest.mark.parametrize(
    "draw",
    [
        EmbeddingDisplay(np.eye(3)).plot,
        ReconstructionDisplay(np.eye(3), {"same": np.eye(3)}).plot,
        lambda: new_figure((4, 3)),
    ],
)
def test_without_matplotlib_the_error_says_how_to_install_it(monkeypatch, draw):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "skvae\[plot\]"'):
        draw()


def test_figure_is_not_shown_by_pyplot(plt):
    figure = new_figure((4, 3))
    assert plt.get_fignums() == []
    assert tuple(figure.get_size_inches()) == (4, 3)


def test_each_methods_bars_are_its_figures_in_the_order_of_the_last(ax):
    figures = {"first": np.array([0.1, 0.9, 0.2]), "last": np.array([0.5, 0.3, 0.8])}
    draw_bars(ax, figures, ["a", "b", "c"], 9, "share")
    first, last = ax.containers
    assert [bar.get_width() for bar in last] == [0.8, 0.5, 0.3]
    assert [bar.get_width() for bar in first] == [0.2, 0.1, 0.9]
    assert (first.get_label(), last.get_label()) == ("first", "last")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["c", "a", "b"]
    for tick, *bars in zip(ax.get_yticks(), first, last, strict=True):
        above, below = (bar.get_y() + bar.get_height() / 2 for bar in bars)
        assert above < tick < below  # the axis points down
        assert (above + below) / 2 == pytest.approx(tick)
    assert ax.yaxis_inverted()
    assert ax.get_xlabel() == "share"


def test_columns_without_a_figure_have_no_bar_and_negative_ones_an_empty_one(ax):
    draw_bars(ax, {"only": np.array([0.5, np.nan, -3.0])}, ["a", "b", "c"], 9, "R²")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "c"]
    assert [bar.get_width() for bar in ax.patches] == [0.5, 0]
    assert ax.get_legend() is None


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([3, 1], np.array([3.0, 1.0])),
        (pd.Series([3, None], dtype="Int64"), np.array([3.0, np.nan])),
        ([True, False], np.array([True, False], dtype=object)),
        (["b", "a"], np.array(["b", "a"], dtype=object)),
        (pd.Series(["b", "a"], dtype="category"), np.array(["b", "a"], dtype=object)),
    ],
)
def test_labels_are_floats_or_objects(y, expected):
    found = as_labels(y)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


def test_every_row_is_of_one_class():
    labels = as_labels(["b", None, "a", "b"] + [f"rare {i}" for i in range(40)])
    rows, names, _ = zip(*split_classes(labels), strict=True)
    np.testing.assert_array_equal(np.sum(rows, axis=0), 1)
    assert len(names) == MAX_CLASSES
    assert names[-1] == "other"  # the missing label among them
    by_name = dict(zip(names, rows, strict=True))
    assert np.flatnonzero(by_name["b"]).tolist() == [0, 3]


def test_the_darkest_grey_is_the_one_given(ax):
    draw_image_rows(ax, {"real": np.full((1, 6), 4.0)}, (2, 3), vmax=9)
    assert ax.images[0].get_clim() == (0, 9)


HOSTILE = {
    "$\\frac$": "$\\frac$",  # a formula with a mistake in it
    "a $ and a $": "a $ and a $",
    "_hidden": " _hidden",  # matplotlib's way to keep an artist out of a legend
    "bell\a\x1b[2J\u202e": r"bell\x07\x1b[2J\u202e",
    "half \ud800": r"half \ud800",
    "long " * 9_999: f"{'long ' * 5}...g long long ",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_drawn_as_they_are(plt, name):
    """As an axis' name, a class and a column; in the end as text of a picture."""
    with plt.rc_context({"svg.fonttype": "none"}):
        figure, (left, right) = plt.subplots(1, 2)
        y = pd.Series([name, "b", "b"], dtype=object)
        display = EmbeddingDisplay(np.eye(3), y=y, feature_names=[name] * 2)
        display.plot(ax=left)
        draw_bars(right, {"R2": np.array([0.5])}, [name], 9, "R2")
        picture = io.StringIO()
        figure.savefig(picture, format="svg")
    texts = re.findall("<text[^>]*>(.*?)</text>", picture.getvalue())
    drawn = HOSTILE[name].replace(">", "&gt;")
    is_long = len(drawn) > 24  # for the name of a bar
    assert texts.count(drawn) == 4 - is_long
    assert sum(text.startswith(drawn[:9]) for text in texts) == 4
    assert max(map(len, texts)) <= 41


def test_text_of_any_object():
    assert as_text(2.5) == "2.5"
