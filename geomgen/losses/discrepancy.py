"""Distances between a batch of draws and a batch of rows."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["coverage"]


def coverage(drawn: Tensor, x: Tensor) -> Tensor:
    r"""Energy distance between decoded draws and rows (U-statistic), as a loss.

    .. math:: 2\,\mathbb{E}\|D(z) - x\| - \mathbb{E}\|D(z) - D(z')\| - \mathbb{E}\|x - x'\|

    The second term repels draws from each other, the first pulls them to the rows.

    Parameters
    ----------
    drawn : Tensor of shape (N, p)
        Decoded draws of a latent law.
    x : Tensor of shape (M, p)
        Rows.

    Returns
    -------
    Tensor of shape ()
        0, without a gradient, with fewer than two draws or rows.

    References
    ----------
    Paper G (GA-AE), section 5.3 (E2b): "coverage-based terms (energy distance loss, repulsion)",
    without a formula.

    Examples
    --------
    >>> coverage(torch.zeros(2, 1), torch.full((3, 1), 2.0))
    tensor(4.)
    """
    if min(len(drawn), len(x)) < 2:
        return x.new_zeros(())
    between = _distances(drawn, x).mean()
    return 2 * between - _mean_within(drawn) - _mean_within(x)


def _mean_within(x: Tensor) -> Tensor:
    return _distances(x, x).sum() / (len(x) * (len(x) - 1))


def _distances(x: Tensor, y: Tensor) -> Tensor:
    # By differences, whose gradient at equal rows is 0; that of the Gram form has no bound there.
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
