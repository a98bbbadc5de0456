"""Sliced Wasserstein distance."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from geomgen.metrics._checks import check_pair

__all__ = ["sliced_wasserstein"]

_ENTRIES = 2**20  # of projected rows, held at once


def sliced_wasserstein(
    X: Any, Y: Any, *, order: float = 2, n_projections: int = 200, random_state: Any = 0
) -> float:
    r"""Sliced Wasserstein distance of two samples.

    .. math:: \mathrm{SW}_q = \Big( \frac1L \sum_{l=1}^L
       W_q^q(\theta_l^\top X, \theta_l^\top Y) \Big)^{1/q}, \qquad
       W_q^q = \int_0^1 |F^{-1}(u) - G^{-1}(u)|^q\, du

    with directions :math:`\theta_l` uniform on the sphere. In one dimension the integral is exact,
    for samples of any sizes.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n, p)
        Rows of one sample.
    Y : array-like or DataFrame of shape (m, p)
        Rows of the other.
    order : float, default=2
        Exponent q ≥ 1.
    n_projections : int, default=200
        Directions L; the relative error of the mean over directions falls as :math:`1/\sqrt{L}`.
    random_state : int, RandomState or None, default=0
        Of the directions. Compare models on the same ones.

    Returns
    -------
    float
        At least 0, in the units of the rows: scale the columns first when their units differ. A
        shift by v of all rows has :math:`\mathrm{SW}_2 \approx \|v\| / \sqrt p`.

    Raises
    ------
    ValueError
        If the numbers of columns differ, a value is not finite, or ``order`` or ``n_projections``
        is below 1.

    References
    ----------
    Rabin et al., 2011, *Wasserstein barycenter and its application to texture mixing*; Bonneel et
    al., 2015, *Sliced and Radon Wasserstein barycenters of measures*.

    Examples
    --------
    >>> sliced_wasserstein([[0.0], [1.0]], [[3.0], [2.0]])
    2.0
    >>> sliced_wasserstein([[0.0]], [[1.0], [1.0], [4.0]], order=1)
    2.0
    """
    X, Y = check_pair(X, Y)
    if not isinstance(order, Real) or not 1 <= order < np.inf:
        raise ValueError(f"order={order!r} must be a finite number of at least 1.")
    if not isinstance(n_projections, Integral) or n_projections < 1:
        raise ValueError(f"n_projections={n_projections!r} must be an int of at least 1.")
    scale = max(np.abs(X).max(), np.abs(Y).max()) or 1.0  # so that no power overflows
    directions = _directions(X.shape[1], n_projections, random_state)
    costs = _costs(X / scale @ directions, Y / scale @ directions, float(order))
    return float(scale * costs.mean() ** (1 / order))


def _directions(p: int, n_projections: int, random_state: Any) -> np.ndarray:
    """Columns of unit length, uniform on the sphere."""
    directions = check_random_state(random_state).normal(size=(p, n_projections))
    return directions / np.linalg.norm(directions, axis=0)


def _costs(x: np.ndarray, y: np.ndarray, order: float) -> np.ndarray:
    """Costs :math:`W_q^q` of the optimal couplings of the columns of x and y."""
    n, m = len(x), len(y)
    # Levels where a quantile function steps, times nm: integers, hence exact.
    levels = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    weights = np.diff(levels, prepend=0) / (n * m)
    i, j = (levels - 1) // m, (levels - 1) // n
    block = max(1, _ENTRIES // len(levels))
    x, y = np.sort(x, axis=0), np.sort(y, axis=0)
    columns = (slice(c, c + block) for c in range(0, x.shape[1], block))
    return np.concatenate([weights @ np.abs(x[i, c] - y[j, c]) ** order for c in columns])
