"""Arrays and lists of lists: floats as they are, and entries of any class."""

import numpy as np
import pytest

from skvae._table.schema import fit_schema


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_of_floats_are_as_they_are(dtype):
    X = np.array([[1.5, 2], [0, -np.inf]], dtype=dtype)
    schema = fit_schema(X)
    codes = schema.to_codes(X)
    assert codes.dtype == dtype
    np.testing.assert_array_equal(codes, X)
    assert schema.to_table(codes).dtype == np.float64
    assert schema.to_table(codes, dtype=np.float32).dtype == np.float32


def test_lists_of_numbers_come_back_as_an_array_of_floats():
    lists = fit_schema([[1.5, None], [0, 2]])
    np.testing.assert_array_equal(lists.to_table(np.ones((1, 2))), [[1.0, 1.0]])
    assert lists.to_table(np.ones((1, 2)), dtype=np.float32).dtype == np.float32


def test_an_array_with_a_nested_entry_is_refused():
    X = np.ones((4, 2), dtype=object)
    X[0, 0] = {"foo": "bar"}
    message = r"contains {'foo': 'bar'} in column 0: the X argument must be .*string"
    with pytest.raises(TypeError, match=message):
        fit_schema(X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("categorical", [[], [False, False], [0]])
def test_lists_of_numbers_stay_numbers_where_columns_are_named(categorical, make_vae):
    X = [[1, 2.5], [3, 4], [1, 1], [3, 2.25], [1, np.nan]]
    vae = make_vae(hidden_layer_sizes=(), categorical_features=categorical).fit(X)
    back = vae.inverse_transform(vae.transform(X))
    assert (back.dtype, vae.impute(X).dtype, vae.sample(2).dtype) == (np.float64,) * 3
