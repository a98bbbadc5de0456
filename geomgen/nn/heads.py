"""Modules whose forward returns a distribution: q(z|x) and p(x|z)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from geomgen.distributions import Delta, DiagonalNormal, IndependentBernoulli

__all__ = [
    "BernoulliLikelihood",
    "GaussianLikelihood",
    "Head",
    "LearntGaussianLikelihood",
    "NormalPosterior",
    "PointPosterior",
]

_MOMENTUM = 0.1  # of a learnt variance
_LEAST = 1e-20  # rows that are reproduced exactly would make it 0


class Head(nn.Module):
    """A network (the trunk) and the reading of its output as a distribution."""

    trunk: nn.Module
    # How training goes through the trunk:
    low_precision = False  # in bfloat16
    compiled: Callable[[Tensor], Tensor] | None = None  # in this form

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    @staticmethod
    def n_outputs(dim: int) -> int:
        """Say how many outputs the trunk must have for a distribution over R^dim."""
        return dim

    def outputs(self, x: Tensor) -> Tensor:
        """Apply the trunk; what it gives is of x's dtype, whatever it computes in."""
        network = self.compiled if self.compiled is not None and self.training else self.trunk
        if not (self.low_precision and self.training):
            return network(x)
        with torch.autocast(x.device.type, torch.bfloat16):
            return network(x).to(x.dtype)

    @property
    def map(self) -> nn.Module:
        """The trunk, made to end in the distribution's mean."""
        return self.trunk

    def calibrated(self, p: Distribution, x: Tensor) -> Distribution:
        """Learn from the rows what of p(x|z) no gradient learns; return p with it."""
        return p


class PointPosterior(Head):
    r"""x -> q(z|x) = :math:`\delta(z - e(x))`, the deterministic encoder."""

    def forward(self, x: Tensor) -> Delta:
        """Map rows (n, p) to point masses over codes (n, d)."""
        return Delta(self.outputs(x))


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
        loc, log_scale = self.outputs(x).chunk(2, dim=-1)
        return DiagonalNormal(loc, log_scale.clamp(-8, 4).exp())


class GaussianLikelihood(Head):
    r"""z -> p(x|z) = :math:`N(d(z), \sigma^2 I)`.

    Parameters
    ----------
    trunk : Module, (n, d) -> (n, p)
        The mean d(z).
    scale : float, default=1
        The standard deviation :math:`\sigma`.
    """

    variance: Tensor

    def __init__(self, trunk: nn.Module, scale: float = 1.0) -> None:
        super().__init__(trunk)
        self.register_buffer("variance", torch.tensor(float(scale) ** 2))

    def forward(self, z: Tensor) -> DiagonalNormal:
        """Map codes (n, d) to normal distributions over rows (n, p)."""
        loc = self.outputs(z)
        return DiagonalNormal(loc, self.variance.sqrt().expand_as(loc))


class LearntGaussianLikelihood(GaussianLikelihood):
    r"""z -> p(x|z) = :math:`N(d(z), \sigma^2 I)`, :math:`\sigma` where it is most likely.

    The optimum is the mean squared error, of which the variance is a running mean over the steps,
    from the first on; a gradient step of the size that suits the weights would take thousands of
    them to get there.

    Parameters
    ----------
    trunk : Module, (n, d) -> (n, p)
        The mean d(z).

    References
    ----------
    Rybkin et al., 2021, *Simple and effective VAE training with calibrated decoders*, section 3.
    """

    n_seen: Tensor

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__(trunk)
        self.register_buffer("n_seen", torch.zeros(()))

    def calibrated(self, p: Distribution, x: Tensor) -> DiagonalNormal:
        """Move the variance towards the mean squared error, in training."""
        if self.training:
            error = (p.mean.detach() - x).square().mean()
            self.n_seen = self.n_seen + 1
            share = (1 / self.n_seen).clamp(min=_MOMENTUM)
            self.variance = self.variance.lerp(error, share).clamp(min=_LEAST)
        return DiagonalNormal(p.mean, self.variance.sqrt().expand_as(p.mean))


class BernoulliLikelihood(Head):
    r"""z -> p(x|z) = :math:`\prod_j \mathrm{Bernoulli}(x_j; 1/(1 + e^{-d_j(z)}))`."""

    def forward(self, z: Tensor) -> Distribution:
        """Map codes (n, d) to Bernoulli distributions over rows (n, p)."""
        return IndependentBernoulli(self.outputs(z))

    @property
    def map(self) -> nn.Module:
        """The probabilities."""
        return nn.Sequential(self.trunk, nn.Sigmoid())
