"""Conditions on rows of a frame: callables, and expressions that are never evaluated by Python."""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from geomgen._rejection import check_mask
from geomgen.tabular._storage import read_column

__all__ = ["Constraint", "acceptance", "check_columns", "matches"]

_COMPARE: dict[type, Callable] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: dict[type, Callable] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_FUNCTIONS: dict[str, Callable] = {
    "abs": np.abs,
    "round": np.round,
    "min": lambda *args: reduce(np.minimum, args),
    "max": lambda *args: reduce(np.maximum, args),
    "isnull": pd.isna,
}
_GRAMMAR = (
    "use columns (in backticks if they are no Python names), numbers, strings, + - * / // % **, "
    "comparisons, in, and, or, not, abs, round, min, max and isnull"
)


class Constraint:
    """A condition on rows, from an expression or a callable.

    Parameters
    ----------
    source : str or callable
        An expression over columns, such as ``"low <= high"``, or a function of a frame that
        returns one bool a row.
    columns : sequence
        Names of the columns there are.
    """

    def __init__(self, source: Any, columns: Any) -> None:
        self.source, self.columns = source, list(columns)
        if isinstance(source, str):
            self._parse(source)
        elif not callable(source):
            raise TypeError(
                f"constraints has {source!r}: each must be an expression such as 'a <= b', or a "
                "callable that takes a frame and returns one bool a row."
            )

    def __repr__(self) -> str:
        return repr(self.source)

    def __call__(self, X: Any) -> np.ndarray:
        """Whether each row of a frame satisfies it; what compares a missing value does not."""
        if not isinstance(self.source, str):
            return check_mask(self.source(X), len(X), f"The constraint {self.source!r}")
        tree, names = self._parse(self.source)  # anew, for a model in a file is no code
        values = {name: _comparable(X, column) for name, column in names.items()}
        found = np.broadcast_to(np.asarray(self._value(tree, values)), (len(X),))
        return check_mask(found, len(X), f"The constraint {self.source!r}")

    def warn_of(self, X: Any) -> None:
        """Warn if the training rows do not satisfy it, and raise if none does."""
        broken = int((~self(X)).sum())
        if broken == len(X):
            raise ValueError(
                f"No row of X satisfies the constraint {self.source!r}: generated rows will not "
                "either. Correct it."
            )
        if broken:
            warnings.warn(
                f"{broken} of {len(X)} rows of X do not satisfy the constraint {self.source!r}; "
                "generated rows all will.",
                UserWarning,
                stacklevel=3,
            )

    # ------------------------------------------------------------------------------- parsing
    def _parse(self, source: str) -> tuple[ast.expr, dict[str, Any]]:
        quoted: dict[str, Any] = {}

        def stand_in(match: re.Match) -> str:
            quoted[f"column_{len(quoted)}_"] = match[1]
            return f"column_{len(quoted) - 1}_"

        try:
            tree = ast.parse(re.sub(r"`([^`]*)`", stand_in, source).strip(), mode="eval").body
        except SyntaxError as error:
            raise ValueError(f"constraints has {source!r}: {error.msg}; {_GRAMMAR}.") from error
        called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and _named(n.func)}
        used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - (called & {*_FUNCTIONS})
        names = {name: quoted.get(name, name) for name in used}
        unknown = [name for name in names.values() if name not in self.columns]
        if unknown:
            raise ValueError(
                f"constraints has {source!r}, and {unknown} are no columns of X: "
                f"{self.columns[:20]}."
            )
        self._check(tree)
        return tree, names

    def _check(self, node: ast.AST) -> None:
        """Raise at what is not of the little language, before anything is evaluated."""
        operators = (*_COMPARE, *_ARITHMETIC, *_UNARY, ast.In, ast.NotIn, ast.And, ast.Or, ast.Not)
        nodes = (ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Name, ast.Load, ast.List)
        if isinstance(node, ast.Call):
            legal = _named(node.func) and node.func.id in _FUNCTIONS and not node.keywords
            legal = legal and bool(node.args)
        elif isinstance(node, ast.Constant):
            legal = isinstance(node.value, int | float | str | bool)
        else:
            legal = isinstance(node, (*operators, *nodes, ast.Tuple))
        if not legal:
            raise ValueError(
                f"constraints has {self.source!r}: {ast.unparse(node)!r} is not understood; "
                f"{_GRAMMAR}."
            )
        for child in ast.iter_child_nodes(node):
            self._check(child)

    # ---------------------------------------------------------------------------- evaluation
    def _value(self, node: Any, values: dict[str, Any]) -> Any:
        def value(part: Any) -> Any:
            return self._value(part, values)

        if isinstance(node, ast.Name):
            return values[node.id]
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.List | ast.Tuple):
            return [value(part) for part in node.elts]
        if isinstance(node, ast.BoolOp):
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return reduce(join, map(value, node.values))
        if isinstance(node, ast.UnaryOp):
            inner = value(node.operand)
            with _same_types():
                return ~np.asarray(inner) if _is_not(node) else _UNARY[type(node.op)](inner)
        if isinstance(node, ast.BinOp):
            left, right = _as_float(value(node.left)), _as_float(value(node.right))
            with np.errstate(all="ignore"), _same_types():
                return _ARITHMETIC[type(node.op)](left, right)
        if isinstance(node, ast.Call):
            args = [value(part) for part in node.args]
            with _same_types():
                return _FUNCTIONS[node.func.id](*args)  # type: ignore[attr-defined]
        sides = [value(part) for part in (node.left, *node.comparators)]
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        return reduce(np.logical_and, (_compared(a, op, b) for a, op, b in pairs))


