"""Hostile tables, parameters and settings: what people hand to an estimator."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse
import torch
from hypothesis import strategies as st
from strategies import tables

MAGNITUDES = [0, 0, 0, 1, -1, 7, -7, 15, -15, 30, -30, 80, -99, 200, -200, 300, -320]
MOST_ROWS, MOST_COLUMNS = 40, 6


@dataclass(frozen=True)
class Table:
    """A table, and what is known of it."""

    X: Any
    may_fit: bool  # whether the estimator has to take it


@st.composite
def number_columns(draw, rng, n):
    """A column of numbers of any shape, offset and magnitude."""
    shape = draw(
        st.sampled_from(
            "normal skewed zeros constant binary counts few spike tiny steps".split()
        )
    )
    x = {
        "normal": lambda: rng.normal(size=n),
        "skewed": lambda: np.exp(3 * rng.normal(size=n)),
        "zeros": lambda: rng.exponential(size=n) * (rng.random(n) < 0.2),
        "constant": lambda: np.full(n, 1.0),
        "binary": lambda: (rng.random(n) < 0.5).astype(float),
        "counts": lambda: rng.poisson(3, size=n).astype(float),
        "few": lambda: rng.choice([0.1, 0.2, 7.0], size=n),
        "spike": lambda: np.where(np.arange(n) == n // 2, 1e9, rng.normal(size=n)),
        "tiny": lambda: 1.0 + 1e-12 * rng.normal(size=n),
        "steps": lambda: np.arange(n) // 3.0,
    }[shape]()
    offset = draw(st.sampled_from([0, 0, 0, 1, 1e6, -1e15]))
    magnitude = draw(st.sampled_from(MAGNITUDES))
    with np.errstate(all="ignore"):
        x = (x + offset) * 10.0**magnitude
    share = draw(st.sampled_from([0, 0, 0, 0.1, 0.5, 0.95]))
    missing = rng.random(n) < share
    missing[rng.integers(n)] = False
    x[missing] = np.nan
    return x


@st.composite
def number_tables(draw):
    """An array of numbers in any layout, dtype and container."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(2, MOST_ROWS))
    d = draw(st.integers(1, MOST_COLUMNS))
    X = np.stack([draw(number_columns(rng, n)) for _ in range(d)], axis=1)
    relation = draw(st.sampled_from(["none", "copy", "sum", "rows", "wide"]))
    if relation == "copy":
        X[:, -1] = X[:, 0]
    elif relation == "sum":
        X[:, -1] = X.sum(axis=1) if np.isfinite(X.sum(axis=1)).any() else X[:, -1]
    elif relation == "rows":
        X[1:] = X[:1]
    elif relation == "wide":
        X = np.concatenate([X, rng.normal(size=(n, 30))], axis=1)
    if np.isnan(X).all(axis=0).any():
        X = np.nan_to_num(X)
    # What the documentation promises to take.
    may_fit = bool(np.nanmax(np.abs(X)) <= 1e98)
    X = draw(st.sampled_from([*LAYOUTS]))(X)
    return Table(X, may_fit)


def _single(X):
    return np.clip(X, -3e38, 3e38).astype(np.float32)


def _masked(X):
    return np.ma.masked_array(np.nan_to_num(X, nan=-9.0), mask=np.isnan(X))


