"""The values of arithmetic expressions, from strings that nobody vouches for."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from geomgen.sequence._strings import check_strings

__all__ = ["ExpressionScore", "evaluate_expressions"]

_FUNCTIONS: dict[str, Callable] = {
    name: getattr(np, name)
    for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "sqrt", "abs")
}
_CONSTANTS = {"pi": np.pi, "e": np.e}
_LONGEST = 1000  # characters
_BLOCK = 256  # strings whose common parts are kept
_KEPT = 1 << 22  # numbers of these at most, and those of one string: 32 MB
_CAP = 1000.0  # of a squared error

# What may stand in an expression, before any parser sees it: numbers, names, signs, brackets.
_LEXICON = re.compile(
    r"(?:[ \t]++|(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][-+]?\d++)?+(?![\w.])|[A-Za-z]\w*+(?![\w.])"
    r"|[-+*/()])*+",
    re.ASCII,
)


def _power(base: Any, exponent: Any) -> Any:
    value = np.power(base, exponent)
    if np.any(~np.isfinite(value) & np.isfinite(base) & np.isfinite(exponent)):
        raise ValueError("a power is not finite")
    return value


_OPERATORS: dict[type[ast.AST], Callable] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: _power,
    ast.UAdd: np.positive,
    ast.USub: np.negative,
}

Step = tuple[int, Any]
"""A number of operands and a function of them; or 0 and a value, or the variable's name."""


def _compile(string: str) -> list[Step]:
    """Turn an expression into postfix steps, or raise a ValueError that says why not."""
    if len(string) > _LONGEST:
        raise ValueError(f"it has {len(string)} characters, more than {_LONGEST}")
    allowed = _LEXICON.match(string)
    end = allowed.end() if allowed else 0
    if end < len(string):
        part = string[end : end + 20]
        raise ValueError(f"{part!r} at position {end} cannot stand in an expression")
    try:
        tree = ast.parse(string.strip(), mode="eval")
        return [*_steps(tree.body)][::-1]
    except (SyntaxError, MemoryError, RecursionError) as error:  # the two of deep nesting
        why = getattr(error, "msg", None) or "it is nested too deeply"
        raise ValueError(f"it is no Python expression: {why}") from None


def _steps(root: ast.expr) -> Iterator[Step]:
    """Walk a tree, the root first and the last operand next; only what is listed passes."""
    waiting: list[ast.expr] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            yield 2, _OPERATORS[type(node.op)]
            waiting += [node.left, node.right]
        elif isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
            yield 1, _OPERATORS[type(node.op)]
            waiting.append(node.operand)
        elif isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
            if not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS:
                raise ValueError(f"{ast.unparse(node.func)} is none of {', '.join(_FUNCTIONS)}")
            yield 1, _FUNCTIONS[node.func.id]
            waiting.append(node.args[0])
        elif isinstance(node, ast.Name) and node.id == "x":
            yield 0, "x"
        elif isinstance(node, ast.Name) and node.id in _CONSTANTS:
            yield 0, _CONSTANTS[node.id]
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield 0, _as_float(node.value)
        else:
            what = node.id if isinstance(node, ast.Name) else type(node).__name__
            raise ValueError(f"{what} is not allowed")


def _as_float(number: Any) -> float:
    """Return a float: no integer takes part, so that none grows."""
    try:
        value = float(number)
    except OverflowError:
        value = np.inf
    if value == np.inf:
        raise ValueError("a number is beyond the floats")
    return value


