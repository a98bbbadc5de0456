"""Log densities of Gaussian mixtures, in R^d or projected onto the sphere (paper L, Lemma 1)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from scipy.special import gammaln
from sklearn.utils import gen_batches

__all__ = ["component_batches", "log_area", "log_mixture", "log_projected_normal", "log_radial"]

_STRETCH = 3.5
_STEP = 0.2
_NODES = np.arange(-12, 8 + _STEP / 2, _STEP)  # the integrand's left tail is the slower one
_ENTRIES = 2**18  # numbers in a tile, which stays in the processor's cache
_NEGLIGIBLE = 50.0  # nats below the likeliest component: a share of 1e-22

Block = tuple[np.ndarray, np.ndarray, np.ndarray]


def log_area(d: int) -> float:
    """Log of the surface of the unit sphere of R^d."""
    return math.log(2) + d / 2 * math.log(math.pi) - float(gammaln(d / 2))


def component_batches(n: int, d: int) -> Iterator[slice]:
    """Split n components of d dimensions into blocks that :func:`log_mixture` is fast with."""
    return gen_batches(n, max(1, 2**10 // d))


def log_mixture(Z: np.ndarray, blocks: Iterable[Block], on_sphere: bool) -> np.ndarray:
    """Log density of a Gaussian mixture at codes Z of shape (n, d), or at unit codes.

    The mixture comes in blocks of components: weights (K,), means (K, d) and covariances
    (K, d, d), or (1, d, d) where they share one. With ``on_sphere`` it is the density of the
    draws' directions, with respect to the surface measure.
    """
    total = np.full(len(Z), -np.inf)
    for weights, means, covariances in blocks:
        factors = _factors(covariances)
        with np.errstate(divide="ignore"):  # a component of weight 0 adds nothing
            log_weights = np.log(weights)[:, None]
        for rows in gen_batches(len(Z), max(1, _ENTRIES // means.size)):
            log_densities = _log_normals(Z[rows], means, factors, on_sphere)
            part = np.logaddexp.reduce(log_weights + log_densities, axis=0)
            total[rows] = np.logaddexp(total[rows], part)
    return total


def log_projected_normal(U: np.ndarray, mean: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Log density at unit codes U of the directions of N(mean, factor factorᵀ)."""
    return _log_normals(U, mean[None], factor[None], on_sphere=True)[0]


def _factors(covariances: np.ndarray) -> np.ndarray:
    """Cholesky factors of covariances, or raise where one is singular."""
    d = covariances.shape[-1]
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    try:
        factors = np.linalg.cholesky(covariances)
        pivots = np.diagonal(factors, axis1=1, axis2=2) ** 2
        singular = (pivots <= 10 * d * np.finfo(float).eps * variances).any()
    except np.linalg.LinAlgError:
        singular = True
    if singular:
        raise ValueError(
            f"The covariance of a component is singular: its draws fill fewer than {d} dimensions "
            "and have no density. Fit more codes, leave out constant and collinear components, "
            "or raise the sampler's ridge where it has one."
        )
    return factors


def _log_normals(
    Z: np.ndarray, means: np.ndarray, factors: np.ndarray, on_sphere: bool
) -> np.ndarray:
    r"""Log densities of each of K normals, or of their directions, at each of n codes: (K, n).

    With :math:`w = L^{-1}\mu`, :math:`v = L^{-1}z` and, on the sphere,
    :math:`\beta = w \cdot v / \|v\|`, whose radial integral is :func:`log_radial`.
    """
    d = Z.shape[1]
    whiten = np.linalg.inv(factors)
    w = whiten @ means[:, :, None]
    V = (whiten.reshape(-1, d) @ Z.T).reshape(len(whiten), d, -1)  # one product for all
    log_pivots = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(1)
    volume = log_pivots[:, None] + d / 2 * math.log(2 * math.pi)
    if not on_sphere:
        return -_squares(V - w) / 2 - volume
    norms = np.sqrt(_squares(V))
    V /= norms[:, None]
    beta = (np.swapaxes(w, 1, 2) @ V)[:, 0]
    across = _squares(w - V * beta[:, None])  # |w|² - beta², without the cancellation
    rest = -across / 2 - d * np.log(norms) - volume
    radial = _laplace(beta, d)
    likely = radial + rest
    matters = likely > likely.max(0) - _NEGLIGIBLE  # the others' approximation is good enough
    radial[matters] = log_radial(beta[matters], d)
    return radial + rest


def _squares(V: np.ndarray) -> np.ndarray:
    """Squared norms of the columns of matrices: (K, d, n) -> (K, n)."""
    return np.einsum("kdn,kdn->kn", V, V)


def log_radial(beta: np.ndarray, d: int) -> np.ndarray:
    r"""Log of the integral of :math:`s^{d-1} e^{-(s-\beta)^2/2}` over s > 0.

    In x = log s the integrand is smooth and log-concave, with its mode at
    :math:`s = (\beta + \sqrt{\beta^2 + 4d}) / 2` and curvature :math:`-(s^2 + d)` there. Relative
    to the mode, with :math:`e = e^{x - x_0} - 1`, its log is
    :math:`-d (e - (x - x_0)) - s^2 e^2 / 2`. The step in x grows as a sinh, to follow the slow
    left tail of few dimensions; the trapezoidal rule converges geometrically.
    """
    mode = _mode(beta, d)
    width = 1 / np.sqrt(mode**2 + d)
    area = np.empty_like(mode)
    for part in gen_batches(len(mode), _ENTRIES // len(_NODES)):
        x = np.outer(width[part], _STRETCH * np.sinh(_NODES / _STRETCH))
        e = np.expm1(x)
        heights = np.exp(-d * (e - x) - (mode[part, None] * e) ** 2 / 2)
        area[part] = width[part] * (heights @ np.cosh(_NODES / _STRETCH)) * _STEP
    return d * np.log(mode) - (d / mode) ** 2 / 2 + np.log(area)


def _laplace(beta: np.ndarray, d: int) -> np.ndarray:
    """Laplace's approximation of :func:`log_radial`: 0.2 nats off at most."""
    mode = _mode(beta, d)
    return d * np.log(mode) - (d / mode) ** 2 / 2 + np.log(2 * math.pi / (mode**2 + d)) / 2


def _mode(beta: np.ndarray, d: int) -> np.ndarray:
    root = np.hypot(beta, 2 * math.sqrt(d))
    return np.where(beta > 0, (beta + root) / 2, 2 * d / (root - np.minimum(beta, 0)))
