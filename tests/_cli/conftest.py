"""Tables as the command has selected their columns."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from skvae._cli.selection import select

N = 200


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """No width of a terminal, which pytest's workers have."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def iris():
    frame = load_iris(as_frame=True).frame
    return select("iris.csv", frame.astype({"target": str}), "target")


@pytest.fixture(scope="session")
def mixed():
    """Numeric, datetime and categorical columns, with a tenth of the values missing."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=N)
    days = (20 * (size + rng.normal(size=N))).round()
    table = pd.DataFrame(
        {
            "size": size,
            "colour": np.where(size > 0.4, "red", np.where(size < -1, "blue", "green")),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D"),
            "count": rng.poisson(np.exp(size)),
            "is_new": size > rng.normal(size=N),
        }
    )
    table = table.mask(rng.random(table.shape) < 0.1)
    return select("t.csv", table.astype({"count": "Int64"}))
