import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skvae import TableCleaner, VAETransformer

N = 80
NOT_YIELDED = [
    "check_dataframe_column_names_consistency",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]


def raw(n=N, seed=0):
    """A table as people have it, in which the first three columns are identifiers."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    days = pd.Timestamp("2021-03-25") + pd.to_timedelta((20 * size).round(), unit="D")
    table = pd.DataFrame(
        {
            "row": np.arange(n),
            "id": [str(1234567890123456000 + i) for i in range(n)],
            "name": [f"person {i}" for i in range(n)],
            "unit": "cm",
            "nothing": None,
            "zip": [f"0{2109 + i % 5}" for i in range(n)],
            "price": [f"${1000 + 100 * x:,.2f}" for x in size],
            "day": days.strftime("%d/%m/%y"),
            "stamp": days.strftime("%Y%m%d").astype(int),
            "flag": np.where(size > 0, "TRUE", "FALSE"),
            "count": [f"{x:.0f}" for x in (10 * size).round()],
            "float": np.where(np.arange(n) == 9, np.inf, size),
        }
    )
    table.loc[[3, 30], ["price", "count"]] = "?"
    table.loc[[4, 40], ["zip", "day", "flag"]] = None
    return table


KINDS = {
    "zip": "categorical",
    "price": "numeric",
    "day": "datetime",
    "stamp": "datetime",
    "flag": "categorical",
    "count": "numeric",
    "float": "numeric",
}


@parametrize_with_checks([TableCleaner(), TableCleaner(drop_identifiers=False)])
def test_check(estimator, check):
    state = np.random.get_state()  # noqa: NPY002, one of the checks draws from it
    try:
        check(estimator)
    finally:
        np.random.set_state(state)  # noqa: NPY002


@pytest.mark.parametrize("name", NOT_YIELDED)
def test_check_that_is_not_yielded(name):
    getattr(estimator_checks, name)("TableCleaner", TableCleaner())


def test_columns_are_kept_or_left_out_for_a_reason():
    X = raw()
    cleaner = TableCleaner().fit(X)
    assert cleaner.column_kinds_ == KINDS
    assert cleaner.kept_columns_ == list(KINDS)
    assert cleaner.dropped_columns_ == {
        "row": "row numbers",
        "id": "text with 80 distinct values, such as '1234567890123456000'",
        "name": "text with 80 distinct values, such as 'person 0'",
        "unit": "constant",
        "nothing": "no values",
    }
    assert cleaner.notes_["zip"] == "codes, as some begin with 0"
    assert cleaner.notes_["day"] == "dates written %d/%m/%y"
    found = cleaner.transform(X)
    size = np.random.default_rng(0).normal(size=N)
    missing = np.isin(np.arange(N), [3, 30])
    np.testing.assert_array_equal(found["price"].isna(), missing)
    expected = (1000 + 100 * size).round(2)[~missing]
    np.testing.assert_allclose(found["price"][~missing], expected)
    assert (found["stamp"] == found["day"])[found["day"].notna()].all()
    assert found["count"].dtype == "Int64"
    assert found["flag"].dtype == "boolean"
    assert np.flatnonzero(found["float"].isna()).tolist() == [9]
    assert found["zip"][0] == "02109"


def test_what_may_stay_stays():
    cleaner = TableCleaner(drop_identifiers=False, drop_constant=False).fit(raw())
    assert cleaner.dropped_columns_ == {"nothing": "no values"}
    assert cleaner.column_kinds_["row"] == "numeric"
    assert cleaner.column_kinds_["id"] == "categorical"
    assert cleaner.transform(raw())["id"][0] == "1234567890123456000"


@pytest.mark.parametrize("rows", [[0], [3], [4, 40], range(5), range(0, N, 7)])
def test_some_rows_have_the_columns_and_kinds_of_all(rows):
    X = raw()
    cleaner = TableCleaner().fit(X)
    expected = cleaner.transform(X).iloc[list(rows)]
    found = cleaner.transform(X.iloc[list(rows)])
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert [d.kind for d in found.dtypes] == [d.kind for d in expected.dtypes]


def test_cleaned_table_is_clean():
    """Cleaning what is clean changes nothing, and leaves nothing more out."""
    found = TableCleaner().fit_transform(raw())
    again = TableCleaner().fit_transform(found)
    pd.testing.assert_frame_equal(again, found)


def test_pipelines_take_raw_tables():
    pipe = make_pipeline(
        TableCleaner(), VAETransformer(2, hidden_layer_sizes=(), random_state=0)
    )
    pipe[-1].max_iter = 2
    Z = pipe.fit_transform(raw())
    assert Z.shape == (N, 2)
    assert np.isfinite(Z).all()
    np.testing.assert_allclose(pipe.transform(raw()[:9]), Z[:9], rtol=1e-4)


def test_other_estimators_take_its_numbers():
    X = raw()[["id", "price", "count", "float"]]
    model = make_pipeline(
        TableCleaner().set_output(transform="pandas"),
        HistGradientBoostingRegressor(random_state=0),
    )
    assert model.fit(X, np.arange(N)).predict(X).shape == (N,)


def test_containers():
    pl = pytest.importorskip("polars")
    X = raw()
    expected = TableCleaner().fit_transform(X)
    table = pl.from_pandas(X.drop(columns="nothing"))
    found = TableCleaner().set_output(transform="polars").fit_transform(table)
    assert isinstance(found, pl.DataFrame)
    assert found.columns == list(expected.columns)
    np.testing.assert_array_equal(found["price"].to_numpy(), expected["price"])


def through_skops(cleaner):
    content = skops.io.dumps(cleaner)
    types = skops.io.get_untrusted_types(data=content)
    assert types == ["skvae._cleaning.cleaner.TableCleaner"]
    return skops.io.loads(content, trusted=types)


@pytest.mark.parametrize(
    "way", [lambda c: pickle.loads(pickle.dumps(c)), copy.deepcopy, through_skops]
)
def test_a_copy_does_the_same(way):
    cleaner = TableCleaner().fit(raw())
    copied = way(cleaner)
    pd.testing.assert_frame_equal(copied.transform(raw()), cleaner.transform(raw()))
    assert copied.dropped_columns_ == cleaner.dropped_columns_


def test_nothing_to_fit_names_every_column():
    X = pd.DataFrame({"a": range(20), "b": 1.0})
    with pytest.raises(ValueError, match=r"20 \(a: row numbers; b: constant\)"):
        TableCleaner().fit(X)


def test_a_failed_fit_changes_nothing():
    cleaner = TableCleaner().fit(raw())
    before = copy.deepcopy(vars(cleaner))
    with pytest.raises(ValueError, match="no column"):
        cleaner.fit(pd.DataFrame({"a": [1, 1]}))
    assert {k: str(v) for k, v in vars(cleaner).items()} == {
        k: str(v) for k, v in before.items()
    }


def test_bad_parameter_is_named():
    with pytest.raises(ValueError, match=r"'drop_constant' parameter .* Got 'no'"):
        clone(TableCleaner(drop_constant="no")).fit(raw())


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_repeated_names_are_an_error_that_names_them(library):
    values = np.arange(20.0).reshape(4, 5)
    X = pd.DataFrame(values, columns=list("abacb"))
    if library == "pyarrow":
        X = pytest.importorskip("pyarrow").table(list(values.T), names=list("abacb"))
    message = "several columns of the name 'a', 'b'. Rename them"
    with pytest.raises(ValueError, match=message):
        TableCleaner().fit(X)


def test_arrays_become_tables_of_the_dtypes_that_their_values_have():
    X = raw().drop(columns="nothing").to_numpy(object)
    with config_context(transform_output="pandas"):
        whole = TableCleaner().fit_transform(X)
    own = TableCleaner().set_output(transform="pandas").fit_transform(X)
    for found in whole, own:
        assert [d.kind for d in found.dtypes] == list("OfMMbif")
        expected = TableCleaner().fit_transform(raw())
        for one, other in zip(found, expected, strict=True):
            pd.testing.assert_series_equal(
                found[one], expected[other], check_names=False
            )


def test_arrays_of_numbers_stay_arrays_of_numbers():
    X = np.array([["1", "2.5"], ["3", "?"], ["?", "4.5"]], dtype=object)
    found = TableCleaner().fit_transform(X)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [[1, 2.5], [3, np.nan], [np.nan, 4.5]])
    assert TableCleaner().fit_transform(X[:2, :1]).dtype == np.int64


def test_text_that_is_unread_is_said_once_and_at_the_users_line():
    cleaner = TableCleaner().fit(raw())
    X = raw()[:9].assign(count="many", day="2021-03-25")
    with pytest.warns(UserWarning, match="becomes missing") as caught:
        found = cleaner.transform(X)
    (one,) = caught
    assert "'day' (9 of 9 rows, such as '2021-03-25'), 'count' (9 of 9" in str(
        one.message
    )
    assert one.filename == __file__
    assert found["count"].isna().all()


def test_cleaners_of_older_files_work():
    cleaner = TableCleaner().fit(raw())
    expected = cleaner.transform(raw())
    del cleaner._fitted
    pd.testing.assert_frame_equal(cleaner.transform(raw()), expected)
