"""What a training run tells of itself: a listener that says nothing stops nothing."""

from skvae._training.events import SILENT, Listener


def test_one_that_says_nothing_never_asks_to_stop(capsys):
    for listener in Listener(), SILENT:
        assert listener.begin(3) is None
        assert listener.epoch_end(1, 2.0, None) is False
        assert listener.epoch_end(2, float("nan"), -1.0) is False
    assert capsys.readouterr() == ("", "")
