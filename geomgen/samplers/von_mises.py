"""A mixture of von Mises-Fisher laws over codes on the sphere."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from scipy.special import gammaln, ive, logsumexp
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from geomgen._fields import Count, NonNegative, estimator
from geomgen.losses.sphere import uniform_log_kernel
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
        self.concentrations_ = np.array([_concentration(r, d) for r in lengths / sizes])

    def _log_joint(self, U: np.ndarray) -> np.ndarray:
        """Log of weight times density of each law at each unit code, (n, n_components)."""
        d = U.shape[1]
        constants = [_log_constant(d, kappa) for kappa in self.concentrations_]
        # about the mean direction, so that large concentrations keep their digits
        heights = (U @ self.means_.T - 1) * self.concentrations_
        return np.log(self.weights_) + constants + heights

    def _log_density(self, Z: np.ndarray) -> np.ndarray:
        return logsumexp(self._log_joint(self._project(Z)), axis=1)

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        counts = stratified_counts(self.weights_, n, rng)
        which = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        means, d = self.means_[which], self.means_.shape[1]
        below = _draw_heights(self.concentrations_[which], d, rng)[:, None]
        across = rng.standard_normal((n, d))
        across -= (across * means).sum(1, keepdims=True) * means
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        return self._project(means * (1 - below) + across * np.sqrt(below * (2 - below)))


def _draw_heights(kappa: np.ndarray, d: int, rng: np.random.RandomState) -> np.ndarray:
    r"""Draw :math:`1 - m \cdot u` for each concentration: Wood's rejection from a beta law.

    One minus the cosine throughout, which keeps its digits at large concentrations.
    """
    b = (d - 1) / (2 * kappa + np.hypot(2 * kappa, d - 1))
    peak = 2 * b / (1 + b)  # where the ratio of the target to the proposal is largest
    drawn = np.empty(len(kappa))
    left = np.arange(len(kappa))
    while len(left):
        beta, k, p = rng.beta((d - 1) / 2, (d - 1) / 2, size=len(left)), kappa[left], peak[left]
        below = 2 * b[left] * beta / (1 - (1 - b[left]) * beta)
        ratio = k * (p - below) + (d - 1) * np.log((below + (1 - below) * p) / (p * (2 - p)))
        accepted = ratio >= np.log1p(-rng.random_sample(len(left)))
        drawn[left[accepted]] = below[accepted]
        left = left[~accepted]
    return drawn


def _concentration(length: float, d: int) -> float:
    r"""Concentration whose mean resultant length :math:`A_d(\kappa)` is the given one."""
    length = min(length, 1 - 1e-15)
    kappa = float(np.clip(length * (d - length**2) / (1 - length**2), _LEAST, _MOST))
    for _ in range(3):
        found = math.exp(_log_bessel(d + 2, kappa) - _log_bessel(d, kappa))
        slope = 1 - found**2 - (d - 1) / kappa * found
        if slope <= 0 or kappa == _MOST:  # rounding: the approximation is exact to 1 / kappa
            break
        kappa = float(np.clip(kappa - (found - length) / slope, _LEAST, _MOST))
    return kappa


def _log_constant(d: int, kappa: float) -> float:
    r"""Log of :math:`c_d(\kappa)\, e^\kappa`."""
    return (d / 2 - 1) * math.log(kappa) - d / 2 * math.log(2 * math.pi) - _log_bessel(d, kappa)


def _log_bessel(d: int, kappa: float) -> float:
    r"""Log of :math:`e^{-\kappa} I_{d/2 - 1}(\kappa)`.

    Up to moderate :math:`\kappa` by the series of 0F1, as scipy's function underflows there in
    hundreds of dimensions; beyond, by that function.
    """
    if kappa > max(1e3, d**2 / 1e3):
        return float(np.log(ive(d / 2 - 1, kappa)))
    power = (d / 2 - 1) * math.log(kappa / 2) - float(gammaln(d / 2))
    return power + uniform_log_kernel(d, kappa / 2)
