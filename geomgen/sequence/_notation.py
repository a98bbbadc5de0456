"""The notation of grammars: reading it, and refusing grammars that nothing could use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import inf

__all__ = [
    "Rule",
    "check_rules",
    "is_terminal",
    "least_rules",
    "read_rules",
    "show",
    "unquote",
    "written",
]

Rule = tuple[str, tuple[str, ...]]
"""Left side, and right side: names of nonterminals, and terminals in quotes as ``repr`` has it."""

_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<terminal>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<name>[^\W\d]\w*)"""
    r"""|(?P<arrow>->)|(?P<bar>\|)|(?P<comment>\#.*)"""
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


def is_terminal(symbol: str) -> bool:
    """Tell a quoted terminal from a nonterminal's name."""
    return symbol[0] in "'\""


def unquote(terminal: str) -> str:
    """Return the characters that a quoted terminal stands for."""

    def escape(match: re.Match[str]) -> str:
        return _ESCAPES[match[1]]

    return re.sub(r"\\(.)", escape, terminal[1:-1])


def quote(characters: str) -> str:
    """Write a terminal as the notation has it: the inverse of unquote."""
    back = {v: "\\" + k for k, v in _ESCAPES.items() if v != '"'}
    return "'" + "".join(back.get(c, c) for c in characters) + "'"


def show(rule: Rule) -> str:
    """Write one rule as the notation has it."""
    return f"{rule[0]} -> {' '.join(rule[1]) or repr('')}"


def written(rule: Rule) -> str:
    """Join the characters of a rule's terminals."""
    return "".join(unquote(symbol) for symbol in rule[1] if is_terminal(symbol))


def _tokens(line: str, number: int) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while at < len(line):
        match = _TOKEN.match(line, at)
        if match is None:
            raise ValueError(
                f"grammar: line {number}, column {at + 1}: cannot read {line[at:]!r}. Write "
                "rules as S -> S '+' T | T, with terminals in quotes."
            )
        kind = str(match.lastgroup)
        if kind == "terminal":
            tokens.append((kind, _terminal(match["terminal"], number)))
        elif kind not in ("space", "comment"):
            tokens.append((kind, match[kind]))
        at = match.end()
    return tokens


def _terminal(quoted: str, number: int) -> str:
    for letter in re.findall(r"\\(.)", quoted):
        if letter not in _ESCAPES:
            raise ValueError(
                f"grammar: line {number}: unknown escape \\{letter} in {quoted}. A backslash is "
                "written \\\\; other characters stand for themselves."
            )
    characters = unquote(quoted)
    if "\0" in characters:
        raise ValueError(f"grammar: line {number}: a terminal has the character NUL. Remove it.")
    return quote(characters)


def read_rules(text: str) -> tuple[Rule, ...]:
    """Read a grammar's text: one nonterminal a line, a line that begins with ``|`` goes on."""
    if not isinstance(text, str):
        raise ValueError(f"text={text!r} must be a str of rules such as \"S -> 'a' S | 'a'\".")
    rules: list[Rule] = []
    left = None
    for number, line in enumerate(re.split(r"\r\n|[\r\n]", text), 1):
        tokens = _tokens(line, number)
        if not tokens:
            continue
        kinds = [kind for kind, _ in tokens]
        if kinds[:2] == ["name", "arrow"]:
            left, tokens = tokens[0][1], tokens[2:]
        elif kinds[0] == "bar" and left is not None:
            tokens = tokens[1:]
        else:
            tokens = [("arrow", "")]
        if left is None or any(kind == "arrow" for kind, _ in tokens):
            raise ValueError(
                f"grammar: line {number}, {line.strip()!r}, is no rule. Write one rule a line, as "
                "S -> S '+' T | T."
            )
        rules.extend((left, body) for body in _bodies(tokens, number, left))
    if not rules:
        raise ValueError("grammar: there is no rule. Write one a line, as S -> S '+' T | T.")
    return tuple(rules)


def _bodies(tokens: list[tuple[str, str]], number: int, left: str) -> Iterable[tuple[str, ...]]:
    bodies: list[list[str]] = [[]]
    for kind, symbol in tokens:
        if kind == "bar":
            bodies.append([])
        else:
            bodies[-1].append(symbol)
    for body in bodies:
        if not body:
            raise ValueError(
                f"grammar: line {number}: an alternative of {left} is empty. Write '' for the "
                "empty string, or remove the bar."
            )
        yield tuple(symbol for symbol in body if symbol != "''")


