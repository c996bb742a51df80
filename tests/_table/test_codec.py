"""The codec: codes to scaled rows and back, some at a time, and its state."""

import pickle
import re

import joblib
import numpy as np
import pandas as pd
import pytest
from helpers import make_people, with_missing
from numpy.testing import assert_allclose, assert_array_equal

from skvae._choices import SCALINGS
from skvae._table.codec import CHUNK_ROWS, Codec, check_numeric, fit_codec, load_codec
from skvae._table.quantiles import Marginal
from skvae._table.scaling import make_numeric, make_scaling
from skvae._table.schema import fit_schema

each_scaling = pytest.mark.parametrize("scaling", SCALINGS)


def table_of_all_kinds(n=300, missing=0.0):
    """A table of numbers, times, and categories with an order and without."""
    people = make_people(n)
    grade = pd.Categorical.from_codes(
        np.digitize(people["size"], [1, 3, 5]), list("DCBA"), ordered=True
    )
    people["grade"] = pd.Series(grade, index=people.index)
    return with_missing(people, missing) if missing else people


def numbers(n=300):
    """An array of a bell, of few numbers, and of a constant."""
    rng = np.random.default_rng(0)
    return np.c_[50 * rng.normal(size=n) + 7, rng.integers(0, 4, n), np.full(n, 3.0)]


def fit(X, scaling):
    """Return the codec of a table, and its codes."""
    schema = fit_schema(X)
    codes = schema.to_codes(X)
    return fit_codec(codes, schema, scaling), codes


def scaling_of(codec):
    """Return the map that the codec applies to some rows at a time."""
    found = codec.mean, codec.scale, codec.marginals
    return make_scaling(make_numeric(*found, codec.layout), codec.layout)


# --------------------------------------------------------------------- what trees see


@each_scaling
def test_trees_see_scaled_numbers_and_groups_of_categories(scaling):
    X = table_of_all_kinds()
    X["name"] = [f"n{i // 3}" if i > 99 else "often" for i in range(len(X))]
    codec, codes = fit(X, scaling)
    found = codec.features(codes)
    assert found.dtype == np.float32
    assert found.shape == codes.shape
    of_numbers = codec.scaled(codes)[:, : codec.layout.n_numeric]
    assert_allclose(found[:, codec.is_numeric], of_numbers, rtol=1e-6)
    for j in np.flatnonzero(~codec.is_numeric):
        groups = codec.schema.groupings[j].of(codes[:, j])
        assert_array_equal(found[:, j], groups)
    assert found[:, -1].max() < codes[:, -1].max()  # pooled


# ------------------------------------------------------------------- there and back


@each_scaling
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_codes_are_scaled_and_come_back(scaling, missing):
    codec, codes = fit(table_of_all_kinds(missing=missing), scaling)
    x = codec.scaled(codes)
    assert x.shape == (len(codes), codec.layout.n_columns) == (300, 3 + 1 + 3 + 3)
    known = ~np.isnan(codes)
    back = codec.unscaled(np.nan_to_num(x))
    assert back.dtype == np.float64
    assert_allclose(back[known], codes[known], atol=1e-9)
    assert np.isnan(x).any() == (missing > 0)


@each_scaling
def test_a_table_comes_back_by_its_codes(scaling):
    people = table_of_all_kinds()
    codec, codes = fit(people, scaling)
    back = codec.schema.to_table(codec.unscaled(codec.scaled(codes)), people.index)
    pd.testing.assert_frame_equal(back, people, rtol=1e-12)


@each_scaling
def test_what_is_drawn_keeps_to_a_range_that_is_known(scaling):
    codec, codes = fit(table_of_all_kinds(missing=0.3), scaling)
    x = 9 * np.random.default_rng(0).normal(size=(300, codec.layout.n_columns))
    drawn, back = codec.drawn(x), codec.unscaled(x)
    if scaling != "quantile":
        assert_array_equal(drawn, back)
        return
    low, high = np.nanmin(codes, axis=0), np.nanmax(codes, axis=0)
    assert_array_equal(drawn, back.clip(low, high))
    assert (drawn != back).any()
    numbers = codec.numbers(x[:, : codec.layout.n_numeric])
    assert_array_equal(numbers, drawn[:, codec.is_numeric])
    mean = np.c_[numbers + 0.25, x[:, codec.layout.n_numeric :]]
    averaged = codec.averaged(mean)
    assert_array_equal(averaged[:, ~codec.is_numeric], drawn[:, ~codec.is_numeric])
    expected = (numbers + 0.25).clip(*codec._numeric.range)
    assert_array_equal(averaged[:, codec.is_numeric], expected)


def test_an_array_without_rows_or_with_one_is_scaled():
    codec, codes = fit(numbers(), "standard")
    assert codec.scaled(codes[:0]).shape == codec.unscaled(codes[:0]).shape == (0, 3)
    assert_array_equal(codec.scaled(codes[:1]), codec.scaled(codes)[:1])


