"""How far codes on the unit sphere are from the uniform law, and from other codes (paper L).

Both measure *laws* by samples of them. Use codes of rows that the model was not trained on: codes
of the training rows were moved by the loss together, and are not independent draws.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array

from geomgen.diagnostics._base import Result, check_count
from geomgen.losses.sphere import uniform_log_kernel

__all__ = [
    "SphereWasserstein",
    "UniformMMD",
    "check_unit_codes",
    "mmd_to_uniform",
    "sphere_wasserstein",
]

_ENTRIES = 2**20  # of the kernel's matrix, held at once
_UNIT = 1e-5  # how far a norm may be from 1: codes of a float32 model are 1e-7 off


@dataclass(frozen=True, repr=False)
class UniformMMD(Result):
    """What :func:`mmd_to_uniform` found.

    Attributes
    ----------
    value : float
        Unbiased estimate of the squared MMD, in (-1, 1); negative by chance, or for codes spread
        more evenly than independent draws.
    standard_error : float
        Of ``value``, estimated from these codes.
    uniform_standard_error : float
        Of ``value`` if the codes were uniform, exactly: what to measure ``value`` with when the
        question is whether they are.
    n_codes, n_components : int
        Shape of the codes.
    t : float
        Temperature of the kernel.
    """

    value: float
    standard_error: float
    uniform_standard_error: float
    n_codes: int
    n_components: int
    t: float

    @property
    def summary(self) -> str:
        """One line."""
        return (
            f"squared MMD to the uniform law {self.value:.3g} ± {self.standard_error:.2g} "
            f"(uniform codes: 0 ± {self.uniform_standard_error:.2g}); {self.n_codes} codes of "
            f"{self.n_components} components, t={self.t:g}"
        )

    def to_frame(self) -> pd.DataFrame:
        """One row, a column for each attribute."""
        return pd.DataFrame([asdict(self)])


def mmd_to_uniform(U: Any, t: float = 2.0) -> UniformMMD:
    r"""Squared maximum mean discrepancy between the law of codes and the uniform law.

    .. math:: \widehat{\mathrm{MMD}}{}^2 = \frac{1}{N(N-1)} \sum_{i \ne j} e^{-t \|u_i - u_j\|^2}
       - C_{d,t}, \qquad C_{d,t} = e^{-2t}\, {}_0F_1(; d/2; t^2)

    Parameters
    ----------
    U : array-like of shape (N, d)
        Unit codes, :math:`N \ge 4`, :math:`d \ge 2`.
    t : float, default=2.0
        Temperature of the kernel, :math:`t > 0`; :math:`t = 1 / (2\sigma^2)`.

    Returns
    -------
    UniformMMD
        Value, standard error, ``summary``, ``to_frame()``.

    Raises
    ------
    ValueError
        If there are fewer than 4 codes, a code is not of unit length or not finite, d < 2, or t
        is not a positive number.

    Notes
    -----
    The estimator is a U-statistic of order two. Its variance is

    .. math:: \frac{4 (N-2)\,\zeta_1 + 2\,\zeta_2}{N(N-1)}, \quad
       \zeta_1 = \mathrm{Var}\,\mathbb{E}[k(u, v) \mid u], \ \zeta_2 = \mathrm{Var}\,k(u, v)

    with both estimated without bias from pairs that share one code, two or none, and
    :math:`\zeta_1` not below 0. Under the uniform law :math:`\zeta_1 = 0`, by symmetry, and
    :math:`\zeta_2 = C_{d,2t} - C_{d,t}^2`: the error falls as 1/N there, as :math:`1/\sqrt{N}`
    elsewhere. The kernel is visited by blocks: the memory is linear in N, the time quadratic.

    References
    ----------
    Paper L (LISA), Theorem 2 (Eqs. 26-27); Hoeffding, 1948, *A class of statistics with
    asymptotically normal distribution*.

    Examples
    --------
    >>> import numpy as np
    >>> angles = np.random.RandomState(0).uniform(0, np.pi, size=500)  # half of the circle
    >>> found = mmd_to_uniform(np.c_[np.cos(angles), np.sin(angles)])
    >>> found.value > 5 * found.standard_error
    True
    """
    U = check_unit_codes(U, "U", at_least=4)
    n, d = U.shape
    log_constant = uniform_log_kernel(d, t)
    constant = math.exp(log_constant)
    total = shared = both = 0.0  # sums of k_ij - C, of the squares of its rows, of its squares
    step = max(1, _ENTRIES // n)
    for i in range(0, n, step):
        kernel = U[i : i + step] @ U.T
        kernel = np.exp(2 * t * (kernel - 1)) - constant
        rows = np.arange(len(kernel))
        kernel[rows, i + rows] = 0  # a code is no pair with itself
        sums = kernel.sum(1)
        total += sums.sum()
        shared += (sums**2).sum()
        both += np.vdot(kernel, kernel)
    pairs, triples = n * (n - 1), n * (n - 1) * (n - 2)
    squared_mean = (total**2 - 4 * shared + 2 * both) / (triples * (n - 3))  # from disjoint pairs
    zeta_1 = max((shared - both) / triples - squared_mean, 0.0)
    zeta_2 = max(both / pairs - squared_mean, 0.0)
    # C(2t) - C(t)², with no cancellation where the kernel hardly varies
    uniform = constant**2 * math.expm1(uniform_log_kernel(d, 2 * t) - 2 * log_constant)
    return UniformMMD(
        value=float(total / pairs),
        standard_error=math.sqrt((4 * (n - 2) * zeta_1 + 2 * zeta_2) / pairs),
        uniform_standard_error=math.sqrt(2 * max(uniform, 0.0) / pairs),
        n_codes=n,
        n_components=d,
        t=float(t),
    )


@dataclass(frozen=True, repr=False)
class SphereWasserstein(Result):
    """What :func:`sphere_wasserstein` found.

    Attributes
    ----------
    value : float
        Distance, in radians; mean over the subsamples where there are several.
    standard_error : float
        Of ``value`` over the choice of subsamples; 0 where all codes were used.
    n_points : int
        Codes on each side of a subsample. Distances at different numbers are not comparable.
    n_repeats : int
        Subsamples; 1 where all codes were used.
    order : float
        The order p of the distance.
    """

    value: float
    standard_error: float
    n_points: int
    n_repeats: int
    order: float

    @property
    def summary(self) -> str:
        """One line."""
        error = f" ± {self.standard_error:.2g}" if self.n_repeats > 1 else ""
        return (
            f"W{self.order:g} on the sphere {self.value:.3g}{error} rad; {self.n_points} codes on "
            f"each side, {self.n_repeats} subsample{'s' if self.n_repeats > 1 else ''}"
        )

    def to_frame(self) -> pd.DataFrame:
        """One row, a column for each attribute."""
        return pd.DataFrame([asdict(self)])


def sphere_wasserstein(
    U: Any,
    V: Any,
    *,
    order: float = 1,
    max_points: int = 1000,
    n_repeats: int = 10,
    random_state: Any = None,
) -> SphereWasserstein:
    r"""Wasserstein distance between two sets of unit codes, for the geodesic distance.

    .. math:: W_p = \min_\pi \Big( \frac1m \sum_i d_S(u_i, v_{\pi(i)})^p \Big)^{1/p}, \qquad
       d_S(u, v) = \arccos\, u \cdot v

    over permutations: exact between two sets of m codes, by linear assignment.

    Parameters
    ----------
    U, V : array-like of shape (N, d), (M, d)
        Unit codes, :math:`d \ge 2`.
    order : float, default=1
        The order :math:`p \ge 1`; 1 in paper L.
    max_points : int, default=1000
        Codes on each side, at most. The time grows with the cube.
    n_repeats : int, default=10
        Subsamples, at least 2. Used where N and M differ or exceed ``max_points``: both sides are
        then subsampled to min(N, M, max_points), without replacement.
    random_state : int, RandomState or None, default=None
        For the subsamples; None draws from numpy's global state.

    Returns
    -------
    SphereWasserstein
        Value, standard error, ``summary``, ``to_frame()``.

    Raises
    ------
    ValueError, TypeError
        If a code is not of unit length or not finite, the dimensions differ, there is no code,
        d < 2, or a parameter is out of its range.

    Notes
    -----
    The distance between two samples of *one* law is not 0: it falls as :math:`m^{-1/(d-1)}` only.
    So it is biased upwards as an estimate of the distance between the laws. Read it beside the
    distance between two independent samples of the same law, of as many codes.

    References
    ----------
    Paper L (LISA), Eq. 21 and Theorem 1.

    Examples
    --------
    >>> round(sphere_wasserstein([[1.0, 0.0]], [[0.0, 1.0]]).value, 4)
    1.5708
    """
    U, V = check_unit_codes(U, "U"), check_unit_codes(V, "V")
    if U.shape[1] != V.shape[1]:
        raise ValueError(
            f"U has {U.shape[1]} components and V {V.shape[1]}: they must be the same."
        )
    if isinstance(order, bool) or not isinstance(order, Real) or not 1 <= order < math.inf:
        raise ValueError(f"order={order!r} must be a number in [1, inf).")
    m = min(len(U), len(V), check_count("max_points", max_points, 1))
    n_repeats = check_count("n_repeats", n_repeats, 2)
    if len(U) == len(V) == m:
        return SphereWasserstein(_assigned(U, V, order), 0.0, m, 1, float(order))
    rng = check_random_state(random_state)
    values = [
        _assigned(U[rng.permutation(len(U))[:m]], V[rng.permutation(len(V))[:m]], order)
        for _ in range(n_repeats)
    ]
    error = float(np.std(values, ddof=1) / math.sqrt(n_repeats))
    return SphereWasserstein(float(np.mean(values)), error, m, n_repeats, float(order))


def _assigned(U: np.ndarray, V: np.ndarray, order: float) -> float:
    # Half of the angle has |u - v| : |u + v| as its tangent: exact for equal and for opposite
    # codes, where the arc cosine has lost half of the digits.
    costs = (2 * np.arctan2(cdist(U, V), cdist(U, -V))) ** order
    return float(costs[linear_sum_assignment(costs)].mean() ** (1 / order))


def check_unit_codes(U: Any, name: str, at_least: int = 1) -> np.ndarray:
    """Return codes as float64 of exactly unit length, or raise if they are not unit codes.

    Examples
    --------
    >>> check_unit_codes([[0.6, 0.8]], "U")
    array([[0.6, 0.8]])
    """
    U = check_array(U, dtype=np.float64, input_name=name, ensure_min_samples=0)
    if len(U) < at_least:
        raise ValueError(f"{name} has {len(U)} codes: it must have at least {at_least}.")
    if U.shape[1] < 2:
        raise ValueError(f"{name} has codes of one component, which have no direction: d >= 2.")
    norms = np.linalg.norm(U, axis=1, keepdims=True)
    worst = int(np.abs(norms - 1).argmax())
    if abs(norms[worst, 0] - 1) > _UNIT:
        raise ValueError(
            f"{name} must hold unit codes, but {name}[{worst}] has norm {norms[worst, 0]:.6g}. "
            "Take codes from transform of a spherical model, or divide each by its norm."
        )
    return U / norms
