"""What a training run tells of itself: a listener that says nothing stops nothing."""

from skvae._training.events import SILENT, EpochPrinter, Listener


def test_one_that_says_nothing_never_asks_to_stop(capsys):
    for listener in Listener(), SILENT:
        assert listener.begin(3) is None
        assert listener.epoch_end(1, 2.0, None) is False
        assert listener.epoch_end(2, float("nan"), -1.0) is False
    assert capsys.readouterr() == ("", "")


def test_the_printer_prints_in_the_users_units(capsys):
    printer = EpochPrinter(2.0)
    assert not printer.epoch_end(3, 1.5, -4.0)
    printer.epoch_end(4, 1.5, None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 3: loss -0.5000, validation score -2.0000"
    assert lines[1] == "Epoch 4: loss -0.5000"
