"""Linear algebra of Gram matrices that survives singular and non-finite ones.

Gram matrices are float64: in float32 they fail at a condition number of 1e3.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["cosines", "gram", "log_pivots", "stabilised"]

_RANK_TOLERANCE = 1e-11  # of a pivot, relative to the largest entry: tangents may be float32
_TINY = 1e-30  # so that the matrix of a dead unit has a factor, which is masked afterwards


def gram(A: Tensor) -> Tensor:
    """Gram matrices of tangents, (N, n, k) -> (N, k, k)."""
    A = A.double()
    return A.mT @ A


def stabilised(matrix: Tensor, eps: float = _TINY) -> Tensor:
    """Add eps to the diagonal, and what rounding can take from the pivots of a large matrix."""
    k = matrix.shape[-1]
    largest = matrix.detach().diagonal(dim1=-2, dim2=-1).amax(-1)
    ridge = max(eps, _TINY) + 4 * k * torch.finfo(matrix.dtype).eps * largest
    return matrix + torch.diag_embed(ridge[..., None].expand(*ridge.shape, k))


def log_pivots(matrix: Tensor) -> Tensor:
    """Half the logs of the pivots, whose cumulative sums are the leading log-volumes."""
    return _cholesky(matrix).diagonal(dim1=-2, dim2=-1).log()


def cosines(A: Tensor, B: Tensor | None = None) -> tuple[Tensor, Tensor]:
    r"""Matrices that stand for :math:`U^\top V`, U and V orthonormal bases of the spans of A, B.

    Without B, the pairs are those of A and A rolled by one. QR has no gradient at rank-deficient
    A. With the Cholesky factors L of the Gram matrices, :math:`L_A^{-1} A^\top B L_B^{-\top}`
    differs from :math:`U^\top V` by rotations within the subspaces, which neither determinant nor
    norm sees. Also returned: which pairs have two sides of full rank; the others (dead units) are
    no points on the Grassmann manifold, and 0 here, without a gradient.
    """
    A = A.double()
    factor_a, rank_a = _factor(A)
    if B is None:
        B, factor_b, rank_b = (part.roll(1, 0) for part in (A, factor_a, rank_a))
    else:
        B = B.double()
        factor_b, rank_b = _factor(B)
    half = torch.linalg.solve_triangular(factor_a, A.mT @ B, upper=False)
    both = torch.linalg.solve_triangular(factor_b, half.mT, upper=False)
    full_rank = rank_a & rank_b
    return torch.where(full_rank[:, None, None], both.mT, 0.0), full_rank


def _factor(A: Tensor) -> tuple[Tensor, Tensor]:
    """Cholesky factors of Gram matrices, and which are of full rank; NaN counts, and shows."""
    matrix = gram(A)
    factor = _cholesky(stabilised(matrix))
    with torch.no_grad():
        pivots = factor.diagonal(dim1=-2, dim2=-1).square().amin(-1)
        largest = matrix.diagonal(dim1=-2, dim2=-1).amax(-1)
        singular = pivots <= _RANK_TOLERANCE * largest + 2 * _TINY
    return factor, ~singular


def _cholesky(matrix: Tensor) -> Tensor:
    """Cholesky factors that do not raise: NaN for a matrix that is not finite.

    So that training can name the term.
    """
    factor, failed = torch.linalg.cholesky_ex(matrix)
    return torch.where(failed[..., None, None] > 0, torch.nan, factor)
