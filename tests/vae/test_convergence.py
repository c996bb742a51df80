"""The end of the training: warnings, losses that are NaN, and what is printed."""

import re
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skvae import VAETransformer
from skvae._fitting import recipe
from skvae._training.gradient import Gradient

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")

LINEAR = {"hidden_layer_sizes": ()}


def test_max_iter_that_ends_first_warns_once(make_vae, curve):
    message = "max_iter=2 epochs ended .* n_iter_no_change=15 epochs. Raise max_iter"
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        make_vae(max_iter=2).fit(curve)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "parameters",
    [{"max_iter": 500, "tol": 1.0}, {"early_stopping": False, "max_iter": 2}, LINEAR],
)
def test_a_fit_that_ends_as_it_should_warns_of_nothing(parameters, make_vae, curve):
    make_vae(**parameters).fit(curve)


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("learning_rate", [1e6, 1e30])
def test_a_learning_rate_that_diverges_warns_once_and_does_no_harm(
    learning_rate, early_stopping, make_vae, curve, linear
):
    vae = make_vae(learning_rate_init=learning_rate, early_stopping=early_stopping)
    message = re.escape(f"learning_rate_init={learning_rate!r}") + ".* Lower"
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        vae.fit(curve)
    assert len(caught) == 1
    assert vae.score(curve) > linear.score(curve) - 0.2
    assert np.isfinite(vae.sample(100, random_state=0)).all()


@pytest.fixture
def spoil_losses(monkeypatch):
    """Make the losses and gradients of some steps NaN."""

    def spoil(which):
        original, steps = Gradient.__call__, iter(range(10**9))

        def spoiled(self, *args):
            error, kl = original(self, *args)
            if which(next(steps)):
                self.flat.fill_(np.nan)
                kl.fill_(np.nan)
            return error, kl

        monkeypatch.setattr(Gradient, "__call__", spoiled)

    return spoil


def test_one_nan_loss_is_survived(spoil_losses, make_vae, curve, linear):
    spoil_losses(lambda step: step == 50)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "The loss became")
        vae = make_vae().fit(curve)
    assert vae.score(curve) > linear.score(curve)


def test_nan_losses_from_some_step_on_leave_the_best_before(
    spoil_losses, make_vae, curve, linear
):
    spoil_losses(lambda step: step > 150)
    with pytest.warns(ConvergenceWarning, match="The loss became infinite or NaN"):
        vae = make_vae().fit(curve)
    assert 0 < vae.best_iter_ <= vae.n_iter_ < 20
    assert vae.score(curve) > linear.score(curve)


