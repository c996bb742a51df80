"""As many threads for torch as are asked for, and nothing set for the caller.

Small products prefer one thread, and the same bits need always the same number. Limits
here belong to the calling thread alone, unlike those of `torch.set_num_threads` and of
NumPy's BLAS.
"""

import ctypes
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch
from threadpoolctl import ThreadpoolController


@contextmanager
def threads(n):
    """Run torch on n threads."""
    torch.get_num_threads()  # a new thread's first call sets it: now, not inside
    limit_mkl = _mkl_limit()
    with _openmp().limit(limits=n):
        before = limit_mkl(n)
        try:
            yield
        finally:
            limit_mkl(before)


@cache
def _openmp():
    return ThreadpoolController().select(user_api="openmp")


@cache
def _mkl_limit():
    """Return MKL's own setter of a thread's limit, which returns the one before.

    `torch.set_num_threads` sets it too, and there it overrules OpenMP's. MKL is part of
    torch's library on most machines; on others there is nothing to limit.
    """
    for library in Path(torch.__path__[0], "lib").glob("*torch_cpu.*"):
        try:
            return ctypes.CDLL(str(library)).MKL_Set_Num_Threads_Local
        except (OSError, AttributeError):
            continue
    return lambda n_threads: n_threads
