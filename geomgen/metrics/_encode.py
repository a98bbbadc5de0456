"""Rows of any kind as numbers on one scale, so that a distance means something."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

__all__ = ["as_rows", "encoded", "fit_encoder", "nearest_label", "split_target", "take"]


def as_rows(X: Any, columns: Any = None) -> Any:
    """Return rows as a pandas frame if they have named columns, else as a 2-D array.

    Tensors are moved to the CPU, images flattened, and the columns of a frame put in the order of
    ``columns``.
    """
    if hasattr(X, "detach"):
        X = X.detach().cpu().numpy()
    if hasattr(X, "to_pandas"):
        X = X.to_pandas()
    if not hasattr(X, "columns"):
        X = np.asarray(X)
        X = X.reshape(len(X), -1) if X.ndim > 2 else X
        return X if columns is None or X.shape[1:] != (len(columns),) else _framed(X, columns)
    if columns is not None and list(X.columns) != list(columns):
        lacking = [c for c in columns if c not in X.columns]
        if lacking:
            raise ValueError(f"The generated rows lack columns {lacking[:5]} of the real ones.")
        X = X[list(columns)]
    return X


def _framed(X: np.ndarray, columns: Any) -> pd.DataFrame:
    return pd.DataFrame(X, columns=list(columns))


def fit_encoder(preprocess: Any, X: Any) -> Any:
    """Fit to real rows the transformer that makes rows comparable.

    ``"standard"``: numeric columns to mean 0 and variance 1, with a missing value at the median
    and an indicator column; other columns one-hot. A transformer of the user's own is cloned.
    ``None`` leaves numbers as they are.
    """
    if preprocess is None:
        return _Identity()
    if isinstance(preprocess, str):
        if preprocess != "standard":
            raise ValueError(
                f"preprocess={preprocess!r} must be 'standard', None or a transformer."
            )
        return _standard(X).fit(X)
    if not hasattr(preprocess, "transform"):
        raise TypeError(f"preprocess={preprocess!r} has no transform: pass a transformer.")
    return clone(preprocess).fit(X)


def encoded(preprocess: Any, X: Any, drawn: Any) -> tuple[Any, Any]:
    """Real and drawn rows on one scale, which the real rows set."""
    X = as_rows(X)
    drawn = as_rows(drawn, getattr(X, "columns", None))
    encoder = fit_encoder(preprocess, X)
    return encoder.transform(X), encoder.transform(drawn)


def split_target(X: Any, target: Any) -> tuple[Any, np.ndarray]:
    """Rows without the column of their labels, and the labels."""
    if hasattr(X, "columns"):
        if target not in X.columns:
            raise ValueError(
                f"target={target!r} is no column of these rows: {list(X.columns)[:8]}."
            )
        return X.drop(columns=target), X[target].to_numpy()
    if isinstance(target, str) or not -X.shape[1] <= target < X.shape[1]:
        raise ValueError(f"target={target!r} is no column of an array of {X.shape[1]} columns.")
    return np.delete(X, target, axis=1), X[:, target]


def nearest_label(y: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Round generated labels, which a continuous generator leaves between the real ones."""
    if labels.dtype.kind not in "biuf":
        return y
    order = np.abs(np.asarray(y, float)[:, None] - labels.astype(float))
    return labels[order.argmin(1)]


def take(X: Any, rows: np.ndarray) -> Any:
    """Rows of a frame or an array, by position."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


class _Identity:
    def transform(self, X: Any) -> Any:
        return X


def _standard(X: Any) -> Any:
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    if not hasattr(X, "columns"):
        return numbers
    numeric = [c for c in X.columns if pd.api.types.is_numeric_dtype(X[c].dtype)]
    other = [c for c in X.columns if c not in set(numeric)]
    onehot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    parts = [("numbers", numbers, numeric)] if numeric else []
    return ColumnTransformer(parts + ([("categories", onehot, other)] if other else []))
