"""The geometric autoencoder."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import Tensor

from geomgen._fields import Count, NonNegative, estimator
from geomgen._training import Terms
from geomgen.losses import tangents
from geomgen.losses.distortion import area_distortion
from geomgen.models.ae import AE
from geomgen.nn import LatentVariableModel

__all__ = ["GeometricAE"]


@estimator
class GeometricAE(AE):
    r"""Autoencoder whose decoder stretches areas alike everywhere.

    .. math:: \mathcal{L} = \mathbb{E}_x \|D(E(x)) - x\|^2
       + \lambda\, \mathrm{Var}_x \log \sqrt{\det J_D^\top J_D}(E(x))

    What looks large among the codes is then large among the rows. The gradient reaches the
    encoder too, unless activations are piecewise linear.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    See Also
    --------
    geomgen.losses.area_distortion : The second term.

    References
    ----------
    Nazari, Damrich and Hamprecht, 2023, *Geometric autoencoders - what you see is what you
    decode*, the determinant regulariser.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = GeometricAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'area', 'seconds']
    """

    lam: Annotated[NonNegative, "Weight λ of the variance of the log area element."] = 0.03
    n_codes: Annotated[
        Count | None, "Codes of a batch whose area elements are compared; None takes all."
    ] = 32

    _paper: ClassVar[str] = "Nazari et al., 2023"
    _equation: ClassVar[str] = "determinant regulariser"

    def _penalties(
        self, model: LatentVariableModel, x: Tensor, z: Tensor, generator: torch.Generator
    ) -> Terms:
        few = z[: self.n_codes]  # batches are in random order
        J = tangents(model.decoder.map, few, torch.eye(z.shape[1]).to(z))
        return {"area": self.lam * area_distortion(J)}
