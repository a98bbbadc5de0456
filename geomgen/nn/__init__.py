"""Neural parts: networks, posteriors, priors, and the model that joins them."""

from geomgen.nn.heads import (
    BernoulliLikelihood,
    GaussianLikelihood,
    Head,
    LearntGaussianLikelihood,
    NormalPosterior,
    PointPosterior,
)
from geomgen.nn.mlp import ACTIVATIONS, mlp
from geomgen.nn.model import LatentVariableModel
from geomgen.nn.priors import StandardNormal, UniformSphere

__all__ = [
    "ACTIVATIONS",
    "BernoulliLikelihood",
    "GaussianLikelihood",
    "Head",
    "LearntGaussianLikelihood",
    "LatentVariableModel",
    "NormalPosterior",
    "PointPosterior",
    "StandardNormal",
    "UniformSphere",
    "mlp",
]
