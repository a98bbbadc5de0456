"""Pictures of fitted autoencoders, as scikit-learn's Display objects.

``from_estimator`` and its siblings compute and draw; the display that they return holds what was
drawn, and its ``plot(ax=None)`` draws it again, on axes of your own if you like. Displays that hold
numeric diagnostics keep these as they are, in ``result`` or ``results``.
"""

from geomgen.diagnostics.displays.coverage import CoverageDisplay
from geomgen.diagnostics.displays.directions import RadialSensitivityDisplay, SpectrumDisplay
from geomgen.diagnostics.displays.gaps import GapDisplay
from geomgen.diagnostics.displays.history import HistoryDisplay
from geomgen.diagnostics.displays.latent import LatentDisplay
from geomgen.diagnostics.displays.samplers import SamplersDisplay
from geomgen.diagnostics.displays.samples import SamplesDisplay
from geomgen.diagnostics.displays.volumes import VolumeDisplay

__all__ = [
    "CoverageDisplay",
    "GapDisplay",
    "HistoryDisplay",
    "LatentDisplay",
    "RadialSensitivityDisplay",
    "SamplersDisplay",
    "SamplesDisplay",
    "SpectrumDisplay",
    "VolumeDisplay",
]
