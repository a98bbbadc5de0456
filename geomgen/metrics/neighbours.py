"""Fidelity and coverage by nearest neighbours: precision, recall, density, coverage."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import gen_batches

from geomgen.metrics._checks import check_count, check_pair
from geomgen.metrics._pairs import nearest

__all__ = ["PRDC", "ball_membership", "expected_coverage", "precision_recall_density_coverage"]

_ROWS, _COLUMNS = 256, 1024  # a tile of distances stays in the processor's cache
_DOUBTFUL = 4096  # pairs recomputed at a time
_EDGE = 1 + 1e-12  # scaling the columns rounds what was at the edge of a ball


class PRDC(NamedTuple):
    """Precision, recall, density and coverage."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall_density_coverage(
    X_real: Any, X_generated: Any, *, n_neighbors: int = 5
) -> PRDC:
    r"""Whether draws look real, and whether they reach all that is real.

    With :math:`B_k(x)` the closed ball around a row that reaches its :math:`k`-th nearest other
    row of the same sample, real rows :math:`x_1 \dots x_N` and generated rows
    :math:`y_1 \dots y_M`:

    .. math::
       \text{precision} &= \tfrac1M \textstyle\sum_j 1\{y_j \in \bigcup_i B_k(x_i)\} \\
       \text{recall} &= \tfrac1N \textstyle\sum_i 1\{x_i \in \bigcup_j B_k(y_j)\} \\
       \text{density} &= \tfrac1{kM} \textstyle\sum_j \sum_i 1\{y_j \in B_k(x_i)\} \\
       \text{coverage} &= \tfrac1N \textstyle\sum_i 1\{\exists j: y_j \in B_k(x_i)\}

    Parameters
    ----------
    X_real : array-like or DataFrame of shape (N, p), N > n_neighbors
        Real rows, best ones that the generator has not seen.
    X_generated : array-like or DataFrame of shape (M, p), M > n_neighbors
        Generated rows.
    n_neighbors : int, default=5
        :math:`k`; 3 in Kynkäänniemi et al., 5 in Naeem et al.

    Returns
    -------
    PRDC
        Named tuple ``(precision, recall, density, coverage)``. All are in [0, 1] but the density,
        which may exceed 1.

    Raises
    ------
    ValueError
        If a sample has no more than ``n_neighbors`` rows, the columns differ, or a value is not
        finite.

    Notes
    -----
    Each can be fooled. *Precision* is 1 for a generator that repeats one typical row, and one real
    outlier with a wide ball lets anything pass. *Recall* is 1 for draws so spread out that their
    balls hold everything. *Density* exceeds 1 where draws crowd the densest places. *Coverage*
    and all the others are perfect for copies of the training rows: see
    :func:`geomgen.metrics.memorisation`. Read precision with coverage, never alone.

    Draws from the truth have an expected density of 1 and the expected coverage of
    :func:`expected_coverage`, whatever the distribution: about :math:`1 - 2^{-k}` for equal
    sizes. Their precision and recall depend on the distribution: compare with a second real
    sample. Coverage grows with :math:`M`: compare generators at equal sizes.

    Distances are in the units of the columns: scale the columns first when their units differ.

    References
    ----------
    Kynkäänniemi et al., 2019, *Improved precision and recall metric for assessing generative
    models*, Eqs. 1-2; Naeem et al., 2020, *Reliable fidelity and diversity metrics for generative
    models*, Eqs. 3-7.

    Examples
    --------
    >>> real = [[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]]
    >>> half = [[0.1], [0.5], [1.1], [1.5], [1.9], [2.0]]
    >>> precision_recall_density_coverage(real, half, n_neighbors=1)
    PRDC(precision=1.0, recall=0.5, density=2.0, coverage=0.5)
    """
    check_count(n_neighbors, "n_neighbors")
    real, generated = check_pair(
        X_real, X_generated, names=("X_real", "X_generated"), min_rows=n_neighbors + 1
    )
    balls, covered = ball_membership(generated, real, n_neighbors)
    recalled, _ = ball_membership(real, generated, n_neighbors)
    return PRDC(
        precision=float((balls > 0).mean()),
        recall=float((recalled > 0).mean()),
        density=float(balls.mean() / n_neighbors),
        coverage=float(covered.mean()),
    )


