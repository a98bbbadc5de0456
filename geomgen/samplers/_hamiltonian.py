"""A latent metric, and Hamiltonian chains that draw from its volume."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["KernelMetric", "hamiltonian_chains", "leapfrog"]

_ACCEPTANCE = 0.8  # aimed at; between 0.6 and 0.9 the cost of a draw is about least


@dataclass
class KernelMetric:
    r"""The metric of Geo-VAE: precisions, weighted by Mahalanobis kernels, and a background.

    .. math:: G(u) = \sum_i \Sigma_i^{-1} \omega_i(u) + \lambda e^{-\tau \|u\|^2} I, \qquad
       \omega_i(u) = e^{-(u - c_i)^\top \Sigma_i^{-1} (u - c_i) / \rho^2}, \quad \tau = 1/d

    Parameters
    ----------
    centroids : Tensor of shape (k, d)
        The :math:`c_i`.
    precisions : Tensor of shape (k, d, d)
        The :math:`\Sigma_i^{-1}`.
    rho : float
        Width of the kernels.
    lam : float
        Weight λ of the background.

    References
    ----------
    Chadebec and Allassonnière, 2022, *A geometric perspective on variational autoencoders*,
    section 4.
    """

    centroids: Tensor
    precisions: Tensor
    rho: float
    lam: float

    def log_volume(self, u: Tensor) -> tuple[Tensor, Tensor]:
        r"""Return :math:`\log\sqrt{\det G(u)}`, (n,), and its gradient, (n, d); NaN far away.

        .. math:: \nabla \log\sqrt{\det G} = \tfrac12 \mathrm{tr}(G^{-1} \nabla G)
        """
        n, d = u.shape
        P, flat = self.precisions, self.precisions.flatten(1)
        offsets = (u[:, None] - self.centroids).transpose(0, 1)  # (k, n, d)
        Px = offsets @ P
        omega = torch.exp(-(offsets * Px).sum(-1) / self.rho**2).T  # (n, k)
        background = self.lam * torch.exp(-u.square().sum(-1) / d)
        eye = torch.eye(d, dtype=u.dtype)
        G = (omega @ flat).reshape(n, d, d) + background[:, None, None] * eye
        factor, failed = torch.linalg.cholesky_ex(G)
        # Far out the numbers run out of range: NaN there, and the chains reject the move.
        factor = torch.where(failed[:, None, None] > 0, torch.nan, factor)
        inverse = torch.cholesky_inverse(factor)
        traces = inverse.flatten(1) @ flat.T  # tr(G⁻¹ Σ_i⁻¹)
        inward = ((omega * traces).T[..., None] * Px).sum(0) / self.rho**2
        inward += (background * inverse.diagonal(dim1=1, dim2=2).sum(-1) / d)[:, None] * u
        return factor.diagonal(dim1=1, dim2=2).log().sum(-1), -inward


def leapfrog(
    metric: KernelMetric, u: Tensor, momentum: Tensor, gradient: Tensor, step: float, n_steps: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    r"""Follow the dynamics of :math:`H = -\log\sqrt{\det G(u)} + \|p\|^2 / 2`, reversibly.

    Parameters
    ----------
    metric : KernelMetric
        Gives the potential, minus the log-volume.
    u, momentum, gradient : Tensor of shape (n, d)
        Where the n trajectories start, and the gradient of the log-volume there.
    step : float
        Length of a step.
    n_steps : int
        Number of steps, each of one gradient.

    Returns
    -------
    u, momentum : Tensor of shape (n, d)
        Where they end.
    value : Tensor of shape (n,)
        The log-volume there.
    gradient : Tensor of shape (n, d)
        Its gradient.
    """
    for _ in range(n_steps):
        momentum = momentum + step / 2 * gradient
        u = u + step * momentum
        value, gradient = metric.log_volume(u)
        momentum = momentum + step / 2 * gradient
    return u, momentum, value, gradient


def hamiltonian_chains(
    metric: KernelMetric,
    u: Tensor,
    rng: np.random.RandomState,
    *,
    step: float,
    n_steps: int,
    n_leapfrog: int,
    tune: bool = False,
) -> tuple[Tensor, float, float]:
    r"""Run one chain from each row of u; its invariant density is :math:`\sqrt{\det G}`.

    The step varies by half up and down from move to move, lest a trajectory be a period long.

    Parameters
    ----------
    metric : KernelMetric
        The metric G.
    u : Tensor of shape (n, d)
        Where the chains start; the volume must be positive there.
    rng : RandomState
        Source of momenta, step lengths and acceptances.
    step : float
        Mean length of a leapfrog step.
    n_steps, n_leapfrog : int
        Moves of a chain, and leapfrog steps of a move.
    tune : bool, default=False
        Whether the logarithm of the step climbs, after each move, by what the acceptance exceeds
        0.8. The density is then invariant only nearly.

    Returns
    -------
    u : Tensor of shape (n, d)
        Where the chains end.
    acceptance : float
        Mean probability of acceptance.
    step : float
        The last step.

    References
    ----------
    Duane et al., 1987, *Hybrid Monte Carlo*; Neal, 2011, *MCMC using Hamiltonian dynamics*.
    """
    value, gradient = metric.log_volume(u)
    acceptance = 0.0
    for _ in range(n_steps):
        momentum = torch.from_numpy(rng.standard_normal(u.shape))
        jitter = step * rng.uniform(0.5, 1.5)
        end = leapfrog(metric, u, momentum, gradient, jitter, n_leapfrog)
        log_ratio = end[2] - value + (momentum.square() - end[1].square()).sum(-1) / 2
        chance = log_ratio.nan_to_num(nan=-math.inf).clamp(max=0).exp()
        moved = torch.from_numpy(rng.random_sample(len(u))) < chance
        u, gradient = (
            torch.where(moved[:, None], a, b) for a, b in ((end[0], u), (end[3], gradient))
        )
        value = torch.where(moved, end[2], value)
        acceptance += float(chance.mean()) / n_steps
        if tune:
            step *= math.exp(float(chance.mean()) - _ACCEPTANCE)
    return u, acceptance, step
