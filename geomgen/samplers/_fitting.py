"""Samplers that train a network on whitened codes: what they share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from sklearn.utils.metaestimators import available_if
from torch import Tensor, nn

from geomgen._batches import Rows, Subset
from geomgen._callbacks import early_stopping
from geomgen._fields import Count, Fraction, Interval, Positive, estimator
from geomgen._history import history_frame
from geomgen._random import draw_seed, generator, substream
from geomgen._training import Net, Terms
from geomgen.manifolds import Sphere
from geomgen.samplers._base import LatentSampler
from geomgen.samplers._whitening import on_the_flat, whitening

__all__ = ["NetworkSampler"]

_CHUNK = 1024  # codes mapped at once: a density holds their Jacobians


@estimator
class NetworkSampler(LatentSampler):
    """Base of the samplers that learn a map from noise N(0, I) to whitened codes.

    A sampler implements ``_build(dim, seed)``, its network; ``_objective(network, u, generator)``,
    the terms of its loss; ``_generate(noise)``, the map; and, if it has a density,
    ``_log_prob(u)``, its logarithm.
    """

    _noises: ClassVar[int] = 1  # variables N(0, 1) for each coordinate of a draw

    _warm_epochs: ClassVar[int] = 0  # which stopping early does not judge

    hidden: Annotated[tuple[Count, ...], "Widths of the network's hidden layers."] = (128, 128)
    max_epochs: Annotated[Count, "Most passes over the codes."] = 500
    batch_size: Annotated[Count, "Codes a step; a last batch of one joins the one before."] = 256
    lr: Annotated[Positive, "Learning rate of Adam."] = 1e-3
    validation_fraction: Annotated[
        Fraction,
        """Share of the codes held out to stop early; of fewer than ten codes none is, and the
        loss on all of them decides.""",
    ] = 0.1
    n_iter_no_change: Annotated[
        Count,
        """Epochs without improvement on held-out codes before stopping; the weights of the best
        epoch are kept.""",
    ] = 30
    verbose: Annotated[Annotated[int, Interval(0, 1)] | bool, "1 shows a progress bar."] = 0

    def _fit(self, Z: np.ndarray, model: Any) -> None:
        seed = draw_seed(self.random_state)
        U = self._whiten(Z)
        self.network_: Any = None
        self.history_: Any = None
        if U.shape[1]:  # constant codes leave nothing to learn
            self._train(self._build(U.shape[1], substream(seed, 0)), U, seed)

    def _whiten(self, Z: np.ndarray) -> np.ndarray:
        self.mean_, self.whiten_, self.unwhiten_ = whitening(Z)
        return (Z - self.mean_) @ self.whiten_

    def _train(self, network: nn.Module, U: np.ndarray, seed: int) -> None:
        network.n_steps = 0  # type: ignore[assignment]  # the net counts there
        net = Net(
            lambda: network,
            objective=self._objective,
            optimizer=torch.optim.Adam,
            lr=self.lr,
            batch_size=self.batch_size,
            device="cpu",
        ).build(substream(seed, 1))
        rows = Rows(U, np.dtype(np.float32), "cpu")
        order = torch.randperm(len(U), generator=generator(substream(seed, 2)))
        n_valid = int(np.ceil(self.validation_fraction * len(U))) if len(U) >= 10 else 0
        valid, train = rows.split(n_valid, order) if n_valid else (rows, rows)
        net.run(
            train,
            self._repeated(valid),
            epochs=self.max_epochs,
            seed=substream(seed, 3),
            callbacks=[early_stopping(self.n_iter_no_change, 0.0, self._warm_epochs)],
            bar=type(self).__name__ if self.verbose else None,
        )
        # in float64, a density does not depend on what other codes are asked with it
        self.network_, self.history_ = network.double().eval(), history_frame(net.history)

    def _repeated(self, valid: Rows | Subset) -> Rows | Subset:
        """Held-out codes, as often as a noisy loss needs them."""
        return valid

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        noise = rng.standard_normal((n, self._noises * self.whiten_.shape[1]))
        return self._apply(self._generate, noise) @ self.unwhiten_ + self.mean_

    @available_if(lambda self: hasattr(self, "_log_prob"))
    def _log_density(self, Z: np.ndarray) -> np.ndarray:
        if isinstance(self.manifold_, Sphere):
            raise ValueError(
                f"{type(self).__name__} has no density on the sphere, where its draws are "
                "projected. Use a sampler that lives there, or fit without model for the density "
                "before projection."
            )
        U, log_volume = on_the_flat(Z, self.mean_, self.unwhiten_)
        return log_volume if self.network_ is None else self._apply(self._log_prob, U) + log_volume

    @torch.no_grad()
    def _apply(self, function: Callable[[Tensor], Tensor], U: np.ndarray) -> np.ndarray:
        """Apply a tensor function by chunks."""
        if self.network_ is None:
            return U
        chunks = np.split(U, range(_CHUNK, len(U), _CHUNK))
        parts = [function(torch.from_numpy(chunk)) for chunk in chunks]
        return torch.cat(parts).numpy()

    @abstractmethod
    def _build(self, dim: int, seed: int) -> nn.Module: ...

    @abstractmethod
    def _objective(self, network: Any, u: Tensor, generator: torch.Generator) -> Terms: ...

    @abstractmethod
    def _generate(self, noise: Tensor) -> Tensor: ...
