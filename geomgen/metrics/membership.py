"""Whether an attacker who has the draws can tell training rows from others."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.utils import check_random_state

from geomgen.metrics._checks import check_pair
from geomgen.metrics._intervals import check_confidence, wilson
from geomgen.metrics._pairs import nearest

__all__ = ["MembershipInference", "membership_inference"]


class MembershipInference(NamedTuple):
    """What :func:`membership_inference` found.

    Attributes
    ----------
    accuracy : float
        Share of the rows that the attack tells rightly; 0.5 by chance.
    interval : tuple of float
        Its interval (low, high).
    auc : float
        Probability that a training row is nearer to the draws than a held-out row; 0.5 by chance.
    n_rows : int
        Rows attacked, half of them training rows.
    """

    accuracy: float
    interval: tuple[float, float]
    auc: float
    n_rows: int


def membership_inference(
    X_generated: Any,
    X_train: Any,
    X_holdout: Any,
    *,
    confidence: float = 0.95,
    random_state: Any = 0,
) -> MembershipInference:
    r"""Attack draws by their distance to rows that may have been trained on.

    .. math:: \hat m(x) = 1\{\min_i \|x - y_i\| \le \tau\}

    says whether x was a training row, from the draws :math:`y_i` alone. Equally many training and
    held-out rows are attacked; the threshold :math:`\tau` is the best one on half of them, and is
    judged on the other half, and the other way round: the attacker knows some members.

    Parameters
    ----------
    X_generated : array-like or DataFrame of shape (m, p)
        Draws, at least 2.
    X_train : array-like or DataFrame of shape (n_train, p)
        The rows that the generator was fitted on, at least 4.
    X_holdout : array-like or DataFrame of shape (n_holdout, p)
        Rows of the same population, split off at random before fitting, at least 4.
    confidence : float, default=0.95
        Of the interval of the accuracy, in (0, 1).
    random_state : int, RandomState or None, default=0
        Chooses the rows that are attacked, and deals them to the halves.

    Returns
    -------
    MembershipInference

    Raises
    ------
    ValueError
        If a sample has too few rows, the columns differ, a value is not finite, or the confidence
        is not in (0, 1).

    Notes
    -----
    It is one attack, and a weak one: accuracy at chance does not prove that the rows are private.
    Distances are in the units of the columns: scale the columns first when their units differ.

    References
    ----------
    Chen et al., 2020, *GAN-Leaks: a taxonomy of membership inference attacks against generative
    models*, section 5.2 (the attack on a black box).

    Examples
    --------
    >>> rng = np.random.RandomState(0)
    >>> train, holdout, fresh = rng.normal(size=(3, 500, 4))
    >>> membership_inference(train + 0.01, train, holdout).accuracy > 0.95
    True
    >>> low, high = membership_inference(fresh, train, holdout).interval
    >>> low < 0.5 < high
    True
    """
    check_confidence(confidence)
    names = ("X_train", "X_generated")
    train, generated = check_pair(X_train, X_generated, names=names, min_rows=2)
    _, holdout = check_pair(X_train, X_holdout, names=("X_train", "X_holdout"), min_rows=2)
    n = min(len(train), len(holdout))
    if n < 4:
        raise ValueError(f"X_train or X_holdout has {n} rows: at least 4 are needed.")
    rng = check_random_state(random_state)
    members, others = (X[rng.permutation(len(X))[:n]] for X in (train, holdout))
    near = [-nearest(rows, generated)[0][:, 0] for rows in (members, others)]
    halves = [[found[start::2] for found in near] for start in (0, 1)]  # dealt at random above
    right = _right(_threshold(*halves[0]), *halves[1]) + _right(_threshold(*halves[1]), *halves[0])
    accuracy = right / (2 * n)
    return MembershipInference(
        accuracy=accuracy,
        interval=wilson(accuracy, 1 / (2 * n), confidence),
        auc=float(roc_auc_score(np.repeat([1, 0], n), np.concatenate(near))),
        n_rows=2 * n,
    )


def _threshold(members: np.ndarray, others: np.ndarray) -> float:
    """Nearness from which most are told rightly when those at least so near count as members."""
    levels = np.unique(np.r_[members, others])
    inside = len(members) - np.searchsorted(np.sort(members), levels)
    outside = np.searchsorted(np.sort(others), levels)
    return float(levels[np.argmax(inside + outside)])


def _right(threshold: float, members: np.ndarray, others: np.ndarray) -> float:
    return float((members >= threshold).sum() + (others < threshold).sum())
