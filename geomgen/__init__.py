"""Generative autoencoders for scikit-learn: fit on rows, sample new rows, know the rare ones."""

from geomgen import datasets, losses, metrics, samplers
from geomgen.base import GenerativeAutoencoder
from geomgen.calibration import RareModeCalibrator
from geomgen.models import AE, GrassmannAE, LISAGenerator, SphericalAE, VAEGenerator
from geomgen.pipeline import sample

from geomgen import diagnostics, utils  # isort: skip  (they look at what is above)

__version__ = "0.1.0.dev0"

__all__ = [
    "AE",
    "GenerativeAutoencoder",
    "GrassmannAE",
    "LISAGenerator",
    "RareModeCalibrator",
    "SphericalAE",
    "VAEGenerator",
    "datasets",
    "diagnostics",
    "losses",
    "metrics",
    "sample",
    "samplers",
    "utils",
]
