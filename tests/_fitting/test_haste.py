"""The first interrupt is taken note of, the second is raised."""

import pytest

from skvae._fitting.haste import Haste


def interrupted(times):
    """Return a function whose first calls are interrupted."""
    calls = []

    def step(*args):
        calls.append(args)
        if len(calls) <= times:
            raise KeyboardInterrupt
        return calls

    return step


def test_with_time_a_step_is_taken_once():
    haste = Haste()
    assert haste.insist(interrupted(0), 1, 2) == [(1, 2)]
    assert haste.reason == ""


def test_an_interrupted_step_is_taken_again():
    haste = Haste()
    assert haste.insist(interrupted(1), 1, 2) == [(1, 2), (1, 2)]
    assert haste.reason == "interrupted"
    assert haste.insist(interrupted(0)) == [()]


def test_the_second_interrupt_is_raised_wherever_it_comes():
    with pytest.raises(KeyboardInterrupt):
        Haste().insist(interrupted(2))
    haste = Haste()
    haste.insist(interrupted(1))
    with pytest.raises(KeyboardInterrupt):
        haste.insist(interrupted(1))
    with pytest.raises(KeyboardInterrupt):
        haste.interrupt()


def test_who_was_asked_to_stop_may_still_be_interrupted_once():
    haste = Haste()
    haste.reason = "asked"
    assert haste.insist(interrupted(1)) == [(), ()]
    assert haste.reason == "interrupted"


def test_other_errors_are_raised_at_once():
    def fail():
        raise ValueError

    haste = Haste()
    with pytest.raises(ValueError, match=r"^$"):
        haste.insist(fail)
    assert haste.reason == ""
