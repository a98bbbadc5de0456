"""Whether a rare mode comes out at the right rate."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

__all__ = ["is_rare", "judge_lift", "lift_interval", "neighbour_judge", "rare_mode_lift"]


def rare_mode_lift(generated_is_rare: Any, rate: float) -> float:
    r"""Rate of the rare mode among generated rows, relative to its true rate.

    .. math:: \mathrm{RML} = \mathrm{RMR} / \pi, \qquad
       \mathrm{RMR} = \frac{1}{N} \sum_i 1\{x_i \in \text{rare mode}\}

    Parameters
    ----------
    generated_is_rare : array-like of bool of shape (n,)
        Whether each generated row is of the rare mode.
    rate : float
        True rate :math:`\pi` in (0, 1].

    Returns
    -------
    float
        1 is calibrated, 0 means that the mode was lost.

    Raises
    ------
    ValueError
        If there is no row, or the rate is not in (0, 1].

    References
    ----------
    Paper G (GA-AE), section 5.1.

    Examples
    --------
    >>> rare_mode_lift([True, False, False, False], rate=0.125)
    2.0
    """
    mask = _check(generated_is_rare, rate)
    return float(mask.mean() / rate)


def lift_interval(
    generated_is_rare: Any, rate: float, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Clopper-Pearson interval of the lift: binomial draws, the rate taken as known.

    Parameters
    ----------
    generated_is_rare : array-like of bool of shape (n,)
        Whether each generated row is of the rare mode.
    rate : float
        True rate in (0, 1].
    confidence : float, default=0.95
        Coverage, at least.

    Returns
    -------
    low, high : float

    References
    ----------
    Clopper and Pearson, 1934, *The use of confidence or fiducial limits illustrated in the case
    of the binomial*.

    Examples
    --------
    >>> low, high = lift_interval([True] * 20 + [False] * 980, rate=0.02)
    >>> round(low, 2), round(high, 2)
    (0.61, 1.54)
    """
    mask = _check(generated_is_rare, rate)
    interval = binomtest(int(mask.sum()), len(mask)).proportion_ci(confidence, method="exact")
    return float(interval.low / rate), float(interval.high / rate)


def is_rare(y: Any, rare_label: Any = None) -> np.ndarray:
    """Mask of the rare rows among labelled ones.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels of real rows.
    rare_label : object, optional
        The rare label; the least frequent in y by default (the first in sorted order, of several).

    Returns
    -------
    ndarray of bool of shape (n,)

    Raises
    ------
    ValueError
        If no row, or every row, has the rare label.

    Examples
    --------
    >>> is_rare(["ok", "ok", "fraud"])
    array([False, False,  True])
    """
    if y is None:
        raise ValueError("The rare-mode lift needs labels: pass y (it is not used for fitting).")
    y = np.asarray(y)
    if rare_label is None:
        labels, counts = np.unique(y, return_counts=True)
        rare_label = labels[counts.argmin()]
    mask = y == rare_label
    if mask.all() or not mask.any():
        found = "only" if mask.all() else "no"
        raise ValueError(
            f"There are {found} rows with the rare label {rare_label!r} among these {len(y)}: the "
            "lift is not defined. In cross-validation pass "
            "cv=StratifiedKFold(n_splits, shuffle=True), with no more splits than rare rows."
        )
    return mask


def neighbour_judge() -> BaseEstimator:
    """Make the default judge of rarity: the nearest real row, columns standardised.

    Examples
    --------
    >>> neighbour_judge().steps[-1][1]
    KNeighborsClassifier(n_neighbors=1)
    """
    return make_pipeline(StandardScaler(), KNeighborsClassifier(n_neighbors=1))


def judge_lift(X: Any, rare: np.ndarray, judge: Any = None) -> float:
    """Lift that a judge reports for *real* rows it has not seen: its own bias.

    Parameters
    ----------
    X : array-like of shape (n, p)
        Real rows.
    rare : ndarray of bool of shape (n,)
        Which are rare.
    judge : classifier, optional
        Default: the nearest neighbour, columns standardised.

    Returns
    -------
    float
        1 for an unbiased judge; nan with fewer than two rare rows, of which none can be held out.

    Examples
    --------
    >>> X = [[0.0], [0.1], [0.2], [9.0], [9.1]]
    >>> judge_lift(X, np.array([False, False, False, True, True]))
    1.0
    """
    n_splits = int(min(10, rare.sum(), (~rare).sum()))
    if n_splits < 2:
        return float("nan")
    judge = neighbour_judge() if judge is None else clone(judge)
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=0)
    judged = cross_val_predict(judge, np.asarray(X), rare, cv=folds)
    return rare_mode_lift(judged, rare.mean())


def _check(mask: Any, rate: float) -> np.ndarray:
    mask = np.asarray(mask, dtype=bool)
    if mask.ndim != 1 or len(mask) == 0:
        raise ValueError(f"The lift needs a 1-D mask of at least one row; got shape {mask.shape}.")
    if not 0 < rate <= 1:
        raise ValueError(f"rate={rate!r} must be in (0, 1].")
    return mask
