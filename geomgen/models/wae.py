"""The Wasserstein autoencoder."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from geomgen._fields import NonNegative, estimator
from geomgen._training import Terms
from geomgen.losses import energy, mmd, sliced_wasserstein
from geomgen.models.ae import AE
from geomgen.nn import LatentVariableModel

__all__ = ["WAE"]


@estimator
class WAE(AE):
    r"""Wasserstein autoencoder: the law of all codes is pulled to a normal one.

    .. math:: \mathcal{L} = \mathbb{E}_x \|D(E(x)) - x\|^2
       + \lambda\, \mathcal{D}\big(q(z), N(0, I)\big)

    The distance :math:`\mathcal{D}` is between the codes of a batch and as many draws. It is
    unbiased for ``"mmd"`` and ``"energy"``, so that the term can be below 0.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Tolstikhin et al., 2018, *Wasserstein auto-encoders*, Eq. 4 and Algorithm 2; for
    ``discrepancy="sliced"`` Kolouri et al., 2019, *Sliced Wasserstein auto-encoders*.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = WAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'discrepancy', 'seconds']
    """

    lam: Annotated[NonNegative, "Weight λ of the distance (Eq. 4)."] = 1.0
    discrepancy: Annotated[
        Literal["mmd", "energy", "sliced"],
        """The distance: maximum mean discrepancy (the paper's), energy, or squared 2-Wasserstein
        along 50 random directions.""",
    ] = "mmd"
    kernel: Annotated[
        Literal["imq", "rbf"], "Of the mean discrepancy alone: inverse multiquadric or Gaussian."
    ] = "imq"

    _paper: ClassVar[str] = "Tolstikhin et al., 2018"
    _equation: ClassVar[str] = "Eq. 4, Algorithm 2"

    def _distance(self, z: Tensor, drawn: Tensor, generator: torch.Generator) -> Tensor:
        if self.discrepancy == "mmd":
            return mmd(z, drawn, self.kernel)
        if self.discrepancy == "energy":
            return energy(z, drawn)
        return sliced_wasserstein(z, drawn, generator=generator)

    def _penalties(
        self, model: LatentVariableModel, x: Tensor, z: Tensor, generator: torch.Generator
    ) -> Terms:
        drawn = model.prior.sample(len(x), generator)
        return {"discrepancy": self.lam * self._distance(z, drawn, generator)}
