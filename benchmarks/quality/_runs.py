"""Runs that can be stopped and resumed: trained models, and figures cell by cell."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import sklearn
import torch

import geomgen

__all__ = ["Results", "cached", "timed", "trained"]


class Results:
    """Figures by cell, written to a file after each: what is there is not measured again.

    Parameters
    ----------
    path : Path or None
        The JSON file, which is taken up if it exists; None keeps the figures in memory.
    **header : object
        What the file says of the benchmark beside its versions.
    """

    def __init__(self, path: Path | None, **header: Any) -> None:
        self.path = path
        old = json.loads(path.read_text()) if path and path.exists() else {"cells": {}}
        self.content = {
            **header,
            "versions": {
                "geomgen": geomgen.__version__,
                "python": platform.python_version(),
                "torch": torch.__version__,
                "numpy": np.__version__,
                "scikit-learn": sklearn.__version__,
            },
            "cells": old["cells"],
        }

    @property
    def cells(self) -> dict[str, dict[str, Any]]:
        """Figures of each cell; its key is its names joined by bars."""
        return self.content["cells"]

    def missing(self, *names: object) -> bool:
        """Whether a cell is still to be measured."""
        return _key(names) not in self.cells

    def add(self, *names: object, **figures: Any) -> None:
        """Keep a cell's figures to four digits, null if not finite; print them; write the file."""
        self.cells[_key(names)] = {name: _short(value) for name, value in figures.items()}
        print(_key(names), self.cells[_key(names)], flush=True)
        self.write()

    def write(self) -> None:
        """Write the file, one line a cell."""
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            rows = (f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in self.cells.items())
            head = json.dumps(self.content | {"cells": {}}, indent=1)[: -len("{}\n}")]
            self.path.write_text(head + "{\n" + ",\n".join(rows) + "\n }\n}\n")


def timed(function: Callable, *args: Any, **kwargs: Any) -> tuple[Any, float]:
    """Call a function: what it returns, and its CPU seconds."""
    start = time.process_time()
    return function(*args, **kwargs), time.process_time() - start


def cached(cache: Path | None, name: str, make: Callable[[], Any]) -> Any:
    """Make a thing, or load it from the cache folder if it was made before."""
    if cache is None:
        return make()
    path = cache / f"{name}.joblib"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        joblib.dump(make(), path)
    return joblib.load(path)


def trained(cache: Path | None, name: str, model: Any, X: np.ndarray) -> tuple[Any, float]:
    """Fit a model, or load it; also the CPU seconds of its training, the sampler's left out."""

    def fit() -> tuple[Any, float]:
        fitted = model.fit(X)
        return fitted, float(fitted.history_["seconds"].sum())

    return cached(cache, name, fit)


def _key(names: tuple) -> str:
    return "|".join(map(str, names))


def _short(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_short(v) for v in value]
    if not isinstance(value, (float, np.floating)):
        return value
    return float(f"{value:.4g}") if np.isfinite(value) else None
