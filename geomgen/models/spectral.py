"""The autoencoder with spectral normalisation."""

from __future__ import annotations

from typing import Annotated, ClassVar

from geomgen._fields import Positive, estimator
from geomgen._random import generator, substream
from geomgen.models.ae import AE
from geomgen.nn import LatentVariableModel, spectrally_normalised

__all__ = ["SpectralNormAE"]


@estimator
class SpectralNormAE(AE):
    r"""Autoencoder whose every layer has a fixed spectral norm.

    .. math:: \mathcal{L} = \mathbb{E}_x \|D(E(x)) - x\|^2, \qquad
       \bar{W} = c\, W / \sigma(W) \text{ in every layer of } E \text{ and } D

    A map of L such layers stretches by :math:`c^L` at most, with activations that do not stretch
    (SiLU and GELU do, by 1.1). With the paper's c = 1 neither half can expand, and small images are
    lost: a SiLU unit near 0 halves what it is given. c = 2 makes up for that.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Miyato et al., 2018, *Spectral normalization for generative adversarial networks*, Eq. 8 and
    Algorithm 1; paper G (GA-AE), section 5.2.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = SpectralNormAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.transform(X).shape
    (150, 2)
    """

    coefficient: Annotated[
        Positive,
        """Largest singular value c of every layer's weights; 1 in the paper. Beyond 3 the maps are
        steep, and hard to train.""",
    ] = 2.0

    _paper: ClassVar[str] = "Miyato et al., 2018"
    _equation: ClassVar[str] = "Eq. 8; paper G, section 5.2"
    _structure: ClassVar[tuple[str, ...]] = ("coefficient",)

    def _build(self, n_features: int) -> LatentVariableModel:
        model = super()._build(n_features)
        start = generator(substream(self._seed, 0, 1))
        spectrally_normalised(model, self.coefficient, start)
        return model
