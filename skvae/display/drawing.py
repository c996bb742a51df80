"""Helpers of the displays: bars, rows of images, classes with a legend, new figures."""

import numpy as np
import pandas as pd

from skvae._printable import NAME_WIDTH, printable

MAX_CLASSES = 20
MANY_ROWS = 1_000  # of a class, enough to find its middle


def draw_bars(ax, scores, names, max_items, title):
    """Draw the score of each column as a bar, for one or more methods, best first.

    Parameters
    ----------
    ax : matplotlib Axes
        Axes to draw on.

    scores : dict of str to ndarray of shape (n_columns,)
        The scores of each method, which are 1 at most and NaN where there is none. The
        columns are ordered by the scores of the last method.

    names : sequence of str
        Names of the columns.

    max_items : int
        The maximum number of columns; if there are more, the best and the worst are
        drawn, with a gap in between.

    title : str
        What the scores are.
    """
    last = list(scores.values())[-1]
    known = np.flatnonzero(~np.isnan(last))
    order = known[best_and_worst(last[known], max_items)]
    places = np.arange(len(order))
    if len(order) < len(known):  # the gap
        places[(len(order) + 1) // 2 :] += 1
    height = 0.8 / len(scores)
    for i, (method, values) in enumerate(scores.items()):
        at = places + (i - (len(scores) - 1) / 2) * height
        color = "C0" if i == len(scores) - 1 else str(0.75 - 0.2 * i)
        ax.barh(at, np.maximum(values[order], 0), height, label=method, color=color)
    ax.set(xlim=(0, 1), xlabel=title)
    ax.set_yticks(places, [as_text(names[j], 24) for j in order])
    ax.invert_yaxis()
    if len(scores) > 1:
        ax.legend(
            loc="lower right",
            bbox_to_anchor=(1, 1),
            borderaxespad=0,
            ncols=len(scores),
            frameon=False,
        )


def best_and_worst(values, max_items):
    """Return the indices of the largest and the smallest values, largest first.

    Parameters
    ----------
    values : array-like of shape (n_values,)
        Values without NaN.

    max_items : int
        The maximum number of indices, half of them of the smallest values.

    Returns
    -------
    ndarray of int
        Each index at most once.

    Examples
    --------
    >>> from skvae.display.drawing import best_and_worst
    >>> best_and_worst([.1, .9, .5, .7], 2), best_and_worst([.1, .9, .5, .7], 4)
    (array([1, 0]), array([1, 3, 2, 0]))
    """
    order = np.argsort(-np.asarray(values), kind="stable")
    if len(order) <= max_items:
        return order
    n_worst = max_items // 2
    return np.concatenate([order[: max_items - n_worst], order[len(order) - n_worst :]])


def draw_image_rows(ax, rows, image_shape, vmax=None):
    """Draw rows of grey images on one grey scale.

    Parameters
    ----------
    ax : matplotlib Axes
        Axes to draw on.

    rows : dict of str to ndarray of shape (n_images, n_pixels)
        The images of each row, by the label of the row.

    image_shape : tuple of int
        Height and width of an image.

    vmax : float, default=None
        The value that is drawn black. If `None`, the largest value of the first row.
    """
    vmax = np.max(next(iter(rows.values()))) if vmax is None else vmax
    height, width = image_shape
    n = max(len(images) for images in rows.values())
    sheet = np.full((len(rows) * (height + 1) - 1, n * (width + 1) - 1), np.nan)
    for i, images in enumerate(rows.values()):
        for j, image in enumerate(images):
            top, left = i * (height + 1), j * (width + 1)
            sheet[top : top + height, left : left + width] = image.reshape(image_shape)
    ax.imshow(sheet, cmap="gray_r", vmin=0, vmax=vmax, interpolation="nearest")
    middles = np.arange(len(rows)) * (height + 1) + (height - 1) / 2
    ax.set_yticks(middles, list(rows))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def as_labels(y):
    """Return the labels of rows as an array.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Numbers, booleans, categories or text; some may be missing.

    Returns
    -------
    ndarray of shape (n_samples,)
        Numbers are floats, NaN where missing; any other labels are objects.
    """
    y = y if isinstance(y, pd.Series) else pd.Series(np.asarray(y))
    if pd.api.types.is_numeric_dtype(y) and not pd.api.types.is_bool_dtype(y):
        return y.to_numpy(dtype=np.float64, na_value=np.nan)
    return y.to_numpy(dtype=object)


def is_continuous(labels):
    """Return whether labels are those of a regression, not classes.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Output of `as_labels`.

    Returns
    -------
    bool
        True for numbers with more than 20 distinct values.
    """
    return labels.dtype.kind == "f" and len(np.unique(labels)) > MAX_CLASSES


def split_classes(labels):
    """Yield each class as its rows, its name and its colour.

    If there are more than 20 classes, the rarest are one class, "other"; rows without a
    label are in it too, or in a class "missing".

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Output of `as_labels`.

    Yields
    ------
    rows : ndarray of shape (n_samples,)
        Boolean mask.

    name : str
        Name of the class.

    color : tuple of float
        Colour of the class.
    """
    from matplotlib import colormaps

    missing = pd.isna(labels)
    names = np.array([class_name(label) for label in labels], dtype=object)
    present = (labels if labels.dtype.kind == "f" else names)[~missing]
    classes, counts = np.unique(present, return_counts=True)
    if len(classes) > MAX_CLASSES:
        common = np.argsort(-counts, kind="stable")[: MAX_CLASSES - 1]
        classes = classes[np.sort(common)]
    colors = colormaps["tab10" if len(classes) <= 10 else "tab20"](range(len(classes)))
    rest = np.ones(len(labels), dtype=bool)
    for label, color in zip(classes, colors, strict=True):
        rows = ~missing & (names == class_name(label))
        rest &= ~rows
        yield rows, class_name(label), color
    if rest.any():
        yield rest, "missing" if (rest == missing).all() else "other", (0.6, 0.6, 0.6)


def class_name(label):
    """Return the name of the class that a label stands for.

    Integer labels are floats where others are missing; they are named as integers.

    Parameters
    ----------
    label : object
        A label of a row.

    Returns
    -------
    str

    Examples
    --------
    >>> from skvae.display.drawing import class_name
    >>> class_name(3.0), class_name(0.5), class_name("a")
    ('3', '0.5', 'a')
    """
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


def as_text(name, most=NAME_WIDTH):
    r"""Return a name as text that matplotlib draws as it is.

    Parameters
    ----------
    name : object
        A name from the data.

    Returns
    -------
    str
        Without what would make it a formula, keep it out of the legend, or be too long.

    Examples
    --------
    >>> from skvae.display.drawing import as_text
    >>> print(as_text("price in $, cost in $"))
    price in \$, cost in \$
    """
    text = printable(str(name), most).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def add_legend(ax):
    """Add a legend of the classes to the right of the axes.

    Parameters
    ----------
    ax : matplotlib Axes
        Axes on which each class is drawn with a label.
    """
    legend = ax.legend(
        loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, handletextpad=0.2
    )
    for handle in legend.legend_handles:
        if hasattr(handle, "set_sizes"):
            handle.set_sizes([30])


def label_groups(ax, points, labels):
    """Write the name of each class where most of its rows are.

    Parameters
    ----------
    ax : matplotlib Axes
        Axes on which the rows are drawn.

    points : ndarray of shape (n_samples, 2)
        Where each row is drawn.

    labels : ndarray of shape (n_samples,)
        Output of `as_labels`.
    """
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=3, foreground="white", alpha=0.9)]
    for rows, name, _ in split_classes(labels):
        x, y = find_middle(points[rows])
        ax.text(
            x,
            y,
            as_text(name),
            ha="center",
            va="center",
            fontsize="large",
            fontweight="bold",
            path_effects=halo,
            clip_on=True,
        )


