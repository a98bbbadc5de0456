"""pandas' values in a file: series, indexes, frames, their dtypes, and its scalars."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd

from geomgen.files._allowed import find_dtype
from geomgen.files._container import ModelFileError
from geomgen.files._graph import Kind, Node, Reader, Writer

__all__ = ["KINDS"]


_MOST = 1_000_000  # rows of an index that takes no room in a file


def _write_values(values: Any, writer: Writer) -> Node:
    """Write the values of one column, by its dtype."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        return {"values": writer.write(np.asarray(values))}
    if isinstance(dtype, pd.CategoricalDtype):
        categorical = pd.Categorical(values)
        return {"values": writer.write(categorical.codes), "categories": writer.write(dtype)}
    if isinstance(dtype, pd.DatetimeTZDtype):
        numbers = np.asarray(pd.Index(values).tz_convert("UTC").tz_localize(None))
        return {"values": writer.write(numbers), "zone": str(dtype)}
    try:
        find_dtype(str(dtype))
    except TypeError as error:
        raise writer.refusal(f"a column of dtype {dtype} cannot be put into a file") from error
    missing = pd.isna(values)
    items = [None if gone else v for v, gone in zip(values, missing, strict=True)]
    return {"values": writer.write(items), "dtype": str(dtype)}


def _read_values(node: Node, reader: Reader) -> Any:
    values = reader.read(node["values"])
    if not isinstance(values, list | np.ndarray):  # a range, say, takes no room in a file
        raise ModelFileError(f"a {type(values).__name__} is where values should be")
    if "categories" in node:
        return pd.Categorical.from_codes(values, dtype=reader.read(node["categories"]))
    if "zone" in node:
        dtype: Any = find_dtype(node["zone"])
        return pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(dtype.tz).array
    if "dtype" in node:
        return pd.array(values, dtype=find_dtype(node["dtype"]))
    return values


def _write_series(value: pd.Series, writer: Writer) -> Node:
    name = {"name": writer.write(value.name), "index": writer.write(value.index)}
    return _write_values(value.array, writer) | name


def _read_series(node: Node, reader: Reader) -> pd.Series:
    values, index = _read_values(node, reader), reader.read(node["index"])
    if len(values) != len(index):
        raise ModelFileError("a series has values and an index of several lengths")
    return _checked(
        pd.Series(_kept(values), index=index, name=reader.read(node["name"])), pd.Series
    )


def _write_index(value: pd.Index, writer: Writer) -> Node:
    if isinstance(value, pd.MultiIndex):
        levels = [_write_index(value.get_level_values(i), writer) for i in range(value.nlevels)]
        return {"levels": levels}
    names = {"name": writer.write(value.name)}
    if isinstance(value, pd.RangeIndex):
        return names | {"range": [value.start, value.stop, value.step]}
    return names | _write_values(value.array, writer)


def _read_index(node: Node, reader: Reader) -> pd.Index:
    if "levels" in node:
        levels = [_read_index(level, reader) for level in node["levels"]]
        if all(isinstance(level, pd.RangeIndex) for level in levels) and len(levels[0]) > _MOST:
            raise ModelFileError("an index of ranges alone is too long")
        return pd.MultiIndex.from_arrays(levels)
    name = reader.read(node["name"])
    if "range" in node:
        return pd.RangeIndex(*node["range"], name=name)
    return pd.Index(_kept(_read_values(node, reader)), name=name)


def _kept(values: Any) -> Any:
    """Have pandas take objects as objects: it would make strings and dates of them."""
    objects = isinstance(values, np.ndarray) and values.dtype == object
    return pd.array(values, dtype=object) if objects else values


def _write_frame(value: pd.DataFrame, writer: Writer) -> Node:
    columns = [_write_values(value.iloc[:, j].array, writer) for j in range(value.shape[1])]
    return {
        "columns": columns,
        "names": writer.write(value.columns),
        "index": writer.write(value.index),
    }


def _read_frame(node: Node, reader: Reader) -> pd.DataFrame:
    index, names = reader.read(node["index"]), reader.read(node["names"])
    columns = {j: _kept(_read_values(c, reader)) for j, c in enumerate(node["columns"])}
    if any(len(column) != len(index) for column in columns.values()):
        raise ModelFileError("a frame has columns of several lengths")
    frame = pd.DataFrame(columns, index=index)
    frame.columns = names
    return frame


def _write_dtype(value: Any, writer: Writer) -> Node:
    if isinstance(value, pd.CategoricalDtype):
        categories = None if value.categories is None else value.categories
        return {"categories": writer.write(categories), "ordered": writer.write(value.ordered)}
    if pd.api.types.pandas_dtype(str(value)) != value:
        raise writer.refusal(f"the dtype {value} cannot be put into a file")
    return {"name": str(value)}


def _read_dtype(node: Node, reader: Reader) -> Any:
    if "categories" in node:
        return pd.CategoricalDtype(reader.read(node["categories"]), reader.read(node["ordered"]))
    return find_dtype(node["name"])


def _checked(value: Any, cls: type) -> Any:
    if not isinstance(value, cls):
        raise ModelFileError(f"a {type(value).__name__} is where a {cls.__name__} should be")
    return value


def _exact(*types: type) -> Any:
    return lambda value: type(value) in types


KINDS = [
    Kind("series", _exact(pd.Series), _write_series, _read_series),
    Kind("index", lambda v: isinstance(v, pd.Index), _write_index, _read_index),
    Kind("frame", _exact(pd.DataFrame), _write_frame, _read_frame),
    Kind(
        "pandas dtype",
        lambda v: isinstance(v, pd.api.extensions.ExtensionDtype),
        _write_dtype,
        _read_dtype,
    ),
    Kind(
        "missing",
        lambda v: v is pd.NA or v is pd.NaT,
        lambda v, w: {"name": str(v)},
        lambda n, r: {"<NA>": pd.NA, "NaT": pd.NaT}[n["name"]],
    ),
    Kind(
        "timestamp",
        _exact(pd.Timestamp),
        lambda v, w: {"value": v.isoformat(), "unit": v.unit, "zone": v.tz and str(v.tz)},
        lambda n, r: _timestamp(n),
    ),
    Kind(
        "timedelta",
        _exact(pd.Timedelta),
        lambda v, w: {"value": int(v.asm8.astype(np.int64)), "unit": v.unit},
        lambda n, r: pd.Timedelta(np.timedelta64(n["value"], n["unit"])),
    ),
    Kind(
        "date",
        _exact(datetime.date),
        lambda v, w: {"value": v.isoformat()},
        lambda n, r: datetime.date.fromisoformat(n["value"]),
    ),
]


def _timestamp(node: Node) -> Any:
    value = pd.Timestamp(node["value"]).as_unit(node["unit"])
    return value.tz_convert(node["zone"]) if node["zone"] else value
