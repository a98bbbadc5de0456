"""A Gaussian mixture over the codes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from sklearn import config_context
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from geomgen._fields import Count, NonNegative, estimator
from geomgen.samplers._base import LatentSampler, draw

__all__ = ["MixtureSampler"]


@estimator
class MixtureSampler(LatentSampler):
    """A Gaussian mixture fitted to the codes by EM (scikit-learn's).

    Attributes
    ----------
    mixture_ : GaussianMixture
        Fitted to codes divided by ``scale_``.
    scale_ : float
        Root mean variance of the codes, so that ``reg_covar`` is relative to it.

    References
    ----------
    Paper L (LISA), Eq. 18; Ghosh et al., 2020, *From variational to deterministic autoencoders*,
    section 4.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.repeat([[-5.0], [5.0]], 50, axis=0)
    >>> sampler = MixtureSampler(n_components=2, random_state=0).fit(Z)
    >>> np.unique(sampler.sample(20, random_state=0).round()).tolist()
    [-5.0, 5.0]
    """

    n_components: Annotated[Count, "Number of Gaussians; at most the number of codes is used."] = 10
    covariance_type: Annotated[
        Literal["full", "tied", "diag", "spherical"], "Shape of the covariances."
    ] = "full"
    reg_covar: Annotated[
        NonNegative, "Ridge on the covariances, relative to the codes' mean variance."
    ] = 1e-6
    n_init: Annotated[Count, "Restarts of EM; the likeliest is kept."] = 1
    max_iter: Annotated[Count, "EM steps a restart."] = 200

    def _fit(self, Z: np.ndarray, model: Any) -> None:
        self.scale_ = float(np.sqrt(Z.var(0).mean())) or 1.0
        n_distinct = len(np.unique(Z, axis=0))
        self.mixture_ = GaussianMixture(
            n_components=min(self.n_components, n_distinct),
            covariance_type=self.covariance_type,
            reg_covar=max(self.reg_covar, 1e-12),
            n_init=self.n_init,
            max_iter=self.max_iter,
            random_state=self.random_state,
        )
        # Its k-means start is not reproducible on many threads, nor written for other arrays.
        with threadpool_limits(1), config_context(array_api_dispatch=False):
            self.mixture_.fit(Z / self.scale_)

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        return draw(self.mixture_, n, rng) * self.scale_
