"""The classes that a file may name. Everything else is refused, and nothing else is imported."""

from __future__ import annotations

import builtins
import importlib
import sys
from typing import Any

import numpy as np
import pandas as pd
import scipy.special
import torch
from sklearn.base import BaseEstimator
from torch import nn

from geomgen.files._container import ModelFileError

__all__ = ["find_class", "find_dtype", "find_function", "has_name", "name_class", "name_function"]

# Public packages of scikit-learn: a file can have one of these imported, and no module by name.
_SKLEARN = frozenset(
    """calibration cluster compose covariance cross_decomposition decomposition
    discriminant_analysis dummy ensemble feature_extraction feature_selection gaussian_process
    impute isotonic kernel_approximation kernel_ridge linear_model manifold mixture
    model_selection multiclass multioutput naive_bayes neighbors neural_network pipeline
    preprocessing random_projection semi_supervised svm tree""".split()
)
# Classes of scikit-learn that its estimators hold, and that are no estimators.
_HELD = {
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
}
_NOT_OURS = ("geomgen.files", "geomgen.cli", "geomgen._io", "geomgen.demo", "geomgen.__main__")
_BUILTINS = {"bool", "int", "float", "complex", "str", "bytes", "object"}
_UFUNCS = {"numpy": np, "scipy.special": scipy.special}


def name_class(cls: type) -> str:
    """Name a class for a file, if a file may name it."""
    if has_name(cls):
        return f"{cls.__module__}.{cls.__qualname__}"
    raise ModelFileError(
        f"a file cannot hold the class {cls.__module__}.{cls.__qualname__}, which is not among "
        "those of geomgen, scikit-learn's estimators and torch's layers and optimizers"
    )


def has_name(cls: type) -> bool:
    """Whether a file may name a class."""
    try:
        return find_class(f"{cls.__module__}.{cls.__qualname__}") is cls
    except ModelFileError:
        return False


def find_class(name: Any) -> type:
    """Find a class that a file names."""
    module, _, own = str(name).rpartition(".")
    package = module.partition(".")[0]
    look: Any = {
        "builtins": _builtin,
        "geomgen": _ours,
        "numpy": _scalar,
        "sklearn": _estimator,
        "torch": _torch,
    }.get(package)
    cls = None if look is None else look(module, own)
    if not isinstance(cls, type) or (cls.__module__, cls.__qualname__) != (module, own):
        raise ModelFileError(f"a file cannot name the class {name!r}")
    return cls


def name_function(function: np.ufunc) -> str:
    """Name a function of numpy or of scipy's special functions."""
    for module, members in _UFUNCS.items():
        if getattr(members, function.__name__, None) is function:
            return f"{module}.{function.__name__}"
    raise ModelFileError(f"a file cannot hold the function {function!r}")


def find_function(name: Any) -> np.ufunc:
    """Find a function that a file names: elementwise mathematics alone."""
    module, _, own = str(name).rpartition(".")
    function = getattr(_UFUNCS.get(module), own, None)
    if not isinstance(function, np.ufunc):
        raise ModelFileError(f"a file cannot name the function {name!r}")
    return function


def _builtin(module: str, name: str) -> Any:
    return getattr(builtins, name) if module == "builtins" and name in _BUILTINS else None


def _ours(module: str, name: str) -> Any:
    """Return a class of a module that ``import geomgen`` has imported."""
    if module.startswith(_NOT_OURS):
        return None
    return vars(sys.modules.get(module, object)).get(name)


def _scalar(module: str, name: str) -> Any:
    member = getattr(np, name, None)
    return member if isinstance(member, type) and issubclass(member, np.generic) else None


def _estimator(module: str, name: str) -> Any:
    package = module.split(".")[1:2]
    if package and package[0] in _SKLEARN:
        importlib.import_module(f"sklearn.{package[0]}")
    member = vars(sys.modules.get(module, object)).get(name)
    is_estimator = isinstance(member, type) and issubclass(member, BaseEstimator)
    return member if is_estimator or f"{module}.{name}" in _HELD else None


def _torch(module: str, name: str) -> Any:
    for members, kind in ((torch.nn, nn.Module), (torch.optim, torch.optim.Optimizer)):
        member = getattr(members, name, None)
        if isinstance(member, type) and issubclass(member, kind):
            return member
    return None


def find_dtype(name: Any) -> Any:
    """Find a dtype of numpy, or one of pandas' that has no parts."""
    dtype = pd.api.types.pandas_dtype(str(name))
    if isinstance(dtype, np.dtype) and dtype.hasobject and dtype != np.dtype(object):
        raise ModelFileError(f"a file cannot hold rows of {dtype}")
    return dtype
