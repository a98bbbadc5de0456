"""The implicit rank-minimising autoencoder."""

from __future__ import annotations

from typing import Annotated, ClassVar

from torch import nn

from geomgen._fields import Count, Positive, estimator
from geomgen._random import generator, substream
from geomgen.models.ae import AE
from geomgen.nn import LatentVariableModel, LinearChain

__all__ = ["IRMAE"]


@estimator
class IRMAE(AE):
    r"""IRMAE: linear layers behind the encoder, whose training prefers codes of low rank.

    .. math:: \mathcal{L} = \mathbb{E}_x \|D(W_l \cdots W_1 E(x)) - x\|^2

    Gradient descent on a product grows its large singular values first, so directions of the codes
    that the reconstruction can do without stay small. More layers, and smaller first weights, make
    the rank lower: give it more components than it should use. After training the layers are one
    matrix, ``net_.module_.encoder.trunk[1].matrix``; the factors are kept, and training can go on.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Jing et al., 2020, *Implicit rank-minimizing autoencoder*, section 3.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = IRMAE(n_components=3, max_epochs=5, random_state=0).fit(X)
    >>> model.net_.module_.encoder.trunk[1].matrix.shape
    torch.Size([3, 3])
    """

    n_linear: Annotated[Count, "Number l of linear layers."] = 2
    init_scale: Annotated[
        Positive,
        """Scale of the layers' first weights, normal draws of standard deviation init_scale/√d. A
        small one starts the product near 0, and lowers the rank.""",
    ] = 1.0

    _paper: ClassVar[str] = "Jing et al., 2020"
    _equation: ClassVar[str] = "section 3"
    _structure: ClassVar[tuple[str, ...]] = ("n_linear", "init_scale")

    def _build(self, n_features: int) -> LatentVariableModel:
        model, start = super()._build(n_features), generator(substream(self._seed, 0, 1))
        chain = LinearChain(self.n_components, self.n_linear, self.init_scale, start)
        model.encoder.trunk = nn.Sequential(model.encoder.trunk, chain)
        return model
