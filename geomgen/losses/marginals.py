"""How far a batch of codes is from a law of which marginals and covariance are known."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["covariance_error", "kolmogorov_smirnov"]


def kolmogorov_smirnov(u: Tensor) -> Tensor:
    r"""Mean squared gap between empirical and target marginal distribution functions.

    .. math:: \frac{1}{N d} \sum_{ij} \Big(F_j(z_{(i)j}) - \frac{i}{N}\Big)^2

    The Kolmogorov-Smirnov statistic is the largest such gap; the mean of the squares gives a
    gradient to every code. Codes that follow the target have :math:`(N + 1) / 6N^2` on average.

    Parameters
    ----------
    u : Tensor of shape (N, d)
        The target's distribution functions :math:`F_j(z_{ij})` at the codes, each column in the
        order of the rows.

    Returns
    -------
    Tensor of shape ()
        0, without a gradient, for one code.

    References
    ----------
    Saseendran et al., 2021, *Shape your space*, the KS term.

    Examples
    --------
    >>> kolmogorov_smirnov(torch.tensor([[1.0], [0.5]])), kolmogorov_smirnov(torch.ones(2, 1))
    (tensor(0.), tensor(0.1250))
    """
    n = len(u)
    if n < 2:
        return u.new_zeros(())
    ranks = torch.arange(1, n + 1, dtype=u.dtype, device=u.device) / n
    return (u.sort(0).values - ranks[:, None]).square().mean()


def covariance_error(z: Tensor, covariance: Tensor) -> Tensor:
    r"""Mean squared error of the codes' covariance.

    .. math:: \frac{1}{d^2} \Big\|\frac{1}{N} \sum_i (z_i - \bar z)(z_i - \bar z)^\top
       - \Sigma\Big\|_F^2

    Parameters
    ----------
    z : Tensor of shape (N, d)
        Codes.
    covariance : Tensor of shape (d, d)
        The target's covariance :math:`\Sigma`.

    Returns
    -------
    Tensor of shape ()
        0, without a gradient, for one code.

    References
    ----------
    Saseendran et al., 2021, *Shape your space*, the covariance term.

    Examples
    --------
    >>> covariance_error(torch.tensor([[1.0], [-1.0]]), torch.tensor([[3.0]]))
    tensor(4.)
    """
    if len(z) < 2:
        return z.new_zeros(())
    centred = z - z.mean(0)
    return (centred.mT @ centred / len(z) - covariance).square().mean()
