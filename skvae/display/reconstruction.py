"""The display of what a transformer reconstructs.

As in scikit-learn's displays, `from_estimator` computes and draws, the constructor
takes what is already computed, and `plot` draws, as often as it is called.
"""

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from skvae.display.drawing import (
    axes_or_new,
    draw_bars,
    draw_image_rows,
)


class ReconstructionDisplay:
    """Reconstruction of rows by ``inverse_transform(transform(X))``.

    If the rows are images, the real ones are drawn above the reconstructed ones.
    Otherwise the R2 of each column is drawn, best first.

    It is recommended to use :meth:`from_estimator` to create a display.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The real rows.

    reconstructions : dict of str to ndarray of shape (n_samples, n_features)
        The reconstructed rows of each method, by its name.

    image_shape : tuple of int, default=None
        Height and width of the images, if each row is one.

    feature_names : sequence of str, default=None
        Names of the columns. If `None`, "x0", "x1" and so on.

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
    >>> from skvae.display import ReconstructionDisplay
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
        """Reconstruct ``X`` and draw the reconstruction.

        Parameters
        ----------
        estimator : estimator instance
            Fitted transformer with ``transform`` and ``inverse_transform``.

        X : {array-like, dataframe} of shape (n_samples, n_features)
            Rows to reconstruct. Held-out rows show how well new rows are reconstructed.

        image_shape : tuple of int, default=None
            Height and width of the images, if each row is one. If `None`, the R2 of
            each column is drawn.

        ax : matplotlib Axes, default=None
            Axes to draw on. If `None`, a new figure is created.

        max_items : int, default=None
            Maximum number of images, or of columns. The first images and the best and
            worst columns are drawn. If `None`, 10 images or 20 columns.

        Returns
        -------
        display : ReconstructionDisplay
            The display, with ``ax_`` and ``figure_`` set.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.decomposition import PCA
        >>> from skvae.display import ReconstructionDisplay
        >>> X = load_iris(as_frame=True).data
        >>> display = ReconstructionDisplay.from_estimator(PCA(1).fit(X), X)
        >>> display.ax_.get_yticklabels()[0].get_text()
        'petal length (cm)'
        >>> plt.close()
        """
        check_is_fitted(estimator)
        reconstructed = np.asarray(estimator.inverse_transform(estimator.transform(X)))
        display = cls(
            np.asarray(X),
            {type(estimator).__name__: reconstructed},
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
            Maximum number of images, or of columns. The first images and the best and
            worst columns are drawn. If `None`, 10 images or 20 columns.

        Returns
        -------
        display : ReconstructionDisplay
            The display, with ``ax_`` and ``figure_`` set.
        """
        self.ax_ = axes_or_new(ax)
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
            name: r2_score(self.X, reconstructed, multioutput="raw_values")
            for name, reconstructed in self.reconstructions.items()
        }
        draw_bars(self.ax_, r2, names, max_columns, "R² of the column")
