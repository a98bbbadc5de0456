"""Strings and scores, checked; and choosing by scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

__all__ = ["as_floats", "check_strings", "make_pick"]


def check_strings(strings: Any) -> list[str]:
    """Return strings as a list, or raise."""
    shape = getattr(strings, "shape", (0,))
    if len(shape) != 1:  # the columns of a table are no strings
        raise ValueError(f"strings of shape {tuple(shape)} must be a list or array of str.")
    if isinstance(strings, str) or not isinstance(strings, Iterable):
        raise ValueError(f"strings={strings!r} must be a list or array of str.")
    listed = strings.tolist() if hasattr(strings, "tolist") else list(strings)
    for i, string in enumerate(listed):
        if not isinstance(string, str):
            raise ValueError(f"strings[{i}]={string!r} is no str: give a list or array of str.")
    return listed


def as_floats(logits: Any, name: str) -> np.ndarray:
    """Return an array or a tensor as finite numpy floats of 32 or 64 bits."""
    if isinstance(logits, torch.Tensor):
        logits = logits.detach().cpu()
        logits = (logits if logits.dtype == torch.float64 else logits.float()).numpy()
    scores = np.asarray(logits)
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float64)
    if not np.isfinite(scores).all():
        raise ValueError(f"{name} has NaN or infinity. Give finite scores; masks are put on here.")
    return scores


def make_pick(random_state: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Make a choice of columns by rows of scores: the greatest (None), or softmax draws."""
    if random_state is None:
        return lambda scores: scores.argmax(axis=1)
    rng = check_random_state(random_state)

    def pick(scores: np.ndarray) -> np.ndarray:
        """Invert the distribution function; a masked rule has no share, so none is drawn."""
        with np.errstate(over="ignore"):  # a difference beyond the floats has no share
            shares = np.exp(scores.astype(np.float64) - scores.max(1, keepdims=True)).cumsum(1)
        level = rng.random_sample(len(scores)) * shares[:, -1]
        return (shares <= level[:, None]).sum(1)

    return pick
