"""A kernel density over the codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.utils import check_random_state, gen_batches

from geomgen._fields import Positive, estimator
from geomgen.manifolds import Sphere
from geomgen.samplers._base import LatentSampler
from geomgen.samplers._projected import Block, component_batches, log_mixture
from geomgen.samplers.local import draw_anchors

__all__ = ["KernelSampler"]

_HELD_OUT = 500  # codes that the likelihood of a bandwidth is taken at
_GRID = np.geomspace(1 / 16, 2, 16)  # relative to Scott's bandwidth, a third apart
_COPY = 1e-12  # relative squared distance under which one code is a copy of another


@estimator
class KernelSampler(LatentSampler):
    r"""A kernel density: a Gaussian of one shape around each code.

    .. math:: p(z) = \frac1n \sum_i N(z;\, z_i,\, h^2 \mathrm{diag}(s)^2)

    with :math:`s` the standard deviations of the codes' components, so that their units do not
    matter, and :math:`h` the bandwidth. The draws' variances are :math:`(1 + h^2)\, s^2`: in many
    dimensions the rules of thumb smooth much. Every code is the centre of as many draws as any
    other, up to one.

    The sampler keeps the codes, and with a small bandwidth the draws are near-copies of them.

    Attributes
    ----------
    anchors_ : ndarray of shape (n_samples, n_components)
        The codes.
    scale_ : ndarray of shape (n_components,)
        The standard deviations :math:`s`.
    bandwidth_ : float
        The bandwidth :math:`h`.

    References
    ----------
    Scott, 1992, *Multivariate density estimation*; Silverman, 1986, *Density estimation for
    statistics and data analysis*; Duin, 1976, *On the choice of smoothing parameters for Parzen
    estimators of probability density functions*, for the likelihood.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.r_[np.zeros((50, 1)), np.ones((50, 1))] + np.linspace(0, 0.1, 100)[:, None]
    >>> draws = KernelSampler(bandwidth=0.05).fit(Z).sample(200, random_state=0)
    >>> int((draws > 0.5).sum())
    100
    """

    bandwidth: Annotated[
        Positive | Literal["cv", "scott", "silverman"],
        """Bandwidth h, in standard deviations of the codes. ``"cv"`` takes the likeliest of 16
        between 1/16 of Scott's and twice it, by leaving out each of 500 codes in turn, and exact
        copies of it; ``"scott"`` and ``"silverman"`` are rules for normal codes.""",
    ] = "cv"

    def _fit(self, Z: np.ndarray, model: Any) -> None:
        self.anchors_ = Z.copy()
        self.scale_ = Z.std(0)
        n, d = Z.shape
        scott = n ** (-1 / (d + 4))
        varying = self.scale_ > 1e-12 * np.abs(Z).max(0)
        if self.bandwidth == "cv" and varying.any():  # else there is no spread to smooth
            rng = check_random_state(self.random_state)
            U = Z[:, varying] / self.scale_[varying]
            self.bandwidth_ = _likeliest(U, scott * _GRID, rng)
        elif self.bandwidth == "silverman":
            self.bandwidth_ = scott * ((d + 2) / 4) ** (-1 / (d + 4))
        else:
            self.bandwidth_ = scott if isinstance(self.bandwidth, str) else float(self.bandwidth)

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        centres = self.anchors_[draw_anchors(len(self.anchors_), n, rng)]
        return centres + self.bandwidth_ * self.scale_ * rng.standard_normal(centres.shape)

    def _log_density(self, Z: np.ndarray) -> np.ndarray:
        return log_mixture(Z, self._blocks(), isinstance(self.manifold_, Sphere))

    def _blocks(self) -> Iterator[Block]:
        n = len(self.anchors_)
        covariance = np.diag((self.bandwidth_ * self.scale_) ** 2)
        for rows in component_batches(n, len(self.scale_)):
            means = self.anchors_[rows]
            yield np.full(len(means), 1 / n), means, covariance[None]


def _likeliest(U: np.ndarray, bandwidths: np.ndarray, rng: np.random.RandomState) -> float:
    """Bandwidth of the largest likelihood of scaled codes, each left out in turn."""
    held_out = rng.permutation(len(U))[:_HELD_OUT]
    total = -U.shape[1] * len(held_out) * np.log(bandwidths)
    for rows in gen_batches(len(held_out), 64):
        squared = cdist(U[held_out[rows]], U, "sqeuclidean")
        squared[squared <= _COPY * U.shape[1]] = np.inf  # the code itself and copies of it
        total += [logsumexp(squared / (-2 * h**2), axis=1).sum() for h in bandwidths]
    return float(bandwidths[total.argmax()])
