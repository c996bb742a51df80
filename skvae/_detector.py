"""An outlier detector, by the likelihood of rows."""

from pathlib import Path
from typing import ClassVar

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from skvae._parameters import InvalidParameterError, is_real
from skvae._printable import quote
from skvae._rules import any_float
from skvae._table.containers import as_table
from skvae._vae import VAETransformer
from skvae._wrapping import VAEWrapper

MOST_RANKED = 20_000  # random rows of `fit`, that the offset is a quantile of


class VAEOutlierDetector(OutlierMixin, VAEWrapper):
    """Find rows that are unlikely under a variational autoencoder of all of them.

    Parameters
    ----------
    estimator : VAETransformer, default=None
        The model, of which a clone is fitted. None is
        ``VAETransformer(n_components, scaling="quantile")`` with eight components, or
        one less than there are columns.

    contamination : float, default=0.1
        Share of the rows of `fit` that count as outliers, above 0 and at most .5.

    random_state : int, RandomState instance or None, default=None
        Of the fit. None leaves the one that `estimator` has.

    Attributes
    ----------
    estimator_ : VAETransformer
        The fitted model: ``estimator_.explain(X)`` says which columns make a row an
        outlier.

    offset_ : float
        The log-density, in nats, below which a row is an outlier.

    n_features_in_ : int
        Number of columns that `fit` saw.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where they are strings.

    See Also
    --------
    sklearn.ensemble.IsolationForest : By how soon random splits set a row apart.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skvae import VAEOutlierDetector
    >>> X = load_iris().data
    >>> detector = VAEOutlierDetector(contamination=0.05, random_state=0).fit(X)
    >>> detector.predict([[5.1, 3.5, 1.4, 0.2], [5.1, 3.5, 6.0, 0.2]])
    array([ 1, -1])
    """

    _doc_link_module = "skvae"
    _doc_link_template = Path(__file__).as_uri()

    _rules: ClassVar = VAEWrapper._rules | {"offset_": any_float}

    def __init__(self, estimator=None, *, contamination=0.1, random_state=None):
        self.estimator = estimator
        self.contamination = contamination
        self.random_state = random_state

    def fit(self, X, y=None):
        """Fit the model to the rows of X, and find the offset.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A DataFrame of pandas or polars, or an array, of columns as
            `VAETransformer.fit` takes them; entries may be missing.

        y : object, default=None
            Ignored, whatever it is.

        Returns
        -------
        self : VAEOutlierDetector
            The fitted detector. If fitting fails it is as it was before.

        Raises
        ------
        ValueError
            If `contamination` is not above 0 and at most .5, `estimator` is no
            VAETransformer, or whatever its `fit` raises.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAEOutlierDetector
        >>> X = load_iris().data
        >>> int((VAEOutlierDetector(random_state=0).fit_predict(X) == -1).sum())
        15
        """
        share = self.contamination
        if not (is_real(share) and 0 < share <= 0.5):
            raise InvalidParameterError(
                "The 'contamination' parameter of VAEOutlierDetector must be a float "
                f"above 0 and at most 0.5. Got {quote(share)} instead."
            )
        before = self.__dict__.copy()
        try:
            self.estimator_ = self._fit_estimator(X)
            scores = self.score_samples(_some_rows(as_table(X)))
        except BaseException:
            self.__dict__ = before
            raise
        self.offset_ = float(np.percentile(scores, 100 * share))
        return self

    def score_samples(self, X):
        """Return the log-density of rows, as `VAETransformer.score_samples` does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns that `fit` saw; entries may be missing.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            In nats; the lower, the more abnormal.

        Raises
        ------
        NotFittedError
            Before `fit`.

        ValueError
            If X has other columns than `fit` saw, or an entry that is infinite or too
            large.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAEOutlierDetector
        >>> X = load_iris().data
        >>> VAEOutlierDetector(random_state=0).fit(X).score_samples(X).shape
        (150,)
        """
        check_is_fitted(self)
        return self.estimator_.score_samples(X)

    def decision_function(self, X):
        """Return how far the log-density of rows is above the offset.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As of `score_samples`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            In nats; below 0 for outliers.

        Raises
        ------
        NotFittedError
            Before `fit`.

        ValueError
            As `score_samples` does.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAEOutlierDetector
        >>> X = load_iris().data
        >>> detector = VAEOutlierDetector(random_state=0).fit(X)
        >>> bool(detector.decision_function([[9.0, 9.0, 9.0, 9.0]]) < 0)
        True
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Tell outliers from other rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As of `score_samples`.

        Returns
        -------
        is_inlier : ndarray of shape (n_samples,)
            -1 for outliers, 1 for other rows.

        Raises
        ------
        NotFittedError
            Before `fit`.

        ValueError
            As `score_samples` does.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAEOutlierDetector
        >>> X = load_iris().data
        >>> VAEOutlierDetector(random_state=0).fit(X).predict([[9.0, 9.0, 9.0, 9.0]])
        array([-1])
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _default(self, n_components):
        return VAETransformer(n_components, scaling="quantile")


def _some_rows(X):
    """Return the rows that the offset is found by: all, if they are not too many."""
    n = len(X)
    if n <= MOST_RANKED:
        return X
    rows = np.random.RandomState(0).choice(n, MOST_RANKED, replace=False)
    return _safe_indexing(X, np.sort(rows))
