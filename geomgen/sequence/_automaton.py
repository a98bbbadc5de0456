"""The pushdown automaton of a grammar, for many derivations at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from geomgen.sequence._notation import Rule, is_terminal, least_rules, unquote, written

__all__ = ["Automaton"]

_BLOCK = 1 << 18  # entries of a block's stacks: what stays in the cache
_FAR = 1 << 30  # more rules than any derivation has


class Automaton:
    r"""Leftmost derivations by stacks in arrays.

    Symbols are numbers: nonterminals, then END below every stack, then terminals. The padding is
    the rule END -> END, number R, so that no step has a case of its own.

    Parameters
    ----------
    rules : tuple of Rule
        Checked.
    start : str
        The start symbol.
    """

    def __init__(self, rules: tuple[Rule, ...], start: str) -> None:
        names = list(dict.fromkeys(left for left, _ in rules))
        terminals = list(dict.fromkeys(s for _, body in rules for s in body if is_terminal(s)))
        self.n_rules, self.end = len(rules), len(names)
        number = {name: i for i, name in enumerate(names)}
        number |= {terminal: i for i, terminal in enumerate(terminals, self.end + 1)}
        self.start = number[start]
        self.lhs = np.array([number[left] for left, _ in rules] + [self.end])
        bodies = [[number[s] for s in body] for _, body in rules] + [[self.end]]
        self.bodies = _Bodies(bodies)
        self.branches = _Bodies([[s for s in body if s <= self.end] for body in bodies])
        least = least_rules(rules)
        self.least = np.array([min(least[name], _FAR) for name in names] + [0], dtype=np.int64)
        self.shortest = int(self.least[self.start])
        # What a rule adds to the least number of rules still to come; -1 on the shortest way.
        self.growth = np.array(
            [min(sum(int(self.least[s]) for s in body if s <= self.end), _FAR) for body in bodies]
        )
        self.growth = self.growth - self.least[self.lhs]
        texts = [unquote(s) for s in terminals]
        self.lengths = np.array([0] * (self.end + 1) + [len(text) for text in texts])
        self.characters = np.zeros((len(self.lengths), max(map(len, texts), default=1)), np.uint32)
        for row, text in enumerate(texts, self.end + 1):
            self.characters[row, : len(text)] = [ord(c) for c in text]
        self.most_characters = max(len(written(rule)) for rule in rules)

    def penalties(self, n_steps: int, dtype: Any) -> tuple[np.ndarray, int]:
        """Tabulate 0 for rules allowed and -inf for others, by top of the stack and slack.

        The slack is what remains of the steps after this one, beyond the least that the stack
        needs: from -1 to the most that a rule can add. The last row of a symbol knows no budget.
        """
        most = int(np.clip(self.growth.max(), 0, n_steps))  # no slack is n_steps
        fits = self.growth <= np.arange(-1, most + 1)[:, None]
        fits = np.vstack([fits, np.ones_like(fits[:1])])
        own = self.lhs == np.arange(self.end + 1)[:, None]
        allowed = own[:, None, :] & fits
        table = np.where(allowed, 0, -np.inf).astype(dtype)
        return table.reshape(-1, self.n_rules + 1), len(fits)

    def decode(self, logits: np.ndarray, budget: bool, pick: Callable) -> np.ndarray:
        """Choose a rule a step with ``pick(scores)``, among those that the stack allows."""
        n, n_steps, _ = logits.shape
        table, width = self.penalties(n_steps, logits.dtype)
        rules = np.empty((n, n_steps), dtype=np.int64)
        depth = 2 + self.branches.room(n_steps)
        for block in _blocks(n, depth):
            stack, at = self._stacks(len(rules[block]), depth)
            slack = np.full(len(at), n_steps - 1 - self.shortest)
            for step in range(n_steps):
                state = stack[at] * width
                state += np.minimum(slack, width - 3) + 1 if budget else width - 1
                scores = np.take(table, state, axis=0)
                scores += logits[block, step]
                rule = pick(scores)
                rules[block, step] = rule
                self.branches.push(stack, at, rule)
                slack -= self.growth[rule] + 1
        return rules

    def derive(self, rules: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Follow derivations (n, L); return which are complete, and their strings."""
        n, n_steps = rules.shape
        depth = 2 + self.bodies.room(n_steps)
        room = n_steps * self.most_characters + self.characters.shape[1]
        valid, parts = np.zeros(n, dtype=bool), []
        for rows in _blocks(n, depth + room):
            valid[rows], text = self._derive(rules[rows], depth, room)
            parts.append(text)
        return valid, np.concatenate(parts) if parts else np.empty(0, dtype="<U1")

    def _derive(self, rules: np.ndarray, depth: int, room: int) -> tuple[np.ndarray, np.ndarray]:
        n, n_steps = rules.shape
        stack, at = self._stacks(n, depth)
        bottom = at - 1
        text = np.zeros(n * room, dtype=np.uint32)
        begin = np.arange(n) * room
        cursor = begin.copy()
        good = np.ones(n, dtype=bool)
        for step in range(n_steps):
            good &= self.lhs[rules[:, step]] == stack[at]
            at = np.where(good, at, bottom)
            self.bodies.push(stack, at, np.where(good, rules[:, step], self.n_rules))
            rows = np.flatnonzero(stack[at] > self.end)
            while len(rows):  # terminals on top are written out
                symbol = stack[at[rows]]
                for i in range(self.characters.shape[1]):
                    text[cursor[rows] + i] = self.characters[symbol, i]
                cursor[rows] += self.lengths[symbol]
                at[rows] -= 1
                rows = rows[stack[at[rows]] > self.end]
        good &= at == bottom
        length = np.where(good, cursor - begin, 0)
        most = max(int(length.max(initial=0)), 1)
        kept = text.reshape(n, room)[:, :most] * (np.arange(most) < length[:, None])
        return good, np.ascontiguousarray(kept, dtype=np.uint32).view(f"<U{most}")[:, 0]

    def _stacks(self, n: int, depth: int) -> tuple[np.ndarray, np.ndarray]:
        """Make n stacks of END and the start symbol, end to end, and where their tops are."""
        stack = np.full((n, depth), self.end)
        stack[:, 1] = self.start
        return stack.reshape(-1), np.arange(n) * depth + 1


class _Bodies:
    """Right sides, last symbol first, as they go onto a stack."""

    def __init__(self, bodies: Sequence[Sequence[int]]) -> None:
        self.width = max(map(len, bodies))
        self.symbols = np.zeros((self.width, len(bodies)), dtype=np.int64)
        self.rise = np.array([len(body) - 1 for body in bodies])
        for rule, body in enumerate(bodies):
            self.symbols[: len(body), rule] = body[::-1]

    def room(self, n_steps: int) -> int:
        """Bound the height that n_steps pushes add."""
        return n_steps * (self.width - 1) + self.width

    def push(self, stack: np.ndarray, at: np.ndarray, rules: np.ndarray) -> None:
        """Replace the tops by right sides; what is above a new top is never read."""
        for i in range(self.width):
            stack[at + i] = self.symbols[i, rules]
        at += self.rise[rules]


def _blocks(n: int, entries: int) -> list[slice]:
    rows = max(1, _BLOCK // entries)
    return [slice(i, min(i + rows, n)) for i in range(0, n, rows)]
