"""What is asked of the X of an estimator, in fit and later."""

import re

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from helpers import FRAME, as_polars, make_people, with_missing
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix

from skvae import VAETransformer
from skvae._table.codec import fit_codec
from skvae._table.schema import fit_schema
from skvae._table.validation import (
    check_component_labels,
    validate_known,
    validate_new,
)

NUMBERS = np.random.default_rng(0).normal(size=(20, 3))


def new(X, codec=None, **parameters):
    """Return codes, schema and estimator of a table that is new to it."""
    estimator = VAETransformer(**parameters)
    return *validate_new(estimator, X, codec), estimator


def known(X, **parameters):
    """Return an estimator that has seen a table, and the codec of this."""
    codes, schema, estimator = new(X, **parameters)
    return estimator, fit_codec(codes, schema, "standard")


# ------------------------------------------------------------------------- in fit


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_of_floats_is_its_own_codes(dtype):
    codes, schema, estimator = new(NUMBERS.astype(dtype))
    assert codes.dtype == dtype
    assert_array_equal(codes, NUMBERS.astype(dtype))
    assert schema.is_of_floats
    assert estimator.n_features_in_ == 3
    assert not hasattr(estimator, "feature_names_in_")


@pytest.mark.parametrize(
    "X",
    [
        NUMBERS.tolist(),
        NUMBERS[::-1].copy()[::-1],
        np.asfortranarray(NUMBERS),
        NUMBERS.astype(object),
    ],
)
def test_lists_and_arrays_of_numbers_have_their_codes(X):
    codes, schema, _ = new(X)
    assert_array_equal(codes, NUMBERS)
    assert schema.are_numbers


def test_read_only_rows_stay_as_they_are():
    X = NUMBERS.copy()
    X[3, 1] = np.nan
    X.flags.writeable = False
    before = X.copy()
    codes, _, _ = new(X)
    assert_array_equal(codes, before)
    assert_array_equal(X, before)


def test_whole_numbers_are_numbers_that_come_back_whole():
    codes, schema, _ = new(np.arange(12).reshape(4, 3))
    assert codes.dtype == np.float64
    assert not schema.is_of_floats
    assert schema.to_table(codes).dtype.kind == "i"


@pytest.mark.parametrize("as_container", [lambda X: X, as_polars])
def test_a_table_has_the_codes_of_its_schema(as_container):
    people = as_container(make_people(50))
    codes, schema, estimator = new(people)
    assert_array_equal(codes, fit_schema(people).to_codes(people))
    assert schema.n_categories.tolist() == [0, 0, 2, 3, 0]
    if isinstance(people, pd.DataFrame) or sklearn.__version__ > "1.7":
        assert estimator.feature_names_in_.tolist() == list(people.columns)
    assert estimator.n_features_in_ == 5


