"""An autoregressive law of discrete codes."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from geomgen._fields import Interval, estimator
from geomgen._random import generator
from geomgen._training import Terms
from geomgen.nn import mlp
from geomgen.nn.codebook import Codebook
from geomgen.samplers._fitting import NetworkSampler

__all__ = ["AutoregressiveSampler"]


class Tokens(nn.Module):
    r"""Laws :math:`p(k_i | k_1, \ldots, k_{i-1})` of bins, one network for all coordinates.

    The network sees the sum of one learnt vector for each token before the i-th, and one for i.
    Those of a token start as random features of its value: near values start alike.

    Parameters
    ----------
    edges : Tensor of shape (dim, n_bins + 1)
        Rising edges of each coordinate's bins; the last may be repeated, and a bin of no width
        has probability 0.
    values : Tensor of shape (n_bins, k)
        What the bins stand for, in units of their spread.
    hidden : tuple of int
        Widths of the network's hidden layers.
    generator : torch.Generator
        Source of the initial weights.
    """

    edges: Tensor

    def __init__(
        self,
        edges: Tensor,
        values: Tensor,
        hidden: tuple[int, ...],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.register_buffer("edges", edges)
        (dim, n_bins), width = self.widths.shape, (*hidden, 64)[0]
        self.place = nn.Parameter(torch.randn(dim, width, generator=generator))
        angles = values.float() @ torch.randn(dim, values.shape[1], width, generator=generator)
        phases = 2 * math.pi * torch.rand(dim, 1, width, generator=generator)
        self.table = nn.Parameter((angles + phases).cos() / math.sqrt(dim))
        self.trunk = mlp(width, hidden, n_bins, generator=generator)

    @property
    def widths(self) -> Tensor:
        """Width of each bin, (dim, n_bins)."""
        return self.edges.diff()

    def find(self, u: Tensor) -> Tensor:
        """Bins of coordinates, (n, dim) -> (n, dim); the end bins reach to infinity."""
        inner = self.edges[:, 1:-1].contiguous()
        tokens = torch.searchsorted(inner, u.T.to(inner).contiguous(), right=True).T
        return tokens.minimum((self.widths > 0).sum(-1) - 1)

    def log_probs(self, i: Any, before: Tensor) -> Tensor:
        """Log-probabilities of the i-th token's values, of the sums before it."""
        logits = self.trunk(before + self.place[i])
        return logits.masked_fill(self.widths[i] <= 0, -torch.inf).log_softmax(-1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Log-probability of each token after those before it, (n, dim) -> (n, dim)."""
        every = torch.arange(len(self.edges))
        sums = self.table[every, tokens].cumsum(1)[:, :-1]
        log_probs = self.log_probs(every, nn.functional.pad(sums, (0, 0, 1, 0)))
        return log_probs.gather(-1, tokens[..., None])[..., 0]


@estimator
class AutoregressiveSampler(NetworkSampler):
    r"""An autoregressive law of discrete codes: exact probabilities, ancestral draws.

    .. math:: p(k) = \prod_i p(k_i \mid k_1, \ldots, k_{i-1})

    For a model with a codebook, :math:`k_i` is the index of the vector at position i. All other
    codes are whitened, and :math:`k_i` is the bin of the i-th coordinate, between quantiles; a
    draw is then uniform within its bins, and has a density, a histogram's, which is 0 beyond the
    codes' range. With a codebook ``score_samples`` gives log-probabilities.

    Attributes
    ----------
    mean_ : ndarray of shape (n_components,)
        Mean of the codes.
    whiten_, unwhiten_ : ndarray of shape (n_components, rank) and (rank, n_components)
        To whitened coordinates and back; to indices and back, with a codebook, they do nothing.
    network_ : Tokens or None
        The law of the bins; None for constant codes.
    history_ : DataFrame or None
        One row an epoch: mean negative log-likelihood of training and held-out bins.

    References
    ----------
    van den Oord, Vinyals and Kavukcuoglu, 2017, *Neural discrete representation learning*,
    section 3.3; Uria et al., 2016, *Neural autoregressive distribution estimation*, for the
    network.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.random.RandomState(0).gamma(2.0, size=(300, 1))
    >>> sampler = AutoregressiveSampler(max_epochs=20, hidden=(16,), random_state=0).fit(Z)
    >>> sampler.sample(2, random_state=0).shape
    (2, 1)
    >>> bool(sampler.score_samples([[1.0]]) > sampler.score_samples([[7.0]]))
    True
    """

    discrete: ClassVar[bool] = True

    n_bins: Annotated[
        Annotated[int, Interval(2)],
        "Bins of each coordinate, for codes without a codebook; at most one per ten codes.",
    ] = 64

    def _fit(self, Z: np.ndarray, model: Any) -> None:
        super()._fit(self._indices(Z), model)

    def _whiten(self, Z: np.ndarray) -> np.ndarray:
        if isinstance(self.manifold_, Codebook):  # the bin of index k is [k, k + 1)
            m = Z.shape[1]
            self.mean_, self.whiten_, self.unwhiten_ = np.zeros(m), np.eye(m), np.eye(m)
            self._edges = np.tile(np.arange(len(self.manifold_.vectors) + 1.0), (m, 1))
            return Z
        U = super()._whiten(Z)
        at = np.linspace(0, 1, max(2, min(self.n_bins, len(U) // 10)) + 1)
        edges = [np.unique(column) for column in np.quantile(U, at, axis=0).T]
        n_most = max(map(len, edges), default=0)
        self._edges = np.array([np.pad(e, (0, n_most - len(e)), mode="edge") for e in edges])
        return U

    def _build(self, dim: int, seed: int) -> nn.Module:
        edges = torch.from_numpy(self._edges)
        if isinstance(self.manifold_, Codebook):
            values = self.manifold_.vectors.detach().cpu().double()
        else:  # a quantile's rank
            values = torch.linspace(-1, 1, edges.shape[1] - 1)[:, None]
        values = (values - values.mean(0)) / values.std(0, correction=0).clamp_min(1e-9)
        return Tokens(edges, values, tuple(self.hidden), generator(seed))

    def _objective(self, network: Any, u: Tensor, generator: torch.Generator) -> Terms:
        return {"nll": -network(network.find(u)).sum(-1).mean()}

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        U = super()._draw(n, rng)
        if not isinstance(self.manifold_, Codebook):
            return U
        return self.manifold_.lookup(torch.from_numpy(U).long()).double().cpu().numpy()

    def _generate(self, noise: Tensor) -> Tensor:
        """Map each normal variable through the inverse distribution function of its histogram."""
        network, u, before = self.network_, [], 0 * self.network_.place[0]
        for i, v in enumerate(torch.special.ndtr(noise).T[..., None]):
            p = network.log_probs(i, before).exp().expand(len(v), -1)
            token = (p.cumsum(-1)[:, :-1] < v).sum(-1, keepdim=True)
            last = (p > 0).cumsum(-1).argmax(-1, keepdim=True)  # of those that are possible
            token = token.minimum(last)
            below = (p.cumsum(-1) - p).gather(-1, token)
            within = ((v - below) / p.gather(-1, token)).clamp(0, 1 - 1e-9)
            u.append(network.edges[i][token] + within * network.widths[i][token])
            before = before + network.table[i, token[:, 0]]
        return torch.cat(u, dim=-1)

    def _log_density(self, Z: np.ndarray) -> np.ndarray:
        return super()._log_density(self._indices(Z))

    def _log_prob(self, u: Tensor) -> Tensor:
        network, every = self.network_, torch.arange(u.shape[1])
        tokens = network.find(u)
        log_density = network(tokens) - network.widths[every, tokens].log()
        beyond = (u < network.edges[:, 0] - 1e-9) | (u > network.edges[:, -1] + 1e-9)
        return log_density.masked_fill(beyond, -torch.inf).sum(-1)

    def _indices(self, Z: np.ndarray) -> np.ndarray:
        """Middles of the bins of indices, with a codebook; the codes as they are without one."""
        if not isinstance(self.manifold_, Codebook):
            return Z
        return self.manifold_.assign(torch.from_numpy(Z)).cpu().numpy() + 0.5
