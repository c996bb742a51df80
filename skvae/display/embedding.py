"""The display of an embedding.

As in scikit-learn's displays, `from_estimator` computes and draws, the constructor
takes what is already computed, and `plot` draws, as often as it is called.
"""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skvae.display.drawing import (
    add_legend,
    as_labels,
    as_text,
    axes_or_new,
    is_continuous,
    label_groups,
    split_classes,
)


class EmbeddingDisplay:
    """Scatter plot of two components, coloured by class or by value.

    It is recommended to use :meth:`from_estimator` to create a display.

    Parameters
    ----------
    embedding : ndarray of shape (n_samples, n_components)
        Output of ``transform``.

    y : array-like of shape (n_samples,), default=None
        Labels of the rows. Numbers with more than 20 distinct values are shown with a
        colour bar, any other labels as classes with a legend.

    components : tuple of int, default=(0, 1)
        Indices of the components on the two axes. If the embedding has only one
        component, a histogram of it is drawn.

    feature_names : sequence of str, default=None
        Names of the components, for the axes. If `None`, "component 0" and so on.

    is_map : bool, default=False
        Whether only neighbourhoods mean something, as on the map of
        ``VAETransformer(n_neighbors=15)`` or of UMAP: both axes then have one scale,
        and no ticks.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the scatter plot or the histogram.

    figure_ : matplotlib Figure
        Figure containing the axes.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from skvae.display import EmbeddingDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> display = EmbeddingDisplay(PCA(2).fit_transform(X), y=y)
    >>> display.plot().ax_.get_xlabel()
    'component 0'
    >>> plt.close()
    """

    def __init__(
        self,
        embedding,
        *,
        y=None,
        components=(0, 1),
        feature_names=None,
        is_map=False,
    ):
        self.embedding = embedding
        self.y = y
        self.components = components
        self.feature_names = feature_names
        self.is_map = is_map

    @classmethod
    def from_estimator(
        cls, estimator, X, *, y=None, components=(0, 1), ax=None, legend=True, **kwargs
    ):
        """Transform ``X`` and draw the embedding.

        Parameters
        ----------
        estimator : estimator instance
            Fitted transformer: a `VAETransformer`, or any other with ``transform``. If
            it, or the last step of a pipeline, has `n_neighbors`, the embedding is
            drawn as a map: with one scale for both axes, and no ticks.

        X : {array-like, dataframe} of shape (n_samples, n_features)
            Rows to embed.

        y : array-like of shape (n_samples,), default=None
            Labels of the rows, which are coloured by them.

        components : tuple of int, default=(0, 1)
            Indices of the components on the two axes.

        ax : matplotlib Axes, default=None
            Axes to draw on. If `None`, a new figure is created.

        legend : bool or "on data", default=True
            Whether to draw a legend or a colour bar; "on data" writes the name of each
            class on its rows instead of a legend.

        **kwargs : dict
            Keyword arguments of :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : EmbeddingDisplay
            The display, with ``ax_`` and ``figure_`` set.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.decomposition import PCA
        >>> from skvae.display import EmbeddingDisplay
        >>> X, y = load_iris(return_X_y=True)
        >>> display = EmbeddingDisplay.from_estimator(PCA(2).fit(X), X, y=y)
        >>> display.ax_.get_xlabel()
        'pca0'
        >>> plt.close()

        A map, with the name of each class on its rows:

        >>> from skvae import VAETransformer
        >>> vae = VAETransformer(2, n_neighbors=15, random_state=0).fit(X)
        >>> display = EmbeddingDisplay.from_estimator(vae, X, y=y, legend="on data")
        >>> [text.get_text() for text in display.ax_.texts]
        ['0', '1', '2']
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
            is_map=_makes_maps(estimator),
        )
        return display.plot(ax=ax, legend=legend, **kwargs)

    def plot(self, *, ax=None, legend=True, **kwargs):
        """Draw the embedding.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If `None`, a new figure is created.

        legend : bool or "on data", default=True
            Whether to draw a legend or a colour bar; "on data" writes the name of each
            class on its rows instead of a legend.

        **kwargs : dict
            Keyword arguments of :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : EmbeddingDisplay
            The display, with ``ax_`` and ``figure_`` set.
        """
        if isinstance(legend, str) and legend != "on data":
            raise ValueError(
                f"legend must be True, False or 'on data'. Got {legend!r}."
            )
        self.ax_ = axes_or_new(ax)
        self.figure_ = self.ax_.figure
        y = None if self.y is None else as_labels(self.y)
        if self.embedding.shape[1] == 1:
            self._plot_histogram(y, legend)
            return self
        n_samples = len(self.embedding)
        style = {
            "s": np.clip(12_000 / n_samples, 2, 25),
            "linewidths": 0,
            "alpha": 0.8,
            "rasterized": n_samples > 5_000,  # so that vector formats give small files
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
            for rows, label, color in split_classes(y):
                own = {"color": color, "label": as_text(label)}
                self.ax_.scatter(x[rows], z[rows], **own, **kwargs)
            if legend == "on data":
                label_groups(self.ax_, np.column_stack([x, z]), y)
            elif legend:
                add_legend(self.ax_)
        self.ax_.set(xlabel=self._axis_label(0), ylabel=self._axis_label(1))
        if self.is_map:
            self.ax_.set(xticks=[], yticks=[])
            self.ax_.set_aspect("equal", adjustable="datalim")
        return self

    def _plot_histogram(self, y, legend):
        column = self.embedding[:, 0]
        edges = np.histogram_bin_edges(column, bins=min(50, max(5, len(column) // 20)))
        if y is None or is_continuous(y):
            self.ax_.hist(column, bins=edges)
        else:
            for rows, label, color in split_classes(y):
                own = {"color": color, "label": as_text(label)}
                self.ax_.hist(column[rows], bins=edges, alpha=0.5, **own)
            if legend:
                add_legend(self.ax_)
        self.ax_.set(xlabel=self._axis_label(0), ylabel="rows")

    def _axis_label(self, axis):
        component = self.components[axis]
        if self.feature_names is None:
            return f"component {component}"
        return as_text(self.feature_names[component])


def _makes_maps(estimator):
    """Return whether only neighbourhoods mean something in what it returns."""
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    return getattr(last, "n_neighbors", None) is not None
