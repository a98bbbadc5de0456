"""Data sets: generated, of scikit-learn, and images that are fetched when asked for."""

from geomgen.datasets.digits import make_rare_digits
from geomgen.datasets.fetch import fetch_cifar10, fetch_lfw, fetch_mnist
from geomgen.datasets.ring import RingMixture, make_ring_mixture

__all__ = [
    "RingMixture",
    "fetch_cifar10",
    "fetch_lfw",
    "fetch_mnist",
    "make_rare_digits",
    "make_ring_mixture",
]
