"""Errors say what to change, and leave the estimator as it was."""

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from helpers import bow, state
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skvae import VAETransformer
from skvae._training.gradient import Gradient

pytestmark = [
    pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended"),
    pytest.mark.filterwarnings("ignore:No component carries more"),
]

NAMES = ["a", "b", "c", "d"]  # of the columns of `curve`
METHODS = ["transform", "posterior", "score_samples", "score"]
LINEAR = {"hidden_layer_sizes": ()}


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize(
    "place",
    [
        "skvae._fitting.fitter.train",
        "skvae._fitting.finish.fit_readout",
        "skvae._vae.fit_vae",
    ],
)
def test_an_interrupted_fit_leaves_the_estimator_as_it_was(
    place, warm_start, make_vae, curve, predictions, monkeypatch
):
    vae = make_vae(max_iter=2, warm_start=warm_start).fit(curve)
    before = state(vae), joblib.hash(predictions(vae, curve))
    monkeypatch.setattr(place, interrupt)
    with pytest.raises(KeyboardInterrupt):
        vae.fit(2 * curve[:50] if warm_start else curve[:50, :3])
    assert (state(vae), joblib.hash(predictions(vae, curve))) == before


def test_two_interrupts_in_mid_fit_leave_a_warm_start_as_it_was(
    make_vae, curve, monkeypatch
):
    vae = make_vae(max_iter=2, warm_start=True).fit(curve)
    before = state(vae)
    original, steps = Gradient.__call__, iter(range(20))

    def interrupted(*args):
        return original(*args) if next(steps, None) is not None else interrupt()

    monkeypatch.setattr(Gradient, "__call__", interrupted)
    monkeypatch.setattr("skvae._fitting.fitter.finish", interrupt)
    with pytest.raises(KeyboardInterrupt):
        vae.fit(curve)
    assert state(vae) == before


@pytest.mark.parametrize("wrong", ["parameter", "entry", "warning"])
def test_a_fit_that_raises_leaves_the_estimator_as_it_was(wrong, make_vae, curve):
    vae = make_vae(max_iter=2).fit(curve)
    X = curve[:50, :3].copy()
    if wrong == "parameter":
        vae.set_params(beta=-1)
    if wrong == "entry":
        X[3, 1] = np.inf
    before = state(vae)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises((ValueError, ConvergenceWarning)):
            vae.fit(X)
    assert state(vae) == before


def test_a_first_fit_that_raises_leaves_the_estimator_unfitted(make_vae, frame):
    vae = make_vae()
    with pytest.raises(ValueError, match="infinity"):
        vae.fit(frame.mask(frame > 60, np.inf))
    assert vars(vae) == vae.get_params()


@pytest.mark.parametrize("method", [*METHODS, "inverse_transform"])
def test_a_failed_use_leaves_the_estimator_as_it_was(method, make_vae, curve):
    vae = make_vae(max_iter=2).fit(curve)
    before = state(vae)
    with pytest.raises(ValueError, match="infinity"):
        getattr(vae, method)(np.full((3, 2 if "inverse" in method else 4), np.inf))
    assert state(vae) == before