class _Evaluator:
    """The values of expressions at x; what they have in common is computed once."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x
        self.places: dict[tuple, int] = {}
        self.values: list[Any] = []

    def __call__(self, string: str) -> np.ndarray:
        """Evaluate one expression, or raise a ValueError."""
        operands: list[int] = []
        for n_operands, what in _compile(string):
            first = len(operands) - n_operands
            key = (what, *operands[first:])
            place = self.places.get(key)
            if place is None:
                place = self.places[key] = self._add(what, operands[first:])
            operands[first:] = [place]
        return self.values[operands[0]]

    def _add(self, what: Any, operands: list[int]) -> int:
        value = what(*(self.values[i] for i in operands)) if operands else what
        self.values.append(self.x if isinstance(value, str) else value)
        return len(self.values) - 1


def _check_points(x: Any) -> np.ndarray:
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 1 or not len(points) or not np.isfinite(points).all():
        raise ValueError(f"x={x!r} must be finite numbers, of shape (n_points,), one at least.")
    return points


def _blocks(strings: list[str], x: np.ndarray, strict: bool) -> Iterator[tuple[slice, np.ndarray]]:
    """Evaluate some strings at a time, which bounds what is kept."""
    for start in range(0, len(strings), _BLOCK):
        block = strings[start : start + _BLOCK]
        values = np.full((len(block), len(x)), np.nan)
        evaluate = _Evaluator(x)
        with np.errstate(all="ignore"):
            for row, string in zip(values, block, strict=True):
                if len(evaluate.values) * len(x) > _KEPT:
                    evaluate = _Evaluator(x)
                try:
                    row[:] = evaluate(string)
                except ValueError as error:
                    if strict:
                        short = string if len(string) <= 60 else string[:57] + "..."
                        raise ValueError(f"{short!r} is refused: {error}.") from None
        yield slice(start, start + len(block)), values


def _distinct(strings: Any) -> tuple[list[str], np.ndarray]:
    listed = check_strings(strings)
    places: dict[str, int] = {}
    order = [places.setdefault(string, len(places)) for string in listed]
    return list(places), np.array(order, dtype=np.int64)


def evaluate_expressions(
    strings: Any, x: Any, on_error: Literal["nan", "raise"] = "nan"
) -> np.ndarray:
    r"""Evaluate arithmetic expressions in x, without trusting them.

    An expression has Python's precedence and the arithmetic of floats. It may hold numbers; x, pi
    and e; ``+ - * / **`` and brackets; sin, cos, tan, sinh, cosh, tanh, exp, log, sqrt and abs.
    Everything else is refused before anything is computed: names and attributes of any other kind,
    characters beyond ASCII, more than 1000 characters, and what Python's parser calls too deep. A
    power that is not finite is refused too; other operations may give infinity or NaN, as numpy's.

    Parameters
    ----------
    strings : array-like of str of shape (n,)
        Expressions.
    x : array-like of float of shape (n_points,)
        Where to evaluate.
    on_error : {"nan", "raise"}, default="nan"
        What an expression that is refused gives: a row of NaN, or an error.

    Returns
    -------
    ndarray of float of shape (n, n_points)
        Values.

    Raises
    ------
    ValueError
        If x is not finite or not one-dimensional, or strings are no strings; with
        on_error="raise", if one is refused: the message has the string and the reason.

    Examples
    --------
    >>> evaluate_expressions(["x+1", "sin(x)*2", "x.real"], [0.0, 1.0]).round(2)
    array([[1.  , 2.  ],
           [0.  , 1.68],
           [ nan,  nan]])
    """
    if on_error not in ("nan", "raise"):
        raise ValueError(f"on_error={on_error!r} must be 'nan' or 'raise'.")
    distinct, order = _distinct(strings)
    points = _check_points(x)
    values = np.empty((len(distinct), len(points)))
    for rows, block in _blocks(distinct, points, on_error == "raise"):
        values[rows] = block
    return values if len(distinct) == len(order) else values[order]


class ExpressionScore:
    r"""Distance of an expression from a target function: lower is better.

    .. math:: \mathrm{score}(f) = \log\Big(1 + \frac{1}{m} \sum_{i=1}^m
       \min\big((f(x_i) - y_i)^2, 1000\big)\Big),

    the objective of the Grammar VAE's experiment (Kusner et al., 2017, section 5), with
    :math:`y = 1/3 + x + \sin(x^2)` on 1000 points of [-10, 10]. What is refused, or is NaN
    anywhere, scores :attr:`worst`, :math:`\log 1001 = 6.909`.

    Parameters
    ----------
    target : str, default="1/3+x+sin(x*x)"
        The function to find.
    x : array-like of float of shape (n_points,) or None, default=None
        Points; None takes ``linspace(-10, 10, 1000)``.

    Attributes
    ----------
    target : str
        As given.
    x, y : ndarray of shape (n_points,)
        Points, and the target's values there.
    worst : float
        Score of a failure, and the greatest there is.

    Raises
    ------
    ValueError
        If the target is refused, or is not finite at every x.

    References
    ----------
    Kusner, Paige and Hernandez-Lobato, 2017, *Grammar variational autoencoder*.

    Examples
    --------
    >>> ExpressionScore()(["1/3+x+sin(x*x)", "x", "import os"]).round(3)
    array([0.   , 0.488, 6.909])
    """

    worst = float(np.log1p(_CAP))

    def __init__(self, target: str = "1/3+x+sin(x*x)", x: Any = None) -> None:
        self.target = target
        self.x = _check_points(np.linspace(-10, 10, 1000) if x is None else x)
        self.y = evaluate_expressions([target], self.x, on_error="raise")[0]
        if not np.isfinite(self.y).all():
            raise ValueError(f"target={target!r} is not finite at every x: choose other points.")

    def __call__(self, strings: Any) -> np.ndarray:
        """Score expressions.

        Parameters
        ----------
        strings : array-like of str of shape (n,)
            Expressions; any string is safe.

        Returns
        -------
        ndarray of float of shape (n,)
            Scores in [0, worst].
        """
        distinct, order = _distinct(strings)
        scores = np.empty(len(distinct))
        for rows, values in _blocks(distinct, self.x, strict=False):
            with np.errstate(all="ignore"):
                errors = np.minimum((values - self.y) ** 2, _CAP)  # NaN stays NaN
                scores[rows] = np.log1p(errors.mean(axis=1))
        return np.where(np.isnan(scores), self.worst, scores)[order]

    def __repr__(self) -> str:
        return f"ExpressionScore({self.target!r})"
