"""Losses on the unit sphere (paper L)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["uniformity"]


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

    Notes
    -----
    On the sphere :math:`\|u_i - u_j\|^2 = 2 - 2 u_i \cdot u_j`; the Gram form has finite
    gradients at duplicate codes, where a distance has none, and the log-sum-exp does not
    underflow at large t.

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
    n = len(u)
    if n < 2:
        return u.new_zeros(())
    exponents = 2 * t * (u @ u.T - 1)
    itself = torch.eye(n, dtype=torch.bool, device=u.device)
    log_sum = exponents.masked_fill(itself, -math.inf).flatten().logsumexp(0)
    return log_sum - math.log(n * (n - 1))
