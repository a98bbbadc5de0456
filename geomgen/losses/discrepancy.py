"""Distances between the laws of two batches: kernel, energy, sliced Wasserstein."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

__all__ = ["coverage", "energy", "mmd", "sliced_wasserstein"]


def mmd(
    z: Tensor,
    z_prior: Tensor,
    kernel: Literal["imq", "rbf"] = "imq",
    scales: Sequence[float] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
) -> Tensor:
    r"""Squared maximum mean discrepancy of codes from draws of a prior (U-statistic).

    .. math::
       \frac{1}{N(N-1)} \sum_{i \ne j} k(z_i, z_j) + \frac{1}{M(M-1)} \sum_{i \ne j} k(p_i, p_j)
       - \frac{2}{NM} \sum_{ij} k(z_i, p_j)

    .. math:: k(a, b) = \sum_s \frac{s C}{s C + \|a - b\|^2}
       \quad\text{or}\quad \sum_s e^{-\|a - b\|^2 / (s C)}, \qquad C = 2d

    2d is the mean squared distance between two draws of N(0, I). The kernel is a sum over scales
    because one scale alone gives no gradient to codes far from all draws, or hides their detail.

    Parameters
    ----------
    z : Tensor of shape (N, d)
        Codes.
    z_prior : Tensor of shape (M, d)
        Draws of the prior.
    kernel : {"imq", "rbf"}, default="imq"
        Inverse multiquadric, whose tails are heavy, or Gaussian.
    scales : sequence of float
        The factors s of C.

    Returns
    -------
    Tensor of shape ()
        Unbiased, hence sometimes negative; 0, without a gradient, with fewer than two codes or
        draws.

    References
    ----------
    Tolstikhin et al., 2018, *Wasserstein auto-encoders*, Algorithm 2 and section 4, for the form
    and C, the scales those of its authors' code; Gretton et al., 2012, *A kernel two-sample test*,
    Eq. 3.

    Examples
    --------
    >>> z = torch.zeros(3, 2)
    >>> mmd(z, z, scales=(1.0,)), mmd(z, z + 100, scales=(1.0,))
    (tensor(0.), tensor(1.9996))
    """
    if min(len(z), len(z_prior)) < 2:
        return z.new_zeros(())
    widths = [2 * z.shape[1] * s for s in scales]

    def k(a: Tensor, b: Tensor) -> Tensor:
        squared = _distances(a, b).square()
        if kernel == "imq":
            return torch.stack([w / (w + squared) for w in widths]).sum(0)
        return torch.stack([(-squared / w).exp() for w in widths]).sum(0)

    within = (_mean_off_diagonal(k(a, a)) for a in (z, z_prior))
    return sum(within, -2 * k(z, z_prior).mean())


def sliced_wasserstein(
    z: Tensor,
    z_prior: Tensor,
    n_projections: int = 50,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Squared 2-Wasserstein distance of projections on random directions, their mean.

    .. math:: \frac{1}{LN} \sum_l \sum_i
       \big((\theta_l^\top z)_{(i)} - (\theta_l^\top p)_{(i)}\big)^2

    Parameters
    ----------
    z, z_prior : Tensor of shape (N, d)
        Codes, and as many draws of the prior.
    n_projections : int, default=50
        Number L of directions θ, uniform on the sphere.
    generator : torch.Generator, optional
        Source of the directions, on the device of z; torch's global one by default.

    Returns
    -------
    Tensor of shape ()
        0, without a gradient, with fewer than two codes.

    Raises
    ------
    ValueError
        If there are not as many draws as codes.

    References
    ----------
    Kolouri et al., 2019, *Sliced Wasserstein auto-encoders*, section 3.

    Examples
    --------
    >>> z = torch.tensor([[1.0], [4.0], [2.0]])
    >>> sliced_wasserstein(z, z + 3)
    tensor(9.)
    """
    if len(z) != len(z_prior):
        raise ValueError(f"z_prior has {len(z_prior)} draws for {len(z)} codes: draw as many.")
    if len(z) < 2:
        return z.new_zeros(())
    shape = z.shape[1], n_projections
    directions = torch.randn(shape, generator=generator, dtype=z.dtype, device=z.device)
    directions = torch.nn.functional.normalize(directions, dim=0)
    ordered, drawn = ((a @ directions).sort(0).values for a in (z, z_prior))
    return (ordered - drawn).square().mean()


def energy(z: Tensor, z_prior: Tensor) -> Tensor:
    r"""Energy distance between the laws of two batches (U-statistic).

    .. math:: 2\,\mathbb{E}\|z - p\| - \mathbb{E}\|z - z'\| - \mathbb{E}\|p - p'\|

    Parameters
    ----------
    z : Tensor of shape (N, d)
        Codes, or any rows.
    z_prior : Tensor of shape (M, d)
        Draws of the prior, or other rows.

    Returns
    -------
    Tensor of shape ()
        Unbiased, hence sometimes negative; 0, without a gradient, with fewer than two rows.

    References
    ----------
    Székely and Rizzo, 2013, *Energy statistics*, Eq. 1.

    Examples
    --------
    >>> energy(torch.zeros(2, 1), torch.full((3, 1), 2.0))
    tensor(4.)
    """
    if min(len(z), len(z_prior)) < 2:
        return z.new_zeros(())
    within = (_mean_off_diagonal(_distances(a, a)) for a in (z, z_prior))
    return 2 * _distances(z, z_prior).mean() - sum(within)


def coverage(drawn: Tensor, x: Tensor) -> Tensor:
    r"""Energy distance between decoded draws and rows, as a loss.

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
    return energy(drawn, x)


def _mean_off_diagonal(pairs: Tensor) -> Tensor:
    n = len(pairs)
    return (pairs.sum() - pairs.diagonal().sum()) / (n * (n - 1))


def _distances(x: Tensor, y: Tensor) -> Tensor:
    # By differences, whose gradient at equal rows is 0; that of the Gram form has no bound there.
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