@pytest.mark.parametrize("is_frame", [True, False])
def test_chosen_columns_are_categorical_in_arrays_too(is_frame):
    X = np.random.default_rng(0).integers(3, size=(20, 2)).astype(float)
    table = pd.DataFrame(X, columns=["a", "b"]) if is_frame else X
    codes, schema, _ = new(table, categorical_features=[1])
    assert schema.n_categories.tolist() == [0, 3]
    assert_array_equal(codes, X)
    for nothing in "from_dtype", None:
        _, schema, _ = new(table, categorical_features=nothing)
        assert schema.n_categories.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (NUMBERS[:1], "1 sample"),
        (FRAME.iloc[:1], "1 sample(s) (shape=(1, 4)) while a minimum of 2 is required"),
        (FRAME[[]], "0 feature(s) (shape=(3, 0)) while a minimum of 1 is required"),
        (NUMBERS[:, :0], "0 feature"),
        (pl.DataFrame({"a": [1.0]}), "1 sample(s) (shape=(1, 1))"),
        (NUMBERS[0], "2D array"),
        (np.where(NUMBERS == NUMBERS[4, 1], np.inf, NUMBERS), "column 1 (row 4)"),
        (np.where([False, False, True], np.nan, NUMBERS), "missing values in column 2"),
        (FRAME.assign(age=[1, 2, np.inf]), "infinity in column 'age' (row 2)"),
        (FRAME.assign(age=np.nan), "nothing but missing values in column 'age'"),
    ],
)
def test_what_cannot_be_fitted_is_named(X, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        new(X)


def test_sparse_and_complex_numbers_are_refused():
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        new(csr_matrix(NUMBERS))
    with pytest.raises(ValueError, match=r"[Cc]omplex"):
        new(NUMBERS + 1j)


# ------------------------------------------------------------------- a warm start


def test_a_warm_start_keeps_the_origin_of_times():
    _, codec = known(FRAME)
    later = FRAME.assign(since=FRAME["since"] + pd.Timedelta("3D"))
    codes, schema, _ = new(later, codec)
    assert schema is codec.schema
    assert_array_equal(codes[:, 3], codec.schema.to_codes(FRAME)[:, 3] + 3)
    cold, of_its_own, _ = new(later)
    assert of_its_own is not codec.schema
    assert cold[:, 3].min() == 0
    pd.testing.assert_frame_equal(schema.to_table(codes), later)
    earlier = FRAME.assign(since=FRAME["since"] - pd.Timedelta("36h"))
    codes, schema, _ = new(earlier, codec)
    assert schema is codec.schema  # also of finer ticks
    assert codes[:, 3].min() == -1.5


def test_a_warm_start_keeps_the_schema_of_numbers():
    _, codec = known(NUMBERS)
    for X in NUMBERS[:5] + 9, NUMBERS.astype(np.float32), NUMBERS.tolist():
        codes, schema, _ = new(X, codec)
        assert schema is codec.schema
        assert_array_equal(codes, np.asarray(X))


@pytest.mark.parametrize(
    "X",
    [
        FRAME.rename(columns={"age": "years"}),
        FRAME.assign(colour=["red", "green", "red"]),
        FRAME.astype({"age": "float64"}),
        FRAME.iloc[:, :3],
        NUMBERS,
    ],
)
def test_another_table_has_a_schema_of_its_own(X):
    _, codec = known(FRAME)
    codes, schema, _ = new(X, codec)
    expected, same, _ = new(X)
    assert schema is not codec.schema
    assert joblib.hash(schema.identity()) == joblib.hash(same.identity())
    assert_array_equal(codes, expected)


# ---------------------------------------------------------------------------- later


def test_later_rows_have_the_codes_of_the_codec():
    people = make_people(50)
    estimator, codec = known(people)
    codes = codec.schema.to_codes(people)
    assert_array_equal(validate_known(estimator, people, codec), codes)
    assert_array_equal(validate_known(estimator, people[30:31], codec), codes[30:31])
    holes = with_missing(people)
    found = validate_known(estimator, holes, codec)
    assert_array_equal(np.isnan(found), holes.isna())
    assert_array_equal(found[~holes.isna()], codes[~holes.isna()])
    found = validate_known(estimator, as_polars(people), codec)
    assert_array_equal(found, codes)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        found = validate_known(estimator, people.to_numpy(), codec)
    assert_array_equal(found, codes)


@pytest.mark.parametrize("as_container", [np.asarray, pd.DataFrame, np.ndarray.tolist])
def test_numbers_may_come_in_any_container(as_container):
    estimator, codec = known(NUMBERS)
    found = validate_known(estimator, as_container(NUMBERS[:1]), codec)
    assert_array_equal(found, NUMBERS[:1])
    single = NUMBERS.astype(np.float32)
    found = validate_known(estimator, as_container(single), codec)
    assert_array_equal(found, single)
    frozen = NUMBERS[::-1]
    frozen.flags.writeable = False
    assert_array_equal(validate_known(estimator, frozen, codec), frozen)


def test_a_missing_column_of_later_rows_is_no_error():
    estimator, codec = known(NUMBERS)
    holes = np.where([False, True, False], np.nan, NUMBERS)
    assert_array_equal(validate_known(estimator, holes, codec), holes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X[X.columns[::-1]], "feature names should match"),
        (lambda X: X.rename(columns={"age": "years"}), "feature names should match"),
        (lambda X: X.iloc[:, :3], "feature names should match"),
        (lambda X: X.iloc[:0], "0 sample(s) (shape=(0, 4)) while a minimum of 1"),
        (lambda X: X.assign(age=[1, 2, -np.inf]), "infinity in column 'age' (row 2)"),
        (lambda X: X.assign(age=[1, 2, 1e30]), "1e+30 in column 'age', a value too"),
        (lambda X: X.to_numpy()[:, :3], "3 features"),
    ],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_what_later_rows_may_not_be_is_named(change, message):
    estimator, codec = known(FRAME)
    with pytest.raises(ValueError, match=re.escape(message)):
        validate_known(estimator, change(FRAME), codec)


