"""Linear algebra on torch, against NumPy's."""

import mpmath
import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from skvae._numerics import linalg
from skvae._numerics.linalg import (
    eigh,
    inverse_and_log_det,
    leading_right_singular,
    left_singular_vectors,
    orthogonal_rows,
)
from skvae._numerics.threads import threads

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


@pytest.mark.parametrize("most", [2, 200])
@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (1, 3), (5, 5)])
def test_orthogonal_rows_have_the_singular_values_and_vectors(shape, most, monkeypatch):
    monkeypatch.setattr(linalg, "MOST_ROTATED", most)
    a = np.random.default_rng(1).normal(size=shape)
    rows = orthogonal_rows(tensor(a))
    _, values, vectors = np.linalg.svd(a, full_matrices=False)
    assert rows.shape == shape
    found = torch.linalg.vector_norm(rows, dim=1)
    rank = len(values)
    np.testing.assert_allclose(found[:rank], values)
    np.testing.assert_allclose(found[rank:], 0, atol=1e-12)
    np.testing.assert_allclose(abs(rows[:rank]), abs(values[:, None] * vectors))


def test_short_rows_keep_their_digits_beside_long_ones():
    """Against the same matrix with exact numbers of 60 digits."""
    rng = np.random.default_rng(2)
    scales = np.logspace(8, -8, 6)
    a = np.triu(rng.normal(size=(6, 6)) + 2 * np.eye(6)) * scales
    rows = orthogonal_rows(tensor(a)).numpy()
    found = np.sort(np.linalg.norm(rows, axis=1))[::-1]
    with mpmath.workdps(60):
        exact = mpmath.svd_r(mpmath.matrix(a.tolist()), compute_uv=False)
    np.testing.assert_allclose(found, [float(value) for value in exact], rtol=1e-12)
    cosines = (rows / found[:, None]) @ (rows / found[:, None]).T
    np.testing.assert_allclose(cosines, np.eye(6), atol=1e-13)


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
            with threadpool_limits(n_threads, user_api="blas"), threads(1):
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
