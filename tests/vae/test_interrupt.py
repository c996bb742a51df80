"""Ctrl-C in `fit`: the first keeps the best model so far, the second ends the call."""

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers import state
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

import skvae
from skvae._training.gradient import Gradient

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")

ROOT = Path(skvae.__file__).parents[1]


def interrupt_steps(monkeypatch, *numbers):
    """Interrupt the steps of these numbers, from 0; return the list of all steps."""
    original, steps = Gradient.__call__, []

    def step(*args):
        steps.append(len(steps))
        if steps[-1] in numbers:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(Gradient, "__call__", step)
    return steps


def assert_is_fitted(vae, X):
    assert np.isfinite(vae.score(X))
    assert vae.sample(3, random_state=0).shape == (3, X.shape[1])
    assert len(vae.loss_curve_) == vae.n_iter_ >= vae.best_iter_
    assert len(vae.explained_variance_ratio_) == vae.n_components_


def test_an_interrupt_keeps_the_best_model_and_warns_once(make_vae, curve, monkeypatch):
    steps = interrupt_steps(monkeypatch, 11 * 13 + 5)  # an epoch has 11 steps
    message = "fit was interrupted after epoch 13: the best model so far, of epoch 13"
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        vae = make_vae(max_iter=99).fit(curve)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert len(steps) == 11 * 13 + 6  # there was no last round
    assert (vae.n_iter_, vae.best_iter_) == (13, 13)
    assert vae.best_validation_score_ == max(vae.validation_scores_)
    assert_is_fitted(vae, curve)


def test_an_interrupt_in_the_last_round_keeps_it_so_far(make_vae, curve, monkeypatch):
    whole = make_vae(max_iter=10).fit(curve)
    interrupt_steps(monkeypatch, 11 * 10 + 30)
    with pytest.warns(ConvergenceWarning, match="interrupted after epoch 10"):
        vae = make_vae(max_iter=10).fit(curve)
    assert vae.loss_curve_ == whole.loss_curve_
    assert not np.array_equal(vae.transform(curve), whole.transform(curve))
    assert_is_fitted(vae, curve)


@pytest.mark.parametrize("step", [25, 60])
@pytest.mark.parametrize(
    "parameters",
    [
        {"early_stopping": False, "max_iter": 4},
        {"n_components": 0.9, "max_iter": 4},
        {"scaling": "quantile", "max_iter": 7},
    ],
)
def test_an_interrupt_anywhere_leaves_a_fitted_estimator(
    parameters, step, make_vae, curve, monkeypatch
):
    interrupt_steps(monkeypatch, step)
    with pytest.warns(ConvergenceWarning, match="fit was interrupted after epoch"):
        vae = make_vae(**parameters).fit(curve)
    assert_is_fitted(vae, curve)


def test_interrupted_in_the_first_epoch_it_is_the_linear_model(
    make_vae, curve, monkeypatch, linear
):
    interrupt_steps(monkeypatch, 3)
    with pytest.warns(ConvergenceWarning, match="after epoch 0: .* of epoch 0, is"):
        vae = make_vae().fit(curve)
    assert (vae.n_iter_, vae.best_iter_, vae.loss_curve_) == (0, 0, [])
    expected = linear.inverse_transform(linear.transform(curve))
    found = vae.inverse_transform(vae.transform(curve))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_an_error_filter_makes_the_first_interrupt_end_the_fit(
    make_vae, curve, monkeypatch
):
    interrupt_steps(monkeypatch, 30)
    vae = make_vae()
    before = state(vae)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "fit was interrupted")
        with pytest.raises(ConvergenceWarning):
            vae.fit(curve)
    assert state(vae) == before


def test_an_interrupt_while_it_warns_loses_no_finished_fit(
    make_vae, curve, monkeypatch, assert_same_bits
):
    """A fit may have taken hours, and the warning is all that is left."""
    with pytest.warns(ConvergenceWarning, match="max_iter=2 epochs ended"):
        expected = make_vae(max_iter=2).fit(curve)

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("skvae._vae.warn", interrupted)
    vae = make_vae(max_iter=2)
    with pytest.raises(KeyboardInterrupt):
        vae.fit(curve)
    assert_same_bits(vae, expected, curve)


@pytest.mark.filterwarnings("ignore:fit was interrupted")
def test_a_search_over_parameters_goes_on_with_the_next_fit(
    make_vae, curve, monkeypatch
):
    interrupt_steps(monkeypatch, 30)
    search = GridSearchCV(make_vae(max_iter=5), {"n_components": [1, 2]}, cv=2)
    search.fit(curve)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


SCRIPT = """
import numpy as np
from skvae import VAETransformer

X = np.random.default_rng(0).normal(size=(200, 4)) ** 3
endless = {"max_iter": 10**6, "tol": 0, "n_iter_no_change": 10**6}
vae = VAETransformer(hidden_layer_sizes=(8,), random_state=0, verbose=True, **endless)
vae.fit(X)
assert np.isfinite(vae.score(X))
print("kept", vae.n_iter_ == len(vae.loss_curve_) >= 20)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="its processes get no SIGINT")
def test_ctrl_c_from_outside():
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        for line in process.stdout:
            if line.startswith("Epoch 20:"):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=100)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert out.splitlines()[-1] == "kept True"
    assert "as it was interrupted" in out
    assert "ConvergenceWarning: fit was interrupted after epoch" in err
