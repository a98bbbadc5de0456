"""Samplers: densities over codes, fitted after the autoencoder and drawn from to generate."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from geomgen._draw import draw
from geomgen.samplers._base import LatentSampler
from geomgen.samplers.auto import AutoSampler
from geomgen.samplers.autoregressive import AutoregressiveSampler
from geomgen.samplers.cells import CellSampler
from geomgen.samplers.copula import CopulaSampler
from geomgen.samplers.diffusion import DiffusionSampler
from geomgen.samplers.flow import FlowSampler
from geomgen.samplers.gaussian import GaussianSampler
from geomgen.samplers.interpolation import NeighbourInterpolationSampler
from geomgen.samplers.kernel import KernelSampler
from geomgen.samplers.local import LocalSampler
from geomgen.samplers.mixture import MixtureSampler
from geomgen.samplers.prior import PriorSampler, UniformSphereSampler
from geomgen.samplers.riemannian import RiemannianSampler
from geomgen.samplers.second_stage import SecondStageSampler
from geomgen.samplers.von_mises import VonMisesFisherSampler

__all__ = [
    "AutoSampler",
    "AutoregressiveSampler",
    "CellSampler",
    "CopulaSampler",
    "DiffusionSampler",
    "FlowSampler",
    "GaussianSampler",
    "KernelSampler",
    "LatentSampler",
    "LocalSampler",
    "MixtureSampler",
    "NeighbourInterpolationSampler",
    "PriorSampler",
    "RiemannianSampler",
    "SecondStageSampler",
    "UniformSphereSampler",
    "VonMisesFisherSampler",
    "draw",
    "make_sampler",
]

_BY_NAME: dict[str, type[LatentSampler]] = {
    "auto": AutoSampler,
    "autoregressive": AutoregressiveSampler,
    "cells": CellSampler,
    "copula": CopulaSampler,
    "diffusion": DiffusionSampler,
    "flow": FlowSampler,
    "gmm": MixtureSampler,
    "interpolation": NeighbourInterpolationSampler,
    "kde": KernelSampler,
    "local": LocalSampler,
    "mvg": GaussianSampler,
    "prior": PriorSampler,
    "riemannian": RiemannianSampler,
    "second_stage": SecondStageSampler,
    "uniform": UniformSphereSampler,
    "vmf": VonMisesFisherSampler,
}


def make_sampler(sampler: Any, random_state: int | None = None) -> Any:
    """Make an unfitted sampler from its name, or from an object to copy.

    Parameters
    ----------
    sampler : str or object
        One of ``"auto"``, ``"autoregressive"``, ``"cells"``, ``"copula"``, ``"diffusion"``,
        ``"flow"``, ``"gmm"``, ``"interpolation"``, ``"kde"``, ``"local"``, ``"mvg"``,
        ``"prior"``, ``"riemannian"``, ``"second_stage"``, ``"uniform"`` and ``"vmf"``; or a
        scikit-learn object with ``fit`` and ``sample``, which is cloned.
    random_state : int, optional
        Seed for a sampler that has a ``random_state`` and left it at None.

    Returns
    -------
    object with ``fit`` and ``sample``

    Raises
    ------
    ValueError
        For an unknown name.
    TypeError
        For an object without ``fit`` and ``sample``, or a class in place of an instance.

    Examples
    --------
    >>> make_sampler("gmm")
    MixtureSampler()
    """
    if isinstance(sampler, str):
        if sampler not in _BY_NAME:
            raise ValueError(
                f"Unknown sampler {sampler!r}. Use one of {sorted(_BY_NAME)}, or an object with "
                "fit and sample."
            )
        made = _BY_NAME[sampler]()
    elif isinstance(sampler, type) or not (hasattr(sampler, "fit") and hasattr(sampler, "sample")):
        raise TypeError(
            f"sampler={sampler!r} is neither one of the names {sorted(_BY_NAME)} nor an instance "
            "with fit and sample, such as GaussianMixture()."
        )
    else:
        made = clone(sampler)
    if "random_state" in made.get_params() and made.random_state is None:
        made.set_params(random_state=random_state)
    return made
