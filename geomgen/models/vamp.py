"""The VAE with a mixture of its own posteriors for a prior."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from geomgen._fields import Count, estimator
from geomgen._random import generator, substream
from geomgen.models.vae import VAEGenerator
from geomgen.nn import LatentVariableModel, StandardNormal, VampPrior

__all__ = ["VampPriorVAE"]


@estimator
class VampPriorVAE(VAEGenerator):
    r"""VAE whose prior is a mixture of its posteriors at learnt pseudo-inputs.

    .. math:: \mathcal{L} = -\mathbb{E}_{q(z|x)} \log p(x|z)
       + \beta\, \mathbb{E}_{q(z|x)} \big[\log q(z|x) - \log p(z)\big], \qquad
       p(z) = \frac{1}{K} \sum_{k=1}^{K} q(z|u_k)

    The pseudo-inputs :math:`u_k` live among the rows; they start at rows of X and are learnt.
    They pass through the encoder in evaluation mode, in training too, so that with
    ``norm="batch"`` the prior that is trained is the prior that is drawn from.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`; ``net_.module_.prior.inputs`` are the pseudo-inputs.

    References
    ----------
    Tomczak and Welling, 2018, *VAE with a VampPrior*, Eq. 9.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = VampPriorVAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.net_.module_.prior.inputs.shape
    torch.Size([100, 4])
    """

    n_pseudo_inputs: Annotated[
        Count, "Number K of pseudo-inputs; each step encodes them beside its batch."
    ] = 100

    _prior: ClassVar[type[StandardNormal]] = VampPrior
    _paper: ClassVar[str] = "Tomczak and Welling, 2018"
    _equation: ClassVar[str] = "Eq. 9"
    _structure: ClassVar[tuple[str, ...]] = (*VAEGenerator._structure, "n_pseudo_inputs")

    def _build(self, n_features: int) -> LatentVariableModel:
        model = super()._build(n_features)
        model.prior = VampPrior(self.n_components, model.encoder, self.n_pseudo_inputs, n_features)
        return model

    def _initialise(self, X: np.ndarray) -> None:
        order = torch.randperm(len(X), generator=generator(substream(self._seed, 0, 1))).numpy()
        rows = X[np.resize(order, self.n_pseudo_inputs)]  # each as often as any other
        with torch.no_grad():
            self._module.get_parameter("prior.inputs").copy_(
                torch.from_numpy(rows.astype(self.dtype_))
            )
