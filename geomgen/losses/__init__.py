"""Loss terms as pure functions of tensors and modules: one equation, one function."""

from geomgen.losses.discrepancy import coverage
from geomgen.losses.divergence import kl
from geomgen.losses.geometry import (
    blade_entropy,
    grassmann_similarity,
    grassmann_spread,
    log_k_volume,
    volume_preservation,
)
from geomgen.losses.jacobian import jacobian_penalty
from geomgen.losses.reconstruction import negative_log_likelihood, squared_error
from geomgen.losses.sphere import uniform_log_kernel, uniformity, uniformity_excess
from geomgen.losses.tangents import random_frames, tangents

__all__ = [
    "blade_entropy",
    "coverage",
    "grassmann_similarity",
    "grassmann_spread",
    "jacobian_penalty",
    "kl",
    "log_k_volume",
    "negative_log_likelihood",
    "random_frames",
    "squared_error",
    "tangents",
    "uniform_log_kernel",
    "uniformity",
    "uniformity_excess",
    "volume_preservation",
]
