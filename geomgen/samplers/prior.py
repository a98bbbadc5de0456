"""Samplers that do not look at the codes."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch

from geomgen._fields import estimator
from geomgen._random import draw_seed, generator
from geomgen.nn.priors import StandardNormal, UniformSphere
from geomgen.samplers._base import LatentSampler

__all__ = ["PriorSampler", "UniformSphereSampler"]


@estimator
class PriorSampler(LatentSampler):
    """Draws from the model's prior p(z); N(0, I) without a model.

    The protocol of paper G, and the sampler of a variational model. For a deterministic
    autoencoder it depends on the arbitrary scale of the codes.

    Attributes
    ----------
    prior_ : Module
        A copy of the prior, on the CPU.

    References
    ----------
    Paper G (GA-AE), section 5.1, generation protocol.

    Examples
    --------
    >>> import numpy as np
    >>> PriorSampler().fit(np.zeros((4, 2))).sample(3, random_state=0).shape
    (3, 2)
    """

    def _fit(self, Z: np.ndarray, model: Any) -> None:
        prior = StandardNormal(Z.shape[1]) if model is None else model.prior
        self.prior_ = copy.deepcopy(prior).cpu().double().requires_grad_(False)

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        return self.prior_.sample(n, generator(draw_seed(rng))).numpy()

    def _log_density(self, Z: np.ndarray) -> np.ndarray:
        return self.prior_().log_prob(torch.tensor(Z)).numpy()


@estimator
class UniformSphereSampler(LatentSampler):
    """Draws uniformly from the unit sphere of the codes' dimension.

    The target of paper L's repulsion term, for models with spherical codes.

    Attributes
    ----------
    prior_ : UniformSphere
        The uniform law.

    References
    ----------
    Paper L (LISA), section 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> Z = UniformSphereSampler().fit(np.zeros((4, 3))).sample(2, random_state=0)
    >>> np.linalg.norm(Z, axis=1)
    array([1., 1.])
    """

    def _fit(self, Z: np.ndarray, model: Any) -> None:
        self.prior_ = UniformSphere(Z.shape[1]).double()

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        return self.prior_.sample(n, generator(draw_seed(rng))).numpy()

    def _log_density(self, Z: np.ndarray) -> np.ndarray:
        return self.prior_().log_prob(torch.tensor(Z)).numpy()  # by the surface, always
