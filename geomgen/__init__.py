"""Generative autoencoders for scikit-learn: fit on rows, sample new rows, know the rare ones."""

from geomgen import datasets, losses, metrics, samplers
from geomgen.base import GenerativeAutoencoder
from geomgen.calibration import RareModeCalibrator
from geomgen.models import (
    AAE,
    AE,
    GMMDAE,
    IRMAE,
    RAE,
    VQVAE,
    WAE,
    ConstantVarianceVAE,
    ContractiveAE,
    FlatVAE,
    FlowPosteriorVAE,
    GeometricAE,
    GeometryRegularizedAE,
    GeoVAE,
    GrassmannAE,
    HamiltonianVAE,
    InfoVAE,
    LISAGenerator,
    LoRAE,
    PCAGenerator,
    SpectralNormAE,
    SphericalAE,
    SphericalVAE,
    TopologicalAE,
    TwoStageVAE,
    VAEGenerator,
    VampPriorVAE,
)
from geomgen.pipeline import sample

from geomgen import diagnostics, tabular, utils  # isort: skip  (they look at what is above)

__version__ = "0.1.0.dev0"

from geomgen.files import ModelFileError, load, save  # noqa: E402 (they look at all of it)
from geomgen.reporting import Report, report  # noqa: E402

__all__ = [
    "AAE",
    "AE",
    "ConstantVarianceVAE",
    "ContractiveAE",
    "FlatVAE",
    "FlowPosteriorVAE",
    "GMMDAE",
    "GenerativeAutoencoder",
    "GeoVAE",
    "GeometricAE",
    "GeometryRegularizedAE",
    "GrassmannAE",
    "HamiltonianVAE",
    "IRMAE",
    "InfoVAE",
    "LISAGenerator",
    "LoRAE",
    "ModelFileError",
    "PCAGenerator",
    "RAE",
    "RareModeCalibrator",
    "Report",
    "SpectralNormAE",
    "SphericalAE",
    "SphericalVAE",
    "TopologicalAE",
    "TwoStageVAE",
    "VAEGenerator",
    "VQVAE",
    "VampPriorVAE",
    "WAE",
    "datasets",
    "diagnostics",
    "load",
    "losses",
    "metrics",
    "report",
    "sample",
    "samplers",
    "save",
    "tabular",
    "utils",
]
