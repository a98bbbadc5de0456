"""Whether a rare mode comes out at the right rate."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from geomgen.metrics._intervals import proportion_interval

__all__ = [
    "is_rare",
    "judge_lift",
    "lift_interval",
    "neighbour_judge",
    "rare_mode_lift",
    "rare_mode_rate",
    "rare_recall",
]


def rare_mode_rate(generated_is_rare: Any) -> float:
    r"""Share of the generated rows that are of the rare mode.

    .. math:: \mathrm{RMR} = \frac{1}{N} \sum_i 1\{x_i \in \text{rare mode}\}

    Parameters
    ----------
    generated_is_rare : array-like of bool of shape (n,)
        Whether each generated row is of the rare mode.

    Returns
    -------
    float
        In [0, 1]; its target is the true rate.

    Raises
    ------
    ValueError
        If there is no row.

    References
    ----------
    Paper G (GA-AE), section 5.1.

    Examples
    --------
    >>> rare_mode_rate([True, False, False, False])
    0.25
    """
    return float(_mask(generated_is_rare).mean())


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
    check_rate(rate)
    return float(rare_mode_rate(generated_is_rare) / rate)


def rare_recall(generated_is_rare: Any, real_is_rare: Any) -> float:
    r"""Count the rare generated rows over the rare real ones: paper G's Rare Recall@N.

    .. math:: \mathrm{GenRare} / \mathrm{TestRare}

    Parameters
    ----------
    generated_is_rare : array-like of bool of shape (n,)
        Whether each generated row is of the rare mode.
    real_is_rare : array-like of bool of shape (m,)
        Whether each real row is.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    ValueError
        If there is no generated row, or no rare real one.

    Notes
    -----
    It is no recall. It counts rows without looking whether they reach the real ones, grows with
    the number of draws and may exceed 1: the paper has a VAE at 198 % whose every draw was judged
    rare. Use the ``recall`` of :func:`geomgen.metrics.rare_mode_report` for what is reached and
    the lift for how much.

    References
    ----------
    Paper G (GA-AE), section 5.1.

    Examples
    --------
    >>> rare_recall([True, True, True, False], [True, True, False])
    1.5
    """
    generated, real = _mask(generated_is_rare), _mask(real_is_rare)
    if not real.any():
        raise ValueError(f"None of the {len(real)} real rows is rare: the recall is not defined.")
    return float(generated.sum() / real.sum())


def lift_interval(
    generated_is_rare: Any,
    rate: float,
    *,
    confidence: float = 0.95,
    method: str = "clopper-pearson",
) -> tuple[float, float]:
    """Interval of the lift: binomial draws, the rate taken as known.

    Parameters
    ----------
    generated_is_rare : array-like of bool of shape (n,)
        Whether each generated row is of the rare mode.
    rate : float
        True rate in (0, 1].
    confidence : float, default=0.95
        Coverage: at least this by Clopper and Pearson's interval, on average by Wilson's.
    method : {"clopper-pearson", "wilson"}, default="clopper-pearson"
        Wilson's is narrower.

    Returns
    -------
    low, high : float

    Raises
    ------
    ValueError
        If there is no row, the rate is not in (0, 1], or the method is not known.

    References
    ----------
    Clopper and Pearson, 1934, *The use of confidence or fiducial limits illustrated in the case
    of the binomial*; Wilson, 1927, *Probable inference, the law of succession, and statistical
    inference*.

    Examples
    --------
    >>> low, high = lift_interval([True] * 20 + [False] * 980, rate=0.02)
    >>> round(low, 2), round(high, 2)
    (0.61, 1.54)
    """
    check_rate(rate)
    mask = _mask(generated_is_rare)
    low, high = proportion_interval(
        int(mask.sum()), len(mask), confidence=confidence, method=method
    )
    return float(low / rate), float(high / rate)


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
            f"There are {found} rows with the rare label {_plain(rare_label)!r} among these "
            f"{len(y)}: the "
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
    if min(rare.sum(), (~rare).sum()) < 2:
        return float("nan")
    judge = neighbour_judge() if judge is None else judge
    return rare_mode_lift(held_out_judgement(judge, np.asarray(X), rare), rare.mean())


def held_out_judgement(judge: Any, X: Any, rare: np.ndarray, random_state: Any = 0) -> np.ndarray:
    """Judge each real row, by a judge fitted on others, in at most ten stratified folds."""
    n_splits = int(min(10, rare.sum(), (~rare).sum()))
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=random_state)
    return cross_val_predict(clone(judge), X, rare, cv=folds).astype(bool)


def check_rate(rate: float) -> None:
    """Raise unless a rate is in (0, 1]."""
    if not 0 < rate <= 1:
        raise ValueError(f"rate={rate!r} must be in (0, 1].")


def _mask(mask: Any) -> np.ndarray:
    mask = np.asarray(mask, dtype=bool)
    if mask.ndim != 1 or len(mask) == 0:
        raise ValueError(f"Rare rows are told by a 1-D mask of at least one row; got {mask.shape}.")
    return mask


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label
