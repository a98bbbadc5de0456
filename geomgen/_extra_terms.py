"""Terms of the user's own, beside those of a paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geomgen.nn import LatentVariableModel

__all__ = ["check_extra_terms", "check_importable", "extra_terms"]

_TAKEN = re.compile("^(valid|train)_|_best$|_batch_count$")  # by skorch's history

ExtraTerms = dict[str, tuple[float, Callable[..., Tensor]]]


def check_extra_terms(given: dict[Any, Any] | None) -> None:
    """Raise if a term has no name, weight or function, or one that cannot be pickled."""
    for name, term in (given or {}).items():
        said = f"extra_terms={{{name!r}: {term!r}}}"
        if not (isinstance(name, str) and name.isidentifier()) or _TAKEN.search(name):
            raise ValueError(
                f"{said}: history_ has the name, which must be an identifier that it has no other "
                "use for (valid_..., train_..., ..._best, ..._batch_count)."
            )
        if not (isinstance(term, tuple | list) and len(term) == 2 and callable(term[1])):
            raise ValueError(f"{said} must be a pair (weight, function).")
        weight, function = term
        if (
            not isinstance(weight, Real)
            or isinstance(weight, bool)
            or not np.isfinite(float(weight))
        ):
            raise ValueError(f"{said}: the weight must be a finite number.")
        check_importable(said, function)


def check_importable(said: str, function: Any) -> None:
    """Raise if a function of the user's is none, or would keep a fitted estimator from a file."""
    if not callable(function):
        raise TypeError(f"{said}={function!r} must be a function.")
    # Not by pickling it: in another process a script's function is a copy that cannot be.
    if "<" in getattr(function, "__qualname__", type(function).__qualname__):
        raise ValueError(
            f"{said}: a lambda, or a function made in another, cannot be pickled, and the fitted "
            "estimator could not be saved. Define it at the top level of a module."
        )


def extra_terms(
    given: ExtraTerms,
    others: dict[str, Tensor],
    model: LatentVariableModel,
    x: Tensor,
    z: Tensor,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Compute the user's terms of a batch and its codes, times their weights."""
    taken = sorted(given.keys() & {*others, "loss", "critic_loss", "seconds"})
    if taken:
        raise ValueError(f"extra_terms names {taken}, which history_ has already: rename them.")
    terms = {}
    for name, (weight, function) in given.items():
        try:
            term = function(model, x, z, generator)
        except Exception as error:
            error.add_note(f"It was raised by the function of extra_terms[{name!r}].")
            raise
        if not isinstance(term, Tensor) or term.ndim:
            shape = tuple(term.shape) if isinstance(term, Tensor) else type(term).__name__
            raise ValueError(
                f"The function of extra_terms[{name!r}] must return a tensor of shape (), but gave "
                f"{shape}: reduce it, for example by mean()."
            )
        terms[name] = weight * term
    return terms
