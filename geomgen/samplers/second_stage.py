"""A variational autoencoder over the codes."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from geomgen._fields import Count, Positive, estimator
from geomgen._random import generator, substream
from geomgen._training import Terms
from geomgen.losses import kl, negative_log_likelihood
from geomgen.manifolds import Euclidean
from geomgen.nn import (
    LatentVariableModel,
    LearntGaussianLikelihood,
    NormalPosterior,
    StandardNormal,
    mlp,
)
from geomgen.samplers._fitting import NetworkSampler

__all__ = ["SecondStageSampler"]

_WARMUP = 50  # epochs over which the KL term gets its weight, lest the posterior collapse


@estimator
class SecondStageSampler(NetworkSampler):
    r"""A small VAE trained on the codes, the second stage of Dai and Wipf.

    .. math:: \min\; -\mathbb{E}_{q(v|u)} \log N(u; D(v), \gamma^2 I)
       + \mathrm{KL}(q(v|u) \,\|\, N(0, I))

    for whitened codes u, with v of their dimension and :math:`\gamma` learnt. A draw is
    :math:`u = D(v) + \gamma \epsilon` with v and :math:`\epsilon` from N(0, I): one evaluation of
    the network. It has no density, only the bound.

    Attributes
    ----------
    mean_ : ndarray of shape (n_components,)
        Mean of the codes.
    whiten_, unwhiten_ : ndarray of shape (n_components, rank) and (rank, n_components)
        To whitened coordinates and back.
    network_ : LatentVariableModel or None
        The VAE, over whitened codes; None for constant codes.
    history_ : DataFrame or None
        One row an epoch: the mean terms on training and held-out codes.

    References
    ----------
    Dai and Wipf, 2019, *Diagnosing and enhancing VAE models*, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.random.RandomState(0).normal(3, 2, size=(300, 1))
    >>> sampler = SecondStageSampler(max_epochs=20, hidden=(16,), random_state=0).fit(Z)
    >>> sampler.sample(2, random_state=0).shape
    (2, 1)
    """

    lr: Annotated[Positive, "Learning rate of Adam."] = 3e-3
    n_iter_no_change: Annotated[
        Count,
        """Epochs without improvement on held-out codes before stopping, counted from the 50th, for
        until then the KL term gets its weight; the weights of the best epoch are kept.""",
    ] = 100

    _noises: ClassVar[int] = 2
    _warm_epochs: ClassVar[int] = _WARMUP

    def _build(self, dim: int, seed: int) -> nn.Module:
        hidden = tuple(self.hidden)
        encoder = mlp(dim, hidden, 2 * dim, generator=generator(substream(seed, 0)))
        decoder = mlp(dim, hidden[::-1], dim, generator=generator(substream(seed, 1)))
        return LatentVariableModel(
            NormalPosterior(encoder),
            LearntGaussianLikelihood(decoder),
            StandardNormal(dim),
            Euclidean(),
        )

    def _objective(self, network: Any, u: Tensor, generator: torch.Generator) -> Terms:
        q = network.encoder(u)
        v = q.rsample(generator=generator)
        p = network.decoder.calibrated(network.decoder(v), u)
        weight = min(1.0, network.n_epochs / _WARMUP) if network.training else 1.0
        return {
            "recon": negative_log_likelihood(p, u),
            "kl": weight * kl(q, network.prior(), v),
        }

    def _generate(self, noise: Tensor) -> Tensor:
        v, epsilon = noise.chunk(2, dim=-1)
        p = self.network_.decoder(v)
        return p.mean + p.stddev * epsilon
