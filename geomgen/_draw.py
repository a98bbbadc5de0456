"""Drawing from any scikit-learn density, the same way for all of them."""

from __future__ import annotations

import copy
import inspect
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from geomgen._frames import take

__all__ = ["check_n_samples", "draw"]


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
    return take(rows, rng.permutation(n_samples))
