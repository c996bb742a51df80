"""Warnings point at the user's line, whatever stands between it and ours."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline

from skvae import VAETransformer
from skvae._warnings import warn

NAMES = ["a", "b"]
X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=NAMES)
TEXT = X.assign(b=np.where(X["b"] > 0, "x", "y"))
UNSEEN = TEXT.assign(b="z")


def make():
    return VAETransformer(1, max_iter=1, hidden_layer_sizes=(2,), random_state=0)


def warned(use, match):
    """Return the file and the line that the one matching warning points at."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        use()
    found = [one for one in found if match in str(one.message)]
    return {(one.filename, one.lineno) for one in found}


def line(use):
    return use.__code__.co_filename, use.__code__.co_firstlineno


FITS = {
    "fit": lambda: make().fit(X),
    "fit_transform": lambda: make().fit_transform(X),
    "set_output": lambda: make().set_output(transform="pandas").fit_transform(X),
    "pipeline": lambda: make_pipeline("passthrough", make()).fit(X),
    "pipeline, transforming": lambda: make_pipeline(make()).fit_transform(X),
    "union": lambda: FeatureUnion([("a", make())]).fit_transform(X),
    "search": lambda: GridSearchCV(clone(make()), {"beta": [1.0]}, cv=2).fit(X),
}


@pytest.mark.parametrize("use", FITS.values(), ids=FITS)
def test_warnings_of_fit_point_at_the_users_line(use):
    assert warned(use, "max_iter=1 epochs ended") == {line(use)}


def test_warnings_through_a_cache_point_at_the_users_line(tmp_path):
    pipe = make_pipeline(make(), "passthrough", memory=str(tmp_path))
    use = lambda: pipe.fit(X)  # noqa: E731
    assert warned(use, "epochs ended") == {line(use)}


def test_warnings_of_unseen_values_point_at_the_users_line():
    vae = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe = make_pipeline(vae.set_output(transform="pandas")).fit(TEXT)
    for use in (
        lambda: vae.transform(UNSEEN),
        lambda: vae.impute(UNSEEN),
        lambda: vae.score(UNSEEN),
        lambda: pipe.transform(UNSEEN),
    ):
        assert warned(use, "fit did not see") == {line(use)}


def test_warnings_of_another_version_point_at_the_users_line(tmp_path, monkeypatch):
    monkeypatch.setattr("skvae._vae.__version__", "0.0.1")
    vae, path = make(), tmp_path / "vae.joblib"
    joblib.dump(vae, path)
    packed, dumped = pickle.dumps(vae), skops.io.dumps(vae)
    monkeypatch.undo()
    trusted = ["skvae._vae.VAETransformer"]
    for use in (
        lambda: pickle.loads(packed),
        lambda: joblib.load(path),
        lambda: skops.io.loads(dumped, trusted=trusted),
    ):
        assert warned(use, "0.0.1") == {line(use)}
    old = make()
    monkeypatch.setattr("skvae._vae.__version__", "0.0.1")
    state = old.__getstate__()
    monkeypatch.undo()
    monkeypatch.setattr(type(old), "__getstate__", lambda self: state)
    use = lambda: copy.deepcopy(old)  # noqa: E731
    assert warned(use, "0.0.1") == {line(use)}


def test_the_category_and_the_message_are_as_given():
    with pytest.warns(FutureWarning, match="^soon$"):
        warn("soon", FutureWarning)
    message = InconsistentVersionWarning(
        estimator_name="a", current_sklearn_version="1", original_sklearn_version="0"
    )
    with pytest.warns(InconsistentVersionWarning) as found:
        warn(message)
    assert found[0].message is message
    assert found[0].filename == __file__
