"""The VAE with a flat latent manifold."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import Tensor

from geomgen._fields import Count, NonNegative, estimator
from geomgen._training import Terms
from geomgen.losses import tangents
from geomgen.losses.distortion import metric_flatness
from geomgen.models.vae import VAEGenerator
from geomgen.nn import LatentVariableModel

__all__ = ["FlatVAE"]


@estimator
class FlatVAE(VAEGenerator):
    r"""VAE whose decoder is near an isometry, up to scale, at codes and between them.

    .. math:: \mathcal{L} = \mathcal{L}_{\mathrm{VAE}}
       + \eta\, \mathbb{E}\, \|J_D^\top J_D\,(\tilde z) - c^2 I\|_F^2, \qquad
       \tilde z = (1 - t) z_i + t z_j, \quad t \sim U(-\alpha, 1 + \alpha)

    with :math:`c^2` the mean over a batch of the diagonal of :math:`J_D^\top J_D`. Euclidean
    distances between codes then stand for distances along what the decoder draws.

    The paper's model has a hierarchical prior (VHP), trained under a constraint on the
    reconstruction. Here the prior is N(0, I), and the rest of the loss is that of
    :class:`VAEGenerator`: only the metric term is the paper's. Paper G calls this family
    Riemannian VAE.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    See Also
    --------
    geomgen.losses.metric_flatness : The last term.

    References
    ----------
    Chen et al., 2020, *Learning flat latent manifolds with VAEs*, section 3.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = FlatVAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'kl', 'flat', 'seconds']
    """

    eta: Annotated[
        NonNegative,
        """Weight η of the metric term, which scales with the fourth power of the rows' units.""",
    ] = 0.01
    alpha: Annotated[
        NonNegative, "How far beyond two codes, in shares of their distance, the metric is asked."
    ] = 0.2
    n_codes: Annotated[
        Count | None, "Points of a batch at which the metric is asked; None takes one a row."
    ] = 16

    _paper: ClassVar[str] = "Chen et al., 2020"
    _equation: ClassVar[str] = "section 3"

    def _penalties(
        self, model: LatentVariableModel, x: Tensor, z: Tensor, generator: torch.Generator
    ) -> Terms:
        z = torch.lerp(z, z.roll(1, 0), self._shares(z, generator))[: self.n_codes]
        J = tangents(model.decoder.map, z, torch.eye(z.shape[1]).to(z))
        return {"flat": self.eta * metric_flatness(J)}

    def _shares(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """Draw where on the line through two codes, (n, 1)."""
        uniform = torch.rand(len(z), 1, generator=generator, dtype=z.dtype, device=z.device)
        return (1 + 2 * self.alpha) * uniform - self.alpha
