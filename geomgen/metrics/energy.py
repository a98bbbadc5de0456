"""Energy distance between two samples, exact and in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

__all__ = ["energy_distance"]

_ROWS, _COLUMNS = 256, 1024  # a tile of distances stays in the processor's cache
_NEAR = 1e-8  # relative squared distance under which the Gram form has lost its digits


def energy_distance(X: Any, Y: Any) -> float:
    r"""Energy distance of two samples (V-statistic, not its root).

    .. math:: \mathrm{ED} = 2\,\mathbb{E}\|X - Y\| - \mathbb{E}\|X - X'\| - \mathbb{E}\|Y - Y'\|

    Parameters
    ----------
    X : array-like or DataFrame of shape (n, p)
        Rows of one sample.
    Y : array-like or DataFrame of shape (m, p)
        Rows of the other.

    Returns
    -------
    float
        At least 0, and 0 only for equal distributions. In the units of the rows: scale the
        columns first when their units differ.

    Raises
    ------
    ValueError
        If the numbers of columns differ, or a value is not finite.

    References
    ----------
    Paper G (GA-AE), section 5.1; Székely and Rizzo, 2013, *Energy statistics: a class of
    statistics based on distances*.

    Examples
    --------
    >>> energy_distance([[0.0], [1.0]], [[0.0], [1.0]])
    0.0
    >>> energy_distance([[0.0]], [[3.0]])
    6.0
    """
    X = check_array(X, dtype=np.float64, input_name="X")
    Y = check_array(Y, dtype=np.float64, input_name="Y")
    if X.shape[1] != Y.shape[1]:
        raise ValueError(f"X has {X.shape[1]} columns and Y {Y.shape[1]}: they must be the same.")
    centre = X.mean(0) / 2 + Y.mean(0) / 2  # distances are unchanged, rounding errors shrink
    X, Y = X - centre, Y - centre
    scale = max(np.abs(X).max(), np.abs(Y).max())
    if scale == 0:
        return 0.0
    X, Y = X / scale, Y / scale  # so that no square overflows
    value = 2 * _mean_distance(X, Y) - _mean_distance(X, X) - _mean_distance(Y, Y)
    return max(float(scale * value), 0.0)


def _mean_distance(X: np.ndarray, Y: np.ndarray) -> float:
    """Mean Euclidean distance over all pairs; only the upper triangle when X is Y."""
    same = X is Y
    total = 0.0
    for i in range(0, len(X), _ROWS):
        block = X[i : i + _ROWS]
        start = i if same else 0
        for j in range(start, len(Y), _COLUMNS):
            distances = _distances(block, Y[j : j + _COLUMNS])
            total += distances.sum()
            if same:  # pairs right of the block count twice, those inside it are complete
                total += distances[:, max(0, i + len(block) - j) :].sum()
    return total / (len(X) * len(Y))


def _distances(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Distances of all pairs: |x|² + |y|² - 2 x·y, near pairs by their difference."""
    norms = (X * X).sum(1)[:, None] + (Y * Y).sum(1)
    squared = norms - 2 * (X @ Y.T)
    near = np.nonzero(squared < _NEAR * norms)
    if len(near[0]):
        squared[near] = ((X[near[0]] - Y[near[1]]) ** 2).sum(1)
    return np.sqrt(np.maximum(squared, 0, out=squared), out=squared)
