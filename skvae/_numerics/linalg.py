"""Linear algebra of torch's, in the order and the shapes that we use it.

It is torch's and not NumPy's, as torch can be limited to one thread for the calling
thread alone, see `skvae._numerics.threads`. OpenBLAS can be limited for the whole
process only, which a library must not do, and its last digits depend on the limit.
"""

import torch

OVERSAMPLING, SUBSPACE_STEPS = 10, 20


def eigh(a):
    """Return eigenvalues of a symmetric matrix, largest first, and vectors as rows."""
    values, vectors = torch.linalg.eigh(a)
    return values.flip(0), vectors.T.flip(0)


def leading_right_singular(a, k):
    """Return the k largest singular values of `a`, and their right vectors as rows.

    By subspace iteration (Halko, Martinsson & Tropp 2011): nearly, where the next are
    about as large.
    """
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(
        a.shape[1], k + OVERSAMPLING, generator=generator, dtype=a.dtype, device="cpu"
    )
    for _ in range(SUBSPACE_STEPS):
        q = torch.linalg.qr(a.T @ (a @ q))[0]
    _, values, vectors = torch.linalg.svd(a @ q, full_matrices=False)
    return values[:k], vectors[:k] @ q.T


def left_singular_vectors(a):
    """Return those of `a` as columns."""
    return torch.linalg.svd(a, full_matrices=False)[0]


def inverse_and_log_det(a):  # (n, k, k) -> (n, k, k), (n,)
    """Return inverses and log-determinants of positive definite matrices."""
    roots = torch.linalg.cholesky(a)
    log_det = 2 * roots.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    return torch.cholesky_inverse(roots), log_det
