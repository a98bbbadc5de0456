"""What every sampler shares, and drawing from any scikit-learn density."""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from numbers import Integral
from typing import Annotated, Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from geomgen._fields import check_fields, estimator
from geomgen.manifolds import Euclidean, Sphere

__all__ = ["LatentSampler", "check_n_samples", "draw"]


def check_n_samples(n_samples: Any) -> int:
    """Return ``n_samples`` if it is a positive integer, else raise."""
    if not isinstance(n_samples, Integral) or isinstance(n_samples, bool) or n_samples < 1:
        raise ValueError(f"n_samples={n_samples!r} must be an int in [1, inf).")
    return int(n_samples)


def draw(density: Any, n_samples: int, random_state: Any = None, **kwargs: Any) -> np.ndarray:
    """Draw from any fitted object with ``sample``, the same way for all of them.

    scikit-learn's densities disagree: ``KernelDensity.sample`` takes a random state and returns
    rows; ``GaussianMixture.sample`` has its random state in the constructor and returns rows,
    sorted by component, with labels.

    Parameters
    ----------
    density : object with ``sample``
        Fitted; it is left as it is.
    n_samples : int
        Number of rows.
    random_state : int, RandomState or None, default=None
        None draws from numpy's global state.
    **kwargs : dict
        Passed to ``sample``.

    Returns
    -------
    ndarray of shape (n_samples, n_features), or what ``sample`` returns in its place

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.mixture import GaussianMixture
    >>> mixture = GaussianMixture(2, random_state=0).fit(np.arange(8.0).reshape(-1, 1))
    >>> draw(mixture, 3, random_state=0).shape
    (3, 1)
    """
    n_samples = check_n_samples(n_samples)
    rng = check_random_state(random_state)
    if "random_state" in inspect.signature(density.sample).parameters:
        return density.sample(n_samples, random_state=rng, **kwargs)
    density = copy.copy(density)
    if hasattr(density, "random_state"):
        density.random_state = rng
    drawn = density.sample(n_samples, **kwargs)
    rows = drawn[0] if isinstance(drawn, tuple) else drawn
    return rows[rng.permutation(n_samples)]


@estimator
class LatentSampler(BaseEstimator, ABC):
    """Base of the samplers: validation, and the manifold of the codes.

    A sampler implements ``_fit(Z, model)`` and ``_draw(n, rng)``.

    Attributes
    ----------
    n_features_in_ : int
        Dimension of the codes.
    manifold_ : Euclidean or Sphere
        Where the draws lie.
    """

    space: Annotated[
        Literal["unit", "ambient"],
        """For a model with spherical codes: fit the unit codes (free of their arbitrary radius),
        or the codes before projection (paper L, Eq. 18). The draws are projected in both cases.
        Without such a model it changes nothing.""",
    ] = "unit"
    random_state: Annotated[Any, "Seed of the fit, where a fit is random."] = None

    def fit(self, X: Any, y: Any = None, *, model: Any = None) -> LatentSampler:
        """Fit the density to codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, before projection where the model's are spherical.
        y : None
            Ignored.
        model : LatentVariableModel, optional
            The trained model, which knows the manifold and the prior; Euclidean codes without it.

        Returns
        -------
        self
        """
        check_fields(self)
        Z = validate_data(self, X, dtype=np.float64)
        self.manifold_ = getattr(model, "manifold", Euclidean())
        self._fit(self._project(Z) if self.space == "unit" else Z, model)
        return self

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw codes.

        Parameters
        ----------
        n_samples : int, default=1
            Number of codes.
        random_state : int, RandomState or None, default=None
            None draws from numpy's global state.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            In random order.
        """
        check_is_fitted(self)
        n_samples = check_n_samples(n_samples)
        return self._project(self._draw(n_samples, check_random_state(random_state)))

    def _project(self, Z: np.ndarray) -> np.ndarray:
        if isinstance(self.manifold_, Sphere) and not Z.any(axis=1).all():
            raise ValueError(
                "A code of norm 0 has no direction on the sphere: the encoder maps rows to the "
                "origin. Train it longer, or lower lr."
            )
        return self.manifold_.project(torch.tensor(Z)).numpy()

    @abstractmethod
    def _fit(self, Z: np.ndarray, model: Any) -> None: ...

    @abstractmethod
    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray: ...
