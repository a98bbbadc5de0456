"""Linear algebra of Gram matrices that survives singular and non-finite ones.

Gram matrices are float64: in float32 they fail at a condition number of 1e3.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["cosines", "gram", "log_pivots", "stabilised"]

_RANK_TOLERANCE = 1e-14  # of a pivot of a float64 Gram matrix, relative to its largest entry


def gram(A: Tensor) -> Tensor:
    """Gram matrices of tangents, (N, n, k) -> (N, k, k)."""
    A = A.double()
    return A.mT @ A


def stabilised(matrix: Tensor, eps: float) -> Tensor:
    """Add eps to the diagonal, and what rounding can take from the pivots of a large matrix."""
    k = matrix.shape[-1]
    rounding = 4 * k * torch.finfo(matrix.dtype).eps * _diagonal(matrix).amax(-1)
    return matrix + (eps + rounding.detach())[..., None, None] * _identity(matrix)


def log_pivots(matrix: Tensor) -> Tensor:
    """Half the logs of the pivots, whose cumulative sums are the leading log-volumes."""
    return _diagonal(_cholesky(matrix)).log()


def cosines(A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    r"""Matrices that stand for :math:`U^\top V`, U and V orthonormal bases of the spans of A, B.

    QR has no gradient at rank-deficient A. With the Cholesky factors L of the Gram matrices,
    :math:`L_A^{-1} A^\top B L_B^{-\top}` differs from :math:`U^\top V` by rotations within the
    subspaces, which neither determinant nor norm sees. Also returned: which pairs have two sides
    of full rank; the others (dead units) are no points on the Grassmann manifold.
    """
    gram_a, rank_a = _full_rank_gram(A)
    gram_b, rank_b = _full_rank_gram(B)
    cross = A.double().mT @ B.double()
    half = torch.linalg.solve_triangular(_cholesky(gram_a), cross, upper=False)
    both = torch.linalg.solve_triangular(_cholesky(gram_b), half.mT, upper=False)
    return both.mT, rank_a & rank_b


def _cholesky(matrix: Tensor) -> Tensor:
    """Cholesky factors of matrices that may have none, without raising.

    NaN for one that is not finite, so that training can name the term; 0 for a singular one.
    """
    factor, failed = torch.linalg.cholesky_ex(matrix)
    finite = matrix.isfinite().all(-1).all(-1)[..., None, None]
    instead = torch.where(finite, 0.0, torch.nan).to(matrix)
    return torch.where(failed[..., None, None] > 0, instead, factor)


def _full_rank_gram(A: Tensor) -> tuple[Tensor, Tensor]:
    """Gram matrices, the identity in place of those that are singular, and which are not."""
    matrix = gram(A)
    tolerance = max(_RANK_TOLERANCE, (10 * torch.finfo(A.dtype).eps) ** 2)
    with torch.no_grad():
        pivots = _diagonal(_cholesky(matrix)).square().amin(-1)
        longest = _diagonal(matrix).amax(-1)
        singular = (pivots <= tolerance * longest) | (longest <= 0)  # False where NaN: it shows
    return torch.where(singular[:, None, None], _identity(matrix), matrix), ~singular


def _diagonal(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=-2, dim2=-1)


def _identity(matrix: Tensor) -> Tensor:
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
