"""What the pictures share: bars, rows of images, legends and labels."""

import numpy as np
import pandas as pd

MAX_CLASSES = 20


def draw_bars(ax, figures, names, max_items, title):
    """Draw a figure of each column for each method, best first.

    Parameters
    ----------
    ax : matplotlib Axes
        Axes to draw on.

    figures : dict of str to ndarray of shape (n_columns,)
        At most 1, by the method's name; NaN where there is none. The last method's
        order the columns.

    names : sequence of str
        Of the columns.

    max_items : int
        The most columns to draw: the best and worst ones.

    title : str
        What the figures are.
    """
    last = list(figures.values())[-1]
    known = np.flatnonzero(~np.isnan(last))
    order = known[best_and_worst(last[known], max_items)]
    places = np.arange(len(order))
    if len(order) < len(known):  # a gap between the best and the worst
        places[(len(order) + 1) // 2 :] += 1
    height = 0.8 / len(figures)
    for i, (name, values) in enumerate(figures.items()):
        at = places + (i - (len(figures) - 1) / 2) * height
        color = "C0" if i == len(figures) - 1 else str(0.75 - 0.2 * i)
        ax.barh(at, np.maximum(values[order], 0), height, label=name, color=color)
    ax.set(xlim=(0, 1), xlabel=title)
    ax.set_yticks(places, [str(names[j]) for j in order])
    ax.invert_yaxis()
    if len(figures) > 1:
        ax.legend(
            loc="lower right",
            bbox_to_anchor=(1, 1),
            borderaxespad=0,
            ncols=len(figures),
            frameon=False,
        )


def best_and_worst(values, max_items):
    """Return the indices of the largest and smallest values, largest first, each once.

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


def as_labels(y):
    """Return labels as an array: numbers as floats, with NaN where they are missing."""
    y = y if isinstance(y, pd.Series) else pd.Series(np.asarray(y))
    if pd.api.types.is_numeric_dtype(y) and not pd.api.types.is_bool_dtype(y):
        return y.to_numpy(dtype=np.float64, na_value=np.nan)
    return y.to_numpy(dtype=object)


def is_continuous(labels):
    """Whether labels are values rather than classes: numbers, many of them distinct."""
    return labels.dtype.kind == "f" and len(np.unique(labels)) > MAX_CLASSES


def draw_image_rows(ax, rows, image_shape, vmax=None):
    """Draw one row of images per entry, all on one grey scale.

    Parameters
    ----------
    ax : matplotlib Axes
        Axes to draw on.

    rows : dict of str to ndarray of shape (n_images, n_pixels)
        Images by the row's name.

    image_shape : tuple of int
        Height and width of an image.

    vmax : float, default=None
        The value drawn black. If `None`, the largest of the first row.
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


def add_legend(ax):
    """Explain the colours of the classes beside ``ax``."""
    legend = ax.legend(
        loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, handletextpad=0.2
    )
    for handle in legend.legend_handles:
        if hasattr(handle, "set_sizes"):
            handle.set_sizes([30])


def new_figure(figsize):
    """Return a figure that no window shows, laid out without overlaps."""
    require_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=figsize, layout="constrained")


def axes_or_new(ax):
    """Return the axes, or those of a new figure where there are none."""
    if ax is not None:
        return ax
    require_matplotlib()
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def require_matplotlib():
    """Raise an error that says how to install matplotlib where it is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'Plotting needs matplotlib: pip install "skvae[plot]"'
        ) from error


def classes(labels):
    """Yield the rows, the name and the colour of each class; the rarest as "other"."""
    from matplotlib import colormaps

    missing = pd.isna(labels)
    names = np.array([label_name(label) for label in labels], dtype=object)
    present = (labels if labels.dtype.kind == "f" else names)[~missing]
    classes, counts = np.unique(present, return_counts=True)
    if len(classes) > MAX_CLASSES:
        common = np.argsort(-counts, kind="stable")[: MAX_CLASSES - 1]
        classes = classes[np.sort(common)]
    colors = colormaps["tab10" if len(classes) <= 10 else "tab20"](range(len(classes)))
    rest = np.ones(len(labels), dtype=bool)
    for label, color in zip(classes, colors, strict=True):
        rows = ~missing & (names == label_name(label))
        rest &= ~rows
        yield rows, label_name(label), color
    if rest.any():
        yield rest, "missing" if (rest == missing).all() else "other", (0.6, 0.6, 0.6)


def label_name(label):
    """Name a class; integers that missing values made floats are integers again."""
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)
