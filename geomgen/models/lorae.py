"""The low-rank autoencoder."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from geomgen._fields import NonNegative, estimator
from geomgen._random import generator, substream
from geomgen._training import Terms
from geomgen.losses import nuclear_norm
from geomgen.models.ae import AE
from geomgen.nn import LatentVariableModel

__all__ = ["LoRAE"]


@estimator
class LoRAE(AE):
    r"""LoRAE: a linear map behind the encoder, drawn to a low rank.

    .. math:: \mathcal{L} = \mathbb{E}_x \|D(M E(x)) - x\|^2 + \lambda\, \|M\|_*

    The norm is the convex envelope of the rank. The networks on both sides of M can undo a smaller
    scale of it, but not a lower rank. M starts orthogonal, so that its rank falls by the penalty
    alone; it is ``net_.module_.encoder.trunk[1].weight``.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Mazumder et al., 2024, *Learning low-rank latent spaces with simple deterministic autoencoder*,
    section 3.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = LoRAE(n_components=3, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'nuclear', 'seconds']
    """

    lam: Annotated[NonNegative, "Weight λ of the nuclear norm."] = 0.03

    _paper: ClassVar[str] = "Mazumder et al., 2024"
    _equation: ClassVar[str] = "section 3"

    def _build(self, n_features: int) -> LatentVariableModel:
        model = super()._build(n_features)
        M = nn.utils.skip_init(nn.Linear, self.n_components, self.n_components, bias=False)
        nn.init.orthogonal_(M.weight, generator=generator(substream(self._seed, 0, 1)))
        model.encoder.trunk = nn.Sequential(model.encoder.trunk, M)
        return model

    def _penalties(
        self, model: LatentVariableModel, x: Tensor, z: Tensor, generator: torch.Generator
    ) -> Terms:
        norm = nuclear_norm(model.get_parameter("encoder.trunk.1.weight"))
        return {"nuclear": self.lam * norm}
