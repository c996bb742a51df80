"""Columns to normal scores and back: the maps of ``scaling="quantile"``.

A column's values are cut into cells. A value that many rows share, such as 0 or an
answer, has a cell of its own: it is a point mass. Other values share a cell with their
neighbours, within which the map is linear. Each cell's edges have the normal scores of
the share of rows below. So a point mass is an interval of scores, and its density in
the column's units is the interval's mass, spread evenly over its cell: densities
integrate to 1 whatever the column is made of.
"""

import numpy as np
from scipy.special import ndtr, ndtri

POINT_ROWS, POINT_SHARE = 3, 0.01  # at least so many rows make a value a point mass
CELL_ROWS, MOST_CELLS = 20, 200  # of the values that are none
MOST_VALUES = 10_000  # that are remembered of a column
LEAST_GAP = 1e-290  # smaller ones have no slope that is finite
DECIMALS = range(-6, 7)


class Marginal:
    """The map of one column; m cells.

    Parameters
    ----------
    edges : ndarray of shape (m + 1,)
        Of the cells, in the units of the column, increasing.
    scores : ndarray of shape (m + 1,)
        Normal scores of the edges, increasing.
    points : ndarray of shape (m,)
        The value that has the cell to itself, or NaN.
    tail : float
        Units per score beyond the outermost edges, at least; no less than within the
        outermost cells.
    decimals : int or None
        To how many decimals all values were rounded; -1 is tens.
    values : ndarray of shape (n_values,)
        All there were, increasing, if most rows share theirs with another; else empty.
    """

    def __init__(self, edges, scores, points, tail, decimals, values):
        self.edges, self.scores, self.points = edges, scores, points
        self.decimals, self.values = decimals, values
        widths, is_point = np.diff(edges), ~np.isnan(points)
        slopes = np.diff(scores) / widths
        tails = 1 / np.maximum(tail, np.where(is_point, 0, 1 / slopes)[[0, -1]])
        per_unit = np.where(is_point, 1 / widths, slopes)
        density = np.exp(-0.5 * scores**2) / np.sqrt(2 * np.pi)
        centers = -np.diff(density) / np.diff(ndtr(scores))
        # From here on the tails are the first and the last cell.
        self._slopes = np.concatenate([tails[:1], slopes, tails[1:]])
        self._log_slopes = np.log(np.concatenate([tails[:1], per_unit, tails[1:]]))
        self._is_point = np.concatenate([[False], is_point, [False]])
        self._centers = np.concatenate([[0], centers, [0]])

    @property
    def ends(self):
        """Least and largest value that there was."""
        first, last = self.points[[0, -1]]
        low, high = self.edges[[0, -1]]
        return low if np.isnan(first) else first, high if np.isnan(last) else last

    @property
    def has_points(self):
        return bool(self._is_point.any())

    def forward(self, x):  # (n,) -> (n,)
        """Return normal scores; a point mass has the mean of its interval."""
        cell, score = self._score(x)
        return np.where(self._is_point[cell], self._centers[cell], score)

    def backward(self, score):  # (n,) -> (n,)
        """Value of each normal score, one of the column's or as rounded as those.

        Where the column ends in a point mass, nothing lies beyond it.
        """
        cell = np.searchsorted(self.scores, score, side="right")
        anchor = np.maximum(cell - 1, 0)
        x = self.edges[anchor] + (score - self.scores[anchor]) / self._slopes[cell]
        points = np.concatenate([self.points[:1], self.points, self.points[-1:]])[cell]
        x = np.where(np.isnan(points), x, points)
        if len(self.values):
            middles = (self.values[1:] + self.values[:-1]) / 2
            return self.values[np.searchsorted(middles, x)]
        return x if self.decimals is None else np.round(x, self.decimals)

    def interval(self, x):  # (n,) -> (2, n)
        """Least and largest score that each value has; the same but in point masses."""
        cell, score = self._score(x)
        low = np.concatenate([[0], self.scores])[cell]
        high = np.concatenate([self.scores, [0]])[cell]
        is_point = self._is_point[cell]
        return np.where(is_point, [low, high], score)

    def log_slope(self, x):  # (n,) -> (n,)
        """Return what a log-density gains on its way from scores to units."""
        cell = np.searchsorted(self.edges, x, side="right")
        return self._log_slopes[cell]

    def _score(self, x):
        """Return the cell of each value, the tails being the first and last, and T."""
        cell = np.searchsorted(self.edges, x, side="right")
        anchor = np.maximum(cell - 1, 0)
        return cell, self.scores[anchor] + (x - self.edges[anchor]) * self._slopes[cell]


