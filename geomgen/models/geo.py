"""The VAE sampled by the volume of its latent metric."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from geomgen._fields import estimator
from geomgen.models.vae import VAEGenerator

__all__ = ["GeoVAE"]


@estimator
class GeoVAE(VAEGenerator):
    r"""Geo-VAE: a VAE whose codes are drawn by the volume of the metric of its posteriors.

    .. math:: p(z) \propto \sqrt{\det G(z)}, \qquad
       G(z) = \sum_i \Sigma_i^{-1} e^{-(z - c_i)^\top \Sigma_i^{-1} (z - c_i) / \rho^2}
       + \lambda e^{-\tau \|z\|^2} I

    The training is that of :class:`VAEGenerator`. The :math:`\Sigma_i` are posterior covariances,
    at centroids :math:`c_i` of the codes; see :class:`~geomgen.samplers.RiemannianSampler`, which
    draws by Hamiltonian chains.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Chadebec and Allassonnière, 2022, *A geometric perspective on variational autoencoders*,
    section 4.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = GeoVAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.sampler_
    RiemannianSampler(random_state=...)
    """

    sampler: Annotated[Any, "Where new codes come from; see ``make_sampler``."] = "riemannian"

    _paper: ClassVar[str] = "Chadebec and Allassonnière, 2022"
    _equation: ClassVar[str] = "section 4"
