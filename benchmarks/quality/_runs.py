"""Runs that can be stopped and resumed: trained models, and figures cell by cell."""

from __future__ import annotations

import json
import os
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

__all__ = ["Lines", "Results", "cached", "short", "timed", "trained", "versions"]


def versions() -> dict[str, str]:
    """Version of everything that figures depend on."""
    return {
        "geomgen": geomgen.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }


class Lines:
    """Measurements in a file, a line of JSON each: what is there is not measured again.

    A line is appended by one write that is flushed to the disk, and a last line without an end,
    which a killed run may leave, is cut off; so a run can be stopped at any time.

    Parameters
    ----------
    path : Path
        The file, which is taken up if it exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        text = path.read_bytes() if path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        self.cut = len(whole) if whole != text else None  # when something is added
        records = map(json.loads, whole.decode().splitlines())
        self.records = {self.key(record["what"]): record for record in records}

    @staticmethod
    def key(what: dict[str, Any]) -> str:
        """Identity of a measurement: all that was declared of it."""
        return json.dumps(what, sort_keys=True)

    def get(self, what: dict[str, Any]) -> dict[str, Any] | None:
        """Record of a measurement, if there is one."""
        return self.records.get(self.key(what))

    def add(self, what: dict[str, Any], figures: dict[str, Any], **more: Any) -> None:
        """Append a measurement."""
        kept = {name: short(value) for name, value in figures.items()}
        record = {"what": what, "figures": kept, **more, "versions": versions()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.cut is not None:
            os.truncate(self.path, self.cut)
            self.cut = None
        with self.path.open("ab") as file:
            file.write(json.dumps(record).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.records[self.key(what)] = record


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
            "versions": versions(),
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
        self.cells[_key(names)] = {name: short(value) for name, value in figures.items()}
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


def short(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [short(v) for v in value]
    if not isinstance(value, (float, np.floating)):
        return value
    return float(f"{value:.4g}") if np.isfinite(value) else None
