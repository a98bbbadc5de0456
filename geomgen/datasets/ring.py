"""The ring of Gaussians of paper G."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.utils import check_random_state

__all__ = ["RingMixture", "make_ring_mixture"]


@dataclass(frozen=True)
class RingMixture:
    """The true mixture of isotropic Gaussians behind a data set.

    Attributes
    ----------
    means : ndarray of shape (n_components, 2)
        Their means.
    std : float
        Their common standard deviation.
    weights : ndarray of shape (n_components,)
        Their weights.
    """

    means: np.ndarray
    std: float
    weights: np.ndarray

    def responsibilities(self, X: Any) -> np.ndarray:
        """Posterior probability of each component, (n, 2) -> (n, n_components)."""
        squared = ((np.asarray(X)[:, None] - self.means) ** 2).sum(-1)
        with np.errstate(divide="ignore"):
            return softmax(np.log(self.weights) - squared / (2 * self.std**2), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """Component of largest responsibility, as paper G assigns samples."""
        return self.responsibilities(X).argmax(1)

    def distances(self, X: Any) -> np.ndarray:
        """Mahalanobis distance to each mean, (n, 2) -> (n, n_components)."""
        return np.linalg.norm(np.asarray(X)[:, None] - self.means, axis=-1) / self.std

    def sample(self, n_samples: int = 1, random_state: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Draw rows and their components."""
        rng = check_random_state(random_state)
        y = rng.choice(len(self.weights), size=n_samples, p=self.weights)
        return self.means[y] + self.std * rng.standard_normal((n_samples, 2)), y


def make_ring_mixture(
    n_samples: int = 12000,
    n_components: int = 8,
    radius: float = 4.0,
    std: float = 0.2,
    rare_weight: float = 0.02,
    random_state: Any = None,
    return_mixture: bool = False,
) -> Any:
    """Gaussians on a circle, one of them rare.

    Parameters
    ----------
    n_samples : int, default=12000
        Number of rows; paper G has 10 000 to train and 2 000 to test on.
    n_components : int, default=8
        Number of Gaussians, at equal angles from angle 0.
    radius : float, default=4.0
        Of the circle of means.
    std : float, default=0.2
        Standard deviation of each Gaussian.
    rare_weight : float, default=0.02
        Weight of component 0; the others share the rest equally.
    random_state : int, RandomState or None, default=None
        Source of randomness.
    return_mixture : bool, default=False
        Whether to return the true mixture too.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        Rows, in random order.
    y : ndarray of shape (n_samples,)
        Component of each row; 0 is the rare one.
    mixture : RingMixture
        If ``return_mixture``.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Paper G (GA-AE), section 5.1. Radius and standard deviation are not stated there.

    Examples
    --------
    >>> X, y = make_ring_mixture(1000, random_state=0)
    >>> X.shape, float((y == 0).mean())
    ((1000, 2), 0.02)
    """
    if n_components < 2 or n_samples < 1:
        raise ValueError(f"{n_components=} must be at least 2 and {n_samples=} at least 1.")
    if not (0 < rare_weight < 1 and std > 0 and radius >= 0):
        raise ValueError(
            f"{rare_weight=} must be in (0, 1), {std=} positive, {radius=} not negative."
        )
    angles = 2 * np.pi * np.arange(n_components) / n_components
    means = radius * np.c_[np.cos(angles), np.sin(angles)]
    others = (1 - rare_weight) / (n_components - 1)
    mixture = RingMixture(means, std, np.r_[rare_weight, np.full(n_components - 1, others)])
    X, y = mixture.sample(n_samples, random_state)
    return (X, y, mixture) if return_mixture else (X, y)
