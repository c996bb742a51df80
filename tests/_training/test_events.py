"""What a fit tells of itself: a listener that says nothing stops nothing."""

import re
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from skvae._training.events import ENDS, SILENT, Listener, Printer
from skvae._training.loop import Progress


@dataclass
class Solution:
    progress: Progress
    n_active: int = 2
    component_kl: tuple = (3.0, 1.0, 0.0)
    is_map: bool = False
    density: object = field(default_factory=lambda: SimpleNamespace(weights=(0.9, 0.1)))


def test_one_that_says_nothing_never_asks_to_stop(capsys):
    for listener in Listener(), SILENT:
        assert listener.phase("Training") is None
        assert listener.begin(3) is None
        assert listener.epoch_end(1, 2.0, None) is False
        assert listener.epoch_end(2, float("nan"), -1.0) is False
        assert listener.step_end(50, 1.5) is False
        assert listener.end(Solution(Progress())) is None
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def printed(capsys, monkeypatch):
    """Tell a printer of something; return its lines. A clock ticks once a look."""
    ticks = iter(range(100))
    monkeypatch.setattr("skvae._training.events.perf_counter", lambda: next(ticks))
    printer = Printer(2.0)

    def printed(event, *args):
        assert not getattr(printer, event)(*args)
        return capsys.readouterr().out.splitlines()

    return printed


def test_the_printer_prints_phases_and_epochs_in_the_users_units(printed):
    assert printed("phase", "Training on 5 rows") == ["Training on 5 rows (1.0 s)"]
    assert printed("begin", 3) == []
    line = "Epoch 3: loss -0.5000, validation score -2.0000 (2.0 s)"
    assert printed("epoch_end", 3, 1.5, -4.0) == [line]
    assert printed("epoch_end", 4, 1.5, None) == ["Epoch 4: loss -0.5000 (3.0 s)"]


@pytest.mark.parametrize("stopped", ENDS)
def test_in_the_end_it_says_why_training_stopped_and_what_is_kept(stopped, printed):
    progress = Progress(
        best_score=-4.0,
        start_score=-5.0,
        n_epochs=8,
        best_epoch=5,
        validation_scores=(-4.0,),
        stopped=stopped,
    )
    first, last = printed("end", Solution(progress))
    assert first.startswith(f"Training stopped after epoch 8, as {ENDS[stopped]} (")
    assert last.startswith(
        "Kept the network of epoch 5, validation score -2.0000: 2 of 3 components are "
        "active, and the weight of the network in the density is 0.90 ("
    )


def test_the_printer_tells_of_some_steps_of_a_layout(printed):
    assert printed("step_end", 5, 2.0) == printed("step_end", 55, 2.0) == []
    assert printed("step_end", 100, 1.5) == ["Step 100: divergence 1.5000 (1.0 s)"]


@pytest.mark.parametrize("stopped", ["converged", "max_epochs", "asked", "interrupted"])
def test_of_a_map_it_says_why_the_layout_ended(stopped, printed):
    progress = Progress(n_epochs=450, stopped=stopped)
    first, last = printed("end", Solution(progress, is_map=True))
    assert first.startswith(f"The layout ended after step 450, as {ENDS[stopped]} (")
    assert last.startswith("Kept the map: 2 of 3 components are active, and the weight")


def test_a_closed_form_was_not_trained(printed):
    (line,) = printed("end", Solution(Progress(n_epochs=1, stopped="closed form")))
    assert re.match("Kept the linear model: 2 of 3 components .* is 0.90", line)
