import ast
import math
import tracemalloc

import numpy as np
import pytest

from geomgen.sequence import (
    EXPRESSIONS,
    ExpressionScore,
    evaluate_expressions,
    make_expressions,
)

X = np.linspace(-3, 3, 50)


def python(string, x):
    """Python's own value at one point, of a string that the test has written."""
    names = {n: getattr(math, n) for n in "sin cos tan sinh cosh tanh exp log sqrt pi e".split()}
    return eval(string, {"__builtins__": {}}, {**names, "abs": abs, "x": x})


@pytest.mark.parametrize(
    "string",
    [
        "x",
        "2",
        "1/3+x+sin(x*x)",
        "x-1-2",
        "2**3**0.5",
        "-x**2",
        "(-x)**2",
        "2*-x",
        "--x",
        "+x/2/3",
        "1/(2+x*x)*3",
        " x +\t1 ",
        "1e-3*x+.5+2.",
        "exp(cos(x))*tanh(x)",
        "log(x*x+1)/sqrt(abs(x)+1)",
        "sinh(x)-cosh(x)+tan(x)",
        "pi*e",
    ],
)
def test_values_are_python_s(string):
    expected = [python(string.strip(), float(x)) for x in X]
    np.testing.assert_allclose(evaluate_expressions([string], X)[0], expected, rtol=1e-13)


def test_values_of_random_expressions_are_python_s():
    """Whatever is computed once for several strings, each has its own values."""
    logits = np.random.default_rng(0).standard_normal((600, *EXPRESSIONS.shape))
    strings = EXPRESSIONS.unparse(EXPRESSIONS.decode(logits)).tolist()
    strings += make_expressions()[::400].tolist()
    points = np.array([-2.0, 0.5, 3.0])
    values = evaluate_expressions(strings, points)
    compared = 0
    for string, row in zip(strings, values, strict=True):
        try:
            expected = [python(string, float(x)) for x in points]
        except (OverflowError, ZeroDivisionError, ValueError):
            continue  # where numpy has infinity or NaN
        np.testing.assert_allclose(row, expected, rtol=1e-9, err_msg=string)
        compared += 1
    assert compared > 700


def test_duplicates_and_order_are_kept():
    strings = ["x", "x+1", "x", "?", "x+1"]
    values = evaluate_expressions(np.array(strings), X)
    np.testing.assert_array_equal(values[[0, 2]], [X, X])
    np.testing.assert_array_equal(values[[1, 4]], [X + 1, X + 1])
    assert np.isnan(values[3]).all()
    assert evaluate_expressions([], X).shape == (0, 50)


HOSTILE = {
    "__import__('os').system('true')": "cannot stand",
    "x.__class__": "cannot stand",
    "().__class__.__bases__": "cannot stand",
    "exp.__globals__": "cannot stand",
    "x.real": "cannot stand",
    "x[0]": "cannot stand",
    "[x for x in (1,)]": "cannot stand",
    "lambda: x": "cannot stand",
    "(x:=1)": "cannot stand",
    "f'{x}'": "cannot stand",
    "x;x": "cannot stand",
    "x\nx": "cannot stand",
    "x#": "cannot stand",
    "\0": "cannot stand",
    "1_0": "cannot stand",
    "0x10": "cannot stand",
    "1j": "cannot stand",
    "1if x else 2": "cannot stand",
    "x=1": "cannot stand",
    "x@x": "cannot stand",
    "~x": "cannot stand",
    "ｓｉｎ(x)": "cannot stand",  # which Python's parser reads as sin
    "x²": "cannot stand",
    "x\u202e+1": "cannot stand",
    "１": "cannot stand",
    "х": "cannot stand",  # a Cyrillic letter
    "\ud800": "cannot stand",
    "x if x else 1": "IfExp is not allowed",
    "not x": "UnaryOp is not allowed",
    "x and x": "BoolOp is not allowed",
    "x//2": "BinOp is not allowed",
    "x is x": "Compare is not allowed",
    "True": "Constant is not allowed",
    "sin(*x)": "Starred is not allowed",
    "(yield)": "Yield is not allowed",
    "sin": "sin is not allowed",
    "os": "os is not allowed",
    "open(x)": "open is none of sin",
    "sin(x)(x)": r"sin\(x\) is none of sin",
    "sin()": "Call is not allowed",
    "": "no Python expression",
    " ": "no Python expression",
    "x+": "no Python expression",
    "01": "no Python expression",
    "import os": "no Python expression",
    "9**9**9": "a power is not finite",
    "9**9**9**9**9": "a power is not finite",
    "(x+9)**9**9": "a power is not finite",
    "0**-1": "a power is not finite",
    "9" * 999: "beyond the floats",
    "1e999": "beyond the floats",
    "(" * 400 + "x" + ")" * 400: "nested",
    "(" * 999: "no Python expression",
    "sin(" * 240 + "x": "no Python expression",
    "x+" * 10**6 + "x": "2000001 characters, more than 1000",
    "1" * 10**6: "1000000 characters",
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("string", "message"), HOSTILE.items(), ids=lambda s: repr(s[:20]))
def test_hostile_strings_are_refused(string, message):
    """At once: with integers, 9**9**9 alone would hang the test."""
    with pytest.raises(ValueError, match=message) as refusal:
        evaluate_expressions([string], X, on_error="raise")
    assert len(str(refusal.value)) < 250
    assert np.isnan(evaluate_expressions([string], X)).all()
    assert ExpressionScore()([string]) == [ExpressionScore.worst]


