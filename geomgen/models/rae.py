"""The regularised autoencoders."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from geomgen._fields import NonNegative, Positive, estimator
from geomgen._random import generator, substream
from geomgen._training import Terms
from geomgen.losses import jacobian_penalty
from geomgen.models.ae import AE
from geomgen.nn import LatentVariableModel, spectrally_normalised

__all__ = ["RAE"]


@estimator
class RAE(AE):
    r"""RAE: an autoencoder with small codes and a smooth decoder.

    .. math:: \mathcal{L} = \mathbb{E}_x \|D(E(x)) - x\|^2
       + \frac{\beta}{2}\, \mathbb{E}_x \|E(x)\|^2 + \lambda\, \mathcal{L}_\mathrm{reg}(D)

    The last term is :math:`\|\theta_D\|^2` (RAE-L2), or :math:`\mathbb{E}_x \|J_D(E(x))\|_F^2`
    (RAE-GP); a decoder whose layers have a fixed spectral norm needs none (RAE-SN).

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Ghosh et al., 2020, *From variational to deterministic autoencoders*, Eq. 11 and section 3.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = RAE(n_components=2, penalty="gp", max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'latent', 'decoder', 'seconds']
    """

    penalty: Annotated[
        Literal["l2", "gp", "sn"],
        """What keeps the decoder smooth: the squared norm of its parameters, that of its Jacobian
        at the codes, or spectral normalisation.""",
    ] = "l2"
    beta: Annotated[NonNegative, "Weight β of the codes' squared norm."] = 1e-3
    lam: Annotated[NonNegative, "Weight λ of the decoder's term; unused by ``'sn'``."] = 1e-4
    coefficient: Annotated[
        Positive, 'Largest singular value of each of the decoder\'s layers if penalty="sn".'
    ] = 2.0

    _paper: ClassVar[str] = "Ghosh et al., 2020"
    _equation: ClassVar[str] = "Eq. 11"
    _structure: ClassVar[tuple[str, ...]] = ("penalty", "coefficient")

    def _build(self, n_features: int) -> LatentVariableModel:
        model = super()._build(n_features)
        if self.penalty == "sn":
            start = generator(substream(self._seed, 0, 1))
            spectrally_normalised(model.decoder, self.coefficient, start)
        return model

    def _penalties(
        self, model: LatentVariableModel, x: Tensor, z: Tensor, generator: torch.Generator
    ) -> Terms:
        terms = {"latent": self.beta / 2 * z.square().sum(1).mean()}
        if self.penalty == "l2":
            squares = [p.square().sum() for p in model.decoder.parameters()]
            terms["decoder"] = self.lam * torch.stack(squares).sum()
        elif self.penalty == "gp":
            terms["decoder"] = self.lam * jacobian_penalty(model.decoder.map, z)
        return terms
