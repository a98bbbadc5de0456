r"""What laws on the sphere share that are symmetric about a direction.

The angle :math:`\theta` of :math:`x \in S^{d-1}` to the direction :math:`m` is all that their
densities depend on, through its haversine :math:`h = \sin^2(\theta/2) = \|x - m\|^2/4`:

.. math:: p(x) = \frac{e^{\kappa T(h) - g(\kappa)}}{|S^{d-1}|}, \qquad
   g(\kappa) = \log \mathbb{E}_{x \sim \mathcal{U}(S^{d-1})} e^{\kappa T(h)}, \qquad T \le T(0) = 0

So :math:`g' = \mathbb{E}\, T`, the divergence from the uniform law is
:math:`\kappa g'(\kappa) - g(\kappa)`, and none of it loses digits or overflows at any
concentration: the numbers a row has are computed in float64, whatever the dtype of the codes.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.nn.functional import normalize, softplus

__all__ = ["Zonal", "integration_rule", "log_area"]

_NODES = 80
REACH = 18.0  # scales from the mode of the angle beyond which its density is below rounding
_TINY = 1e-300


def log_area(d: int) -> float:
    """Log of the surface of the unit sphere of R^d."""
    return math.log(2) + d / 2 * math.log(math.pi) - math.lgamma(d / 2)


def integration_rule(start: Tensor, stop: Tensor) -> tuple[Tensor, Tensor]:
    """Nodes and weights of Gauss and Legendre's rule, (..., 80), on intervals of shape (...)."""
    nodes, weights = (part.to(start.device) for part in _legendre())
    length = (stop - start).unsqueeze(-1)
    return start.unsqueeze(-1) + length * nodes, length.abs() * weights


@lru_cache(maxsize=1)
@torch.inference_mode(False)
def _legendre() -> tuple[Tensor, Tensor]:
    """Compute the rule on (0, 1), by the eigenvalues of the polynomials' recurrence."""
    k = torch.arange(1, _NODES, dtype=torch.float64)
    beside = k / (4 * k**2 - 1).sqrt()
    values, vectors = torch.linalg.eigh(torch.diag(beside, 1) + torch.diag(beside, -1))
    return (1 + values) / 2, vectors[0] ** 2


