"""Linear algebra on torch, against NumPy's."""

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from skvae._numerics.linalg import (
    eigh,
    inverse_and_log_det,
    leading_right_singular,
    left_singular_vectors,
)
from skvae._numerics.threads import one_thread

A = np.random.default_rng(0).normal(size=(7, 4))
SYMMETRIC = A.T @ A


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def test_eigenvalues_fall_and_vectors_are_rows():
    values, vectors = eigh(tensor(SYMMETRIC))
    np.testing.assert_allclose(values, np.linalg.eigvalsh(SYMMETRIC)[::-1])
    found = vectors.T * values @ vectors
    np.testing.assert_allclose(found, SYMMETRIC, atol=1e-12)


def test_left_singular_vectors():
    left = left_singular_vectors(tensor(A))
    oracle = np.linalg.svd(A, full_matrices=False)[0]
    np.testing.assert_allclose(abs(left), abs(oracle))


@pytest.mark.parametrize("shape", [(200, 60), (60, 200)])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_leading_right_singular_vectors(shape, k):
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.normal(size=(n, 60)))[0] for n in shape)
    expected = 0.7 ** np.arange(60)
    values, vectors = leading_right_singular(tensor(left * expected @ right.T), k)
    np.testing.assert_allclose(values, expected[:k], rtol=1e-6)
    np.testing.assert_allclose(
        abs(vectors.numpy() @ right[:, :k]), np.eye(k), atol=1e-6
    )


def test_leading_right_singular_vectors_are_the_same_each_time():
    wide = torch.randn(30, 50, generator=torch.Generator().manual_seed(0))
    first, second = (leading_right_singular(wide, 9) for _ in range(2))
    for one, same in zip(first, second, strict=True):
        assert torch.equal(one, same)


def test_inverse_and_log_det():
    b = np.random.default_rng(1).normal(size=(3, 9, 4))
    many = b.transpose(0, 2, 1) @ b
    inverse, log_det = inverse_and_log_det(tensor(many))
    np.testing.assert_allclose(inverse, np.linalg.inv(many), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(many)[1])


def test_the_callers_threads_change_no_bit():
    wide = tensor(np.random.default_rng(0).normal(size=(300, 300)))
    before, found = torch.get_num_threads(), []
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            with threadpool_limits(n_threads, user_api="blas"), one_thread():
                square = wide.T @ wide
                found.append(
                    [
                        square,
                        *eigh(square),
                        *leading_right_singular(wide, 20),
                        left_singular_vectors(wide),
                        *inverse_and_log_det(square[None] + torch.eye(300)),
                        torch.linalg.solve(square, wide),
                    ]
                )
    finally:
        torch.set_num_threads(before)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