def find_middle(points):
    """Return the point that has a quarter of the points nearest around it.

    So it is in one of several groups of points, not between them.

    Parameters
    ----------
    points : ndarray of shape (n_points, 2)
        At least one.

    Returns
    -------
    ndarray of shape (2,)

    Examples
    --------
    >>> import numpy as np
    >>> from skvae.display.drawing import find_middle
    >>> find_middle(np.array([[0, 0], [0, 1], [0, 2], [40, 5], [50, 9]]))
    array([0, 0])
    """
    some = points[:: -(-len(points) // MANY_ROWS)]
    distances = np.linalg.norm(some[:, None] - some, axis=2)
    return some[np.argmin(np.quantile(distances, 0.25, axis=1))]


def new_figure(figsize):
    """Return a figure that pyplot does not show, laid out without overlaps.

    Parameters
    ----------
    figsize : tuple of float
        Width and height in inches.

    Returns
    -------
    matplotlib Figure
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=figsize, layout="constrained")


def axes_or_new(ax):
    """Return the axes to draw on, which are those of a new figure if none are given.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Axes that were asked for.

    Returns
    -------
    matplotlib Axes
    """
    if ax is not None:
        return ax
    require_matplotlib()
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def require_matplotlib():
    """Raise an error that says how to install matplotlib, unless it is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'Plotting needs matplotlib: pip install "skvae[plot]"'
        ) from error
