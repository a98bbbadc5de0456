"""Columns of pandas and polars frames as plain arrays, and back in their own dtype."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types

__all__ = ["Storage", "Values", "build_frame", "column_names", "read_column"]

Kind = Literal["numeric", "time", "discrete"]
_MEASURES = (Decimal, datetime.date, datetime.time, datetime.timedelta)  # no categories
_REMEDY = "Convert it to numbers, strings, categories, booleans or datetimes, or drop it."


@dataclass(frozen=True)
class Values:
    """A column's values, and where they are missing.

    Attributes
    ----------
    data : ndarray of shape (n,)
        float64 for numbers, int64 for times (in the dtype's unit), objects otherwise; any value
        of that type where it is missing.
    missing : ndarray of bool of shape (n,)
    """

    data: np.ndarray
    missing: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """The values that are not missing."""
        return self.data[~self.missing]


@dataclass(frozen=True)
class Storage:
    """How a column was stored: its kind, its dtype, and what marks a missing value."""

    kind: Kind
    dtype: Any
    library: str
    marker: Any = None

    @property
    def is_integer(self) -> bool:
        """Whether numbers are whole."""
        if self.library == "polars":
            return self.dtype.is_integer()
        return bool(types.is_integer_dtype(self.dtype))

    @property
    def precision(self) -> str:
        """The dtype of numpy that holds numbers as exactly as they were stored."""
        word = str(self.dtype).lower()
        if self.is_integer:
            return "int64"
        if word.startswith(("float16", "halffloat")):
            return "float16"
        return "float32" if word.startswith(("float32", "float[")) else "float64"

    def restore(self, name: Any, values: Values) -> Any:
        """Make a column of the library and dtype it came in."""
        restore = _to_polars if self.library == "polars" else _to_pandas
        return restore(self, name, values)


def column_names(X: Any) -> list[Any]:
    """Names of the columns of a frame, or raise.

    Raises
    ------
    TypeError, ValueError
        If it is no pandas or polars frame, or has no rows, no columns, or two of one name.
    """
    if not isinstance(X, pd.DataFrame) and not _is_polars(X):
        raise TypeError(
            f"X is a {type(X).__name__}: a table is a pandas or polars DataFrame. Wrap arrays, as "
            "pandas.DataFrame(X), or use a model of geomgen on them as they are."
        )
    names = list(X.columns)
    if not names or not len(X):
        raise ValueError(f"X has shape {X.shape}: a table has rows and columns.")
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"X has several columns of the names {twice[:5]}: rename them.")
    return names


def read_column(X: Any, name: Any) -> tuple[Storage, Values]:
    """Read a column of a frame.

    Raises
    ------
    TypeError
        If its dtype is not supported.
    ValueError
        If it holds infinity.
    """
    storage, values = (_from_polars if _is_polars(X) else _from_pandas)(name, X[name])
    if storage.kind == "numeric" and np.isinf(values.present).any():
        raise ValueError(
            f"Column {name!r} holds infinity: replace it by a number, or by a missing value."
        )
    if storage.kind == "numeric" and storage.is_integer:
        largest = float(np.abs(values.present).max(initial=0))
        if largest > 2**53:
            raise ValueError(
                f"Column {name!r} holds {largest:.0f}, an integer that float64 cannot hold: make "
                "a column of keys a column of strings, or drop it."
            )
    return storage, values


def build_frame(columns: dict[Any, Any], library: str, index: Any, header: Any) -> Any:
    """Join columns to a frame, with the columns' index of the frame they came from."""
    if library == "polars":
        import polars  # only ever reached by a caller who brought polars along

        return polars.DataFrame(list(columns.values()))
    frame = pd.concat([pd.Series(c) for c in columns.values()], axis=1, ignore_index=True)
    return frame.set_axis(header, axis=1).set_axis(index, axis=0)


def _is_polars(X: Any) -> bool:
    return type(X).__module__.partition(".")[0] == "polars" and hasattr(X, "height")


# ------------------------------------------------------------------------------------- pandas
def _from_pandas(name: Any, column: pd.Series) -> tuple[Storage, Values]:
    missing = column.isna().to_numpy(dtype=bool)
    dtype = column.dtype
    if _holds_objects(dtype):
        return _from_objects(name, column, missing)
    if types.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype | pd.StringDtype):
        kind: Kind = "discrete"
    elif types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype):
        if isinstance(dtype, pd.ArrowDtype):
            raise TypeError(f"Column {name!r} is of dtype {dtype}. {_REMEDY}")
        naive = column.dt.tz_convert("UTC").dt.tz_localize(None) if _has_zone(dtype) else column
        data = naive.to_numpy().view("int64").copy()
        return Storage("time", dtype, "pandas"), Values(data, missing)
    elif types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype):
        if isinstance(dtype, pd.SparseDtype):
            raise TypeError(f"Column {name!r} is sparse: make it dense, X.sparse.to_dense().")
        data = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return Storage("numeric", dtype, "pandas"), Values(data, missing)
    elif isinstance(dtype, pd.ArrowDtype) and dtype.type is str:
        kind = "discrete"
    else:
        raise TypeError(f"Column {name!r} is of dtype {dtype}, which is not supported. {_REMEDY}")
    return Storage(kind, dtype, "pandas"), Values(column.to_numpy(dtype=object), missing)


