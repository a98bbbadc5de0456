"""A mixture of von Mises-Fisher laws over codes on the sphere."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from geomgen._fields import Count, NonNegative, estimator
from geomgen._random import draw_seed, generator
from geomgen.distributions import VonMisesFisher
from geomgen.manifolds import Sphere
from geomgen.samplers._base import LatentSampler
from geomgen.samplers._strata import stratified_counts

__all__ = ["VonMisesFisherSampler"]

_LEAST, _MOST = 1e-8, 1e6  # concentrations: as good as uniform, and 1e-3 rad around the mean


@estimator
class VonMisesFisherSampler(LatentSampler):
    r"""A mixture of von Mises-Fisher laws on the unit sphere, fitted by EM.

    .. math:: p(u) = \sum_k w_k\, c_d(\kappa_k)\, e^{\kappa_k m_k \cdot u}, \qquad
       c_d(\kappa) = \frac{\kappa^{d/2 - 1}}{(2\pi)^{d/2} I_{d/2 - 1}(\kappa)}

    The normal laws of the sphere: isotropic around a mean direction :math:`m_k`, with a
    concentration :math:`\kappa_k` of at most 1e6. A mixture of projected Gaussians is more
    flexible (``MixtureSampler``); this one has far fewer parameters.

    The codes must be those of a spherical model. Without a model their directions are fitted (a
    code of norm 0, which has none, makes its law less concentrated), and the draws are unit codes.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        The weights :math:`w_k`.
    means_ : ndarray of shape (n_components, n_features)
        The mean directions :math:`m_k`.
    concentrations_ : ndarray of shape (n_components,)
        The concentrations :math:`\kappa_k`.
    n_iter_ : int
        EM steps taken.

    References
    ----------
    Banerjee, Dhillon, Ghosh and Sra, 2005, *Clustering on the unit hypersphere using von
    Mises-Fisher distributions*; Sra, 2012, *A short note on parameter approximation for von
    Mises-Fisher distributions*, for the Newton steps; Wood, 1994, *Simulation of the von Mises
    Fisher distribution*.

    Examples
    --------
    >>> import numpy as np
    >>> U = np.repeat([[0.0, 1.0], [1.0, 0.0]], [20, 80], axis=0)
    >>> sampler = VonMisesFisherSampler(n_components=2, random_state=0).fit(U)
    >>> int((sampler.sample(10, random_state=0)[:, 1] > 0.9).sum())
    2
    """

    manifolds: ClassVar[tuple[str, ...]] = ("sphere",)

    n_components: Annotated[Count, "Number of laws; at most the number of codes is used."] = 10
    n_init: Annotated[Count, "Starts of k-means; EM goes on from the tightest."] = 10
    max_iter: Annotated[Count, "EM steps at most."] = 200
    tol: Annotated[
        NonNegative, "EM stops when the mean log-likelihood gains less than this, in nats."
    ] = 1e-4

    def _fit(self, Z: np.ndarray, model: Any) -> None:
        if Z.shape[1] < 2:
            raise ValueError("n_features=1: codes of one component have no direction.")
        if model is not None and not isinstance(self.manifold_, Sphere):
            raise ValueError(
                "VonMisesFisherSampler draws codes on the unit sphere, and this model's codes are "
                "not on one. Use a spherical model, such as SphericalAE or LISAGenerator, or "
                "another sampler, such as MixtureSampler."
            )
        self.manifold_ = Sphere()
        U = Sphere().project(torch.tensor(Z)).numpy()
        with threadpool_limits(1):  # sums in one order, hence the same laws on any machine
            shares = self._start(U)
            self.n_iter_, before = 0, -np.inf
            while self.n_iter_ < self.max_iter:
                self.n_iter_ += 1
                self._maximise(U, shares)
                joint = self._log_joint(U)
                log_density = logsumexp(joint, axis=1)
                shares = np.exp(joint - log_density[:, None])
                if log_density.mean() - before < self.tol:
                    break
                before = log_density.mean()

    def _start(self, U: np.ndarray) -> np.ndarray:
        """Shares of each code in each law, (n, n_components), all in one: k-means' cells."""
        n_components = min(self.n_components, len(np.unique(U, axis=0)))
        kmeans = KMeans(n_components, n_init=self.n_init, random_state=self.random_state)
        return np.eye(n_components)[kmeans.fit(U).labels_]

    def _maximise(self, U: np.ndarray, shares: np.ndarray) -> None:
        d = U.shape[1]
        sizes = shares.sum(0) + 10 * np.finfo(float).eps
        sums = shares.T @ U
        lengths = np.linalg.norm(sums, axis=1)
        self.weights_ = sizes / sizes.sum()
        self.means_ = sums / np.maximum(lengths, np.finfo(float).tiny)[:, None]
        self.concentrations_ = _concentrations(lengths / sizes, d)

    def _log_joint(self, U: np.ndarray) -> np.ndarray:
        """Log of weight times density of each law at each unit code, (n, n_components)."""
        laws = self._laws(slice(None))
        constants = laws.log_prob(laws.loc).numpy()
        # about the mean direction, so that large concentrations keep their digits
        heights = (U @ self.means_.T - 1) * self.concentrations_
        return np.log(self.weights_) + constants + heights

    def _laws(self, which: Any) -> VonMisesFisher:
        means, concentrations = self.means_[which], self.concentrations_[which]
        return VonMisesFisher(torch.tensor(means), torch.tensor(concentrations))

    def _log_density(self, Z: np.ndarray) -> np.ndarray:
        return logsumexp(self._log_joint(self._project(Z)), axis=1)

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        counts = stratified_counts(self.weights_, n, rng)
        which = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        draws = self._laws(which).rsample(generator=generator(draw_seed(rng)))
        return self._project(draws.numpy())


def _concentrations(lengths: np.ndarray, d: int) -> np.ndarray:
    r"""Find the concentrations whose mean resultant lengths :math:`A_d(\kappa)` are the given."""
    lengths = np.minimum(lengths, 1 - 1e-15)
    kappa = np.clip(lengths * (d - lengths**2) / (1 - lengths**2), _LEAST, _MOST)
    axis = torch.eye(d, dtype=torch.float64)[:1].expand(len(kappa), d)
    for _ in range(3):
        found = VonMisesFisher(axis, torch.tensor(kappa)).mean[:, 0].numpy()
        slope = 1 - found**2 - (d - 1) / kappa * found
        # rounding leaves no slope: the approximation is exact to 1 / kappa there
        steep = (slope > 0) & (kappa < _MOST)
        step = np.divide(found - lengths, slope, out=np.zeros_like(kappa), where=steep)
        kappa = np.clip(kappa - step, _LEAST, _MOST)
    return kappa
