"""One Gaussian over the codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import multivariate_normal

from geomgen._fields import estimator
from geomgen.manifolds import Sphere
from geomgen.samplers._base import LatentSampler
from geomgen.samplers._projected import log_mixture

__all__ = ["GaussianSampler"]


@estimator
class GaussianSampler(LatentSampler):
    r"""One multivariate Gaussian fitted to the codes ("MVG"), :math:`z \sim N(\mu, \Sigma)`.

    On the sphere the density is that of the projected draws (paper L, Lemma 1, Eq. 17).

    Attributes
    ----------
    mean_ : ndarray of shape (n_components,)
        Mean of the codes.
    factor_ : ndarray of shape (min(n_samples, n_components), n_components)
        A square root F of their covariance, :math:`F^\top F = \Sigma`.

    References
    ----------
    Paper L (LISA), section 3.4; Ghosh et al., 2020, *From variational to deterministic
    autoencoders*, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.RandomState(0)
    >>> sampler = GaussianSampler().fit(rng.normal(3, 2, size=(1000, 1)))
    >>> bool(abs(sampler.sample(1000, random_state=0).std() - 2) < 0.2)
    True
    """

    def _fit(self, Z: np.ndarray, model: Any) -> None:
        self.mean_ = Z.mean(0)
        # The square root of the covariance without forming it; exact for codes of any rank.
        _, scale, directions = np.linalg.svd(Z - self.mean_, full_matrices=False)
        self.factor_ = scale[:, None] * directions / np.sqrt(len(Z))

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        return self.mean_ + rng.standard_normal((n, len(self.factor_))) @ self.factor_

    def _log_density(self, Z: np.ndarray) -> np.ndarray:
        covariance = self.factor_.T @ self.factor_
        if isinstance(self.manifold_, Sphere):
            return log_mixture(Z, [(np.ones(1), self.mean_[None], covariance[None])], True)
        # codes that fill fewer dimensions have a density on the flat that they fill
        law = multivariate_normal(self.mean_, covariance, allow_singular=True)
        return np.atleast_1d(law.logpdf(Z))
