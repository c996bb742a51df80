"""What estimators share that are a VAETransformer in another role of scikit-learn's."""

from abc import abstractmethod

from sklearn.base import BaseEstimator, clone

from skvae._parameters import InvalidParameterError
from skvae._printable import quote
from skvae._table.containers import as_table
from skvae._vae import VAETransformer

MOST_COMPONENTS = 8  # of the model that an estimator makes by itself


class VAEWrapper(BaseEstimator):
    """An estimator that fits a clone of a VAETransformer, or one of its own making."""

    def _fit_estimator(self, X):
        """Fit, and set the fitted attributes; they stay as they were if that fails."""
        found = self._make_estimator(as_table(X)).fit(X)
        self.estimator_ = found
        self.n_features_in_ = found.n_features_in_
        self.__dict__.pop("feature_names_in_", None)
        if hasattr(found, "feature_names_in_"):
            self.feature_names_in_ = found.feature_names_in_

    def _make_estimator(self, X):
        given = self.estimator
        if given is None:
            shape: tuple = getattr(X, "shape", ())
            n_columns = shape[1] if len(shape) == 2 else 1
            made = self._default(max(min(MOST_COMPONENTS, n_columns - 1), 1))
        elif isinstance(given, VAETransformer):
            made = clone(given)
        else:
            raise InvalidParameterError(
                f"The 'estimator' parameter of {type(self).__name__} must be a "
                f"VAETransformer or None. Got {quote(given)} instead."
            )
        if self.random_state is not None:
            made.set_params(random_state=self.random_state)
        return made

    @abstractmethod
    def _default(self, n_components):
        """Return the model that is fitted where none is given."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
