"""A bounded, uniform sample of the rows of a stream."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Reservoir"]


class Reservoir:
    """Keeps each of the rows seen with equal probability (algorithm R, Vitter 1985).

    Examples
    --------
    >>> reservoir = Reservoir(3)
    >>> reservoir.add(np.arange(10.0).reshape(-1, 1), seed=0)
    >>> len(reservoir.rows), reservoir.n_seen
    (3, 10)
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.n_seen = 0
        self.rows: Any = None

    def start(self, rows: np.ndarray, n_seen: int) -> None:
        """Begin with rows that stand for ``n_seen`` earlier ones."""
        self.rows, self.n_seen = rows, n_seen

    def add(self, rows: np.ndarray, seed: int) -> None:
        """See more rows."""
        rng = np.random.default_rng(seed)
        rows = np.array(rows)
        room = self.size - (0 if self.rows is None else len(self.rows))
        head, tail = rows[:room], rows[room:]
        self.rows = head if self.rows is None else np.concatenate([self.rows, head])
        self.n_seen += len(head)
        positions = rng.integers(self.n_seen + np.arange(1, len(tail) + 1))
        for row, position in zip(tail, positions, strict=True):
            if position < self.size:
                self.rows[position] = row
        self.n_seen += len(tail)
