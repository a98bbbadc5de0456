"""Training against a critic: a second optimizer, not a second trainer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from geomgen._history import epoch_means
from geomgen._training import Net, Terms
from geomgen.losses import critic_loss

__all__ = ["AdversarialNet"]

_NAME = "critic_loss"


class AdversarialNet(Net):
    """A net whose module has a ``critic``, which learns to tell codes from draws of the prior.

    A step of the critic comes before each step of the rest. The second optimizer is of the class
    and with the parameters of the first, but for its learning rate. What the critic minimises is
    kept in ``history`` as ``train_critic_loss``: it is no term of the loss.

    Parameters
    ----------
    critic_lr : float
        Learning rate of the critic.
    *args, **kwargs
        As of :class:`Net`.
    """

    def __init__(self, *args: Any, critic_lr: float, **kwargs: Any) -> None:
        self.critic_lr = critic_lr
        super().__init__(*args, **kwargs)

    def renew(self, **settings: Any) -> None:
        """Take the parameters that may change between two fits of the same weights."""
        lr = settings.pop("critic_lr")
        super().renew(**settings)
        self.set_params(critic_lr=lr, critic_optimizer__lr=lr)

    def initialize_optimizer(self, triggered_directly: Any = None) -> AdversarialNet:
        """Give the critic its weights, and the first optimizer all others."""
        named = dict(self.get_all_learnable_params())
        critics = {name: named.pop(name) for name in [*named] if name.startswith("critic.")}
        args, kwargs = self.get_params_for_optimizer("optimizer", named.items())
        self.optimizer_ = self.optimizer(*args, **kwargs)
        args, kwargs = self.get_params_for_optimizer("optimizer", critics.items())
        self.critic_optimizer_ = self.optimizer(*args, **kwargs | {"lr": self.critic_lr})
        return self

    def train_step(self, batch: Tensor, **fit_params: Any) -> dict[str, Any]:
        """Take a step of the critic, then, the critic as it is, one of all others."""
        found = self._train_critic(batch)
        self.module_.critic.requires_grad_(False)
        try:
            step = super().train_step(batch, **fit_params)
        finally:
            self.module_.critic.requires_grad_(True)
        return step | {"terms": step["terms"] | {_NAME: found}}

    def _train_critic(self, batch: Tensor) -> Tensor:
        model = self.module_
        with torch.no_grad(), self._own_randomness():
            codes = model.encode(batch)
        draws = model.prior.sample(len(batch), self._noise)

        def closure() -> Tensor:
            self.critic_optimizer_.zero_grad()
            loss = critic_loss(model.critic(draws), model.critic(codes))
            loss.backward()
            return loss.detach()

        return self.critic_optimizer_.step(closure)

    def _step_optimizer(self, step_fn: Any) -> None:
        self.optimizer_.step(step_fn)  # skorch would step the critic's too

    def _record(self, prefix: str, sizes: list[int], terms: list[Terms]) -> None:
        critics = [{_NAME: step.pop(_NAME)} for step in terms if _NAME in step]
        super()._record(prefix, sizes, terms)
        if critics:
            means, bad = epoch_means(sizes, critics)
            self.history.record(f"{prefix}_{_NAME}", means[_NAME])
            self._bad_terms = self._bad_terms or bad
