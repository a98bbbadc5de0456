"""Tempered Hamiltonian dynamics with learnt steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["TemperedLeapfrog"]


class TemperedLeapfrog(nn.Module):
    r"""K leapfrog steps, each followed by a cooling of the momentum.

    .. math::
        \tilde\rho &= \rho_{k-1} - \tfrac12 \varepsilon \odot \nabla U(z_{k-1}), \qquad
        z_k = z_{k-1} + \varepsilon \odot \tilde\rho, \\
        \rho_k &= \sqrt{\beta_{k-1} / \beta_k}\,
        \big(\tilde\rho - \tfrac12 \varepsilon \odot \nabla U(z_k)\big), \qquad
        \frac{1}{\sqrt{\beta_k}} = \Big(1 - \frac{1}{\sqrt{\beta_0}}\Big) \frac{k^2}{K^2}
        + \frac{1}{\sqrt{\beta_0}}

    A leapfrog step keeps volume, and the momenta shrink by :math:`\sqrt{\beta_0}` in all, which
    undoes the :math:`\rho_0 = \gamma / \sqrt{\beta_0}` of the start. So the map from
    :math:`(z_0, \gamma)` to :math:`(z_K, \rho_K)` has a Jacobian of determinant one.

    The step :math:`\varepsilon \in (0, \varepsilon_{\max})^d` and the inverse temperature
    :math:`\beta_0 \in (0, 1)` are parameters.

    Parameters
    ----------
    dim : int
        Dimension d of z.
    n_steps : int
        Their number K; with 0 nothing moves.
    max_step : float
        Bound of the step, which starts at a tenth of it.
    beta_0 : float
        Where the inverse temperature starts, below 1.

    References
    ----------
    Caterini, Doucet and Sejdinovic, 2018, *Hamiltonian variational auto-encoder*, Algorithm 1 and
    its quadratic tempering.
    """

    def __init__(self, dim: int, n_steps: int, max_step: float, beta_0: float) -> None:
        super().__init__()
        self.n_steps, self.max_step = n_steps, max_step
        self.step_logits = nn.Parameter(torch.full((dim,), 0.1).logit())
        self.beta_logit = nn.Parameter(torch.tensor(float(beta_0)).logit())

    @property
    def step(self) -> Tensor:
        """Return the ε of each dimension, (d,)."""
        return self.max_step * self.step_logits.sigmoid()

    @property
    def temperatures(self) -> Tensor:
        r"""Return the :math:`1/\sqrt{\beta_k}`, (K + 1,), which fall to 1."""
        hot = self.beta_logit.sigmoid().rsqrt()
        left = torch.linspace(1, 0, self.n_steps + 1, dtype=hot.dtype, device=hot.device)
        progress = left.flip(0)  # [1] for no steps
        return (1 - hot) * progress.square() + hot

    def forward(
        self, z: Tensor, noise: Tensor, potential: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Move z and the momenta that begin as standard normal noise.

        Parameters
        ----------
        z, noise : Tensor of shape (n, d)
            Where the n trajectories start, and γ.
        potential : callable (n, d) -> (n,)
            U, whose gradient is taken here, under ``no_grad`` too.

        Returns
        -------
        z, momentum : Tensor of shape (n, d)
            Where they end.
        """
        step, temperature = self.step, self.temperatures
        momentum = temperature[0] * noise
        force = gradient(potential, z)
        for k in range(self.n_steps):
            momentum = momentum - step / 2 * force
            z = z + step * momentum
            force = gradient(potential, z)
            momentum = temperature[k + 1] / temperature[k] * (momentum - step / 2 * force)
        return z, momentum


def gradient(potential: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Differentiate at each row of z; the result can be differentiated if autograd is on."""
    twice = torch.is_grad_enabled()
    with torch.enable_grad():
        z = z if z.requires_grad else z.detach().requires_grad_()
        (found,) = torch.autograd.grad(potential(z).sum(), z, create_graph=twice)
    return found
