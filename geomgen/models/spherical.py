"""The autoencoder with codes on the sphere."""

from __future__ import annotations

from typing import ClassVar

from geomgen._fields import estimator
from geomgen.manifolds import Euclidean, Sphere
from geomgen.models.ae import AE
from geomgen.nn import StandardNormal, UniformSphere

__all__ = ["SphericalAE"]


@estimator
class SphericalAE(AE):
    r"""Autoencoder whose decoder sees only the direction of a code.

    .. math:: \mathcal{L} = \mathbb{E}_x \|D(\Pi(E(x))) - x\|^2, \qquad \Pi(z) = z / \|z\|

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Paper L (LISA), Eqs. 6 and 11, "AE (Sphere)" of its tables.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> Z = SphericalAE(n_components=3, max_epochs=5, random_state=0).fit_transform(X)
    >>> bool(np.allclose(np.linalg.norm(Z, axis=1), 1, atol=1e-6))
    True
    """

    _paper: ClassVar[str] = "Paper L (LISA)"
    _equation: ClassVar[str] = "Eq. 6"
    _manifold: ClassVar[Euclidean | Sphere] = Sphere()
    _prior: ClassVar[type[StandardNormal]] = UniformSphere
