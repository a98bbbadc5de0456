"""The variational autoencoder with codes on the sphere."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from torch import nn

from geomgen._fields import estimator
from geomgen.manifolds import Euclidean, Sphere
from geomgen.models.vae import VAEGenerator
from geomgen.nn import (
    Head,
    PowerSphericalPosterior,
    StandardNormal,
    UniformSphere,
    VonMisesFisherPosterior,
)

__all__ = ["SphericalVAE"]


@estimator
class SphericalVAE(VAEGenerator):
    r"""S-VAE: a VAE with codes on the sphere.

    .. math:: \mathcal{L} = -\mathbb{E}_{q(z|x)} \log p(x|z)
       + \beta\, \mathrm{KL}\big(q(z|x) \,\|\, \mathcal{U}(S^{d-1})\big), \qquad
       q(z|x) = \mathrm{vMF}(z; \mu(x), \kappa(x))

    The divergence, :math:`\kappa A_d(\kappa) - \log \mathbb{E}_{z \sim \mathcal{U}}
    e^{\kappa \mu \cdot z}`, does not depend on the direction :math:`\mu`: unlike the normal prior,
    the uniform one pulls no code anywhere. ``transform``, and any sampler but the prior, use the
    directions.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Davidson, Falorsi, De Cao, Kipf and Tomczak, 2018, *Hyperspherical variational auto-encoders*,
    section 3; De Cao and Aziz, 2020, *The power spherical distribution*.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> Z = SphericalVAE(n_components=3, max_epochs=5, random_state=0).fit_transform(X)
    >>> bool(np.allclose(np.linalg.norm(Z, axis=1), 1, atol=1e-6))
    True
    """

    posterior: Annotated[
        Literal["vmf", "power_spherical"],
        "The law of a code: von Mises-Fisher, or power spherical, which is faster.",
    ] = "vmf"

    _posterior: ClassVar[type[Head]] = VonMisesFisherPosterior
    _prior: ClassVar[type[StandardNormal]] = UniformSphere
    _manifold: ClassVar[Euclidean | Sphere] = Sphere()
    _paper: ClassVar[str] = "Davidson et al., 2018"
    _equation: ClassVar[str] = "section 3"
    _structure: ClassVar[tuple[str, ...]] = (*VAEGenerator._structure, "posterior")

    def _make_posterior(self, encoder: nn.Module) -> Head:
        power = self.posterior == "power_spherical"
        return (PowerSphericalPosterior if power else VonMisesFisherPosterior)(encoder)
