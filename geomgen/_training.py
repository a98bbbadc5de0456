"""Training: the package's only import of skorch.

An estimator *has* a :class:`Net`. The net owns the epochs, the optimiser, the callbacks and the
history; what it minimises is the estimator's objective, a dictionary of named terms.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, EpochTimer, PrintLog
from torch import Tensor, nn
from tqdm.auto import tqdm

from geomgen._acceleration import accelerated
from geomgen._batches import Batches, Rows, Subset
from geomgen._history import epoch_means
from geomgen._random import generator, seeded, substream

__all__ = ["Net", "NonFiniteLoss", "Terms"]

Terms = dict[str, Tensor]
Objective = Callable[[Any, Tensor, torch.Generator], Terms]


class NonFiniteLoss(ValueError):
    """A loss term, or the weights after a step, stopped being a finite number."""


class _StopTraining(Exception):
    """A callback asked for the end of training."""


class Net(NeuralNet):
    """A skorch net whose loss is an objective of named terms.

    Parameters
    ----------
    module : callable () -> Module
        Builds the model; runs under a seeded, restored global generator.
    objective : callable (model, rows, generator) -> {name: term}
        The terms are summed; each is kept in ``history`` as ``train_<name>``.
    draws_globally : bool, default=False
        Whether the module may draw from torch's global generator (a user's dropout layer). Each
        step then runs with that generator seeded, and restored afterwards.
    log : bool, default=False
        Whether to print a line an epoch.
    augment : callable (rows, generator) -> rows, optional
        Applied to the batches of training.
    low_precision, compiled : bool, default=False
        Whether networks compute in bfloat16, and are compiled, in training.
    """

    def __init__(
        self,
        module: Callable[[], nn.Module],
        *args: Any,
        objective: Objective,
        draws_globally: bool = False,
        log: bool = False,
        augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
        low_precision: bool = False,
        compiled: bool = False,
        criterion: type[nn.Module] = nn.Identity,
        verbose: int = 0,
        **kwargs: Any,
    ) -> None:
        self.objective = objective
        self.callbacks_: list[tuple[str, Any]] = []
        self._noise: Any = None  # a generator, while it trains
        self.draws_globally = draws_globally
        self.log = log
        self.augment, self.low_precision, self.compiled = augment, low_precision, compiled
        super().__init__(module, *args, criterion=criterion, verbose=verbose, **kwargs)

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        log = [("print_log", PrintLog(sink=tqdm.write))] if self.log else []
        return [("epoch_timer", EpochTimer()), *log]

    def renew(self, *, lr: float, batch_size: int, callbacks: list | None, **settings: Any) -> None:
        """Take the parameters that may change between two fits of the same weights."""
        self.set_params(lr=lr, batch_size=batch_size)
        for name, value in (settings | {"callbacks": callbacks}).items():
            setattr(self, name, value)
        self._initialize_callbacks()

    def saved(self) -> dict[str, Any]:
        """Copy all that training changes, for ``restore``."""
        parts = [name for name in vars(self) if name == "module_" or name.endswith("optimizer_")]
        return {
            "vars": vars(self) | {"history_": copy.deepcopy(self.history_)},
            "states": {n: copy.deepcopy(vars(self)[n].state_dict()) for n in parts},
            "counts": (self.module_.n_steps, self.module_.n_epochs),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Put back what was saved; the module in place, for others may hold it."""
        self.__dict__ = saved["vars"]
        for name, state in saved["states"].items():
            vars(self)[name].load_state_dict(state)
        self.module_.n_steps, self.module_.n_epochs = saved["counts"]

    def build(self, seed: int) -> Net:
        """Initialise everything; the weights depend on the seed alone."""
        with seeded(seed) if self.draws_globally else nullcontext():
            return self.initialize()

    def run(
        self,
        train: Rows | Subset,
        valid: Rows | Subset | None = None,
        *,
        epochs: int,
        seed: int,
        callbacks: Sequence[tuple[str, Any]] = (),
        bar: str | None = None,
    ) -> Net:
        """Train for some epochs; stopping early keeps what was learnt.

        Raises
        ------
        NonFiniteLoss
            The weights are then those of the last epoch that ended well.
        """
        noise = substream(seed, len(self.history))
        order = generator(substream(noise, 0))
        self._noise = generator(substream(noise, 1), self.device)
        self._valid_seed = substream(noise, 2)
        batches = Batches(train, self.batch_size, order)
        valid_batches = None if valid is None else Batches(valid, self.batch_size, None)
        self._bar = tqdm(total=epochs * len(batches), desc=bar, disable=bar is None, unit="batch")
        self._bad_terms = ""
        lasting, how = self.callbacks_, (self.low_precision, self.compiled)
        self.callbacks_ = [*callbacks, *lasting]  # in front: PrintLog must come last
        try:
            with self._interruptible(), accelerated(self.module_, *how):
                self.notify("on_train_begin", X=train, y=None)
                for _ in range(epochs):
                    self._run_epoch(batches, valid_batches)
            with self._interruptible():
                self.notify("on_train_end", X=train, y=None)
        finally:
            self._bar.close()
            self._bar = self._noise = None
            self.callbacks_ = lasting
            self.module_.eval()
        return self

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Turn Ctrl-C into a warning, if there is anything to keep."""
        try:
            yield
        except _StopTraining:
            pass
        except KeyboardInterrupt:
            if self.history and "train_loss" not in self.history[-1]:
                del self.history[-1]  # not a batch of it was done
            if not self.history:
                raise
            warnings.warn(
                f"Training was interrupted after {len(self.history)} epochs: the model keeps what "
                "it had learnt and can be used. To go on, call partial_fit, or fit with "
                "warm_start=True.",
                UserWarning,
                stacklevel=7,
            )

    def _run_epoch(self, batches: Batches, valid_batches: Batches | None) -> None:
        last_good = copy.deepcopy(self.module_.state_dict())
        rows = {
            "dataset_train": batches.rows,
            "dataset_valid": None if valid_batches is None else valid_batches.rows,
        }
        self.module_.n_epochs = len(self.history)
        self.notify("on_epoch_begin", **rows)
        self._set_training(True)
        try:
            self.run_single_epoch(batches, True, "train", self.train_step)
        except KeyboardInterrupt:
            if self._not_finite():
                self._go_back(last_good)
            raise
        if what := self._not_finite():
            epoch = len(self.history)
            self._go_back(last_good)
            kept = "the epochs before it are kept" if epoch > 1 else "nothing was learnt"
            raise NonFiniteLoss(
                f"{what} stopped being finite in epoch {epoch}; {kept}. Lower lr (now "
                f"{self.lr:g}), scale the columns of X, or lower the weight of that term."
            )
        if valid_batches is not None:
            self._set_training(False)
            train_noise, self._noise = self._noise, generator(self._valid_seed, self.device)
            self.run_single_epoch(valid_batches, False, "valid", self.validation_step)
            self._noise = train_noise
        if not self._bar.disable:
            loss = f"{self.history[-1, 'train_loss']:.4g}"
            self._bar.set_postfix(epoch=len(self.history), loss=loss, refresh=False)
        self._end_epoch(rows)

    def _end_epoch(self, rows: dict[str, Any]) -> None:
        try:
            self.notify("on_epoch_end", **rows)
        except KeyboardInterrupt:
            # skorch's EarlyStopping asks for the end in this way; anything else is Ctrl-C.
            stops = [cb for _, cb in self.callbacks_ if isinstance(cb, EarlyStopping)]
            if any(stop.misses_ == stop.patience for stop in stops):
                raise _StopTraining from None
            raise
        except KeyError as error:
            if "valid_" in str(error) and rows["dataset_valid"] is None:
                raise ValueError(
                    f"A callback asks for {error}, and no rows are held out: set "
                    "early_stopping=True, or let it monitor 'train_loss'."
                ) from error
            raise

    def _go_back(self, weights: dict[str, Tensor]) -> None:
        """Take the weights of the last good epoch, and an optimiser without poisoned moments."""
        self.module_.load_state_dict(weights)
        self._initialize_optimizer()
        del self.history[-1]

    def run_single_epoch(
        self,
        iterator: Batches,
        training: bool,
        prefix: str,
        step_fn: Callable[..., dict[str, Any]],
        **fit_params: Any,
    ) -> None:
        """Go once over the batches; the terms stay on the device until the end."""
        sizes: list[int] = []
        terms: list[Terms] = []
        try:
            for batch in iterator:
                if training and self.augment is not None:
                    batch = self.augment(batch, self._noise)
                self.notify("on_batch_begin", batch=batch, training=training)
                step = step_fn(batch, **fit_params)
                sizes.append(len(batch))
                terms.append(step["terms"])
                self.notify("on_batch_end", batch=batch, training=training, **step)
                self._bar.update(training)
        finally:
            if sizes:
                self._record(prefix, sizes, terms)

    def _record(self, prefix: str, sizes: list[int], terms: list[Terms]) -> None:
        """Write the epoch's mean terms, by row, and skorch's own names."""
        means, self._bad_terms = epoch_means(sizes, terms)
        for name, mean in means.items():
            self.history.record(f"{prefix}_{name}", mean)
        before = [row[f"{prefix}_loss"] for row in self.history[:-1] if f"{prefix}_loss" in row]
        loss = sum(means.values())
        self.history.record(f"{prefix}_loss", loss)
        self.history.record(f"{prefix}_loss_best", loss < min(before, default=np.inf))
        self.history.record(f"{prefix}_batch_count", len(sizes))

    def _not_finite(self) -> str:
        """Say what is not finite after an epoch; nothing if all is well."""
        if self._bad_terms:
            return f"The loss term {self._bad_terms}"
        if not all(bool(p.isfinite().all()) for p in self.module_.parameters()):
            return "The weights, after the last step of the loss,"
        return ""

    def train_step_single(self, batch: Tensor, **fit_params: Any) -> dict[str, Any]:
        """Compute the terms of a batch and their gradient."""
        with self._own_randomness():
            terms = self.objective(self.module_, batch, self._noise)
            loss = torch.stack([term.to(batch.dtype) for term in terms.values()]).sum()
            loss.backward()
        self.module_.n_steps += 1
        terms = {name: term.detach() for name, term in terms.items()}
        return {"loss": loss.detach(), "terms": terms, "y_pred": None}  # skorch's scorers want it

    def validation_step(self, batch: Tensor, **fit_params: Any) -> dict[str, Any]:
        """Compute the terms of a batch, the model in evaluation mode."""
        with torch.no_grad(), self._own_randomness():
            terms = self.objective(self.module_, batch, self._noise)
        loss = torch.stack([term.double() for term in terms.values()]).sum()
        return {"loss": loss, "terms": terms, "y_pred": None}

    def _own_randomness(self) -> AbstractContextManager[None]:
        if not self.draws_globally:
            return nullcontext()
        seed = torch.randint(2**31, (), generator=self._noise, device=self.device)
        return seeded(int(seed), self.device)
