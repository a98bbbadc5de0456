"""Callbacks: scikit-learn's (1.9 and later), told of every epoch, and early stopping."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.utils import noop

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9 has no callbacks to forward to

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's mixin."""

    def with_callbacks(method: Any) -> Any:  # type: ignore[misc]
        """Return the method as it is."""
        return method


__all__ = [
    "CallbackSupportMixin",
    "cosine_decay",
    "early_stopping",
    "forwarding_epochs",
    "with_callbacks",
]


class _ForwardEpochs(Callback):
    """Tells scikit-learn's callbacks of each epoch of a net."""

    def __init__(self, estimator: Any, context: Any) -> None:
        self.estimator, self.context = estimator, context

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(estimator=self.estimator)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.epoch.call_on_fit_task_end(estimator=self.estimator)


@contextmanager
def forwarding_epochs(estimator: Any, epochs: int) -> Iterator[list[tuple[str, Callback]]]:
    """Give the net callbacks that forward to the estimator's, none if it has none."""
    if not getattr(estimator, "_skl_callbacks", None):
        yield []
        return
    context = estimator._init_callback_context(max_subtasks=epochs)
    context.call_on_fit_task_begin(estimator=estimator)
    yield [("sklearn", _ForwardEpochs(estimator, context))]
    context.call_on_fit_task_end(estimator=estimator)


class _EarlyStopping(EarlyStopping):
    """Early stopping that neither counts nor keeps anything of the first epochs."""

    def __init__(self, *, grace: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.grace = grace

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Judge the epoch."""
        if len(net.history) > self.grace:
            super().on_epoch_end(net, **kwargs)


def early_stopping(patience: int, tol: float, grace: int = 0) -> tuple[str, EarlyStopping]:
    """Stop when the validation loss has not fallen by ``tol`` for ``patience`` epochs."""
    callback = _EarlyStopping(
        grace=grace,
        monitor="valid_loss",
        patience=patience,
        threshold=tol,
        threshold_mode="abs",
        load_best=True,
        sink=noop,
    )
    return "early_stopping", callback


def cosine_decay(epochs: int) -> tuple[str, LRScheduler]:
    """Lower the learning rate to 0 over so many epochs, along a cosine."""
    return "cosine_decay", LRScheduler("CosineAnnealingLR", T_max=epochs)
