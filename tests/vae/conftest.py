"""What the tests of the estimator share. None of it is to be refitted."""

import warnings

import numpy as np
import pandas as pd
import pytest
from helpers import make_people

import skvae._vae


@pytest.fixture(scope="session")
def frame(curve):
    """`curve` with names, and an index that counts down."""
    return pd.DataFrame(curve, columns=list("abcd"), index=np.arange(200)[::-1])


@pytest.fixture(scope="session")
def linear(make_vae, curve):
    """An estimator without hidden layers."""
    return make_vae(hidden_layer_sizes=()).fit(curve)


@pytest.fixture(scope="session")
def people():
    """A table of numeric, boolean, categorical and datetime columns."""
    return make_people()


@pytest.fixture(scope="session")
def fitted(make_vae, people):
    """An estimator of one component, fitted to `people`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_vae(n_components=1).fit(people)


@pytest.fixture
def fits(monkeypatch):
    """The recipes of every fit, in a list that grows."""
    calls = []
    original = skvae._vae.fit_vae

    def counted(x, first_rows, recipe, *start):
        calls.append(recipe)
        return original(x, first_rows, recipe, *start)

    monkeypatch.setattr(skvae._vae, "fit_vae", counted)
    return calls
