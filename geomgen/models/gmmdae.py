"""The deterministic autoencoder regularised towards a Gaussian mixture."""

from __future__ import annotations

from typing import Annotated, ClassVar, cast

import numpy as np
import torch
from torch import Tensor

from geomgen._fields import Count, NonNegative, Positive, estimator
from geomgen._training import Terms
from geomgen.losses import covariance_error, kolmogorov_smirnov
from geomgen.models.ae import AE
from geomgen.nn import LatentVariableModel, MixturePrior, StandardNormal

__all__ = ["GMMDAE"]


@estimator
class GMMDAE(AE):
    r"""GMM-DAE: codes whose marginals and covariance are those of a Gaussian mixture.

    .. math:: \mathcal{L} = \mathbb{E}_x \|D(E(x)) - x\|^2 + \lambda \bigg(
       \frac{1}{w_1 N d} \sum_{ij} \Big(F_j(z_{(i)j}) - \frac{i}{N}\Big)^2
       + \frac{1}{w_2 d^2} \|\hat\Sigma - \Sigma\|_F^2 \bigg)

    The target :math:`\frac1K \sum_k N(e_k, \sigma^2 I)` is the model's prior; :math:`F_j` are its
    marginal distribution functions and :math:`\Sigma` its covariance. As in the paper,
    :math:`w_1` and :math:`w_2` are what the terms are on average of N draws of the target, so that
    each term of good codes is near λ; here from :math:`(N + 1) / 6N^2` and from fourth moments.

    The first of the two gives next to no gradient to codes far from all centers: standardise X.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Saseendran et al., 2021, *Shape your space: a Gaussian mixture regularization approach to
    deterministic autoencoders*, section 3; centers and weights as in its authors' code.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = GMMDAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'ks', 'covariance', 'seconds']
    """

    lam: Annotated[NonNegative, "Weight λ of the two terms."] = 0.01
    n_centers: Annotated[
        Count | None, "Number K of Gaussians, at most n_components, which None takes."
    ] = None
    scale: Annotated[Positive, "Standard deviation σ of each; their means are √2 apart."] = 1.0

    _prior: ClassVar[type[StandardNormal]] = MixturePrior
    _paper: ClassVar[str] = "Saseendran et al., 2021"
    _equation: ClassVar[str] = "section 3"
    _structure: ClassVar[tuple[str, ...]] = ("n_centers", "scale")

    def _prepare(self, X: np.ndarray) -> None:
        if self.n_centers is not None and self.n_centers > self.n_components:
            raise ValueError(
                f"n_centers={self.n_centers} must be at most n_components={self.n_components}: "
                "each Gaussian has an axis of its own."
            )

    def _make_prior(self) -> MixturePrior:
        return MixturePrior(self.n_components, self.n_centers, self.scale)

    def _penalties(
        self, model: LatentVariableModel, x: Tensor, z: Tensor, generator: torch.Generator
    ) -> Terms:
        n, prior = len(x), cast(MixturePrior, model.prior)
        ks_noise, noise = (n + 1) / (6 * n**2), prior.covariance_noise / n
        return {
            "ks": self.lam / ks_noise * kolmogorov_smirnov(prior.cdf(z)),
            "covariance": self.lam / noise * covariance_error(z, prior.covariance),
        }
