"""The models: each its parameters and its paper's equation."""

from geomgen.models.ae import AE
from geomgen.models.grassmann import GrassmannAE
from geomgen.models.lisa import LISAGenerator
from geomgen.models.spherical import SphericalAE
from geomgen.models.vae import VAEGenerator

__all__ = ["AE", "GrassmannAE", "LISAGenerator", "SphericalAE", "VAEGenerator"]
