"""The adversarial autoencoder."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from geomgen._adversarial import AdversarialNet
from geomgen._fields import Count, NonNegative, Positive, estimator
from geomgen._random import generator as seeded_generator
from geomgen._random import substream
from geomgen._training import Net, Terms
from geomgen.losses import generator_loss
from geomgen.models.ae import AE
from geomgen.nn import LatentVariableModel, mlp

__all__ = ["AAE"]


@estimator
class AAE(AE):
    r"""Adversarial autoencoder: codes that a critic cannot tell from normal draws.

    .. math:: \min_{E, D}\; \mathbb{E}_x \|D(E(x)) - x\|^2
       - \lambda\, \mathbb{E}_x \log C(E(x)), \qquad
       \min_C\; -\mathbb{E}_{z \sim N(0, I)} \log C(z) - \mathbb{E}_x \log(1 - C(E(x)))

    Each batch makes one step of the critic C, then one of encoder and decoder. ``critic_loss`` in
    ``history_`` is what the critic minimises, 1.39 if it cannot tell; it is no part of ``loss``.
    Held-out rows are judged by their reconstruction alone, for a term of one epoch's critic says
    nothing beside that of another's.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`; the critic is ``net_.module_.critic``.

    References
    ----------
    Makhzani et al., 2016, *Adversarial autoencoders*, section 2; the encoder is deterministic, and
    its two phases are one step.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = AAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'adversarial', 'critic_loss', 'seconds']
    """

    lam: Annotated[NonNegative, "Weight λ of the adversarial term."] = 0.03
    critic_hidden: Annotated[tuple[Count, ...], "Widths of the critic's hidden layers."] = (
        128,
        128,
    )
    critic_lr: Annotated[Positive, "Learning rate of the critic."] = 1e-3

    _net: ClassVar[type[Net]] = AdversarialNet
    _paper: ClassVar[str] = "Makhzani et al., 2016"
    _equation: ClassVar[str] = "section 2"
    _structure: ClassVar[tuple[str, ...]] = ("critic_hidden",)

    def _build(self, n_features: int) -> LatentVariableModel:
        model = super()._build(n_features)
        model.critic = mlp(
            self.n_components,
            tuple(self.critic_hidden),
            1,
            activation="leaky_relu",
            generator=seeded_generator(substream(self._seed, 8)),
        )
        return model

    def _net_settings(self) -> dict[str, Any]:
        return super()._net_settings() | {"critic_lr": self.critic_lr}

    def _penalties(
        self, model: LatentVariableModel, x: Tensor, z: Tensor, generator: torch.Generator
    ) -> Terms:
        if not model.training:
            return {}
        return {"adversarial": self.lam * generator_loss(model.get_submodule("critic")(z))}
