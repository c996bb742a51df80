"""Displays of a fitted transformer: its embedding, and what its inverse gives back.

They have scikit-learn's form: `from_estimator` computes and draws, the constructor
takes what was computed elsewhere, `plot` draws again on other axes.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

_MAX_CLASSES = 20


class EmbeddingDisplay:
    """Scatter plot of two components, coloured by class or by value.

    It is recommended to use :meth:`from_estimator` to create a display.

    Parameters
    ----------
    embedding : ndarray of shape (n_samples, n_components)
        Output of ``transform``.

    y : array-like of shape (n_samples,), default=None
        Labels. Numbers with more than 20 distinct values are shown on a colour bar,
        anything else as classes with a legend.

    components : tuple of int, default=(0, 1)
        The components on the two axes. With one component only, its distribution is
        drawn.

    feature_names : sequence of str, default=None
        Names of the components, for the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the scatter plot.

    figure_ : matplotlib Figure
        Figure containing the axes.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from skvae._plotting import EmbeddingDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> display = EmbeddingDisplay(PCA(2).fit_transform(X), y=y)
    >>> display.plot().ax_.get_xlabel()
    'component 0'
    >>> plt.close()
    """

    def __init__(self, embedding, *, y=None, components=(0, 1), feature_names=None):
        self.embedding = embedding
        self.y = y
        self.components = components
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls, estimator, X, *, y=None, components=(0, 1), ax=None, legend=True, **kwargs
    ):
        """Transform ``X`` and draw the embedding.

        Parameters
        ----------
        estimator : estimator instance
            Fitted transformer: a `VAETransformer`, or any other with ``transform``.

        X : {array-like, dataframe} of shape (n_samples, n_features)
            Rows to embed.

        y : array-like of shape (n_samples,), default=None
            Labels to colour the rows by.

        components : tuple of int, default=(0, 1)
            The components on the two axes.

        ax : matplotlib Axes, default=None
            Axes to draw on. If `None`, a new figure is created.

        legend : bool, default=True
            Whether to explain the colours.

        **kwargs : dict
            Keywords of :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : EmbeddingDisplay
            The display, with ``ax_`` and ``figure_`` set.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.decomposition import PCA
        >>> from skvae._plotting import EmbeddingDisplay
        >>> X, y = load_iris(return_X_y=True)
        >>> display = EmbeddingDisplay.from_estimator(PCA(2).fit(X), X, y=y)
        >>> display.ax_.get_xlabel()
        'pca0'
        >>> plt.close()
        """
        check_is_fitted(estimator)
        names = None
        if hasattr(estimator, "get_feature_names_out"):
            names = list(estimator.get_feature_names_out())
        display = cls(
            np.asarray(estimator.transform(X)),
            y=y,
            components=components,
            feature_names=names,
        )
        return display.plot(ax=ax, legend=legend, **kwargs)

    def plot(self, *, ax=None, legend=True, **kwargs):
        """Draw the embedding.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If `None`, a new figure is created.

        legend : bool, default=True
            Whether to explain the colours.

        **kwargs : dict
            Keywords of :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : EmbeddingDisplay
            The display, with ``ax_`` and ``figure_`` set.
        """
        self.ax_ = _axes(ax)
        self.figure_ = self.ax_.figure
        y = None if self.y is None else as_labels(self.y)
        if self.embedding.shape[1] == 1:
            self._plot_distribution(y, legend)
            return self
        n_samples = len(self.embedding)
        style = {
            "s": np.clip(12_000 / n_samples, 2, 25),
            "linewidths": 0,
            "alpha": 0.8,
            "rasterized": n_samples > 5_000,  # a small file in vector formats too
        }
        kwargs = style | kwargs
        x, z = self.embedding[:, list(self.components)].T
        if y is None:
            self.ax_.scatter(x, z, **kwargs)
        elif is_continuous(y):
            points = self.ax_.scatter(x, z, c=y, **kwargs)
            if legend:
                self.figure_.colorbar(points, ax=self.ax_)
        else:
            for rows, label, color in _classes(y):
                self.ax_.scatter(x[rows], z[rows], color=color, label=label, **kwargs)
            if legend:
                add_legend(self.ax_)
        self.ax_.set(xlabel=self._name(0), ylabel=self._name(1))
        return self

    def _plot_distribution(self, y, legend):
        column = self.embedding[:, 0]
        edges = np.histogram_bin_edges(column, bins=min(50, max(5, len(column) // 20)))
        if y is None or is_continuous(y):
            self.ax_.hist(column, bins=edges)
        else:
            for rows, label, color in _classes(y):
                self.ax_.hist(
                    column[rows], bins=edges, color=color, label=label, alpha=0.5
                )
            if legend:
                add_legend(self.ax_)
        self.ax_.set(xlabel=self._name(0), ylabel="rows")

    def _name(self, axis):
        component = self.components[axis]
        if self.feature_names is None:
            return f"component {component}"
        return self.feature_names[component]


class ReconstructionDisplay:
    """What comes back from ``inverse_transform(transform(X))``.

    With ``image_shape``, rows of images: the real ones above the reconstructed ones.
    Without, the R2 of each column, best first.

    It is recommended to use :meth:`from_estimator` to create a display.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Real rows.

    reconstructions : dict of str to ndarray of shape (n_samples, n_features)
        What each method gave back, by the method's name.

    image_shape : tuple of int, default=None
        Height and width of the image that a row holds.

    feature_names : sequence of str, default=None
        Names of the columns.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the images or the bars.

    figure_ : matplotlib Figure
        Figure containing the axes.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skvae._plotting import ReconstructionDisplay
    >>> X = load_digits().data
    >>> few, many = PCA(2).fit(X), PCA(20).fit(X)
    >>> display = ReconstructionDisplay(
    ...     X,
    ...     {"2": few.inverse_transform(few.transform(X)),
    ...      "20": many.inverse_transform(many.transform(X))},
    ...     image_shape=(8, 8),
    ... )
    >>> [label.get_text() for label in display.plot().ax_.get_yticklabels()]
    ['real', '2', '20']
    >>> plt.close()
    """

    def __init__(self, X, reconstructions, *, image_shape=None, feature_names=None):
        self.X = X
        self.reconstructions = reconstructions
        self.image_shape = image_shape
        self.feature_names = feature_names

    @classmethod
    def from_estimator(cls, estimator, X, *, image_shape=None, ax=None, max_items=None):
        """Transform ``X`` there and back, and draw what came back.

        Parameters
        ----------
        estimator : estimator instance
            Fitted transformer with ``inverse_transform``.

        X : {array-like, dataframe} of shape (n_samples, n_features)
            Rows that ``fit`` has not seen, for an honest picture.

        image_shape : tuple of int, default=None
            Height and width of the image that a row holds. If `None`, the R2 of each
            column is drawn.

        ax : matplotlib Axes, default=None
            Axes to draw on. If `None`, a new figure is created.

        max_items : int, default=None
            The most images (the first ones), or columns (the best and worst ones), to
            draw. If `None`, 10 images or 20 columns.

        Returns
        -------
        display : ReconstructionDisplay
            The display, with ``ax_`` and ``figure_`` set.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.decomposition import PCA
        >>> from skvae._plotting import ReconstructionDisplay
        >>> X = load_iris(as_frame=True).data
        >>> display = ReconstructionDisplay.from_estimator(PCA(1).fit(X), X)
        >>> display.ax_.get_yticklabels()[0].get_text()
        'petal length (cm)'
        >>> plt.close()
        """
        check_is_fitted(estimator)
        back = np.asarray(estimator.inverse_transform(estimator.transform(X)))
        display = cls(
            np.asarray(X),
            {type(estimator).__name__: back},
            image_shape=image_shape,
            feature_names=list(X.columns) if hasattr(X, "columns") else None,
        )
        return display.plot(ax=ax, max_items=max_items)

    def plot(self, *, ax=None, max_items=None):
        """Draw the images or the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If `None`, a new figure is created.

        max_items : int, default=None
            The most images (the first ones), or columns (the best and worst ones), to
            draw. If `None`, 10 images or 20 columns.

        Returns
        -------
        display : ReconstructionDisplay
            The display, with ``ax_`` and ``figure_`` set.
        """
        self.ax_ = _axes(ax)
        self.figure_ = self.ax_.figure
        if self.image_shape is not None:
            rows = {"real": self.X} | self.reconstructions
            n = 10 if max_items is None else max_items
            rows = {name: images[:n] for name, images in rows.items()}
            draw_image_rows(self.ax_, rows, self.image_shape)
        else:
            self._plot_bars(20 if max_items is None else max_items)
        return self

    def _plot_bars(self, max_columns):
        names = self.feature_names
        if names is None:
            names = [f"x{j}" for j in range(self.X.shape[1])]
        r2 = {
            name: r2_score(self.X, back, multioutput="raw_values")
            for name, back in self.reconstructions.items()
        }
        draw_bars(self.ax_, r2, names, max_columns, "R² of the column")


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
    >>> from skvae._plotting import best_and_worst
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
    return labels.dtype.kind == "f" and len(np.unique(labels)) > _MAX_CLASSES


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
    _require_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=figsize, layout="constrained")


def _axes(ax):
    if ax is not None:
        return ax
    _require_matplotlib()
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def _require_matplotlib():
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'Plotting needs matplotlib: pip install "skvae[plot]"'
        ) from error


def _classes(labels):
    """Yield the rows, the name and the colour of each class; the rarest as "other"."""
    from matplotlib import colormaps

    missing = pd.isna(labels)
    names = np.array([_label_name(label) for label in labels], dtype=object)
    present = (labels if labels.dtype.kind == "f" else names)[~missing]
    classes, counts = np.unique(present, return_counts=True)
    if len(classes) > _MAX_CLASSES:
        common = np.argsort(-counts, kind="stable")[: _MAX_CLASSES - 1]
        classes = classes[np.sort(common)]
    colors = colormaps["tab10" if len(classes) <= 10 else "tab20"](range(len(classes)))
    rest = np.ones(len(labels), dtype=bool)
    for label, color in zip(classes, colors, strict=True):
        rows = ~missing & (names == _label_name(label))
        rest &= ~rows
        yield rows, _label_name(label), color
    if rest.any():
        yield rest, "missing" if (rest == missing).all() else "other", (0.6, 0.6, 0.6)


def _label_name(label):
    """Name a class; integers that missing values made floats are integers again."""
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)