def fit_marginal(x):
    """Return the map of a column to normal scores.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Finite values, of which some may be repeated, or all.

    Returns
    -------
    dict
        The arguments of a `Marginal`.
    """
    decimals, is_double = _decimals(x), x.dtype == np.float64
    x, n = x.astype(np.float64), len(x)
    if decimals is not None and not is_double:
        x = np.round(x, decimals)  # what single precision stands for
    values, counts = _distinct(x)
    is_point = counts >= max(POINT_ROWS, POINT_SHARE * n)
    is_point |= len(values) == 1
    first = _first_of_cells(counts, is_point, max(CELL_ROWS, n / MOST_CELLS))
    last = np.append(first[1:] - 1, len(values) - 1)
    is_point = is_point[first]
    inner = (values[last[:-1]] + values[first[1:]]) / 2
    reach = np.full(2, max(0.5, 1e-9 * abs(values[0])))  # of a constant
    if len(inner):
        reach = np.abs(values[[0, -1]] - inner[[0, -1]])
    ends = values[[0, -1]] + [-1, 1] * reach * is_point[[0, -1]]
    below = np.concatenate([[0], counts.cumsum()[last]])
    return {
        "edges": np.concatenate([ends[:1], inner, ends[1:]]),
        "scores": ndtri((below + 0.5) / (n + 1)),
        "points": np.where(is_point, values[first], np.nan),
        "tail": float(x.std()) or 1.0,
        "decimals": decimals,
        "values": values if _is_grid(counts) else values[:0],
    }


def _distinct(x):
    """Return the distinct values, and how many rows have each.

    Neighbouring floats count as one: nothing lies between them.
    """
    values, counts = np.unique(x, return_counts=True)
    least = np.maximum(np.spacing(np.abs(values)), LEAST_GAP)
    first = np.flatnonzero(np.diff(values, prepend=-np.inf) > least)
    return values[first], np.add.reduceat(counts, first)


def _is_grid(counts):
    """Whether most rows share their value, of not too many, with another row."""
    n_alone = (counts == 1).sum()
    return len(counts) <= MOST_VALUES and 2 * n_alone < counts.sum()


def _first_of_cells(counts, is_point, cell_rows):
    """Return the indices of the values at which a cell begins.

    Outermost cells are cut in two, as there the slope changes fastest.
    """
    begins = is_point.copy()
    runs = np.flatnonzero(np.diff(is_point, prepend=~is_point[0]))
    for start, stop in zip(runs, np.append(runs[1:], len(counts)), strict=True):
        begins[start] = True
        if is_point[start]:
            continue
        rows = counts[start:stop].cumsum()
        n_cells = max(int(rows[-1] // cell_rows), 1)
        cuts = np.arange(1, n_cells) / n_cells
        if start == 0:
            cuts = np.append(cuts, 0.5 / n_cells)
        if stop == len(counts):
            cuts = np.append(cuts, 1 - 0.5 / n_cells)
        begun = start + 1 + np.searchsorted(rows, cuts * rows[-1])
        begins[begun[begun < stop]] = True
    return np.flatnonzero(begins)


def _decimals(x):
    """Return to how many decimals all values are rounded, or None."""
    x, least = x.astype(np.float64), 2 * np.finfo(x.dtype).eps * np.abs(x)
    for decimals in DECIMALS:
        if (np.abs(x - np.round(x, decimals)) <= least).all():
            return decimals
    return None
