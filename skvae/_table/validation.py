"""What scikit-learn asks of the X of an estimator, for tables of any columns."""

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from skvae._table.codec import check_numeric
from skvae._table.containers import as_table, column_labels, is_table
from skvae._table.schema import fit_schema

FLOATS = [np.float64, np.float32]
MOST_NAMED = 5  # columns in an error, as scikit-learn has it


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
    chosen, X = estimator.categorical_features, as_table(X)
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
    X = as_table(X)
    _check_labels(estimator, X, codec.schema.labels)
    if is_table(X) or not codec.schema.are_numbers:
        X = _validate_table(estimator, X, reset=False, least=1)
        codes = codec.schema.to_codes(X)
    else:
        codes = _validate_array(estimator, X, reset=False, least=1)
    codec.check(codes)
    return codes


def check_component_labels(Z, names):
    """Raise a ValueError if the columns of latent rows are in another order.

    Parameters
    ----------
    Z : DataFrame or array-like
        Its columns may have any labels. But if these are the names of the components,
        or their numbers, they are so in their order.
    names : sequence of str
        Of the components.
    """
    labels = column_labels(Z) or []
    for expected in list(names), list(range(len(names))):
        places = {label: i for i, label in enumerate(expected)}
        is_permuted = len(labels) == len(expected) and set(labels) == set(expected)
        of_strings = all(isinstance(label, str) for label in expected)
        is_moved = any(places.get(label, i) != i for i, label in enumerate(labels))
        if is_moved and (is_permuted or of_strings):
            raise _other_labels(labels, expected, "that transform gives")


def _check_labels(estimator, X, fitted):
    """Raise a ValueError if labels are not those of fit, where scikit-learn does not.

    It asks the same of strings, but version 1.6 does not see those of polars 2; and it
    warns where the labels of only one table are strings.
    """
    labels = column_labels(X)
    if labels is None or fitted is None:
        return
    are_names = [all(isinstance(v, str) for v in of) for of in (labels, fitted)]
    is_known = hasattr(estimator, "feature_names_in_") or not all(are_names)
    if any(are_names) and is_known:
        return
    if not pd.Index(labels).equals(pd.Index(list(fitted))):
        raise _other_labels(labels, list(fitted), "that were passed during fit")


def _other_labels(labels, expected, what):
    """Return the error of scikit-learn for names that are not as expected."""
    lines = [f"The feature names should match those {what}."]
    unseen = [label for label in labels if label not in expected]
    missing = [label for label in expected if label not in labels]
    for title, found in (
        ("Feature names unseen at fit time:", unseen),
        ("Feature names seen at fit time, yet now missing:", missing),
    ):
        if found:
            more = ["- ..."] if len(found) > MOST_NAMED else []
            lines += [title, *(f"- {v}" for v in found[:MOST_NAMED]), *more]
    if not unseen and not missing:
        lines.append("Feature names must be in the same order as they were in fit.")
    return ValueError("\n".join(lines) + "\n")


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
        X = X if isinstance(X, np.ndarray) else _of_one_dtype(checked)
    for size, what, minimum in zip(
        X.shape, ("sample", "feature"), (least, 1), strict=True
    ):
        if size < minimum:
            raise ValueError(
                f"Found array with {size} {what}(s) (shape={X.shape}) while a "
                f"minimum of {minimum} is required by {type(estimator).__name__}."
            )
    return X


def _of_one_dtype(objects):
    """Return what a list held as numbers, if it held only numbers, else as objects."""
    array = np.asarray(objects.tolist())
    return array if array.dtype.kind in "iuf" else objects
