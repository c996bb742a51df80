"""One thread for torch, and nothing that the caller could see of it."""

import threading

import pytest
import torch

from skvae._numerics.threads import _mkl_limit, threads


@pytest.fixture
def two_threads():
    """Let torch use two threads, whatever the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_one_thread_is_for_the_caller_alone_and_for_a_while(two_threads):
    ready, entered, leave = (threading.Event() for _ in range(3))
    seen = {}

    def bystander():
        seen["before"] = torch.get_num_threads()
        ready.set()
        entered.wait(30)
        seen["meanwhile"] = torch.get_num_threads()
        leave.set()

    thread = threading.Thread(target=bystander)
    thread.start()
    ready.wait(30)
    with threads(1):
        assert torch.get_num_threads() == 1
        newcomer = threading.Thread(
            target=lambda: seen.update(newcomer=torch.get_num_threads())
        )
        newcomer.start()
        newcomer.join()
        entered.set()
        leave.wait(30)
    thread.join()
    assert seen == {"before": 2, "meanwhile": 2, "newcomer": 2}
    assert torch.get_num_threads() == 2


def test_one_thread_is_left_when_training_fails(two_threads):
    with pytest.raises(RuntimeError, match="stop"), threads(1):
        raise RuntimeError("stop")
    assert torch.get_num_threads() == 2


def test_mkl_is_limited_for_a_while_too(two_threads):
    set_limit = _mkl_limit()
    before = set_limit(2)
    with threads(1):
        assert set_limit(1) == 1
    assert set_limit(before) == 2


def test_without_mkl_there_is_nothing_to_limit(monkeypatch, tmp_path):
    monkeypatch.setattr(torch, "__path__", [str(tmp_path)])
    assert _mkl_limit.__wrapped__()(5) == 5