@each_scaling
@pytest.mark.parametrize("make", [numbers, table_of_all_kinds])
def test_rows_are_scaled_in_chunks_without_writing_to_them(scaling, make, monkeypatch):
    codec, codes = fit(make(), scaling)
    whole = scaling_of(codec)
    monkeypatch.setattr("skvae._table.codec.CHUNK_ROWS", 7)
    codes.flags.writeable = False
    before = codes.copy()
    fortran = np.asfortranarray(codes)
    for rows in (codes, codes[:14], codes[:1], codes[::-1], codes[::3], fortran):
        x = codec.scaled(rows)
        assert_array_equal(x, whole.forward(rows))
        assert x.flags.writeable
        assert x.flags.c_contiguous
    assert_array_equal(codes, before)


@each_scaling
@pytest.mark.parametrize("make", [numbers, table_of_all_kinds])
def test_any_layout_of_the_rows_says_the_same(scaling, make):
    """Of rows that are read-only, backwards, or columns of something wider."""
    codec, codes = fit(make(), scaling)
    x = codec.scaled(codes)
    wide = np.repeat(codes, 2, axis=1)[:, ::2]
    backwards = codes[::-1].copy()[::-1]
    mirrored = codes[:, ::-1].copy()[:, ::-1]
    frozen = codes.copy()
    frozen.flags.writeable = False
    assert backwards.strides[0] < 0
    assert mirrored.strides[1] < 0
    for rows in (wide, backwards, mirrored, frozen, np.asfortranarray(codes)):
        assert_array_equal(codec.scaled(rows), x)
        assert_array_equal(codec.observed(rows, x), codec.observed(codes, x))
        assert_array_equal(codec.log_slope(rows), codec.log_slope(codes))
        codec.check(rows)
    back, frozen = codec.unscaled(x), x.copy()
    frozen.flags.writeable = False
    for rows in (x[::-1].copy()[::-1], frozen, np.asfortranarray(x)):
        assert_array_equal(codec.unscaled(rows), back)
    assert_array_equal(frozen, x)


@each_scaling
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaling_is_in_double_precision_and_rounded_once(scaling, dtype):
    codec, codes = fit(numbers() + 1e4, scaling)
    for rows in codes, codes.astype(np.float32):
        expected = scaling_of(codec).forward(rows.astype(np.float64))
        x = codec.scaled(rows, dtype)
        assert x.dtype == dtype
        assert_array_equal(x, expected.astype(dtype))
    assert codec.scaled(codes).dtype == np.float64
    assert codec.unscaled(x).dtype == np.float64


@each_scaling
def test_rows_come_in_the_order_that_is_asked_for(scaling, monkeypatch):
    codec, codes = fit(table_of_all_kinds(missing=0.2), scaling)
    x = codec.scaled(codes)
    order = np.random.default_rng(0).permutation(len(codes))
    assert_array_equal(codec.scaled(codes, order=order), x[order])
    monkeypatch.setattr("skvae._table.codec.CHUNK_ROWS", 7)
    assert_array_equal(codec.scaled(codes, order=order), x[order])


@each_scaling
@pytest.mark.parametrize("n", [CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1])
def test_the_bits_of_a_row_do_not_depend_on_its_chunk(scaling, n):
    codec, codes = fit(numbers(n), scaling)
    x = codec.scaled(codes)
    assert_array_equal(x, scaling_of(codec).forward(codes))
    parts = [codec.scaled(codes[:11]), codec.scaled(codes[11:])]
    assert_array_equal(x, np.concatenate(parts))


# ------------------------------------------------------- what a likelihood is told


def test_only_quantiles_of_shared_values_are_known_as_intervals():
    people = table_of_all_kinds(missing=0.2)
    for scaling in "standard", None:
        codec, codes = fit(people, scaling)
        x = codec.scaled(codes)
        assert codec.observed(codes, x) is x
    codec, codes = fit(people, "quantile")
    x = codec.scaled(codes)
    low, high = codec.observed(codes, x).swapaxes(0, 1)
    assert low.shape == x.shape
    assert_array_equal(np.isnan(low), np.isnan(x))
    known = ~np.isnan(x)
    assert (low[known] <= x[known] + 1e-12).all()
    assert (x[known] <= high[known] + 1e-12).all()
    assert (low < high)[known[:, 1], 1].any()  # whole years
    assert_array_equal(low[:, 3:], x[:, 3:])  # categories
    assert_array_equal(high[:, 3:], x[:, 3:])


@each_scaling
def test_log_slope_is_of_the_numbers_that_are_known(scaling):
    codec, codes = fit(table_of_all_kinds(missing=0.2), scaling)
    found = codec.log_slope(codes)
    assert found.shape == (len(codes),)
    is_numeric = codec.is_numeric
    assert is_numeric.tolist() == [True, True, False, False, True, False]
    missing = np.isnan(codes)
    if scaling != "quantile":
        slope = np.where(missing, 0, -np.log(codec.scale))[:, is_numeric]
        assert_allclose(found, slope.sum(axis=1))
    # What is not known gains nothing, and neither do categories.
    nothing = codes.copy()
    nothing[:, is_numeric] = np.nan
    assert_array_equal(codec.log_slope(nothing), 0)
    gains = 0
    for j in np.flatnonzero(is_numeric):
        alone = nothing.copy()
        alone[:, j] = codes[:, j]
        gains += codec.log_slope(alone)
    assert_allclose(found, gains, atol=1e-12)


