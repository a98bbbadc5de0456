"""Batches without a data loader, which costs 2 to 7 times the step of a small net."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Batches", "Rows", "Subset"]

_NARROW = [np.dtype(t) for t in (bool, np.uint8, np.int8, np.int16, np.float16)]


class Rows:
    """Rows of a data set as tensors: on the device once, or memory-mapped and read by the slice.

    Rows of one or two bytes a number, such as images, stay so, and are converted by the batch.
    """

    def __init__(self, X: np.ndarray, dtype: np.dtype, device: str) -> None:
        self.mapped = isinstance(X, np.memmap) or isinstance(X.base, np.memmap)
        self.dtype, self.device = dtype, device
        self.data: Any = X if self.mapped else self._tensor(X, X.dtype in _NARROW)

    def _tensor(self, X: np.ndarray, as_they_are: bool = False) -> Tensor:
        dtype = X.dtype if as_they_are else self.dtype
        writable = np.array(X, dtype=dtype, order="C")  # a copy: the caller's rows stay theirs
        return torch.from_numpy(writable).to(self.device)

    X = property(lambda self: self.data, doc="The rows, under the name that skorch asks for.")
    y = None

    def __len__(self) -> int:
        return len(self.data)

    def take(self, index: Tensor) -> Tensor:
        """Return the rows of an index tensor, in its order."""
        if self.mapped:
            return self._tensor(self.data[index.cpu().numpy()])
        return self.data[index].to(getattr(torch, self.dtype.name))

    def split(self, first: int, order: Tensor) -> tuple[Subset, Subset]:
        """Return the rows at ``order[:first]`` and the others."""
        order = order if self.mapped else order.to(self.device)
        return Subset(self, order[:first]), Subset(self, order[first:])


class Subset:
    """Some of the rows, by index."""

    def __init__(self, rows: Rows, index: Tensor) -> None:
        self.rows, self.index, self.device = rows, index, rows.device

    X = property(lambda self: self.rows.take(self.index), doc="The rows; skorch's name.")
    y = None

    def __len__(self) -> int:
        return len(self.index)

    def take(self, index: Tensor) -> Tensor:
        """Return the rows of an index tensor, in its order."""
        return self.rows.take(self.index[index.to(self.index.device)])


class Batches:
    """Slices of a permutation of the rows (of the rows in order, without a generator).

    A last batch of one row joins the batch before it: batch normalisation and pair terms need
    two rows, and no row is left out.
    """

    def __init__(self, rows: Rows | Subset, size: int, order: torch.Generator | None) -> None:
        self.rows, self.order = rows, order
        starts = list(range(0, len(rows), size))
        if len(starts) > 1 and len(rows) - starts[-1] == 1 and size > 1:
            starts.pop()
        self.edges = list(zip(starts, [*starts[1:], len(rows)], strict=True))

    def __len__(self) -> int:
        return len(self.edges)

    def __iter__(self) -> Iterator[Tensor]:
        n = len(self.rows)
        index = torch.arange(n) if self.order is None else torch.randperm(n, generator=self.order)
        index = index.to(self.rows.device)
        for start, stop in self.edges:
            yield self.rows.take(index[start:stop])
