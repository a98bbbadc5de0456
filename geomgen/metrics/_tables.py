"""Tables with columns of numbers and of categories, some values missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from geomgen.metrics._checks import match_columns

__all__ = ["as_tables", "is_numeric"]


def as_tables(**samples: Any) -> list[pd.DataFrame]:
    """Return samples, given by their names, as frames of the same columns and kinds.

    A column of numbers, dates or durations becomes float64, with NaN where it is missing. Any
    other, and one that is not numeric in every sample, becomes a column of objects, with None.
    """
    first, *others = samples
    tables = {first: _frame(first, samples[first])}
    names = tables[first].columns
    for name in others:
        sample = match_columns(samples[first], samples[name], names=(first, name))
        tables[name] = table = _frame(name, sample)
        if table.shape[1] != len(names):
            raise ValueError(
                f"{first} has {len(names)} columns and {name} {table.shape[1]}: they must be the "
                "same."
            )
        tables[name] = table.set_axis(names, axis=1)
    columns: dict[str, dict[Any, Any]] = {name: {} for name in tables}
    for column in names:
        series = {name: table[column] for name, table in tables.items()}
        numeric = all(_holds_numbers(values) for values in series.values())
        for name, values in series.items():
            made: Any = _numbers(values) if numeric else values.astype(object)
            if numeric and np.isinf(made).any():
                raise ValueError(
                    f"Column {column!r} of {name} holds infinity: only NaN is missing."
                )
            columns[name][column] = made if numeric else made.where(values.notna(), None)
    return [pd.DataFrame(columns[name], index=tables[name].index) for name in tables]


def is_numeric(column: pd.Series) -> bool:
    """Whether a column of such a table holds numbers."""
    return column.dtype == np.float64


def _frame(name: str, sample: Any) -> pd.DataFrame:
    if isinstance(sample, pd.DataFrame):
        frame = sample
    elif hasattr(sample, "to_pandas"):  # polars and others
        frame = sample.to_pandas()
    else:
        rows = sample if isinstance(sample, np.ndarray) else np.asarray(sample, dtype=object)
        if rows.ndim != 2:
            raise ValueError(f"{name} has {rows.ndim} dimensions: a table has two.")
        frame = pd.DataFrame(rows)
    if frame.size == 0:
        raise ValueError(f"{name} has shape {frame.shape}: a table has rows and columns.")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()].unique().tolist()
        raise ValueError(f"{name} has columns of the same name: rename {twice[:5]}.")
    return frame.infer_objects()


def _holds_numbers(column: pd.Series) -> bool:
    dtype = column.dtype
    numeric = types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype)
    time = types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype)
    return numeric or time or bool(column.isna().all())


def _numbers(column: pd.Series) -> np.ndarray:
    if types.is_datetime64_any_dtype(column.dtype):
        column = pd.to_datetime(column, utc=True) - pd.Timestamp(0, tz="UTC")
    if types.is_timedelta64_dtype(column.dtype):
        column = column.dt.total_seconds()
    if column.isna().all():
        return np.full(len(column), np.nan)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)
