"""Data sets that are generated or that scikit-learn ships: nothing is downloaded."""

from geomgen.datasets.digits import make_rare_digits
from geomgen.datasets.ring import RingMixture, make_ring_mixture

__all__ = ["RingMixture", "make_rare_digits", "make_ring_mixture"]
