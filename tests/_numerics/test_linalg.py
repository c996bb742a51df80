"""Linear algebra on torch, against NumPy's."""

import warnings

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from skvae._numerics import linalg
from skvae._numerics.threads import one_thread

A = np.random.default_rng(0).normal(size=(7, 4))
SYMMETRIC = A.T @ A


def test_product():
    np.testing.assert_allclose(linalg.product(A, SYMMETRIC), A @ SYMMETRIC)
    np.testing.assert_allclose(linalg.product(A[0], SYMMETRIC), A[0] @ SYMMETRIC)


def test_eigenvalues_fall_and_vectors_are_rows():
    values, vectors = linalg.eigh(SYMMETRIC)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(SYMMETRIC)[::-1])
    np.testing.assert_allclose(vectors.T * values @ vectors, SYMMETRIC, atol=1e-12)


def test_left_singular_vectors():
    left = linalg.left_singular_vectors(A)
    oracle = np.linalg.svd(A, full_matrices=False)[0]
    np.testing.assert_allclose(abs(left), abs(oracle))


def test_solve():
    x = linalg.solve(SYMMETRIC, A.T)
    np.testing.assert_allclose(SYMMETRIC @ x, A.T, atol=1e-12)


@pytest.mark.parametrize("awkward", ["read-only", "reversed", "float32"])
def test_any_array_will_do(awkward):
    a = SYMMETRIC[::-1] if awkward == "reversed" else SYMMETRIC.copy()
    a = a.astype(np.float32) if awkward == "float32" else a
    a.flags.writeable = awkward != "read-only"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = linalg.product(A, a)
    np.testing.assert_allclose(found, A @ a.astype(np.float64))
    assert found.dtype == np.float64


def test_the_callers_threads_change_no_bit():
    wide = np.random.default_rng(0).normal(size=(300, 300))
    before, found = torch.get_num_threads(), []
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            with threadpool_limits(n_threads, user_api="blas"), one_thread():
                square = linalg.product(wide.T, wide)
                found.append(
                    [
                        *linalg.eigh(square),
                        linalg.left_singular_vectors(wide),
                        linalg.solve(square, wide),
                    ]
                )
    finally:
        torch.set_num_threads(before)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
