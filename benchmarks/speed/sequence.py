"""What strings cost: decoding, parsing and evaluating expressions, in strings per second.

``python -m benchmarks.speed.sequence [--rounds 7] [--out FILE.json]``

One thread. Each row alternates our function and a peer that does the same string by string, in one
run; rates are medians by the processor's time, which another load of the machine disturbs little
(and by the wall's, ours alone), and the ratio is the median of neighbours'. The decoding loop is
what one writes by hand, with the grammar's tables made beforehand; answers are compared first.
Strings for parsing and evaluation are distinct and shuffled: nothing is gained by duplicates.
"""

from __future__ import annotations

import argparse
import ast
import json
import platform
import time
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from geomgen import __version__
from geomgen.sequence import EXPRESSIONS, Grammar, evaluate_expressions, make_expressions

SHORTEST = 2  # rules of the shortest expression: S -> T, T -> x
N_DECODED, N_LOOPED, N_PARSED, N_EVALUATED = 100_000, 5000, 10_000, 5000
POINTS = np.linspace(-10, 10, 1000)  # of the benchmark's objective


class Row(NamedTuple):
    """One comparison: our function of many strings, and a peer's of fewer."""

    what: str
    ours: Callable[[], Any]
    n: int
    peer: str
    theirs: Callable[[], Any]
    n_theirs: int
    bar: float  # least strings per second
    least_ratio: float | None = None


# ------------------------------------------------------------------------------------- loops
@lru_cache
def tables(grammar: Grammar) -> tuple[dict, list, list]:
    """Tabulate rules by left side, what each adds to the budget, and their right sides."""
    names = set(grammar.nonterminals)
    bodies = [[s for s in body if s in names] for _, body in grammar.rules]
    least = dict.fromkeys(names, float("inf"))
    for _ in grammar.rules:
        for (left, _), body in zip(grammar.rules, bodies, strict=True):
            least[left] = min(least[left], 1 + sum(least[s] for s in body))
    growth = [
        sum(least[s] for s in body) - least[left]
        for (left, _), body in zip(grammar.rules, bodies, strict=True)
    ]
    own = {name: [r for r, rule in enumerate(grammar.rules) if rule[0] == name] for name in names}
    right = [[s if s in names else ast.literal_eval(s) for s in body] for _, body in grammar.rules]
    return own, growth, right


def decode_loop(grammar: Grammar, logits: np.ndarray) -> list[str]:
    """Decode string by string, with the budget; lists are faster here than small arrays."""
    own, growth, right = tables(grammar)
    strings = []
    for table in logits.tolist():
        stack, text = [grammar.start], []
        slack = len(table) - 1 - SHORTEST
        for scores in table:
            rules = [r for r in own[stack.pop()] if growth[r] <= slack]
            rule = max(rules, key=scores.__getitem__)
            slack -= growth[rule] + 1
            stack.extend(reversed(right[rule]))
            while stack and stack[-1] not in own:
                text.append(stack.pop())
            if not stack:
                break
        strings.append("".join(text))
    return strings


def evaluate_loop(strings: list[str]) -> np.ndarray:
    """Evaluate string by string, by Python's own evaluation (these strings are ours)."""
    names = {"__builtins__": {}, "sin": np.sin, "exp": np.exp, "x": POINTS}
    return np.array([eval(string, names) + np.zeros(len(POINTS)) for string in strings])


@lru_cache
def earley() -> Any:
    import lark

    return lark.Lark(
        """
        s: s "+" t | s "*" t | s "/" t | t
        t: "(" s ")" | "sin(" s ")" | "exp(" s ")" | "x" | "1" | "2" | "3"
        """,
        start="s",
    )


# --------------------------------------------------------------------------------- measurement
def rows() -> list[Row]:
    rng = np.random.default_rng(0)
    strings = rng.permutation(make_expressions()).tolist()
    # The decoder's logits after training: strings of the data stand out.
    rules = EXPRESSIONS.parse(strings[:N_DECODED])
    noise = rng.standard_normal((len(rules), *EXPRESSIONS.shape), dtype=np.float32)
    logits = noise + 6 * np.eye(EXPRESSIONS.n_rules + 1, dtype=np.float32)[rules]
    few, parsed, evaluated = logits[:N_LOOPED], strings[:N_PARSED], strings[:N_EVALUATED]

    def decode(logits: np.ndarray) -> np.ndarray:
        return EXPRESSIONS.unparse(EXPRESSIONS.decode(logits))

    assert decode(few).tolist() == decode_loop(EXPRESSIONS, few)
    assert decode(noise[:1000]).tolist() == decode_loop(EXPRESSIONS, noise[:1000])
    np.testing.assert_allclose(
        evaluate_expressions(evaluated[:500], POINTS), evaluate_loop(evaluated[:500])
    )

    def decoding(what: str, logits: np.ndarray) -> Row:
        return Row(
            what,
            lambda: decode(logits),
            len(logits),
            "a loop over strings",
            lambda: decode_loop(EXPRESSIONS, logits[:N_LOOPED]),
            N_LOOPED,
            100_000,
            4,
        )

    return [
        decoding("decode, logits of data", logits),
        decoding("decode, random logits", noise),
        Row(
            "parse",
            lambda: EXPRESSIONS.parse(parsed),
            N_PARSED,
            "lark: Earley, trees",
            lambda: [earley().parse(string) for string in parsed[:200]],
            200,
            5000,
        ),
        Row(
            "evaluate, 1000 points",
            lambda: evaluate_expressions(evaluated, POINTS),
            N_EVALUATED,
            "python: eval, which is unsafe",
            lambda: evaluate_loop(evaluated),
            N_EVALUATED,
            5000,
        ),
    ]


def rates(function: Callable[[], Any], n: int) -> tuple[float, float]:
    """Return strings per second of the processor and of the wall."""
    wall, processor = time.perf_counter(), time.process_time()
    function()
    return n / (time.process_time() - processor), n / (time.perf_counter() - wall)


def measure(row: Row, rounds: int) -> dict:
    row.ours(), row.theirs()  # warm up
    runs = [(*rates(row.ours, row.n), *rates(row.theirs, row.n_theirs)) for _ in range(rounds)]
    ours, wall, theirs, _ = np.median(runs, axis=0)
    return {
        "what": row.what,
        "strings/s": round(float(ours)),
        "bar": row.bar,
        "strings/s, wall": round(float(wall)),
        "peer": row.peer,
        "peer, strings/s": round(float(theirs)),
        "ratio": round(float(np.median([run[0] / run[2] for run in runs])), 2),
        "ratio's bar": row.least_ratio,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with threadpool_limits(1):
        measured = []
        for row in rows():
            measured.append(measure(row, options.rounds))
            print(measured[-1], flush=True)
    result = {
        "benchmark": "speed/sequence",
        "device": "cpu",
        "threads": 1,
        "rounds": options.rounds,
        "versions": {
            "geomgen": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "lark": version("lark"),
        },
        "rows": measured,
    }
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
