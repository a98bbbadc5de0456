"""The VAE whose posterior is a normalising flow."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from torch import nn

from geomgen._fields import Interval, estimator
from geomgen._random import generator, seeded, substream
from geomgen.models.vae import VAEGenerator
from geomgen.nn import (
    AutoregressiveFlow,
    FlowPosterior,
    Head,
    PlanarFlow,
    RadialFlow,
)

__all__ = ["FlowPosteriorVAE"]


@estimator
class FlowPosteriorVAE(VAEGenerator):
    r"""VAE whose posterior is a normal distribution, transformed (VAE-LinNF, VAE-IAF).

    .. math:: \mathcal{L} = -\mathbb{E} \log p(x|z_K) + \beta\, \mathbb{E}\Big[\log q(z_0|x)
       - \sum_{k=1}^{K} \log\Big|\det \frac{\partial f_k}{\partial z_{k-1}}\Big|
       - \log p(z_K)\Big], \qquad z_k = f_k(z_{k-1})

    Planar and radial transformations have few parameters, linear in a context of n_components
    numbers that the encoder gives beside the mean and the scale of :math:`q(z_0|x)`; so they
    differ from row to row, as in the paper. Inverse autoregressive ones are masked networks that
    read this context; they need zuko: ``pip install "geomgen[flows]"``. All start as the
    identity. ``transform`` gives the mean of :math:`q(z_0|x)`, transformed.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Rezende and Mohamed, 2015, *Variational inference with normalizing flows*, Eqs. 10-15; Kingma
    et al., 2016, *Improving variational inference with inverse autoregressive flow*, Algorithm 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = FlowPosteriorVAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'kl', 'seconds']
    """

    flow: Annotated[
        Literal["planar", "radial", "iaf"],
        "Kind of the transformations: VAE-LinNF's two, or inverse autoregressive.",
    ] = "planar"
    n_flows: Annotated[
        Annotated[int, Interval(0)], "Number K of transformations; 0 makes it a plain VAE."
    ] = 5

    _posterior: ClassVar[type[Head]] = FlowPosterior
    _paper: ClassVar[str] = "Rezende and Mohamed, 2015; Kingma et al., 2016"
    _equation: ClassVar[str] = "Eq. 15; Algorithm 1"
    _structure: ClassVar[tuple[str, ...]] = (*VAEGenerator._structure, "flow", "n_flows")

    def _make_posterior(self, encoder: nn.Module) -> FlowPosterior:
        return FlowPosterior(encoder, [self._make_flow(k) for k in range(self.n_flows)])

    def _make_flow(self, k: int) -> nn.Module:
        d, seed = self.n_components, substream(self._seed, 0, k + 1)
        if self.flow != "iaf":
            kind = PlanarFlow if self.flow == "planar" else RadialFlow
            return kind(d, generator(seed))
        try:
            from zuko.flows import MaskedAutoregressiveTransform
        except ImportError as error:
            raise ImportError(
                "flow='iaf' needs the package zuko, which is not installed: "
                'pip install "geomgen[flows]".'
            ) from error
        order = torch.arange(d) if k % 2 == 0 else torch.arange(d).flip(0)
        with seeded(seed):  # zuko initialises from torch's global generator
            return AutoregressiveFlow(MaskedAutoregressiveTransform(d, context=d, order=order))
