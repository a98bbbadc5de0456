"""The topological autoencoder."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import Tensor

from geomgen._fields import NonNegative, estimator
from geomgen._training import Terms
from geomgen.losses.topology import topological_loss
from geomgen.models.ae import AE
from geomgen.nn import LatentVariableModel

__all__ = ["TopologicalAE"]


@estimator
class TopologicalAE(AE):
    r"""Autoencoder whose codes merge into components as the rows do.

    .. math:: \mathcal{L} = \mathbb{E}_x \|D(E(x)) - x\|^2
       + \lambda\, (\mathcal{L}_{X \to Z} + \mathcal{L}_{Z \to X})

    The second term compares, over a batch, the distances that matter to 0-dimensional persistent
    homology: the edges of the rows' minimum spanning tree, and of the codes'. Distances are
    relative to the largest of a batch, so the units of rows and codes do not count. The trees are
    built on the CPU.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    See Also
    --------
    geomgen.losses.topological_loss : The second term.

    References
    ----------
    Moor et al., 2020, *Topological autoencoders*, Eqs. 1-4.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = TopologicalAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'topology', 'seconds']
    """

    lam: Annotated[NonNegative, "Weight λ of the topological term (Eq. 1)."] = 5.0

    _paper: ClassVar[str] = "Moor et al., 2020"
    _equation: ClassVar[str] = "Eqs. 1-4"

    def _penalties(
        self, model: LatentVariableModel, x: Tensor, z: Tensor, generator: torch.Generator
    ) -> Terms:
        return {"topology": self.lam * topological_loss(x, z)}
