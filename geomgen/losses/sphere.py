r"""Losses on the unit sphere (paper L): how far the codes of a batch are from spread evenly.

Repulsion (Eq. 13) has a floor that depends on the dimension and the temperature: what independent
uniform directions attain. It is the constant C of Theorem 2, and ``uniformity_excess`` is the
distance from it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

__all__ = ["uniform_log_kernel", "uniformity", "uniformity_excess"]

_WHOLE = 512  # codes up to which all pairs are held at once
_BLOCK = 256  # codes of a block: a tile of pairs stays in the processor's cache


def uniformity(u: Tensor, t: float = 2.0) -> Tensor:
    r"""Log mean Gaussian kernel over the pairs of a batch: low when directions spread.

    .. math:: \mathcal{L}_{unif} = \log \frac{1}{N(N-1)} \sum_{i \ne j} e^{-t \|u_i - u_j\|^2}

    Parameters
    ----------
    u : Tensor of shape (N, d)
        Unit codes.
    t : float, default=2.0
        Temperature of the kernel, :math:`t > 0`; :math:`t = 1 / (2\sigma^2)`.

    Returns
    -------
    Tensor of shape ()
        At most 0 (all codes equal). 0, without a gradient, when the batch has a single code and
        so no pair.

    Raises
    ------
    ValueError
        If t is not a positive number.

    Notes
    -----
    On the sphere :math:`\|u_i - u_j\|^2 = 2 - 2 u_i \cdot u_j`; the Gram form has finite
    gradients at duplicate codes, where a distance has none, and the log-sum-exp does not
    underflow at large t. Above 512 codes, pairs are visited tile by tile, each pair once, and the
    gradient is accumulated on the way: the memory is linear in N (quadratic again where a second
    derivative is asked for, by ``create_graph=True``).

    References
    ----------
    Paper L (LISA), Eq. 13; Wang and Isola, 2020, *Understanding contrastive representation
    learning through alignment and uniformity on the hypersphere*.

    Examples
    --------
    >>> import torch
    >>> uniformity(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), t=1.0)
    tensor(-4.)
    """
    _check_temperature(t)
    n = len(u)
    if n < 2:
        return u.new_zeros(())
    log_sum = _log_kernel_sum(u, t) if n <= _WHOLE else _LogKernelSum.apply(u, t)
    return log_sum - math.log(n * (n - 1))


def uniformity_excess(u: Tensor, t: float = 2.0) -> Tensor:
    r"""Uniformity of a batch above that of the uniform law: comparable between dimensions.

    .. math:: \mathcal{L}_{unif} - \log C_{d,t}

    with :math:`\mathcal{L}_{unif}` of :func:`uniformity` and :math:`\log C_{d,t}` of
    :func:`uniform_log_kernel`. The gradient is that of the uniformity.

    Parameters
    ----------
    u : Tensor of shape (N, d)
        Unit codes, :math:`d \ge 2`.
    t : float, default=2.0
        Temperature of the kernel, :math:`t > 0`.

    Returns
    -------
    Tensor of shape ()
        About 0 for uniform directions, :math:`-\log C_{d,t}` if all codes are equal, as the code
        of a batch of one is.

    Raises
    ------
    ValueError
        If t is not a positive number, or d < 2.

    Notes
    -----
    :math:`e^{\mathcal{L}_{unif}}` is an unbiased estimate of the mean kernel over the law of the
    codes, its logarithm is not: a small batch of uniform directions lies slightly below 0. A
    batch that is spread *more evenly* than independent draws (antipodal pairs, a simplex) does so
    too. The squared distance to the uniform law is ``geomgen.diagnostics.mmd_to_uniform``.

    References
    ----------
    Paper L (LISA), Eq. 13 and Theorem 2.

    Examples
    --------
    >>> import torch
    >>> collapsed = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> uniformity_excess(collapsed, t=1.0).round(decimals=4)
    tensor(1.1760)
    """
    return uniformity(u, t) - uniform_log_kernel(u.shape[-1], t)


def uniform_log_kernel(d: int, t: float = 2.0) -> float:
    r"""Log mean Gaussian kernel between independent uniform directions, in closed form.

    .. math:: \log C_{d,t} = \log \mathbb{E}\, e^{-t \|u - v\|^2}
       = -2t + \log {}_0F_1(; d/2; t^2), \qquad u, v \sim \mathcal{U}(S^{d-1})

    Parameters
    ----------
    d : int
        Dimension of the codes, :math:`d \ge 2`.
    t : float, default=2.0
        Temperature of the kernel, :math:`t > 0`.

    Returns
    -------
    float
        In (-2t, 0); what :func:`uniformity` approaches for many uniform directions.

    Raises
    ------
    ValueError
        If d is not an integer of at least 2, or t is not a positive number.

    Notes
    -----
    Theorem 2 writes it as :math:`e^{-2t} \Gamma(\nu + 1) t^{-\nu} I_\nu(2t)` with
    :math:`\nu = d/2 - 1`, whose Bessel function underflows from d = 384 or so. The series
    :math:`{}_0F_1(; b; x) = \sum_k x^k / (k! (b)_k)` has positive terms only, so its logarithm
    loses no digits. Beyond k = 2t each term is less than a quarter of the one before: 2t + 40
    terms are enough.

    References
    ----------
    Paper L (LISA), Theorem 2, with :math:`t = 1 / (2\sigma^2)`.

    Examples
    --------
    >>> round(uniform_log_kernel(512, 1.0), 4)
    -1.9961
    """
    _check_temperature(t)
    if isinstance(d, bool) or not isinstance(d, Integral) or d < 2:
        raise ValueError(
            f"d={d!r} must be an int in [2, inf): codes of one component have no direction."
        )
    return _log_hyp0f1(d / 2, t) - 2 * t


@lru_cache(maxsize=128)  # a training asks for the same one at every batch
def _log_hyp0f1(b: float, t: float) -> float:
    """Logarithm of 0F1(; b; t²), by its series, whose terms are summed relative to the largest."""
    k = torch.arange(1, math.ceil(2 * t) + 40, dtype=torch.float64)
    log_ratios = 2 * math.log(t) - k.log() - (k + (b - 1)).log()
    log_terms = torch.cat([torch.zeros(1, dtype=torch.float64), log_ratios.cumsum(0)])
    return log_terms.logsumexp(0).item()


def _log_kernel_sum(u: Tensor, t: float) -> Tensor:
    """Log of the kernel's sum over i != j, all pairs at once."""
    exponents = 2 * t * (u @ u.T - 1)
    exponents.diagonal().fill_(-math.inf)
    return exponents.flatten().logsumexp(0)


