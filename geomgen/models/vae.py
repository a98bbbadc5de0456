"""The variational autoencoder."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from geomgen._fields import NonNegative, estimator
from geomgen._training import Terms
from geomgen.base import GenerativeAutoencoder
from geomgen.losses import squared_error
from geomgen.nn import Head, LatentVariableModel, NormalPosterior

__all__ = ["VAEGenerator"]


@estimator
class VAEGenerator(GenerativeAutoencoder):
    r"""(β-)VAE with a Gaussian decoder of unit variance.

    .. math:: \mathcal{L} = \mathbb{E}_{q(z|x)} \tfrac12 \|D(z) - x\|^2
       + \beta\, \mathrm{KL}(q(z|x) \,\|\, N(0, I))

    The first term is :math:`-\log p(x|z)` at :math:`\sigma = 1`, its constant left out, so β means
    what Higgins et al. mean; paper G writes :math:`\|D(z) - x\|^2`, hence its β is 2β here.
    ``reduction="mean"`` makes the KL term n_features times too strong for a likelihood.
    ``transform``, and any sampler but the prior, use posterior means.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Kingma and Welling, 2014, *Auto-encoding variational Bayes*; Higgins et al., 2017, *beta-VAE*;
    paper G (GA-AE), Eq. 2.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = VAEGenerator(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'kl', 'seconds']
    """

    beta: Annotated[NonNegative, "Weight β of the Kullback-Leibler term."] = 1.0
    sampler: Annotated[
        Any,
        """Where new codes come from: ``"prior"`` (the model's own), ``"cells"``, ``"mvg"``,
        ``"gmm"``, a sampler, or any scikit-learn object with fit and sample.""",
    ] = "prior"

    _posterior: ClassVar[type[Head]] = NormalPosterior

    def _objective(
        self, model: LatentVariableModel, x: Tensor, generator: torch.Generator
    ) -> Terms:
        q = model.encoder(x)
        z = q.rsample(generator=generator)
        return {
            "recon": 0.5 * squared_error(model.decode(z), x, self.reduction),
            "kl": self.beta * kl_divergence(q, model.prior()).mean(),
        }