BAD = {
    "nothing in it": lambda X: X.assign(city=None),
    "infinity": lambda X: X.assign(size=np.inf),
    "nested": lambda X: X.assign(city=[[1]] * len(X)),
    "nested twice": lambda X: X.assign(city=[[1]] * len(X), size=[[1]] * len(X)),
    "complex": lambda X: X.assign(size=1j),
    "mixed names": lambda X: X.rename(columns={"city": 3}),
    "no rows": lambda X: X.iloc[:0],
    "one row": lambda X: X.iloc[:1],
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(
    spoil, warm_start, make_vae, people
):
    vae = make_vae(max_iter=2, warm_start=warm_start).fit(people)
    before, score = state(vae), vae.score_samples(people)
    with pytest.raises((ValueError, TypeError)):
        vae.fit(spoil(people))
    assert state(vae) == before
    np.testing.assert_array_equal(vae.score_samples(people), score)


USES = {
    "other names": lambda X: X.rename(columns={"city": "town"}),
    "too few": lambda X: X.iloc[:, :3],
    "no number": lambda X: X.assign(size="x"),
    "no time": lambda X: X.assign(since=1.5),
    "infinity": lambda X: X.assign(size=np.inf),
    "no rows": lambda X: X.iloc[:0],
}


@pytest.mark.parametrize("spoil", USES.values(), ids=USES)
@pytest.mark.parametrize("method", ["transform", "score_samples", "impute"])
def test_a_use_that_fails_leaves_the_estimator_as_it_was(method, spoil, fitted, people):
    before = state(fitted)
    with pytest.raises(ValueError, match=r"\w"):
        getattr(fitted, method)(spoil(people))
    assert state(fitted) == before


# ---------------------------------------------------------------------------- bad input


def spoilt(curve, value, row=3, column=1):
    X = curve.copy()
    X[row, column] = value
    return X


BAD_ENTRIES = {
    "inf": (np.inf, r"contains infinity in column 1 \(row 3\).* finite number"),
    "-inf": (-np.inf, r"contains infinity in column 1 \(row 3\).* finite number"),
    "1e300": (1e300, r"contains 1e\+300 in column 1.* within .*Rescale"),
    "-1e300": (-1e300, r"contains -?1e\+300 in column 1.* within .*Rescale"),
}


@pytest.mark.parametrize(("value", "message"), BAD_ENTRIES.values(), ids=BAD_ENTRIES)
@pytest.mark.parametrize("method", ["fit", *METHODS])
def test_unusable_entries_are_named(method, value, message, linear, make_vae, curve):
    vae = make_vae() if method == "fit" else linear
    with pytest.raises(ValueError, match=message):
        getattr(vae, method)(spoilt(curve, value))


@pytest.mark.parametrize("method", ["fit", *METHODS])
def test_unusable_entries_of_a_frame_are_named_by_its_column(method, make_vae, frame):
    vae = make_vae(**LINEAR).fit(frame)
    bad = frame.copy()
    bad.iloc[3, 1] = np.inf
    with pytest.raises(ValueError, match=r"infinity in column 'b' \(row 3\)"):
        getattr(vae, method)(bad)


def test_entries_far_beyond_the_training_rows_are_named(linear, curve):
    far = linear.mean_[2] + 2e15 * linear.scale_[2]
    with pytest.raises(ValueError, match=r"in column 2, .*too large: .* within"):
        linear.transform(spoilt(curve, far, column=2))
    near = linear.mean_[2] + 1e14 * linear.scale_[2]
    assert np.isfinite(linear.transform(spoilt(curve, near, column=2))).all()


BAD_TABLES = {
    "no rows": (np.empty((0, 4)), ValueError, r"0 sample\(s\).*minimum of"),
    "complex": (np.ones((9, 4), complex), ValueError, "Complex data not supported"),
    "one dimension": (np.ones(4), ValueError, "Expected 2D array.*Reshape"),
    "three dimensions": (np.ones((9, 4, 1)), ValueError, "dim 3"),
    "array with a dict": (
        np.array([[1, {}, 3, 4]] * 9, dtype=object),
        TypeError,
        r"contains {} in column 1: .*argument must be .* string.* number",
    ),
    "sparse matrix": (sparse.csr_matrix((9, 4)), TypeError, r"[Ss]parse.*toarray"),
    "sparse array": (sparse.csr_array((9, 4)), TypeError, r"[Ss]parse.*toarray"),
}


@pytest.mark.parametrize(("X", "error", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
@pytest.mark.parametrize("method", ["fit", *METHODS])
def test_bad_tables(method, X, error, message, linear, make_vae):
    vae = make_vae() if method == "fit" else linear
    with pytest.raises(error, match=f"(?s){message}"):
        getattr(vae, method)(X)


NO_NUMBERS = {
    "strings": (["x"] * 9, "'x'"),
    "a string among numbers": ([1.0] * 8 + ["x"], "'x'"),
    "a category": (pd.Categorical(["x"] * 9), "'x'"),
    "dates": (pd.to_datetime(["2020-01-01"] * 9), "Timestamp"),
}


@pytest.mark.parametrize(("column", "value"), NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_what_no_longer_is_a_column_of_numbers_is_named(column, value, make_vae, frame):
    vae = make_vae(**LINEAR).fit(frame)
    message = f"contains {value}.* in column 'c', which held numbers in fit"
    with pytest.raises(ValueError, match=message):
        vae.transform(frame.iloc[:9].assign(c=column))


@pytest.mark.parametrize("n_components", [2, 0.9])
def test_a_column_without_any_entry_is_named(n_components):
    X = pd.DataFrame(bow(50), columns=list("abcde"))
    X["c"] = np.nan
    with pytest.raises(
        ValueError, match=r"nothing but missing values in column 'c'.*Drop"
    ):
        VAETransformer(n_components).fit(X)


def test_fit_wants_two_rows_and_a_column(make_vae, curve):
    with pytest.raises(ValueError, match=r"1 sample\(s\).*minimum of 2 is required"):
        make_vae().fit(curve[:1])
    with pytest.raises(ValueError, match=r"0 feature\(s\).*minimum of 1 is required"):
        make_vae().fit(curve[:, :0])


@pytest.mark.parametrize("method", METHODS)
def test_another_number_of_columns(method, linear, curve):
    message = "X has 3 features, but VAETransformer is expecting 4 features"
    with pytest.raises(ValueError, match=message) as raised:
        getattr(linear, method)(curve[:, :3])
    assert raised.value.__cause__ is not raised.value


@pytest.mark.parametrize("method", METHODS)
def test_columns_of_other_names_or_in_another_order(method, make_vae, frame):
    vae = make_vae(**LINEAR).fit(frame)
    with pytest.raises(
        ValueError, match=r"(?s)feature names should match.*unseen.*- z"
    ):
        getattr(vae, method)(frame.rename(columns={"c": "z"}))
    with pytest.raises(ValueError, match=r"(?s)feature names .* in the same order"):
        getattr(vae, method)(frame[NAMES[::-1]])


def test_reordered_columns_are_scikit_learns_error(fitted, people):
    with pytest.raises(ValueError, match="must be in the same order as they were in f"):
        fitted.transform(people[people.columns[::-1]])


@pytest.mark.parametrize(
    "use",
    [
        *[lambda vae, X, name=name: getattr(vae, name)(X) for name in METHODS],
        lambda vae, X: vae.inverse_transform(X[:, :2]),
        lambda vae, X: vae.sample(),
        lambda vae, X: vae.get_feature_names_out(),
    ],
    ids=[*METHODS, "inverse_transform", "sample", "get_feature_names_out"],
)
def test_use_before_fit(use, curve):
    with pytest.raises(NotFittedError, match=r"not fitted yet\. Call 'fit'"):
        use(VAETransformer(), curve)


BAD_LATENT = {
    "narrow": (np.ones((3, 1)), r"X has 1 columns, .* n_components_=2 columns"),
    "wide": (np.ones((3, 4)), r"X has 4 columns, .* n_components_=2 columns"),
    "NaN": (np.full((3, 2), np.nan), r"contains NaN in component 0 \(row 0\)"),
    "infinity": (np.full((3, 2), np.inf), "contains infinity in component 0"),
    "1e300": (np.full((3, 2), 1e300), r"contains 1e\+300 in component 0"),
    "strings": (np.array([["x", "y"]]), "could not convert string to float.*'x'"),
    "complex": (np.ones((3, 2), complex), "Complex data not supported"),
    "no rows": (np.ones((0, 2)), r"0 sample\(s\)"),
    "one dimension": (np.ones(2), "Expected 2D array"),
}


@pytest.mark.parametrize(("Z", "message"), BAD_LATENT.values(), ids=BAD_LATENT)
def test_inverse_transform_wants_latent_rows(Z, message, linear):
    with pytest.raises(ValueError, match=message):
        linear.inverse_transform(Z)


def test_a_long_double_beyond_a_double_is_named_and_others_are_taken(make_vae):
    X = np.random.default_rng(0).normal(size=(30, 2)).astype(np.longdouble)
    if X.itemsize <= 8:
        pytest.skip("a long double is a double here")
    vae = make_vae(hidden_layer_sizes=()).fit(X)
    oracle = make_vae(hidden_layer_sizes=()).fit(X.astype(np.float64))
    np.testing.assert_array_equal(vae.transform(X), oracle.transform(X))
    holes = np.where(np.eye(30, 2, dtype=bool), np.nan, X)
    full = vae.impute(holes)
    assert full.dtype == X.dtype
    np.testing.assert_array_equal(full, oracle.impute(holes.astype(np.float64)))
    drawn = make_vae(hidden_layer_sizes=()).fit(pd.DataFrame(X)).sample(2)
    assert drawn.dtypes.tolist() == [X.dtype] * 2
    X[3, 1] = np.longdouble(1e300) ** 3
    for table in X, pd.DataFrame(X):
        for call in vae.transform, make_vae().fit:
            message = r"contains 1.00e\+900 in column 1, a value too large"
            with pytest.raises(ValueError, match=message):
                call(table)


def test_numbers_beyond_a_float_are_no_components(linear):
    with pytest.raises(ValueError, match=r"X must be a table of numbers.*too large"):
        linear.inverse_transform([[10**400, 0.0]])
