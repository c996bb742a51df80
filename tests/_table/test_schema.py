"""What the columns of a table are: kinds, names, and codes in any container."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import skops.io
from helpers import FRAME, assert_same, missing_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import tables

from skvae._table.containers import column_labels
from skvae._table.groupings import MOST
from skvae._table.schema import SCHEMA, Schema, fit_schema


def through_skops(schema):
    return Schema(*skops.io.loads(skops.io.dumps(schema.arguments()), trusted=[]))


def through_pickle(schema):
    return Schema(*pickle.loads(pickle.dumps(schema.arguments())))


@pytest.mark.parametrize("way", [through_pickle, through_skops])
@settings(max_examples=40, deadline=None)
@given(X=tables())
def test_a_schema_survives_its_file(way, X):
    schema = fit_schema(X)
    SCHEMA(schema.arguments(), "schema")  # or no file of it would load
    copied = way(schema)
    copied.rehearse("schema")
    codes = copied.to_codes(X)
    np.testing.assert_array_equal(codes, schema.to_codes(X))
    assert copied.names == schema.names
    np.testing.assert_array_equal(copied.n_categories, schema.n_categories)
    index = getattr(X, "index", None)
    dtype = X.dtype if isinstance(X, np.ndarray) and X.dtype.kind == "f" else None
    assert_same(copied.to_table(codes, index, dtype), X)


CODES = [[31, 1, 1, 0], [45, 0, 0, 366], [23, 1, 1, 152]]


@pytest.mark.parametrize(
    "X",
    [
        FRAME,
        FRAME.astype({"age": "float32", "colour": "category", "member": "boolean"}),
        FRAME.astype({"age": "Int64", "member": int, "since": "datetime64[s]"}),
        FRAME.set_axis(list("dddd"), axis=1),
        FRAME.astype(object),
        FRAME.to_numpy(),
        FRAME.to_numpy().tolist(),
        pl.DataFrame({name: FRAME[name].tolist() for name in FRAME}),
        pl.DataFrame(
            {name: FRAME[name].tolist() for name in FRAME},
            schema={
                "age": pl.UInt8,
                "colour": pl.Categorical,
                "member": pl.Boolean,
                "since": pl.Date,
            },
            strict=False,
        ),
    ],
)
def test_equal_tables_have_equal_codes_in_any_container(X):
    for fitted in FRAME, X:
        np.testing.assert_array_equal(fit_schema(fitted).to_codes(X), CODES)
    np.testing.assert_array_equal(fit_schema(X).to_codes(FRAME), CODES)
    assert_same(fit_schema(FRAME).to_table(fit_schema(X).to_codes(X)), FRAME)


def test_a_missing_value_does_not_change_the_dtype_of_fit():
    schema = fit_schema(FRAME)
    later = FRAME.astype(object)
    later.iloc[1] = None
    for X in later, later.astype({"age": float, "since": "datetime64[us]"}):
        codes = schema.to_codes(X)
        assert np.isnan(codes[1]).all()
        back = schema.to_table(np.nan_to_num(codes))
        assert back.dtypes.tolist() == FRAME.dtypes.tolist()
        filled = schema.fill(X, np.where(np.isnan(codes), [44.6, 0, 0, 366], codes))
        assert filled.dtypes.tolist() == X.dtypes.tolist()
        assert filled["colour"].tolist() == ["red", "blue", "red"]
        assert filled["since"].tolist() == FRAME["since"].tolist()
        assert filled["member"].tolist() == [True, False, True]
        assert filled["age"][1] == (44.6 if X["age"].dtype == float else 45)


def test_names_and_numbers_of_categories_are_listed():
    schema = fit_schema(FRAME)
    assert schema.names == [f"column {name!r}" for name in FRAME]
    assert schema.n_categories.tolist() == [0, 2, 2, 0]
    assert fit_schema(FRAME.to_numpy()).names == [f"column {j}" for j in range(4)]
    assert column_labels(FRAME) == list(FRAME)
    assert column_labels(pl.DataFrame({"a": [1]})) == ["a"]
    assert column_labels(FRAME.to_numpy()) is None


def test_tables_of_single_precision_stay_so():
    X = pd.DataFrame({"a": np.float32([0.1]), "b": pd.array([0.1], "Float32")})
    assert fit_schema(X).to_codes(X).dtype == np.float32
    assert fit_schema(X).to_codes(pl.DataFrame(X.to_dict("list"))).dtype == np.float64
    assert fit_schema(X).to_codes(X.assign(b=1)).dtype == np.float64


def test_unseen_values_are_warned_of_once():
    schema = fit_schema(FRAME)
    later = pd.concat([FRAME] * 2, ignore_index=True)
    later["colour"] = ["mauve", "teal", "red", "a", "b", "c"]
    later["member"] = later["member"].astype(object).where(later.index > 0, "no")
    with pytest.warns(UserWarning, match="fit did not see") as caught:
        codes = schema.to_codes(later)
    (warning,) = caught
    assert str(warning.message) == (
        "Input X has values that fit did not see, in column 'colour': 'mauve', 'teal', "
        "'a' and 2 more; in column 'member': 'no'. They are treated as missing."
    )
    assert warning.filename == __file__
    assert np.isnan(codes[:, 1]).tolist() == [True, True, False, True, True, True]
    filled = schema.fill(later, np.nan_to_num(codes))
    pd.testing.assert_frame_equal(filled, later)


@pytest.mark.parametrize(
    "chosen",
    [
        ["age"],
        [0],
        np.array([0]),
        [True, False, False, False],
        pd.Index(["age"]),
        np.array([True, False, False, False]),
    ],
)
def test_chosen_columns_are_categorical(chosen):
    schema = fit_schema(FRAME, chosen)
    assert schema.n_categories.tolist() == [3, 2, 2, 0]
    codes = schema.to_codes(FRAME)
    assert codes[:, 0].tolist() == [1, 2, 0]
    assert_same(schema.to_table(codes), FRAME)


@pytest.mark.parametrize("chosen", ["from_dtype", None, [], [False] * 4])
def test_by_default_the_dtype_decides(chosen):
    assert fit_schema(FRAME, chosen).n_categories.tolist() == [0, 2, 2, 0]


@settings(max_examples=50, deadline=None)
@given(X=tables(with_missing=True), random=st.randoms(use_true_random=False))
def test_any_column_may_be_chosen(X, random):
    mask = [random.random() < 0.5 for _ in range(X.shape[1])]
    schema = fit_schema(X, mask)
    assert (schema.n_categories[mask] > 0).all()
    codes = schema.to_codes(X)
    np.testing.assert_array_equal(np.isnan(codes), missing_of(X))
    filled = schema.fill(X, np.nan_to_num(codes))
    again = through_skops(schema)
    np.testing.assert_array_equal(again.to_codes(filled), np.nan_to_num(codes))
    decoded = again.to_table(np.nan_to_num(codes))
    np.testing.assert_array_equal(again.to_codes(decoded), np.nan_to_num(codes))


@pytest.mark.parametrize(
    ("X", "chosen", "error", "message"),
    [
        (
            FRAME,
            "age",
            ValueError,
            "categorical_features='age' must be 'from_dtype',",
        ),
        (
            FRAME,
            0,
            TypeError,
            "categorical_features=0 must be 'from_dtype', None",
        ),
        (FRAME, ["age", 1], TypeError, "categorical_features=['age', 1] must be"),
        (FRAME, [0.0], TypeError, "categorical_features=[0.0] must be"),
        (FRAME, {"age": 1}, TypeError, "categorical_features={'age': 1} must be"),
        (
            FRAME,
            ["size"],
            ValueError,
            "categorical_features has 'size', which must be a column of X; X has "
            "'age', 'colour', 'member', 'since'.",
        ),
        (
            FRAME.to_numpy(),
            ["age"],
            ValueError,
            "categorical_features=['age'] has names, and X, an array, has none. Give",
        ),
        (FRAME, [4], ValueError, "has the index 4, and X has 4 columns: an index must"),
        (FRAME, [-1], ValueError, "has the index -1, and X has 4 columns"),
        (FRAME, [True], ValueError, "is a mask of 1 columns, and X has 4. Give a bool"),
    ],
)
def test_a_bad_choice_is_refused(X, chosen, error, message):
    with pytest.raises(error, match=re.escape(message)):
        fit_schema(X, chosen)


@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame, dict])
def test_a_column_of_names_is_taken_and_warned_of(container):
    X = container({"name": [f"name {i}" for i in range(40)], "id": [*"abcdefgh"] * 5})
    if container is dict:
        X = np.array([*X.values()]).T
    name = "column 0" if container is dict else "column 'name'"
    message = f"X has values that are all rare, in {name} (40 different values): fewer"
    with pytest.warns(UserWarning, match=re.escape(message)):
        schema = fit_schema(X)
    assert schema.n_categories.tolist() == [40, 8]
    assert schema.n_groups.tolist() == [1, 8]
    assert schema.shared.tolist() == [0]


def test_one_error_says_what_is_wrong_with_each_column():
    X = pd.DataFrame({"fine": [1.5, 2], "empty": [None, None], "list": [[1], [2]]})
    with pytest.raises(ValueError, match="2 columns of X cannot be used") as caught:
        fit_schema(X)
    alone = []
    for name in "empty", "list":
        with pytest.raises((TypeError, ValueError)) as of_one:
            fit_schema(X[[name]])
        alone.append(str(of_one.value))
    assert str(caught.value).split("\n- ")[1:] == alone
    with pytest.raises(TypeError, match=r"2 columns of X cannot be used.*\n- .*\n- "):
        fit_schema(pd.DataFrame({"a": [[1]], "b": [{}]}))
    many = pd.DataFrame(np.full((2, 60), None))
    with pytest.raises(ValueError, match=r"(?s)^60 columns .*column 49.*\n- 10 more$"):
        fit_schema(many)


def test_one_error_says_which_columns_are_no_longer_what_they_were():
    X = pd.DataFrame({"a": [1.5, 2], "b": [3, 4], "c": ["x", "y"]})
    wrong = pd.DataFrame({"a": ["x", "y"], "b": [True, "z"], "c": ["x", "y"]})
    with pytest.raises(ValueError, match=r"(?s)2 columns.*'x' in column 'a'.*'b'"):
        fit_schema(X).to_codes(wrong)


@st.composite
def texts_and_some_rows(draw):
    """A table of text and ordered categories, and a mask of some of its rows."""
    n = draw(st.integers(2, 120))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    most = draw(st.lists(st.integers(1, 2 * n), min_size=1, max_size=4))
    X = pd.DataFrame(
        {j: rng.integers(m, size=n).astype(str) for j, m in enumerate(most)}
    )
    levels = pd.CategoricalDtype([str(i) for i in range(2 * n)], ordered=True)
    if draw(st.booleans()):
        X[0] = X[0].astype(levels)
    if draw(st.booleans()):
        X = X.mask(rng.random(X.shape) < 0.2)
    return X, rng.random(n) < draw(st.floats(0.05, 0.95))


@given(texts_and_some_rows())
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore:Input X has values that fit did not see")
@pytest.mark.filterwarnings("ignore:X has values that are all rare")
def test_some_rows_of_an_accepted_table_are_accepted(table):
    """By fit, and the other rows by what was fitted to them."""
    X, some = table
    assume(X[some].notna().any().all() and X.notna().any().all())
    assert fit_schema(X).n_groups.max() <= MOST + 1
    schema = fit_schema(X[some])
    codes = schema.to_codes(X)
    assert (codes[np.isfinite(codes)] <= schema.n_categories.max()).all()
    has_value = X[some].notna().to_numpy()
    assert np.isfinite(codes[some][has_value]).all()
    found = schema.to_table(np.nan_to_num(codes[some]))
    pd.testing.assert_frame_equal(
        found.where(has_value).astype(object),
        X[some].reset_index(drop=True).astype(object).where(has_value),
    )


@pytest.mark.parametrize(
    "X",
    [
        pl.DataFrame({"a": [[1], [2]]}),
        pl.DataFrame({"a": [{"b": 1}, None]}),
        pl.DataFrame({"a": pl.Series([[1, 2]], dtype=pl.Array(pl.Int8, 2))}),
        pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)}),
        pd.DataFrame({"a": pd.Series([[1]], dtype=pd.ArrowDtype(pa.list_(pa.int8())))}),
        pd.DataFrame({"a": [{"b": 1}]}),
    ],
)
def test_nested_columns_are_refused(X):
    with pytest.raises(TypeError, match=r"'a': the X argument must be .*string.*num"):
        fit_schema(X)


@pytest.mark.parametrize(
    "X", [pd.DataFrame({"a": [None]}), pl.DataFrame({"a": [None]})]
)
def test_columns_without_an_entry_are_refused(X):
    with pytest.raises(ValueError, match="nothing but missing values in column 'a'"):
        fit_schema(X)


def test_columns_are_counted():
    with pytest.raises(ValueError, match="X has 3 columns, and fit saw 4; it must"):
        fit_schema(FRAME).to_codes(FRAME.iloc[:, 1:])


def test_categories_come_back_in_their_order_with_the_unused_ones():
    kinds = pd.CategoricalDtype(["high", "unused", "low"], ordered=True)
    X = pd.DataFrame({"a": pd.Categorical(["low", "high", "low"], dtype=kinds)})
    X["b"] = pd.cut([0.5, 1.5, 1.6], [0, 1, 2, 3])
    X["c"] = pd.Categorical(pd.to_datetime(["2020-01-01"] * 3, utc=True))
    schema = through_skops(fit_schema(X))
    assert schema.to_codes(X).tolist() == [[1, 0, 0], [0, 1, 0], [1, 1, 0]]
    assert_same(schema.to_table(schema.to_codes(X)), X)
    X = pl.DataFrame({"a": pl.Series(["l", "h"], dtype=pl.Enum(["h", "unused", "l"]))})
    schema = through_skops(fit_schema(X))
    assert schema.to_codes(X).tolist() == [[1], [0]]
    assert_same(schema.to_table(schema.to_codes(X)), X)


ORDERED = pd.CategoricalDtype(["blue", "red"], ordered=True)


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (FRAME.iloc[::-1].assign(age=np.array([1, 2, 3], dtype="int16")), True),
        (FRAME.assign(since=FRAME["since"] + pd.Timedelta(1, "h")), True),
        (FRAME.assign(colour=["red", "green", "red"]), False),
        (FRAME.assign(colour=["red"] * 3), False),
        (FRAME.assign(colour=FRAME["colour"].astype(ORDERED)), False),
        (FRAME.astype({"age": float}), False),
        (FRAME.rename(columns={"age": "years"}), False),
        (FRAME[FRAME.columns[::-1]], False),
    ],
)
def test_the_identity_is_of_what_codes_mean(other, is_same):
    found, expected = fit_schema(other).identity(), fit_schema(FRAME).identity()
    assert (repr(found) == repr(expected)) is is_same


def test_the_identity_of_arrays_of_floats_is_without_their_precision():
    single, double = (fit_schema(np.ones((3, 2), dtype)) for dtype in ("f4", "f8"))
    assert single.identity() == double.identity()
    wider = fit_schema(np.ones((3, 3)))
    assert wider.identity() != double.identity()
    whole = fit_schema(np.ones((3, 2), dtype=int))
    assert whole.identity() != double.identity()


def test_the_identity_tells_a_frame_from_an_array():
    X = FRAME.to_numpy()
    found, expected = fit_schema(pd.DataFrame(X, dtype=object)), fit_schema(X)
    assert found.names == expected.names
    assert repr(found.identity()) != repr(expected.identity())
