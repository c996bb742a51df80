"""What a caller may have set in a process, none of which may matter."""

import random
from contextlib import ExitStack, contextmanager

import numpy as np
import torch


@contextmanager
def double_precision():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def other_device():
    """The meta device holds no numbers: whatever is made there cannot be used."""
    before = torch.get_default_device()
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(before)


@contextmanager
def more_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def other_seeds():
    states = np.random.get_state(), torch.get_rng_state(), random.getstate()  # noqa: NPY002
    np.random.seed(12345)  # noqa: NPY002
    torch.manual_seed(12345)
    random.seed(12345)
    try:
        yield
    finally:
        np.random.set_state(states[0])  # noqa: NPY002
        torch.set_rng_state(states[1])
        random.setstate(states[2])


def strict_numpy():
    return np.errstate(all="raise")


def without_gradients():
    return torch.inference_mode()


SETTINGS = [
    double_precision,
    other_device,
    more_threads,
    other_seeds,
    strict_numpy,
    without_gradients,
]


@contextmanager
def set_up(settings):
    with ExitStack() as stack:
        for setting in settings:
            stack.enter_context(setting())
        yield
