"""One draw from any generator, ours or not, that leaves global random states as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

from geomgen._frames import take
from geomgen.metrics._encode import as_rows
from geomgen.pipeline import sample

__all__ = ["draw_rows", "seeded_globally"]

_DRAWN = "The generated rows"


def draw_rows(generator: Any, n: int, seed: int, columns: Any = None) -> tuple[Any, Any]:
    """Rows, and labels if the generator gives any, as ``columns`` orders them.

    Parameters
    ----------
    generator : object
        A fitted estimator, pipeline or search; any object with ``sample(n)``; rows; or a pair of
        rows and labels.
    n : int
        Rows wanted. Of given rows, at most n are taken, at random.
    seed : int
        Seed of the draw.
    columns : sequence of str, optional
        Columns of the real rows.

    Returns
    -------
    rows, labels
        ``labels`` is None where there are none.
    """
    if generator is None or isinstance(generator, str):
        raise TypeError(f"generator={generator!r} must be a fitted generator, or rows.")
    if isinstance(generator, type):
        raise TypeError(f"{generator!r} is a class: pass a fitted generator, or rows.")
    if isinstance(generator, BaseEstimator):
        return as_rows(sample(generator, n, random_state=seed), columns, _DRAWN), None
    labels = None
    is_frame = hasattr(generator, "iloc") or hasattr(generator, "to_pandas")
    if hasattr(generator, "sample") and not is_frame:
        with seeded_globally(seed):
            drawn = generator.sample(n)
        # A pair is rows and something about them, not always labels of the data: it is left out.
        return as_rows(drawn[0] if isinstance(drawn, tuple) else drawn, columns, _DRAWN), None
    if isinstance(generator, tuple):
        generator, labels = generator
        labels = np.asarray(labels)
    rows = as_rows(generator, columns, _DRAWN)
    if labels is not None and len(labels) != len(rows):
        raise ValueError(f"{len(rows)} generated rows came with {len(labels)} labels.")
    if len(rows) > n:
        chosen = np.random.RandomState(seed).permutation(len(rows))[:n]
        rows, labels = take(rows, chosen), None if labels is None else labels[chosen]
    return rows, labels


@contextmanager
def seeded_globally(seed: int) -> Iterator[None]:
    """Seed numpy's and torch's global states for code that knows no other, and put them back."""
    before = np.random.get_state()
    with torch.random.fork_rng():
        try:
            np.random.seed(seed)
            torch.manual_seed(seed)
            yield
        finally:
            np.random.set_state(before)
