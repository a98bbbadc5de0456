"""The variational autoencoder."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from geomgen._fields import Interval, NonNegative, Positive, estimator
from geomgen._training import Terms
from geomgen.base import GenerativeAutoencoder
from geomgen.losses import kl, negative_log_likelihood
from geomgen.nn import (
    BernoulliLikelihood,
    GaussianLikelihood,
    Head,
    LatentVariableModel,
    LearntGaussianLikelihood,
    NormalPosterior,
)

__all__ = ["VAEGenerator"]


@estimator
class VAEGenerator(GenerativeAutoencoder):
    r"""(β-)VAE.

    .. math:: \mathcal{L} = -\mathbb{E}_{q(z|x)} \log p(x|z)
       + \beta\, \mathrm{KL}(q(z|x) \,\|\, N(0, I))

    With the default likelihood the noise of the decoder is learnt, so that the two terms balance;
    the networks still want scaled columns. With ``likelihood="gaussian"``, ``sigma=1``, the
    textbook's, the first term is :math:`\tfrac12 \|D(z) - x\|^2`, its constant left out; paper G
    writes :math:`\|D(z) - x\|^2`, hence its β is 2β there. ``reduction="mean"`` makes the KL term
    n_features times too strong for a likelihood. ``transform`` gives posterior means.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Kingma and Welling, 2014, *Auto-encoding variational Bayes*; Higgins et al., 2017, *beta-VAE*;
    Rybkin et al., 2021, *Simple and effective VAE training with calibrated decoders*; paper G
    (GA-AE), Eq. 2, sampled from ``sampler="prior"``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = VAEGenerator(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'kl', 'seconds']
    """

    beta: Annotated[NonNegative, "Weight β of the Kullback-Leibler term."] = 1.0
    warmup: Annotated[
        Annotated[int, Interval(0)],
        """Epochs over which the weight rises linearly to β, from 0, lest the posterior collapse
        before the decoder is any use. Early stopping waits for their end, which fewer
        ``max_epochs`` do not reach.""",
    ] = 10
    likelihood: Annotated[
        Literal["gaussian", "learnt", "bernoulli"],
        """The decoder's p(x|z): a Gaussian of the given ``sigma``; one whose σ is learnt, the root
        of the mean squared error, where it is most likely; or, for rows between 0 and 1, Bernoulli
        variables.""",
    ] = "learnt"
    sigma: Annotated[
        Positive,
        """Standard deviation σ of the decoder with ``likelihood="gaussian"``, in the units of X;
        the others have no use for it.""",
    ] = 1.0

    _posterior: ClassVar[type[Head]] = NormalPosterior
    _paper: ClassVar[str] = "Kingma and Welling, 2014; Higgins et al., 2017"
    _equation: ClassVar[str] = "Eq. 3; Eq. 4"
    _structure: ClassVar[tuple[str, ...]] = ("likelihood", "sigma")

    def _prepare(self, X: np.ndarray) -> None:
        if self.likelihood == "bernoulli" and (X.min() < 0 or X.max() > 1):
            raise ValueError(
                f"likelihood='bernoulli' is for rows between 0 and 1, but X spans [{X.min():g}, "
                f"{X.max():g}]: scale its columns (MinMaxScaler), or use likelihood='gaussian'."
            )

    def _likelihood(self, decoder: nn.Module) -> Head:
        if self.likelihood == "bernoulli":
            return BernoulliLikelihood(decoder)
        if self.likelihood == "learnt":
            return LearntGaussianLikelihood(decoder)
        return GaussianLikelihood(decoder, self.sigma)

    def _reconstruction(self, model: LatentVariableModel, z: Tensor, x: Tensor) -> Tensor:
        p = model.decoder.calibrated(model.decoder(z), x)
        return negative_log_likelihood(p, x, self.reduction)

    def _weight(self, model: LatentVariableModel) -> float:
        """β, or what the warm-up makes of it in this epoch."""
        warm = not model.training or model.n_epochs >= self._warm_epochs
        return self.beta if warm else self.beta * model.n_epochs / self._warm_epochs

    @property
    def _warm_epochs(self) -> int:
        return self.warmup

    def _objective(
        self, model: LatentVariableModel, x: Tensor, generator: torch.Generator
    ) -> Terms:
        q = model.encoder(x)
        z = q.rsample(generator=generator)
        terms = {
            "recon": self._reconstruction(model, z, x),
            "kl": self._weight(model) * kl(q, model.prior(), z),
        }
        return self._completed(terms, model, x, z, generator)
