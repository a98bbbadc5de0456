"""Rows of any kind as numbers on one scale, so that a distance means something."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from geomgen.metrics._tables import as_tables, is_numeric

__all__ = [
    "StandardEncoder",
    "as_rows",
    "encoded",
    "fit_encoder",
    "nearest_label",
    "split_target",
]


def as_rows(X: Any, columns: Any = None, name: str = "The rows") -> Any:
    """Return rows as a pandas frame if they have named columns, else as a 2-D array.

    Tensors are moved to the CPU, images flattened, and the columns of a frame put in the order of
    ``columns``.
    """
    if hasattr(X, "detach"):
        X = X.detach().cpu().numpy()
    if hasattr(X, "to_pandas"):
        X = X.to_pandas()
    if X is None or isinstance(X, str) or issparse(X):
        raise TypeError(f"{name}: {type(X).__name__} is no table of rows; pass an array or frame.")
    if not hasattr(X, "columns"):
        X = np.asarray(X)
        if X.ndim < 2:
            raise ValueError(f"{name} of shape {X.shape}: rows and columns are needed.")
        X = X.reshape(len(X), -1) if X.ndim > 2 else X
        return X if columns is None or X.shape[1] != len(columns) else _framed(X, columns)
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()].unique().tolist()
        raise ValueError(f"{name} has columns of the same name: rename {twice[:5]}.")
    if columns is not None and list(X.columns) != list(columns):
        lacking = [c for c in columns if c not in X.columns]
        if lacking:
            raise ValueError(f"{name}: columns {lacking[:5]} of the real rows are not there.")
        X = X[list(columns)]
    return X


def _framed(X: np.ndarray, columns: Any) -> pd.DataFrame:
    return pd.DataFrame(X, columns=list(columns))


def fit_encoder(preprocess: Any, X: Any) -> Any:
    """Fit to real rows the transformer that makes rows comparable.

    ``"standard"`` is :class:`StandardEncoder`. A transformer of the user's own is cloned. ``None``
    leaves numbers as they are.
    """
    if preprocess is None:
        return _Identity()
    if isinstance(preprocess, str):
        if preprocess != "standard":
            raise ValueError(
                f"preprocess={preprocess!r} must be 'standard', None or a transformer."
            )
        return StandardEncoder().fit(X)
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
    if not isinstance(target, str | int | np.integer) or isinstance(target, bool):
        raise TypeError(f"target={target!r} must be the name, or the position, of one column.")
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


class _Identity:
    def transform(self, X: Any) -> Any:
        return X


class StandardEncoder:
    """Numbers to mean 0 and variance 1, categories one-hot.

    Dates count as numbers; a missing number becomes the median, with a column that says so. A
    column of names that hardly two rows share is left out, with a warning: no distance between
    names means anything, and it would hide copies.
    """

    def fit(self, X: Any) -> StandardEncoder:
        """Learn kinds, scales and categories from real rows."""
        numbers = make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True), StandardScaler()
        )
        if not hasattr(X, "columns") and X.dtype != object:
            self.encoder_: Any = numbers.fit(X)
            self.kinds_ = None
            return self
        table = self._table(X)
        self.kinds_ = {name: is_numeric(column) for name, column in table.items()}
        numeric = [name for name, is_number in self.kinds_.items() if is_number]
        names = [n for n in table if n not in set(numeric) and not _identifies(table[n])]
        self._warn(X, [n for n in table if n not in {*numeric, *names}])
        onehot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        parts = [("numbers", numbers, numeric), ("categories", onehot, names)]
        self.encoder_ = ColumnTransformer([part for part in parts if part[2]]).fit(table)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Encode rows of the same columns."""
        if self.kinds_ is None:
            return self.encoder_.transform(X)
        table = self._table(X)
        for k, name in enumerate(table):
            if self.kinds_[name] and not is_numeric(table[name]):
                label = X.columns[k] if hasattr(X, "columns") else k
                raise ValueError(
                    f"Column {label!r} holds numbers in the real rows, and other things in these."
                )
        return self.encoder_.transform(table)

    def _table(self, X: Any) -> pd.DataFrame:
        (table,) = as_tables(X=X)
        return table.set_axis([f"x{k}" for k in range(table.shape[1])], axis=1)

    def _warn(self, X: Any, left_out: list[str]) -> None:
        if left_out:
            columns = getattr(X, "columns", range(X.shape[1]))
            shown = [columns[int(name[1:])] for name in left_out]
            warnings.warn(
                f"Columns {shown[:5]} hold another value in almost every row, and are left "
                "out of all distances. Drop them, or give preprocess= a transformer.",
                UserWarning,
                stacklevel=2,
            )


def _identifies(column: pd.Series) -> bool:
    """Whether a column tells rows apart, as names and keys do, and does not group them."""
    n = len(column)
    return n >= 20 and column.nunique() > 0.5 * n
