"""A Gaussian around each code, of the spread of its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from sklearn.utils import gen_batches

from geomgen._fields import Count, Interval, NonNegative, estimator
from geomgen.manifolds import Sphere
from geomgen.metrics._pairs import nearest
from geomgen.samplers._base import LatentSampler
from geomgen.samplers._projected import Block, component_batches, log_mixture
from geomgen.samplers._strata import stratified_counts

__all__ = ["LocalSampler"]

_ENTRIES = 2**20  # numbers in the neighbours that are gathered at once


def neighbourhoods(Z: np.ndarray, k: int) -> np.ndarray:
    """Find the k codes nearest to each code, itself first; all codes if k is more."""
    n, k = len(Z), min(k, len(Z))
    others = nearest(Z, Z, k - 1)[1] if k > 1 else np.empty((n, 0))
    return np.c_[np.arange(n), others].astype(np.int32)


def draw_anchors(n_codes: int, n: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw n indices of codes in random order, each as often as any other up to one."""
    counts = stratified_counts(np.ones(n_codes), n, rng)
    return rng.permutation(np.repeat(rng.permutation(n_codes), counts))


@estimator
class LocalSampler(LatentSampler):
    r"""Draws around each code :math:`z_i` with the mean and covariance of its k neighbours.

    .. math:: z = \mu_i + \sqrt{1 - h}\,(z_i - \mu_i) + \sqrt{h}\, C_i^{1/2} \epsilon,
       \qquad \epsilon \sim N(0, I)

    The density is a mixture of as many Gaussians as there are codes, which follow a curved set of
    codes by its tangents. Every code is the anchor of as many draws as any other, up to one: the
    rate of a rare mode does not vary as it would with independent draws.

    The sampler keeps the codes. With a small ``h``, or few neighbours, the draws are near-copies
    of them: before releasing draws, compare their distances to the nearest code with those of
    codes that were held out.

    Attributes
    ----------
    anchors_ : ndarray of shape (n_samples, n_components)
        The codes.
    neighbours_ : ndarray of shape (n_samples, k)
        Indices of each code's nearest codes, itself first.

    References
    ----------
    Vincent and Bengio, 2003, *Manifold Parzen windows*; there the Gaussians are centred at the
    codes. Here :math:`\sqrt{1 - h}` and :math:`\sqrt{h}` keep the spread within a neighbourhood;
    the law of all draws is still somewhat wider than the codes'.

    Examples
    --------
    >>> import numpy as np
    >>> angles = np.linspace(0, 2 * np.pi, 500)
    >>> sampler = LocalSampler(n_neighbors=10).fit(np.c_[np.cos(angles), np.sin(angles)])
    >>> radii = np.linalg.norm(sampler.sample(1000, random_state=0), axis=1)
    >>> bool(abs(radii - 1).max() < 0.01)
    True
    """

    n_neighbors: Annotated[
        Count, "Neighbours k of a code, itself among them; at most the number of codes is used."
    ] = 50
    h: Annotated[
        float,
        Interval(0, 1, include_low=False),
        "Share of the neighbours' spread that is drawn anew; the rest is the code's own place.",
    ] = 0.9
    ridge: Annotated[
        NonNegative,
        "Added to the diagonal of a covariance, relative to its mean variance.",
    ] = 1e-3

    def _fit(self, Z: np.ndarray, model: Any) -> None:
        self.anchors_ = Z.copy()
        self.neighbours_ = neighbourhoods(Z, self.n_neighbors)

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        drawn = np.empty((n, self.anchors_.shape[1]))
        anchors = draw_anchors(len(self.anchors_), n, rng)
        size = self.neighbours_.shape[1] * self.anchors_.shape[1]
        for rows in gen_batches(n, max(1, _ENTRIES // size)):
            means, spokes, stds = self._gaussians(anchors[rows])
            mixed = rng.standard_normal((len(means), 1, spokes.shape[1])) @ spokes
            drawn[rows] = means + mixed[:, 0] + stds * rng.standard_normal(means.shape)
        return drawn

    def _log_density(self, Z: np.ndarray) -> np.ndarray:
        return log_mixture(Z, self._blocks(), isinstance(self.manifold_, Sphere))

    def _blocks(self) -> Iterator[Block]:
        n, d = self.anchors_.shape
        for rows in component_batches(n, d):
            means, spokes, stds = self._gaussians(np.arange(n)[rows])
            covariances = np.swapaxes(spokes, 1, 2) @ spokes + (stds**2)[:, :, None] * np.eye(d)
            yield np.full(len(means), 1 / n), means, covariances

    def _gaussians(self, anchors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Means of some anchors' Gaussians, and S, s of their covariances SᵀS + s²I."""
        near = self.anchors_[self.neighbours_[anchors]]
        k, d = near.shape[1:]
        centres = near.mean(1)
        spokes = (near - centres[:, None]) * np.sqrt(self.h / max(k - 1, 1))
        means = centres + np.sqrt(1 - self.h) * (self.anchors_[anchors] - centres)
        stds = np.sqrt(self.ridge / d * (spokes**2).sum((1, 2)))
        return means, spokes, stds[:, None]
