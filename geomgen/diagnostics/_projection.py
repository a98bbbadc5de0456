"""The radial integral of a projected normal density (paper L, Eq. 17), in log space."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.utils.validation import check_array

__all__ = ["cholesky_factors", "log_projected_normal", "log_radial"]

_STRETCH = 3.5
_STEP = 0.2
_NODES = np.arange(-12, 8 + _STEP / 2, _STEP)  # the integrand's left tail is the slower one


def cholesky_factors(covariances: Any, n: int, d: int) -> list[np.ndarray]:
    """Cholesky factors of n covariances, or raise if one is none."""
    covariances = check_array(
        covariances, dtype=np.float64, allow_nd=True, ensure_2d=False, input_name="covariances"
    )
    if covariances.shape != (n, d, d):
        raise ValueError(
            f"The covariances have shape {covariances.shape}: {n} of shape ({d}, {d}) are needed."
        )
    for k, covariance in enumerate(covariances):
        if not np.allclose(
            covariance, covariance.T, rtol=1e-6, atol=1e-9 * np.abs(covariance).max()
        ):
            raise ValueError(f"covariance {k} of {n} is not symmetric.")
        spectrum = np.linalg.eigvalsh(covariance)
        if spectrum[0] <= d * np.finfo(float).eps * spectrum[-1]:
            raise ValueError(
                f"covariance {k} of {n} is singular (eigenvalues from {spectrum[0]:.2g} to "
                f"{spectrum[-1]:.2g}): the projected law has no density on the whole sphere. Fit "
                "more codes, fewer components, or add a ridge to the diagonal."
            )
    return [np.linalg.cholesky(covariance) for covariance in covariances]


def log_projected_normal(U: np.ndarray, mean: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Log density at unit codes U of the directions of N(mean, factor factorᵀ)."""
    d = len(mean)
    w = solve_triangular(factor, mean, lower=True)
    V = solve_triangular(factor, U.T, lower=True)
    norms = np.sqrt((V * V).sum(0))
    V /= norms
    beta = w @ V
    across = ((w[:, None] - V * beta) ** 2).sum(0)  # |w|² - beta², without the cancellation
    volume = np.log(np.diag(factor)).sum() + d / 2 * math.log(2 * math.pi)
    return log_radial(beta, d) - across / 2 - d * np.log(norms) - volume


def log_radial(beta: np.ndarray, d: int) -> np.ndarray:
    r"""Log of the integral of :math:`s^{d-1} e^{-(s-\beta)^2/2}` over s > 0.

    In x = log s the integrand is smooth and log-concave, with its mode at
    :math:`s = (\beta + \sqrt{\beta^2 + 4d}) / 2` and curvature :math:`-(s^2 + d)` there. Relative
    to the mode, with :math:`e = e^{x - x_0} - 1`, its log is
    :math:`-d (e - (x - x_0)) - s^2 e^2 / 2`. The step in x grows as a sinh, to follow the slow
    left tail of few dimensions; the trapezoidal rule converges geometrically.
    """
    root = np.hypot(beta, 2 * math.sqrt(d))
    mode = np.where(beta > 0, (beta + root) / 2, 2 * d / (root - np.minimum(beta, 0)))
    width = 1 / np.sqrt(mode**2 + d)
    x = np.outer(width, _STRETCH * np.sinh(_NODES / _STRETCH))
    e = np.expm1(x)
    heights = np.exp(-d * (e - x) - (mode[:, None] * e) ** 2 / 2)
    area = width * (heights @ np.cosh(_NODES / _STRETCH)) * _STEP
    return d * np.log(mode) - (d / mode) ** 2 / 2 + np.log(area)