# ---------------------------------------------------------------------------- checks


def test_an_entry_far_from_those_in_fit_is_named():
    codec, codes = fit(table_of_all_kinds(missing=0.2), "standard")
    codec.check(codes)
    codec.check(codes[:1])
    codec.check(codes[:0])
    everything_missing = np.full_like(codes, np.nan)
    codec.check(everything_missing)  # in fit this is an error
    with pytest.raises(ValueError, match="nothing but missing values in column 'size'"):
        check_numeric(everything_missing, codec.schema.names, codec.is_numeric)
    for j, name in (0, "size"), (1, "age"), (4, "since"):
        limit = abs(codec.mean[j]) + 1e15 * codec.scale[j]
        near, far, infinite = codes.copy(), codes.copy(), codes.copy()
        near[7, j], far[7, j], infinite[7, j] = 0.99 * limit, -1.01 * limit, np.inf
        codec.check(near)
        with pytest.raises(ValueError, match=f"column '{name}', a value too large"):
            codec.check(far)
        message = re.escape(f"infinity in column '{name}' (row 7)")
        with pytest.raises(ValueError, match=message):
            codec.check(infinite)


def test_codes_of_categories_are_never_too_large():
    codec, codes = fit(table_of_all_kinds(), "standard")
    assert_array_equal(np.isnan([codec.mean, codec.scale]), 2 * [~codec.is_numeric])
    codes[:, ~codec.is_numeric] = 1e200
    codec.check(codes)
    without, codes = fit(table_of_all_kinds()[["smokes", "city", "grade"]], None)
    without.check(codes)


# ---------------------------------------------------------------- the same table, files


def describes(X, other):
    codec, _ = fit(X, "standard")
    return codec.describes(fit_schema(other))


def test_other_rows_are_of_the_same_table():
    people = table_of_all_kinds(800)
    later = people.iloc[::2].assign(since=people["since"] + pd.Timedelta("400h"))
    assert describes(people, later)
    assert describes(numbers(), numbers(9).astype(np.float32))
    assert describes(numbers().astype(int), numbers(9).astype(int))


@pytest.mark.parametrize(
    "change",
    [
        lambda X: X.rename(columns={"age": "years"}),
        lambda X: X[X.columns[::-1]],
        lambda X: X.drop(columns="age"),
        lambda X: X.astype({"age": "int32"}),
        lambda X: X.astype({"age": "category"}),
        lambda X: X.assign(grade=X["grade"].cat.as_unordered()),
        lambda X: X.assign(grade=X["grade"].cat.reorder_categories(list("ABCD"))),
        lambda X: X[X["city"] != "Graz"],
        lambda X: X.assign(since=X["since"].dt.tz_localize("UTC")),
        lambda X: X.to_numpy(),
    ],
)
def test_other_columns_make_another_table(change):
    people = table_of_all_kinds()
    assert describes(people, people)
    assert not describes(people, change(people))


@each_scaling
@pytest.mark.parametrize("make", [numbers, table_of_all_kinds])
def test_a_state_is_plain_and_says_the_same(scaling, make):
    skops = pytest.importorskip("skops.io")
    codec, codes = fit(make(), scaling)
    x = codec.scaled(codes)
    state = codec.state()
    assert list(state) == ["schema", "mean", "scale", "marginals"]
    assert (state["marginals"] is None) is (scaling != "quantile")
    through_skops = skops.loads(skops.dumps(state), trusted=[])
    for plain in state, through_skops, pickle.loads(pickle.dumps(state)):
        same = load_codec(plain, codec.layout)
        assert same.describes(codec.schema)
        assert same.schema.names == codec.schema.names
        assert_array_equal(same.scaled(codes), x)
        assert_array_equal(same.unscaled(x), codec.unscaled(x))
        assert_array_equal(same.observed(codes, x), codec.observed(codes, x))
        assert_array_equal(same.log_slope(codes), codec.log_slope(codes))
        same.check(codes)
        assert joblib.hash(same.state()) == joblib.hash(plain)
    again = load_codec(state, codec.layout).schema.to_codes(make())
    assert_array_equal(again, codes)  # the times have their origin


def test_the_map_of_each_column_is_made_once(monkeypatch):
    """It is what takes the time of loading a model of many columns."""
    made, X = [], np.random.default_rng(0).normal(size=(50, 3))
    codec, _ = fit(pd.DataFrame(X).assign(word=["a", "b"] * 25), "quantile")
    original = Marginal.__init__

    def make(self, *args, **options):
        made.append(self)
        original(self, *args, **options)

    monkeypatch.setattr(Marginal, "__init__", make)
    Codec(codec.schema, codec.mean, codec.scale, codec.marginals, codec.layout)
    assert len(made) == 3
