"""Modules whose forward returns a distribution: q(z|x) and p(x|z)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from geomgen.distributions import Delta, DiagonalNormal, IndependentBernoulli

__all__ = ["BernoulliLikelihood", "GaussianLikelihood", "Head", "NormalPosterior", "PointPosterior"]


class Head(nn.Module):
    """A network (the trunk) and the reading of its output as a distribution."""

    trunk: nn.Module

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    @staticmethod
    def n_outputs(dim: int) -> int:
        """Say how many outputs the trunk must have for a distribution over R^dim."""
        return dim

    @property
    def map(self) -> nn.Module:
        """The trunk, made to end in the distribution's mean."""
        return self.trunk


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

    @staticmethod
    def n_outputs(dim: int) -> int:
        """Count a mean and a log-scale for each component."""
        return 2 * dim

    def forward(self, x: Tensor) -> DiagonalNormal:
        """Map rows (n, p) to normal distributions over codes (n, d)."""
        loc, log_scale = self.trunk(x).chunk(2, dim=-1)
        return DiagonalNormal(loc, log_scale.clamp(-8, 4).exp())


class GaussianLikelihood(Head):
    r"""z -> p(x|z) = :math:`N(d(z), \sigma^2 I)`.

    Parameters
    ----------
    trunk : Module, (n, d) -> (n, p)
        The mean d(z).
    scale : float, default=1
        The standard deviation :math:`\sigma`.
    learn : bool, default=False
        Whether :math:`\sigma` is a parameter, which starts at ``scale``.
    """

    log_scale: Tensor

    def __init__(self, trunk: nn.Module, scale: float = 1.0, learn: bool = False) -> None:
        super().__init__(trunk)
        log_scale = torch.tensor(float(scale)).log()
        if learn:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale, persistent=False)

    def forward(self, z: Tensor) -> Distribution:
        """Map codes (n, d) to normal distributions over rows (n, p)."""
        loc = self.trunk(z)
        return DiagonalNormal(loc, self.log_scale.exp().expand_as(loc))


class BernoulliLikelihood(Head):
    r"""z -> p(x|z) = :math:`\prod_j \mathrm{Bernoulli}(x_j; 1/(1 + e^{-d_j(z)}))`."""

    def forward(self, z: Tensor) -> Distribution:
        """Map codes (n, d) to Bernoulli distributions over rows (n, p)."""
        return IndependentBernoulli(self.trunk(z))

    @property
    def map(self) -> nn.Module:
        """The probabilities."""
        return nn.Sequential(self.trunk, nn.Sigmoid())