def least_rules(rules: Iterable[Rule]) -> dict[str, float]:
    r"""Count the rules of each nonterminal's shortest derivation.

    The least fixed point of :math:`m(A) = \min_{A \to \beta} 1 + \sum_{B \in \beta} m(B)`;
    infinite where no derivation ends.
    """
    rules = list(rules)
    least: dict[str, float] = {left: inf for left, _ in rules}
    changed = True
    while changed:
        changed = False
        for left, body in rules:
            cost = 1 + sum(least.get(s, inf) for s in body if not is_terminal(s))
            if cost < least[left]:
                least[left], changed = cost, True
    return least


def check_rules(rules: tuple[Rule, ...], start: str | None) -> tuple[tuple[Rule, ...], str]:
    """Return the rules in use and the start symbol, or raise with the rule named.

    Where the start is given, rules that it does not reach are left out: it may be a part of a
    larger grammar. Where it is not, they are a slip.
    """
    defined = {left for left, _ in rules}
    if start is not None and start not in defined:
        raise ValueError(f"start={start!r} is no left side of a rule: {sorted(defined)} are.")
    for rule in rules:
        for symbol in rule[1]:
            if not is_terminal(symbol) and symbol not in defined:
                raise ValueError(
                    f"grammar: the rule {show(rule)} uses {symbol}, which has no rule. Add one, "
                    "or put it in quotes."
                )
    first = rules[0][0] if start is None else start
    reached = _reachable(rules, first)
    for rule in rules:
        if rule[0] not in reached and start is None:
            raise ValueError(
                f"grammar: the rule {show(rule)} cannot be reached from {first}. Remove it, or "
                "name the start."
            )
    rules = tuple(rule for rule in rules if rule[0] in reached)
    _refuse_unproductive(rules)
    _refuse_duplicates(rules)
    _refuse_cycles(rules)
    return rules, first


def _reachable(rules: Iterable[Rule], start: str) -> set[str]:
    reached, waiting = {start}, [start]
    bodies: dict[str, list[str]] = {}
    for left, body in rules:
        bodies.setdefault(left, []).extend(s for s in body if not is_terminal(s))
    while waiting:
        for symbol in bodies[waiting.pop()]:
            if symbol not in reached:
                reached.add(symbol)
                waiting.append(symbol)
    return reached


def _refuse_unproductive(rules: tuple[Rule, ...]) -> None:
    least = least_rules(rules)
    for rule in rules:
        dead = [s for s in (rule[0], *rule[1]) if not is_terminal(s) and least[s] == inf]
        if dead:
            raise ValueError(
                f"grammar: the rule {show(rule)} derives no string, as {dead[-1]} never ends. "
                f"Give {dead[-1]} a rule without itself, or remove the rule."
            )


def _refuse_duplicates(rules: tuple[Rule, ...]) -> None:
    seen: dict[Rule, Rule] = {}
    for rule in rules:
        key = rule[0], _merged(rule[1])
        if key in seen:
            raise ValueError(
                f"grammar: the rules {show(seen[key])} and {show(rule)} are the same. Remove one."
            )
        seen[key] = rule


def _merged(body: tuple[str, ...]) -> tuple[str, ...]:
    """Split terminals into characters: 'ab' 'c' and 'a' 'bc' are the same."""
    return tuple(part for s in body for part in (map(quote, unquote(s)) if is_terminal(s) else [s]))


def _refuse_cycles(rules: tuple[Rule, ...]) -> None:
    """Raise if a nonterminal derives itself alone: its strings have endless derivations."""
    empty: set[str] = set()
    while more := {left for left, body in rules if set(body) <= empty} - empty:
        empty |= more
    alone = [  # by which rule one nonterminal may come to stand for another
        (rule, symbol)
        for rule in rules
        for i, symbol in enumerate(rule[1])
        if not is_terminal(symbol) and {*rule[1][:i], *rule[1][i + 1 :]} <= empty
    ]
    links = [(rule[0], (symbol,)) for rule, symbol in alone] + [(left, ()) for left, _ in rules]
    for rule, symbol in alone:
        if rule[0] in _reachable(links, symbol):
            raise ValueError(
                f"grammar: by the rule {show(rule)}, {rule[0]} derives itself and nothing else, so "
                "that its strings have endless derivations. Remove the rule, or write it so that "
                "it adds a terminal."
            )
