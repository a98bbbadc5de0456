"""The prior with a Gaussian on each axis."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily

from geomgen.distributions import DiagonalNormal
from geomgen.nn.priors import StandardNormal

__all__ = ["MixturePrior"]


class MixturePrior(StandardNormal):
    r"""Equal Gaussians around one-hot means, :math:`p(z) = \frac1K \sum_k N(z; e_k, \sigma^2 I)`.

    Parameters
    ----------
    dim : int
        Dimension d of the codes.
    n_centers : int, optional
        Number K of Gaussians, at most d; d by default.
    scale : float, default=1
        Their standard deviation σ.

    Attributes
    ----------
    covariance : Tensor of shape (d, d)
        That of the mixture, :math:`\Sigma`.
    covariance_noise : float
        N times the mean squared error of the covariance of N draws, to first order:
        :math:`(\mathbb{E}\|z - \mathbb{E}z\|^4 - \|\Sigma\|_F^2) / d^2`.

    References
    ----------
    Saseendran et al., 2021, *Shape your space*.
    """

    centers: Tensor
    covariance: Tensor

    def __init__(self, dim: int, n_centers: int | None = None, scale: float = 1.0) -> None:
        super().__init__(dim)
        self.register_buffer("centers", torch.eye(dim)[:n_centers], persistent=False)
        self.scale = scale
        self.register_buffer("covariance", self._covariance(), persistent=False)
        self.covariance_noise = self._covariance_noise()

    def forward(self) -> MixtureSameFamily:
        """Return the prior as a distribution."""
        equal = Categorical(logits=self.centers.new_zeros(len(self.centers)), validate_args=False)
        return MixtureSameFamily(equal, self._around(self.centers), validate_args=False)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes of shape (n, d)."""
        device = self.centers.device
        k = torch.randint(len(self.centers), (n,), generator=generator, device=device)
        return self._around(self.centers[k]).rsample(generator=generator)

    def _around(self, centers: Tensor) -> DiagonalNormal:
        return DiagonalNormal(centers, torch.full_like(centers, self.scale))

    def cdf(self, z: Tensor) -> Tensor:
        """Marginal distribution functions F_j of codes, (n, d) -> (n, d)."""
        return torch.special.ndtr((z[:, None] - self.centers) / self.scale).mean(1)

    def _covariance(self) -> Tensor:
        centred = self.centers - self.centers.mean(0)
        return self.scale**2 * torch.eye(self.dim) + centred.mT @ centred / len(centred)

    def _covariance_noise(self) -> float:
        d, variance = self.dim, self.scale**2
        squared = (self.centers - self.centers.mean(0)).square().sum(1)
        fourth = squared.square() + (2 * d + 4) * variance * squared + d * (d + 2) * variance**2
        return float(fourth.mean() - self.covariance.square().sum()) / d**2
