"""Draw until enough rows satisfy a condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["draw_accepted"]

_PROPOSALS = 1000  # a row, before it is said that the condition is as good as never met


def draw_accepted(
    propose: Callable[[int], Any], n: int, accept: Callable[[Any], Any] | None, what: str
) -> Any:
    """First n proposed rows that ``accept`` marks with True; arrays or frames.

    Raises
    ------
    RuntimeError
        If fewer than one proposal in a thousand is accepted.
    """
    if accept is None:
        return propose(n)
    kept: list[Any] = []
    accepted = tried = 0
    while accepted < n:
        if tried > _PROPOSALS * n and tried > 10 * _PROPOSALS:
            raise RuntimeError(
                f"{accepted} of {tried} draws satisfied {what}, and {n} are wanted: it is too "
                "rare here. Relax it, or ask for fewer rows."
            )
        rate = max(accepted, 1) / max(tried, 1) if tried else 1.0
        size = int(np.clip(1.2 * (n - accepted) / rate, 16, 100_000))
        rows = propose(size)
        mask = np.asarray(accept(rows))
        if mask.shape != (size,) or mask.dtype != bool:
            raise ValueError(
                f"{what} must return one bool a row: shape ({size},), not {mask.dtype} of shape "
                f"{mask.shape}."
            )
        tried += size
        accepted += int(mask.sum())
        kept.append(_where(rows, mask))
    return _join(kept)[:n]


def _where(rows: Any, mask: np.ndarray) -> Any:
    return rows.filter(mask) if hasattr(rows, "to_pandas") else rows[mask]


def _join(parts: list[Any]) -> Any:
    if isinstance(parts[0], pd.DataFrame):
        return pd.concat(parts, ignore_index=True)
    if hasattr(parts[0], "vstack"):  # polars
        joined = parts[0]
        for part in parts[1:]:
            joined = joined.vstack(part)
        return joined
    return np.concatenate(parts)
