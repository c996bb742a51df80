"""What estimators share that are a VAETransformer in another role of scikit-learn's."""

from abc import abstractmethod
from typing import ClassVar

from sklearn.base import BaseEstimator, clone

from skvae._artefact import DIGEST, check_digest, check_keys, digest
from skvae._parameters import InvalidParameterError
from skvae._printable import quote
from skvae._rules import maybe, require
from skvae._table.containers import as_table
from skvae._vae import VAETransformer

MOST_COMPONENTS = 8  # of the model that an estimator makes by itself


def _is_model(value, path):
    require(type(value) is VAETransformer, path, "a VAETransformer", value)


def _is_fitted_model(value, path):
    _is_model(value, path)
    require(hasattr(value, "_codec"), path, "a VAETransformer that is fitted", value)


class VAEWrapper(BaseEstimator):
    """An estimator that fits a clone of a VAETransformer, or one of its own making."""

    # What a file may hold. The model has rules of its own.
    _rules: ClassVar = {"estimator": maybe(_is_model), "estimator_": _is_fitted_model}

    def _fit_estimator(self, X):
        """Return the model of the rows of X."""
        return self._make_estimator(as_table(X)).fit(X)

    @property
    def n_features_in_(self):
        """Number of columns that `fit` saw."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the columns that `fit` saw, where they are strings."""
        return self.estimator_.feature_names_in_

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

    def _dump(self, state):
        """Return the state of a fitted estimator as plain data beside its model."""
        return state

    def _load(self, state):
        """Return the state that `_dump` was given, whose model has been checked."""
        return state

    def __getstate__(self):
        state = dict(super().__getstate__())
        state = self._dump(state) if "estimator_" in state else state
        return state | {DIGEST: digest(state)}

    def __setstate__(self, state):
        check_keys(state, type(self))
        for name, rule in self._rules.items():
            if name in state:
                rule(state[name], name)
        check_digest(state)
        state = {key: value for key, value in state.items() if key != DIGEST}
        super().__setstate__(self._load(state) if "estimator_" in state else state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