@pytest.mark.parametrize(("tables", "n_iter"), [(0, 1), (3, 3), (99, 4)])
def test_auto_visits_no_more_rows_than_it_may_and_does_not_warn(
    tables, n_iter, curve, monkeypatch
):
    monkeypatch.setattr(recipe, "MOST_VISITS", tables * len(curve))
    monkeypatch.setattr(recipe, "MOST_EPOCHS", 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vae = VAETransformer(random_state=0).fit(curve)
    assert vae.n_iter_ == n_iter


def printed_lines(capsys):
    """Return the lines printed, without the seconds at their ends."""
    lines = capsys.readouterr().out.splitlines()
    assert all(re.search(r" \(\d+\.\d s\)$", line) for line in lines)
    return [line.rpartition(" (")[0] for line in lines]


def phases(lines):
    return [line for line in lines if not line.startswith("Epoch ")]


def test_verbose_tells_of_each_phase_and_of_each_epoch(make_vae, curve, capsys):
    vae = make_vae(max_iter=4, verbose=True).fit(curve)
    lines = printed_lines(capsys)
    epochs = [
        f"Epoch {i}: loss {loss:.4f}, validation score {score:.4f}"
        for i, (loss, score) in enumerate(
            zip(vae.loss_curve_, vae.validation_scores_, strict=True), start=1
        )
    ]
    assert lines[:7] == [
        "Fitting a linear model to 180 rows",
        "Training on 180 rows; 20 rows validate",
        *epochs,
        "Choosing the noise and the prior by the validation rows",
    ]
    assert lines[7] == "Training on all 200 rows from the weights of epoch 4"
    assert [line.split(":")[0] for line in lines[8:-2]] == ["Epoch 1"]
    assert lines[-2:] == [
        "Training stopped after epoch 4, as that is the most allowed",
        "Kept the network of epoch 4, validation score "
        f"{vae.best_validation_score_:.4f}: {vae.n_active_components_} of 2 components "
        "are active, and the weight of the network in the density is "
        f"{vae.network_weight_:.2f}",
    ]


def test_verbose_tells_of_both_fits_without_early_stopping(make_vae, curve, capsys):
    vae = make_vae(max_iter=3, verbose=1, early_stopping=False).fit(curve)
    lines = printed_lines(capsys)
    expected = [f"Epoch {i}: loss {x:.4f}" for i, x in enumerate(vae.loss_curve_, 1)]
    assert lines[-5:-2] == expected
    assert phases(lines)[:-2] == [
        "Fitting a linear model to 180 rows",
        "Training on 180 rows; 20 rows validate",
        "Choosing the noise and the prior by the validation rows",
        "Training on all 200 rows from the start",
    ]
    assert len(lines) == len(phases(lines)) + 6


def test_verbose_tells_why_training_stopped(make_vae, curve, capsys):
    vae = make_vae(max_iter=500, tol=1.0, verbose=2).fit(curve)
    message = "the validation score improved no more"
    found = f"Training stopped after epoch {vae.n_iter_}, as {message}"
    assert found in printed_lines(capsys)


def test_verbose_tells_of_the_linear_model(make_vae, curve, capsys):
    vae = make_vae(verbose=True, **LINEAR).fit(curve)
    assert printed_lines(capsys) == [
        "Fitting a linear model to 180 rows",
        "Fitting the linear model to all 200 rows",
        "Measuring its noise on rows left out",
        "Kept the linear model: 2 of 2 components are active, and the weight of the "
        f"network in the density is {vae.network_weight_:.2f}",
    ]


def test_verbose_tells_that_the_linear_model_is_kept(make_vae, curve, capsys):
    vae = make_vae(verbose=True, learning_rate_init=1e6)
    with pytest.warns(ConvergenceWarning, match="infinite or NaN"):
        vae.fit(curve)
    lines = phases(printed_lines(capsys))
    assert lines[2:4] == [
        "Fitting the linear model to all 200 rows",
        "Measuring its noise on rows left out",
    ]
    assert "as the loss became infinite or NaN" in lines[-2]
    assert lines[-1].startswith("Kept the linear model, validation score")


def test_verbose_tells_of_a_search_for_a_share(make_vae, curve, capsys):
    vae = make_vae(n_components=0.9, max_iter=3, verbose=True).fit(curve)
    lines = printed_lines(capsys)
    tried = [line for line in lines if line.startswith("Trying ")]
    explained = [line for line in lines if " explain" in line]
    sum_of_found = f"{vae.explained_variance_ratio_.sum():.4f}"
    assert sum_of_found in [line.split()[-1] for line in explained]
    assert [line.split()[1] for line in tried] == [x.split()[0] for x in explained]
    assert str(vae.n_components_) in [line.split()[1] for line in tried]
    assert lines[0] == tried[0]
    assert len([x for x in lines if x.startswith("Training on 180")]) == len(tried)
    assert lines[-1].startswith("Kept ")


@pytest.mark.parametrize("verbose", [False, 0])
@pytest.mark.parametrize("n_components", [2, 0.9])
def test_without_verbose_nothing_is_printed(
    verbose, n_components, make_vae, curve, capsys
):
    make_vae(n_components=n_components, max_iter=3, verbose=verbose).fit(curve)
    assert capsys.readouterr() == ("", "")
