"""Heads whose distribution is on the sphere."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from geomgen.distributions import PowerSpherical, VonMisesFisher
from geomgen.manifolds import Sphere
from geomgen.nn.heads import Head

__all__ = ["PowerSphericalPosterior", "VonMisesFisherPosterior"]


class VonMisesFisherPosterior(Head):
    r"""x -> q(z|x), the von Mises-Fisher law of a direction and a concentration.

    The trunk gives a vector, whose direction is taken, and a number, whose softplus plus 1 is the
    concentration: Davidson et al. keep it away from 0, where the direction has no gradient.
    """

    law: ClassVar[type[VonMisesFisher | PowerSpherical]] = VonMisesFisher

    @staticmethod
    def n_outputs(dim: int) -> int:
        """Count a direction's components and one concentration."""
        return dim + 1

    def forward(self, x: Tensor) -> VonMisesFisher | PowerSpherical:
        """Map rows (n, p) to distributions over unit codes (n, d)."""
        out = self.outputs(x)
        return self.law(Sphere().project(out[..., :-1]), softplus(out[..., -1]) + 1)


class PowerSphericalPosterior(VonMisesFisherPosterior):
    """x -> q(z|x), likewise, the power spherical law."""

    law: ClassVar[type[VonMisesFisher | PowerSpherical]] = PowerSpherical
