"""Modules whose forward returns a distribution: q(z|x) and p(x|z)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from geomgen.distributions import Delta, DiagonalNormal

__all__ = ["GaussianLikelihood", "Head", "NormalPosterior", "PointPosterior"]


class Head(nn.Module):
    """A network (the trunk) and the reading of its output as a distribution."""

    outputs_per_dim: ClassVar[int] = 1
    trunk: nn.Module

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk


class PointPosterior(Head):
    r"""x -> q(z|x) = :math:`\delta(z - e(x))`, the deterministic encoder."""

    def forward(self, x: Tensor) -> Delta:
        """Map rows (n, p) to point masses over codes (n, d)."""
        return Delta(self.trunk(x))


class NormalPosterior(Head):
    r"""x -> q(z|x) = :math:`N(\mu(x), \mathrm{diag}\,\sigma(x)^2)`.

    The trunk gives :math:`(\mu, \log\sigma)`; :math:`\log\sigma` is clipped to [-8, 4]: beyond,
    a float32 KL term overflows before the reconstruction can pull it back.
    """

    outputs_per_dim: ClassVar[int] = 2

    def forward(self, x: Tensor) -> DiagonalNormal:
        """Map rows (n, p) to normal distributions over codes (n, d)."""
        loc, log_scale = self.trunk(x).chunk(2, dim=-1)
        return DiagonalNormal(loc, log_scale.clamp(-8, 4).exp())


class GaussianLikelihood(Head):
    """z -> p(x|z) = N(d(z), I)."""

    def forward(self, z: Tensor) -> DiagonalNormal:
        """Map codes (n, d) to normal distributions over rows (n, p)."""
        loc = self.trunk(z)
        return DiagonalNormal(loc, torch.ones_like(loc))