def _frozen(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def _strided(X):
    return np.repeat(X, 2, axis=0)[::2]


LAYOUTS = [
    np.asarray,
    np.asarray,
    np.asfortranarray,
    _single,
    _masked,
    _frozen,
    _strided,
    lambda X: X.astype(">f8"),
    lambda X: X.tolist(),
    lambda X: X.astype(object),
    lambda X: pd.DataFrame(X).add_prefix("c"),
    lambda X: pd.DataFrame(X, index=pd.RangeIndex(len(X))[::-1]),
    lambda X: pd.DataFrame(X, index=pd.MultiIndex.from_arrays([np.arange(len(X))] * 2)),
    lambda X: pd.DataFrame(X).add_prefix("c").astype("Float64"),
    lambda X: pl.DataFrame(X, schema=[f"c{j}" for j in range(X.shape[1])]),
]


@st.composite
def mixed_tables(draw):
    """A table of columns of any kind, some of its entries missing."""
    X = draw(tables(with_missing=True))
    if isinstance(X, pd.DataFrame) and not isinstance(X.columns, pd.RangeIndex):
        X = X.set_axis([f"{name} {j}" for j, name in enumerate(X.columns)], axis=1)
    return Table(X, may_fit=False)


@st.composite
def text_tables(draw):
    """A DataFrame with ids, remarks, rare categories and numbers."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(2, MOST_ROWS))
    alphabet = draw(st.sampled_from(["ab", "äß€", "\x1b[2J\x07", "=+-@,;\"'\n", "  "]))
    columns = {
        "id": [f"{alphabet[0]}{i}" for i in range(n)],
        "rare": [alphabet[: i % 2 + (i == 3)] for i in range(n)],
        "zipf": [f"{alphabet}{v}" for v in rng.zipf(1.5, size=n)],
        "same": [alphabet] * n,
        "x": rng.normal(size=n),
        "flag": rng.random(n) < 0.5,
        "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(9, size=n)),
    }
    chosen = draw(st.lists(st.sampled_from([*columns]), min_size=1, unique=True))
    X = pd.DataFrame({name: columns[name] for name in chosen})
    if draw(st.booleans()):
        missing = rng.random(X.shape) < 0.3
        missing[0] = False
        X = X.mask(missing)
    if draw(st.booleans()):
        X = X.astype({name: "category" for name in chosen if name not in ("x", "when")})
    return Table(X, may_fit=False)


@st.composite
def wrong_tables(draw):
    """What is no table that can be modelled; or only just."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    X = rng.normal(size=(draw(st.integers(2, 9)), draw(st.integers(1, 4))))
    return Table(draw(st.sampled_from(WRONG))(X), may_fit=False)


def _zeros_and_ones(X, of):
    """Return integers that older versions of pyarrow cast to a type."""
    return np.arange(len(X), dtype="i4" if of.bit_width == 32 else "i8") % 2


WRONG = [
    lambda X: None,
    lambda X: "table.csv",
    lambda X: 3.0,
    lambda X: X[0],
    lambda X: X[None],
    lambda X: X[:0],
    lambda X: X[:1],
    lambda X: X[:, :0],
    lambda X: X + 1j,
    lambda X: np.where(X > 0, np.inf, X),
    lambda X: np.full_like(X, np.nan),
    lambda X: pd.Series(X[:, 0]),
    lambda X: pd.DataFrame(X).assign(empty=None),
    lambda X: pd.DataFrame(X).assign(nested=[[1, 2]] * len(X)),
    lambda X: pd.DataFrame(X).assign(kinds=[object()] * len(X)),
    lambda X: pd.DataFrame({"period": pd.period_range("2020", periods=len(X))}),
    lambda X: pd.DataFrame({"mixed": ["a", 1.5, *[b"c"] * (len(X) - 2)]}),
    lambda X: pd.DataFrame(X).T.assign(**{"": 1}),
    lambda X: scipy.sparse.csr_matrix(X),
    lambda X: {"a": X[:, 0]},
    lambda X: [{"a": 1.0}] * len(X),
    lambda X: [*X.tolist(), [1.0] * 9],
    lambda X: (row for row in X),
    lambda X: pa.table({"a": X[:, 0], "b": X[:, 0] > 0}),
    lambda X: pl.DataFrame(X).lazy(),
    lambda X: pl.DataFrame({"nested": [[1.0]] * len(X)}),
    lambda X: X.astype("f2"),
    lambda X: X > 0,
    lambda X: X.astype(np.longdouble),
    lambda X: np.char.mod("%.2f", X),
    lambda X: X.astype(np.longdouble) ** 99,
    lambda X: [[10**400, 1.0]] * len(X),
    lambda X: np.matrix(X),
    lambda X: np.char.array(np.char.mod("%d", X)),
    lambda X: X.astype("M8[s]"),
    lambda X: np.array([["NaT"]] * len(X), dtype="M8"),
    lambda X: X.view("V8"),
    lambda X: X.astype("m8[D]").astype(">m8[D]"),
    lambda X: torch.from_numpy(X),
    lambda X: torch.from_numpy(X).to_sparse(),
    lambda X: [*torch.from_numpy(X)],
    lambda X: memoryview(X),
    lambda X: range(len(X)),
    lambda X: pd.DataFrame(X).groupby(0),
    lambda X: pd.MultiIndex.from_arrays([X[:, 0]] * 2),
    lambda X: pd.DataFrame(X).astype(pd.SparseDtype(float)),
    lambda X: pd.DataFrame({"span": pd.interval_range(0, periods=len(X))}),
    lambda X: pd.DataFrame({"span": pd.cut(X[:, 0], 2)}),
    lambda X: pd.DataFrame(
        {"time": pd.date_range("2020", periods=len(X), tz="Asia/Tokyo")}
    ),
    *(
        lambda X, of=of: pd.DataFrame({"a": np.arange(len(X)) % 2}).astype(of)
        for of in ("Int8", "Float32", "boolean", "string", "category", np.longdouble)
    ),
    *(
        lambda X, of=of: pd.DataFrame(
            {"a": pd.array(_zeros_and_ones(X, of)).astype(pd.ArrowDtype(of))}
        )
        for of in (
            pa.decimal128(38, 4),
            pa.decimal256(76, 4),
            pa.timestamp("us", "Asia/Tokyo"),
            pa.duration("s"),
            pa.date32(),
            pa.float32(),
        )
    ),
    lambda X: pl.DataFrame({"a": pl.Series(range(len(X)), dtype=pl.Int128)}),
    lambda X: np.rec.fromarrays(X.T, names=[f"c{j}" for j in range(X.shape[1])]),
]

hostile_tables = st.one_of(
    number_tables(), number_tables(), mixed_tables(), text_tables(), wrong_tables()
)

# Valid ones, the extreme among them; a fit of any of them takes part of a second.
VALID = {
    "n_components": [1, 2, 3, 8, 0.5, 0.99],
    "hidden_layer_sizes": [(), (4,), (4,), (4, 3), 5, [2], np.array([3])],
    "activation": ["silu", "relu", "gelu", "tanh", "elu"],
    "noise": ["auto", "spherical", "diag"],
    "scaling": ["standard", "quantile", None],
    "categorical_features": ["from_dtype", "from_dtype", None, [0], []],
    "beta": [1.0, 1.0, 0, 0.1, 100.0],
    "alpha": [0.01, 0, 3.0, 1000.0],
    "batch_size": ["auto", 1, 7, 10**9],
    "learning_rate_init": [2e-3, 1e-30, 1.0, 10, 1e30],
    "max_iter": [1, 2, 3],
    "early_stopping": [True, False],
    "validation_fraction": [0.1, 0.01, 0.5, 0.99],
    "n_iter_no_change": [15, 1],
    "tol": [0.01, 0, 1e9],
    "warm_start": [False, True],
    "redraw": [False, True],
    "random_state": [0, 2**32 - 1, np.int64(3)],
    "device": ["cpu"],
    "n_neighbors": [None, 1, 5, 15, 10**9, np.int64(2)],
    "n_jobs": [None, 1, 2, np.int64(2)],
    "verbose": [False],
}
INVALID = {
    "n_components": [0, -1, 1.0, 1.5, "two", None, math.nan, True, 2 + 0j],
    "hidden_layer_sizes": [0, (0,), (2.5,), "8", None, {4}, (4, "4"), [[3]]],
    "activation": ["sigmoid", None, 3],
    "noise": ["none", None],
    "scaling": ["minmax", True],
    "categorical_features": ["c0", 3, {"a": 1}, [99], ["nowhere"], [True]],
    "beta": [-1, math.inf, "1", None],
    "alpha": [-1e-9, math.nan],
    "batch_size": [0, 2.0, "all", None],
    "learning_rate_init": [0, math.inf, -1],
    "max_iter": [0, "all", 1.5],
    "early_stopping": [1, None, "yes"],
    "validation_fraction": [0, 1, 1.0, None],
    "n_iter_no_change": [0, 2.5],
    "tol": [-1, math.nan],
    "warm_start": ["no", 2],
    "redraw": ["no", 2],
    "random_state": [-1, 2**32, "zero", 0.5],
    "device": ["gpu", 3.5, None, "cuda:99"],
    "n_neighbors": [0, -1, 1.5, "a", True, math.nan, [15]],
    "n_jobs": [0, 1.5, "a", True, math.nan, [2]],
    "verbose": ["yes", -1, None],
}


@st.composite
def parameters(draw):
    """Some valid parameters of the estimator; others are small."""
    chosen = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
    names = draw(st.lists(st.sampled_from([*VALID]), max_size=6, unique=True))
    chosen |= {name: draw(st.sampled_from(VALID[name])) for name in names}
    if chosen.get("n_neighbors") and chosen.get("n_components", 2) < 1:
        del chosen["n_components"]  # a map has no share
    return chosen
