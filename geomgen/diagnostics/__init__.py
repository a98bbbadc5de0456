"""Diagnostics of fitted autoencoders: what they do to the latent space, on and off the manifold.

Each takes a fitted autoencoder, or a Pipeline or a search that ends in one, and rows; and returns
arrays with a one-line ``summary`` and a table, ``to_frame()``.
"""

from geomgen.diagnostics.collapse import Collapse, collapse
from geomgen.diagnostics.consistency import Consistency, encoder_decoder_consistency
from geomgen.diagnostics.displays import (
    CoverageDisplay,
    GapDisplay,
    HistoryDisplay,
    LatentDisplay,
    RadialSensitivityDisplay,
    SamplersDisplay,
    SamplesDisplay,
    SpectrumDisplay,
    VolumeDisplay,
)
from geomgen.diagnostics.gap import GenerativeGap, generative_gap
from geomgen.diagnostics.lipschitz import (
    LipschitzConstant,
    lipschitz_constant,
    sampling_risk_bound,
)
from geomgen.diagnostics.projected import (
    ProjectedDensity,
    projected_density,
    projected_mixture_logpdf,
    projected_normal_logpdf,
)
from geomgen.diagnostics.radial import RadialSensitivity, radial_sensitivity
from geomgen.diagnostics.spectrum import DirectionalSpectrum, directional_spectrum
from geomgen.diagnostics.sphere import (
    SphereWasserstein,
    UniformMMD,
    mmd_to_uniform,
    sphere_wasserstein,
)
from geomgen.diagnostics.volumes import KVolumes, k_volumes

__all__ = [
    "Collapse",
    "Consistency",
    "CoverageDisplay",
    "DirectionalSpectrum",
    "GapDisplay",
    "GenerativeGap",
    "HistoryDisplay",
    "KVolumes",
    "LatentDisplay",
    "LipschitzConstant",
    "ProjectedDensity",
    "RadialSensitivity",
    "RadialSensitivityDisplay",
    "SamplersDisplay",
    "SamplesDisplay",
    "SpectrumDisplay",
    "SphereWasserstein",
    "UniformMMD",
    "VolumeDisplay",
    "collapse",
    "directional_spectrum",
    "encoder_decoder_consistency",
    "generative_gap",
    "k_volumes",
    "lipschitz_constant",
    "mmd_to_uniform",
    "projected_density",
    "projected_mixture_logpdf",
    "projected_normal_logpdf",
    "radial_sensitivity",
    "sampling_risk_bound",
    "sphere_wasserstein",
]