@pytest.mark.parametrize("string", ["-" * 999 + "x", "x" + "+x" * 499, "x" + "**1" * 300])
def test_long_chains_that_are_allowed_have_their_value(string):
    value = evaluate_expressions([string], [2.0])[0, 0]
    assert value == {"-": -2.0, "x+": 1000.0, "x*": 2.0}[string[:2].rstrip("-") or "-"]


def test_random_text_never_runs_and_never_fails():
    """What passes is arithmetic by a tree of our own making."""
    rng = np.random.default_rng(0)
    pieces = ["x", "1", ".", "(", ")", "+", "-", "**", "sin(", " ", "e", "_", "if", "é", "", ""]
    sound = rng.choice(make_expressions(), 3000)
    cuts = rng.integers(0, 14, size=3000)
    strings = [s[:c] + rng.choice(pieces) + s[c:] for s, c in zip(sound, cuts, strict=True)]
    values = evaluate_expressions(strings, X)
    assert values.shape == (3000, 50)
    nodes = (ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Constant, ast.operator, ast.unaryop)
    passed = {s for s, row in zip(strings, values, strict=True) if not np.isnan(row).all()}
    assert 500 < len(passed) < 2500
    for string in passed:
        tree = ast.parse(string.strip(), mode="eval").body
        assert all(isinstance(n, (*nodes, ast.Load)) for n in ast.walk(tree)), string


def test_infinities_are_numpy_s_and_silent():
    values = evaluate_expressions(["1/x", "exp(exp(x))", "log(x)"], [0.0, 100.0])
    np.testing.assert_array_equal(values[:2], [[np.inf, 0.01], [np.e, np.inf]])
    assert values[2, 0] == -np.inf


def test_the_score_is_the_paper_s():
    x = np.linspace(-10, 10, 1000)
    y = 1 / 3 + x + np.sin(x**2)
    functions = {
        "1/3+x+sin(x*x)": y,
        "x": x,
        "1": 1.0,
        "x*x": x * x,
        "exp(x)": np.exp(x),
        "exp(exp(x))": np.exp(np.exp(np.minimum(x, 5))),
    }
    expected = [
        np.log(1 + np.minimum((np.broadcast_to(f, 1000) - y) ** 2, 1000).mean())
        for f in functions.values()
    ]
    scores = ExpressionScore()([*functions])
    np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-15)
    assert scores[0] == 0


def test_failures_score_worst():
    score = ExpressionScore()
    assert score.worst == pytest.approx(6.909, abs=5e-4)
    strings = ["import os", "", "x-", "log(x)", "exp(999)-exp(999)"]  # the last two: NaN
    assert score(strings).tolist() == [score.worst] * 5
    assert score(["9*exp(999)"])[0] == score.worst
    assert score([]).shape == (0,)


def test_a_target_and_points_of_one_s_own():
    score = ExpressionScore("x*x", x=[1.0, 2.0])
    np.testing.assert_allclose(score(["x*x", "x"]), [0, np.log(1 + (0 + 4) / 2)])
    assert repr(score) == "ExpressionScore('x*x')"


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="on_error='warn' must be"):
        evaluate_expressions(["x"], X, on_error="warn")
    for x in ([], [[1.0]], [np.nan]):
        with pytest.raises(ValueError, match="finite numbers, of shape"):
            evaluate_expressions(["x"], x)
    with pytest.raises(ValueError, match="list or array of str"):
        evaluate_expressions("x", X)
    with pytest.raises(ValueError, match="'os' is refused: os is not allowed"):
        ExpressionScore("os")
    with pytest.raises(ValueError, match=r"target='log\(x\)' is not finite"):
        ExpressionScore("log(x)")


@pytest.mark.parametrize("called", ["(" + "-" * 950 + "x)", "sin" + "(x)" * 320])
def test_calls_of_anything_deep_are_refused(called):
    assert np.isnan(evaluate_expressions([called + "(x)"], [1.0])).all()


def test_what_is_kept_of_long_expressions_is_bounded():
    strings = [f"{i}" + "+x" * 300 for i in range(40)]  # no two have a sum in common
    x = np.linspace(-1, 1, 2000)
    tracemalloc.start()
    values = evaluate_expressions(strings, x)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(values, np.arange(40)[:, None] + 300 * x)
    assert most < 80e6  # not 40 x 300 x 2000 x 8
