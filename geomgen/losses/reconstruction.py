"""How far reconstructions are from the rows."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

__all__ = ["squared_error"]


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
