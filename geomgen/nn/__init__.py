"""Neural parts: networks, posteriors, priors, and the model that joins them."""

from geomgen.nn.codebook import Codebook
from geomgen.nn.constant_variance import ConstantVariancePosterior
from geomgen.nn.conv import Residual, conv_decoder, conv_encoder
from geomgen.nn.flow_posterior import AutoregressiveFlow, FlowPosterior, PlanarFlow, RadialFlow
from geomgen.nn.hamiltonian import TemperedLeapfrog
from geomgen.nn.heads import (
    BernoulliLikelihood,
    GaussianLikelihood,
    Head,
    LearntGaussianLikelihood,
    NormalPosterior,
    PointPosterior,
)
from geomgen.nn.images import ImageLayout, RandomFlip, RandomShift, ToImage, ToRow
from geomgen.nn.linear import LinearChain
from geomgen.nn.mixed import FEATURE_KINDS, MixedLikelihood
from geomgen.nn.mixture_prior import MixturePrior
from geomgen.nn.mlp import ACTIVATIONS, mlp
from geomgen.nn.model import LatentVariableModel
from geomgen.nn.priors import StandardNormal, UniformSphere
from geomgen.nn.spectral import spectrally_normalised
from geomgen.nn.spherical_heads import PowerSphericalPosterior, VonMisesFisherPosterior
from geomgen.nn.vamp_prior import VampPrior

__all__ = [
    "ACTIVATIONS",
    "AutoregressiveFlow",
    "BernoulliLikelihood",
    "Codebook",
    "ConstantVariancePosterior",
    "FEATURE_KINDS",
    "FlowPosterior",
    "GaussianLikelihood",
    "Head",
    "ImageLayout",
    "LatentVariableModel",
    "LearntGaussianLikelihood",
    "LinearChain",
    "MixedLikelihood",
    "MixturePrior",
    "NormalPosterior",
    "PlanarFlow",
    "PointPosterior",
    "PowerSphericalPosterior",
    "RadialFlow",
    "RandomFlip",
    "RandomShift",
    "Residual",
    "StandardNormal",
    "TemperedLeapfrog",
    "ToImage",
    "ToRow",
    "UniformSphere",
    "VampPrior",
    "VonMisesFisherPosterior",
    "conv_decoder",
    "conv_encoder",
    "mlp",
    "spectrally_normalised",
]