def expected_coverage(n_real: int, n_generated: float, *, n_neighbors: int = 5) -> float:
    r"""Coverage to expect when the generated rows are draws from the truth.

    .. math:: 1 - \prod_{i=1}^{k} \frac{N - i}{M + N - i}

    for :math:`N` real rows, :math:`M` draws and :math:`k` neighbours, in any distribution without
    repeated values: of the other rows, real or drawn, those nearest to a real row are all equally
    likely to be the first :math:`k`.

    Parameters
    ----------
    n_real : int
        :math:`N`, greater than ``n_neighbors``.
    n_generated : float
        :math:`M`, at least 0; an expected number need not be whole.
    n_neighbors : int, default=5
        :math:`k`.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If there are too few real rows, or fewer than 0 draws.

    References
    ----------
    Naeem et al., 2020, *Reliable fidelity and diversity metrics for generative models*, section
    3.2.

    Examples
    --------
    >>> round(expected_coverage(10_000, 10_000, n_neighbors=5), 3)
    0.969
    """
    check_count(n_neighbors, "n_neighbors")
    if not (n_real > n_neighbors and n_generated >= 0):
        raise ValueError(
            f"{n_real=} must exceed {n_neighbors=}, and {n_generated=} must not be negative."
        )
    left = n_real - np.arange(1, n_neighbors + 1)
    return float(1 - np.prod(left / (n_generated + left)))


def ball_membership(
    points: np.ndarray, centres: np.ndarray, n_neighbors: int
) -> tuple[np.ndarray, np.ndarray]:
    """Which points lie in the balls of the centres, closed, out to their k-th nearest neighbours.

    Parameters
    ----------
    points : ndarray of shape (n, p)
        Rows to place.
    centres : ndarray of shape (m, p), m > n_neighbors
        Rows with balls.
    n_neighbors : int
        The neighbour, among the other centres, that a ball reaches.

    Returns
    -------
    balls : ndarray of int of shape (n,)
        Number of balls that hold each point.
    covered : ndarray of bool of shape (m,)
        Whether a ball holds any point.

    Examples
    --------
    >>> ball_membership(np.array([[1.5], [9.0]]), np.array([[0.0], [1.0]]), 1)
    (array([1, 0]), array([False,  True]))
    """
    furthest = nearest(centres, centres, n_neighbors)[1][:, -1]
    radii = ((centres - centres[furthest]) ** 2).sum(1)
    balls, covered = np.zeros(len(points), dtype=int), np.zeros(len(centres), dtype=bool)
    for rows in gen_batches(len(points), _ROWS):
        for columns in gen_batches(len(centres), _COLUMNS):
            inside = _within(points[rows], centres[columns], radii[columns])
            balls[rows] += inside.sum(1)
            covered[columns] |= inside.any(0)
    return balls, covered


def _within(X: np.ndarray, Y: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Whether |x - y|² ≤ r² (radii are squared): by a product, in doubt by differences.

    A point at the very edge, such as a copy of the neighbour that gave the radius, is inside.
    """
    middle, scale = Y.mean(0), max(np.abs(X).max(), np.abs(Y).max())
    A, B = X - middle, Y - middle  # distances are unchanged, rounding errors shrink
    norms = (A * A).sum(1)[:, None] + (B * B).sum(1)
    margin = norms - 2 * (A @ B.T) - radii
    shift = np.finfo(float).eps * scale * np.sqrt(X.shape[1])  # centring rounds each row by it
    error = np.finfo(float).eps * (X.shape[1] + 8) * norms + 8 * shift * (np.sqrt(radii) + shift)
    i, j = np.nonzero(np.abs(margin) <= error)
    for start in range(0, len(i), _DOUBTFUL):
        a, b = i[start : start + _DOUBTFUL], j[start : start + _DOUBTFUL]
        margin[a, b] = ((X[a] - Y[b]) ** 2).sum(1) - radii[b] * _EDGE
    return margin <= 0
