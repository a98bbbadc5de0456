"""A normalising flow over the codes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from geomgen._fields import Count, estimator
from geomgen._random import seeded
from geomgen._training import Terms
from geomgen.samplers._fitting import NetworkSampler

__all__ = ["FlowSampler"]


@estimator
class FlowSampler(NetworkSampler):
    r"""A normalising flow trained on the codes by maximum likelihood: exact density and draws.

    .. math:: \log p(z) = \log N(f(u); 0, I) + \log |\det \partial f / \partial u|
       + \log |\det W|, \qquad u = (z - \mu) W,

    with f an autoregressive flow and W the whitening of the codes. Training starts from
    :math:`f(u) = u`, the codes' own Gaussian. A draw is
    :math:`u = f^{-1}(\epsilon)`, :math:`\epsilon \sim N(0, I)`; it costs ``n_components``
    evaluations of each of the ``n_transforms`` networks, a density one. Needs zuko:
    ``pip install "geomgen[flows]"``.

    Attributes
    ----------
    mean_ : ndarray of shape (n_components,)
        Mean of the codes.
    whiten_, unwhiten_ : ndarray of shape (n_components, rank) and (rank, n_components)
        To whitened coordinates and back.
    network_ : Module or None
        The flow, over whitened codes; None for constant codes.
    history_ : DataFrame or None
        One row an epoch: mean negative log-likelihood of training and held-out codes, whitened.

    References
    ----------
    Durkan et al., 2019, *Neural spline flows*; Papamakarios et al., 2017, *Masked autoregressive
    flow for density estimation*.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.random.RandomState(0).gamma(2.0, size=(300, 1))
    >>> sampler = FlowSampler(max_epochs=20, hidden=(16,), random_state=0).fit(Z)
    >>> sampler.sample(2, random_state=0).shape
    (2, 1)
    >>> bool(sampler.score_samples([[1.0]]) > sampler.score_samples([[9.0]]))
    True
    """

    kind: Annotated[
        Literal["spline", "maf"],
        """Shape of the maps: monotonic rational-quadratic splines on [-5, 5] standard deviations
        (the identity beyond), or affine maps (masked autoregressive flow).""",
    ] = "spline"
    n_transforms: Annotated[Count, "Autoregressive transformations, in alternating order."] = 3

    def _build(self, dim: int, seed: int) -> nn.Module:
        try:
            from zuko.flows import MAF, NSF
        except ImportError as error:
            raise ImportError(
                "FlowSampler needs the package zuko, which is not installed: "
                'pip install "geomgen[flows]".'
            ) from error
        kind = NSF if self.kind == "spline" else MAF
        with seeded(seed):  # zuko initialises from torch's global generator
            flow = kind(dim, transforms=self.n_transforms, hidden_features=tuple(self.hidden))
        for layer in flow.transform.transforms:  # zuko's are random maps, far from the identity
            for parameter in (layer.hyper[-1] if dim > 1 else layer).parameters():
                nn.init.zeros_(parameter)
        return flow

    def _objective(self, network: Any, u: Tensor, generator: torch.Generator) -> Terms:
        return {"nll": -network().log_prob(u).mean()}

    def _generate(self, noise: Tensor) -> Tensor:
        return self.network_().transform.inv(noise)

    def _log_prob(self, u: Tensor) -> Tensor:
        return self.network_().log_prob(u)
