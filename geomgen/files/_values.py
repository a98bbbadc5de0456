"""The kinds of values that are no objects of ours: containers, arrays, tensors, types."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from geomgen.files._allowed import (
    find_class,
    find_dtype,
    find_function,
    name_class,
    name_function,
)
from geomgen.files._container import ModelFileError
from geomgen.files._graph import Kind, Node, Reader, Writer

__all__ = ["KINDS"]

_STORED = "biuf"  # kinds of numpy dtypes that safetensors has
_MOST_PARTS = 100_000  # of a key
_WORDS = 624  # of the state of the Mersenne twister


# ------------------------------------------------------------------------------------ containers
def _write_dict(value: dict, writer: Writer) -> Node:
    items = [[writer.write(k), writer.write(v, f"[{k!r}]")] for k, v in value.items()]
    return {"items": items}


def _read_dict(node: Node, reader: Reader) -> dict:
    return {_hashed(reader.read(k)): reader.read(v) for k, v in node["items"]}


def _hashed(value: Any) -> Any:
    """Refuse keys whose parts, shared over and over, would take for ever to hash."""
    parts, n = [value], 0
    while parts:
        part = parts.pop()
        if isinstance(part, tuple | frozenset):
            parts.extend(part)
            n += len(part)
        if n > _MOST_PARTS:
            raise ModelFileError("a key, or an item of a set, has too many parts")
    return value


def _write_items(value: Any, writer: Writer) -> Node:
    return {"items": [writer.write(v, f"[{i}]") for i, v in enumerate(value)]}


def _read_set(cls: type) -> Any:
    return lambda n, r: cls(_hashed(r.read(item)) for item in n["items"])


def _is_named(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _write_named(value: Any, writer: Writer) -> Node:
    return {"class": name_class(type(value)), **_write_items(value, writer)}


def _read_named(node: Node, reader: Reader) -> Any:
    cls: Any = find_class(node["class"])
    if not (issubclass(cls, tuple) and hasattr(cls, "_fields")):
        raise ModelFileError(f"{node['class']} is no named tuple")
    return cls._make(map(reader.read, node["items"]))


def _read_slice(node: Node, reader: Reader) -> slice:
    return slice(*map(reader.read, node["items"]))


# ---------------------------------------------------------------------------------------- arrays
def _write_array(value: np.ndarray, writer: Writer) -> Node:
    """Write numbers beside the tree and objects into it; the memory order decides last digits."""
    by_columns = value.flags.f_contiguous and not value.flags.c_contiguous
    node: Node = {"order": "F" if by_columns else "C"}
    flat = value.T if by_columns else value
    if value.dtype == object:
        items = [writer.write(v, f"[{i}]") for i, v in enumerate(flat.ravel().tolist())]
        return node | {"dtype": "object", "shape": [*flat.shape], "items": items}
    native = value.dtype.isnative and value.dtype.kind in _STORED and value.dtype.itemsize <= 8
    if native:
        return node | {"tensor": writer.tensor(flat)}
    if value.dtype.hasobject or value.dtype.names:
        raise writer.refusal(f"an array of dtype {value.dtype} cannot be put into a file")
    raw = np.frombuffer(np.ascontiguousarray(flat).tobytes(), np.uint8)
    shape = {"dtype": value.dtype.str, "shape": [*flat.shape]}
    return node | shape | {"tensor": writer.tensor(raw)}


def _read_array(node: Node, reader: Reader) -> np.ndarray:
    dtype = None if "dtype" not in node else find_dtype(node["dtype"])
    if "items" in node:
        flat = np.empty(len(node["items"]), dtype=object)
        for i, item in enumerate(node["items"]):
            flat[i] = reader.read(item)
        array = flat.reshape(node["shape"])
    elif dtype is None:
        array = reader.tensor(node["tensor"])
    else:
        array = reader.tensor(node["tensor"]).view(dtype).reshape(node["shape"])
    return array.T if node["order"] == "F" else array


def _write_scalar(value: np.generic, writer: Writer) -> Node:
    return {"value": writer.write(np.asarray(value))}


def _read_scalar(node: Node, reader: Reader) -> Any:
    return reader.read(node["value"])[()]


def _write_state(value: np.random.RandomState, writer: Writer) -> Node:
    state: Any = value.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise writer.refusal(f"a RandomState over {state['bit_generator']} is not numpy's own")
    return {"state": writer.write(state)}


def _read_state(node: Node, reader: Reader) -> np.random.RandomState:
    state = reader.read(node["state"])
    key, place = state["state"]["key"], state["state"]["pos"]
    if np.shape(key) != (_WORDS,) or type(place) is not int or not 0 <= place <= _WORDS:
        raise ModelFileError("a random state is beyond its end")  # numpy would read on
    random_state = np.random.RandomState()
    random_state.set_state(state)
    return random_state


# --------------------------------------------------------------------------------------- tensors
def _write_tensor(value: Tensor, writer: Writer) -> Node:
    data = value.detach().cpu()
    by_columns = not data.is_contiguous() and data.mT.is_contiguous() if data.ndim > 1 else False
    data = (data.mT if by_columns else data).contiguous()
    node: Node = {"order": "F" if by_columns else "C", "requires_grad": value.requires_grad}
    if data.dtype == torch.bfloat16:  # numpy has none
        node["dtype"] = "bfloat16"
        data = data.view(torch.int16)
    return node | {"tensor": writer.tensor(data.numpy()), "parameter": _is_parameter(value)}


def _read_tensor(node: Node, reader: Reader) -> Tensor:
    data = torch.from_numpy(reader.tensor(node["tensor"]))
    data = data.view(torch.bfloat16) if node.get("dtype") == "bfloat16" else data
    data = data.mT if node["order"] == "F" else data
    requires_grad = bool(node["requires_grad"])
    if node["parameter"]:
        return nn.Parameter(data, requires_grad)
    return data.requires_grad_(requires_grad)


def _is_parameter(value: Any) -> bool:
    return isinstance(value, nn.Parameter)


def _is_tensor(value: Any) -> bool:
    return type(value) in (Tensor, nn.Parameter) and value.layout == torch.strided


def _write_torch_name(value: Any, writer: Writer) -> Node:
    return {"name": str(value).removeprefix("torch.")}


def _read_torch_dtype(node: Node, reader: Reader) -> torch.dtype:
    dtype = getattr(torch, node["name"])
    if not isinstance(dtype, torch.dtype):
        raise ModelFileError(f"torch has no dtype {node['name']!r}")
    return dtype


def _exact(*types: type) -> Any:
    return lambda value: type(value) in types


def _of(*types: type) -> Any:
    return lambda value: isinstance(value, types)


KINDS = [
    Kind("dict", _exact(dict), _write_dict, _read_dict),
    Kind("tuple", _exact(tuple), _write_items, lambda n, r: tuple(map(r.read, n["items"]))),
    Kind("set", _exact(set), _write_items, _read_set(set)),
    Kind(
        "frozenset",
        _exact(frozenset),
        _write_items,
        _read_set(frozenset),
    ),
    Kind("named tuple", _is_named, _write_named, _read_named),
    Kind(
        "slice",
        _exact(slice),
        lambda v, w: _write_items((v.start, v.stop, v.step), w),
        _read_slice,
    ),
    Kind(  # infinite, or not a number: no JSON
        "float", _exact(float), lambda v, w: {"value": str(v)}, lambda n, r: _float(n["value"])
    ),
    Kind(
        "bytes",
        _exact(bytes),
        lambda v, w: {"value": base64.b64encode(v).decode()},
        lambda n, r: base64.b64decode(n["value"], validate=True),
    ),
    Kind("array", _exact(np.ndarray, np.memmap), _write_array, _read_array),
    Kind("scalar", _of(np.generic), _write_scalar, _read_scalar),
    Kind("dtype", _of(np.dtype), lambda v, w: {"name": _dtype_name(v)}, lambda n, r: _dtype(n)),
    Kind("random state", _exact(np.random.RandomState), _write_state, _read_state),
    Kind("tensor", _is_tensor, _write_tensor, _read_tensor),
    Kind("torch dtype", _of(torch.dtype), _write_torch_name, _read_torch_dtype),
    Kind("device", _of(torch.device), _write_torch_name, lambda n, r: torch.device(n["name"])),
    Kind(
        "class", _of(type), lambda v, w: {"name": name_class(v)}, lambda n, r: find_class(n["name"])
    ),
    Kind(
        "function",
        _of(np.ufunc),
        lambda v, w: {"name": name_function(v)},
        lambda n, r: find_function(n["name"]),
    ),
]


def _float(text: str) -> float:
    value = float(text)
    if math.isfinite(value):
        raise ModelFileError(f"{text!r} is finite, and belongs into the tree itself")
    return value


def _dtype_name(dtype: np.dtype) -> str:
    if dtype.names:
        raise ModelFileError(f"a file cannot hold the dtype {dtype}")
    return "object" if dtype.hasobject else dtype.str


def _dtype(node: Node) -> np.dtype:
    dtype = find_dtype(node["name"])
    if not isinstance(dtype, np.dtype):
        raise ModelFileError(f"{node['name']!r} is no dtype of numpy")
    return dtype
