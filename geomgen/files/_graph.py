"""Objects as plain data: a tree of JSON whose nodes say what they are, and back.

A value is null, a boolean, a number, a string or a list; anything else is a node
``{"is": kind, …}`` of one of the kinds below, or ``{"is": "ref", "of": number}``, a value that came
before: what two parts of a model share stays shared. Arrays are not in the tree but beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from geomgen.files._container import ModelFileError

__all__ = ["Kind", "Reader", "Writer"]

Node = dict[str, Any]
_PLAIN = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class Kind:
    """How values of one kind become nodes, and nodes become values.

    Parameters
    ----------
    name : str
        What nodes of it say that they are.
    holds : callable value -> bool
        Whether a value is of the kind.
    write : callable (value, writer) -> dict
        The node but for its kind.
    read : callable (node, reader) -> value
        The value.
    """

    name: str
    holds: Callable[[Any], bool]
    write: Callable[[Any, Writer], Node]
    read: Callable[[Node, Reader], Any]


class Writer:
    """Makes a tree of a value, and collects the arrays in it.

    Parameters
    ----------
    kinds : list of Kind
        The first that holds a value writes it.
    """

    def __init__(self, kinds: list[Kind]) -> None:
        self.kinds = kinds
        self.tensors: dict[str, np.ndarray] = {}
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []  # else a new object might get the id of one that is gone
        self._path: list[str] = []

    def write(self, value: Any, step: str = "") -> Any:
        """Make the tree of a value that is found at ``step`` of the one being written."""
        with self._at(step):
            if type(value) in _PLAIN and (not isinstance(value, float) or np.isfinite(value)):
                return value
            if type(value) is list:
                return [self.write(v, f"[{i}]") for i, v in enumerate(value)]
            if id(value) in self._numbers:
                return {"is": "ref", "of": self._numbers[id(value)]}
            kind = next((kind for kind in self.kinds if kind.holds(value)), None)
            if kind is None:
                raise self.refusal(f"a {_full_name(type(value))} cannot be put into a file")
            number = self._numbers[id(value)] = len(self._kept)
            self._kept.append(value)
            try:
                return {"is": kind.name, "id": number, **kind.write(value, self)}
            except ModelFileError as error:
                raise self.refusal(str(error)) from error

    def tensor(self, array: np.ndarray) -> str:
        """Keep an array of numbers beside the tree; its name there."""
        name = f"t{len(self.tensors)}"
        self.tensors[name] = np.ascontiguousarray(array).reshape(array.shape)
        return name

    def refusal(self, why: str) -> ModelFileError:
        """Make the error that says where something is that cannot be saved."""
        if why.startswith("Cannot save"):
            return ModelFileError(why)
        place = "".join(self._path).lstrip(".") or "it"
        return ModelFileError(f"Cannot save {place}: {why}.")

    @contextmanager
    def _at(self, step: str) -> Iterator[None]:
        self._path.append(step)
        yield
        self._path.pop()


class Reader:
    """Makes the value of a tree.

    Parameters
    ----------
    kinds : list of Kind
        Those that nodes may be of.
    tensors : dict of str to ndarray
        The arrays beside the tree.
    device : str or None
        Where nets compute; None leaves it to their parameters.
    """

    def __init__(
        self, kinds: list[Kind], tensors: dict[str, np.ndarray], device: str | None
    ) -> None:
        self.kinds = {kind.name: kind for kind in kinds}
        self.tensors, self.device = tensors, device
        self._values: dict[int, Any] = {}

    def read(self, node: Any) -> Any:
        """Make the value of a node."""
        if isinstance(node, list):
            return [self.read(v) for v in node]
        if not isinstance(node, dict):
            return node
        if node["is"] == "ref":
            return self._values[node["of"]]
        if node["is"] not in self.kinds:
            raise ModelFileError(f"it holds a {node['is']!r}, which this geomgen does not know")
        value = self.kinds[node["is"]].read(node, self)
        self.know(node, value)
        return value

    def array(self, node: Any) -> np.ndarray:
        """Make the array of a node; what is no array may be long beyond the file that names it."""
        value = self.read(node)
        if not isinstance(value, np.ndarray):
            raise ModelFileError(f"a {type(value).__name__} is where an array should be")
        return value

    def know(self, node: Node, value: Any) -> None:
        """Let later nodes refer to the value of this one."""
        self._values[node["id"]] = value

    def tensor(self, name: str) -> np.ndarray:
        """Return an array from beside the tree."""
        return self.tensors[name]


def _full_name(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"
