"""The invariants of a good estimator, on hostile tables, parameters and settings.

Each example takes about a fifth of a second. ``SKVAE_EXAMPLES=20000 pytest tests/fuzz
--hypothesis-seed=1`` looks for what is rare.
"""

import os
import sys
import warnings
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import torch
from fuzz.hostile import INVALID, VALID, hostile_tables, parameters
from fuzz.settings import SETTINGS, set_up
from helpers import (
    assert_only_missing_are_filled,
    assert_same_kind,
    columns_of,
    missing_of,
    state,
)
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skvae import VAETransformer
from skvae._table.containers import is_polars

EXAMPLES = int(os.environ.get("SKVAE_EXAMPLES", 500))
ERRORS = ValueError, TypeError, NotFittedError, MemoryError
WARNINGS = UserWarning, ConvergenceWarning
# Who may raise: errors from deeper down do not say what is wrong with the table.
SPEAKERS = "skvae", "sklearn"
NEAR = {"rtol": 1e-9, "atol": 1e-9}


def fuzz(share=1):
    """Return the settings of a test of so many of the examples."""
    return settings(
        max_examples=max(round(EXAMPLES * share), 1),
        deadline=None,
        print_blob=True,
        suppress_health_check=[*HealthCheck],
    )


@contextmanager
def only_own_warnings():
    """Assert that warnings are of our classes, and point at the line that calls."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        assert warning.category in WARNINGS, warning
        assert warning.filename == __file__, warning


def refused(call, *arguments):
    """Call; return the error if it is one that a user can read, else raise it."""
    found = None
    try:
        call(*arguments)
    except ERRORS as error:
        found = error
    if found is not None:
        assert_readable(found)
    return found


def assert_readable(error):
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    speaker = trace.tb_frame.f_globals["__name__"].partition(".")[0]
    assert speaker in SPEAKERS, (speaker, error)
    assert len(str(error)) > 20, error
    assert "\x1b" not in str(error), error


def rows_of(X, rows):
    """Return some rows of a table."""
    if isinstance(X, pd.DataFrame):
        return X.iloc[rows]
    return (
        X[rows] if is_polars(X) or isinstance(X, np.ndarray) else [X[i] for i in rows]
    )


def as_table(X):
    """Return what the estimator gives back for X.

    Lists, tensors and subclasses are arrays, none are masked, and no column is sparse.
    """
    if isinstance(X, np.ma.MaskedArray):
        return X.filled(np.nan)
    if isinstance(X, np.ndarray) and not X.dtype.isnative:
        return X.astype(X.dtype.newbyteorder("="))
    if isinstance(X, pd.DataFrame):
        sparse = [isinstance(dtype, pd.SparseDtype) for dtype in X.dtypes]
        return X.astype({c: X[c].dtype.subtype for c in X.columns[sparse]})
    return np.asarray(X) if isinstance(X, list | np.ndarray | torch.Tensor) else X


def has_infinity(table):
    """Whether an array has one, which it may where its column is categorical."""
    return (
        isinstance(table, np.ndarray)
        and table.dtype.kind == "f"
        and bool(np.isinf(table).any())
    )


def assert_finite(table, but=()):
    """Assert that numbers are finite, but for values that are categories of fit."""
    if is_polars(table):
        columns = [s.to_numpy() for s in table.get_columns() if s.dtype.is_float()]
    else:
        columns = columns_of(table)
    for column in columns:
        if column.dtype.kind == "f":
            values = np.asarray(column, dtype=np.float64)
            assert np.isfinite(values[~np.isin(values, but)]).all()


@fuzz()
@given(
    table=hostile_tables,
    parameters=parameters(),
    caller=st.lists(st.sampled_from(SETTINGS), max_size=3, unique=True),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_table_is_fitted_or_refused(table, parameters, caller, seed):
    X, vae = table.X, VAETransformer(**parameters)
    with only_own_warnings():
        error = refused(vae.fit, X)
    if error is not None:
        event(f"refused: {type(error).__name__}")
        assert not table.may_fit or parameters.get("categorical_features") == [0], error
        assert vars(vae) == vars(VAETransformer(**parameters))
        return
    event("fitted")
    rng = np.random.default_rng(seed)
    with only_own_warnings():
        check_verbs(vae, X, rng)
    # Whatever the caller has set, the same seed makes the same model.
    other = VAETransformer(**parameters)
    with set_up(caller), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Z = other.fit_transform(X)
        drawn = other.sample(2, random_state=0)
    np.testing.assert_array_equal(Z, vae.transform(X))
    expected = vae.sample(2, random_state=0)
    assert str(drawn) == str(expected)


def check_verbs(vae, X, rng):
    """Check what all verbs say of the rows that an estimator was fitted to."""
    n, table = len(X), as_table(X)
    Z, (mean, std) = vae.transform(X), vae.posterior(X)
    assert Z.shape == (n, vae.n_components_)
    assert Z.dtype == std.dtype
    assert Z.dtype in (np.float32, np.float64)
    np.testing.assert_array_equal(Z, mean)
    assert np.isfinite(Z).all()
    assert np.isfinite(std).all()
    assert (std > 0).all()
    scores = vae.score_samples(X)
    assert scores.shape == (n,)
    assert np.isfinite(scores).all()
    assert np.isfinite(vae.score(X))
    infinities = np.array([np.inf, -np.inf])[: 2 * has_infinity(table)]
    back, drawn = vae.inverse_transform(Z), vae.sample(3, random_state=0)
    assert (len(back), len(drawn)) == (n, 3)
    if isinstance(table, np.ndarray) and table.dtype.kind == "f":
        assert back.dtype == Z.dtype
        assert drawn.dtype == np.float64
    else:
        assert_same_kind(back, table)
        assert_same_kind(drawn, table, floats=np.float64)
    for one in (back, drawn):
        assert not missing_of(one).any()
        assert_finite(one, infinities)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # it has no category that fit did not see
            vae.transform(one)
    tables = vae.impute(X), *vae.impute(X, n_draws=2, random_state=0)
    for full in tables:
        if not isinstance(X, list):
            assert_only_missing_are_filled(as_table(full), table)
        assert_finite(full, infinities)
    # No row depends on those beside it.
    rows = rng.permutation(n)[: rng.integers(1, n + 1)]
    some = rows_of(X, rows)
    precision = NEAR if Z.dtype == np.float64 else {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(vae.transform(some), Z[rows], **precision)
    scale = {"rtol": 1e-9, "atol": 1e-9 * (1 + np.abs(scores).max())}
    np.testing.assert_allclose(vae.score_samples(some), scores[rows], **scale)


@fuzz(0.2)
@given(
    table=hostile_tables,
    parameters=parameters(),
    name=st.sampled_from([*INVALID]),
    data=st.data(),
)
def test_a_refused_call_changes_nothing(table, parameters, name, data):
    value = data.draw(st.sampled_from(INVALID[name]))
    vae, X = VAETransformer(**parameters | {name: value}), np.eye(6, 3)
    error = refused(vae.fit, X)
    assert error is not None, (name, value)
    assert name in str(error) or name.split("_")[0] in str(error), error
    fitted = VAETransformer(**parameters | {"categorical_features": None})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted.fit(X)
        before = state(fitted)
        for verb in ("transform", "posterior", "impute", "score_samples", "score"):
            refused(getattr(fitted, verb), table.X)
        refused(fitted.inverse_transform, table.X)
        refused(fitted.sample, value)
    assert state(fitted) == before
    # A parameter that a later fit refuses leaves the fitted model in place.
    fitted.set_params(**{name: value})
    before = state(fitted)
    assert refused(fitted.fit, X) is not None
    assert state(fitted) == before


class Interrupt:
    """Raises a KeyboardInterrupt at a call of a function of skvae, and once only."""

    def __init__(self, after):
        self.left = after

    def __call__(self, frame, what, argument):
        if what == "call" and frame.f_globals.get("__name__", "").startswith("skvae"):
            self.left -= 1
            if self.left == 0:
                sys.setprofile(None)
                raise KeyboardInterrupt


@fuzz(0.2)
@given(parameters=parameters(), after=st.integers(1, 3000))
def test_an_interrupted_call_leaves_a_whole_estimator(parameters, after):
    X = np.random.default_rng(0).normal(size=(30, 3))
    parameters = parameters | {"categorical_features": None}
    vae = VAETransformer(**parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vae.fit(X[:20])
        before = state(vae)
        sys.setprofile(Interrupt(after))
        try:
            vae.fit(X)
        except KeyboardInterrupt:
            assert state(vae) == before
        finally:
            sys.setprofile(None)
        assert np.isfinite(vae.score_samples(X)).all()
        assert np.isfinite(vae.inverse_transform(vae.transform(X))).all()
    for name, values in vars(vae).items():
        if name.endswith("_") and isinstance(values, list | np.ndarray):
            assert np.isfinite(values).all(), name


def test_all_parameters_are_tried():
    names = VAETransformer().get_params()
    assert VALID.keys() == INVALID.keys() == names.keys()


@pytest.mark.parametrize("broken", [ZeroDivisionError("x" * 30), ValueError("short")])
def test_an_error_that_says_nothing_is_found(broken):
    def call():
        raise broken

    with pytest.raises((AssertionError, ZeroDivisionError)):
        refused(call)
