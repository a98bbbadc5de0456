"""scikit-learn's digits with one of them made rare."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state

__all__ = ["make_rare_digits"]


def make_rare_digits(
    rare_digit: int = 9, rare_weight: float = 0.02, random_state: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's 8x8 digits, one of them thinned to a rare class.

    The small sibling of paper G's MNIST with 2 % nines.

    Parameters
    ----------
    rare_digit : int, default=9
        The digit that becomes rare.
    rare_weight : float, default=0.02
        Its share of the rows, up to rounding; at most its share in the full data.
    random_state : int, RandomState or None, default=None
        Chooses the rows that stay, and the order.

    Returns
    -------
    X : ndarray of shape (n, 64)
        Pixels from 0 to 16.
    y : ndarray of shape (n,)
        Digits.

    Raises
    ------
    ValueError
        If there is no such digit, or the weight cannot be had.

    References
    ----------
    Paper G (GA-AE), section 5.9.

    Examples
    --------
    >>> X, y = make_rare_digits(9, 0.02, random_state=0)
    >>> X.shape, int((y == 9).sum())
    ((1650, 64), 33)
    """
    X, y = load_digits(return_X_y=True)
    others, rare = np.flatnonzero(y != rare_digit), np.flatnonzero(y == rare_digit)
    if len(rare) == 0:
        raise ValueError(f"rare_digit={rare_digit!r} must be one of the digits 0 to 9.")
    most = len(rare) / len(y)
    if not 0 < rare_weight <= most:
        raise ValueError(f"rare_weight={rare_weight!r} must be in (0, {most:.3f}].")
    n_rare = max(1, round(rare_weight / (1 - rare_weight) * len(others)))
    rng = check_random_state(random_state)
    rows = rng.permutation(np.r_[others, rng.permutation(rare)[:n_rare]])
    return X[rows], y[rows]