class _LogKernelSum(torch.autograd.Function):
    """The same by tiles, and its gradient, in one pass.

    The kernel is symmetric: only tiles on and above the diagonal are computed. They are relative
    to the largest exponent so far, and what was summed before is rescaled when that grows.
    """

    @staticmethod
    def forward(ctx: Any, u: Tensor, t: float) -> Tensor:
        blocks = [slice(i, i + _BLOCK) for i in range(0, len(u), _BLOCK)]
        largest, total = u.new_full((), -math.inf), u.new_zeros(())
        pull = torch.zeros_like(u) if ctx.needs_input_grad[0] else None  # sum over j of k_ij u_j
        for i, rows in enumerate(blocks):
            for columns in blocks[i:]:
                itself = columns is rows
                kernel = (u[rows] @ u[columns].T).sub_(1).mul_(2 * t)
                if itself:
                    kernel.fill_diagonal_(-math.inf)
                previous, largest = largest, torch.maximum(largest, kernel.max())
                kernel.sub_(largest).exp_()
                rescale = (previous - largest).exp()
                total = total * rescale + kernel.sum() * (1 if itself else 2)
                if pull is not None:
                    pull *= rescale
                    pull[rows].addmm_(kernel, u[columns])
                    if not itself:
                        pull[columns].addmm_(kernel.T, u[rows])
        if pull is not None:
            ctx.save_for_backward(u, pull.mul_(4 * t / total))
            ctx.t = t
        return largest + total.log()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        u, gradient = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again: what was kept is a constant
            total = _log_kernel_sum(u, ctx.t)
            (gradient,) = torch.autograd.grad(total, u, create_graph=True)
        return grad * gradient, None


def _check_temperature(t: float) -> None:
    if not isinstance(t, Real) or not 0 < t < math.inf:  # a tensor would get no gradient
        raise ValueError(f"t={t!r} must be a number in (0, inf): the temperature of the kernel.")
