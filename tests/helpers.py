"""Tables that several test files draw, and what they compare of two tables."""

import joblib
import numpy as np
import pandas as pd
import polars as pl
from polars.testing import assert_frame_equal as assert_polars_equal

from skvae._table.containers import is_polars

CITIES = ["Bonn", "Lyon", "Graz"]
FRAME = pd.DataFrame(
    {
        "age": np.array([31, 45, 23], dtype="int16"),
        "colour": ["red", "blue", "red"],
        "member": [True, False, True],
        "since": pd.to_datetime(["2020-01-01", "2021-01-01", "2020-06-01"]),
    }
)


def draw_factor_model(n=800, d=6, k=2, seed=0, draw=0):
    """Draw from a factor model; `seed` is the model's."""
    rng = np.random.default_rng(seed)
    loadings, center = rng.normal(size=(k, d)), rng.normal(size=d)
    noise = np.linspace(0.3, 1.0, d)
    rng = np.random.default_rng([seed, draw])
    x = rng.normal(size=(n, k)) @ loadings + noise * rng.normal(size=(n, d))
    return x + center


def bow(n=1200, seed=0):
    """Rows on a curve in five columns."""
    rng = np.random.default_rng(seed)
    t = rng.normal(size=n)
    x = np.c_[t, t**2, np.sin(2 * t), t - t**2, np.cos(t)]
    return x + 0.1 * rng.normal(size=x.shape)


def make_people(n=300, seed=0):
    """A table of every kind of column, which all tell of one thing."""
    rng = np.random.default_rng(seed)
    t = rng.normal(size=n)
    near = t[:, None] + 0.4 * rng.normal(size=(n, 3))
    return pd.DataFrame(
        {
            "size": 3 + 2 * near[:, 0],
            "age": np.round(40 + 10 * near[:, 1]).astype("int16"),
            "smokes": t + 0.4 * rng.logistic(size=n) > 0.5,
            "city": pd.Categorical.from_codes(
                np.digitize(t + 0.4 * rng.logistic(size=n), [-0.6, 0.6]), CITIES
            ),
            "since": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(np.round(100 * near[:, 2]), unit="D"),
        },
        index=np.arange(n)[::-1],
    )


def with_missing(X, share=0.3, seed=0):
    """Return a copy of an array or of `make_people` whose entries are partly missing.

    As objects None would do; here each dtype has its own missing value.
    """
    missing = np.random.default_rng(seed).random(X.shape) < share
    if isinstance(X, pd.DataFrame):
        return X.astype({"smokes": "boolean", "age": "Int16"}).mask(missing)
    return np.where(missing, np.nan, X)


def kinds_of(columns):
    """Return the kinds of columns, and their numbers of categories.

    Parameters
    ----------
    columns : array-like of int
        Numbers of categories: 0 if numeric, negative if ordered.
    """
    columns = np.asarray(columns)
    chosen = [columns == 0, abs(columns) == 2, columns < -2]
    kinds = np.select(chosen, ["gaussian", "bernoulli", "ordinal"], "categorical")
    return kinds, abs(columns)


def as_polars(X):
    """Return `make_people` as a DataFrame of polars."""
    columns = {"city": X["city"].astype(object).where(X["city"].notna(), None)}
    X = X.assign(**columns).astype(object).where(X.notna(), None)
    return pl.DataFrame(
        {name: X[name].tolist() for name in X},
        schema_overrides={"age": pl.Int16, "city": pl.Enum(CITIES)},
    )


def model_covariance(linear):
    """The covariance of the rows that a linear VAE draws."""
    decoder, noise_variance = linear.decoder.numpy(), linear.noise_variance.numpy()
    return decoder.T @ decoder + np.diag(noise_variance)


def state(vae):
    """The whole state of an estimator, as a hash."""
    return joblib.hash(vae.__getstate__())


def missing_of(X):
    """None, NaN, NA, NaT and null."""
    if is_polars(X):
        return np.stack(
            [
                (s.is_null() | (s.is_nan() if s.dtype.is_float() else False)).to_numpy()
                for s in X.get_columns()
            ],
            axis=1,
        )
    return pd.isna(X).to_numpy() if isinstance(X, pd.DataFrame) else pd.isna(X)


def as_objects(X):
    """Entries as Python or pandas has them; floats as bits, to tell -0.0 from 0."""
    columns = [s.to_list() for s in X.get_columns()] if is_polars(X) else None
    if isinstance(X, pd.DataFrame):
        columns = [X.iloc[:, j].tolist() for j in range(X.shape[1])]
    columns = X.T.tolist() if columns is None else columns
    return [[repr(value) for value in column] for column in columns]


def assert_same_kind(table, X, floats=None):
    """Container, names and their order, dtypes and categories."""
    assert type(table) is type(X)
    assert table.shape[1] == X.shape[1]
    if is_polars(X):
        assert table.schema == X.schema
        return
    if isinstance(X, pd.DataFrame):
        pd.testing.assert_index_equal(table.columns, X.columns, exact="equiv")
        assert table.dtypes.tolist() == X.dtypes.tolist()
    elif X.dtype.kind == "f":
        assert table.dtype == (floats or X.dtype)
    else:
        assert table.dtype == X.dtype
    for before, after in zip(columns_of(X), columns_of(table), strict=True):
        if before.dtype == object:  # whose entries have the classes that they had
            observed = before[before.notna()]
            assert set(after.map(type)) <= set(observed.map(type))


def columns_of(X):
    X = pd.DataFrame(X)
    return [X.iloc[:, j] for j in range(X.shape[1])]


def assert_only_missing_are_filled(full, X):
    """The other entries are X's to the bit, and the table is of its kind."""
    assert_same_kind(full, X)
    missing = missing_of(X)
    assert not missing_of(full).any()
    before, after = np.array(as_objects(X)).T, np.array(as_objects(full)).T
    np.testing.assert_array_equal(after[~missing], before[~missing])
    if isinstance(X, pd.DataFrame):
        pd.testing.assert_index_equal(full.index, X.index)


def assert_same(back, X):
    """Container, dtypes, labels, index and every entry, its type included."""
    assert type(back) is type(X)
    if is_polars(X):
        assert back.schema == X.schema
        assert_polars_equal(back, X, check_exact=True)
    elif isinstance(X, pd.DataFrame):
        pd.testing.assert_frame_equal(back, X, check_exact=True, check_freq=False)
        assert_same_objects(back, X)
    else:
        assert back.dtype == X.dtype
        np.testing.assert_array_equal(back, X)
        assert_same_objects(pd.DataFrame(back), pd.DataFrame(X))


def assert_same_objects(back, X):
    for j, dtype in enumerate(X.dtypes):
        if dtype.kind == "O" and isinstance(dtype, np.dtype):
            types = X.iloc[:, j].map(type), back.iloc[:, j].map(type)
            assert types[0].tolist() == types[1].tolist()
