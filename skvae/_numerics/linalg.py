"""Linear algebra of torch's, in the order and the shapes that we use it.

It is torch's and not NumPy's, as torch can be limited to one thread for the calling
thread alone, see `skvae._numerics.threads`. OpenBLAS can be limited for the whole
process only, which a library must not do, and its last digits depend on the limit.
"""

import torch

OVERSAMPLING, SUBSPACE_STEPS = 10, 20
MOST_ROTATED = 200  # rows, as the time grows with their cube
FEWEST_SWEEPS, MOST_SWEEPS = 3, 30
ORTHOGONAL = 1e-14  # cosine of rows that need no more turns


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


def orthogonal_rows(a):
    """Return the rows that a rotation of rows makes orthogonal, longest first.

    Their lengths are the singular values, their directions the right singular vectors.
    Rows may differ in length by far more than the precision of their numbers: turned in
    pairs (Jacobi), short ones keep their relative precision, where a decomposition of
    the whole would lose them among the rounding of the longest (Demmel & Veselic 1992).

    Parameters
    ----------
    a : Tensor of shape (m, d)

    Returns
    -------
    Tensor of shape (m, d)
        Of more than `MOST_ROTATED` rows the short ones are not as precise.
    """
    m = len(a)
    if m > MOST_ROTATED:
        _, values, vectors = torch.linalg.svd(a, full_matrices=False)
        return torch.cat([values[:, None] * vectors, a.new_zeros(m, a.shape[1])])[:m]
    a = torch.cat([a, a.new_zeros(m % 2, a.shape[1])])
    n_pairs = len(a) // 2
    for sweep in range(MOST_SWEEPS):
        largest = 0.0
        for _ in range(len(a) - 1):  # each pair meets once
            top, bottom = a[:n_pairs], a[n_pairs:].flip(0)
            top, bottom, cosine = _turned(top, bottom)
            largest = max(largest, cosine)
            turned = torch.cat([top, bottom.flip(0)])
            a = torch.cat([turned[:1], turned[-1:], turned[1:-1]])
        if largest < ORTHOGONAL and sweep + 1 >= FEWEST_SWEEPS:
            break
    lengths = torch.linalg.vector_norm(a, dim=1)
    return a[lengths.argsort(descending=True, stable=True)[:m]]


def _turned(a, b):  # (m, d), (m, d) -> the same, and the largest cosine before
    """Turn each pair of rows until it is orthogonal."""
    aa, bb = (a * a).sum(dim=1), (b * b).sum(dim=1)
    ab = (a * b).sum(dim=1)
    lengths = aa.sqrt() * bb.sqrt()
    cosine = (ab.abs() / lengths.where(lengths > 0, 1.0)).max()
    is_turned = ab != 0
    half = (bb - aa) / (2 * ab.where(is_turned, 1.0))
    tangent = torch.where(half < 0, -1.0, 1.0) / (half.abs() + half.hypot(half * 0 + 1))
    tangent = tangent.where(is_turned, 0.0)[:, None]
    cos = (1 + tangent.square()).rsqrt()
    sin = cos * tangent
    return cos * a - sin * b, sin * a + cos * b, float(cosine)


def left_singular_vectors(a):
    """Return those of `a` as columns."""
    return torch.linalg.svd(a, full_matrices=False)[0]


def inverse_and_log_det(a):  # (n, k, k) -> (n, k, k), (n,)
    """Return inverses and log-determinants of positive definite matrices."""
    roots = torch.linalg.cholesky(a)
    log_det = 2 * roots.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    return torch.cholesky_inverse(roots), log_det
