"""Which samplers have a density."""

from __future__ import annotations

from typing import Any

from geomgen.manifolds import Euclidean, Sphere

__all__ = ["has_density"]


def has_density(sampler: Any) -> bool:
    """Return True, or raise the AttributeError that says why a sampler has none.

    Codes that are snapped to a codebook have probabilities, which the autoregressive sampler
    alone knows: for others the density would be that of the draws before they are snapped.
    """
    name = type(sampler).__name__
    if not hasattr(sampler, "_log_density"):
        raise AttributeError(f"{name} has no density in closed form.")
    manifold = getattr(sampler, "manifold_", Euclidean())
    if not isinstance(manifold, Euclidean | Sphere) and not sampler.discrete:
        raise AttributeError(
            f"{name} has no density on a codebook, which its draws are snapped to. Use "
            "sampler='autoregressive'."
        )
    return True
