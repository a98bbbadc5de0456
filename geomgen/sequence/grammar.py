"""Context-free grammars whose strings are arrays of rules."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from geomgen.sequence._automaton import Automaton
from geomgen.sequence._notation import Rule, check_rules, read_rules, show
from geomgen.sequence._parsing import make_parser
from geomgen.sequence._strings import as_floats, check_strings, make_pick

__all__ = ["Grammar"]


class Grammar:
    r"""A context-free grammar, whose strings are leftmost derivations in arrays.

    A string is a row of at most ``max_length`` rules, each of which expands the leftmost
    nonterminal; a row is padded with R, the number of rules. Under logits
    :math:`\ell_{tr}`, a derivation takes at step t

    .. math:: r_t = \arg\max_{r \in A_t} \ell_{tr}, \qquad
       A_t = \{A \to \beta : A = \text{top}_t, \; m(\beta) + m(\text{rest}_t) \le L - t - 1\},

    with top and rest of the stack of nonterminals yet to expand, t from 0, and m the least number
    of rules that symbols need (a fixed point). The second condition is the budget: with it, every
    derivation ends within L rules, for any logits. Without it, the mask is that of Kusner et al.
    (2017, section 3.2).

    Parameters
    ----------
    text : str
        One nonterminal a line: ``S -> S '+' T | T``. Terminals are in quotes, of any length and
        alphabet (``\\``, ``\'``, ``\"``, ``\n``, ``\t`` and ``\r`` are escapes); ``''`` is
        the empty string; ``#`` begins a comment; a line that begins with ``|`` goes on with the
        one before.
    start : str or None, default=None
        The start symbol; rules that it does not reach are left out. None is the first left side,
        and then a rule that it does not reach is refused.
    max_length : int, default=15
        Most rules of a derivation.

    Attributes
    ----------
    rules : tuple of (left, right)
        The rules in the order of the text; in a right side, terminals are in quotes.
    n_rules : int
        Their number R; one-hot tables have R + 1 columns, the last for the padding.
    nonterminals : tuple of str
        In the order of their first rule.
    start : str
        The start symbol.
    max_length : int
        As given.

    Raises
    ------
    ValueError
        If the text cannot be read; if a rule uses an undefined symbol, cannot be reached, derives
        no string, stands twice, or derives its own left side alone; if no string has as few rules
        as max_length. The message has the rule.

    Notes
    -----
    Ambiguous and left-recursive grammars are fine. Grammars are values, and never change.

    References
    ----------
    Kusner, Paige and Hernandez-Lobato, 2017, *Grammar variational autoencoder*.

    Examples
    --------
    >>> grammar = Grammar("S -> '(' S ')' S | ''", max_length=7)
    >>> rules = grammar.parse(["()", "(())"])
    >>> rules
    array([[0, 1, 1, 2, 2, 2, 2],
           [0, 0, 1, 1, 1, 2, 2]])
    >>> grammar.unparse(rules)
    array(['()', '(())'], dtype='<U4')
    >>> import numpy as np
    >>> logits = np.zeros((1, 7, 3))
    >>> grammar.unparse(grammar.decode(logits))  # rule 0 wins every tie, as long as it may
    array(['((()))'], dtype='<U6')
    """

    def __init__(self, text: str, start: str | None = None, max_length: int = 15) -> None:
        if not isinstance(max_length, int | np.integer) or max_length < 1:
            raise ValueError(f"max_length={max_length!r} must be an int in [1, inf).")
        self.rules, self.start = check_rules(read_rules(text), start)
        self.max_length = int(max_length)
        self.n_rules = len(self.rules)
        self.nonterminals = tuple(dict.fromkeys(left for left, _ in self.rules))
        least = self._automaton.shortest
        if least > self.max_length:
            raise ValueError(
                f"max_length={max_length}: the shortest string of {self.start} takes {least} "
                f"rules. Set max_length to {least} at least."
            )

    @property
    def _automaton(self) -> Automaton:
        return _automaton(self.rules, self.start)

    @property
    def parser(self) -> str:
        """Which parser lark builds: ``"lalr"``, or ``"earley"`` where LALR has conflicts."""
        return make_parser(self.rules, self.start).kind

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of a string's one-hot table: (max_length, n_rules + 1)."""
        return self.max_length, self.n_rules + 1

    def parse(self, strings: Any) -> np.ndarray:
        """Find the leftmost derivations of strings.

        Of an ambiguous string, it is the one with the fewest rules, and of those the first in
        the order of rules.

        Parameters
        ----------
        strings : array-like of str of shape (n,)
            Strings of the grammar.

        Returns
        -------
        ndarray of int of shape (n, max_length)
            Numbers of rules, padded with ``n_rules``.

        Raises
        ------
        ValueError
            If a string is not of the grammar, or takes more than max_length rules; the message
            has the string and the position.
        ImportError
            Without lark: ``pip install "geomgen[grammar]"``.
        """
        rules, error = self._parse(check_strings(strings))
        if error is not None:
            raise error
        return rules

    def accepts(self, strings: Any) -> np.ndarray:
        """Tell which strings parse.

        Parameters
        ----------
        strings : array-like of str of shape (n,)
            Any strings.

        Returns
        -------
        ndarray of bool of shape (n,)
            Whether the string is of the grammar, in at most max_length rules.
        """
        rules, _ = self._parse(check_strings(strings), stop=False)
        return rules[:, 0] >= 0

    def _parse(self, strings: list[str], stop: bool = True) -> tuple[np.ndarray, ValueError | None]:
        """Parse each distinct string once; what fails is a row of -1."""
        parser, first = make_parser(self.rules, self.start), None
        distinct = list(dict.fromkeys(strings))
        rows = np.full((len(distinct), self.max_length), self.n_rules)
        for row, string in zip(rows, distinct, strict=True):
            try:
                derivation = parser.derivation(string, self.max_length)
                row[: len(derivation)] = derivation
            except ValueError as error:
                first = first or error
                row[:] = -1
                if stop:
                    break
        place = {string: i for i, string in enumerate(distinct)}
        return rows[[place[string] for string in strings]], first

    def unparse(self, rules: Any) -> np.ndarray:
        """Write derivations as strings.

        Parameters
        ----------
        rules : array-like of int of shape (n, L)
            Numbers of rules in [0, n_rules].

        Returns
        -------
        ndarray of str of shape (n,)
            ``""`` where the derivation is not complete, or is none.

        Raises
        ------
        ValueError
            If rules is not two-dimensional, or has other numbers.
        """
        return self._automaton.derive(self._check_rules(rules))[1]

    def valid(self, rules: Any) -> np.ndarray:
        """Tell which derivations are complete.

        Parameters
        ----------
        rules : array-like of int of shape (n, L)
            Numbers of rules in [0, n_rules].

        Returns
        -------
        ndarray of bool of shape (n,)
            Whether each rule expands the leftmost nonterminal, and none is left at the end.

        Raises
        ------
        ValueError
            If rules is not two-dimensional, or has other numbers.
        """
        return self._automaton.derive(self._check_rules(rules))[0]

    def decode(self, logits: Any, budget: bool = True, random_state: Any = None) -> np.ndarray:
        """Choose derivations under logits, with rules that cannot stand at a step masked.

        Parameters
        ----------
        logits : array-like or Tensor of shape (n, L, n_rules + 1)
            Finite scores of rules, a step each; the last column is the padding.
        budget : bool, default=True
            Whether to mask, too, what could not end within L steps: then every derivation is
            complete.
        random_state : int, RandomState or None, default=None
            None takes the likeliest rule; else rules are drawn from the masked softmax.

        Returns
        -------
        ndarray of int of shape (n, L)
            Numbers of rules, padded with ``n_rules``.

        Raises
        ------
        ValueError
            If logits have another shape, or are not finite, or if L is too short for any string.
        """
        scores = as_floats(logits, "logits")
        if scores.ndim != 3 or scores.shape[2] != self.n_rules + 1:
            raise ValueError(
                f"logits has shape {scores.shape}: it must be (n, steps, {self.n_rules + 1}), a "
                "column for each rule and one for the padding."
            )
        least = self._automaton.shortest
        if budget and scores.shape[1] < least:
            raise ValueError(
                f"logits has {scores.shape[1]} steps; the shortest string takes {least} rules. "
                "Give more steps, or set budget=False."
            )
        return self._automaton.decode(scores, budget, make_pick(random_state))

    def _check_rules(self, rules: Any) -> np.ndarray:
        rules = np.asarray(rules)
        if rules.ndim != 2 or (rules.size and rules.dtype.kind not in "iu"):
            raise ValueError(
                f"rules has shape {rules.shape} and dtype {rules.dtype}: it must be (n, L) of "
                "numbers of rules."
            )
        if rules.size and not (0 <= rules.min() and rules.max() <= self.n_rules):
            raise ValueError(
                f"rules has numbers from {rules.min()} to {rules.max()}: they must be in "
                f"[0, {self.n_rules}]."
            )
        return rules.astype(np.int64, copy=False)

    def __str__(self) -> str:
        return "\n".join(map(show, self.rules))

    def __repr__(self) -> str:
        return f"Grammar({str(self)!r}, start={self.start!r}, max_length={self.max_length})"

    def __eq__(self, other: object) -> bool:
        return repr(self) == repr(other) if isinstance(other, Grammar) else NotImplemented

    def __hash__(self) -> int:
        return hash(repr(self))


@lru_cache(maxsize=32)
def _automaton(rules: tuple[Rule, ...], start: str) -> Automaton:
    return Automaton(rules, start)
