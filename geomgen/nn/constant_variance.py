"""The posterior of constant variance."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from geomgen.distributions import DiagonalNormal
from geomgen.nn.heads import Head

__all__ = ["ConstantVariancePosterior"]


class ConstantVariancePosterior(Head):
    r"""x -> q(z|x) = :math:`N(\mu(x), s^2 I)`.

    Parameters
    ----------
    trunk : Module, (n, p) -> (n, d)
        The mean.
    scale : float, default=1
        The standard deviation s.
    """

    scale: Tensor

    def __init__(self, trunk: nn.Module, scale: float = 1.0) -> None:
        super().__init__(trunk)
        self.register_buffer("scale", torch.tensor(float(scale)), persistent=False)

    def forward(self, x: Tensor) -> DiagonalNormal:
        """Map rows (n, p) to normal distributions over codes (n, d)."""
        loc = self.outputs(x)
        return DiagonalNormal(loc, self.scale.expand_as(loc))
