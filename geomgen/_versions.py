"""What the figures of a run may depend on."""

from __future__ import annotations

import importlib
import platform

__all__ = ["versions"]


def versions() -> dict[str, str]:
    """Versions of this package, of Python, and of the libraries that compute."""
    found = {"python": platform.python_version()}
    for name, module in (
        ("geomgen", "geomgen"),
        ("numpy", "numpy"),
        ("scikit-learn", "sklearn"),
        ("torch", "torch"),
    ):
        found[name] = str(importlib.import_module(module).__version__)
    return found
