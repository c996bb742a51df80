"""Rows that are drawn given some of their entries."""

import numpy as np
import pandas as pd
import pytest

from skvae import VAETransformer

RNG = np.random.default_rng(0)
LOADINGS = RNG.normal(size=(2, 5))
X = 3 + RNG.normal(size=(400, 2)) @ LOADINGS + 0.3 * RNG.normal(size=(400, 5))


@pytest.fixture(scope="module")
def linear():
    return VAETransformer(2, hidden_layer_sizes=(), random_state=0).fit(X)


def mixed(n=300):
    rng = np.random.default_rng(1)
    size = rng.normal(size=n)
    kinds = np.array(["small", "middle", "large"])[np.digitize(size, [-0.5, 0.5])]
    return pd.DataFrame(
        {
            "length": size + 0.1 * rng.normal(size=n),
            "count": (20 + 5 * size).round().astype(int),
            "kind": pd.Categorical(kinds),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(10 * size, "D"),
        }
    )


@pytest.fixture(scope="module")
def fitted():
    return VAETransformer(2, max_iter=40, tol=0, random_state=0).fit(mixed())


def test_rows_have_the_conditional_distribution_of_the_linear_model(linear):
    density = linear._density.parts[0]
    noise, scale = density.likelihood.variance.numpy(), linear.scale_
    decoder = density.coder.linear.decoder.numpy()
    covariance = (decoder.T @ decoder + np.diag(noise)) * np.outer(scale, scale)
    at, others = [1, 3], [0, 2, 4]
    known = linear.mean_[at] + [1.0, -0.5]
    rows = linear.sample(4_000, 0, given=dict(zip(at, known, strict=True)))
    np.testing.assert_array_equal(rows[:, at], np.tile(known, (4_000, 1)))
    within, across = covariance[np.ix_(at, at)], covariance[np.ix_(others, at)]
    slope = np.linalg.solve(within, across.T).T
    mean = linear.mean_[others] + slope @ (known - linear.mean_[at])
    spread = covariance[np.ix_(others, others)] - slope @ across.T
    assert np.abs(rows[:, others].mean(axis=0) - mean).max() < 0.05
    found = np.cov(rows[:, others].T)
    assert np.abs(found - spread).max() < 0.15 * np.abs(spread).max()


def test_each_row_is_drawn_as_often_as_asked_for(linear):
    given = pd.DataFrame({2: [1.0, np.nan, 5.0], 0: [2.0, 3.0, 4.0]})
    rows = linear.sample(4, 0, given=given)
    assert rows.shape == (12, 5)
    np.testing.assert_array_equal(rows[:, 0], np.repeat([2.0, 3.0, 4.0], 4))
    np.testing.assert_array_equal(
        rows[[*range(4), *range(8, 12)], 2], [1.0] * 4 + [5.0] * 4
    )
    assert len({*rows[4:8, 2]}) == 4  # drawn where it is missing
    np.testing.assert_array_equal(rows, linear.sample(4, 0, given=given))
    assert (rows[:, 1] != linear.sample(4, 1, given=given)[:, 1]).all()


def test_rows_of_which_all_is_known_are_themselves(linear):
    given = dict(enumerate([*map(float, range(5))]))
    np.testing.assert_array_equal(linear.sample(2, given=given), [[*range(5)]] * 2)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"kind": "large"}, lambda rows: rows["length"].mean() > 0.5),
        ({"kind": "small"}, lambda rows: rows["count"].mean() < 18),
        ({"length": 1.5}, lambda rows: (rows["kind"] == "large").mean() > 0.9),
        ({"length": -1.5, "kind": "small"}, lambda rows: rows["count"].mean() < 15),
        (
            {"day": pd.Timestamp("2024-01-16")},
            lambda rows: rows["length"].mean() > 0.8,
        ),
    ],
)
def test_columns_of_any_kind_tell_of_the_others(fitted, known, expected):
    rows = fitted.sample(200, 0, given=known)
    assert [*rows.dtypes] == [*mixed().dtypes]
    for name, value in known.items():
        assert (rows[name] == value).all()
    assert expected(rows)


def test_tables_and_lists_are_taken_too(fitted):
    known = {"kind": ["large", "small"], "count": [25, 14]}
    expected = fitted.sample(3, 0, given=pd.DataFrame(known))
    pd.testing.assert_frame_equal(fitted.sample(3, 0, given=known), expected)
    assert expected["kind"].tolist() == ["large"] * 3 + ["small"] * 3
    polars = pytest.importorskip("polars")
    found = fitted.sample(3, 0, given=polars.DataFrame(known))
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    ("given", "error", "rule"),
    [
        ({"weight": 1.0}, ValueError, "other columns than fit saw, 'weight'"),
        ({"kind": "huge"}, ValueError, "did not see, in column 'kind': 'huge'"),
        ({"length": np.inf}, ValueError, "inf"),
        ({"length": "long"}, ValueError, "length"),
        (np.zeros((2, 4)), TypeError, "must be a DataFrame, or a dict"),
        ("large", TypeError, "must be a DataFrame, or a dict"),
        (
            pd.DataFrame([[1, 2]], columns=["count", "count"]),
            ValueError,
            "given has a column twice",
        ),
    ],
)
def test_what_cannot_be_known_is_told(fitted, given, error, rule):
    with pytest.raises(error, match=rule):
        fitted.sample(given=given)
