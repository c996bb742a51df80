"""`sample`."""

import re

import numpy as np
import pytest


def test_sample_is_determined_by_its_random_state(trained):
    rows = trained.sample(7, random_state=3)
    assert rows.shape == (7, 4)
    assert rows.dtype == np.float64
    np.testing.assert_array_equal(trained.sample(7, random_state=3), rows)
    random = np.random.RandomState(3)
    np.testing.assert_array_equal(trained.sample(7, random_state=random), rows)
    assert not np.array_equal(trained.sample(7, random_state=random), rows)
    assert not np.array_equal(trained.sample(7, random_state=4), rows)


def test_sample_draws_one_row_unless_told(trained):
    assert trained.sample().shape == (1, 4)
    assert trained.sample(np.int32(3)).shape == (3, 4)


@pytest.mark.parametrize(
    ("n_samples", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (2.0, TypeError),
        (True, TypeError),
        ("3", TypeError),
        (None, TypeError),
    ],
)
def test_sample_wants_a_number_of_rows(n_samples, error, trained):
    message = f"n_samples must be an integer of at least 1. Got {n_samples!r}."
    with pytest.raises(error, match=re.escape(message)):
        trained.sample(n_samples)
