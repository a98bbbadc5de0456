"""Draw until enough rows of a kind have come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from geomgen._frames import join

__all__ = ["check_conditioned", "check_mask", "draw_accepted", "draw_sorted"]

_RAREST = 100_000  # draws for one row, after which it is said that there are as good as none


def draw_accepted(
    propose: Callable[[int], Any], n: int, accept: Callable[[Any], Any] | None, what: str
) -> Any:
    """First n proposed rows that ``accept`` marks with True; arrays or frames.

    Raises
    ------
    RuntimeError
        If fewer than one proposal in 100 000 is accepted.
    """
    return propose(n) if accept is None else draw_sorted(propose, accept, {True: n}, what)[0]


def draw_sorted(
    propose: Callable[[int], Any], judge: Callable[[Any], Any], wanted: dict[bool, int], what: str
) -> list[Any]:
    """Proposed rows sorted by a judge, until there are as many of each kind as wanted."""
    wanted = {kind: n for kind, n in wanted.items() if n}
    kept: dict[bool, list[Any]] = {kind: [] for kind in wanted}
    found = dict.fromkeys(wanted, 0)
    tried = 0
    while lacking := {kind: n - found[kind] for kind, n in wanted.items() if found[kind] < n}:
        for kind in lacking:
            if tried > _RAREST * (found[kind] + 1):
                raise RuntimeError(
                    f"{found[kind]} of {tried} draws {'met' if kind else 'did not meet'} {what}, "
                    f"{wanted[kind]} are wanted: it is too rare. Relax it, or ask for fewer rows."
                )
        rates = {kind: max(found[kind], 0.5) / tried if tried else 1.0 for kind in lacking}
        size = int(np.clip(max(1.1 * lacking[k] / rates[k] for k in lacking) + 16, 16, _RAREST))
        rows = propose(size)
        mask = check_mask(judge(rows), size, what)
        tried += size
        for kind in wanted:
            found[kind] += int((mask == kind).sum())
            kept[kind].append(_where(rows, mask == kind))
    return [join(kept[kind])[:n] for kind, n in wanted.items()]


def check_mask(mask: Any, n: int, what: str) -> np.ndarray:
    """Return a condition's answer as an array, if it is one bool for each of n rows."""
    mask = np.asarray(mask)
    if mask.shape != (n,) or mask.dtype != bool:
        raise ValueError(
            f"{what} must return one bool a row: shape ({n},), not {mask.dtype} of shape "
            f"{mask.shape}."
        )
    return mask


def check_conditioned(kwargs: dict[str, Any]) -> None:
    """Refuse what a condition on rows would spoil: shares, and the order of labels."""
    if np.ndim(kwargs.get("y", 0)) or kwargs.get("balance") is not None:
        raise ValueError(
            "condition= goes with one label y for all rows, not with an array of labels or with "
            "balance: draw each label apart."
        )


def _where(rows: Any, mask: np.ndarray) -> Any:
    return rows.filter(mask) if hasattr(rows, "to_pandas") else rows[mask]