class Zonal(Distribution, ABC):
    r"""A law on the sphere that is symmetric about a direction.

    A law says its statistic T, the moments :math:`(g, g')`, and where the angle's density, that
    of :math:`e^{\kappa T} \sin^{d-2}\theta`, is large.

    Parameters
    ----------
    loc : Tensor of shape (..., d)
        Unit directions :math:`m`.
    concentration : Tensor of shape (...)
        :math:`\kappa \ge 0`; uniform at 0.
    """

    has_rsample = True

    def __init__(self, loc: Tensor, concentration: Tensor) -> None:
        self.loc, self.concentration = loc, concentration
        super().__init__(loc.shape[:-1], loc.shape[-1:], validate_args=False)

    # ---------------------------------------------------------------------- what a law provides
    @abstractmethod
    def _statistic(self, haversine: Tensor) -> Tensor:
        """Compute T(h)."""

    @abstractmethod
    def _moments(self, kappa: Tensor) -> tuple[Tensor, Tensor]:
        """Compute g and g' at concentrations, differentiably."""

    @abstractmethod
    def _mode(self, kappa: Tensor) -> tuple[Tensor, Tensor]:
        """Find the mode of the angle, and a scale on which its density falls."""

    @abstractmethod
    def _dilation(self, kappa: Tensor) -> Tensor:
        """Find the dilation of the uniform law that a draw is proposed from."""

    # -------------------------------------------------------------------------------- two points
    def _antipode(self, kappa: Tensor) -> Tensor:
        """Log odds of -m where d = 1: the sphere is two points, and nothing is to integrate."""
        return kappa * self._statistic(torch.ones_like(kappa)).clamp_min(-1e6)

    def _log_mean(self, kappa: Tensor) -> tuple[Tensor, Tensor]:
        """Compute g and g' in any dimension."""
        if self._dim > 1:
            return self._moments(kappa)
        odds = self._antipode(kappa)
        return softplus(odds) - math.log(2), self._antipode(torch.ones_like(kappa)) * odds.sigmoid()

    # --------------------------------------------------------------------------------- densities
    @property
    def _dim(self) -> int:
        return self.loc.shape[-1]

    @property
    def _kappa(self) -> Tensor:
        return self.concentration.double()

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density at unit codes (..., d), with respect to the surface measure."""
        haversine = (value.double() - self.loc.double()).square().sum(-1) / 4
        log_density = self._kappa * self._statistic(haversine) - self._log_mean(self._kappa)[0]
        return (log_density - log_area(self._dim)).to(self.loc.dtype)

    def divergence_from_uniform(self) -> Tensor:
        r"""Kullback-Leibler divergence from the uniform law, :math:`\kappa g' - g`."""
        log_mean, slope = self._log_mean(self._kappa)
        return (self._kappa * slope - log_mean).to(self.loc.dtype)

    def entropy(self) -> Tensor:
        """Differential entropy, with respect to the surface measure, in nats."""
        return log_area(self._dim) - self.divergence_from_uniform()

    def _log_angular(self, angle: Tensor, kappa: Tensor) -> Tensor:
        """Log density of the angle, but for a constant."""
        along = kappa * self._statistic((angle / 2).sin().square())
        return along + (self._dim - 2) * angle.sin().clamp_min(_TINY).log()

    # ------------------------------------------------------------------------------------- draws
    def rsample(
        self, sample_shape: Sequence[int] = (), *, generator: torch.Generator | None = None
    ) -> Tensor:
        r"""Draw :math:`m \cos\theta + v \sin\theta`, reparameterised, v a tangent at m.

        The gradient is that of the path: with the concentration the angle moves so that its
        cumulative distribution does not (``_angle_slope``), and the tangent is carried along with
        the direction, by parallel transport. All draws are the generator's.
        """
        loc = self.loc.expand(*sample_shape, *self.loc.shape)
        kappa = self._kappa.expand(loc.shape[:-1])
        m, k = loc.detach().reshape(-1, self._dim), kappa.detach().reshape(-1)
        with torch.no_grad():
            angle, tangent = self._draw(m, k, generator)
            slope = self._angle_slope(angle, k) if kappa.requires_grad and self._dim > 1 else None
        angle, tangent = angle.reshape(kappa.shape), tangent.reshape(loc.shape)
        if slope is not None:  # the value stays, to the last bit
            angle = angle + slope.reshape(kappa.shape) * (kappa - kappa.detach())
        tangent = tangent - (tangent * loc).sum(-1, keepdim=True) * loc.detach()
        angle = angle.unsqueeze(-1)
        return loc * angle.cos().to(loc.dtype) + tangent * angle.sin().to(loc.dtype)

    def _draw(
        self, loc: Tensor, kappa: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        r"""Draw angles (n,) and unit tangents (n, d) by rejection.

        A uniform direction is proposed, and drawn towards m: :math:`\tan(\theta/2)` is multiplied
        by :math:`\sqrt s`. The ratio of the densities, :math:`e^{\kappa T}
        ((1 + \tau/s) / (1 + \tau))^{d-1}` with :math:`\tau = \tan^2(\theta/2)`, is largest at
        :math:`\tau = s` for the best s: two of three proposals or more are accepted.
        """
        angle, tangent = torch.zeros_like(kappa), torch.zeros_like(loc)
        if self._dim == 1:  # a jump: no path, and no gradient
            uniform = torch.rand(
                kappa.shape, generator=generator, dtype=kappa.dtype, device=kappa.device
            )
            return math.pi * (uniform < self._antipode(kappa).sigmoid()), tangent
        left = torch.arange(len(loc), device=loc.device)
        while len(left):
            m, k = loc[left], kappa[left]
            s = self._dilation(k)
            noise = torch.randn(m.shape, generator=generator, dtype=m.dtype, device=m.device)
            log_u = torch.rand(
                k.shape, generator=generator, dtype=k.dtype, device=k.device
            ).log()  # -inf accepts
            along = (noise * m).sum(-1, keepdim=True)
            across = noise - along * m
            stretch = (torch.atan2(across.norm(dim=-1), along[:, 0]).double() / 2).tan().square()
            excess = self._log_ratio(s * stretch, s, k) - self._log_ratio(s, s, k)
            kept = ~(excess < log_u)  # weights that diverged give NaN, which the loss will show
            angle[left[kept]] = 2 * (s * stretch).sqrt().atan()[kept]
            tangent[left[kept]] = normalize(across[kept], dim=-1)
            left = left[~kept]
        return angle, tangent

    def _log_ratio(self, tau: Tensor, s: Tensor, kappa: Tensor) -> Tensor:
        """Log ratio of the density to the proposal's, but for a constant, at τ = tan²(θ/2)."""
        along = kappa * self._statistic(tau / (1 + tau))
        return along + (self._dim - 1) * ((tau / s).log1p() - tau.log1p())

    def _angle_slope(self, angle: Tensor, kappa: Tensor) -> Tensor:
        r"""Differentiate the angle by the concentration, its cumulative distribution held.

        .. math:: \frac{d\theta}{d\kappa} = -\frac{\partial_\kappa F(\theta)}{q(\theta)}
           = -\frac{1}{q(\theta)} \int_0^\theta (T - \mathbb{E}\, T)\, q

        for the density q of the angle. The same integral from :math:`\theta` to :math:`\pi` is
        its opposite: the side is taken on which the integrand has one sign, and no digit cancels.
        """
        expected = self._moments(kappa)[1]
        _, scale = self._mode(kappa)
        low = self._statistic((angle / 2).sin().square()) < expected
        reach = REACH * scale
        stop = torch.where(low, (angle + reach).clamp_max(math.pi), (angle - reach).clamp_min(0.0))
        nodes, weights = integration_rule(angle, stop)
        at_angle, at_nodes = angle.unsqueeze(-1), kappa.unsqueeze(-1)
        density = self._log_angular(nodes, at_nodes) - self._log_angular(at_angle, at_nodes)
        statistic = self._statistic((nodes / 2).sin().square())
        return -(weights * (statistic - expected.unsqueeze(-1)).abs() * density.exp()).sum(-1)
