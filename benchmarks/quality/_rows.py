"""Rows for the benchmark of samplers: loaded, dealt and standardised."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.preprocessing import StandardScaler

from geomgen.datasets import make_rare_digits, make_ring_mixture
from geomgen.metrics import energy_distance

__all__ = ["DATA", "TABLES", "Split", "distance", "split"]

DATA = Path(os.environ.get("GEOMGEN_DATA", "../shared/data"))
TABLES = ("thyroid", "annthyroid", "pendigits", "shuttle")
MOST = 10_000  # training rows


class Split(NamedTuple):
    """Standardised rows of one data set and seed."""

    train: np.ndarray
    held: np.ndarray
    y_train: np.ndarray
    y_held: np.ndarray
    mixture: Any

    def halves(self, repeat: int) -> tuple[np.ndarray, np.ndarray]:
        """Deal the held-out rows: one half to compare with, one to compare."""
        order = np.random.RandomState(repeat).permutation(len(self.held))
        first, second = np.array_split(self.held[order], 2)
        return first[: len(second)], second


def split(name: str, seed: int) -> Split:
    """Load, deal and standardise: three fifths to train on, at most 10 000 rows."""
    mixture, n_train = None, None
    if name == "ring":
        X, y, mixture = make_ring_mixture(14_000, random_state=seed, return_mixture=True)
        y, n_train = y == 0, 10_000
    elif name == "digits":
        X, y = make_rare_digits(random_state=0)
        y = y == 9
    else:
        with np.load(DATA / "tabular" / f"{name}.npz") as table:
            X, y = table["X"].astype(float), table["y"] == 1
    order = np.random.RandomState(seed).permutation(len(X))
    n_train = n_train or min(MOST, round(0.6 * len(X)))
    train, held = order[:n_train], order[n_train : n_train + 4000]
    if mixture is not None:  # its columns are alike, and its units are those of the truth
        return Split(X[train], X[held], y[train], y[held], mixture)
    scaler = StandardScaler().fit(X[train])
    rows, others = scaler.transform(X[train]), scaler.transform(X[held])
    return Split(rows, others, y[train], y[held], None)


def distance(rows: Split, drawn: list[np.ndarray]) -> float:
    """Mean energy distance of samples to halves of the held-out rows."""
    pairs = ((rows.halves(repeat)[0], X) for repeat, X in enumerate(drawn))
    return float(np.mean([energy_distance(real, X) for real, X in pairs]))
