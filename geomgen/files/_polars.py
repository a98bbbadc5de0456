"""polars' dtypes in a file: what a model of a polars frame keeps of it."""

from __future__ import annotations

import sys
from typing import Any

from geomgen.files._container import ModelFileError
from geomgen.files._graph import Kind, Node, Reader, Writer

__all__ = ["KINDS"]

# Dtypes that columns of a table may have, and what their constructors need.
_PARTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"), ()),
    **dict.fromkeys(("Float32", "Float64", "Boolean", "String", "Categorical", "Null"), ()),
    **dict.fromkeys(("Date", "Time"), ()),
    "Datetime": ("time_unit", "time_zone"),
    "Duration": ("time_unit",),
    "Enum": ("categories",),
}


def _is_dtype(value: Any) -> bool:
    polars = sys.modules.get("polars")  # without it, there is no value of it either
    return polars is not None and isinstance(value, polars.DataType)


def _write_dtype(value: Any, writer: Writer) -> Node:
    name = type(value).__name__
    if name not in _PARTS:
        raise writer.refusal(f"a column of polars' dtype {value} cannot be put into a file")
    parts = [getattr(value, part) for part in _PARTS[name]]
    lists = [part.to_list() if hasattr(part, "to_list") else part for part in parts]
    return {"name": name, "parts": writer.write(lists)}


def _read_dtype(node: Node, reader: Reader) -> Any:
    if node["name"] not in _PARTS:
        raise ModelFileError(f"polars has no dtype {node['name']!r} that a file can hold")
    try:
        import polars
    except ImportError as error:
        raise ImportError(
            'The model was fitted to a polars frame: pip install "geomgen[polars]".'
        ) from error
    return getattr(polars, node["name"])(*reader.read(node["parts"]))


KINDS = [Kind("polars dtype", _is_dtype, _write_dtype, _read_dtype)]