def test_later_arrays_are_held_to_those_in_fit():
    estimator, codec = known(NUMBERS)
    far = NUMBERS.copy()
    far[3, 2] = 1e20
    with pytest.raises(ValueError, match=r"1e\+20 in column 2, a value too large"):
        validate_known(estimator, far, codec)
    with pytest.raises(ValueError, match="2 features"):
        validate_known(estimator, NUMBERS[:, :2], codec)
    with pytest.raises(ValueError, match="0 sample"):
        validate_known(estimator, NUMBERS[:0], codec)


# ------------------------------------------------------------------ labels of columns

LABELS = {
    "integers": [5, 3, 9, 1],
    "default": range(4),
    "tuples": pd.MultiIndex.from_product([["a", "b"], [1, 2]]),
    "dates": pd.date_range("2020-01-01", periods=4),
    "floats": [0.5, 1.5, 2.5, -1.0],
    "some strings": pd.Index([("a", 1), ("b", 2), 3, 4], tupleize_cols=False),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_that_are_no_strings_must_be_those_of_fit_too(labels):
    X = FRAME.set_axis(labels, axis=1)
    estimator, codec = known(X)
    assert_array_equal(validate_known(estimator, X, codec), codec.schema.to_codes(X))
    with pytest.raises(
        ValueError, match=r"(?s)names should match those that were .*same order as they"
    ):
        validate_known(estimator, X.iloc[:, [0, 2, 1, 3]], codec)
    with pytest.raises(ValueError, match=r"(?s)should match .*now missing:\n- "):
        validate_known(estimator, X.iloc[:, :3], codec)
    with pytest.raises(ValueError, match=r"(?s)unseen at fit time:\n- 77\n"):
        validate_known(estimator, X.set_axis([77, 78, 79, 80], axis=1), codec)


def test_names_that_scikit_learn_did_not_see_are_compared_too():
    X = pl.DataFrame(NUMBERS, schema=["a", "b", "c"])
    estimator, codec = known(X)
    if hasattr(estimator, "feature_names_in_"):  # not of polars 2 by scikit-learn 1.6
        del estimator.feature_names_in_
    with pytest.raises(ValueError, match="must be in the same order as they were"):
        validate_known(estimator, X[["c", "b", "a"]], codec)


@pytest.mark.parametrize("labels", [[5, 3, 9], range(3)])
def test_frames_and_arrays_may_stand_for_each_other(labels):
    X = pd.DataFrame(NUMBERS, columns=labels)
    estimator, codec = known(X)
    assert_array_equal(validate_known(estimator, NUMBERS, codec), NUMBERS)
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        validate_known(estimator, X.set_axis(list("abc"), axis=1), codec)
    estimator, codec = known(NUMBERS)
    assert_array_equal(validate_known(estimator, X, codec), NUMBERS)


@pytest.mark.parametrize(
    "labels", [["vae1", "vae0"], ["vae0", "vae0"], ["vae1", "x"], [1, 0]]
)
def test_components_in_another_order_are_refused(labels):
    Z = pd.DataFrame(np.zeros((2, 2)), columns=labels)
    with pytest.raises(ValueError, match="should match those that transform gives"):
        check_component_labels(Z, ["vae0", "vae1"])


@pytest.mark.parametrize(
    "Z",
    [
        np.zeros((2, 2)),
        pd.DataFrame(np.zeros((2, 2))),
        pd.DataFrame(np.zeros((2, 2)), columns=["vae0", "vae1"]),
        pd.DataFrame(np.zeros((2, 2)), columns=["x", "y"]),
        pd.DataFrame(np.zeros((2, 2)), columns=[1, 2]),
        pl.DataFrame({"vae0": [1.0], "vae1": [2.0]}),
    ],
)
def test_components_may_have_other_labels(Z):
    check_component_labels(Z, ["vae0", "vae1"])


# -------------------------------------------------------------------- masked arrays


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_a_masked_array_is_one_with_missing_entries(dtype):
    X = np.round(10 * NUMBERS).astype(dtype)
    mask = np.random.default_rng(1).random(X.shape) < 0.2
    expected = np.where(mask, np.nan, X)
    codes, schema, estimator = new(np.ma.array(X, mask=mask))
    assert_array_equal(codes, expected)
    codec = fit_codec(codes, schema, "standard")
    assert_array_equal(
        validate_known(estimator, np.ma.array(X, mask=mask), codec), expected
    )
    assert_array_equal(validate_known(estimator, np.ma.array(X), codec), X)
    empty = np.ma.array(X, mask=np.arange(3) == 1 | mask)
    with pytest.raises(ValueError, match="nothing but missing values in column 1"):
        new(empty)
