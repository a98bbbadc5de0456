"""Small instances of everything that is discovered."""

from __future__ import annotations

import inspect

import pytest

from geomgen.utils.discovery import all_estimators, all_samplers

SMALL = {"n_components": 2, "hidden": (8,), "max_epochs": 3, "batch_size": 32, "random_state": 0}


# The least that makes a sampler that trains, or that walks, work on tests' few codes.
QUICK = {
    "AutoregressiveSampler": {"hidden": (16,), "max_epochs": 30, "lr": 0.02},
    "DiffusionSampler": {"hidden": (16,), "max_epochs": 60, "lr": 0.01},
    "FlowSampler": {"hidden": (8,), "max_epochs": 60, "lr": 0.02},
    "SecondStageSampler": {"hidden": (16,), "max_epochs": 60, "lr": 0.01},
}


def quick(cls, **params):
    return cls(**{**QUICK.get(cls.__name__, {}), "random_state": 0, **params})


def small(cls, **params):
    """Make a small instance; a field that the class has fixed keeps the value it is fixed at."""
    given = {**SMALL, **params}
    return cls(**{k: v for k, v in given.items() if k in parameters(cls) or not hasattr(cls, k)})


def parameters(cls):
    return inspect.signature(cls).parameters


ESTIMATORS = [cls for _, cls in all_estimators()]
SAMPLERS = [cls for _, cls in all_samplers()]


def name(value):
    return getattr(value, "__name__", None) or repr(value)


def having(*names):
    """Run a test for every estimator that has these parameters: closed forms lack some."""
    classes = [cls for cls in ESTIMATORS if set(names) <= set(parameters(cls))]
    return pytest.mark.parametrize("cls", classes, ids=name)
