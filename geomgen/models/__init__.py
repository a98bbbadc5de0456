"""The models: each its parameters and its paper's equation."""

from geomgen.models.aae import AAE
from geomgen.models.ae import AE
from geomgen.models.constant_variance import ConstantVarianceVAE
from geomgen.models.contractive import ContractiveAE
from geomgen.models.flat import FlatVAE
from geomgen.models.flow_posterior import FlowPosteriorVAE
from geomgen.models.geo import GeoVAE
from geomgen.models.geometric import GeometricAE
from geomgen.models.geometry_regularized import GeometryRegularizedAE
from geomgen.models.gmmdae import GMMDAE
from geomgen.models.grassmann import GrassmannAE
from geomgen.models.hamiltonian import HamiltonianVAE
from geomgen.models.infovae import InfoVAE
from geomgen.models.irmae import IRMAE
from geomgen.models.lisa import LISAGenerator
from geomgen.models.lorae import LoRAE
from geomgen.models.pca import PCAGenerator
from geomgen.models.rae import RAE
from geomgen.models.spectral import SpectralNormAE
from geomgen.models.spherical import SphericalAE
from geomgen.models.spherical_vae import SphericalVAE
from geomgen.models.topological import TopologicalAE
from geomgen.models.two_stage import TwoStageVAE
from geomgen.models.vae import VAEGenerator
from geomgen.models.vamp import VampPriorVAE
from geomgen.models.vqvae import VQVAE
from geomgen.models.wae import WAE

__all__ = [
    "AAE",
    "AE",
    "ConstantVarianceVAE",
    "ContractiveAE",
    "FlatVAE",
    "FlowPosteriorVAE",
    "GMMDAE",
    "GeoVAE",
    "GeometricAE",
    "GeometryRegularizedAE",
    "GrassmannAE",
    "HamiltonianVAE",
    "IRMAE",
    "InfoVAE",
    "LISAGenerator",
    "LoRAE",
    "PCAGenerator",
    "RAE",
    "SpectralNormAE",
    "SphericalAE",
    "SphericalVAE",
    "TopologicalAE",
    "TwoStageVAE",
    "VAEGenerator",
    "VQVAE",
    "VampPriorVAE",
    "WAE",
]