def _from_objects(name: Any, column: pd.Series, missing: np.ndarray) -> tuple[Storage, Values]:
    """Read Python objects: numbers if they all are, else anything that can be compared."""
    data = column.to_numpy(dtype=object)
    marker = data[missing.argmax()] if missing.any() else None
    present = data[~missing]
    if len(present) and all(isinstance(v, int | float | np.integer) for v in present):
        if not any(isinstance(v, bool | np.timedelta64) for v in present):
            numbers = np.where(missing, np.nan, data).astype(np.float64)
            return Storage("numeric", column.dtype, "pandas", marker), Values(numbers, missing)
    bad = next((v for v in present if type(v).__hash__ is None or isinstance(v, _MEASURES)), None)
    if bad is not None:
        raise TypeError(
            f"Column {name!r} holds values of type {type(bad).__name__}, which is not supported in "
            f"a column of objects. {_REMEDY}"
        )
    return Storage("discrete", column.dtype, "pandas", marker), Values(data, missing)


def _has_zone(dtype: Any) -> bool:
    return isinstance(dtype, pd.DatetimeTZDtype)


def _to_pandas(storage: Storage, name: Any, values: Values) -> pd.Series:
    dtype, data, missing = storage.dtype, values.data, values.missing
    if storage.kind == "time":
        unit = f"{'m' if types.is_timedelta64_dtype(dtype) else 'M'}8[{dtype_unit(dtype)}]"
        column = pd.Series(data.astype(np.int64).view(unit)).mask(missing)
        if _has_zone(dtype):
            column = column.dt.tz_localize("UTC").dt.tz_convert(dtype.tz)
        return column.astype(dtype).rename(name)
    if storage.kind == "numeric" and not _holds_objects(dtype):
        if isinstance(dtype, np.dtype) and not missing.any():
            return pd.Series(data.astype(dtype), name=name)
        filled = pd.Series(np.where(missing, np.nan, data)).astype(dtype)
        return filled.mask(missing).astype(dtype).rename(name)
    if storage.kind == "numeric":
        whole = bool(np.all(values.present == np.round(values.present)))
        data = np.array([int(v) if whole else float(v) for v in np.where(missing, 0, data)], object)
    marker = storage.marker if _holds_objects(dtype) else getattr(dtype, "na_value", None)
    filled_objects = np.empty(len(data), dtype=object)
    filled_objects[:] = data
    filled_objects[missing] = marker
    return pd.Series(filled_objects, dtype=dtype, name=name)


def _holds_objects(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind == "O"


def dtype_unit(dtype: Any) -> str:
    """Return the unit of times in a pandas dtype: "ns", "us", "ms" or "s"."""
    return dtype.unit if _has_zone(dtype) else np.datetime_data(dtype)[0]


# ------------------------------------------------------------------------------------- polars
def _from_polars(name: Any, column: Any) -> tuple[Storage, Values]:
    import polars

    dtype = column.dtype
    missing = column.is_null().to_numpy()
    if dtype.is_float():
        data = column.fill_null(np.nan).to_numpy().astype(np.float64)
        marker = None if missing.any() else np.nan
        return Storage("numeric", dtype, "polars", marker), Values(data, np.isnan(data))
    if dtype.is_integer():
        data = column.fill_null(0).to_numpy().astype(np.float64)
        return Storage("numeric", dtype, "polars"), Values(data, missing)
    if dtype.is_temporal():
        data = column.to_physical().fill_null(0).to_numpy().astype(np.int64)
        return Storage("time", dtype, "polars"), Values(data, missing)
    if dtype in (polars.Boolean, polars.String, polars.Categorical, polars.Enum, polars.Null):
        plain = column if dtype in (polars.Boolean, polars.Null) else column.cast(polars.String)
        data = np.empty(len(column), dtype=object)
        data[:] = plain.to_list()
        return Storage("discrete", dtype, "polars"), Values(data, missing)
    raise TypeError(f"Column {name!r} is of dtype {dtype}, which is not supported. {_REMEDY}")


def _to_polars(storage: Storage, name: Any, values: Values) -> Any:
    import polars

    missing: Any = values.missing
    if storage.kind == "discrete":
        plain = [None if gone else value for value, gone in zip(values.data, missing, strict=True)]
        return polars.Series(name, plain, dtype=storage.dtype)
    data = np.where(missing, 0, values.data)
    column = polars.Series(name, data if storage.dtype.is_float() else data.astype(np.int64))
    column = column.cast(storage.dtype)
    if not missing.any():
        return column
    gone = polars.Series(missing)
    marker = polars.lit(storage.marker, dtype=storage.dtype)
    kept = polars.when(~gone).then(column).otherwise(marker)
    return polars.select(kept.alias(name)).to_series()
