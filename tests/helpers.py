"""Small instances of everything that is discovered."""

from __future__ import annotations

from geomgen.utils.discovery import all_estimators, all_samplers

SMALL = {"n_components": 2, "hidden": (8,), "max_epochs": 3, "batch_size": 32, "random_state": 0}


# The least that makes a sampler that trains, or that walks, work on tests' few codes.
QUICK = {
    "DiffusionSampler": {"hidden": (16,), "max_epochs": 60, "lr": 0.01},
    "FlowSampler": {"hidden": (8,), "max_epochs": 60, "lr": 0.02},
}


def quick(cls, **params):
    return cls(**{**QUICK.get(cls.__name__, {}), "random_state": 0, **params})


def small(cls, **params):
    return cls(**{**SMALL, **params})


ESTIMATORS = [cls for _, cls in all_estimators()]
SAMPLERS = [cls for _, cls in all_samplers()]


def name(value):
    return getattr(value, "__name__", None) or repr(value)
