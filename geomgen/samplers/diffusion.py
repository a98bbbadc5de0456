"""Flow matching over the codes."""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated, Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.func import jacrev, vmap

from geomgen._batches import Rows, Subset
from geomgen._fields import Count, estimator
from geomgen._random import generator
from geomgen._training import Terms
from geomgen.nn import mlp
from geomgen.samplers._fitting import NetworkSampler

__all__ = ["DiffusionSampler"]

_FREQUENCIES = 4
_BLOCK = 64  # pairs matched at once: 0.5 ms per 256 codes, against 9 ms in one block of 256
_REPEATS = 8  # of a held-out code, each with noise and a time of its own


class Velocity(nn.Module):
    r"""Velocity field v(u, t): a network of u and :math:`t, \sin 2^k \pi t, \cos 2^k \pi t`."""

    frequencies: Tensor

    def __init__(self, dim: int, hidden: tuple[int, ...], generator: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("frequencies", math.pi * 2.0 ** torch.arange(_FREQUENCIES))
        self.trunk = mlp(dim + 1 + 2 * _FREQUENCIES, hidden, dim, generator=generator)

    def forward(self, u: Tensor, t: Tensor) -> Tensor:
        """Velocities (..., d) at codes (..., d) and times (..., 1)."""
        angles = t * self.frequencies
        return self.trunk(torch.cat([u, t, angles.sin(), angles.cos()], dim=-1))


@estimator
class DiffusionSampler(NetworkSampler):
    r"""Flow matching in latent space: noise is carried to codes along a learnt velocity field.

    .. math:: \min_v \mathbb{E}\, \|v(u_t, t) - (u_1 - u_0)\|^2, \qquad
       u_t = (1 - t) u_0 + t u_1, \quad u_0 \sim N(0, I),

    with :math:`u_1` a whitened code and t uniform on [0, 1]. Noise and codes are paired by
    optimal transport within blocks of 64, which straightens the paths, so that few steps do.
    A draw integrates :math:`\dot u = v(u, t)` from 0 to 1 in ``n_steps`` midpoint steps.

    A draw costs ``2 n_steps`` evaluations of the network and one of the decoder, where the
    one-shot samplers cost the decoder's alone: count both when they are compared.

    The density takes the same steps from codes back to noise, with the exact determinants of
    their Jacobians: it integrates to 1, however long the steps, as long as they are one-to-one.
    It is the density of the draws up to the steps' error, of order ``1 / n_steps ** 2``, and
    costs ``n_components`` times a draw.

    Attributes
    ----------
    mean_ : ndarray of shape (n_components,)
        Mean of the codes.
    whiten_, unwhiten_ : ndarray of shape (n_components, rank) and (rank, n_components)
        To whitened coordinates and back.
    network_ : Velocity or None
        The velocity field, over whitened codes; None for constant codes.
    history_ : DataFrame or None
        One row an epoch: the mean loss on training and held-out codes.

    References
    ----------
    Lipman et al., 2023, *Flow matching for generative modeling*, Eqs. 20-23; Tong et al., 2024,
    *Improving and generalizing flow-based generative models with minibatch optimal transport*.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.random.RandomState(0).normal(3, 2, size=(300, 1))
    >>> sampler = DiffusionSampler(max_epochs=20, hidden=(16,), random_state=0).fit(Z)
    >>> sampler.sample(2, random_state=0).shape
    (2, 1)
    """

    hidden: Annotated[tuple[Count, ...], "Widths of the network's hidden layers."] = (256, 256, 256)
    n_steps: Annotated[Count, "Steps of the integration from noise to a code."] = 10

    def _build(self, dim: int, seed: int) -> nn.Module:
        return Velocity(dim, tuple(self.hidden), generator(seed))

    def _objective(self, network: Any, u: Tensor, generator: torch.Generator) -> Terms:
        noise = torch.randn(u.shape, generator=generator)
        blocks = zip(noise.split(_BLOCK), u.split(_BLOCK), strict=True)
        noise = torch.cat([_paired(*block) for block in blocks])
        t = torch.rand((len(u), 1), generator=generator)
        error = network((1 - t) * noise + t * u, t) - (u - noise)
        return {"velocity": error.square().mean()}

    def _repeated(self, valid: Rows | Subset) -> Rows:
        codes = valid.X.numpy()
        return Rows(np.tile(codes, (_REPEATS, 1)), codes.dtype, "cpu")

    def _generate(self, noise: Tensor) -> Tensor:
        u = noise
        for k in range(self.n_steps):
            u = self._step(u, k / self.n_steps, 1 / self.n_steps)
        return u

    def _log_prob(self, u: Tensor) -> Tensor:
        log_prob = u.new_zeros(len(u))
        for k in range(self.n_steps, 0, -1):
            step = partial(self._step, t=k / self.n_steps, h=-1 / self.n_steps)
            log_prob += torch.linalg.slogdet(vmap(jacrev(step))(u)).logabsdet
            u = step(u)
        return log_prob - (u.square() + math.log(2 * math.pi)).sum(-1) / 2

    def _step(self, u: Tensor, t: float, h: float) -> Tensor:
        """One midpoint step of length h from time t."""
        middle = u + h / 2 * self._velocity(u, t)
        return u + h * self._velocity(middle, t + h / 2)

    def _velocity(self, u: Tensor, t: float) -> Tensor:
        return self.network_(u, torch.full_like(u[..., :1], t))


def _paired(noise: Tensor, u: Tensor) -> Tensor:
    """Noise in the order that makes the sum of squared distances to the codes least."""
    squared = torch.cdist(u, noise).square()
    return noise[linear_sum_assignment(squared.numpy())[1]]
