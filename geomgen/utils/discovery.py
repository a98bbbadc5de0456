"""Discovery of the estimators and samplers of the package."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import isabstract
from typing import Any

import geomgen
from geomgen import samplers
from geomgen.base import GenerativeAutoencoder
from geomgen.samplers import LatentSampler

__all__ = ["all_estimators", "all_samplers"]

_KINDS: dict[str, Any] = {"numeric": (geomgen, GenerativeAutoencoder)}


def all_estimators(kind: str = "numeric") -> list[tuple[str, type]]:
    """List the public estimators of one kind.

    Parameters
    ----------
    kind : {"numeric"}, default="numeric"
        Kind of rows: numeric arrays and frames, with default-constructible estimators.

    Returns
    -------
    list of (name, class)
        Sorted by name.

    Examples
    --------
    >>> from geomgen import AE
    >>> ("AE", AE) in all_estimators()
    True
    """
    if kind not in _KINDS:
        raise ValueError(f"Unknown kind {kind!r}. Use one of {sorted(_KINDS)}.")
    return sorted(_public(*_KINDS[kind]))


def all_samplers() -> list[tuple[str, type]]:
    """List the public samplers over codes.

    Returns
    -------
    list of (name, class)
        Sorted by name.

    Examples
    --------
    >>> all_samplers()[0]
    ('AutoSampler', <class 'geomgen.samplers.auto.AutoSampler'>)
    """
    return sorted(_public(samplers, LatentSampler))


def _public(module: Any, base: type) -> Iterator[tuple[str, type]]:
    for name in module.__all__:
        member = getattr(module, name)
        if isinstance(member, type) and issubclass(member, base) and not isabstract(member):
            yield name, member
