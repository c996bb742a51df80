"""Linear algebra with the same bits however many threads NumPy's BLAS may use.

OpenBLAS can be limited for the whole process only, which a library must not do; torch
can be limited for a thread, see `skvae._numerics.threads`. Arrays in, arrays out,
float64.
"""

import numpy as np
import torch

OVERSAMPLING, SUBSPACE_STEPS = 10, 20


def product(a, b):
    """Return ``a @ b``."""
    return (_tensor(a) @ _tensor(b)).numpy()


def eigh(a):
    """Return eigenvalues of a symmetric matrix, largest first, and vectors as rows."""
    values, vectors = torch.linalg.eigh(_tensor(a))
    return values.flip(0).numpy(), vectors.T.flip(0).numpy()


def leading_right_singular(a, k):
    """Return the k largest singular values of `a`, and their right vectors as rows.

    By subspace iteration (Halko, Martinsson & Tropp 2011): nearly, where the next are
    about as large.
    """
    a = _tensor(a)
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(a.shape[1], k + OVERSAMPLING, generator=generator, dtype=a.dtype)
    for _ in range(SUBSPACE_STEPS):
        q = torch.linalg.qr(a.T @ (a @ q))[0]
    _, values, vectors = torch.linalg.svd(a @ q, full_matrices=False)
    return values[:k].numpy(), (vectors[:k] @ q.T).numpy()


def left_singular_vectors(a):
    """Return those of `a` as columns."""
    return torch.linalg.svd(_tensor(a), full_matrices=False)[0].numpy()


def solve(a, b):
    """Return ``x`` of ``a @ x = b``."""
    return torch.linalg.solve(_tensor(a), _tensor(b)).numpy()


def inverse_and_log_det(a):  # (n, k, k) -> (n, k, k), (n,)
    """Return inverses and log-determinants of positive definite matrices."""
    roots = torch.linalg.cholesky(_tensor(a))
    log_det = 2 * roots.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    return torch.cholesky_inverse(roots).numpy(), log_det.numpy()


def _tensor(a):
    # torch complains of read-only arrays and of negative strides.
    return torch.from_numpy(np.require(a, np.float64, ["C", "W"]))
