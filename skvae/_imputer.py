"""A transformer that fills in missing values."""

from pathlib import Path

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skvae._numerics.errors import whatever_numpy_raises
from skvae._parameters import InvalidParameterError, is_integer, resolve_random_state
from skvae._printable import quote
from skvae._table.containers import as_table
from skvae._trees.dependency_network import load_network, network_rule, no_network
from skvae._trees.growing import imputing
from skvae._vae import VAETransformer
from skvae._wrapping import VAEWrapper

MOST_TREES = 1_000  # of a column


class VAEImputer(OneToOneFeatureMixin, TransformerMixin, VAEWrapper):
    """Fill in missing values by a variational autoencoder and trees.

    As a step of a Pipeline. What the model expects of missing entries, given the others
    of their row (`VAETransformer.impute`), is refined by trees, as missForest's [1]_
    are: by one round of them, as the start is a good one. Of a number .3 is the model's
    and .7 the trees'; of the votes for a category the model's has .3.

    Parameters
    ----------
    estimator : VAETransformer, default=None
        The model, of which a clone is fitted. None is
        ``VAETransformer(n_components, noise="diag", tol=3.0)`` with eight components,
        or one less than there are columns: trees make up for what longer training
        would bring.

    n_trees : int, default=30
        Number of extremely randomized trees of each column. They see the 30 columns
        most related to it, if there are so many. With 0 `transform` is
        `VAETransformer.impute`.

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

    Notes
    -----
    The imputer keeps rows of `X`, and a file of it holds them: all, or so many that
    they have about 3,000,000 / `n_trees` entries, but 500 at least. The trees that are
    grown on these are most of it: 27 kB a row of 20 columns. Without trees it keeps
    what `estimator` does.

    References
    ----------
    .. [1] Stekhoven & Buehlmann (2012). MissForest: Non-Parametric Missing Value
       Imputation for Mixed-Type Data. Bioinformatics 28(1).

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

    def __init__(self, estimator=None, *, n_trees=30, random_state=None):
        self.estimator = estimator
        self.n_trees = n_trees
        self.random_state = random_state

    @whatever_numpy_raises
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
            If `estimator` is no VAETransformer, if `n_trees` is not an integer from 0
            to 1000, or whatever the model's `fit` raises.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAEImputer
        >>> VAEImputer(random_state=0).fit(load_iris().data).n_features_in_
        4
        """
        if not is_integer(self.n_trees) or not 0 <= self.n_trees <= MOST_TREES:
            raise InvalidParameterError(
                "The 'n_trees' parameter of VAEImputer must be an integer from 0 to "
                f"{MOST_TREES}. Got {quote(self.n_trees)} instead."
            )
        n_trees = int(self.n_trees)
        X = as_table(X)
        estimator = self._fit_estimator(X)
        seed = resolve_random_state(estimator.random_state).randint(2**31 - 1)
        network = no_network(estimator._codec)
        if n_trees:
            network = estimator._grow(estimator._validate(X), imputing(n_trees), seed)
        self.estimator_, self._network = estimator, network
        return self

    @whatever_numpy_raises
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
        X = as_table(X)
        full = self.estimator_._impute(X, self._network)
        is_wanted = not self.estimator_._codec.schema.is_of_array
        return full if is_wanted or isinstance(full, np.ndarray) else full.to_numpy()

    def _default(self, n_components):
        return VAETransformer(n_components, noise="diag", tol=3.0)

    def _dump(self, state):
        network = state.pop("_network")
        return state | {"_state": network.state()}

    def _load(self, state):
        codec, network = state["estimator_"]._codec, state.pop("_state", None)
        network_rule(codec)(network, "_state")
        return state | {"_network": load_network(network, codec)}
