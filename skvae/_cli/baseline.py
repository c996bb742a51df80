"""PCA of a table of any columns, which skvae is compared with."""

import warnings

import numpy as np
from scipy.linalg import LinAlgError, LinAlgWarning
from sklearn.decomposition import PCA

from skvae._cli.scores import vary


class TablePCA:
    """PCA of an encoded table of any columns, prepared as scikit-learn's users do.

    Missing values are imputed by the median or the most frequent category; then numeric
    columns are standardised and categorical columns are one-hot encoded, rare
    categories pooled as skvae pools them.

    Parameters
    ----------
    n_components : int
        Number of components, or the number of prepared columns if these are fewer.

    groupings : list of Grouping
        Of each column's categories, of no groups if it is not categorical.

    random_state : int
        Seed of PCA.

    Attributes
    ----------
    fill_values : ndarray of shape (n_features,)
        What missing values are imputed with.

    pca : PCA
        Fitted on the prepared columns.
    """

    def __init__(self, n_components, groupings, random_state):
        self.n_components = n_components
        self.groupings = groupings
        self.n_groups = np.array([grouping.n_groups for grouping in groupings])
        self.random_state = random_state

    def fit(self, encoded):
        """Fit to encoded rows."""
        self.fill_values = np.nanmedian(encoded, axis=0)
        for j in np.flatnonzero(self.n_groups):
            codes = encoded[~np.isnan(encoded[:, j]), j].astype(np.intp)
            self.fill_values[j] = np.bincount(codes).argmax()
        numeric = self._impute(encoded)[:, self.n_groups == 0]
        self.mean = numeric.mean(axis=0)
        self.scale = np.where(vary(numeric), numeric.std(axis=0), 1)
        prepared = self._prepare(encoded)
        n_components = min(self.n_components, *prepared.shape)
        self.pca = PCA(n_components, random_state=self.random_state).fit(prepared)
        return self

    def transform(self, encoded):
        """Return the components of encoded rows."""
        return self.pca.transform(self._prepare(encoded))

    def inverse_transform(self, Z):
        """Return encoded rows; a category is the one with the largest indicator."""
        prepared = self.pca.inverse_transform(Z)
        widths = [len(self.mean), *self.n_groups[self.n_groups > 0]]
        numeric, *one_hot = np.split(prepared, np.cumsum(widths)[:-1], axis=1)
        encoded = np.empty((len(Z), len(self.n_groups)))
        encoded[:, self.n_groups == 0] = numeric * self.scale + self.mean
        for j, columns in zip(np.flatnonzero(self.n_groups), one_hot, strict=True):
            encoded[:, j] = self.groupings[j].likeliest(columns)
        return encoded

    def score(self, encoded):
        """Return the mean log-likelihood of numeric rows, in the units of the table.

        None if the covariance is singular.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("error", LinAlgWarning)
            try:
                standardised = self.pca.score(self._prepare(encoded))
            except (LinAlgError, LinAlgWarning):
                return None
        log_likelihood = standardised - np.log(self.scale).sum()
        return float(log_likelihood) if np.isfinite(log_likelihood) else None

    def _impute(self, encoded):
        return np.where(np.isnan(encoded), self.fill_values, encoded)

    def _prepare(self, encoded):
        imputed, is_categorical = self._impute(encoded), self.n_groups > 0
        parts = [(imputed[:, ~is_categorical] - self.mean) / self.scale]
        for j in np.flatnonzero(is_categorical):
            groups = self.groupings[j].of(imputed[:, j])
            parts.append(groups[:, None] == np.arange(self.n_groups[j]))
        return np.hstack(parts)
