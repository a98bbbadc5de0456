"""From strings to leftmost derivations, by lark."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from geomgen.sequence._notation import Rule, is_terminal, unquote, written

__all__ = ["Parser", "make_parser"]


class Parser:
    """A parser of one grammar: LALR where its table has no conflict, Earley elsewhere.

    Symbols are terminals where none begins with another, as then a string can be cut in one way
    only; else they are characters. Both are exact: no rule of longest match takes part.

    Parameters
    ----------
    rules : tuple of Rule
        Checked.
    start : str
        The start symbol.

    Attributes
    ----------
    kind : {"lalr", "earley"}
        Which parser lark has built.
    """

    def __init__(self, rules: tuple[Rule, ...], start: str) -> None:
        lark = _lark()
        self.most_characters = max(len(written(rule)) for rule in rules)
        texts = {unquote(s) for _, body in rules for s in body if is_terminal(s)}
        self.units = sorted(texts if _prefix_free(texts) else set("".join(texts)))
        self.names = {unit: f"_T{i}" for i, unit in enumerate(self.units)}
        self.cut = re.compile("|".join(map(re.escape, self.units)) or r"(?!)", re.DOTALL)
        text, self.start = self._write(rules, start)
        options = {"lexer": self._lexer(lark), "start": self.start}
        self.kind = "lalr"
        try:
            # Unambiguous grammars alone pass the strict construction.
            self.lark = lark.Lark(
                text, parser="lalr", strict=True, transformer=_Preorder(), **options
            )
        except lark.exceptions.GrammarError:
            self.kind = "earley"
            self.lark = lark.Lark(text, parser="earley", ambiguity="forest", **options)
        self.errors, self.eof = lark.exceptions.UnexpectedInput, lark.exceptions.UnexpectedEOF

    def derivation(self, string: str, max_length: int) -> list[int]:
        """Return the rules of the leftmost derivation, or raise a ValueError with the position.

        Of an ambiguous string, it is the one with the fewest rules, and of those the first.
        """
        most = max_length * self.most_characters
        if len(string) > most:  # which costs no parsing
            raise ValueError(
                f"{string[:40]!r}... has {len(string)} characters: max_length={max_length} rules "
                f"give {most} at most. Raise max_length, or leave the string out."
            )
        try:
            parsed = self.lark.parse(string)
        except self.errors as error:
            raise ValueError(self._complaint(string, error)) from None
        rules = parsed if self.kind == "lalr" else _shortest(parsed)
        if len(rules) > max_length:
            raise ValueError(
                f"{string!r} takes {len(rules)} rules: more than max_length={max_length}. Raise "
                "max_length, or leave the string out."
            )
        return rules

    def _write(self, rules: tuple[Rule, ...], start: str) -> tuple[str, str]:
        """Write the grammar as lark reads it; rule i is the alias r<i>."""
        names = {left: f"n{i}" for i, left in enumerate(dict.fromkeys(r[0] for r in rules))}
        lines = []
        for left, name in names.items():
            bodies = [
                " ".join(part for s in body for part in self._parts(s, names)) + f" -> r{i}"
                for i, (other, body) in enumerate(rules)
                if other == left
            ]
            lines.append(f"{name}: " + "\n  | ".join(bodies))
        if self.units:
            lines.append("%declare " + " ".join(self.names.values()))
        return "\n".join(lines), names[start]

    def _parts(self, symbol: str, names: dict[str, str]) -> Iterator[str]:
        if is_terminal(symbol):
            yield from (self.names[unit] for unit in self.cut.findall(unquote(symbol)))
        else:
            yield names[symbol]

    def _lexer(self, lark: Any) -> type:
        names, cut, token = self.names, self.cut, lark.Token

        class Units(lark.lexer.Lexer):
            def __init__(self, lexer_conf: Any) -> None:
                pass

            def lex(self, text: str) -> Iterator[Any]:
                at = 0
                for match in cut.finditer(text):
                    if match.start() != at:
                        break
                    yield token(names[match[0]], match[0], at)
                    at = match.end()
                if at < len(text):
                    raise lark.exceptions.UnexpectedCharacters(text, at, 1, at + 1)

        return Units

    def _complaint(self, string: str, error: Any) -> str:
        token = getattr(error, "token", None)
        ended = isinstance(error, self.eof) or (token is not None and token.type == "$END")
        at = len(string) if ended else int(error.pos_in_stream)
        found = "the string ends" if at == len(string) else f"{string[at]!r} stands"
        expected = set(getattr(error, "accepts", None) or getattr(error, "expected", None) or ())
        could = [repr(unit) for unit in self.units if self.names[unit] in expected]
        hint = f", where the grammar has {' or '.join(could)}" if could else ""
        return f"{string!r} is not of the grammar: at position {at}, {found}{hint}."


class _Preorder:
    """Callbacks of the rules: a rule, then the rules of its children."""

    def __getattr__(self, name: str) -> Callable[[list[list[int]]], list[int]]:
        if not re.fullmatch(r"r\d+", name):
            raise AttributeError(name)
        rule = int(name[1:])

        def join(children: list[list[int]]) -> list[int]:
            joined = [rule]
            for child in children:
                joined += child
            return joined

        return join


def _shortest(forest: Any) -> list[int]:
    """Read the shortest derivation off lark's parse forest, each of whose nodes is seen once.

    lark's own transformers see a node once a way to it, and the ways are exponentially many.
    """
    from lark.parsers.earley_forest import ForestVisitor

    found: dict[int, list[int]] = {}  # by node; a token has no rules

    class Shortest(ForestVisitor):
        def visit_symbol_node_in(self, node: Any) -> Iterator[Any]:
            return iter(node.children)

        visit_packed_node_in = visit_symbol_node_in

        def visit_symbol_node_out(self, node: Any) -> None:
            ways = (found[id(packed)] for packed in node.children)
            found[id(node)] = min(ways, key=lambda rules: (len(rules), rules))

        def visit_packed_node_out(self, node: Any) -> None:
            own = [] if node.parent.is_intermediate else [int(node.rule.alias[1:])]
            parts = (found.get(id(child), []) for child in node.children)
            found[id(node)] = sum(parts, own)

    Shortest(single_visit=True).visit(forest)
    return found[id(forest)]


def _prefix_free(texts: set[str]) -> bool:
    ordered = sorted(texts)  # a string's extensions follow it
    return not any(b.startswith(a) for a, b in zip(ordered, ordered[1:], strict=False))


def _lark() -> Any:
    try:
        import lark
        import lark.exceptions
        import lark.lexer
    except ImportError as error:
        raise ImportError('Parsing needs lark: pip install "geomgen[grammar]"') from error
    return lark


@lru_cache(maxsize=32)
def make_parser(rules: tuple[Rule, ...], start: str) -> Parser:
    """Make the parser of a grammar once."""
    return Parser(rules, start)
