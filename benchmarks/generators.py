"""Generated tables that hurt: each bends a low-dimensional sheet and adds one defect.

Every function returns (X, y) and always the same rows; y is the first coordinate on
the sheet.
"""

import numpy as np
import pandas as pd
from sklearn.datasets import make_circles


def circles():
    """Two rings around each other: no direction tells a row's place on them."""
    X, _ = make_circles(3_000, noise=0.05, factor=0.5, random_state=0)
    return X, np.arctan2(X[:, 1], X[:, 0])


def heavy_tails():
    """Rows of a t distribution with two degrees of freedom: no variance exists."""
    rng = np.random.default_rng(1)
    X, y = _sheet(rng, 2_000, 12)
    return X / np.sqrt(rng.chisquare(2, (len(X), 1)) / 2), y


def near_duplicates():
    """Four columns, five times each, a thousandth apart."""
    rng = np.random.default_rng(2)
    X, y = _sheet(rng, 1_500, 4, noise=0.3)
    return np.repeat(X, 5, axis=1) + 1e-3 * rng.normal(size=(len(X), 20)), y


def rare():
    """Five columns of 15 are 0 but for two rows: constant in most training rows."""
    rng = np.random.default_rng(3)
    X, y = _sheet(rng, 1_000, 10)
    events = np.zeros((len(X), 5))
    for column in events.T:
        column[rng.choice(len(X), 2, replace=False)] = 1
    return np.hstack([X, events]), y


def wide():
    """120 rows of 400 columns."""
    return _sheet(np.random.default_rng(4), 120, 400, noise=0.5)


def sixty():
    """60 rows."""
    return _sheet(np.random.default_rng(5), 60, 8)


def gross_outlier():
    """One entry of a million."""
    X, y = _sheet(np.random.default_rng(6), 1_000, 10)
    X[17, 3] = 1e6
    return X, y


def scales():
    """Columns from 1e-8 to 1e8."""
    X, y = _sheet(np.random.default_rng(7), 1_000, 12)
    return X * np.logspace(-8, 8, 12), y


def counts():
    """Integers, Poisson, of which most are small."""
    rng = np.random.default_rng(8)
    X, y = _sheet(rng, 2_000, 20)
    return rng.poisson(np.exp(X)).astype(float), y


def zero_inflated():
    """Half of the entries are 0, the rest positive."""
    X, y = _sheet(np.random.default_rng(9), 2_000, 15)
    return np.maximum(X, 0), y


def mixed_sixty():
    """60 rows of numeric, categorical, boolean and datetime columns, some missing.

    Returns a frame and the name of its target.
    """
    X, y = sixty()
    frame = pd.DataFrame(X[:, :4]).add_prefix("c")
    codes = np.digitize(y, [-0.5, 0.5])
    frame["kind"] = pd.Categorical.from_codes(codes, ["low", "middle", "high"])
    frame["positive"] = X[:, 4] > 0
    days = pd.to_timedelta((100 * X[:, 5]).round(), unit="D")
    frame["day"] = pd.Timestamp("2020-01-01") + days
    frame.loc[::20, "c0"] = np.nan
    frame.loc[1::20, "kind"] = np.nan
    return frame.assign(target=y), "target"


def rare_categories(n_samples, share_missing):
    """Two factors in four numeric and three categorical columns, most of them rare."""
    rng = np.random.default_rng(n_samples)
    z = rng.normal(size=(n_samples, 2))
    X = z @ rng.normal(size=(2, 4)) + 0.3 * rng.normal(size=(n_samples, 4))
    frame = pd.DataFrame(X).add_prefix("x")
    for j in range(3):
        shares = np.arange(1, rng.integers(9, 41)) ** -1.2
        edges = (shares / shares.sum()).cumsum()
        score = z @ rng.normal(size=2) + 0.7 * rng.normal(size=n_samples)
        rank = (score.argsort().argsort() + 0.5) / n_samples
        codes = np.searchsorted(edges, rank).astype(str)
        frame[f"c{j}"] = pd.Categorical(codes)
    return frame.mask(rng.random(frame.shape) < share_missing)


ALL = (
    circles,
    heavy_tails,
    near_duplicates,
    rare,
    wide,
    sixty,
    gross_outlier,
    scales,
    counts,
    zero_inflated,
)


def _sheet(rng, n, n_features, n_dimensions=3, noise=0.1):
    """A smooth sheet of few dimensions in many columns, and noise."""
    z = rng.normal(size=(n, n_dimensions))
    bent = np.tanh(z @ rng.normal(size=(n_dimensions, 20)) + rng.normal(size=20))
    X = bent @ rng.normal(size=(20, n_features)) / 4
    return X + noise * rng.normal(size=X.shape), z[:, 0]
