"""Discovery of the estimators and samplers of the package."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

import geomgen
from geomgen import samplers, tabular
from geomgen.base import GenerativeAutoencoder
from geomgen.samplers import LatentSampler
from geomgen.tabular import TableGenerator

__all__ = ["all_estimators", "all_samplers", "model_table"]

_KINDS: dict[str, Any] = {
    "numeric": (geomgen, GenerativeAutoencoder),
    "table": (tabular, TableGenerator),
}


def all_estimators(kind: str = "numeric") -> list[tuple[str, type]]:
    """List the public estimators of one kind.

    Parameters
    ----------
    kind : {"numeric", "table"}, default="numeric"
        Kind of rows: numeric arrays and frames; or frames of columns of any type.

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


def model_table() -> pd.DataFrame:
    """List the models: where they were published, and what they are made of.

    Returns
    -------
    DataFrame
        One row a public estimator, its name the index. ``posterior`` is the law of a code given a
        row, ``prior`` the law that the training matches it with, if it does; the ``latent space``
        is what the decoder sees of a code; ``sampler`` is the default.

    Examples
    --------
    >>> model_table().loc["VAEGenerator"].to_dict()["posterior"]
    'normal'
    """
    rows = {name: _described(cls) for name, cls in all_estimators()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def _described(cls: Any) -> dict[str, str]:
    sampler = cls().sampler
    return {
        "what it is": (inspect.getdoc(cls) or "").partition("\n")[0].rstrip("."),
        "paper": cls._paper,
        "equation": cls._equation,
        "posterior": _words(cls._posterior).removesuffix(" posterior"),
        "prior": _words(cls._prior).removesuffix(" prior"),
        "latent space": _words(type(cls._manifold)),
        "sampler": sampler if isinstance(sampler, str) else type(sampler).__name__,
    }


def _words(cls: type) -> str:
    """Split the name of a class: VonMisesFisherPosterior, von mises fisher posterior."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__).lower()


def _public(module: Any, base: type) -> Iterator[tuple[str, type]]:
    for name in module.__all__:
        member = getattr(module, name)
        if isinstance(member, type) and issubclass(member, base) and not inspect.isabstract(member):
            yield name, member
