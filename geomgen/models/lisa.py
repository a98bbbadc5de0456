"""LISA (paper L)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from geomgen._fields import NonNegative, Positive, estimator
from geomgen._training import Terms
from geomgen.losses import uniformity
from geomgen.models._blades import BladeTerms
from geomgen.models.spherical import SphericalAE
from geomgen.nn import LatentVariableModel

__all__ = ["LISAGenerator"]


@estimator
class LISAGenerator(BladeTerms, SphericalAE):
    r"""LISA: codes on the sphere, repelled from each other, sampled ex post.

    .. math:: \mathcal{L} = \mathbb{E}_x\, \ell\big(x, D(\Pi(E(x)))\big)
       + \lambda \log \frac{1}{N(N-1)} \sum_{i \ne j} e^{-t \|\tilde z_i - \tilde z_j\|^2}

    The Grassmann terms of :class:`GrassmannAE` can be added, on the tangent spaces of the sphere:
    ``lam_grass``, ``lam_entropy`` and the parameters after them. They are off by default.

    The default ``reduction`` is the mean over features, for which the paper's scale of
    :math:`\lambda` is meant. The second term is the log of a mean over a batch, so it depends on
    ``batch_size`` a little.

    Attributes
    ----------
    k_, grades_
        As in :class:`GrassmannAE`.
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Paper L (LISA), Eqs. 11-14; sampling by its Eq. 18 is
    ``sampler=MixtureSampler(space="ambient")``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = LISAGenerator(n_components=3, lam=0.01, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'uniformity', 'seconds']
    """

    reduction: Annotated[
        Literal["sum", "mean"],
        """What is done with the squared error over features (it is averaged over rows): with the
        sum, ``lam`` counts n_features times less.""",
    ] = "mean"
    lam: Annotated[NonNegative, "Weight λ of the repulsion (Eq. 14)."] = 1e-3
    t: Annotated[Positive, "Temperature of the repulsion's kernel (Eq. 12)."] = 2.0

    _paper: ClassVar[str] = "Paper L (LISA)"
    _equation: ClassVar[str] = "Eqs. 11-14"

    def _penalties(
        self, model: LatentVariableModel, x: Tensor, z: Tensor, generator: torch.Generator
    ) -> Terms:
        blades = super()._penalties(model, x, z, generator)
        return {"uniformity": self.lam * uniformity(z, self.t), **blades}
