"""Bars, rows of images and labels, whatever picture they are in."""

import sys

import numpy as np
import pytest

from skvae.display import EmbeddingDisplay, ReconstructionDisplay
from skvae.display.drawing import (
    as_labels,
    best_and_worst,
    draw_image_rows,
    is_continuous,
    new_figure,
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
