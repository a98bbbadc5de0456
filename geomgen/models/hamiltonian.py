"""The VAE whose posterior follows the gradient of the decoder."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import Tensor

from geomgen._fields import Fraction, Interval, Positive, estimator
from geomgen._training import Terms
from geomgen.models.vae import VAEGenerator
from geomgen.nn import LatentVariableModel, TemperedLeapfrog

__all__ = ["HamiltonianVAE"]


@estimator
class HamiltonianVAE(VAEGenerator):
    r"""HVAE: codes moved by Hamiltonian dynamics towards the true posterior.

    .. math:: \mathcal{L} = -\mathbb{E}\Big[\log p(x, z_K) - \tfrac12 \|\rho_K\|^2
       - \log q(z_0|x) + \tfrac12 \|\gamma\|^2\Big], \qquad z_0 \sim q(z_0|x),\;
       \gamma \sim N(0, I)

    :math:`(z_K, \rho_K)` is where K tempered leapfrog steps of the potential
    :math:`U(z) = -\log p(x, z)` end, from :math:`z_0` and the momentum
    :math:`\gamma / \sqrt{\beta_0}`; step sizes and :math:`\beta_0` are learnt. The paper's
    :math:`d/2` is the expectation of the last term, which is kept because it makes the estimate
    less variable. "recon" is minus :math:`\log p(x|z_K)`, and "kl", times β, is the rest.

    Each batch takes K + 1 gradients of the decoder, which training differentiates again.
    ``transform`` gives the mean of :math:`q(z_0|x)`, not moved.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Caterini, Doucet and Sejdinovic, 2018, *Hamiltonian variational auto-encoder*, Algorithm 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = HamiltonianVAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'kl', 'seconds']
    """

    n_leapfrog: Annotated[
        Annotated[int, Interval(0)], "Number K of leapfrog steps; 0 makes it a plain VAE."
    ] = 3
    max_step: Annotated[Positive, "Bound of the learnt steps, which start at a tenth of it."] = 0.5
    beta_0: Annotated[Fraction, "Where the learnt inverse temperature starts."] = 0.3

    _paper: ClassVar[str] = "Caterini et al., 2018"
    _equation: ClassVar[str] = "Algorithm 1"
    _structure: ClassVar[tuple[str, ...]] = (
        *VAEGenerator._structure,
        "n_leapfrog",
        "max_step",
        "beta_0",
    )

    def _build(self, n_features: int) -> LatentVariableModel:
        model = super()._build(n_features)
        model.dynamics = TemperedLeapfrog(
            self.n_components, self.n_leapfrog, self.max_step, self.beta_0
        )
        return model

    def _objective(
        self, model: LatentVariableModel, x: Tensor, generator: torch.Generator
    ) -> Terms:
        q, prior = model.encoder(x), model.prior()
        start = q.rsample(generator=generator)
        noise = torch.randn(start.shape, generator=generator, dtype=x.dtype, device=x.device)

        def potential(z: Tensor) -> Tensor:
            return -model.decoder(z).log_prob(x) - prior.log_prob(z)

        z, momentum = model.get_submodule("dynamics")(start, noise, potential)
        kinetic = (momentum.square() - noise.square()).sum(-1) / 2
        rest = q.log_prob(start) - prior.log_prob(z) + kinetic
        terms = {
            "recon": self._reconstruction(model, z, x),
            "kl": self._weight(model) * rest.mean(),
        }
        return self._completed(terms, model, x, z, generator)
