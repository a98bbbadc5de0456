"""Loss terms as pure functions of tensors and modules: one equation, one function."""

from geomgen.losses.adversarial import critic_loss, generator_loss
from geomgen.losses.discrepancy import coverage, energy, mmd, sliced_wasserstein
from geomgen.losses.distortion import area_distortion, metric_flatness
from geomgen.losses.divergence import kl
from geomgen.losses.geometry import (
    blade_entropy,
    grassmann_similarity,
    grassmann_spread,
    log_k_volume,
    volume_preservation,
)
from geomgen.losses.jacobian import jacobian_penalty
from geomgen.losses.marginals import covariance_error, kolmogorov_smirnov
from geomgen.losses.reconstruction import (
    negative_log_likelihood,
    reconstruction_error,
    squared_error,
)
from geomgen.losses.spectrum import nuclear_norm
from geomgen.losses.sphere import uniform_log_kernel, uniformity, uniformity_excess
from geomgen.losses.tangents import random_frames, tangents
from geomgen.losses.topology import spanning_tree, topological_loss

__all__ = [
    "area_distortion",
    "blade_entropy",
    "covariance_error",
    "coverage",
    "critic_loss",
    "generator_loss",
    "energy",
    "grassmann_similarity",
    "grassmann_spread",
    "jacobian_penalty",
    "kl",
    "kolmogorov_smirnov",
    "log_k_volume",
    "metric_flatness",
    "mmd",
    "negative_log_likelihood",
    "nuclear_norm",
    "random_frames",
    "reconstruction_error",
    "sliced_wasserstein",
    "spanning_tree",
    "squared_error",
    "tangents",
    "topological_loss",
    "uniform_log_kernel",
    "uniformity",
    "uniformity_excess",
    "volume_preservation",
]
