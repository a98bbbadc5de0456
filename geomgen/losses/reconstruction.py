"""How far reconstructions are from the rows."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.distributions import Distribution

from geomgen.distributions import DiagonalNormal, MixedColumns

__all__ = ["negative_log_likelihood", "reconstruction_error", "squared_error"]


def squared_error(x_hat: Tensor, x: Tensor, reduction: Literal["sum", "mean"] = "sum") -> Tensor:
    r"""Squared error: sum or mean over features, mean over rows.

    .. math:: \frac{1}{N} \sum_i \|\hat{x}_i - x_i\|^2
       \quad\text{or}\quad \frac{1}{N p} \sum_i \|\hat{x}_i - x_i\|^2

    Parameters
    ----------
    x_hat, x : Tensor of shape (N, p)
        Reconstructions and rows.
    reduction : {"sum", "mean"}, default="sum"
        What is done over the p features. Every weight beside this term depends on it: the mean is
        p times smaller.

    Returns
    -------
    Tensor of shape ()

    References
    ----------
    Paper G (GA-AE), Eq. 1; paper L (LISA), Eq. 11.

    Examples
    --------
    >>> import torch
    >>> squared_error(torch.zeros(2, 4), torch.ones(2, 4))
    tensor(4.)
    """
    per_feature = (x_hat - x).square().mean(0)
    return per_feature.sum() if reduction == "sum" else per_feature.mean()


def negative_log_likelihood(
    p: Distribution, x: Tensor, reduction: Literal["sum", "mean"] = "sum"
) -> Tensor:
    r"""Minus the log-likelihood of rows, without a Gaussian's constant.

    .. math:: \frac{1}{N} \sum_i \Big(\frac{\|x_i - \mu_i\|^2}{2\sigma^2} + p \log\sigma\Big)
       \quad\text{or}\quad -\frac{1}{N} \sum_{ij}
       \big(x_{ij} \log \mu_{ij} + (1 - x_{ij}) \log(1 - \mu_{ij})\big)

    Parameters
    ----------
    p : Distribution over (N, p)
        Of a decoder, p(x|z); the formulas are those of a Gaussian and of a Bernoulli one, and
        parts of a mixed one add up.
    x : Tensor of shape (N, p)
        Rows.
    reduction : {"sum", "mean"}, default="sum"
        What is done over the p features.

    Returns
    -------
    Tensor of shape ()

    Examples
    --------
    >>> import torch
    >>> p = DiagonalNormal(torch.zeros(2, 4), torch.ones(2, 4))
    >>> negative_log_likelihood(p, torch.ones(2, 4))
    tensor(2.)
    """
    return _averaged(_negative_log_likelihood(p, x), x, reduction)


def reconstruction_error(
    p: Distribution, x: Tensor, reduction: Literal["sum", "mean"] = "sum"
) -> Tensor:
    r"""Squared error where rows are Gaussian, minus the log-likelihood where they are not.

    .. math:: \frac1N \sum_i \Big(\sum_{j \in G} (\mu_{ij} - x_{ij})^2
       - \sum_{j \notin G} \log p(x_{ij})\Big)
       \quad\text{or } \tfrac1p \text{ of it}

    Parameters
    ----------
    p : Distribution over (N, p)
        Of a decoder, p(x|z); its Gaussian part counts by its mean alone.
    x : Tensor of shape (N, p)
        Rows.
    reduction : {"sum", "mean"}, default="sum"
        What is done over the p features.

    Returns
    -------
    Tensor of shape ()

    Examples
    --------
    >>> import torch
    >>> p = DiagonalNormal(torch.zeros(2, 4), torch.ones(2, 4))
    >>> reconstruction_error(p, torch.ones(2, 4))
    tensor(4.)
    """
    if isinstance(p, DiagonalNormal):
        return squared_error(p.mean, x, reduction)
    return _averaged(_error(p, x), x, reduction)


def _averaged(per_row: Tensor, x: Tensor, reduction: str) -> Tensor:
    return per_row.mean() if reduction == "sum" else per_row.mean() / x.shape[-1]


def _error(p: Distribution, x: Tensor) -> Tensor:
    if isinstance(p, MixedColumns):
        return sum((_error(part, x[:, at]) for at, part in p.parts), x.new_zeros(len(x)))
    if isinstance(p, DiagonalNormal):
        return (p.mean - x).square().sum(-1)
    return -p.log_prob(x)


def _negative_log_likelihood(p: Distribution, x: Tensor) -> Tensor:
    if isinstance(p, MixedColumns):
        parts = (_negative_log_likelihood(part, x[:, at]) for at, part in p.parts)
        return sum(parts, x.new_zeros(len(x)))
    if isinstance(p, DiagonalNormal):
        loc, scale = p.mean, p.stddev
        return (((x - loc) / scale).square() / 2 + scale.log()).sum(-1)
    return -p.log_prob(x)
