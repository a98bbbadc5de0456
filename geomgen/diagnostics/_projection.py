"""Covariances given by the user, and the density of projected normals (paper L, Eq. 17)."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from geomgen.samplers._projected import log_projected_normal, log_radial

__all__ = ["cholesky_factors", "log_projected_normal", "log_radial"]


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
