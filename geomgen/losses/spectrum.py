"""Penalties on the singular values of a matrix."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["nuclear_norm"]


def nuclear_norm(W: Tensor) -> Tensor:
    r"""Sum of the singular values of a matrix, the convex envelope of its rank.

    .. math:: \|W\|_* = \sum_i \sigma_i(W), \qquad \nabla \|W\|_* = U V^\top

    Parameters
    ----------
    W : Tensor of shape (m, n)
        A matrix. One that is not finite has the norm NaN, so that training can name the term.

    Returns
    -------
    Tensor of shape ()

    References
    ----------
    Mazumder et al., 2024, *Learning low-rank latent spaces with simple deterministic autoencoder*.

    Examples
    --------
    >>> nuclear_norm(torch.tensor([[3.0, 0.0], [0.0, -4.0]]))
    tensor(7.)
    """
    if not W.isfinite().all():
        return W.sum() * torch.nan  # a decomposition would raise
    return torch.linalg.matrix_norm(W, "nuc")
