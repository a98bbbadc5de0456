"""Energy distance between two samples, exact and in bounded memory; its floor and its test."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from geomgen._device import resolve_device
from geomgen.metrics._checks import check_count, check_pair, check_sample
from geomgen.metrics._pairs import mean_distance, quadratic_forms

__all__ = ["EnergyFloor", "EnergyTest", "energy_distance", "energy_floor", "energy_test"]

_LABELS = 2**24  # entries of the matrix of permuted labels held at once


def energy_distance(
    X: Any,
    Y: Any,
    *,
    unbiased: bool = False,
    X_weight: Any = None,
    Y_weight: Any = None,
    dtype: str = "float64",
    device: str = "cpu",
) -> float:
    r"""Energy distance of two samples (not its root).

    .. math:: \mathrm{ED} = 2\,\mathbb{E}\|X - Y\| - \mathbb{E}\|X - X'\| - \mathbb{E}\|Y - Y'\|

    The means are over all pairs: exact, not sampled.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n, p)
        Rows of one sample.
    Y : array-like or DataFrame of shape (m, p)
        Rows of the other. Columns of two frames are matched by name.
    unbiased : bool, default=False
        Whether the means within a sample leave out the pairs of a row with itself (U-statistic).
        Its expectation is 0 for samples of one distribution, so it may be negative; that of the
        default (V-statistic) is :math:`(1/n + 1/m)\,\mathbb{E}\|X - X'\|`.
    X_weight : array-like of shape (n,), optional
        Weights of the rows of X, made to sum to 1; equal by default.
    Y_weight : array-like of shape (m,), optional
        Those of Y.
    dtype : {"float64", "float32"}, default="float64"
        Precision of the distances. In float32 the error is about 1e-7 of the mean distance.
    device : str, default="cpu"
        Where the distances are computed: a torch device.

    Returns
    -------
    float
        By default at least 0, and 0 only for equal distributions. In the units of the rows: scale
        the columns first when their units differ. :func:`energy_floor` is its value for two
        samples of real rows, :func:`energy_test` says whether it is more than chance.

    Raises
    ------
    ValueError
        If the columns differ, a value is not finite, a weight is negative, the weights sum to 0,
        ``unbiased`` is asked of a single row, or dtype or device are unknown.

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
    >>> energy_distance([[0.0], [3.0]], [[0.0]], X_weight=[1, 0])
    0.0
    """
    X, Y = check_pair(X, Y, min_rows=2 if unbiased else 1)
    if dtype not in ("float64", "float32"):
        raise ValueError(f"dtype={dtype!r} must be 'float64' or 'float32'.")
    device = resolve_device(device)
    w, v = _weights(X_weight, len(X), "X_weight"), _weights(Y_weight, len(Y), "Y_weight")
    between = mean_distance(X, Y, w, v, dtype=dtype, device=device)
    within_x = mean_distance(X, X, w, w, dtype=dtype, device=device)
    within_y = mean_distance(Y, Y, v, v, dtype=dtype, device=device)
    if not unbiased:
        return max(2 * between - within_x - within_y, 0.0)
    return 2 * between - within_x / _distinct(w, "X") - within_y / _distinct(v, "Y")


def _weights(weight: Any, n: int, name: str) -> np.ndarray:
    if weight is None:
        return np.full(n, 1 / n)
    w = np.asarray(weight, dtype=np.float64)
    if w.shape != (n,) or not np.isfinite(w).all() or (w < 0).any() or w.sum() <= 0:
        raise ValueError(
            f"{name} has shape {w.shape}: it must be one finite number per row, shape ({n},), none "
            "of them negative and not all 0."
        )
    return w / w.sum()


def _distinct(w: np.ndarray, name: str) -> float:
    """Share of the pairs that are of two rows: (n - 1)/n for equal weights."""
    if np.count_nonzero(w) < 2:
        raise ValueError(
            f"unbiased=True needs two rows of positive weight: all that of {name} is on one."
        )
    return float(1 - (w * w).sum())


class EnergyTest(NamedTuple):
    """Result of :func:`energy_test`."""

    statistic: float
    """Energy distance of the two samples (V-statistic)."""
    pvalue: float
    """Share of the relabelled samples, these two included, that are at least as far apart."""


def energy_test(
    X: Any, Y: Any, *, n_permutations: int = 999, random_state: Any = None
) -> EnergyTest:
    r"""Test whether two samples come from one distribution, by permutations.

    With :math:`a_i = 1/n` for the rows of X, :math:`-1/m` for those of Y and D the distances of
    all n + m rows,

    .. math:: \mathrm{ED} = -a^\top D a, \qquad
       p = \frac{1 + \#\{b : \mathrm{ED}_b \ge \mathrm{ED}\}}{1 + B}

    where the entries of a are permuted in each of the B values :math:`\mathrm{ED}_b`. Every
    distance is computed once for all permutations, and none is stored.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n, p)
        Rows of one sample, independent of each other.
    Y : array-like or DataFrame of shape (m, p)
        Rows of the other.
    n_permutations : int, default=999
        Number of permutations B; the p-value is at least 1/(1 + B).
    random_state : int, RandomState or None, default=None
        Seed of the permutations; None draws from numpy's global state.

    Returns
    -------
    EnergyTest
        ``statistic`` and ``pvalue``. Under the null hypothesis the p-value is at most
        :math:`\alpha` with probability at most :math:`\alpha`, at any sample size.

    Raises
    ------
    ValueError
        If the samples are not valid, or ``n_permutations`` is not a positive integer.

    Notes
    -----
    With enough rows any generator differs from the data significantly. The distance beside its
    floor says how much: see :func:`energy_floor`.

    References
    ----------
    Székely and Rizzo, 2004, *Testing for equal distributions in high dimension*; Phipson and
    Smyth, 2010, *Permutation p-values should never be zero*.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.arange(20.0).reshape(-1, 1)
    >>> energy_test(X, X + 10, random_state=0).pvalue
    0.001
    >>> energy_test(X, X, random_state=0).pvalue
    1.0
    """
    X, Y = check_pair(X, Y)
    check_count(n_permutations, "n_permutations")
    n, m = len(X), len(Y)
    Z, rng = np.r_[X, Y], check_random_state(random_state)
    labels = np.repeat([1 / n, -1 / m], [n, m])
    values, width = [], max(1, _LABELS // (n + m))
    for start in range(0, 1 + n_permutations, width):
        stop = min(start + width, 1 + n_permutations)
        orders = [rng.permutation(labels) if b else labels for b in range(start, stop)]
        values.append(-quadratic_forms(Z, np.column_stack(orders)))
    statistic, *permuted = np.concatenate(values).tolist()
    equal = 1e-12 * float(np.abs(Z - Z.mean(0)).max()) * Z.shape[1]  # ties, but for rounding
    exceed = sum(value >= statistic - equal for value in permuted)
    return EnergyTest(max(statistic, 0.0), (1 + exceed) / (1 + n_permutations))


class EnergyFloor(NamedTuple):
    """Result of :func:`energy_floor`."""

    mean: float
    """Mean of the values: what a perfect generator is expected to score."""
    std: float
    """Standard deviation of the values; nan for one repeat."""
    values: np.ndarray
    """Energy distances of the pairs of real samples."""


def energy_floor(
    X: Any,
    n: int,
    m: int | None = None,
    *,
    n_repeats: int = 20,
    random_state: Any = None,
) -> EnergyFloor:
    r"""Energy distance between two disjoint random samples of real rows: the score of the truth.

    A generated sample of m rows cannot be told from n real ones by a distance near this floor.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n_rows, p)
        Real rows.
    n : int
        Rows of one sample, as many as the real rows of the comparison.
    m : int, optional
        Rows of the other, as many as the generated rows; n by default.
    n_repeats : int, default=20
        Number of pairs of samples.
    random_state : int, RandomState or None, default=None
        Seed of the draws; None draws from numpy's global state.

    Returns
    -------
    EnergyFloor
        ``mean``, ``std`` and ``values`` of the V-statistic.

    Raises
    ------
    ValueError
        If X has fewer than two rows, or a number is not a positive integer.

    Notes
    -----
    If X has fewer than n + m rows, samples of :math:`n' + m'` rows, all there are, are drawn in
    the ratio of n to m. For two samples of one distribution the expectation is
    :math:`(1/n + 1/m)\,\mathbb{E}\|X - X'\|`, and for large samples the whole law is in proportion
    to :math:`1/n + 1/m`; so the values are multiplied by :math:`(1/n + 1/m) / (1/n' + 1/m')`.
    The repeats share rows: ``std`` is that of a split of these rows, which falls short of that
    of new rows when n + m is not small beside the rows of X.

    References
    ----------
    Székely and Rizzo, 2013, *Energy statistics: a class of statistics based on distances*.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.RandomState(0).normal(size=(400, 2))
    >>> floor = energy_floor(X, 100, random_state=0)
    >>> 0.03 < floor.mean < 0.04  # (1/100 + 1/100) times the mean distance of two rows, 1.8
    True
    >>> bool(energy_distance(X[:100], X[100:200] + 1) > floor.mean + 5 * floor.std)
    True
    """
    X = check_sample(X, min_rows=2)
    m = n if m is None else m
    for value, name in ((n, "n"), (m, "m"), (n_repeats, "n_repeats")):
        check_count(value, name)
    rng = check_random_state(random_state)
    drawn = min(n + m, len(X))
    first = n if drawn == n + m else int(np.clip(round(drawn * n / (n + m)), 1, drawn - 1))
    scaling = (1 / n + 1 / m) / (1 / first + 1 / (drawn - first))
    orders = (rng.permutation(len(X))[:drawn] for _ in range(n_repeats))
    values = scaling * np.array([energy_distance(X[o[:first]], X[o[first:]]) for o in orders])
    spread = float(values.std(ddof=1)) if n_repeats > 1 else float("nan")
    return EnergyFloor(float(values.mean()), spread, values)
