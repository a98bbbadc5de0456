"""Randomness without global state: local generators, and the one place that must fork."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

__all__ = ["draw_seed", "generator", "seeded", "substream"]

_LOCK = threading.Lock()


def draw_seed(random_state: Any) -> int:
    """Draw one seed from a scikit-learn random state."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def substream(seed: int, *path: int) -> int:
    """Derive an independent seed for one purpose (``path``) of a seeded computation."""
    return int(np.random.SeedSequence((seed, *path)).generate_state(1)[0])


def generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Make a torch generator of its own, so that the global one never moves."""
    return torch.Generator(device=device).manual_seed(seed)


@contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Run code that can only draw from torch's global generators, and put these back after.

    The generators belong to the process, hence the lock: two threads would otherwise restore
    each other's state. ``torch.manual_seed`` is avoided because it seeds every CUDA device.
    """
    device = torch.device(device)
    cuda = [device.index or 0] if device.type == "cuda" else []
    with _LOCK, torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        for index in cuda:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield
