"""Distributions over codes and rows, drawn with a generator of their own."""

from geomgen.distributions.elementary import Delta, DiagonalNormal, IndependentBernoulli
from geomgen.distributions.mixed import IndependentCategorical, MixedColumns
from geomgen.distributions.spherical import PowerSpherical, SphericalUniform, VonMisesFisher

__all__ = [
    "Delta",
    "DiagonalNormal",
    "IndependentBernoulli",
    "IndependentCategorical",
    "MixedColumns",
    "PowerSpherical",
    "SphericalUniform",
    "VonMisesFisher",
]
