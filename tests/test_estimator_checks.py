"""scikit-learn's own checks of an estimator, all of them and no expected failures."""

from functools import partial
from unittest import SkipTest

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skvae import VAEImputer, VAEOutlierDetector, VAETransformer

# The checks' tables are so small that the closed form usually wins: without early
# stopping the trained network is what they see. A short run is as good as a long one.
CONFIGURATIONS = [
    VAETransformer(),
    VAETransformer(n_components=1, max_iter=20),
    VAETransformer(hidden_layer_sizes=()),
    VAETransformer(early_stopping=False, max_iter=5),
    VAETransformer(
        early_stopping=False,
        max_iter=10,
        hidden_layer_sizes=16,
        learning_rate_init=0.02,
        noise="diag",
    ),
    VAETransformer(noise="diag", max_iter=20),
    VAETransformer(scaling=None, batch_size=8, max_iter=20),
    VAETransformer(scaling="quantile", early_stopping=False, max_iter=5),
    VAETransformer(redraw=True, hidden_layer_sizes=()),
    VAETransformer(n_neighbors=15, hidden_layer_sizes=16),
    VAETransformer(categorical_features=[0], early_stopping=False, max_iter=5),
]

QUICK = VAETransformer(early_stopping=False, max_iter=5, hidden_layer_sizes=16)
ROLES = [VAEImputer(), VAEImputer(QUICK), VAEOutlierDetector(QUICK)]

# Exist, but scikit-learn runs them on its own estimators only.
NOT_YIELDED = [
    "check_dataframe_column_names_consistency",
    "check_estimators_partial_fit_n_features",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_inplace_ensure_writeable",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]

pytestmark = [
    pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended"),
    pytest.mark.filterwarnings("ignore:X .* feature names, but VAE"),
    pytest.mark.filterwarnings("ignore:Input X has values that fit did not see"),
]


def run(check, *arguments):
    """Run a check, and take none for passed that did not run."""
    state = np.random.get_state()  # noqa: NPY002, one of the checks draws from it
    try:
        check(*arguments)
    except SkipTest as reason:
        pytest.fail(f"skipped: {reason}")
    finally:
        np.random.set_state(state)  # noqa: NPY002


@parametrize_with_checks([*CONFIGURATIONS, *ROLES])
def test_check(estimator, check):
    run(check, estimator)


@pytest.mark.parametrize("name", NOT_YIELDED)
@pytest.mark.parametrize("estimator", CONFIGURATIONS[1:], ids=str)
def test_check_that_is_not_yielded(estimator, name):
    check = getattr(estimator_checks, name)
    run(partial(check, "VAETransformer"), clone(estimator))


@pytest.mark.parametrize("name", NOT_YIELDED)
def test_check_of_an_imputer_that_is_not_yielded(name):
    run(partial(getattr(estimator_checks, name), "VAEImputer"), VAEImputer(QUICK))


@pytest.mark.parametrize("parameters", [{}, {"scaling": None, "noise": "diag"}])
def test_float32_rows_give_what_their_float64_copies_give(parameters, make_vae, curve):
    narrow = curve.astype(np.float32)
    wide = narrow.astype(np.float64)
    found = make_vae(**parameters).fit(narrow)
    expected = make_vae(**parameters).fit(wide)
    np.testing.assert_array_equal(
        found.transform(narrow), expected.transform(wide).astype(np.float32)
    )
    np.testing.assert_array_equal(
        found.score_samples(narrow), expected.score_samples(wide)
    )
