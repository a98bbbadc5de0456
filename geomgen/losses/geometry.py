r"""Tangent blades of a decoder and the two regularisers of paper G (GA-AE).

A k-blade at a code z is spanned by the k tangents :math:`A = J_D(z) W`, with W a frame of k latent
directions. Everything below needs only Gram matrices of tangents, so one set of tangents serves
volumes of every grade (the leading minors of one Cholesky factor) and similarities alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from geomgen.losses._gram import cosines, gram, log_pivots, stabilised

__all__ = [
    "blade_entropy",
    "grassmann_similarity",
    "grassmann_spread",
    "log_k_volume",
    "volume_preservation",
]

EPS = 1e-6  # paper G: "we use this value in all log-determinant computations"
DELTA = 1e-8  # paper G, Eq. 21


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
    log_volumes = log_pivots(stabilised(gram(A), eps)).cumsum(-1)
    return log_volumes[:, [k - 1 for k in grades]]


def grassmann_similarity(
    A: Tensor, B: Tensor, *, form: Literal["determinant", "literal"] = "literal", eps: float = EPS
) -> tuple[Tensor, Tensor]:
    r"""Similarity of the subspaces spanned by two sets of tangents.

    .. math:: \mathrm{sim}(U, V) = \det(U^\top V V^\top U + \varepsilon I_k)^{1/2}
       \quad\text{or}\quad |\det U^\top V| = \frac{|\det A^\top B|}
       {\det(A^\top A)^{1/2} \det(B^\top B)^{1/2}}

    with :math:`U = \mathrm{qf}(A), V = \mathrm{qf}(B)`: literally, or without the stabiliser. The
    second is :math:`\prod_l |\cos\theta_l|` over the principal angles; so is the first at
    :math:`\varepsilon = 0`, but a factor of :math:`\varepsilon^{k/2}` at orthogonal subspaces.

    Parameters
    ----------
    A, B : Tensor of shape (N, n, k)
        Tangents of the pairs' two sides.
    form : {"literal", "determinant"}, default="literal"
        Which of the two.
    eps : float, default=1e-6
        The paper's stabiliser, in the literal form.

    Returns
    -------
    similarity : Tensor of shape (N,), float64
        In [0, 1], up to eps.
    full_rank : Tensor of shape (N,), bool
        False where a side spans fewer than k dimensions (dead units): no point on the Grassmann
        manifold, so the similarity there, reported as 0 without a gradient, means nothing.

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
    C, full_rank = cosines(A, B)
    return _similarity(C, full_rank, form, eps), full_rank


def grassmann_spread(
    A: Tensor,
    *,
    form: Literal["determinant", "literal"] = "literal",
    repulsion: Literal["overlap", "log", "riesz"] = "overlap",
    eps: float = EPS,
) -> Tensor:
    r"""Repulsion of the blades of a batch, paired by rolling it by one.

    .. math:: \mathcal{L}_{grass} = \mathbb{E}_{i,j}\, \mathrm{sim}_{ij}, \qquad
       \mathbb{E}_{i,j}\, {-\log}(1 - \mathrm{sim}_{ij}^2 + \varepsilon), \qquad
       \mathbb{E}_{i,j}\, (k - \|U_i^\top U_j\|_F^2 + \varepsilon)^{-1/2}

    Parameters
    ----------
    A : Tensor of shape (N, n, k)
        Tangents; k < n, else every blade is the whole space and the similarity is constant.
    form : {"literal", "determinant"}, default="literal"
        Of the similarity; see :func:`grassmann_similarity`.
    repulsion : {"overlap", "log", "riesz"}, default="overlap"
        The paper's mean similarity; a barrier against equal blades; or the Riesz energy of the
        chordal distance :math:`\sum_l \sin^2\theta_l`, which still pushes blades apart that share
        no more than one direction.
    eps : float, default=1e-6
        The paper's stabiliser.

    Returns
    -------
    Tensor of shape (), float64
        The mean over the pairs whose blades are both of full rank; 0, without a gradient, when
        there is none.

    Notes
    -----
    The minimiser of the overlap is not a spread of lines: copies of one orthonormal basis have
    the lowest mean :math:`|\cos|` as well. A flat data set of dimension d = k has a constant
    Jacobian, so there the right decoder has the *worst* value: the weight of this term must be
    searched.

    References
    ----------
    Paper G (GA-AE), Eq. 19 (Definition 4); the other two are ours.

    Examples
    --------
    >>> A = torch.eye(2).unsqueeze(-1)  # two orthogonal lines
    >>> grassmann_spread(A, form="determinant").item(), round(grassmann_spread(A).item(), 3)
    (0.0, 0.001)
    """
    if len(A) < 2:
        return A.new_zeros((), dtype=torch.float64)
    C, full_rank = cosines(A)
    if repulsion == "riesz":
        chordal = A.shape[-1] - C.square().sum((-2, -1))
        energy = (chordal.clamp(min=0) + eps).rsqrt()
    else:
        energy = _similarity(C, full_rank, form, eps)
        if repulsion == "log":
            energy = -torch.log((1 - energy.square()).clamp(min=0) + eps)
    return torch.where(full_rank, energy, 0.0).sum() / full_rank.sum().clamp(min=1)