def check_columns(conditions: dict[Any, Any], columns: Any) -> None:
    """Raise if conditions are on what is no column."""
    unknown = [name for name in conditions if name not in columns]
    if unknown:
        raise ValueError(f"conditions has {unknown}, and the columns are {[*columns][:20]}.")


def acceptance(conditions: dict[Any, Any], constraints: list[Constraint]) -> tuple[Any, str]:
    """Make one condition on frames of many, None of none; and say it in words."""
    if not conditions and not constraints:
        return None, ""

    def accept(rows: Any) -> np.ndarray:
        found = np.ones(len(rows), dtype=bool)
        for name, wanted in conditions.items():
            found &= matches(rows, name, wanted)
        for constraint in constraints:
            found &= constraint(rows)
        return found

    said = [f"conditions={conditions!r}"] if conditions else []
    said += [f"constraints={constraints!r}"] if constraints else []
    return accept, " and ".join(said)


def matches(X: Any, name: Any, wanted: Any) -> np.ndarray:
    """Whether a column holds a value, one of several, or what a callable of it says."""
    if callable(wanted):
        return check_mask(wanted(X[name]), len(X), f"The condition on {name!r}")
    values = _comparable(X, name)
    options = wanted if isinstance(wanted, list | tuple | set | np.ndarray) else [wanted]
    found = [
        pd.isna(values) if _is_missing(option) else _compared(values, ast.Eq(), option)
        for option in options
    ]
    return reduce(np.logical_or, found, np.zeros(len(X), dtype=bool))


def _is_missing(value: Any) -> bool:
    return bool(np.ndim(value) == 0 and pd.isna(value))


def _compared(a: Any, op: ast.cmpop, b: Any) -> np.ndarray:
    if isinstance(op, ast.In | ast.NotIn):
        options = b if isinstance(b, list) else [b]
        found = reduce(np.logical_or, (_compared(a, ast.Eq(), option) for option in options))
        return (~found & ~pd.isna(a)) if isinstance(op, ast.NotIn) else found
    a, b = _timed(a, b), _timed(b, a)
    present = np.logical_not(np.logical_or(pd.isna(a), pd.isna(b)))
    a, b, present = np.broadcast_arrays(a, b, present)
    found = np.zeros(present.shape, dtype=bool)
    with _same_types():
        found[present] = _COMPARE[type(op)](a[present], b[present])
    return found


@contextmanager
def _same_types() -> Iterator[None]:
    try:
        yield
    except TypeError as error:
        raise ValueError(f"A constraint compares values of different types: {error}.") from error


def _as_float(value: Any) -> Any:
    """Take a plain number as a float: an int is of any length, and 9**9**9 would never end."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return np.float64(value) if whole else value


def _timed(value: Any, other: Any) -> Any:
    """Read a string that is compared with times as one."""
    kind = getattr(getattr(other, "dtype", None), "kind", "")
    if isinstance(value, pd.Timestamp) and kind == "M":
        zoned = value.tz_convert("UTC").tz_localize(None) if value.tz else value
        return np.asarray(zoned.to_datetime64())
    if isinstance(value, str) and kind in "mM":
        made = pd.Timestamp(value) if kind == "M" else pd.Timedelta(value)
        return _timed(made, other) if kind == "M" else np.asarray(made.to_timedelta64())
    return value


def _comparable(X: Any, name: Any) -> np.ndarray:
    """Values of a column with NaN, NaT or None where they are missing; times in UTC."""
    storage, values = read_column(X, name)
    if storage.kind == "time":
        column = pd.Series(X[name].to_list()) if storage.library == "polars" else X[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return column.to_numpy()
    if storage.kind == "numeric":
        return np.where(values.missing, np.nan, values.data)
    data = values.data.copy()
    data[values.missing] = None
    return data


def _named(node: Any) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name)


def _is_not(node: Any) -> bool:
    return isinstance(node.op, ast.Not)
