"""Codes in units in which they have mean 0 and covariance I, over the directions they vary in."""

from __future__ import annotations

import numpy as np

__all__ = ["on_the_flat", "whitening"]


def whitening(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, whitening map and its inverse, over the directions in which the codes vary."""
    mean = Z.mean(0)
    _, scale, directions = np.linalg.svd(Z - mean, full_matrices=False)
    scale = scale / np.sqrt(len(Z))
    kept = scale > max(1e-6 * scale.max(initial=0), 1e-12 * np.abs(Z).max())
    scale, directions = scale[kept], directions[kept]
    return mean, directions.T / scale, scale[:, None] * directions


def on_the_flat(
    Z: np.ndarray, mean: np.ndarray, unwhiten: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Whitened codes, and what to add to a log-density of them to make it one of codes.

    Codes that fill fewer dimensions than they have components have a density with respect to the
    volume of the flat that they fill; off it, -inf is added.
    """
    scale = np.linalg.norm(unwhiten, axis=1)
    U = (Z - mean) @ (unwhiten / scale[:, None] ** 2).T
    away = np.linalg.norm(Z - mean - U @ unwhiten, axis=1)
    on_flat = away <= 1e-8 * max(scale.max(initial=0), np.abs(Z).max(initial=0))
    return U, np.where(on_flat, -np.log(scale).sum(), -np.inf)
