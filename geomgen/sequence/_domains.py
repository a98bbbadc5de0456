"""Where codes may be searched for: the box of known codes, or the sphere."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from geomgen.manifolds import Sphere

__all__ = ["Box", "UnitSphere", "domain_of"]


class Box:
    """The smallest box, with sides along the axes, that holds the codes.

    Parameters
    ----------
    Z : ndarray of shape (n, d)
        Codes.
    """

    def __init__(self, Z: np.ndarray) -> None:
        self.low, self.high = Z.min(0), Z.max(0)

    def draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        """Draw uniformly."""
        return rng.uniform(self.low, self.high, (n, len(self.low)))

    def project(self, Z: Tensor) -> Tensor:
        """Move codes to the nearest point of the box."""
        low, high = (torch.as_tensor(side, dtype=Z.dtype) for side in (self.low, self.high))
        return torch.maximum(torch.minimum(Z, high), low)


class UnitSphere:
    """The unit sphere, on which distances are chords.

    Parameters
    ----------
    Z : ndarray of shape (n, d)
        Codes, of unit length.
    """

    def __init__(self, Z: np.ndarray) -> None:
        self.low, self.high = -np.ones(Z.shape[1]), np.ones(Z.shape[1])

    def draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        """Draw uniformly."""
        Z = rng.standard_normal((n, len(self.low)))
        return Z / np.linalg.norm(Z, axis=1, keepdims=True)

    def project(self, Z: Tensor) -> Tensor:
        """Project codes radially."""
        return Sphere().project(Z)


def domain_of(Z: np.ndarray) -> Box | UnitSphere:
    """Sphere if all codes have unit length (to single precision) and d > 1; or else the box."""
    on_sphere = Z.shape[1] > 1 and np.allclose(np.linalg.norm(Z, axis=1), 1.0, atol=1e-4)
    return UnitSphere(Z) if on_sphere else Box(Z)
