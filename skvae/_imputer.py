"""A transformer that fills in missing values."""

from pathlib import Path

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skvae._vae import VAETransformer
from skvae._wrapping import VAEWrapper


class VAEImputer(OneToOneFeatureMixin, TransformerMixin, VAEWrapper):
    """Fill in missing values by a variational autoencoder, as a step of a Pipeline.

    `transform` is `VAETransformer.impute`: each missing entry gets the value that the
    others of its row let one expect, or its most probable category.

    Parameters
    ----------
    estimator : VAETransformer, default=None
        The model, of which a clone is fitted. None is
        ``VAETransformer(n_components, noise="diag")`` with eight components, or one
        less than there are columns.

    random_state : int, RandomState instance or None, default=None
        Of the fit. None leaves the one that `estimator` has.

    Attributes
    ----------
    estimator_ : VAETransformer
        The fitted model, whose other verbs may be asked for as well: draws for multiple
        imputation by ``estimator_.impute(X, n_draws=20)``.

    n_features_in_ : int
        Number of columns that `fit` saw.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where they are strings.

    See Also
    --------
    sklearn.impute.IterativeImputer : A regression of each column on the others.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skvae import VAEImputer
    >>> X = load_iris().data
    >>> X[3, 2] = np.nan
    >>> imputer = VAEImputer(random_state=0).fit(X)
    >>> bool(abs(imputer.transform(X)[3, 2] - 1.5) < 0.3)
    True
    """

    _doc_link_module = "skvae"
    _doc_link_template = Path(__file__).as_uri()

    def __init__(self, estimator=None, *, random_state=None):
        self.estimator = estimator
        self.random_state = random_state

    def fit(self, X, y=None):
        """Fit the model to the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A DataFrame of pandas or polars, or an array, of columns as
            `VAETransformer.fit` takes them; entries may be missing.

        y : object, default=None
            Ignored, whatever it is.

        Returns
        -------
        self : VAEImputer
            The fitted imputer. If fitting fails it is as it was before.

        Raises
        ------
        ValueError
            If `estimator` is no VAETransformer, or whatever its `fit` raises.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAEImputer
        >>> VAEImputer(random_state=0).fit(load_iris().data).n_features_in_
        4
        """
        self._fit_estimator(X)
        return self

    def transform(self, X):
        """Fill in the missing values of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns that `fit` saw.

        Returns
        -------
        X_full : table like X
            Without missing values. Observed entries are as they were, to the bit. Data
            frames stay data frames, with their dtypes, if `fit` saw one.

        Raises
        ------
        NotFittedError
            Before `fit`.

        ValueError
            If X has other columns than `fit` saw, or an entry that is infinite or too
            large.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAEImputer
        >>> X = load_iris(as_frame=True).data
        >>> imputer = VAEImputer(random_state=0).fit(X)
        >>> row = X[:1].assign(**{"petal length (cm)": float("nan")})
        >>> int(imputer.transform(row).isna().sum().sum())
        0
        """
        check_is_fitted(self)
        full = self.estimator_.impute(X)
        is_wanted = not self.estimator_._codec.schema.is_of_array
        return full if is_wanted or isinstance(full, np.ndarray) else full.to_numpy()

    def _default(self, n_components):
        return VAETransformer(n_components, noise="diag")
