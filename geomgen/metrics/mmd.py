"""Maximum mean discrepancy of two samples, by tiles."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, Literal

import numpy as np
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils import check_random_state

from geomgen.metrics._checks import check_pair

__all__ = ["kernel_mmd"]

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]

_ENTRIES = 2**20  # of the kernel's matrix, held at once
_MEDIAN_ROWS = 1000  # their distances are half a million: the median is good to a percent


def kernel_mmd(
    X: Any,
    Y: Any,
    *,
    kernel: Literal["rbf", "imq", "polynomial"] | Kernel = "rbf",
    bandwidth: float | None = None,
    unbiased: bool = True,
) -> float:
    r"""Squared maximum mean discrepancy of two samples.

    .. math:: \mathrm{MMD}^2_u = \frac{1}{n(n-1)} \sum_{i \ne j} k(x_i, x_j)
       + \frac{1}{m(m-1)} \sum_{i \ne j} k(y_i, y_j) - \frac{2}{nm} \sum_{i,j} k(x_i, y_j)

    The biased estimate keeps the pairs :math:`i = j` and divides by :math:`n^2` and :math:`m^2`.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n, p)
        Rows of one sample.
    Y : array-like or DataFrame of shape (m, p)
        Rows of the other.
    kernel : {"rbf", "imq", "polynomial"} or callable, default="rbf"
        With bandwidth h:

        - ``"rbf"``: :math:`\exp(-\|x - y\|^2 / 2h^2)`;
        - ``"imq"``: :math:`C / (C + \|x - y\|^2)` with :math:`C = 2ph^2`, as in WAE, where h is
          the standard deviation of the prior and C the mean squared distance of two draws;
        - ``"polynomial"``: :math:`(x^\top y / p + 1)^3`, as in KID; it has no bandwidth;
        - a callable ``kernel(A, B)`` that returns the matrix of shape (len(A), len(B)), such as
          those of ``sklearn.metrics.pairwise``; it holds its own bandwidth.
    bandwidth : float, optional
        Positive h, in the units of the rows. By default, with D the median distance of two
        different rows of the pooled samples (of 1000 drawn with a fixed seed, if there are more):
        h = D for ``"rbf"``, C = D² for ``"imq"``.
    unbiased : bool, default=True
        Whether to leave out the pairs of a row with itself.

    Returns
    -------
    float
        Unbiased: around 0, and often negative, for samples of one distribution. Biased: at least 0.

    Raises
    ------
    ValueError
        If the numbers of columns differ, a value is not finite, there is one row only (unbiased),
        the kernel is unknown or returns another shape, or the bandwidth is not positive, or given
        to a kernel that has none.

    Notes
    -----
    The default bandwidth depends on the samples. To compare models fix it, from the real rows.

    References
    ----------
    Gretton et al., 2012, *A kernel two-sample test*, Eqs. 3 and 5; Tolstikhin et al., 2018,
    *Wasserstein auto-encoders*; Bińkowski et al., 2018, *Demystifying MMD GANs*.

    Examples
    --------
    >>> round(kernel_mmd([[0.0], [2.0]], [[1.0], [3.0]], bandwidth=1.0), 4)
    -0.6447
    >>> kernel_mmd([[0.0], [2.0]], [[0.0], [2.0]], unbiased=False)
    0.0
    """
    X, Y = check_pair(X, Y, min_rows=2 if unbiased else 1)
    if callable(kernel) or kernel == "polynomial":
        if bandwidth is not None:
            name = "A kernel of your own" if callable(kernel) else "The polynomial kernel"
            raise ValueError(f"{name} takes no bandwidth={bandwidth!r}: leave it out.")
        k = kernel if callable(kernel) else _polynomial
    else:
        X, Y, k = _radial(X, Y, kernel, bandwidth)
    within = _mean(k, X, X, off_diagonal=unbiased) + _mean(k, Y, Y, off_diagonal=unbiased)
    value = within - 2 * _mean(k, X, Y)
    return value if unbiased else max(value, 0.0)


def _mean(k: Kernel, X: np.ndarray, Y: np.ndarray, *, off_diagonal: bool = False) -> float:
    """Mean of the kernel over all pairs, or those of different rows."""
    rows = max(1, _ENTRIES // len(Y))
    total = 0.0
    for i in range(0, len(X), rows):
        tile = np.asarray(k(X[i : i + rows], Y))
        if tile.shape != (len(X[i : i + rows]), len(Y)):
            raise ValueError(
                f"kernel={k!r} returned shape {tile.shape} for {len(X[i : i + rows])} and "
                f"{len(Y)} rows: it must return the matrix of all pairs."
            )
        total += float(tile.sum())
        if off_diagonal:
            total -= float(np.trace(tile, offset=i))
    return total / (len(X) * (len(Y) - off_diagonal))


def _polynomial(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    return (X @ Y.T / X.shape[1] + 1) ** 3


def _radial(
    X: np.ndarray, Y: np.ndarray, kernel: Any, bandwidth: float | None
) -> tuple[np.ndarray, np.ndarray, Kernel]:
    """Rows, moved and scaled so that distances keep their digits, and the kernel for them."""
    if kernel not in ("rbf", "imq"):
        raise ValueError(
            f"kernel={kernel!r} must be 'rbf', 'imq', 'polynomial' or a callable kernel(A, B)."
        )
    centre = np.median(np.r_[X, Y], axis=0)  # no outlier moves it
    X, Y = X - centre, Y - centre
    scale = max(np.abs(X).max(), np.abs(Y).max()) or 1.0
    X, Y = X / scale, Y / scale
    spread = np.sqrt(2 * X.shape[1]) if kernel == "imq" else 1.0  # √C = √(2p) h
    if bandwidth is None:
        width = _median_distance(np.r_[X, Y])
    elif isinstance(bandwidth, Real) and 0 < bandwidth < np.inf:
        width = spread * float(bandwidth) / scale
    else:
        raise ValueError(f"bandwidth={bandwidth!r} must be a positive number, or None.")

    def k(A: np.ndarray, B: np.ndarray) -> np.ndarray:
        squared = euclidean_distances(A, B, squared=True)
        squared /= width**2
        return np.exp(-squared / 2) if kernel == "rbf" else 1 / (1 + squared)

    return X, Y, k


def _median_distance(rows: np.ndarray) -> float:
    """Median distance of two rows that differ; 1 if none do."""
    if len(rows) > _MEDIAN_ROWS:
        rows = rows[check_random_state(0).choice(len(rows), _MEDIAN_ROWS, replace=False)]
    distances = pdist(rows)
    distances = distances[distances > 0]
    return float(np.median(distances)) if len(distances) else 1.0
