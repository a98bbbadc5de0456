"""Priors p(z): modules that know the dimension of the codes and draw them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from geomgen.distributions import DiagonalNormal, SphericalUniform

__all__ = ["StandardNormal", "UniformSphere"]


class StandardNormal(nn.Module):
    """p(z) = N(0, I) on R^d.

    Parameters
    ----------
    dim : int
        Dimension d of the codes.
    """

    zero: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("zero", torch.zeros(dim), persistent=False)

    @property
    def dim(self) -> int:
        """Dimension d of the codes."""
        return len(self.zero)

    def forward(self) -> Distribution:
        """Return the prior as a distribution."""
        return DiagonalNormal(self.zero, torch.ones_like(self.zero))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes of shape (n, d)."""
        return self().rsample(torch.Size((n,)), generator=generator)


class UniformSphere(StandardNormal):
    """p(z) uniform on the unit sphere of R^d.

    Parameters
    ----------
    dim : int
        Dimension d of the codes.
    """

    def forward(self) -> SphericalUniform:
        """Return the prior as a distribution."""
        return SphericalUniform(self.dim, dtype=self.zero.dtype, device=self.zero.device)
