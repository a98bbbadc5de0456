"""Two samples, checked alike by every metric."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

__all__ = ["check_count", "check_pair", "check_sample", "match_columns"]


def check_pair(
    X: Any, Y: Any, *, names: tuple[str, str] = ("X", "Y"), min_rows: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return two samples as float64 arrays of the same columns.

    Two frames are matched by the names of their columns, whatever the order.
    """
    Y = match_columns(X, Y, names=names)
    X = check_sample(X, name=names[0], min_rows=min_rows)
    Y = check_sample(Y, name=names[1], min_rows=min_rows)
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"{names[0]} has {X.shape[1]} columns and {names[1]} {Y.shape[1]}: they must be the "
            "same."
        )
    return X, Y


def match_columns(X: Any, Y: Any, *, names: tuple[str, str] = ("X", "Y")) -> Any:
    """Return Y with its columns in the order of X's, if both are frames."""
    columns, others = getattr(X, "columns", None), getattr(Y, "columns", None)
    if columns is not None and others is not None and list(columns) != list(others):
        if sorted(map(str, columns)) != sorted(map(str, others)):
            differ = sorted(set(map(str, columns)) ^ set(map(str, others)))
            raise ValueError(
                f"{names[0]} and {names[1]} have different columns: {differ[:5]} are in one only."
            )
        return Y[list(columns)]
    return Y


def check_sample(X: Any, *, name: str = "X", min_rows: int = 1) -> np.ndarray:
    """Return a sample as a float64 array, or raise naming what is wrong with it."""
    dtypes = getattr(X, "dtypes", None)
    if dtypes is not None and hasattr(dtypes, "items"):  # of a pandas frame
        other = [str(c) for c, t in dtypes.items() if getattr(t, "kind", "f") not in "biuf"]
        if other:
            raise ValueError(
                f"Columns {other[:5]} of {name} are not numbers: encode them, or use "
                "geomgen.metrics.evaluate, which does."
            )
    X = check_array(X, dtype=np.float64, input_name=name)
    if len(X) < min_rows:
        raise ValueError(f"{name} has {len(X)} rows: at least {min_rows} are needed.")
    return X


def check_count(value: Any, name: str, low: int = 1) -> None:
    """Raise unless value is a whole number of at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < low:
        raise ValueError(f"{name}={value!r} must be a whole number of at least {low}.")
