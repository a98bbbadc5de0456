"""The information-maximising variational autoencoder."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from geomgen._fields import Interval, NonNegative, estimator, fixing
from geomgen._training import Terms
from geomgen.losses import mmd
from geomgen.models.vae import VAEGenerator
from geomgen.nn import LatentVariableModel

__all__ = ["InfoVAE"]


@estimator
@fixing(beta=property(lambda self: 1 - self.alpha))
class InfoVAE(VAEGenerator):
    r"""InfoVAE: a VAE that matches the law of all codes too, and each posterior less.

    .. math:: \mathcal{L} = -\mathbb{E}_{q(z|x)} \log p(x|z)
       + (1 - \alpha)\, \mathrm{KL}(q(z|x) \,\|\, N(0, I))
       + (\alpha + \lambda - 1)\, \mathrm{MMD}^2(q(z), N(0, I))

    α = 0 and λ = 1 is the VAE; α = 1 leaves the divergence out, and is the MMD-VAE. The discrepancy
    is unbiased, so that its term can be below 0.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Zhao et al., 2019, *InfoVAE: balancing learning and inference in variational autoencoders*, the
    objective with the maximum mean discrepancy.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = InfoVAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'kl', 'mmd', 'seconds']
    """

    alpha: Annotated[
        Annotated[float, Interval(-np.inf, 1)],
        "Weight α of the mutual information of rows and codes; below 0 it is made smaller.",
    ] = 0.5
    lam: Annotated[NonNegative, "Weight λ of the law of all codes; at least 1 - α."] = 10.0
    kernel: Annotated[
        Literal["imq", "rbf"], "Of the mean discrepancy: inverse multiquadric or Gaussian."
    ] = "rbf"

    _paper: ClassVar[str] = "Zhao et al., 2019"
    _equation: ClassVar[str] = "section 3, MMD"

    def _prepare(self, X: np.ndarray) -> None:
        super()._prepare(X)
        if self.alpha + self.lam < 1:
            raise ValueError(
                f"lam={self.lam} must be at least 1 - alpha = {1 - self.alpha}: the weight "
                "alpha + lam - 1 of the mean discrepancy would be below 0."
            )

    def _penalties(
        self, model: LatentVariableModel, x: Tensor, z: Tensor, generator: torch.Generator
    ) -> Terms:
        drawn = model.prior.sample(len(x), generator)
        return {"mmd": (self.alpha + self.lam - 1) * mmd(z, drawn, self.kernel)}
