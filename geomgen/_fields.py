"""Estimator parameters declared once: annotated fields.

A field's annotation carries its type, its legal range and its documentation; from it come the
keyword-only ``__init__``, the validation at ``fit`` and the *Parameters* section of the docstring::

    @estimator
    class Model(BaseEstimator):
        lam: Annotated[NonNegative, "Weight of the penalty."] = 0.1

A class that has no use for a field it inherits fixes it: see :func:`fixing`.
"""

from __future__ import annotations

import inspect
import re
import textwrap
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

__all__ = [
    "Count",
    "Fraction",
    "Interval",
    "NonNegative",
    "Positive",
    "check_fields",
    "estimator",
    "fixing",
]

T = TypeVar("T")


@dataclass(frozen=True)
class Interval:
    """A range of numbers, its ends included unless said otherwise."""

    low: float
    high: float = np.inf
    include_low: bool = True
    include_high: bool = True

    def __contains__(self, value: float) -> bool:
        above = value >= self.low if self.include_low else value > self.low
        below = value <= self.high if self.include_high else value < self.high
        return bool(above and below and np.isfinite(value))

    def __str__(self) -> str:
        left = "[" if self.include_low and np.isfinite(self.low) else "("
        right = "]" if self.include_high and np.isfinite(self.high) else ")"
        return f"{left}{self.low:g}, {self.high:g}{right}"


Count = Annotated[int, Interval(1)]
NonNegative = Annotated[float, Interval(0)]
Positive = Annotated[float, Interval(0, include_low=False)]
Fraction = Annotated[float, Interval(0, 1, include_low=False, include_high=False)]


@dataclass_transform(kw_only_default=True, eq_default=False)
def estimator(cls: type[T]) -> type[T]:
    """Turn the annotated fields of a class into its parameters."""
    own_doc = cls.__doc__ or ""
    cls = dataclass(kw_only=True, eq=False, repr=False)(cls)
    plain = get_type_hints(cls)  # what help() and editors show of the constructor
    cls.__init__.__annotations__ = {name: plain[name] for name, _ in _fields(cls)}
    cls.__doc__ = _with_parameters(inspect.cleandoc(own_doc), cls)
    return cls


def fixing(*names: str, **values: Any) -> Callable[[type[T]], type[T]]:
    """Fix fields that a class inherits; written between ``@estimator`` and the class.

    A fixed field is an attribute of the class, with the value given or (a bare name) the one it
    inherits, and no longer a parameter: it leaves the constructor, ``get_params``,
    ``check_fields`` and the docstring. ::

        @estimator
        @fixing("norm", hidden=())
        class Linear(Model): ...

    Raises
    ------
    TypeError
        If the class inherits no field of that name, or is an ``@estimator`` already.
    """

    def fix(cls: type[T]) -> type[T]:
        if "__dataclass_fields__" in vars(cls):
            raise TypeError(f"@fixing goes under @estimator, not above it, on {cls.__name__}.")
        fixed = {**{name: getattr(cls, name, None) for name in names}, **values}
        bases = [base for base in cls.__bases__ if hasattr(base, "__dataclass_fields__")]
        unknown = sorted(fixed.keys() - {name for base in bases for name, _ in _fields(base)})
        if unknown:
            raise TypeError(f"{cls.__name__} inherits no field {unknown} that could be fixed.")
        for name, value in fixed.items():
            cls.__annotations__[name] = ClassVar[Any]  # which a dataclass leaves out
            setattr(cls, name, value)
        return cls

    return fix


def check_fields(obj: Any) -> None:
    """Raise if a parameter's value is not what its field declares.

    Raises
    ------
    TypeError, ValueError
        Naming the parameter, its value and what is legal.
    """
    for name, hint in _fields(type(obj)):
        value = getattr(obj, name)
        if _accepts(hint, value):
            continue
        right_type = _accepts(_without_ranges(hint), value)
        raise (ValueError if right_type or isinstance(value, str) else TypeError)(
            f"The {name!r} parameter of {type(obj).__name__} must be {_describe(hint)}. "
            f"Got {value!r} instead."
        )


def _fields(cls: type) -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(cls, include_extras=True)
    for name in cls.__dataclass_fields__:  # type: ignore[attr-defined]
        if get_origin(hints[name]) is not ClassVar:
            yield name, hints[name]


def _accepts(hint: Any, value: Any) -> bool:
    """Whether a value is what a type hint says."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return True  # checked where it is used
    if origin is Annotated:
        ranges = [m for m in args[1:] if isinstance(m, Interval)]
        return _accepts(args[0], value) and all(value in r for r in ranges)
    if origin is Literal:
        return isinstance(value, str | bool) and value in args
    if origin in (Union, types.UnionType):
        return any(_accepts(arg, value) for arg in args)
    if origin is tuple:
        return isinstance(value, list | tuple | np.ndarray) and all(
            _accepts(args[0], v) for v in value
        )
    if hint in (int, float):
        number = Integral if hint is int else Real
        return isinstance(value, number) and not isinstance(value, bool | np.bool_)
    if hint is bool:
        return isinstance(value, bool | np.bool_)
    if hint is types.NoneType:
        return value is None
    if origin is None and isinstance(hint, type):
        return isinstance(value, hint)
    if origin in (list, dict):
        return isinstance(value, origin)
    raise TypeError(f"a field cannot be annotated {hint!r}")


def _without_ranges(hint: Any) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _without_ranges(args[0])
    if origin in (Union, types.UnionType):
        return Union[tuple(_without_ranges(a) for a in args)]  # noqa: UP007 (built at run time)
    if origin is tuple:
        return tuple[_without_ranges(args[0]), ...]  # type: ignore[misc]
    return hint


def _describe(hint: Any) -> str:
    """Put a type hint in a reader's words."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        ranges = [f" in {m}" for m in args[1:] if isinstance(m, Interval)]
        return _describe(args[0]) + "".join(ranges)
    if origin is Literal:
        return "one of " + ", ".join(repr(a) for a in args)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_describe(a) for a in args))
    if origin is tuple:
        return f"a sequence of {_describe(args[0])}"
    names = {int: "int", float: "float", bool: "bool", str: "str", types.NoneType: "None"}
    named = {Any: "object", **names}
    return named.get(hint, getattr(origin or hint, "__name__", str(hint)))


def _doc(hint: Any) -> str:
    texts = [m for m in getattr(hint, "__metadata__", ()) if isinstance(m, str)]
    text = " ".join(texts[-1].split()) if texts else ""
    return textwrap.fill(text, 96, initial_indent="    ", subsequent_indent="    ")


def _default(value: Any) -> str:
    return f"{value.__module__}.{value.__name__}" if isinstance(value, type) else repr(value)


def _with_parameters(doc: str, cls: type) -> str:
    """Write the Parameters section before the first section of a cleaned docstring."""
    entries = "\n".join(
        f"{name} : {_describe(hint)}, default={_default(getattr(cls, name))}\n{_doc(hint)}"
        for name, hint in _fields(cls)
    )
    if not entries:
        return doc
    section = f"Parameters\n----------\n{entries}\n"
    first = re.search(r"^\S.*\n-{3,}$", doc, flags=re.MULTILINE)
    cut = first.start() if first else len(doc)
    return f"{doc[:cut].rstrip()}\n\n{section}\n{doc[cut:]}".rstrip() + "\n"
