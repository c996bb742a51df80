"""What scikit-learn asks of the X of an estimator, for tables of any columns."""

import numpy as np
from sklearn.utils.validation import validate_data

from skvae._table.codec import check_numeric
from skvae._table.containers import is_table
from skvae._table.schema import fit_schema

FLOATS = [np.float64, np.float32]


def validate_new(estimator, X, codec=None):
    """Check the table that an estimator is fitted to.

    Parameters
    ----------
    estimator : VAETransformer
        Its `n_features_in_` and `feature_names_in_` are set.
    X : array-like of shape (n_samples, n_features)
    codec : Codec, optional
        Of an earlier fit to continue from.

    Returns
    -------
    codes : ndarray of shape (n_samples, n_features)
    schema : Schema
        That of `codec`, if X has the same columns: its times have their origin.
    """
    chosen = estimator.categorical_features
    if is_table(X) or not (chosen is None or isinstance(chosen, str)):
        X = _validate_table(estimator, X, reset=True, least=2)
        schema = _known_or_new(fit_schema(X, chosen), codec)
        codes = schema.to_codes(X)
    else:
        codes = _validate_array(estimator, X, reset=True, least=2)
        schema = fit_schema(X if isinstance(X, np.ndarray) else codes)
        schema = _known_or_new(schema, codec)
    check_numeric(codes, schema.names, schema.n_categories == 0)
    return codes, schema


def validate_known(estimator, X, codec):
    """Return the codes of a table whose columns an estimator knows.

    Parameters
    ----------
    estimator : VAETransformer
    X : array-like of shape (n_samples, n_features)
    codec : Codec
        Of the table that the estimator was fitted to.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
    """
    if is_table(X) or not codec.schema.are_numbers:
        X = _validate_table(estimator, X, reset=False, least=1)
        codes = codec.schema.to_codes(X)
    else:
        codes = _validate_array(estimator, X, reset=False, least=1)
    codec.check(codes)
    return codes


def _known_or_new(schema, codec):
    is_known = codec is not None and codec.describes(schema)
    return codec.schema if is_known else schema


def _validate_array(estimator, X, reset, least):
    return validate_data(
        estimator,
        X,
        reset=reset,
        dtype=FLOATS,
        ensure_all_finite=False,
        ensure_min_samples=least,
    )


def _validate_table(estimator, X, reset, least):
    """Return a table of any columns, or an array of objects."""
    if hasattr(X, "columns"):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    else:
        options = {"reset": reset, "dtype": object, "ensure_all_finite": False}
        checked = validate_data(estimator, X, **options)
        X = X if isinstance(X, np.ndarray) else checked
    for size, what, minimum in zip(
        X.shape, ("sample", "feature"), (least, 1), strict=True
    ):
        if size < minimum:
            raise ValueError(
                f"Found array with {size} {what}(s) (shape={X.shape}) while a "
                f"minimum of {minimum} is required by {type(estimator).__name__}."
            )
    return X