def _similarity(C: Tensor, full_rank: Tensor, form: str, eps: float) -> Tensor:
    if form == "determinant":
        return C.det().abs()
    log_similarity = log_pivots(stabilised(C @ C.mT, eps)).sum(-1)
    return torch.where(full_rank, log_similarity.exp(), 0.0)


def blade_entropy(
    A: Tensor,
    grades: Sequence[int],
    *,
    scale_free: bool = False,
    average: Literal["volume", "log_volume"] = "volume",
    eps: float = EPS,
    delta: float = DELTA,
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
    scale_free : bool, default=False
        Whether to put :math:`s_k^{1/k}`, a length, in the place of :math:`s_k`, a length to the
        power k, whose entropy is highest where lengths are near 1, whatever their anisotropy.
    average : {"volume", "log_volume"}, default="volume"
        Over the codes: the mean volume is the paper's; the mean of log-volumes does not hide a
        local collapse behind large volumes elsewhere.
    eps, delta : float
        The paper's stabilisers.

    Returns
    -------
    Tensor of shape (), float64
        In [0, log(number of grades)].

    References
    ----------
    Paper G (GA-AE), Eqs. 20-21 (Definition 5); the options are ours.

    Examples
    --------
    >>> A = torch.eye(4).expand(1, 4, 4)
    >>> round(blade_entropy(A, (1, 2, 4)).exp().item(), 4)
    3.0
    >>> round(blade_entropy(9 * A, (1, 2, 4), scale_free=True).exp().item(), 4)
    3.0
    """
    log_volumes = log_k_volume(A, grades, eps)
    if average == "volume":
        log_s = log_volumes.logsumexp(0) - log_volumes.new_tensor(len(A)).log()
    else:
        log_s = log_volumes.mean(0)
    if scale_free:
        log_s = log_s / log_s.new_tensor(list(grades))
    log_s = torch.logaddexp(log_s, torch.full_like(log_s, delta).log())
    log_p = log_s - log_s.logsumexp(0)
    return -(log_p.exp() * log_p).sum()


def volume_preservation(A: Tensor, eps: float = EPS) -> Tensor:
    r"""Variance of the log k-volume over the codes: 0 for a decoder that expands alike everywhere.

    .. math:: \mathcal{L}_{vol} = \mathrm{Var}_i\, \log \mathrm{vol}_{D,k}(z_i)

    Parameters
    ----------
    A : Tensor of shape (N, n, k)
        Tangents.
    eps : float, default=1e-6
        The paper's stabiliser.

    Returns
    -------
    Tensor of shape (), float64

    Notes
    -----
    The paper calls this ablation "simple volume preservation" and gives no formula. Preserving
    the *value* 1 would depend on the units of the codes; the variance does not.

    References
    ----------
    Paper G (GA-AE), section 5.3 (E2).

    Examples
    --------
    >>> A = torch.eye(3)[:, :2]
    >>> round(volume_preservation(torch.stack([A, A])).item(), 6)
    0.0
    """
    return log_k_volume(A, eps=eps).var(unbiased=False)
