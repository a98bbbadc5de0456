"""A Gaussian mixture over the codes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from sklearn import config_context
from sklearn.mixture import GaussianMixture
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from geomgen._draw import draw
from geomgen._fields import Count, NonNegative, estimator
from geomgen.manifolds import Sphere
from geomgen.samplers._base import LatentSampler
from geomgen.samplers._projected import log_mixture

__all__ = ["MixtureSampler"]

_MOST = 12_500  # codes that the number of components is chosen with; a fifth are held out
_TWO_STEPS = {"max_iter": 2, "tol": 1e300}  # any gain is small enough: no warning


@estimator
class MixtureSampler(LatentSampler):
    """A Gaussian mixture fitted to the codes by EM (scikit-learn's).

    EM keeps the modes of its start, so it is run for two steps from several k-means starts and
    goes on from the likeliest: one start alone loses a rare mode in three fits of ten.

    On the sphere the density is that of the projected draws (paper L, Lemma 1, Eq. 17).

    Attributes
    ----------
    mixture_ : GaussianMixture
        Fitted to codes divided by ``scale_``.
    scale_ : float
        Root mean variance of the codes, so that ``reg_covar`` is relative to it.

    References
    ----------
    Paper L (LISA), Eq. 18; Ghosh et al., 2020, *From variational to deterministic autoencoders*,
    section 4; Biernacki, Celeux and Govaert, 2003, *Choosing starting values for the EM
    algorithm*, for the short runs.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.repeat([[-5.0], [5.0]], 50, axis=0)
    >>> sampler = MixtureSampler(n_components=2, random_state=0).fit(Z)
    >>> np.unique(sampler.sample(20, random_state=0).round()).tolist()
    [-5.0, 5.0]
    """

    n_components: Annotated[
        Count | Literal["auto"],
        """Number of Gaussians; at most the number of distinct codes is used. ``"auto"`` doubles it
        from 1 while codes that are held out become likelier, on 12 500 codes at most. The fit
        takes minutes for tens of thousands of codes in tens of dimensions.""",
    ] = 10
    covariance_type: Annotated[
        Literal["full", "tied", "diag", "spherical"], "Shape of the covariances."
    ] = "full"
    reg_covar: Annotated[
        NonNegative, "Ridge on the covariances, relative to the codes' mean variance."
    ] = 1e-6
    n_init: Annotated[Count, "Starts of EM; it goes on from the likeliest after two steps."] = 10
    max_iter: Annotated[Count, "EM steps, after those of the starts."] = 200

    def _fit(self, Z: np.ndarray, model: Any) -> None:
        self.scale_ = float(np.sqrt(Z.var(0).mean())) or 1.0
        U = Z / self.scale_
        # Its k-means start is not reproducible on many threads, nor written for other arrays.
        with threadpool_limits(1), config_context(array_api_dispatch=False):
            auto = self.n_components == "auto"
            n_components = self._choose(U) if auto else int(self.n_components)
            self.mixture_ = self._start(U, n_components, self.n_init)
            self.mixture_.set_params(n_init=1, max_iter=self.max_iter, tol=1e-3).fit(U)

    def _start(self, U: np.ndarray, n_components: int, n_init: int) -> GaussianMixture:
        """Fit the likeliest of several starts after two EM steps; another fit goes on from it."""
        return GaussianMixture(
            n_components=min(n_components, len(np.unique(U, axis=0))),
            covariance_type=self.covariance_type,
            reg_covar=max(self.reg_covar, 1e-12),
            n_init=n_init,
            warm_start=True,
            random_state=self.random_state,
            **_TWO_STEPS,
        ).fit(U)

    def _choose(self, U: np.ndarray) -> int:
        """Choose the number of components: double it until two in a row are no likelier."""
        chosen = check_random_state(self.random_state).permutation(len(U))[:_MOST]
        held_out, fitted = np.split(U[chosen], [max(1, len(chosen) // 5)])
        likeliest, best, n_components = -np.inf, 1, 1
        while n_components <= min(4 * best, len(fitted) // (U.shape[1] + 1)):
            mixture = self._start(fitted, n_components, n_init=3)
            for _ in range(5):
                mixture.fit(fitted)
            score = mixture.score(held_out)
            if score > likeliest:
                likeliest, best = score, n_components
            n_components *= 2
        return best

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        return draw(self.mixture_, n, rng) * self.scale_

    def _log_density(self, Z: np.ndarray) -> np.ndarray:
        mixture, scale = self.mixture_, self.scale_
        block = mixture.weights_, scale * mixture.means_, scale**2 * self._covariances()
        return log_mixture(Z, [block], isinstance(self.manifold_, Sphere))

    def _covariances(self) -> np.ndarray:
        """Full covariances of shape (n_components, d, d); (1, d, d) where they share one."""
        covariances, d = self.mixture_.covariances_, self.mixture_.means_.shape[1]
        return {
            "full": lambda: covariances,
            "tied": lambda: covariances[None],
            "diag": lambda: covariances[:, :, None] * np.eye(d),
            "spherical": lambda: covariances[:, None, None] * np.eye(d),
        }[self.covariance_type]()
