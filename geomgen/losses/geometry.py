r"""Tangent blades of a decoder and the two regularisers of paper G (GA-AE).

A k-blade at a code z is spanned by the k tangents :math:`A = J_D(z) W`, with W a frame of k latent
directions. Everything below needs only Gram matrices of tangents, so one set of tangents serves
volumes of every grade (the leading minors of one Cholesky factor) and similarities alike. Gram
matrices are float64: in float32 they fail at a condition number of 1e3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = [
    "blade_entropy",
    "grassmann_similarity",
    "grassmann_spread",
    "log_k_volume",
]

EPS = 1e-6  # paper G: "we use this value in all log-determinant computations"
DELTA = 1e-8  # paper G, Eq. 21
_RANK_TOLERANCE = 1e-14  # of a pivot of a float64 Gram matrix, relative to its largest entry


def log_k_volume(A: Tensor, grades: Sequence[int] | None = None, eps: float = EPS) -> Tensor:
    r"""Log k-volume spanned by the first k tangents, for every grade k asked for.

    .. math:: \log \mathrm{vol}_k = \tfrac{1}{2} \log\det(A_k^\top A_k + \varepsilon I_k)

    Parameters
    ----------
    A : Tensor of shape (N, n, K)
        Tangents.
    grades : sequence of int, optional
        Values of k ≤ K; all K columns, as one grade, by default.
    eps : float, default=1e-6
        The paper's stabiliser.

    Returns
    -------
    Tensor of shape (N, number of grades), float64

    References
    ----------
    Paper G (GA-AE), Eqs. 7 (encoder) and 8 (decoder).

    Examples
    --------
    >>> A = torch.diag(torch.tensor([2.0, 3.0])).expand(1, 2, 2)
    >>> log_k_volume(A, (1, 2)).exp().round(decimals=3)
    tensor([[2., 6.]], dtype=torch.float64)
    """
    grades = (A.shape[-1],) if grades is None else grades
    log_volumes = _log_pivots(_stabilised(_gram(A), eps)).cumsum(-1)
    return log_volumes[:, [k - 1 for k in grades]]


def grassmann_similarity(A: Tensor, B: Tensor, eps: float = EPS) -> tuple[Tensor, Tensor]:
    r"""Similarity of the subspaces spanned by two sets of tangents, in [0, 1] up to eps.

    .. math:: \mathrm{sim}(U, V) = \det(U^\top V V^\top U + \varepsilon I_k)^{1/2},
       \quad U = \mathrm{qf}(A),\ V = \mathrm{qf}(B)

    which is :math:`\prod_l |\cos\theta_l|` over the principal angles at :math:`\varepsilon = 0`.

    Parameters
    ----------
    A, B : Tensor of shape (N, n, k)
        Tangents of the pairs' two sides.
    eps : float, default=1e-6
        The paper's stabiliser.

    Returns
    -------
    similarity : Tensor of shape (N,), float64
    full_rank : Tensor of shape (N,), bool
        False where a side spans fewer than k dimensions (dead units): no point on the Grassmann
        manifold, so the similarity there, reported as 0 without a gradient, means nothing.

    Notes
    -----
    QR has no gradient at rank-deficient A. With the Cholesky factors L of the Gram matrices,
    :math:`L_A^{-1} A^\top B L_B^{-\top}` stands for :math:`U^\top V` (it differs by rotations
    within the subspaces, which the determinant does not see).

    References
    ----------
    Paper G (GA-AE), Eqs. 17-18.

    Examples
    --------
    >>> A = torch.eye(3)[:, :2].expand(1, 3, 2)
    >>> similarity, full_rank = grassmann_similarity(A, 5 * A)
    >>> similarity.round(decimals=4), full_rank
    (tensor([1.], dtype=torch.float64), tensor([True]))
    """
    gram_a, rank_a = _full_rank_gram(A)
    gram_b, rank_b = _full_rank_gram(B)
    cross = A.double().mT @ B.double()
    half = torch.linalg.solve_triangular(_cholesky(gram_a), cross, upper=False)
    cosines = torch.linalg.solve_triangular(_cholesky(gram_b), half.mT, upper=False)
    log_similarity = _log_pivots(_stabilised(cosines.mT @ cosines, eps)).sum(-1)
    full_rank = rank_a & rank_b
    return torch.where(full_rank, log_similarity, -torch.inf).exp(), full_rank


def grassmann_spread(A: Tensor, eps: float = EPS) -> Tensor:
    r"""Mean similarity of the blades of a batch, paired by rolling it by one.

    .. math:: \mathcal{L}_{grass} = \mathbb{E}_{i,j}\,
       \mathrm{sim}(\mathrm{blade}_i, \mathrm{blade}_j)

    Parameters
    ----------
    A : Tensor of shape (N, n, k)
        Tangents; k < n, else every blade is the whole space and the similarity is constant.
    eps : float, default=1e-6
        The paper's stabiliser.

    Returns
    -------
    Tensor of shape (), float64
        The mean over the pairs whose blades are both of full rank; 0, without a gradient, when
        there is none.

    Notes
    -----
    The minimiser is not a spread of lines: copies of one orthonormal basis have the lowest mean
    :math:`|\cos|` as well. A flat data set of dimension d = k has a constant Jacobian, so there
    the right decoder has the *worst* value: the weight of this term must be searched.

    References
    ----------
    Paper G (GA-AE), Eq. 19 (Definition 4).

    Examples
    --------
    >>> A = torch.eye(2).unsqueeze(-1)  # two orthogonal lines
    >>> round(grassmann_spread(A).item(), 3)
    0.001
    """
    if len(A) < 2:
        return A.new_zeros((), dtype=torch.float64)
    similarity, full_rank = grassmann_similarity(A, A.roll(1, 0), eps)
    return similarity.sum() / full_rank.sum().clamp(min=1)


def blade_entropy(
    A: Tensor, grades: Sequence[int], eps: float = EPS, delta: float = DELTA
) -> Tensor:
    r"""Entropy of the mean k-volumes over the grades; the model maximises it.

    .. math:: s_k = \mathbb{E}_i \exp(\log \mathrm{vol}_k(z_i)), \quad
       p_k = \frac{s_k + \delta}{\sum_{k'} (s_{k'} + \delta)}, \quad H = -\sum_k p_k \log p_k

    Parameters
    ----------
    A : Tensor of shape (N, n, K)
        Tangents; grade k reads the first k.
    grades : sequence of int
        At least two grades for the entropy to say anything.
    eps, delta : float
        The paper's stabilisers.

    Returns
    -------
    Tensor of shape (), float64
        In [0, log(number of grades)].

    Notes
    -----
    :math:`s_k` is a length to the power k, so the value depends on the units of the rows: it is
    highest where all volumes are equal, that is near lengths of 1.

    References
    ----------
    Paper G (GA-AE), Eqs. 20-21 (Definition 5).

    Examples
    --------
    >>> A = torch.eye(4).expand(1, 4, 4)
    >>> round(blade_entropy(A, (1, 2, 4)).exp().item(), 4)
    3.0
    """
    log_volumes = log_k_volume(A, grades, eps)
    log_s = log_volumes.logsumexp(0) - torch.tensor(float(len(A)), dtype=torch.float64).log()
    log_s = torch.logaddexp(log_s, torch.full_like(log_s, delta).log())
    log_p = log_s - log_s.logsumexp(0)
    return -(log_p.exp() * log_p).sum()


def _gram(A: Tensor) -> Tensor:
    A = A.double()
    return A.mT @ A


def _stabilised(gram: Tensor, eps: float) -> Tensor:
    """Add eps to the diagonal, and what rounding can take from the pivots of a large matrix."""
    k = gram.shape[-1]
    rounding = 4 * k * torch.finfo(gram.dtype).eps * gram.diagonal(dim1=-2, dim2=-1).amax(-1)
    identity = torch.eye(k, dtype=gram.dtype, device=gram.device)
    return gram + (eps + rounding.detach())[..., None, None] * identity


def _cholesky(gram: Tensor) -> Tensor:
    """Cholesky factors of matrices that may have none, without raising.

    NaN for one that is not finite, so that training can name the term; 0 for a singular one.
    """
    factor, failed = torch.linalg.cholesky_ex(gram)
    finite = gram.isfinite().all(-1).all(-1)[..., None, None]
    instead = torch.where(finite, 0.0, torch.nan).to(gram)
    return torch.where(failed[..., None, None] > 0, instead, factor)


def _log_pivots(gram: Tensor) -> Tensor:
    """Half the logs of the pivots, whose cumulative sums are the leading log-volumes."""
    return _cholesky(gram).diagonal(dim1=-2, dim2=-1).log()


def _full_rank_gram(A: Tensor) -> tuple[Tensor, Tensor]:
    """Gram matrices, the identity in place of those that are singular, and which are not."""
    gram = _gram(A)
    tolerance = max(_RANK_TOLERANCE, (10 * torch.finfo(A.dtype).eps) ** 2)
    with torch.no_grad():
        pivots = _cholesky(gram).diagonal(dim1=-2, dim2=-1).square().amin(-1)
        longest = gram.diagonal(dim1=-2, dim2=-1).amax(-1)
        singular = (pivots <= tolerance * longest) | (longest <= 0)  # False where NaN: it shows
    identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    return torch.where(singular[:, None, None], identity, gram), ~singular
