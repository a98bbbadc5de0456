"""Groups of codes: how many draws each gets, which there are, and what small ones borrow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import HDBSCAN
from sklearn.utils import check_random_state
from sklearn.utils.validation import column_or_1d
from threadpoolctl import threadpool_limits

from geomgen.metrics._pairs import nearest

__all__ = [
    "borrow",
    "check_labels",
    "find_labels",
    "find_modes",
    "parse_shares",
    "stratified_counts",
]

_MOST = 5000  # codes that modes are looked for in


def stratified_counts(weights: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
    """Split n draws by weight; each count is its expectation, rounded up or down (unbiased)."""
    edges = np.r_[0.0, np.cumsum(weights)] / weights.sum()
    edges[-1] = 1.0
    return np.diff(np.ceil(edges * n - rng.random_sample()).astype(int).clip(0, n))


def parse_shares(balance: Any, classes: np.ndarray) -> np.ndarray:
    """Shares by label as an array in the order of ``classes``; labels left out get none."""
    if not isinstance(balance, dict) or not balance:
        raise TypeError(f"balance={balance!r} must be a dictionary of labels and shares.")
    known = classes.tolist()
    unknown = [label for label in balance if label not in known]
    if unknown:
        raise ValueError(f"balance has labels {unknown} that were not fitted: {known}.")
    shares = np.array([float(balance.get(label, 0)) for label in known])
    if not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
        raise ValueError(f"balance={balance!r} needs shares of at least 0, not all of them 0.")
    return shares / shares.sum()


def check_labels(y: Any, n: int) -> np.ndarray:
    """Return the labels of n codes as an array, or raise."""
    labels = column_or_1d(y)
    if len(labels) != n:
        raise ValueError(f"There are {n} codes and {len(labels)} labels in y.")
    if pd.isna(labels).any() or len({type(label) for label in labels.tolist()}) > 1:
        raise ValueError("y has missing labels, or labels of several types: make them one.")
    if n > 1 and len(set(labels.tolist())) == n:
        raise ValueError("Every code has a label of its own in y: there are no classes.")
    return labels


def find_labels(y: Any, n: int, classes: np.ndarray) -> np.ndarray:
    """Index among the classes of one label for n draws, or of a label each."""
    wanted = np.full(n, y) if np.ndim(y) == 0 else column_or_1d(y)
    if len(wanted) != n:
        raise ValueError(f"y has {len(wanted)} labels, but n_samples={n}.")
    unknown = np.setdiff1d(wanted, classes).tolist()
    if unknown:
        raise ValueError(f"y has labels {unknown} that were not fitted: {classes.tolist()}.")
    return np.searchsorted(classes, wanted)


def find_modes(Z: np.ndarray, random_state: Any) -> np.ndarray:
    """Label the modes of codes: clusters of density, outliers with the nearest one."""
    rng = check_random_state(random_state)
    some = np.sort(rng.permutation(len(Z))[:_MOST])
    smallest = max(5, len(some) // 200)  # a mode of half a per cent is found
    if len(some) < 2 * smallest or not np.ptp(Z, axis=0).any():
        return np.zeros(len(Z), dtype=int)
    with threadpool_limits(1):
        labels = HDBSCAN(min_cluster_size=smallest, copy=True).fit(Z[some]).labels_
    inside = labels >= 0
    if not inside.any():
        return np.zeros(len(Z), dtype=int)
    _, index = nearest(Z, Z[some][inside].copy(), 1)
    return labels[inside][index[:, 0]]


def borrow(Z: np.ndarray, labels: np.ndarray, label: Any, seed: Any) -> np.ndarray:
    r"""Codes of one group, with as many more from the others' spread as there are dimensions.

    A borrowed code is the group's mean plus, and another minus, the deviation of some code from
    its own group's mean (so d is rounded up to an even number). The mean stays, and a density
    fitted to the result has, of n codes in d dimensions, the covariance

    .. math:: \frac{n}{n + d}\, S_\text{group} + \frac{d}{n + d}\, S_\text{within}
    """
    own = Z[labels == label]
    n, d = own.shape
    if n >= 10 * d or n == len(Z):
        return own
    chosen = check_random_state(seed).choice(len(Z), -(-d // 2))
    means = {other: Z[labels == other].mean(0) for other in set(labels[chosen].tolist())}
    deviations = Z[chosen] - np.stack([means[other] for other in labels[chosen].tolist()])
    return np.concatenate([own, own.mean(0) + deviations, own.mean(0) - deviations])
