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

    References
    ----------
    Saseendran et al., 2021, *Shape your space*.
    """

    centers: Tensor

    def __init__(self, dim: int, n_centers: int | None = None, scale: float = 1.0) -> None:
        super().__init__(dim)
        self.register_buffer("centers", torch.eye(dim)[:n_centers], persistent=False)
        self.scale = scale

    def forward(self) -> MixtureSameFamily:  # type: ignore[override]
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

    def covariance(self) -> Tensor:
        """Give the (d, d) covariance."""
        centred = self.centers - self.centers.mean(0)
        within = self.scale**2 * torch.eye(self.dim).to(self.centers)
        return within + centred.mT @ centred / len(centred)

    def covariance_noise(self) -> Tensor:
        r"""Give N times the mean squared error of the covariance of N draws, to first order.

        .. math:: \frac{1}{d^2} \big(\mathbb{E}\|z - \mathbb{E}z\|^4 - \|\Sigma\|_F^2\big)
        """
        d, variance = self.dim, self.scale**2
        squared = (self.centers - self.centers.mean(0)).square().sum(1)
        fourth = squared.square() + (2 * d + 4) * variance * squared + d * (d + 2) * variance**2
        return (fourth.mean() - self.covariance().square().sum()) / d**2
