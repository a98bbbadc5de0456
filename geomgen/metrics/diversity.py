"""Variance of generated rows beside that of real ones (paper G)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from geomgen.metrics._checks import check_pair

__all__ = ["SampleDiversity", "sample_diversity"]


class SampleDiversity(NamedTuple):
    """What :func:`sample_diversity` found.

    Attributes
    ----------
    real, generated : float
        Mean over columns of the variance over rows, in squared units of the columns.
    ratio : float
        generated / real; nan if the real rows are all equal.
    """

    real: float
    generated: float
    ratio: float


def sample_diversity(X: Any, Y: Any) -> SampleDiversity:
    r"""Variance across samples, of real and of generated rows.

    .. math:: V = \frac1p \sum_{j=1}^p \mathrm{Var}_i(x_{ij})

    Parameters
    ----------
    X : array-like or DataFrame of shape (n, p)
        Real rows, at least two.
    Y : array-like or DataFrame of shape (m, p)
        Generated rows, at least two.

    Returns
    -------
    SampleDiversity
        ``real``, ``generated`` and their ``ratio``: near 0 for a collapsed generator, 1 for the
        right variance.

    Raises
    ------
    ValueError
        If the numbers of columns differ, a value is not finite, or there is one row only.

    Warnings
    --------
    More is not better: noise has more variance than data. Judge the ratio to the real rows, never
    the value alone. Paper G reports .240 for digits; real digits on [0, 1] have .067, and no column
    on [0, 1] can exceed .25, which takes it to be 0 or 1 for half of the rows each. The value is
    natural for digits on [-1, 1], where real ones have .270.

    References
    ----------
    Paper G (GA-AE), section 5.1 and Table 5, which name the quantity and do not define it.

    Examples
    --------
    >>> sample_diversity([[0.0, 0.0], [2.0, 4.0]], [[1.0, 0.0], [1.0, 2.0]])
    SampleDiversity(real=2.5, generated=0.5, ratio=0.2)
    """
    X, Y = check_pair(X, Y, min_rows=2)
    real, generated = _variance(X), _variance(Y)
    return SampleDiversity(real, generated, generated / real if real > 0 else float("nan"))


def _variance(X: np.ndarray) -> float:
    X = X - X[0]  # a constant column is 0 now, whatever its mean would round to
    return float(X.var(0).mean())
