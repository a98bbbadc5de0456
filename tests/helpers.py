"""Small instances of everything that is discovered."""

from __future__ import annotations

from geomgen.utils.discovery import all_estimators, all_samplers

SMALL = {"n_components": 2, "hidden": (8,), "max_epochs": 3, "batch_size": 32, "random_state": 0}


def small(cls, **params):
    return cls(**{**SMALL, **params})


ESTIMATORS = [cls for _, cls in all_estimators()]
SAMPLERS = [cls for _, cls in all_samplers()]


def name(value):
    return getattr(value, "__name__", None) or repr(value)
